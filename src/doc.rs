//! Pages to read in a browser: the gradient of a cell beside its equations, and a site of the items of any files.
//!
//! In: a [`Reading`](crate::grad::print::reading::Reading), or a library. Out: whole pages as text; nothing is written here.
//! Pages need no network and no script to be read: formulas are MathML, pictures inline SVG. Scripts only mark names and
//! search. The same input gives the same bytes.
//! Invariant: text of the author reaches a page only through `maud`, which escapes it, or through [`crate::typeset::mathml`].

mod equations;
mod file;
mod formula;
pub(crate) mod frame;
mod gradient;
mod highlight;
mod index;
mod item;
mod markdown;
mod recipe;
mod site;
mod tables;

pub use formula::grouped;
pub use gradient::gradient_page;
pub use site::{Input, Page, site};
