//! The messages of an ONNX file, as far as they are read here: field numbers are those of `onnx.proto3`.
//!
//! A message that is left out is skipped by the decoder and takes no memory. [`is_modest`] bounds what the rest takes: it
//! counts fields without making anything of them, because an empty message of two bytes becomes one of hundreds.

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

#[derive(Clone, PartialEq, Message)]
pub struct Model {
    #[prost(message, optional, tag = "7")]
    pub graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Node {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(bytes = "vec", tag = "4")]
    pub s: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// 1: the numbers are in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// Fields of all messages together, those of numbers that are packed not counted.
const MOST_FIELDS: usize = 1 << 18;
/// Bytes of extents that are packed.
const MOST_EXTENTS: usize = 256;

/// A kind of message, with the kinds of its fields that are looked into.
struct Kind {
    inside: &'static [(u32, &'static Kind)],
    /// The field of packed extents.
    extents: Option<u32>,
}

const TENSOR: Kind = Kind { inside: &[], extents: Some(1) };
const ATTRIBUTE: Kind = Kind { inside: &[], extents: None };
const NODE: Kind = Kind { inside: &[(5, &ATTRIBUTE)], extents: None };
const GRAPH: Kind = Kind { inside: &[(1, &NODE), (5, &TENSOR)], extents: None };
const MODEL: Kind = Kind { inside: &[(7, &GRAPH)], extents: None };

/// Whether a file has no more fields than any model needs, so that it can be decoded in memory that its size bounds.
pub fn is_modest(bytes: &[u8]) -> bool {
    let mut fields = 0;
    counts(bytes, &MODEL, &mut fields).is_some() && fields <= MOST_FIELDS
}

/// `None`: it is no message, or there are too many.
fn counts(mut bytes: &[u8], kind: &Kind, fields: &mut usize) -> Option<()> {
    while !bytes.is_empty() {
        *fields += 1;
        if *fields > MOST_FIELDS {
            return None;
        }
        let (tag, wire) = decode_key(&mut bytes).ok()?;
        match wire {
            WireType::Varint => drop(decode_varint(&mut bytes).ok()?),
            WireType::SixtyFourBit => bytes = bytes.get(8..)?,
            WireType::ThirtyTwoBit => bytes = bytes.get(4..)?,
            WireType::LengthDelimited => {
                let len = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (content, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                if kind.extents == Some(tag) && len > MOST_EXTENTS {
                    return None;
                }
                if let Some((_, inner)) = kind.inside.iter().find(|(t, _)| *t == tag) {
                    counts(content, inner, fields)?;
                }
            }
            WireType::StartGroup | WireType::EndGroup => return None,
        }
    }
    Some(())
}
