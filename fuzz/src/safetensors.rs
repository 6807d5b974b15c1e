//! Bytes as a safetensors file: what is read is written and read again to the bit.

use rnnc::weights::safetensors;

pub fn run(bytes: &[u8]) {
    let Ok((arrays, text)) = safetensors::read("a.safetensors", bytes) else { return };
    let written = safetensors::write(&arrays, &text).expect("what was read can be written");
    let (again, same) = safetensors::read("a.safetensors", &written).expect("what was written can be read");
    assert!(super::same_arrays(&arrays, &again) && text == same);
}
