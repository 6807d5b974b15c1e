//! Tokens: bytes in memory that stand for runs, for systems that can hand on nothing but arrays.
//!
//! A table leads from the address of a token to its run. It holds weak references: the run lives as long as a Python object
//! that has it, of which the base of each token's array is one. While a run lives its byte does, so no other token is at its
//! address; before the byte is freed its entry is gone.
#![allow(unsafe_code)] // An array of numpy over memory of ours.

use numpy::PyArray1;
use numpy::ndarray::Array1;
use pyo3::prelude::*;
use rnnc::api;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Name, address and extents of an array that a run was given.
pub type Place = (String, usize, Vec<usize>);

/// A run, and its token.
pub struct Kept {
    run: Mutex<api::Saved>,
    /// Its one element is written and read by Python alone.
    byte: Array1<u8>,
    program: u64,
    places: Vec<Place>,
}

static LIVE: Mutex<BTreeMap<usize, Weak<Kept>>> = Mutex::new(BTreeMap::new());

fn live() -> MutexGuard<'static, BTreeMap<usize, Weak<Kept>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The run whose token lies at an address.
pub fn find(address: usize) -> Option<Arc<Kept>> {
    live().get(&address).and_then(Weak::upgrade)
}

impl Kept {
    pub fn new(run: api::Saved, program: u64, places: Vec<Place>) -> Arc<Kept> {
        Arc::new(Kept { run: Mutex::new(run), byte: Array1::zeros(1), program, places })
    }

    /// Waits for other threads; not to be called while the interpreter's lock is held.
    pub fn run(&self) -> MutexGuard<'_, api::Saved> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> usize {
        self.byte.as_ptr().addr()
    }

    /// The token as an array. `holder` has a reference to this run as long as it lives.
    pub fn token<'py>(self: &Arc<Kept>, holder: Bound<'py, PyAny>) -> Bound<'py, PyArray1<u8>> {
        live().entry(self.address()).or_insert_with(|| Arc::downgrade(self));
        // SAFETY: `holder`, the array's base, keeps `self` and with it the byte; nothing moves or frees it before, and no
        // reference to it is ever made here, so Python may write to it.
        unsafe { PyArray1::borrow_from_array(&self.byte, holder) }
    }

    pub fn is_of(&self, program: u64, places: &[Place]) -> bool {
        // In a dict order does not matter.
        self.program == program
            && self.places.len() == places.len()
            && places.iter().all(|place| self.places.contains(place))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        live().remove(&self.address());
    }
}
