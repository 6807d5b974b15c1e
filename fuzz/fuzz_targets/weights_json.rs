#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rnnc_fuzz::weights_json::run(bytes));
