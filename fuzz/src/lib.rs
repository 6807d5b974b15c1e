//! What is done with bytes from anywhere: one module for each target. None may panic, whatever the bytes; each says what must
//! hold beyond that.

pub mod checkpoint;
pub mod data;
pub mod equations;
pub mod npz;
pub mod onnx;
pub mod onnx_graph;
pub mod safetensors;
pub mod source;
pub mod torch;
pub mod weights_json;

use rnnc::weights::npz as archives;
use rnnc::weights::{Array, Arrays, Data, count};

/// Equal to the bit: numbers that are none are equal to themselves.
pub fn same_arrays(a: &Arrays, b: &Arrays) -> bool {
    let same = |a: &Array, b: &Array| {
        a.shape == b.shape
            && match (&a.data, &b.data) {
                (Data::F32(a), Data::F32(b)) => {
                    a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
                }
                (Data::F64(a), Data::F64(b)) => {
                    a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
                }
                (a, b) => a == b,
            }
    };
    a.len() == b.len() && a.iter().zip(b).all(|((n, a), (m, b))| n == m && same(a, b))
}

/// Bytes that what is read from a file may take.
pub const MOST: u64 = 16 << 20;

/// Each array has as many elements as its shape says, and all of them can be written and read again.
pub fn whole(arrays: &Arrays) {
    for (name, array) in arrays {
        assert_eq!(count(&array.shape), Some(array.data.len()), "{name}");
    }
    let Ok(written) = archives::write(arrays) else { return };
    if let Ok(again) = archives::read("a.npz", &written) {
        assert!(same_arrays(arrays, &again));
    }
}
