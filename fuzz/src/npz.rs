//! Bytes as an npz archive: what is read is written and read again to the bit.

use rnnc::weights::npz;

pub fn run(bytes: &[u8]) {
    let Ok(arrays) = npz::read("a.npz", bytes) else { return };
    let written = npz::write(&arrays).expect("what was read can be written");
    let again = npz::read("a.npz", &written).expect("what was written can be read");
    assert!(super::same_arrays(&arrays, &again));
}
