#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rnnc_fuzz::onnx_graph::run(bytes));
