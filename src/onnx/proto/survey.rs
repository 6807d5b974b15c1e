//! How many parts a model has, counted on its bytes before any of them becomes a value.
//!
//! Protobuf gives a node of two bytes as readily as a tensor of two gigabytes. Bytes of tensors are what the file really
//! holds; what costs memory beyond that are messages and strings. They are counted without taking memory.

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Messages and strings a model may consist of; the largest published ones have some ten thousand.
pub const MOST_PARTS: usize = 200_000;
/// How deep graphs may stand in nodes of graphs: a loop in a loop, each four messages deep.
const MOST_DEPTH: usize = 24;

/// Why the bytes are not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excess {
    Parts,
    Depth,
    /// No protobuf at all, or cut short.
    Damaged,
}

/// Messages in which parts are counted.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    ValueInfo,
    Type,
    TensorType,
    Shape,
}

impl Kind {
    /// What a field is, if parts of it are counted too. Of a tensor only its bytes matter: no field of it takes more than
    /// eight times as much in memory.
    fn field(self, tag: u32) -> Option<Kind> {
        Some(match (self, tag) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => Kind::Graph,
            (Kind::Graph, 1) => Kind::Node,
            (Kind::Node, 5) => Kind::Attribute,
            (Kind::Graph, 11 | 12) => Kind::ValueInfo,
            (Kind::ValueInfo, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            _ => return None,
        })
    }
}

/// The number of parts of the model in these bytes; an excess is found before anything is decoded.
pub fn survey(bytes: &[u8]) -> Result<usize, Excess> {
    let mut parts = 0;
    // What is left of each message that is open.
    let mut open = vec![(bytes, Kind::Model)];
    while let Some((mut rest, kind)) = open.pop() {
        if !rest.has_remaining() {
            continue;
        }
        parts += 1;
        if parts > MOST_PARTS {
            return Err(Excess::Parts);
        }
        let (tag, wire) = decode_key(&mut rest).map_err(|_| Excess::Damaged)?;
        // The format has no groups.
        if matches!(wire, WireType::StartGroup | WireType::EndGroup) {
            return Err(Excess::Damaged);
        }
        if wire != WireType::LengthDelimited {
            skip_field(wire, tag, &mut rest, DecodeContext::default()).map_err(|_| Excess::Damaged)?;
            open.push((rest, kind));
            continue;
        }
        let length = decode_varint(&mut rest).map_err(|_| Excess::Damaged)?;
        let length = usize::try_from(length).ok().filter(|n| *n <= rest.len()).ok_or(Excess::Damaged)?;
        let (inner, behind) = rest.split_at(length);
        open.push((behind, kind));
        open.extend(kind.field(tag).map(|inside| (inner, inside)));
        if open.len() > MOST_DEPTH {
            return Err(Excess::Depth);
        }
    }
    Ok(parts)
}
