//! Weights as JSON: of amplifier models, and `state_dict`s written out.
//!
//! In: a text. Out: arrays, and what stands beside them. Three forms are told apart by their keys:
//!
//! - `config` and `weights`, as Neural Amp Modeler writes its recurrent models: one flat list, cut here by the sizes of
//!   `config` into `weight_lN` `[4*H, I + H]`, `bias_lN`, `h0_lN`, `c0_lN`, `head.weight`, `head.bias`;
//! - `layers` with `weights` each, as RTNeural has them from Keras: `layers.N.kernel`, `.recurrent_kernel`, `.bias`,
//!   and of a bias of two rows `.recurrent_bias`;
//! - anything else: every list of numbers under its keys, joined by dots.
//!
//! A text is bounded before it is read: of its bytes at most [`GROWTH`] times as many are taken.

use super::{Array, Arrays, count, errors};
use crate::diag::Diagnostic;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Bytes in memory for one of the text, at most: of a list of empty lists.
const GROWTH: u64 = 32;
/// Layers of one model.
const MAX_LAYERS: usize = 1024;

/// Arrays, and what is to be known beside them.
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<(Arrays, Vec<String>), Diagnostic> {
    let needed = (bytes.len() as u64).saturating_mul(GROWTH);
    if needed > most {
        return Err(errors::too_large(file, needed, most));
    }
    let root: Node = serde_json::from_slice(bytes).map_err(|e| errors::not_json(file, &e.to_string()))?;
    let mut reader = Reader { file, arrays: Arrays::new(), notes: Vec::new() };
    match (root.get("config"), root.get("layers"), root.get("weights")) {
        (Some(config @ Node::Map(_)), _, Some(Node::Array(shape, weights))) if shape.len() == 1 => {
            reader.flat(&root, config, weights)?;
        }
        (_, Some(Node::List(layers)), _) if layers.iter().all(|l| matches!(l, Node::Map(_))) => {
            for (k, layer) in layers.iter().enumerate() {
                reader.layer(k, layer)?;
            }
        }
        _ => reader.all("", root)?,
    }
    if reader.arrays.is_empty() {
        return Err(errors::not_json(file, "it holds no list of numbers"));
    }
    Ok((reader.arrays, reader.notes))
}

struct Reader<'f> {
    file: &'f str,
    arrays: Arrays,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn put(&mut self, name: String, shape: Vec<usize>, values: Vec<f32>) -> Result<(), Diagnostic> {
        if count(&shape) != Some(values.len()) {
            return Err(errors::damaged("E0753", self.file, &name, "its shape does not fit its numbers"));
        }
        match self.arrays.insert(name.clone(), Array::f32(shape, values)) {
            None => Ok(()),
            Some(_) => Err(errors::damaged("E0753", self.file, &name, "the name occurs twice")),
        }
    }

    /// One list, layer by layer: the weights of `[x, h]` row by row, gate under gate, the bias, h and c at the start; then the head's.
    fn flat(&mut self, root: &Node, config: &Node, weights: &[f32]) -> Result<(), Diagnostic> {
        let size = |key: &str| config.get(key).and_then(Node::size);
        let (Some(inputs), Some(units), Some(layers)) =
            (size("input_size"), size("hidden_size"), size("num_layers"))
        else {
            let kind = match root.get("architecture") {
                Some(Node::Text(kind)) => format!("its architecture is `{kind}`"),
                _ => "it does not say which architecture it is".to_string(),
            };
            return Err(errors::not_json(
                self.file,
                &format!(
                    "{kind}, and a recurrent one is read, with `input_size`, `hidden_size` and `num_layers`"
                ),
            ));
        };
        let outputs = size("out_channels").unwrap_or(1);
        let mut list = Cut { rest: weights };
        let short =
            |name: &str| errors::damaged("E0753", self.file, name, "the list of weights ends before it");
        if layers > MAX_LAYERS {
            return Err(errors::not_json(self.file, "it has more than 1024 layers"));
        }
        let mut cut = Vec::new();
        for n in 0..layers {
            let from = if n == 0 { inputs } else { units };
            let (rows, columns) = (units.saturating_mul(4), from.saturating_add(units));
            let parts = [
                ("weight", vec![rows, columns]),
                ("bias", vec![rows]),
                ("h0", vec![units]),
                ("c0", vec![units]),
            ];
            cut.extend(parts.map(|(name, shape)| (format!("{name}_l{n}"), shape)));
        }
        cut.push(("head.weight".to_string(), vec![outputs, units]));
        cut.push(("head.bias".to_string(), vec![outputs]));
        for (name, shape) in cut {
            let values = list.take(&shape).ok_or_else(|| short(&name))?;
            self.put(name, shape, values)?;
        }
        if !list.rest.is_empty() {
            let more = errors::counted(list.rest.len(), "number");
            return Err(errors::not_json(
                self.file,
                &format!("its list of weights has {more} more than its sizes say"),
            ));
        }
        if let Some(Node::Number(rate)) = root.get("sample_rate") {
            self.notes.push(format!("it was trained at {rate} samples a second"));
        }
        Ok(())
    }

    fn layer(&mut self, k: usize, layer: &Node) -> Result<(), Diagnostic> {
        let kind = match layer.get("type") {
            Some(Node::Text(kind)) => kind.as_str(),
            _ => "a layer",
        };
        if let Some(Node::Text(activation)) = layer.get("activation")
            && !activation.is_empty()
        {
            self.notes.push(format!(
                "layer {k} ({kind}) has the activation `{activation}`: the program must have it too"
            ));
        }
        let parts = layer.get("weights").map(Node::parts).unwrap_or_default();
        let named: Vec<(&str, Vec<usize>, Vec<f32>)> = match parts.as_slice() {
            [(kernel, a), (recurrent, b), (bias, c)]
                if kernel.len() == 2 && recurrent.len() == 2 && recurrent.last() == kernel.last() =>
            {
                let mut all = vec![
                    ("kernel", kernel.clone(), a.clone()),
                    ("recurrent_kernel", recurrent.clone(), b.clone()),
                ];
                match bias.as_slice() {
                    // Input and recurrent bias, one under the other.
                    [2, n] => {
                        let (first, second) = c.split_at_checked(*n).unwrap_or((c, &[]));
                        all.push(("bias", vec![*n], first.to_vec()));
                        all.push(("recurrent_bias", vec![*n], second.to_vec()));
                    }
                    _ => all.push(("bias", bias.clone(), c.clone())),
                }
                all
            }
            [(kernel, a), (bias, b)] if bias.len() == 1 => {
                vec![("kernel", kernel.clone(), a.clone()), ("bias", bias.clone(), b.clone())]
            }
            [(kernel, a)] => vec![("kernel", kernel.clone(), a.clone())],
            [] => Vec::new(),
            _ => {
                return Err(errors::not_json(
                    self.file,
                    &format!("layer {k} ({kind}) has weights of a kind that is not read"),
                ));
            }
        };
        named
            .into_iter()
            .try_for_each(|(name, shape, values)| self.put(format!("layers.{k}.{name}"), shape, values))
    }

    fn all(&mut self, name: &str, node: Node) -> Result<(), Diagnostic> {
        let inside = |key: &str| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        match node {
            Node::Array(shape, values) => self.put(name.to_string(), shape, values),
            Node::Map(entries) => {
                entries.into_iter().try_for_each(|(key, node)| self.all(&inside(&key), node))
            }
            Node::List(nodes) => nodes
                .into_iter()
                .enumerate()
                .try_for_each(|(k, node)| self.all(&inside(&k.to_string()), node)),
            Node::Number(_) | Node::Text(_) | Node::Other => Ok(()),
        }
    }
}

/// A list that is cut from the front.
struct Cut<'w> {
    rest: &'w [f32],
}

impl Cut<'_> {
    fn take(&mut self, shape: &[usize]) -> Option<Vec<f32>> {
        let (taken, rest) = self.rest.split_at_checked(count(shape)?)?;
        self.rest = rest;
        Some(taken.to_vec())
    }
}

/// A value, with lists of numbers, and lists of such of equal shape, as arrays.
#[derive(Debug)]
enum Node {
    Array(Vec<usize>, Vec<f32>),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    Number(f64),
    Text(String),
    Other,
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Node::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, node)| node),
            _ => None,
        }
    }

    fn size(&self) -> Option<usize> {
        match self {
            Node::Number(x) if x.fract() == 0.0 && *x >= 1.0 && *x <= 1e9 => Some(*x as usize),
            _ => None,
        }
    }

    /// The arrays of a list.
    fn parts(&self) -> Vec<(Vec<usize>, Vec<f32>)> {
        match self {
            Node::Array(shape, values) => {
                let (rows, inner) = shape.split_first().map_or((0, &[][..]), |(rows, inner)| (*rows, inner));
                let size = values.len().checked_div(rows).unwrap_or(0);
                let part = |k: usize| {
                    (inner.to_vec(), values.get(k * size..(k + 1) * size).unwrap_or_default().to_vec())
                };
                (0..rows).map(part).collect()
            }
            Node::List(nodes) => {
                let array = |node: &Node| match node {
                    Node::Array(shape, values) => (shape.clone(), values.clone()),
                    _ => (Vec::new(), Vec::new()),
                };
                nodes.iter().map(array).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One more element of a list.
    fn pushed(self, item: Node) -> Node {
        match (self, item) {
            (Node::List(list), Node::Number(x)) if list.is_empty() => Node::Array(vec![1], vec![x as f32]),
            (Node::List(list), Node::Array(mut shape, values)) if list.is_empty() => {
                shape.insert(0, 1);
                Node::Array(shape, values)
            }
            (Node::Array(mut shape, mut values), Node::Number(x)) if shape.len() == 1 => {
                values.push(x as f32);
                shape.iter_mut().for_each(|n| *n += 1);
                Node::Array(shape, values)
            }
            (Node::Array(mut shape, mut values), Node::Array(more, others))
                if shape.get(1..) == Some(&more) =>
            {
                values.extend(others);
                shape.iter_mut().take(1).for_each(|n| *n += 1);
                Node::Array(shape, values)
            }
            (Node::List(mut list), item) => {
                list.push(item);
                Node::List(list)
            }
            // Not of one shape after all.
            (array @ Node::Array(..), item) => {
                let is_flat = matches!(&array, Node::Array(shape, _) if shape.len() == 1);
                let part = |(shape, values): (Vec<usize>, Vec<f32>)| match (is_flat, values.first()) {
                    (true, Some(x)) => Node::Number(f64::from(*x)),
                    _ => Node::Array(shape, values),
                };
                let mut list: Vec<Node> = array.parts().into_iter().map(part).collect();
                list.push(item);
                Node::List(list)
            }
            (other, _) => other,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, x: i64) -> Result<Node, E> {
        Ok(Node::Number(x as f64))
    }

    fn visit_u64<E>(self, x: u64) -> Result<Node, E> {
        Ok(Node::Number(x as f64))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Node, E> {
        Ok(Node::Number(x))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut list = Node::List(Vec::new());
        while let Some(item) = seq.next_element()? {
            list = list.pushed(item);
        }
        Ok(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Arrays, Vec<String>), Diagnostic> {
        read_within("a.json", text.as_bytes(), 1 << 20)
    }

    #[test]
    fn a_flat_list_is_cut_by_the_sizes() {
        let list: Vec<String> = (0..18).map(|k| k.to_string()).collect();
        let text = format!(
            "{{\"architecture\": \"X\", \"config\": {{\"input_size\": 1, \"hidden_size\": 1, \"num_layers\": 1}}, \"weights\": [{}]}}",
            list[..16].join(", ")
        );
        let (arrays, _) = read(&text).unwrap();
        let is = |name: &str, shape: &[usize], first: f64| {
            assert_eq!((arrays[name].shape.as_slice(), arrays[name].to_f64()[0]), (shape, first), "{name}");
        };
        is("weight_l0", &[4, 2], 0.0);
        is("bias_l0", &[4], 8.0);
        is("h0_l0", &[1], 12.0);
        is("c0_l0", &[1], 13.0);
        is("head.weight", &[1, 1], 14.0);
        is("head.bias", &[1], 15.0);
        let short = text.replace(", 15]", "]");
        assert!(read(&short).unwrap_err().message.contains("`head.bias`"));
        assert!(read(&text.replace(", 15]", ", 15, 16]")).unwrap_err().message.contains("1 number more"));
        let large = text.replace("\"hidden_size\": 1", "\"hidden_size\": 999999999");
        assert!(read(&large).unwrap_err().message.contains("`weight_l0`"));
        let other = text.replace("hidden_size", "channels");
        assert!(read(&other).unwrap_err().message.contains("`X`"));
    }

    #[test]
    fn layers_have_their_weights_by_name() {
        let text = "{\"in_shape\": [null, null, 1], \"layers\": [{\"type\": \"first\", \"activation\": \"tanh\", \"weights\": \
                    [[[1, 2, 3]], [[4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]}, {\"type\": \"second\", \"activation\": \"\", \
                    \"weights\": [[[1]], [2]]}]}";
        let (arrays, notes) = read(text).unwrap();
        let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
        let wanted = [
            "layers.0.bias",
            "layers.0.kernel",
            "layers.0.recurrent_bias",
            "layers.0.recurrent_kernel",
            "layers.1.bias",
            "layers.1.kernel",
        ];
        assert_eq!(names, wanted);
        assert_eq!(arrays["layers.0.recurrent_bias"].to_f64(), [10.0, 11.0, 12.0]);
        assert_eq!(notes.len(), 1);
    }

    #[test]
    fn any_other_text_gives_its_lists_of_numbers() {
        let (arrays, _) =
            read("{\"a\": {\"w\": [[1, 2], [3, 4]], \"n\": 3}, \"b\": [[1], [2, 3]], \"c\": [1, \"x\"]}")
                .unwrap();
        let names: Vec<&str> = arrays.keys().map(String::as_str).collect();
        assert_eq!(names, ["a.w", "b.0", "b.1"]);
        assert_eq!(arrays["a.w"].shape, [2, 2]);
        for bad in ["{", "[1, 2", "{\"a\": NaN}", "{\"a\": 1}", "{\"a\": [1], \"a\": [2]}"] {
            assert_eq!(read(bad).unwrap_err().code, "E0753", "{bad}");
        }
        assert_eq!(read_within("a", b"{\"a\": [1]}", 100).unwrap_err().code, "E0729");
    }
}
