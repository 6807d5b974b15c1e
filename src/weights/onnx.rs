//! The initialisers of an ONNX file.
//!
//! In: bytes. Out: arrays under their names in the graph, but those that a recurrent operator reads: these are called after the
//! operator and its input, `NODE.W`, `NODE.R`, `NODE.B`, `NODE.P`, without the axis of directions; those of a second direction end in
//! `_reverse`. A recurrent operator is one with the attribute `hidden_size`. What it says beside its weights is told.

use super::elements::{Element, Order};
use super::{Array, Arrays, Budget, Data, count, errors};
use crate::diag::Diagnostic;
use crate::onnx::proto::{Graph, Model, Node, Tensor, is_modest};
use prost::Message;
use std::collections::BTreeSet;

/// Inputs of recurrent operators that are weights, by their place.
const WEIGHTS: [(usize, &str); 4] = [(1, "W"), (2, "R"), (3, "B"), (7, "P")];
/// The code of what is wrong with one array.
const DAMAGED: &str = "E0752";

/// Arrays, and what is to be known beside them.
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<(Arrays, Vec<String>), Diagnostic> {
    let mut budget = Budget::new(file, most);
    // Decoding copies what is in the file once.
    budget.take(bytes.len() as u64)?;
    if !is_modest(bytes) {
        return Err(errors::not_onnx(file, "it is cut short, or has more fields than a model needs"));
    }
    let model = Model::decode(bytes).map_err(|e| errors::not_onnx(file, &e.to_string()))?;
    let graph = model.graph.ok_or_else(|| errors::not_onnx(file, "there is no graph in it"))?;
    let mut arrays = Arrays::new();
    for tensor in &graph.initializer {
        let array = array(file, tensor, &mut budget)?;
        if arrays.insert(tensor.name.clone(), array).is_some() {
            return Err(errors::damaged(DAMAGED, file, &tensor.name, "the name occurs twice"));
        }
    }
    let notes = rename(file, &graph, &mut arrays, &mut budget)?;
    Ok((arrays, notes))
}

/// Numbers of `TensorProto.DataType`.
fn element(data_type: i32) -> Option<Element> {
    Some(match data_type {
        1 => Element::F32,
        2 => Element::U8,
        3 => Element::I8,
        4 => Element::U16,
        5 => Element::I16,
        6 => Element::I32,
        7 => Element::I64,
        9 => Element::Bool,
        10 => Element::F16,
        11 => Element::F64,
        12 => Element::U32,
        13 => Element::U64,
        16 => Element::Bf16,
        _ => return None,
    })
}

/// Of a tensor; runtimes know far fewer.
const MOST_AXES: usize = 64;

/// The numbers of one tensor.
pub(crate) fn array(file: &str, tensor: &Tensor, budget: &mut Budget) -> Result<Array, Diagnostic> {
    let damaged = |why: &str| errors::damaged(DAMAGED, file, &tensor.name, why);
    if tensor.data_location != 0 {
        return Err(errors::external_data(file, &tensor.name));
    }
    let element = element(tensor.data_type).ok_or_else(|| {
        errors::element_type(file, &tensor.name, &format!("number {} of ONNX", tensor.data_type))
    })?;
    if tensor.dims.len() > MOST_AXES {
        return Err(damaged(&format!("it has {} axes, of at most {MOST_AXES}", tensor.dims.len())));
    }
    let extents = tensor.dims.iter().map(|d| usize::try_from(*d).ok()).collect::<Option<Vec<_>>>();
    let shape = extents.ok_or_else(|| damaged("an extent is negative"))?;
    let elements = count(&shape).ok_or_else(|| damaged("its shape is too large"))?;
    budget.take((elements as u64).saturating_mul(element.width()))?;
    let wrong = |there: usize, what: &str| {
        damaged(&format!(
            "its shape {} asks for {elements} elements, {there} {what} are there",
            super::show(&shape)
        ))
    };
    let is = |there: usize, what: &str| if there == elements { Ok(()) } else { Err(wrong(there, what)) };
    let data = match (element, tensor.float_data.as_slice(), tensor.double_data.as_slice()) {
        (Element::F32, floats @ [_, ..], _) => {
            is(floats.len(), "numbers")?;
            Data::F32(floats.to_vec())
        }
        (Element::F64, _, doubles @ [_, ..]) => {
            is(doubles.len(), "numbers")?;
            Data::F64(doubles.to_vec())
        }
        _ if tensor.raw_data.is_empty() && elements > 0 => {
            let (bytes, there) = listed(tensor, element);
            is(there, "numbers")?;
            let bytes = bytes.ok_or_else(|| errors::too_great(file, &tensor.name))?;
            element.numbers(&bytes, Order::Little).ok_or_else(|| errors::too_great(file, &tensor.name))?
        }
        _ => {
            if elements.checked_mul(element.packed()) != Some(tensor.raw_data.len()) {
                return Err(wrong(tensor.raw_data.len(), "bytes"));
            }
            element
                .numbers(&tensor.raw_data, Order::Little)
                .ok_or_else(|| errors::too_great(file, &tensor.name))?
        }
    };
    Ok(Array { shape, data })
}

/// The bytes of numbers that stand in a list: small integers, bools and the bits of halves each in an int32. Beside them how many
/// there are; no bytes where a number is none of its type.
fn listed(tensor: &Tensor, element: Element) -> (Option<Vec<u8>>, usize) {
    fn each<const N: usize, T: Copy>(list: &[T], bytes: impl Fn(T) -> Option<[u8; N]>) -> Option<Vec<u8>> {
        let all: Option<Vec<[u8; N]>> = list.iter().map(|v| bytes(*v)).collect();
        all.map(|all| all.concat())
    }
    let (small, large, unsigned) = (&tensor.int32_data, &tensor.int64_data, &tensor.uint64_data);
    let bytes = match element {
        Element::I8 => each(small, |v| i8::try_from(v).ok().map(i8::to_le_bytes)),
        Element::U8 => each(small, |v| u8::try_from(v).ok().map(u8::to_le_bytes)),
        Element::Bool => each(small, |v| u8::try_from(v).ok().filter(|v| *v < 2).map(u8::to_le_bytes)),
        Element::I16 => each(small, |v| i16::try_from(v).ok().map(i16::to_le_bytes)),
        Element::U16 | Element::F16 | Element::Bf16 => {
            each(small, |v| u16::try_from(v).ok().map(u16::to_le_bytes))
        }
        Element::I32 => each(small, |v| Some(v.to_le_bytes())),
        Element::I64 => each(large, |v| Some(v.to_le_bytes())),
        Element::U32 => each(unsigned, |v| u32::try_from(v).ok().map(u32::to_le_bytes)),
        Element::U64 => each(unsigned, |v| Some(v.to_le_bytes())),
        Element::F32 | Element::F64 => Some(Vec::new()),
    };
    let there = match element {
        Element::I64 => large.len(),
        Element::U32 | Element::U64 => unsigned.len(),
        Element::F32 => tensor.float_data.len(),
        Element::F64 => tensor.double_data.len(),
        _ => small.len(),
    };
    (bytes, there)
}

/// Calls what recurrent operators read after them.
fn rename(
    file: &str,
    graph: &Graph,
    arrays: &mut Arrays,
    budget: &mut Budget,
) -> Result<Vec<String>, Diagnostic> {
    let (mut notes, mut used) = (Vec::new(), BTreeSet::new());
    let mut named = Arrays::new();
    for (k, node) in graph.node.iter().enumerate() {
        if !node.attribute.iter().any(|a| a.name == "hidden_size") {
            continue;
        }
        let called = [&node.name, node.output.first().unwrap_or(&node.name)];
        let called =
            called.into_iter().find(|n| !n.is_empty()).cloned().unwrap_or_else(|| format!("node{k}"));
        notes.extend(said(node, &called));
        for (place, letter) in WEIGHTS {
            let Some(name) = node.input.get(place).filter(|n| !n.is_empty()) else { continue };
            let Some(array) = arrays.get(name) else { continue };
            used.insert(name.clone());
            // An initialiser may be read by many operators.
            budget.take((array.data.len() as u64).saturating_mul(8))?;
            for (direction, part) in directions(array).into_iter().enumerate() {
                let ending = if direction == 0 { "" } else { "_reverse" };
                let whole = format!("{called}.{letter}{ending}");
                if named.insert(whole.clone(), part).is_some() {
                    return Err(errors::damaged(DAMAGED, file, &whole, "two operators have one name"));
                }
            }
        }
    }
    arrays.retain(|name, _| !used.contains(name));
    for (name, array) in named {
        if arrays.insert(name.clone(), array).is_some() {
            return Err(errors::damaged(DAMAGED, file, &name, "the name occurs twice"));
        }
    }
    Ok(notes)
}

/// The parts of an array whose first axis is that of directions, of which there are at most two.
fn directions(array: &Array) -> Vec<Array> {
    match array.shape.split_first() {
        Some((n @ 1..=2, shape)) => {
            let size = array.data.len() / n;
            let part =
                |k: usize| Array { shape: shape.to_vec(), data: array.data.part(k * size..(k + 1) * size) };
            (0..*n).map(part).collect()
        }
        _ => vec![array.clone()],
    }
}

/// What an operator says beside its sizes.
fn said(node: &Node, called: &str) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |a: &crate::onnx::proto::Attribute| match a.name.as_str() {
        "linear_before_reset" | "input_forget" | "layout" => Some(format!("`{}` is {}", a.name, a.i)),
        "clip" => Some(format!("`clip` is {}", a.f)),
        "direction" if a.s == b"reverse" => Some(format!("`direction` is {}", text(&a.s))),
        "activations" => {
            let names: Vec<String> = a.strings.iter().map(|s| text(s)).collect();
            Some(format!("`activations` are {}", names.join(", ")))
        }
        _ => None,
    };
    node.attribute
        .iter()
        .filter_map(one)
        .map(|said| format!("{said} in `{called}` ({})", node.op_type))
        .collect()
}
