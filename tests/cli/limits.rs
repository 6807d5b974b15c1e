//! Nothing costs without bound: every file of a megabyte is checked in a bounded number of steps, every file that claims more
//! than it holds is refused before memory is taken, and every limit names its flag.
//!
//! A check is measured in its counted work, which no machine changes, and by a clock against the time of a file that is known
//! to be read in a moment, with a generous factor.

use crate::support::cli::Place;
use crate::support::limits_texts;
use rnnc::limits::Limits;
use rnnc::pipeline::mistakes;
use rnnc::resolve::load_within;
use rnnc::source::{Loader, Sources};
use rnnc::weights::{Array, Arrays, npz, safetensors};
use std::time::{Duration, Instant};

struct One<'a>(&'a str);

impl Loader for One<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        if path == "main.rnn" { Ok(self.0.to_string()) } else { Err("there is one file".into()) }
    }
}

/// The codes of what a check says, and how long it takes.
fn checked(text: &str, limits: &Limits) -> (Vec<&'static str>, Duration) {
    let begin = Instant::now();
    let mut sources = Sources::default();
    let (library, mut said) = load_within(&mut sources, &One(text), &["main.rnn".to_string()], limits);
    for root in library.roots() {
        said.extend(mistakes(&library, root.file));
    }
    let codes = said.iter().map(|d| d.code).collect();
    (codes, begin.elapsed())
}

/// In a build with optimisation the goal is a second on a machine of its own; without, code is some fifteen times as slow, and
/// machines are shared: what is quadratic takes minutes all the same.
fn most() -> Duration {
    Duration::from_secs(60)
}

#[test]
fn every_file_of_a_megabyte_is_checked_in_bounded_time() {
    // Without optimisation a part of each is enough to tell what is quadratic.
    let size = if cfg!(debug_assertions) { 1 << 15 } else { 1 << 20 };
    let mut late = Vec::new();
    for (name, make) in limits_texts::ALL {
        let text = make(size);
        assert!(text.len() <= size && text.len() > size / 4, "{name}: {} bytes", text.len());
        let (codes, time) = checked(&text, &Limits::DEFAULT);
        if std::env::var_os("RNNC_TIMES").is_some() {
            eprintln!("{:8.3} s {name} {} {:?}", time.as_secs_f64(), codes.len(), codes.first());
        }
        if time > most() {
            late.push((*name, time));
        }
    }
    assert!(late.is_empty(), "{late:?}");
}

#[test]
fn work_is_counted_and_ends() {
    let cells: String =
        (0..300).map(|i| format!("cell A{i}(I, H) = LSTM(I, H) with {{ i = 1 - f }}\n")).collect();
    let few = Limits { work: 50_000, ..Limits::DEFAULT };
    let errors = |codes: Vec<&'static str>| codes.into_iter().filter(|c| *c != "E0262").collect::<Vec<_>>();
    assert_eq!(errors(checked(&cells, &few).0), ["E0927"]);
    let enough = Limits { work: 500_000_000, ..Limits::DEFAULT };
    assert_eq!(errors(checked(&cells, &enough).0), [""; 0]);
    // The same work, whatever else the machine does.
    let least = |cells: &str| {
        let (mut low, mut high) = (0, 1 << 22);
        while low + 1 < high {
            let work = (low + high) / 2;
            let found = checked(cells, &Limits { work, ..Limits::DEFAULT }).0;
            if !found.contains(&"E0927") { high = work } else { low = work }
        }
        high
    };
    let some: String = cells.lines().take(3).map(|l| format!("{l}\n")).collect();
    assert_eq!(least(&some), least(&some));
}

#[test]
fn many_mistakes_end_a_check() {
    let cells: String = (0..1000).map(|i| format!("cell A{i} {{ in x : []; out y }}\n")).collect();
    let codes = checked(&cells, &Limits::DEFAULT).0;
    assert_eq!(codes.last(), Some(&"E0928"));
    assert!(codes.len() < 300, "{}", codes.len());
}

/// What is refused by default, the flag that the message names, and a value for it with which it is not.
#[test]
fn each_limit_has_a_flag_and_the_message_names_it() {
    let place = Place::new();
    let instances = "cell A0 { in x : []; out x }\n".to_string()
        + &(0..7)
            .map(|i| format!("cell A{}{{ in x : []; y = A{i}(x); z = A{i}(x + 1); out y + z }}\n", i + 1))
            .collect::<String>();
    let many: String = (0..1100).map(|i| format!("use \"a{i}.rnn\"\n")).collect();
    for i in 0..1100 {
        place.write(&format!("a{i}.rnn"), format!("cell B{i} {{ in x : []; out x }}\n"));
    }
    let cases = [
        ("source.rnn", "# x\n".repeat(1 << 19), "E0901", "--max-source", "3MiB"),
        ("tokens.rnn", "cell A { in x : []; out x + x }\n".into(), "E0905", "--max-tokens", "14"),
        ("files.rnn", many, "E0922", "--max-files", "2000"),
        (
            "nodes.rnn",
            "cell A { in x : []; y[k in 1..100001] = x; out y[1] }\n".into(),
            "E0921",
            "--max-nodes",
            "200000",
        ),
        ("instances.rnn", instances, "E0925", "--max-instances", "1000"),
        (
            "lag.rnn",
            "cell A { in x : []; state h : [] = 0; h = x + h[t-5000]; out h }\n".into(),
            "E0924",
            "--max-lag",
            "5000",
        ),
        (
            "work.rnn",
            "cell A(I, H) = LSTM(I, H) with { i = 1 - f }\n".into(),
            "E0927",
            "--max-work",
            "1000000",
        ),
    ];
    for (file, text, code, flag, enough) in cases {
        place.write(file, text);
        let less: &[&str] = match flag {
            // By default these are refused only in much longer files.
            "--max-work" => &["--max-work", "500"],
            "--max-instances" => &["--max-instances", "100"],
            "--max-tokens" => &["--max-tokens", "13"],
            _ => &["--max-work", "100000000"],
        };
        let raised = format!("`{flag}` raises the limit");
        place.bad(&[&["check", file][..], less].concat(), &[code, &raised]);
        let mut args = vec!["check", file, flag, enough];
        if flag != "--max-work" {
            args.extend(["--max-work", "100000000"]);
        }
        let ran = place.run(&args);
        assert_eq!(ran.code, 0, "{args:?}\n{}", ran.err);
        place.good(&["explain", code]);
    }
}

fn array(shape: &[usize]) -> Array {
    Array::f32(shape.to_vec(), vec![1.0; shape.iter().product()])
}

#[test]
fn arrays_are_refused_before_memory_is_taken() {
    let place = Place::new();
    place.write("c.rnn", "cell A(I) { in x : [I]; out x + x }\ncell S(I) { in x : [I]; state h : [I] = 0; h = h[t-1] + x; out h }\n");
    let args = ["run", "c.rnn", "--cell", "S(I)", "--in", "in.npz", "--out", "out.npz"];
    place.write("in.npz", npz::write(&Arrays::from([("x".into(), array(&[10, 4, 100]))])).expect("bytes"));
    place.good(&args);
    for (flag, least, code) in [
        ("--max-file", "100", "E0914"),
        ("--max-unpacked", "4KiB", "E0729"),
        ("--max-memory", "10KiB", "E0911"),
    ] {
        place.bad(&[&args[..], &[flag, least]].concat(), &[code, &format!("`{flag}` raises the limit")]);
    }
    // More examples of nothing than any machine has memory for.
    for shape in [&[0, 1 << 40, 3][..], &[5, 1 << 50, 0], &[1 << 60, 1, 0]] {
        let none = Array::f32(shape.to_vec(), Vec::new());
        place.write("in.npz", npz::write(&Arrays::from([("x".into(), none)])).expect("bytes"));
        let ran = place.run(&args);
        assert_eq!(ran.code, 1, "{shape:?}\n{}", ran.err);
    }
}

#[test]
fn a_claim_of_terabytes_costs_nothing() {
    // npy: a shape, no elements.
    let place = Place::new();
    let good = npz::write(&Arrays::from([("x".into(), array(&[1, 1, 1]))])).expect("bytes");
    let text: Vec<u8> = good;
    for (from, to) in [("(1, 1, 1)", "(9, 9, 9)"), ("(1, 1, 1)", "(99999,)")] {
        let at = text.windows(from.len()).position(|w| w == from.as_bytes());
        if let Some(at) = at {
            let mut changed = text.clone();
            let to = format!("{to:<width$}", width = from.len());
            changed[at..at + from.len()].copy_from_slice(&to.as_bytes()[..from.len()]);
            assert!(npz::read("x.npz", &changed).is_err());
        }
    }
    // safetensors: a header of 2^60 bytes, and a tensor of as many.
    let mut claim = (1u64 << 60).to_le_bytes().to_vec();
    claim.extend(b"{}");
    assert_eq!(safetensors::read("x.safetensors", &claim).unwrap_err().code, "E0728");
    let header =
        br#"{"x":{"dtype":"F32","shape":[1073741824,1073741824],"data_offsets":[0,4611686018427387904]}}"#;
    let mut claim = (header.len() as u64).to_le_bytes().to_vec();
    claim.extend(header);
    assert_eq!(safetensors::read("x.safetensors", &claim).unwrap_err().code, "E0728");
    // zip: a gigabyte of zeros in a megabyte.
    let zeros = Arrays::from([("x".into(), array(&[1]))]);
    assert_eq!(npz::read_within("x.npz", &npz::write(&zeros).expect("bytes"), 64).unwrap_err().code, "E0729");
    // bench: more than can be counted.
    for extra in [["--steps", "16777216"], ["--batch", "4294967295"]] {
        let args = [&["bench", "--cell", "LSTM(64, 64)"][..], &extra, &["--batch", "4000000000"]].concat();
        let args = &args[..args.len() - if extra[0] == "--batch" { 2 } else { 0 }];
        place.bad(args, &["E0911", "`--max-memory` raises the limit"]);
    }
    place.bad(
        &["bench", "--cell", "TreeLSTM(4, 4)", "--steps", "16777216", "--batch", "4000000000"],
        &["E0911"],
    );
}

#[test]
fn a_zip_bomb_is_refused_by_what_it_unpacks_to() {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (67108864,), }\n";
    for name in ["a.npy", "b.npy"] {
        zip.start_file(name, options).expect("an entry");
        zip.write_all(b"\x93NUMPY\x01\x00").expect("bytes");
        zip.write_all(&(header.len() as u16).to_le_bytes()).expect("bytes");
        zip.write_all(header.as_bytes()).expect("bytes");
        for _ in 0..64 {
            zip.write_all(&[0; 1 << 20]).expect("bytes");
        }
    }
    let bytes = zip.finish().expect("an archive").into_inner();
    assert!(bytes.len() < 1 << 20);
    // Small integers take four bytes each when they are read: 512 MiB in all.
    let refused = npz::read_within("bomb.npz", &bytes, 300 << 20).unwrap_err();
    assert_eq!(refused.code, "E0729");
    assert!(refused.message.contains("the limit is 300.0 MiB"), "{}", refused.message);
    assert_eq!(npz::read_within("bomb.npz", &bytes, 32 << 20).unwrap_err().code, "E0729");
}

#[test]
fn frames_around_examples_are_counted_before_they_are_made() {
    let place = Place::new();
    place.write("d.csv", "1,2,a\n3,4,b\n");
    let model = |frame: &str| {
        format!(
            "model M(H = 2) {{\n  in x : seq<n> of []\n  in y : id(V)\n  z = Dense(1, V)(mean p in n: [x[p]])\n  out z\n  \
             loss cross_entropy(z, y)\n  data {{ x, y = csv(\"d.csv\", frame = [{frame}]) }}\n  \
             train {{ optimizer = Adam(lr = 1e-2); batch = 1; epochs = 1; seed = 1 }}\n}}\n"
        )
        .replace("(H = 2)", "(V)")
    };
    place.write("m.rnn", model("1000000000"));
    place.bad(&["train", "m.rnn"], &["E0915", "`--max-unpacked` raises the limit"]);
    place.bad(&["train", "m.rnn", "--max-file", "4"], &["E0914", "`--max-file` raises the limit"]);
}

#[test]
fn imports_stay_in_the_folder_of_the_main_file_or_that_of_root() {
    let place = Place::new();
    place.write("lib/c.rnn", "cell C { in x : []; out 2 * x }\n");
    place.write("app/own.rnn", "cell D { in x : []; out x }\n");
    place.write("app/main.rnn", "use \"own.rnn\"\nuse \"../lib/c.rnn\"\ncell E { in x : []; out C(D(x)) }\n");
    place.bad(&["check", "app/main.rnn"], &["E0203", "`--root DIR` names a wider one"]);
    place.good(&["check", "app/main.rnn", "--root", "."]);
    let absolute = place.path("lib/c.rnn").display().to_string();
    place.write("app/main.rnn", format!("use \"{absolute}\"\n"));
    place.bad(&["check", "app/main.rnn", "--root", "."], &["E0203"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(place.path("lib/c.rnn"), place.path("app/link.rnn")).expect("a link");
        std::os::unix::fs::symlink(place.path("lib"), place.path("app/folder")).expect("a link");
        for path in ["link.rnn", "folder/c.rnn"] {
            place.write("app/main.rnn", format!("use \"{path}\"\n"));
            place.bad(&["check", "app/main.rnn"], &["E0203"]);
            place.good(&["check", "app/main.rnn", "--root", "."]);
        }
    }
}

#[test]
fn the_page_of_limits_tells_every_flag_and_code() {
    let page = include_str!("../../docs/limits.md");
    use rnnc::limits as l;
    let flags = [
        l::SOURCE,
        l::TOKENS,
        l::FILES,
        l::NODES,
        l::INSTANCES,
        l::LAG,
        l::WORK,
        l::MEMORY,
        l::FILE,
        l::UNPACKED,
    ];
    for flag in flags {
        assert!(page.contains(&format!("`{flag}")), "{flag}");
    }
    let codes = rnnc::diag::codes::limits::ENTRIES.iter().map(|e| e.code);
    let missing: Vec<&str> = codes.filter(|code| !page.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn messages_about_long_texts_are_short() {
    let place = Place::new();
    place.write("name.rnn", format!("cell A {{ in x : []; out {} }}\n", "a".repeat(1_000_000)));
    let ran = place.run(&["check", "name.rnn"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.len() < 20_000, "{} bytes", ran.err.len());
    place.write("line.rnn", format!("cell A {{ in x : []; {} out y }}\n", "h = x; ".repeat(10)));
    place.write(
        "long.rnn",
        format!(
            "cell A {{ in x : []; {} out y }}\n",
            (0..9999).map(|i| format!("h{i} = x; ")).collect::<String>()
        ),
    );
    let ran = place.run(&["check", "long.rnn"]);
    assert!(ran.err.contains("out y") && ran.err.len() < 100_000, "{}", ran.err.len());
}
