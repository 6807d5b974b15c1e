//! npz: a zip archive of npy arrays, as numpy writes it.
//!
//! In: bytes. Out: [`Arrays`]. The header of an array is checked against the bytes that follow it
//! before anything is allocated, so a lying header costs nothing.

use super::elements::{Element, Order};
use super::{Array, Arrays, Data, count, errors};
use crate::diag::Diagnostic;
use crate::limits::Limits;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Arrays of one archive, and bytes of an array's header: more is no file of arrays.
const MAX_ENTRIES: usize = 65_536;
const MAX_HEADER: usize = 65_536;

/// All arrays of an archive. `file` is only named in messages.
pub fn read(file: &str, bytes: &[u8]) -> Result<Arrays, Diagnostic> {
    read_within(file, bytes, Limits::DEFAULT.unpacked)
}

/// [`read`], if all arrays together take at most so many bytes, in the archive's types and in those of [`Data`].
pub fn read_within(file: &str, bytes: &[u8], most: u64) -> Result<Arrays, Diagnostic> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|e| errors::not_npz(file, &e.to_string()))?;
    if zip.len() > MAX_ENTRIES {
        return Err(errors::not_npz(file, "it has more than 65,536 entries"));
    }
    let mut arrays = Arrays::new();
    let mut left = most;
    let too_large = |more: u64, left: u64| errors::too_large(file, (most - left).saturating_add(more), most);
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(|e| errors::not_npz(file, &e.to_string()))?;
        let entry_name = entry.name().to_string();
        let name = entry_name.strip_suffix(".npy").unwrap_or(&entry_name).to_string();
        let claimed = entry.size();
        if claimed > left {
            return Err(too_large(claimed, left));
        }
        let mut content = Vec::new();
        // The declared size is the archive's word; `take` keeps it to it.
        let limit = claimed.saturating_add(1);
        entry
            .by_ref()
            .take(limit)
            .read_to_end(&mut content)
            .map_err(|e| errors::damaged_array(file, &name, &e.to_string()))?;
        if content.len() as u64 > claimed {
            return Err(errors::damaged_array(file, &name, "it unpacks to more than the archive says"));
        }
        let (header, body) = header(file, &name, &content)?;
        // Small integers grow when they are read.
        let in_memory = (header.elements as u64).saturating_mul(header.kind.width());
        let taken = in_memory.max(content.len() as u64);
        left = left.checked_sub(taken).ok_or_else(|| too_large(taken, left))?;
        let array = array(file, &name, header, body)?;
        if arrays.insert(name.clone(), array).is_some() {
            return Err(errors::damaged_array(file, &name, "the name occurs twice"));
        }
    }
    Ok(arrays)
}

/// What stands before the elements of an array.
struct Npy {
    shape: Vec<usize>,
    /// The product of `shape`.
    elements: usize,
    kind: Element,
    order: Order,
    fortran: bool,
}

/// `<f4`, `|b1`, `>f8`: the type of elements, and the order of their bytes.
fn element(descr: &str) -> Option<(Element, Order)> {
    let order = if descr.starts_with('>') { Order::Big } else { Order::Little };
    let element = match descr.strip_prefix(['<', '|', '=', '>'])? {
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        "i1" => Element::I8,
        "i2" => Element::I16,
        "i4" => Element::I32,
        "i8" => Element::I64,
        "u1" => Element::U8,
        "u2" => Element::U16,
        "u4" => Element::U32,
        "u8" => Element::U64,
        "b1" => Element::Bool,
        _ => return None,
    };
    Some((element, order))
}

/// What a npy array is, and its elements as they lie there: as many as its shape asks for.
fn header<'b>(file: &str, name: &str, bytes: &'b [u8]) -> Result<(Npy, &'b [u8]), Diagnostic> {
    let damaged = |why: &str| errors::damaged_array(file, name, why);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as a npy array"))?;
    let (header_len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(damaged("its npy version is unknown")),
    };
    if header_len > MAX_HEADER || header_len > rest.len() {
        return Err(damaged("its header is longer than the array"));
    }
    let (header, body) = rest.split_at(header_len);
    let header = std::str::from_utf8(header).map_err(|_| damaged("its header is no text"))?;
    let header = Header::parse(header).ok_or_else(|| damaged("its header cannot be understood"))?;
    let elements = count(&header.shape).ok_or_else(|| damaged("its shape is too large"))?;
    let (kind, order) =
        element(&header.descr).ok_or_else(|| errors::element_type(file, name, &header.descr))?;
    let width = kind.packed();
    if elements.checked_mul(width) != Some(body.len()) {
        return Err(damaged(&format!(
            "its shape {} asks for {elements} elements of {width} bytes, {} bytes are there",
            super::show(&header.shape),
            body.len()
        )));
    }
    Ok((Npy { shape: header.shape, elements, kind, order, fortran: header.fortran }, body))
}

/// One npy array.
fn array(file: &str, name: &str, npy: Npy, body: &[u8]) -> Result<Array, Diagnostic> {
    let data = npy.kind.numbers(body, npy.order).ok_or_else(|| errors::too_great(file, name))?;
    let data = if npy.fortran { row_major(&npy.shape, data) } else { data };
    Ok(Array { shape: npy.shape, data })
}

/// The elements of a column-major array in row-major order.
fn row_major(shape: &[usize], data: Data) -> Data {
    fn turn<T: Copy>(shape: &[usize], v: &[T]) -> Vec<T> {
        let mut strides = Vec::with_capacity(shape.len());
        let mut stride = 1;
        for d in shape {
            strides.push(stride);
            stride *= d;
        }
        let mut index = vec![0; shape.len()];
        let mut out = Vec::with_capacity(v.len());
        for _ in 0..v.len() {
            out.push(v[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        out
    }
    match data {
        Data::F32(v) => Data::F32(turn(shape, &v)),
        Data::F64(v) => Data::F64(turn(shape, &v)),
        Data::I32(v) => Data::I32(turn(shape, &v)),
        Data::I64(v) => Data::I64(turn(shape, &v)),
    }
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Option<Header> {
        let after = |key: &str| -> Option<&str> {
            let at = text.find(&format!("'{key}'")).or_else(|| text.find(&format!("\"{key}\"")))?;
            Some(text.get(at + key.len() + 2..)?.trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = after("descr")?;
        let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let descr = descr[1..].split(quote).next()?.to_string();
        let fortran = after("fortran_order")?.starts_with("True");
        let shape = after("shape")?.strip_prefix('(')?.split(')').next()?;
        let shape = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
        let shape: Option<Vec<usize>> = shape.map(|s| s.trim_end_matches('L').parse().ok()).collect();
        Some(Header { descr, fortran, shape: shape.filter(|s| s.len() <= 32)? })
    }
}

/// The bytes of an uncompressed archive. The same arrays give the same bytes.
pub fn write(arrays: &Arrays) -> Result<Vec<u8>, Diagnostic> {
    let failed = |e: &dyn std::fmt::Display| errors::unwritable("npz", &e.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, array) in arrays {
        zip.start_file(format!("{name}.npy"), options).map_err(|e| failed(&e))?;
        zip.write_all(&npy(array)).map_err(|e| failed(&e))?;
    }
    Ok(zip.finish().map_err(|e| failed(&e))?.into_inner())
}

fn npy(array: &Array) -> Vec<u8> {
    let descr = match array.data {
        Data::F32(_) => "<f4",
        Data::F64(_) => "<f8",
        Data::I32(_) => "<i4",
        Data::I64(_) => "<i8",
    };
    let dims: Vec<String> = array.shape.iter().map(|d| format!("{d},")).collect();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", dims.join(" "));
    // Data begin at a multiple of 64 bytes; 10 bytes stand before the header, a line end closes it.
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut out = MAGIC.to_vec();
    // A shape has at most 32 extents of at most 20 digits, so two bytes suffice for the length.
    let len = u16::try_from(header.len()).unwrap_or(u16::MAX);
    out.extend([1, 0]);
    out.extend(len.to_le_bytes());
    out.extend(header.as_bytes());
    match &array.data {
        Data::F32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Data::F64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Data::I32(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
        Data::I64(v) => v.iter().for_each(|x| out.extend(x.to_le_bytes())),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Arrays {
        Arrays::from([
            ("a".to_string(), Array::f32(vec![2, 2], vec![1.0, 2.0, 3.0, 4.5])),
            ("m.W_i".to_string(), Array { shape: vec![], data: Data::F64(vec![0.25]) }),
            ("ids".to_string(), Array { shape: vec![3], data: Data::I64(vec![1, -2, 3]) }),
            ("none".to_string(), Array { shape: vec![0, 4], data: Data::I32(vec![]) }),
        ])
    }

    fn whole(file: &str, name: &str, bytes: &[u8]) -> Result<Array, Diagnostic> {
        let (npy, body) = header(file, name, bytes)?;
        array(file, name, npy, body)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = write(&sample()).unwrap();
        assert_eq!(read("t.npz", &bytes).unwrap(), sample());
        assert_eq!(bytes, write(&sample()).unwrap());
    }

    #[test]
    fn cut_or_changed_files_are_refused_without_a_panic() {
        let bytes = write(&sample()).unwrap();
        for n in 0..bytes.len() {
            let _ = read("t.npz", &bytes[..n]);
            let mut changed = bytes.clone();
            changed[n] ^= 0x15;
            let _ = read("t.npz", &changed);
        }
        assert_eq!(read("t.npz", b"hello").unwrap_err().code, "E0722");
    }

    #[test]
    fn a_header_that_promises_more_than_is_there_is_refused() {
        let mut npy = npy(&Array::f32(vec![2], vec![1.0, 2.0]));
        let text = String::from_utf8_lossy(&npy).replace("(2,)", "(9999999999999,)");
        assert!(text.contains("9999999999999"));
        let at = npy.windows(4).position(|w| w == b"(2,)").unwrap();
        npy.splice(at..at + 16, b"(9999999999999,)".iter().copied());
        let d = whole("t.npz", "x", &npy).unwrap_err();
        assert_eq!(d.code, "E0722");
    }

    #[test]
    fn column_major_arrays_are_turned() {
        let npy = npy(&Array::f32(vec![2, 3], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
        let at = npy.windows(5).position(|w| w == b"False").unwrap();
        let mut npy = npy;
        npy.splice(at..at + 5, b"True ".iter().copied());
        let a = whole("t.npz", "x", &npy).unwrap();
        assert_eq!(a.data, Data::F32(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    }
}
