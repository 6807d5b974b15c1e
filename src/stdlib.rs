//! The standard library's files, compiled into the binary.

/// `(path, text)` of every file of `stdlib/`, in a fixed order.
pub const FILES: &[(&str, &str)] = &[];
