//! Which kind of file of weights some bytes are, and its arrays; and the bytes of a new one.
//!
//! In: bytes. Out: [`Arrays`], and what the file says that arrays cannot hold. What is read is told by how the bytes begin,
//! what is written by the ending of its name.

use super::{Arrays, errors, json, npz, onnx, safetensors, torch};
use crate::diag::Diagnostic;
use std::io::Cursor;
use zip::ZipArchive;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Npz,
    Safetensors,
    Torch,
    Onnx,
    Json,
}

impl Format {
    /// For readers of messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Npz => "npz",
            Format::Safetensors => "safetensors",
            Format::Torch => "PyTorch",
            Format::Onnx => "ONNX",
            Format::Json => "JSON",
        }
    }

    pub fn of(file: &str, bytes: &[u8]) -> Result<Format, Diagnostic> {
        let unknown = |seems: &str| Err(errors::unknown_format(file, Some(seems)));
        match bytes {
            _ if is_safetensors(bytes) => Ok(Format::Safetensors),
            [b'P', b'K', ..] => archive(file, bytes),
            [0x80, 2..=5, ..] => Err(errors::old_torch(file)),
            [0x89, b'H', b'D', b'F', ..] => unknown("an HDF5 file"),
            [b'G', b'G', b'U', b'F', ..] => unknown("a GGUF file"),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => unknown("one npy array without an archive"),
            // The first field is the version of the format, then the producer, or what else there is.
            [0x08, 1..=0x20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => Ok(Format::Onnx),
            _ if bytes.trim_ascii_start().first() == Some(&b'{') => Ok(Format::Json),
            _ if bytes.get(257..262) == Some(b"ustar") => Err(errors::old_torch(file)),
            _ => Err(errors::unknown_format(file, None)),
        }
    }
}

/// The length of a header, then JSON. A length has zero bytes, a text has none.
fn is_safetensors(bytes: &[u8]) -> bool {
    matches!(bytes.split_at_checked(8), Some((length, [b'{', ..])) if length.contains(&0))
}

fn archive(file: &str, bytes: &[u8]) -> Result<Format, Diagnostic> {
    let zip =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| errors::broken_archive(file, &e.to_string()))?;
    Ok(if torch::folder(&zip).is_some() { Format::Torch } else { Format::Npz })
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Opened {
    pub format: Format,
    pub arrays: Arrays,
    /// What is to be known beside the arrays, such as an activation that belongs to a layer.
    pub notes: Vec<String>,
}

/// The arrays of a file of any kind, if together they take at most `most` bytes.
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<Opened, Diagnostic> {
    let format = Format::of(file, bytes)?;
    let (arrays, notes) = match format {
        Format::Npz => (npz::read_within(file, bytes, most)?, Vec::new()),
        Format::Safetensors => (safetensors::read_within(file, bytes, most)?.0, Vec::new()),
        Format::Torch => (torch::read_within(file, bytes, most)?, Vec::new()),
        Format::Onnx => onnx::read_within(file, bytes, most)?,
        Format::Json => json::read_within(file, bytes, most)?,
    };
    Ok(Opened { format, arrays, notes })
}

/// The kind of a file that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Npz,
    Safetensors,
}

impl Output {
    pub fn of(file: &str) -> Result<Output, Diagnostic> {
        match file.rsplit_once('.') {
            Some((_, "npz")) => Ok(Output::Npz),
            Some((_, "safetensors")) => Ok(Output::Safetensors),
            _ => Err(errors::unknown_output(file)),
        }
    }

    pub fn bytes(self, arrays: &Arrays) -> Result<Vec<u8>, Diagnostic> {
        match self {
            Output::Npz => npz::write(arrays),
            Output::Safetensors => safetensors::write(arrays, ""),
        }
    }
}
