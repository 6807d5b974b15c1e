//! Bytes as weights in JSON: what is read is whole.

use rnnc::weights::json;

pub fn run(bytes: &[u8]) {
    if let Ok((arrays, _)) = json::read_within("a.json", bytes, super::MOST) {
        super::whole(&arrays);
    }
}
