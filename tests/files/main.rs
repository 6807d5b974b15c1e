//! Files in and out: weights, ONNX, objects.

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod object;
mod object_kinds;
mod onnx_back;
mod onnx_export;
mod onnx_import;
mod weights;
mod weights_onnx;
