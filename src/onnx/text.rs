//! A model as text, for people and for snapshots.
//!
//! One line for each input, initializer and node; the graph of a loop stands indented behind it. Numbers of tensors are
//! left out beyond a few.

use super::proto::{
    Attribute as AttributeProto, Extent, Graph as GraphProto, Model as ModelProto, Tensor as TensorProto,
    ValueInfo, element, kind,
};
use std::fmt::Write;

/// So many numbers of a tensor are shown.
const SHOWN: usize = 4;

pub fn print(model: &ModelProto) -> String {
    let sets = model.opset_import.iter().map(|set| match set.domain.is_empty() {
        true => format!("opset {}", set.version),
        false => format!("{} {}", set.domain, set.version),
    });
    let sets: Vec<String> = sets.collect();
    let mut out = format!("model: ir {}, {}\n", model.ir_version, sets.join(", "));
    if let Some(graph) = &model.graph {
        graph_text(graph, 0, &mut out);
    }
    out
}

fn graph_text(graph: &GraphProto, depth: usize, out: &mut String) {
    let pad = "  ".repeat(depth);
    let mut line = |text: String| {
        out.push_str(&pad);
        out.push_str(&text);
        out.push('\n');
    };
    for input in &graph.input {
        line(format!("in  {}", value_text(input)));
    }
    for tensor in &graph.initializer {
        line(format!("let {}", tensor_text(tensor)));
    }
    for node in &graph.node {
        let plain = node.attribute.iter().filter(|a| a.g.is_none()).map(attribute_text);
        let attributes: Vec<String> = plain.collect();
        let attributes =
            if attributes.is_empty() { String::new() } else { format!(" {{{}}}", attributes.join(", ")) };
        let inputs: Vec<&str> = node.input.iter().map(|i| if i.is_empty() { "_" } else { i }).collect();
        line(format!("{} = {}({}){attributes}", node.output.join(", "), node.op_type, inputs.join(", ")));
        for body in node.attribute.iter().filter_map(|a| a.g.as_deref()) {
            let mut inner = String::new();
            graph_text(body, depth + 1, &mut inner);
            inner.lines().for_each(|text| line(text.strip_prefix(&pad).unwrap_or(text).to_string()));
        }
    }
    for output in &graph.output {
        line(format!("out {}", value_text(output)));
    }
}

fn value_text(value: &ValueInfo) -> String {
    let Some(tensor) = value.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()) else {
        return value.name.clone();
    };
    let mut text = format!("{} : {}", value.name, element::word(tensor.elem_type));
    if let Some(shape) = &tensor.shape {
        let dims = shape.dim.iter().map(|d| match &d.value {
            Some(Extent::Number(n)) => n.to_string(),
            Some(Extent::Name(name)) => name.clone(),
            None => "?".into(),
        });
        let _ = write!(text, "[{}]", dims.collect::<Vec<_>>().join(", "));
    }
    text
}

fn tensor_text(tensor: &TensorProto) -> String {
    let mut text = format!("{} : {}{:?}", tensor.name, element::word(tensor.data_type), tensor.dims);
    let shown: Option<Vec<String>> = match tensor.data_type {
        element::FLOAT if tensor.raw_data.len() <= 4 * SHOWN => {
            let numbers =
                tensor.raw_data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).to_string());
            Some(numbers.collect())
        }
        element::INT64 if tensor.raw_data.len() <= 8 * SHOWN => {
            let numbers =
                tensor.raw_data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b).to_string());
            Some(numbers.collect())
        }
        _ => None,
    };
    if let Some(shown) = shown.filter(|s| !s.is_empty()) {
        let _ = write!(text, " = {}", shown.join(", "));
    }
    text
}

fn attribute_text(a: &AttributeProto) -> String {
    let bytes = |s: &[u8]| String::from_utf8_lossy(s).into_owned();
    let value = match a.r#type {
        kind::FLOAT => a.f.to_string(),
        kind::INT => a.i.to_string(),
        kind::STRING => bytes(&a.s),
        kind::FLOATS => format!("{:?}", a.floats),
        kind::INTS => format!("{:?}", a.ints),
        kind::STRINGS => format!("[{}]", a.strings.iter().map(|s| bytes(s)).collect::<Vec<_>>().join(", ")),
        kind::TENSOR => a.t.as_deref().map_or_else(String::new, tensor_text),
        _ => "…".into(),
    };
    format!("{}: {value}", a.name)
}
