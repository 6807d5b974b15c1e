//! Looking up arrays by name and shape, with messages that say what the file has instead.

use super::{Array, Arrays, errors, show};
use crate::diag::Diagnostic;
use crate::diag::near::nearest;

/// The arrays of one file.
#[derive(Clone, Copy, Debug)]
pub struct Finder<'a> {
    pub file: &'a str,
    pub arrays: &'a Arrays,
}

/// An array that does not fit. Wanted shapes may have open extents (`[T, B, 64]`).
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    pub name: String,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// `near` is what the file has under a similar name.
    Missing {
        wanted: String,
        near: Option<(String, Vec<usize>)>,
    },
    Shape {
        wanted: String,
        found: Vec<usize>,
        transposed: bool,
    },
    /// Read by nothing; `near` is what may be meant.
    Unread {
        near: Option<String>,
    },
}

impl Misfit {
    pub fn is_misshaped(&self) -> bool {
        matches!(self.what, What::Shape { .. })
    }
}

impl<'a> Finder<'a> {
    /// The array of exactly this shape.
    pub fn required(&self, name: &str, shape: &[usize]) -> Result<&'a Array, Misfit> {
        match self.optional(name, shape)? {
            Some(array) => Ok(array),
            None => Err(self.missing(name, &show(shape))),
        }
    }

    /// Like [`Finder::required`], but the array may be absent.
    pub fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<&'a Array>, Misfit> {
        match self.arrays.get(name) {
            None => Ok(None),
            Some(array) if array.shape == shape => Ok(Some(array)),
            Some(array) => {
                let turned: Vec<usize> = array.shape.iter().rev().copied().collect();
                let transposed = shape.len() == 2 && turned == shape;
                let what = What::Shape { wanted: show(shape), found: array.shape.clone(), transposed };
                Err(Misfit { name: name.to_string(), what })
            }
        }
    }

    pub fn missing(&self, name: &str, wanted: &str) -> Misfit {
        let near = nearest(name, self.arrays.keys());
        let near = near.and_then(|n| Some((n.clone(), self.arrays.get(n)?.shape.clone())));
        Misfit { name: name.to_string(), what: What::Missing { wanted: wanted.to_string(), near } }
    }

    pub fn misshaped(&self, name: &str, wanted: &str, found: &[usize]) -> Misfit {
        let what = What::Shape { wanted: wanted.to_string(), found: found.to_vec(), transposed: false };
        Misfit { name: name.to_string(), what }
    }

    /// One message about all that does not fit; `None` if all does.
    pub fn refusal(&self, misfits: &[Misfit]) -> Option<Diagnostic> {
        match misfits {
            [] => None,
            [one] => Some(self.refusal_of(one)),
            several => Some(errors::misfits(self.file, several, &self.names())),
        }
    }

    pub fn refusal_of(&self, misfit: &Misfit) -> Diagnostic {
        errors::misfit(self.file, misfit, &self.names())
    }

    fn names(&self) -> Vec<&'a str> {
        self.arrays.keys().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arrays {
        Arrays::from([
            ("W_a".to_string(), Array::f32(vec![2, 3], vec![0.0; 6])),
            ("b".to_string(), Array::f32(vec![2], vec![0.0; 2])),
        ])
    }

    #[test]
    fn a_missing_array_names_the_near_one() {
        let arrays = file();
        let finder = Finder { file: "w.npz", arrays: &arrays };
        let d = finder.refusal_of(&finder.required("w_a", &[2, 3]).unwrap_err());
        assert_eq!(d.code, "E0724");
        assert_eq!(d.message, "missing array `w_a` [2, 3] in `w.npz`");
        assert_eq!(d.help.as_deref(), Some("the file has `W_a` [2, 3]; did you mean that one?"));
        assert_eq!(d.note.as_deref(), Some("the file has `W_a`, `b`"));
    }

    #[test]
    fn a_transposed_array_is_told_so() {
        let arrays = file();
        let finder = Finder { file: "w.npz", arrays: &arrays };
        let d = finder.refusal_of(&finder.required("W_a", &[3, 2]).unwrap_err());
        assert_eq!(d.code, "E0725");
        assert!(d.help.unwrap().contains("transposed"));
    }

    #[test]
    fn several_misfits_are_one_message() {
        let arrays = file();
        let finder = Finder { file: "w.npz", arrays: &arrays };
        let wanted = [("w_a", vec![2, 3]), ("b", vec![5]), ("U", vec![1])];
        let misfits: Vec<Misfit> =
            wanted.iter().filter_map(|(name, shape)| finder.required(name, shape).err()).collect();
        let d = finder.refusal(&misfits).unwrap();
        assert_eq!(d.code, "E0745");
        assert_eq!(d.message, "the arrays of `w.npz` do not fit: 2 missing, 1 of another shape");
        let note = d.note.unwrap();
        assert_eq!(
            note.lines().collect::<Vec<_>>(),
            [
                "`w_a` [2, 3] is missing; the file has `W_a` [2, 3]: did you mean that one?",
                "`b`: [5] expected, the file has [2]",
                "`U` [1] is missing",
                "the file has `W_a`, `b`",
            ]
        );
        assert_eq!(finder.refusal(&[]), None);
    }
}
