//! Parameters under the names and in the arrangement of another library.

use super::arrays::Arrays;
use super::error::Result;
use super::params::Params;
use super::recipe::Recipe;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::build::{Arranged, ForeignNames, Program, arrange_all};
use crate::syntax::names::canonical;
use crate::weights::{self, Array, Finder, foreign};

/// What foreign arrays are called in messages.
const GIVEN: &str = "the given arrays";

/// How another library arranges parameters: by a `layout` block of the language, for every instance that has one of its name; other
/// parameters have their own names. [`Layout::map`] says where names differ, as `--map` of `rnnc import` does. With
/// [`Layout::default`] all names are ours.
///
/// ```
/// use rnnc::api::{Arrays, Layout, Library, Options};
/// let library = Library::text("net.rnn", "
///     cell Leak(I, H) {
///       in    x : [I]
///       state h : [H] = 0
///       param W : [H, I] ~ uniform(1/sqrt(H))
///       param a : [H] = 1
///       h = σ(a) ⊙ h[t-1] + W @ x
///       out h
///     }
///     layout other for Leak {
///       \"weight\" = Wᵀ
///       \"decay\"  = a
///     }
///     cell Net(I, H) {
///       in  x : [I]
///       h = Leak(I, H)(x)
///       out h
///     }")?;
/// let net = library.compile("Net(3, 4)", &Options::default())?;
/// let layout = Layout::new("other").map("h = rnn");
/// let theirs = net.export(&net.init(7)?, layout.clone())?;
/// assert_eq!(theirs.get("rnn.weight").map(|w| w.shape()), Some(&[3, 4][..]));
/// let ours = net.import(&Arrays::new().params(&theirs), layout)?;
/// assert_eq!(ours, net.init(7)?);
/// # Ok::<(), rnnc::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layout {
    name: Option<String>,
    maps: Vec<String>,
    allow_nan: bool,
}

impl Layout {
    /// The layouts of this name, such as `torch`.
    pub fn new(name: impl Into<String>) -> Layout {
        Layout { name: Some(name.into()), ..Layout::default() }
    }

    /// What the other side calls an instance: `enc = encoder.rnn`, `out = head by torch`, `l2 = *_b by torch, n = 1`; `= model`
    /// names the whole.
    pub fn map(mut self, ours_theirs: impl Into<String>) -> Layout {
        self.maps.push(ours_theirs.into());
        self
    }

    /// Takes numbers that are NaN or infinite as they are; else they are refused.
    pub fn allow_nan(mut self) -> Layout {
        self.allow_nan = true;
        self
    }

    fn names(&self) -> Fallible<ForeignNames> {
        let (mut mapped, mut wrong) = (Vec::new(), Vec::new());
        for map in &self.maps {
            match foreign::mapped(map) {
                Ok(map) => mapped.push(map),
                Err(d) => wrong.push(d),
            }
        }
        let layout = self.name.as_deref().map(canonical);
        if wrong.is_empty() { Ok(ForeignNames { layout, mapped }) } else { Err(wrong) }
    }
}

impl From<&str> for Layout {
    fn from(name: &str) -> Layout {
        Layout::new(name)
    }
}

impl Recipe {
    fn arranged(&self, layout: &Layout) -> Fallible<Arranged> {
        let names = layout.names()?;
        let program = Program::Recipe(&self.tree);
        let (arranged, found) = arrange_all(&self.shared.library, program, &names, &self.how);
        let is_fit = !found.iter().any(Diagnostic::is_error);
        arranged.filter(|_| is_fit).ok_or(found)
    }

    pub(super) fn import(&self, given: &Arrays, layout: &Layout) -> Result<Params> {
        let import = || {
            let arranged = self.arranged(layout)?;
            let arrays = given.names().filter_map(|n| Some((n.to_string(), given.get(n)?.to_array())));
            let arrays: weights::Arrays = arrays.collect();
            let known: Vec<String> = arranged.layouts.iter().map(|l| format!("`{l}`")).collect();
            let hint = (layout.name.is_none() && !known.is_empty())
                .then(|| format!("if another library has made them, name its layout: {}", known.join(", ")));
            let finder = Finder { file: GIVEN, arrays: &arrays };
            let found = foreign::import(&finder, &arranged, &self.numbers, hint.as_deref())?;
            if !layout.allow_nan {
                foreign::check_finite(GIVEN, &found).map_err(|d| vec![d])?;
            }
            Params::of(found).map_err(|d| vec![d])
        };
        import().map_err(|e| self.refusal(e))
    }

    pub(super) fn export(&self, params: &Params, layout: &Layout) -> Result<Params> {
        let export = || {
            let arranged = self.arranged(layout)?;
            let one = |(name, a): (&str, &ndarray::ArrayD<f32>)| {
                (name.to_string(), Array::f32(a.shape().to_vec(), a.iter().copied().collect()))
            };
            let arrays: weights::Arrays = params.iter().map(one).collect();
            let finder = Finder { file: GIVEN, arrays: &arrays };
            let found = foreign::export(&finder, &arranged, &self.numbers)?;
            Params::of(found).map_err(|d| vec![d])
        };
        export().map_err(|e| self.refusal(e))
    }
}
