//! Bytes as an ONNX model: what is read is a file of the language without a mistake, whose weights are whole.

use rnnc::onnx::import::import;
use rnnc::resolve;
use rnnc::source::{Loader, Sources};
use rnnc::weights::count;

/// What a model's arrays may take here: a small model is as good a test as a large one.
const MOST: u64 = 1 << 24;

struct One(String);

impl Loader for One {
    fn load(&self, _: &str) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

pub fn run(bytes: &[u8]) {
    let Ok(imported) = import("a.onnx", bytes, MOST) else { return };
    let mut sources = Sources::default();
    let (_, said) = resolve::load(&mut sources, &One(imported.text.clone()), &["a.rnn".to_string()]);
    assert!(said.iter().all(|d| !d.is_error()), "{said:?}\n{}", imported.text);
    assert!(imported.weights.values().all(|a| count(&a.shape) == Some(a.data.len())));
}
