//! The front door for programs: load, compile, run, differentiate.
//!
//! Everything goes by names and [`ndarray`] views, with the conventions of `rnnc run`: inputs are `[steps, batch, ...]`, what is one per
//! example `[batch, ...]`, parameters as they are declared, gradients `NAME_adj`. Every refusal is an [`Error`] with a code, a place and how to
//! mend it; nothing here panics for anything that is given to it, nor prints.
//!
//! ```
//! use ndarray::Array3;
//! use rnnc::api::{Arrays, Library, Options};
//!
//! let library = Library::text("leak.rnn", "
//!     cell Leak(I, H) {
//!       in    x : [I]
//!       state h : [H] = 0
//!       param W : [H, I] ~ uniform(1/sqrt(H))
//!       param a : [H] = 1
//!       h = tanh(σ(a) ⊙ h[t-1] + W @ x)
//!       out h
//!     }")?;
//! let cell = library.compile("Leak(3, 4)", &Options::default())?;
//! let params = cell.init(7)?;
//! let x = Array3::<f32>::ones((10, 2, 3)); // 10 steps, 2 examples
//!
//! let out = cell.forward(&Arrays::new().params(&params).with("x", &x))?;
//! assert_eq!(out["h"].shape(), [10, 2, 4]);
//! assert_eq!(out["h_last"].shape(), [2, 4]);
//!
//! // Forward, then back with any cotangents: the gradient of whatever is made of the outputs.
//! let mut run = cell.forward_saved(&Arrays::new().params(&params).with("x", &x))?;
//! let loss_by_h = run.outputs()?["h"].mapv(|h| 2.0 * h); // of the sum of squares
//! let gradients = run.backward(&Arrays::new().with("h_adj", &loss_by_h))?;
//! assert_eq!(gradients["W_adj"].shape(), [4, 3]);
//! # Ok::<(), rnnc::Error>(())
//! ```
//!
//! [`Library`] holds programs; [`Recipe`] is one of its cells, layers or models with arguments, to read: shapes, equations, derived
//! gradient; [`Compiled`] runs it, from any number of threads at once. [`Saved`] is a forward run that the way back can follow, [`Stream`]
//! one example step by step, [`Optimiser`] an update rule of the language.

mod adjoint;
mod arrays;
mod compiled;
mod error;
mod errors;
mod exact;
mod layout;
mod library;
mod load;
mod optimiser;
mod params;
mod recipe;
mod saved;
mod sizes;
mod stream;

pub use crate::limits::Limits;
pub use crate::runtime::FlushToZero;
pub use arrays::{Arrays, Element, Outputs, View};
pub use compiled::Compiled;
pub use error::{Error, Place, Problem, Result, explain};
pub use layout::Layout;
pub use library::{Item, Library, Source};
pub use optimiser::Optimiser;
pub use params::Params;
pub use recipe::{Elements, Kind, Notation, Options, Port, Recipe};
pub use saved::Saved;
pub use stream::{Part, Stream};
