//! Bytes as a checkpoint: what is read is written and read again the same.
//!
//! A checkpoint carries a hash of its arrays, which bytes by chance never fit. So bytes are first read as they are, then
//! their arrays and their record are put together anew, with the right hash.

use rnnc::train::checkpoint::{Checkpoint, Record};
use rnnc::weights::safetensors;

pub fn run(bytes: &[u8]) {
    if let Ok(checkpoint) = Checkpoint::from_bytes("c", bytes) {
        again(&checkpoint);
    }
    let Ok((arrays, text)) = safetensors::read("c", bytes) else { return };
    let Ok(record) = serde_json::from_str::<Record>(&text) else { return };
    again(&Checkpoint::new(arrays, record.about, record.progress));
}

fn again(checkpoint: &Checkpoint) {
    let bytes = checkpoint.to_bytes().expect("a checkpoint can be written");
    let read = Checkpoint::from_bytes("c", &bytes).expect("what was written can be read");
    assert_eq!(read.to_bytes().expect("it can be written again"), bytes);
}
