//! Types of elements as files have them, and their numbers as [`Data`] holds them.
//!
//! In: the bytes of elements, one behind the other, in either order of bytes. Out: numbers. Halves (IEEE binary16) and
//! bfloat16 become f32 and lose nothing; small integers become i32, larger ones i64. An unsigned number that i64 cannot hold is
//! refused.

use super::Data;
use half::{bf16, f16};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    /// One byte, 0 or 1.
    Bool,
}

/// Which byte of an element comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    #[default]
    Little,
    Big,
}

impl Element {
    /// Bytes of an element in the file.
    pub fn packed(self) -> usize {
        match self {
            Element::I8 | Element::U8 | Element::Bool => 1,
            Element::F16 | Element::Bf16 | Element::I16 | Element::U16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
        }
    }

    /// Bytes of an element in [`Data`].
    pub fn width(self) -> u64 {
        match self {
            Element::F64 | Element::I64 | Element::U32 | Element::U64 => 8,
            _ => 4,
        }
    }

    /// `None`: a number that is too great. Bytes behind the last whole element are not read.
    pub fn numbers(self, bytes: &[u8], order: Order) -> Option<Data> {
        fn each<const N: usize, T>(bytes: &[u8], order: Order, number: impl Fn([u8; N]) -> T) -> Vec<T> {
            let chunks = bytes.as_chunks::<N>().0.iter().copied();
            let turned = |mut chunk: [u8; N]| {
                if order == Order::Big {
                    chunk.reverse();
                }
                number(chunk)
            };
            chunks.map(turned).collect()
        }
        Some(match self {
            Element::F16 => Data::F32(each(bytes, order, |b| f16::from_le_bytes(b).to_f32())),
            Element::Bf16 => Data::F32(each(bytes, order, |b| bf16::from_le_bytes(b).to_f32())),
            Element::F32 => Data::F32(each(bytes, order, f32::from_le_bytes)),
            Element::F64 => Data::F64(each(bytes, order, f64::from_le_bytes)),
            Element::I8 => Data::I32(bytes.iter().map(|b| i32::from(*b as i8)).collect()),
            Element::I16 => Data::I32(each(bytes, order, |b| i32::from(i16::from_le_bytes(b)))),
            Element::I32 => Data::I32(each(bytes, order, i32::from_le_bytes)),
            Element::I64 => Data::I64(each(bytes, order, i64::from_le_bytes)),
            Element::U8 | Element::Bool => Data::I32(bytes.iter().map(|b| i32::from(*b)).collect()),
            Element::U16 => Data::I32(each(bytes, order, |b| i32::from(u16::from_le_bytes(b)))),
            Element::U32 => Data::I64(each(bytes, order, |b| i64::from(u32::from_le_bytes(b)))),
            Element::U64 => {
                let all = each(bytes, order, |b| i64::try_from(u64::from_le_bytes(b)).ok());
                Data::I64(all.into_iter().collect::<Option<_>>()?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_exactly() {
        let halves = [0x3c00u16, 0xc000, 0x3555, 0x7bff, 0x0001, 0x8000];
        let bytes: Vec<u8> = halves.iter().flat_map(|h| h.to_le_bytes()).collect();
        let read = Element::F16.numbers(&bytes, Order::Little);
        let wanted = vec![1.0, -2.0, 0.333_251_95, 65504.0, 5.960_464_5e-8, -0.0];
        assert_eq!(read, Some(Data::F32(wanted)));
        let brains: Vec<u8> = [0x3f80u16, 0xc049, 0x7f80].iter().flat_map(|h| h.to_be_bytes()).collect();
        let read = Element::Bf16.numbers(&brains, Order::Big);
        assert_eq!(read, Some(Data::F32(vec![1.0, -3.140_625, f32::INFINITY])));
    }

    #[test]
    fn integers_keep_their_value_or_are_refused() {
        assert_eq!(Element::I8.numbers(&[255, 1], Order::Little), Some(Data::I32(vec![-1, 1])));
        assert_eq!(Element::U16.numbers(&[1, 2], Order::Big), Some(Data::I32(vec![258])));
        assert_eq!(Element::U64.numbers(&[255; 8], Order::Little), None);
        assert_eq!(Element::U32.numbers(&[255; 4], Order::Little), Some(Data::I64(vec![4_294_967_295])));
    }
}
