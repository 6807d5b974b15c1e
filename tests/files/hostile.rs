//! Files of weights that lie: cut short, oversized, overlapping, mistyped, bombs, claims of terabytes. Each is refused with the
//! name of the tensor where there is one, and in memory that is bounded by the file and the limit.

use rnnc::diag::Diagnostic;
use rnnc::weights::formats::{self, Opened};
use rnnc::weights::{Array, Arrays, npz, safetensors};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes that what is read may take, and those that a reader may hold at once: what is read, the file's own content and some books.
const MOST: u64 = 1 << 20;
const MOST_HELD: isize = 48 << 20;

struct Measuring;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn holds(more: isize) {
    // A thread that ends has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + more);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        holds(layout.size() as isize);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        holds(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// Reads bytes, and sees to the memory that it takes.
fn read(bytes: &[u8]) -> Result<Opened, Diagnostic> {
    let before = HELD.get();
    PEAK.set(before);
    let result = formats::read_within("w", bytes, MOST);
    let held = PEAK.get() - before;
    assert!(held <= MOST_HELD, "{held} bytes for a file of {}", bytes.len());
    result
}

/// What is wrong, its code, and what the message says.
type Case = (&'static str, Vec<u8>, &'static str, &'static str);

fn refused(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for (name, bytes, code, part) in cases {
        match read(&bytes) {
            Ok(_) => wrong.push(format!("{name}: it is read")),
            Err(d) if d.code != code || !d.message.contains(part) => wrong.push(format!("{name}: {d:?}")),
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn archive(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).expect("a file");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("an archive").into_inner()
}

// PyTorch.

fn torch(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    archive(&[("a/data.pkl", pickle), ("a/data/0", storage)], CompressionMethod::Stored)
}

fn long(n: i64) -> Vec<u8> {
    [&[0x8a, 8][..], &n.to_le_bytes()].concat()
}

fn text(s: &str) -> Vec<u8> {
    [b"X".as_slice(), &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), items.concat(), b"t".to_vec()].concat()
}

fn longs(ns: &[i64]) -> Vec<u8> {
    tuple(&ns.iter().map(|n| long(*n)).collect::<Vec<_>>())
}

/// A tensor of f32 in storage 0 of so many elements.
fn tensor(elements: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let id =
        tuple(&[text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text("0"), text("cpu"), long(elements)]);
    let storage = [id, b"Q".to_vec()].concat();
    let args = tuple(&[storage, long(offset), longs(shape), longs(strides), vec![0x89], b"N".to_vec()]);
    [b"ctorch._utils\n_rebuild_tensor_v2\n".to_vec(), args, b"R".to_vec()].concat()
}

fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().map(|(k, v)| [text(k), v.clone(), b"s".to_vec()].concat());
    [b"}".to_vec(), entries.collect::<Vec<_>>().concat()].concat()
}

fn pickle(value: Vec<u8>) -> Vec<u8> {
    [vec![0x80, 2], value, b".".to_vec()].concat()
}

fn of(tensor: Vec<u8>, storage: &[u8]) -> Vec<u8> {
    torch(&pickle(dict(&[("enc.w", tensor)])), storage)
}

#[test]
fn a_tensor_by_hand_is_read_so_that_the_others_are_refused_for_what_is_wrong_with_them() {
    let opened = read(&of(tensor(4, 1, &[2], &[2]), &[0; 16])).expect("a file");
    assert_eq!(opened.arrays["enc.w"].shape, [2]);
}

#[test]
fn pytorch_files_that_lie_are_refused() {
    let good = tensor(4, 0, &[2, 2], &[2, 1]);
    let whole = of(good.clone(), &[0; 16]);
    let module = pickle(b"cos\nsystem\n(X\x04\0\0\0truetR".to_vec());
    let by_stack = pickle([text("builtins"), text("eval"), vec![0x93]].concat());
    // A list in a list in a list.
    let deep = [vec![0x80, 2, b')'], vec![0x85; 900_000], b".".to_vec()].concat();
    // Each dictionary holds the one before it many times.
    let mut laughs = vec![0x80, 2];
    laughs.extend([dict(&[("x", good.clone())]), b"q\0".to_vec()].concat());
    for level in 1..14u8 {
        laughs.push(b'}');
        (0..20u8).for_each(|k| laughs.extend([text(&format!("k{k}")), vec![b'h', level - 1, b's']].concat()));
        laughs.extend([b'q', level]);
    }
    laughs.push(b'.');
    let nested = (0..40).fold(good.clone(), |inside, _| dict(&[("d", inside)]));
    let itself = b"\x80\x02}q\0X\x01\0\0\0ah\0s.".to_vec();
    let zeros = vec![0; 64 << 20];
    let bomb_pickle = pickle(dict(&[("enc.w", tensor(16 << 20, 0, &[16 << 20], &[1]))]));
    refused(vec![
        ("cut in half", whole[..whole.len() / 2].to_vec(), "E0722", "npz"),
        ("a storage that is cut", of(good.clone(), &[0; 15]), "E0750", "`enc.w`"),
        ("a storage that is too long", of(good.clone(), &[0; 17]), "E0750", "`enc.w`"),
        ("beyond its storage", of(tensor(4, 1, &[2, 2], &[2, 1]), &[0; 16]), "E0750", "beyond its storage"),
        ("an offset beyond", of(tensor(4, i64::MAX, &[1], &[1]), &[0; 16]), "E0750", "beyond its storage"),
        ("a negative offset", of(tensor(4, -1, &[1], &[1]), &[0; 16]), "E0750", "negative"),
        ("a negative size", of(tensor(4, 0, &[-2], &[1]), &[0; 16]), "E0750", "negative"),
        ("a negative stride", of(tensor(4, 3, &[2], &[-1]), &[0; 16]), "E0750", "negative"),
        (
            "strides that overflow",
            of(tensor(4, 0, &[2, 2], &[i64::MAX, i64::MAX]), &[0; 16]),
            "E0750",
            "beyond",
        ),
        ("more strides than axes", of(tensor(4, 0, &[2], &[1, 1]), &[0; 16]), "E0750", "strides"),
        ("terabytes of storage", of(tensor(1 << 40, 0, &[1 << 40], &[1]), &[0; 16]), "E0750", "`enc.w`"),
        (
            "terabytes by repetition",
            of(tensor(4, 0, &[1 << 20, 1 << 20], &[0, 0]), &[0; 16]),
            "E0729",
            "limit",
        ),
        (
            "a shape beyond all numbers",
            of(tensor(4, 0, &[1 << 40, 1 << 40], &[0, 0]), &[0; 16]),
            "E0750",
            "`enc.w`",
        ),
        ("no storage", torch(&pickle(dict(&[("w", good.clone())])), &[]), "E0750", "`w`"),
        ("a call", torch(&module, &[]), "E0751", "`os.system`"),
        ("a call by name", torch(&by_stack, &[]), "E0751", "`builtins.eval`"),
        ("an unknown operation", torch(b"\x80\x02\x81.", &[]), "E0750", "0x81"),
        ("no end", torch(b"\x80\x02}", &[]), "E0750", "cut short"),
        ("nothing", torch(b"", &[]), "E0750", "cut short"),
        ("an empty stack", torch(b"\x80\x02.", &[]), "E0750", "missing"),
        ("a text of four gigabytes", torch(b"\x80\x02X\xff\xff\xff\xff.", &[]), "E0750", "cut short"),
        ("a value that is not made", torch(b"\x80\x02h\x05.", &[]), "E0750", "before it is made"),
        ("no tensor", torch(b"\x80\x02}.", &[]), "E0750", "no tensor"),
        ("nested deeper than any stack", torch(&deep, &[]), "E0750", "lists"),
        ("dictionaries of dictionaries", torch(&laughs, &[0; 16]), "E0729", "limit"),
        ("forty dictionaries deep", torch(&pickle(nested), &[0; 16]), "E0750", "deep"),
        ("a dictionary in itself", torch(&itself, &[]), "E0750", "deep"),
        (
            "a bomb",
            archive(&[("a/data.pkl", &bomb_pickle), ("a/data/0", &zeros)], CompressionMethod::Deflated),
            "E0729",
            "limit",
        ),
        (
            "a pickle of gigabytes",
            archive(&[("a/data.pkl", &zeros)], CompressionMethod::Deflated),
            "E0750",
            "bytes",
        ),
        ("a pickle alone", b"\x80\x02}.".to_vec(), "E0750", "before version 1.6"),
    ]);
}

// ONNX.

/// A field of bytes.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag << 3 | 2];
    let mut n = content.len();
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    [out, content.to_vec()].concat()
}

fn onnx(graph: &[u8]) -> Vec<u8> {
    [vec![0x08, 8], field(7, graph)].concat()
}

/// An initialiser `w`: extents, the number of a type, and bytes.
fn initialiser(dims: &[u8], kind: u8, raw: &[u8]) -> Vec<u8> {
    field(5, &[field(1, dims), vec![0x10, kind], field(8, b"w"), field(9, raw)].concat())
}

#[test]
fn onnx_files_that_lie_are_refused() {
    let good = onnx(&initialiser(&[2], 1, &[0; 8]));
    assert_eq!(read(&good).expect("a file").arrays["w"].shape, [2]);
    let huge = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let negative = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    refused(vec![
        ("cut", good[..good.len() - 1].to_vec(), "E0752", "cut short"),
        ("fewer bytes than the shape", onnx(&initialiser(&[3], 1, &[0; 8])), "E0752", "`w`"),
        ("more bytes than the shape", onnx(&initialiser(&[1], 1, &[0; 8])), "E0752", "`w`"),
        ("terabytes", onnx(&initialiser(&huge, 1, &[0; 8])), "E0729", "limit"),
        ("terabytes squared", onnx(&initialiser(&[&huge[..], &huge].concat(), 1, &[0; 8])), "E0752", "`w`"),
        ("a negative extent", onnx(&initialiser(&negative, 1, &[0; 8])), "E0752", "negative"),
        ("texts", onnx(&initialiser(&[2], 8, &[0; 8])), "E0723", "`w`"),
        (
            "twice",
            onnx(&[initialiser(&[2], 1, &[0; 8]), initialiser(&[2], 1, &[0; 8])].concat()),
            "E0752",
            "twice",
        ),
        ("a hundred thousand extents", onnx(&initialiser(&[1; 100_000], 1, &[0; 4])), "E0752", "100000 axes"),
        ("nodes of nothing", onnx(&[0x0a, 0].repeat(400_000)), "E0752", "more fields"),
        ("attributes of nothing", onnx(&field(1, &[0x2a, 0].repeat(400_000))), "E0752", "more fields"),
        ("no graph", vec![0x08, 8, 0x12, 0], "E0752", "no graph"),
        ("a group", [vec![0x08, 8, 0x3a, 2, 0x0b, 0x0c]].concat(), "E0752", "cut short"),
    ]);
}

// JSON.

#[test]
fn texts_that_lie_are_refused() {
    let flat = |units: &str, layers: &str, list: &str| {
        let sizes = format!("\"input_size\": 1, \"hidden_size\": {units}, \"num_layers\": {layers}");
        format!("{{\"config\": {{{sizes}}}, \"weights\": {list}}}").into_bytes()
    };
    refused(vec![
        ("cut", b"{\"a\": [1, 2".to_vec(), "E0753", "EOF"),
        ("nested", [b"{\"a\": ".to_vec(), b"[".repeat(5000)].concat(), "E0753", "recursion"),
        ("NaN", b"{\"a\": [NaN]}".to_vec(), "E0753", "line 1"),
        ("no numbers", b"{\"a\": \"b\"}".to_vec(), "E0753", "no list"),
        ("a list that is too short", flat("3", "1", "[1, 2, 3]"), "E0753", "`weight_l0`"),
        (
            "a list that is too long",
            flat("1", "1", &format!("[{}1]", "1, ".repeat(16))),
            "E0753",
            "1 number more",
        ),
        ("sizes beyond all memory", flat("1000000000", "1000", "[1, 2, 3]"), "E0753", "`weight_l0`"),
        ("too many layers", flat("1", "1000000", "[1, 2, 3]"), "E0753", "1024"),
        ("sizes of half a unit", flat("0.5", "1", "[1, 2, 3]"), "E0753", "hidden_size"),
        ("longer than the limit", vec![b'{'; 1 << 20], "E0729", "limit"),
        (
            "empty lists",
            [b"{\"a\": [".to_vec(), b"[],".repeat(10_000), b"[]]}".to_vec()].concat(),
            "E0753",
            "no list",
        ),
    ]);
}

// npz and safetensors.

#[test]
fn archives_and_headers_that_lie_are_refused() {
    let x = Arrays::from([("w".to_string(), Array::f32(vec![2], vec![1.0, 2.0]))]);
    let tensors = safetensors::write(&x, "").expect("bytes");
    let header =
        |json: &str, data: &[u8]| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), data].concat();
    let one = |dtype: &str, shape: &str, range: &str| {
        header(
            &format!("{{\"w\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":{range}}}}}"),
            &[0; 8],
        )
    };
    let overlap = "{\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}";
    let npy = |shape: &str| {
        let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        text.push('\n');
        let body =
            [b"\x93NUMPY\x01\0".to_vec(), (text.len() as u16).to_le_bytes().to_vec(), text.into_bytes()];
        archive(&[("w.npy", &body.concat())], CompressionMethod::Stored)
    };
    let zeros = vec![0; 64 << 20];
    refused(vec![
        ("a cut header", tensors[..20].to_vec(), "E0728", ""),
        ("cut numbers", tensors[..tensors.len() - 1].to_vec(), "E0728", ""),
        ("a header of terabytes", [&(1u64 << 42).to_le_bytes()[..], b"{}"].concat(), "E0728", ""),
        ("numbers of terabytes", one("F32", "[1099511627776]", "[0,4398046511104]"), "E0728", ""),
        ("a shape of other numbers", one("F32", "[3]", "[0,8]"), "E0728", ""),
        ("another type", one("F64", "[2]", "[0,8]"), "E0728", ""),
        ("an unknown type", one("F8_E4M3", "[8]", "[0,8]"), "E0723", "`w`"),
        ("overlapping", header(overlap, &[0; 8]), "E0728", ""),
        ("an npz of terabytes", npy("(1099511627776,)"), "E0722", "`w`"),
        ("an npz beyond numbers", npy("(1099511627776, 1099511627776)"), "E0722", "`w`"),
        ("a bomb", archive(&[("w.npy", &zeros)], CompressionMethod::Deflated), "E0729", "limit"),
        ("nothing", Vec::new(), "E0755", ""),
        ("HDF5", b"\x89HDF\r\n\x1a\n".to_vec(), "E0755", "HDF5"),
        ("a program", b"cell A(I) {}".to_vec(), "E0755", ""),
    ]);
    let read = npz::read_within("w", &npy("(0,)"), MOST).expect("an empty array");
    assert_eq!(read["w"].shape, [0]);
}

/// Bytes of real files, cut and changed: refused or read, with no panic, in bounded memory.
#[test]
fn damage_anywhere_is_survived() {
    for name in [
        "views.pt",
        "views_protocol4.pt",
        "whole_module.pt",
        "net_checkpoint.pt",
        "layers.onnx",
        "amp_flat.nam",
        "amp_gru.json",
    ] {
        let path = format!("{}/tests/golden/weights/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).expect("a golden file");
        let step = bytes.len().div_ceil(400);
        for at in (0..bytes.len()).step_by(step) {
            // Fields behind the graph of an ONNX file are not missed, and nothing less than all is read.
            if let Ok(part) = read(&bytes[..at]) {
                let whole = read(&bytes).expect("a file");
                assert!(part.arrays == whole.arrays, "{name}: the first {at} bytes");
            }
            for change in [0x01, 0x15, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                let _ = read(&changed);
            }
        }
    }
}
