//! Numbers in JSON. It has no words for infinities and for what is no number, which a loss or a metric may be: these are
//! strings, `"inf"`, `"-inf"` and `"NaN"`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

#[derive(Clone, Copy, PartialEq)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { to.serialize_f64(self.0) } else { to.collect_str(&self.0) }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Number, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(from)? {
            Written::Number(x) => Ok(Number(x)),
            Written::Word(word) => match word.as_str() {
                "inf" => Ok(Number(f64::INFINITY)),
                "-inf" => Ok(Number(f64::NEG_INFINITY)),
                "NaN" => Ok(Number(f64::NAN)),
                _ => Err(D::Error::custom(format!("`{word}` is no number"))),
            },
        }
    }
}

/// One module for each shape of numbers, for `#[serde(with = …)]`.
macro_rules! written {
    ($module:ident, $plain:ty, $seen:ty, $numbers:ty, $wrap:expr, $unwrap:expr) => {
        pub mod $module {
            use super::*;

            pub fn serialize<S: Serializer>(value: &$seen, to: S) -> Result<S::Ok, S::Error> {
                let numbers: $numbers = $wrap(value);
                numbers.serialize(to)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$plain, D::Error> {
                let numbers = <$numbers>::deserialize(from)?;
                Ok($unwrap(numbers))
            }
        }
    };
}

type Map<T> = std::collections::BTreeMap<String, T>;
type List = Vec<Number>;

fn plain(numbers: List) -> Vec<f64> {
    numbers.into_iter().map(|n| n.0).collect()
}

fn plain_map(numbers: Map<Number>) -> Map<f64> {
    numbers.into_iter().map(|(name, n)| (name, n.0)).collect()
}

fn some(x: &Option<f64>) -> Option<Number> {
    x.map(Number)
}

fn listed(x: &[f64]) -> List {
    x.iter().copied().map(Number).collect()
}

fn mapped(x: &Map<f64>) -> Map<Number> {
    x.iter().map(|(name, x)| (name.clone(), Number(*x))).collect()
}

written!(one, f64, f64, Number, |x: &f64| Number(*x), |n: Number| n.0);
written!(option, Option<f64>, Option<f64>, Option<Number>, some, |n: Option<Number>| n.map(|n| n.0));
written!(list, Vec<f64>, [f64], List, listed, plain);
written!(map, Map<f64>, Map<f64>, Map<Number>, mapped, plain_map);
