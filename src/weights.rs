//! Arrays in and out: npz and safetensors.
