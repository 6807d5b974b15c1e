//! Libraries: loading, and what is in them.
#![allow(unsafe_code)] // Functions for C.

use crate::error::rnnc_error;
use crate::guard::{at, free, give, handle, or, refused, text, to_c};
use rnnc::api::Library;
use std::ffi::{CString, c_char};

/// Loaded programs, with the standard library.
#[allow(non_camel_case_types)]
pub struct rnnc_library {
    pub(crate) library: Library,
    names: Vec<CString>,
    kinds: Vec<CString>,
    signatures: Vec<CString>,
    docs: Vec<CString>,
}

impl rnnc_library {
    fn new(library: Library) -> rnnc_library {
        let items = library.items();
        let all = |f: &dyn Fn(&rnnc::api::Item) -> &str| items.iter().map(|i| to_c(f(i))).collect();
        rnnc_library {
            names: all(&|i| &i.name),
            kinds: all(&|i| i.kind),
            signatures: all(&|i| &i.signature),
            docs: all(&|i| &i.docs),
            library,
        }
    }
}

/// The standard library alone.
///
/// # Safety
/// `out` is a place for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_standard(out: *mut *mut rnnc_library) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { give(out, rnnc_library::new(Library::standard()?), "out") })
}

/// A file, with what it uses, and the standard library.
///
/// # Safety
/// `path` is a text, `out` a place for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_file(
    path: *const c_char,
    out: *mut *mut rnnc_library,
) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { give(out, rnnc_library::new(Library::file(text(path, "path")?)?), "out") })
}

/// A program from memory, and the standard library; `name` stands for it in messages.
///
/// # Safety
/// `name` and `program` are texts, `out` a place for a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_text(
    name: *const c_char,
    program: *const c_char,
    out: *mut *mut rnnc_library,
) -> *mut rnnc_error {
    refused(|| {
        // SAFETY: the caller's promise.
        unsafe {
            let library = Library::text(text(name, "name")?, text(program, "program")?)?;
            give(out, rnnc_library::new(library), "out")
        }
    })
}

/// Looks at every item, as `rnnc check` does.
///
/// # Safety
/// `library` is a handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_check(library: *const rnnc_library) -> *mut rnnc_error {
    // SAFETY: the caller's promise.
    refused(|| unsafe { handle(library, "library")?.library.check().map(drop) })
}

/// The number of cells, layers, models and functions of the file or text itself. Of NULL: 0.
///
/// # Safety
/// `library` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_count(library: *const rnnc_library) -> usize {
    // SAFETY: the caller's promise.
    or(0, || unsafe { library.as_ref() }.map_or(0, |l| l.names.len()))
}

/// The name of an item, counted from 0; NULL if there are fewer.
///
/// # Safety
/// `library` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_name(library: *const rnnc_library, item: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { library.as_ref() }.map_or(std::ptr::null(), |l| at(&l.names, item))
}

/// `cell`, `layer`, `model` or `fn`.
///
/// # Safety
/// `library` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_kind(library: *const rnnc_library, item: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { library.as_ref() }.map_or(std::ptr::null(), |l| at(&l.kinds, item))
}

/// The name with static parameters, as declared: `Mine(I, H, bias : real = 1)`.
///
/// # Safety
/// `library` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_signature(library: *const rnnc_library, item: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { library.as_ref() }.map_or(std::ptr::null(), |l| at(&l.signatures, item))
}

/// The documentation of an item, perhaps empty.
///
/// # Safety
/// `library` is a handle, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_docs(library: *const rnnc_library, item: usize) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { library.as_ref() }.map_or(std::ptr::null(), |l| at(&l.docs, item))
}

/// What was compiled of it stays.
///
/// # Safety
/// A handle that is not used any more, or NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rnnc_library_free(library: *mut rnnc_library) {
    // SAFETY: the caller's promise.
    unsafe { free(library) }
}
