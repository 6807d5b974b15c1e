//! safetensors: arrays with one JSON text of metadata beside them.

use super::elements::{Element, Order};
use super::{Array, Arrays, Budget, Data, errors};
use crate::diag::Diagnostic;
use crate::limits::Limits;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::collections::HashMap;

/// Metadata live under one key: the crate keeps several in a hash map, whose order differs from run
/// to run, and a checkpoint must be the same bytes for the same state.
const KEY: &str = "rnnc";
/// The code of what is wrong with one array.
const NOT_READ: &str = "E0728";

/// All arrays and the metadata text (empty if there is none).
pub fn read(file: &str, bytes: &[u8]) -> Result<(Arrays, String), Diagnostic> {
    read_within(file, bytes, Limits::DEFAULT.unpacked)
}

/// [`read`], if all arrays together take at most so many bytes in memory.
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<(Arrays, String), Diagnostic> {
    let bad = |e: &dyn std::fmt::Display| errors::not_safetensors(file, &e.to_string());
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(&e))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY)).cloned().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(&e))?;
    let mut arrays = Arrays::new();
    let mut budget = Budget::new(file, most);
    for (name, view) in tensors.iter() {
        let element = element(view.dtype())
            .ok_or_else(|| errors::element_type(file, name, &view.dtype().to_string()))?;
        let shape = view.shape().to_vec();
        let damaged = || errors::damaged(NOT_READ, file, name, "its shape does not fit its bytes");
        let elements = super::count(&shape).ok_or_else(damaged)?;
        if elements.checked_mul(element.packed()) != Some(view.data().len()) {
            return Err(damaged());
        }
        budget.take((elements as u64).saturating_mul(element.width()))?;
        let data = element.numbers(view.data(), Order::Little);
        let data = data.ok_or_else(|| errors::too_great(file, name))?;
        arrays.insert(name.to_string(), Array { shape, data });
    }
    Ok((arrays, text))
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        Dtype::I8 => Element::I8,
        Dtype::I16 => Element::I16,
        Dtype::I32 => Element::I32,
        Dtype::I64 => Element::I64,
        Dtype::U8 => Element::U8,
        Dtype::U16 => Element::U16,
        Dtype::U32 => Element::U32,
        Dtype::U64 => Element::U64,
        Dtype::BOOL => Element::Bool,
        _ => return None,
    })
}

/// The bytes of a file. The same arrays and metadata give the same bytes.
pub fn write(arrays: &Arrays, metadata: &str) -> Result<Vec<u8>, Diagnostic> {
    let failed = |e: &dyn std::fmt::Display| errors::unwritable("safetensors", &e.to_string());
    let bytes: Vec<(&str, Dtype, &[usize], Vec<u8>)> = arrays
        .iter()
        .map(|(name, array)| {
            let (dtype, bytes) = match &array.data {
                Data::F32(v) => (Dtype::F32, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                Data::F64(v) => (Dtype::F64, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                Data::I32(v) => (Dtype::I32, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
                Data::I64(v) => (Dtype::I64, v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            };
            (name.as_str(), dtype, array.shape.as_slice(), bytes)
        })
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (name, dtype, shape, bytes) in &bytes {
        let view = TensorView::new(*dtype, shape.to_vec(), bytes).map_err(|e| failed(&e))?;
        views.push((*name, view));
    }
    let metadata = HashMap::from([(KEY.to_string(), metadata.to_string())]);
    serialize(views, Some(metadata)).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Arrays {
        Arrays::from([
            ("W".to_string(), Array::f32(vec![2, 2], vec![1.0, f32::NAN, -0.0, 4.5])),
            ("k".to_string(), Array { shape: vec![], data: Data::I64(vec![7]) }),
            ("none".to_string(), Array::f32(vec![0], vec![])),
        ])
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        let bytes = write(&sample(), "{\"step\": 3}").unwrap();
        let (arrays, text) = read("c.safetensors", &bytes).unwrap();
        assert_eq!(text, "{\"step\": 3}");
        assert_eq!(write(&arrays, &text).unwrap(), bytes);
    }

    #[test]
    fn cut_or_changed_files_are_refused_without_a_panic() {
        let bytes = write(&sample(), "{}").unwrap();
        for n in 0..bytes.len() {
            assert!(read("c.safetensors", &bytes[..n]).is_err());
            let mut changed = bytes.clone();
            changed[n] ^= 0x15;
            let _ = read("c.safetensors", &changed);
        }
    }
}
