//! Compiled recipes.
#![allow(unsafe_code)] // Functions for C.

use crate::error::rnnc_error;
use crate::guard::{free, give, handle, put, refused, text, to_c};
use crate::library::rnnc_library;
use crate::options::rnnc_options;
use rnnc::api::{Compiled, Elements, Error, Notation, Options, Port};
use std::ffi::{CString, c_char};

/// A recipe as machine code. Any number of threads may run it at once.
#[allow(non_camel_case_types)]
pub struct rnnc_cell {
    pub(crate) cell: Compiled,
    /// By [`rnnc_role`].
    ports: [Vec<Described>; 4],
}

/// What an array is for.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub enum rnnc_role {
    RNNC_INPUT,
    RNNC_PARAMETER,
    /// What a state is before the first point; may be left out of a call.
    RNNC_INITIAL,
    RNNC_OUTPUT,
}

/// What elements are.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub enum rnnc_elements {
    /// 32-bit floating-point numbers.
    RNNC_REAL,
    /// 0 or 1, as whole numbers or as 32-bit floating-point numbers.
    RNNC_BOOL,
    /// Whole numbers from 0, less than `symbols`.
    RNNC_ID,
}

/// An array that goes in or comes out. Its shape is `axes` extents of a domain, such as the steps of a chain; then the
/// batch, if `per_example` is 1; then `rank` extents of its own.
#[allow(non_camel_case_types)]
#[repr(C)]
pub struct rnnc_port {
    name: *const c_char,
    axes: usize,
    per_example: i32,
    rank: usize,
    extents: *const usize,
    elements: rnnc_elements,
    symbols: i64,
}

/// A port, and what it leads to.
struct Described {
    port: rnnc_port,
    _name: CString,
    _extents: Vec<usize>,
}

// SAFETY: the pointers lead to what is beside them, on the heap; nobody changes it.
unsafe impl Send for Described {}
// SAFETY: as for `Send`.
unsafe impl Sync for Described {}

impl Described {
    fn new(port: &Port) -> Described {
        let name = to_c(&port.name);
        let extents = port.extents().unwrap_or_default();
        let (elements, symbols) = match &port.elements {
            Elements::Real => (rnnc_elements::RNNC_REAL, 0),
            Elements::Bool => (rnnc_elements::RNNC_BOOL, 2),
            Elements::Id(k) => (rnnc_elements::RNNC_ID, k.parse().unwrap_or(0)),
        };
        let port = rnnc_port {
            name: name.as_ptr(),
            axes: port.axes.len(),
            per_example: i32::from(port.per_example),
            rank: extents.len(),
            extents: extents.as_ptr(),
            elements,
            symbols,
        };
        Described { port, _name: name, _extents: extents }
    }
}

impl rnnc_cell {
    fn ports(&self, role: i32) -> Option<&[Described]> {
        use rnnc_role::*;
        let roles = [RNNC_INPUT, RNNC_PARAMETER, RNNC_INITIAL, RNNC_OUTPUT];
        let at = roles.iter().position(|r| *r as i32 == role)?;
        self.ports.get(at).map(Vec::as_slice)
    }
}

/// Compiles a recipe, such as `Mine(64, 128)`, whose dimensions are all numbers.
///
/// # Safety
/// `library` is a handle, `recipe` a text, `options` a handle or NULL for those by default, `out` a place for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_compile(
    library: *const rnnc_library,
    recipe: *const c_char,
    options: *const rnnc_options,
    out: *mut *mut rnnc_cell,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let (library, recipe) = unsafe { (handle(library, "library")?, text(recipe, "recipe")?) };
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.map_or_else(Options::default, |o| o.options.clone());
        let cell = library.library.compile(recipe, &options)?;
        let all = |ports: Vec<Port>| ports.iter().map(Described::new).collect();
        let ports = [all(cell.inputs()), all(cell.params()), all(cell.initial()), all(cell.outputs())];
        // SAFETY: the caller's promise.
        unsafe { give(out, rnnc_cell { cell, ports }, "out") }
    })
}

/// How many arrays of a role there are. Of NULL: 0.
///
/// # Safety
/// `cell` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_cell_count(cell: *const rnnc_cell, role: i32) -> usize {
    // SAFETY: the caller's promise.
    let ports = unsafe { cell.as_ref() }.and_then(|c| c.ports(role));
    ports.map_or(0, <[Described]>::len)
}

/// An array of a role, counted from 0; NULL if there are fewer. It is there until the cell is freed.
///
/// # Safety
/// `cell` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_cell_port(cell: *const rnnc_cell, role: i32, index: usize) -> *const rnnc_port {
    // SAFETY: the caller's promise.
    let ports = unsafe { cell.as_ref() }.and_then(|c| c.ports(role));
    ports.and_then(|p| p.get(index)).map_or(std::ptr::null(), |d| &raw const d.port)
}

/// What rnnc_cell_text writes.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub enum rnnc_text {
    RNNC_EQUATIONS,
    RNNC_GRADIENT,
    RNNC_EQUATIONS_LATEX,
    RNNC_GRADIENT_LATEX,
    /// Loops and kernels, forward and backward.
    RNNC_KERNELS,
}

/// The equations, the derived gradient or the kernels, to read; one of rnnc_text. To be freed with rnnc_string_free.
///
/// # Safety
/// `cell` is a handle, `out` a place for a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_cell_text(
    cell: *const rnnc_cell,
    what: i32,
    out: *mut *mut c_char,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        let recipe = unsafe { handle(cell, "cell")? }.cell.recipe();
        let text = match what {
            x if x == rnnc_text::RNNC_EQUATIONS as i32 => recipe.equations(Notation::Unicode),
            x if x == rnnc_text::RNNC_GRADIENT as i32 => recipe.gradient(&[], Notation::Unicode),
            x if x == rnnc_text::RNNC_EQUATIONS_LATEX as i32 => recipe.equations(Notation::Latex),
            x if x == rnnc_text::RNNC_GRADIENT_LATEX as i32 => recipe.gradient(&[], Notation::Latex),
            x if x == rnnc_text::RNNC_KERNELS as i32 => recipe.kernels(true),
            _ => Err(Error::of_caller(format!("`what` is {what}, which is no text"))),
        };
        let text = to_c(&text?);
        if out.is_null() {
            return Err(crate::guard::null("out"));
        }
        // SAFETY: the caller's promise.
        unsafe { put(out, text.into_raw(), "out") }
    })
}

/// # Safety
/// A text that a function gave to be freed, and that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: made by `into_raw`; the caller's to give back.
        drop(unsafe { CString::from_raw(text) });
    }
}

/// Runs and streams of it stay.
///
/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_cell_free(cell: *mut rnnc_cell) {
    // SAFETY: the caller's promise.
    unsafe { free(cell) }
}
