//! What is done with bytes from anywhere: one module for each target. None may panic, whatever the bytes; each says what must
//! hold beyond that.

pub mod checkpoint;
pub mod data;
pub mod equations;
pub mod npz;
pub mod safetensors;
pub mod source;

use rnnc::weights::{Array, Arrays, Data};

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
