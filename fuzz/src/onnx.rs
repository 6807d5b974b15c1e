//! Bytes as an ONNX file: its initialisers are whole.

use rnnc::weights::onnx;

pub fn run(bytes: &[u8]) {
    if let Ok((arrays, _)) = onnx::read_within("a.onnx", bytes, super::MOST) {
        super::whole(&arrays);
    }
}
