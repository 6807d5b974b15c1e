//! Fused kernels to machine code, with Cranelift.
