//! Static libraries: an object in an archive with its table of symbols.

use super::{Object, Platform, errors};
use crate::diag::Diagnostic;
use ar_archive_writer::{DEFAULT_OBJECT_READER, NewArchiveMember, write_archive_to_stream};
use std::io::Cursor;

/// The bytes of a library with one object in it. The same object gives the same bytes.
pub fn archive(object: &Object, target: Platform) -> Result<Vec<u8>, Diagnostic> {
    let name = format!("{}.o", object.interface.name);
    let member = NewArchiveMember::new(&object.bytes[..], &DEFAULT_OBJECT_READER, name);
    let mut out = Cursor::new(Vec::new());
    write_archive_to_stream(&mut out, &[member], target.archive(), false, None)
        .map_err(|e| errors::broken(&e.to_string()))?;
    Ok(out.into_inner())
}
