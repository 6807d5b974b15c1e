//! Training a model: data, settings, the loop.
//!
//! In: a model's blocks, the bytes of its data files, a compiled program. Out: parameters and a
//! record of how they came about. Invariant: nothing here touches files or clocks; `cli` hands in
//! bytes and takes callbacks. The same seed gives the same bits.

pub mod batches;
pub mod checkpoint;
pub mod data;
pub mod declared;
pub mod decode;
pub mod draw;
pub mod errors;
mod faults;
pub mod fit;
pub mod generate;
pub mod look;
pub mod model;
pub mod optimiser;
pub mod rate;
pub mod run;
pub mod settings;
pub mod update;
