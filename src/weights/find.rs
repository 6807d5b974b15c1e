//! Looking up arrays by name and shape, with messages that say what the file has instead.

use super::{Array, Arrays, errors, show};
use crate::diag::Diagnostic;

/// The arrays of one file.
#[derive(Clone, Copy, Debug)]
pub struct Finder<'a> {
    pub file: &'a str,
    pub arrays: &'a Arrays,
}

impl<'a> Finder<'a> {
    /// The array of exactly this shape.
    pub fn required(&self, name: &str, shape: &[usize]) -> Result<&'a Array, Diagnostic> {
        match self.optional(name, shape)? {
            Some(array) => Ok(array),
            None => Err(self.missing(name, shape)),
        }
    }

    /// Like [`Finder::required`], but the array may be absent.
    pub fn optional(&self, name: &str, shape: &[usize]) -> Result<Option<&'a Array>, Diagnostic> {
        match self.arrays.get(name) {
            None => Ok(None),
            Some(array) if array.shape == shape => Ok(Some(array)),
            Some(array) => Err(self.misshaped(name, shape, array)),
        }
    }

    pub fn missing(&self, name: &str, shape: &[usize]) -> Diagnostic {
        let near = self
            .arrays
            .iter()
            .map(|(n, a)| (strsim::damerau_levenshtein(&n.to_lowercase(), &name.to_lowercase()), n, a))
            .filter(|(distance, n, _)| *distance <= 1 + n.chars().count() / 4)
            .min_by_key(|(distance, _, a)| (*distance, a.shape != shape));
        let names: Vec<&str> = self.arrays.keys().map(String::as_str).collect();
        errors::missing(
            self.file,
            name,
            shape,
            near.map(|(_, n, a)| (n.as_str(), a.shape.as_slice())),
            &names,
        )
    }

    fn misshaped(&self, name: &str, wanted: &[usize], found: &Array) -> Diagnostic {
        let turned: Vec<usize> = found.shape.iter().rev().copied().collect();
        let transposed = wanted.len() == 2 && turned == wanted;
        errors::shape(self.file, name, &show(wanted), &found.shape, transposed)
    }

    /// A mismatch where the wanted shape has open extents (`[T, B, 64]`).
    pub fn misfit(&self, name: &str, wanted: &str, found: &[usize]) -> Diagnostic {
        errors::shape(self.file, name, wanted, found, false)
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
        let d = finder.required("w_a", &[2, 3]).unwrap_err();
        assert_eq!(d.code, "E0724");
        assert_eq!(d.message, "missing array `w_a` [2, 3] in `w.npz`");
        assert_eq!(d.help.as_deref(), Some("the file has `W_a` [2, 3]; did you mean that one?"));
        assert_eq!(d.note.as_deref(), Some("the file has `W_a`, `b`"));
    }

    #[test]
    fn a_transposed_array_is_told_so() {
        let arrays = file();
        let finder = Finder { file: "w.npz", arrays: &arrays };
        let d = finder.required("W_a", &[3, 2]).unwrap_err();
        assert_eq!(d.code, "E0725");
        assert!(d.help.unwrap().contains("transposed"));
    }
}
