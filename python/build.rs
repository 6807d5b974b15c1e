//! What a linker must be told on macOS, where `cargo build` makes the library without maturin.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
