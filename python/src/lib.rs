//! `rnnc._rnnc`: the library as Python sees it.
//!
//! In: texts, and numpy arrays by name. Out: what [`rnnc::api`] gives for them. Nothing is decided here. The interpreter's lock is released
//! while anything is loaded, compiled or run, and no lock of ours is waited for while it is held. `rnnc/_rnnc.pyi` has the types.

#![deny(unsafe_code)]

mod compiled;
mod error;
mod given;
mod how;
mod library;
mod optimiser;
mod port;
mod recipe;
mod saved;
mod stream;
mod token;
mod weights;

/// Recurrent cells as equations, compiled to machine code with a derived gradient.
#[pyo3::pymodule]
mod _rnnc {
    #[pymodule_export]
    use crate::compiled::Compiled;
    #[pymodule_export]
    use crate::error::explain;
    #[pymodule_export]
    use crate::library::{Item, Library};
    #[pymodule_export]
    use crate::optimiser::Optimiser;
    #[pymodule_export]
    use crate::port::Port;
    #[pymodule_export]
    use crate::recipe::Recipe;
    #[pymodule_export]
    use crate::saved::Saved;
    #[pymodule_export]
    use crate::stream::Stream;
    #[pymodule_export]
    use crate::weights::{read_weights, write_weights};

    /// The version of rnnc.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "what Python calls it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
