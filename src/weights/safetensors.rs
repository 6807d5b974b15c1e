//! safetensors: arrays with one JSON text of metadata beside them.

use super::{Array, Arrays, Data, errors};
use crate::diag::Diagnostic;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use std::collections::HashMap;

/// Metadata live under one key: the crate keeps several in a hash map, whose order differs from run
/// to run, and a checkpoint must be the same bytes for the same state.
const KEY: &str = "rnnc";

/// All arrays and the metadata text (empty if there is none).
pub fn read(file: &str, bytes: &[u8]) -> Result<(Arrays, String), Diagnostic> {
    let bad = |e: &dyn std::fmt::Display| errors::not_safetensors(file, &e.to_string());
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| bad(&e))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY)).cloned().unwrap_or_default();
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| bad(&e))?;
    let mut arrays = Arrays::new();
    for (name, view) in tensors.iter() {
        let data = match view.dtype() {
            Dtype::F32 => Data::F32(chunks(view.data()).map(f32::from_le_bytes).collect()),
            Dtype::F64 => Data::F64(chunks(view.data()).map(f64::from_le_bytes).collect()),
            Dtype::I32 => Data::I32(chunks(view.data()).map(i32::from_le_bytes).collect()),
            Dtype::I64 => Data::I64(chunks(view.data()).map(i64::from_le_bytes).collect()),
            other => return Err(errors::element_type(file, name, &other.to_string())),
        };
        let shape = view.shape().to_vec();
        if super::count(&shape) != Some(data.len()) {
            return Err(errors::damaged_array(file, name, "its shape does not fit its bytes"));
        }
        arrays.insert(name.to_string(), Array { shape, data });
    }
    Ok((arrays, text))
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
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
