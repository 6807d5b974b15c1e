//! A Rust crate around an object: no standard library, and nothing unsafe for those who use it.
//!
//! In: the [`Interface`]. Out: the files of a package beside the static library, which its build script links.

use super::interface::{Interface, Kind, Param, Port, Run, Stream};
use super::plan::LINE;
use crate::loops::Elem;
use crate::weights::show;
use std::fmt::Write;

/// The name of the static library in the package's folder.
pub fn library(i: &Interface) -> String {
    if i.target.ends_with("windows") { format!("{}.lib", i.name) } else { format!("lib{}.a", i.name) }
}

/// The files of the package with their contents, without the library.
pub fn files(i: &Interface) -> Vec<(&'static str, String)> {
    vec![("Cargo.toml", manifest(i)), ("build.rs", BUILD.replace("NAME", &i.name)), ("src/lib.rs", source(i))]
}

const BUILD: &str = r#"//! Links the library that lies beside this file.

fn main() {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    println!("cargo:rustc-link-search=native={folder}");
    println!("cargo:rustc-link-lib=static=NAME");
    println!("cargo:rerun-if-changed=build.rs");
}
"#;

fn manifest(i: &Interface) -> String {
    format!(
        "[package]\nname = \"{0}\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlinks = \"{0}\"\nbuild = \"build.rs\"\n\n\
         [lib]\npath = \"src/lib.rs\"\n\n[workspace]\n",
        i.name
    )
}

fn source(i: &Interface) -> String {
    let mut out = format!(
        "//! `{}`, for {}, made by rnnc {}. Do not edit.\n//!\n\
         //! Nothing here allocates, locks, or calls anything. Arrays are row-major, one row a step.\n\
         #![no_std]\n#![allow(non_snake_case, non_camel_case_types, clippy::too_many_arguments)]\n\n",
        i.title.replace('`', "'").replace('\n', " "),
        i.target,
        env!("CARGO_PKG_VERSION"),
    );
    let with_params = !i.params.is_empty() && (!i.inside || i.runs.iter().any(|r| r.params_adj));
    if with_params {
        params(i, &mut out);
    }
    if let Some(stream) = &i.stream {
        state(i, stream, &mut out);
    }
    for run in &i.runs {
        whole(i, run, &mut out);
    }
    externs(i, &mut out);
    out
}

fn fields(params: &[Param]) -> impl Iterator<Item = &Param> {
    params.iter().filter(|p| p.width() > 0)
}

fn params(i: &Interface, out: &mut String) {
    let _ = write!(
        out,
        "/// All parameters, one behind another.\n#[repr(C, align(16))]\n#[derive(Clone, Copy)]\npub struct Params {{\n"
    );
    for p in fields(&i.params) {
        let _ = writeln!(out, "    /// {}\n    pub {}: [f32; {}],", show(&p.shape), p.ident, p.width());
    }
    let zeros: String = fields(&i.params).map(|p| format!("{}: [0.0; {}], ", p.ident, p.width())).collect();
    let _ = write!(
        out,
        "}}\n\nimpl Params {{\n    pub const ZERO: Params = Params {{ {zeros}}};\n    \
         /// How many there are.\n    pub const LEN: usize = {};\n}}\n\n",
        i.params_len
    );
    if i.inside {
        return;
    }
    let begin = i.params_len.next_multiple_of(LINE);
    let behind = begin - i.params_len.next_multiple_of(4);
    let prepared = i.prepared_len.max(1);
    let _ = write!(
        out,
        "/// Parameters, and what follows from them.\n#[repr(C, align(16))]\n#[derive(Clone)]\npub struct Weights {{\n    \
         params: Params,\n    pad: [f32; {behind}],\n    prepared: [f32; {prepared}],\n}}\n\n\
         impl Weights {{\n    /// All parameters are 0; such a value may be a static one.\n    pub const fn new() -> Weights {{\n        \
         Weights {{ params: Params::ZERO, pad: [0.0; {behind}], prepared: [0.0; {prepared}] }}\n    }}\n\n    \
         pub fn params(&self) -> &Params {{\n        &self.params\n    }}\n\n    \
         /// Changes parameters, and computes what follows from them.\n    \
         pub fn change(&mut self, change: impl FnOnce(&mut Params)) {{\n        change(&mut self.params);\n        \
         // SAFETY: the struct is laid out as the function wants it, and is borrowed exclusively.\n        \
         unsafe {{ {}_prepare(self) }}\n    }}\n}}\n\n\
         impl Default for Weights {{\n    fn default() -> Weights {{\n        Weights::new()\n    }}\n}}\n\n",
        i.name
    );
}

fn element(elem: Elem) -> &'static str {
    match elem {
        Elem::F32 => "f32",
        Elem::I32 => "i32",
    }
}

fn array(port: &Port, is_input: bool) -> String {
    let lend = if is_input { "&" } else { "&mut " };
    format!("{}: {lend}[{}; {}]", port.ident, element(port.elem), port.width())
}

fn pointer(port: &Port, is_input: bool) -> String {
    format!("{}.{}()", port.ident, if is_input { "as_ptr" } else { "as_mut_ptr" })
}

fn state(i: &Interface, stream: &Stream, out: &mut String) {
    let name = &i.name;
    let _ = write!(
        out,
        "/// What is kept between two steps.\n#[repr(C, align(16))]\n#[derive(Clone, Copy)]\npub struct State {{\n"
    );
    let mut zeros = String::new();
    for field in &stream.fields {
        let ty = field
            .extents
            .iter()
            .rev()
            .fold(if field.is_counter { "u32".to_string() } else { "f32".to_string() }, |inner, n| {
                format!("[{inner}; {n}]")
            });
        let zero = field
            .extents
            .iter()
            .rev()
            .fold(if field.is_counter { "0".to_string() } else { "0.0".to_string() }, |inner, n| {
                format!("[{inner}; {n}]")
            });
        let _ = writeln!(out, "    /// {}\n    pub {}: {ty},", field.note, field.ident);
        let _ = write!(zeros, "{}: {zero}, ", field.ident);
    }
    let _ = write!(out, "    scratch: [f32; {}],\n}}\n\n", stream.scratch);
    let (life, holds, weights, own) = match i.inside {
        true => ("", "", "", ""),
        false => ("<'w>", "    weights: &'w Weights,\n", "weights: &'w Weights", "weights, "),
    };
    let early: Vec<String> = stream.init.iter().map(|p| array(p, true)).collect();
    let mut args: Vec<String> = (!i.inside).then(|| weights.to_string()).into_iter().collect();
    args.extend(early.clone());
    let names: Vec<String> = stream.init.iter().map(|p| p.ident.clone()).collect();
    let passed = |ports: &mut dyn Iterator<Item = String>| {
        let mut all = vec!["&mut self.state".to_string()];
        all.extend((!i.inside).then(|| "self.weights".to_string()));
        all.extend(ports);
        all.join(", ")
    };
    let begin = passed(&mut stream.init.iter().map(|p| pointer(p, true)));
    let given = stream.inputs.iter().map(|p| pointer(p, true));
    let step = passed(&mut given.chain(stream.outputs.iter().map(|p| pointer(p, false))));
    let mut step_args: Vec<String> = stream.inputs.iter().map(|p| array(p, true)).collect();
    step_args.extend(stream.outputs.iter().map(|p| array(p, false)));
    let comma = |list: &[String]| list.iter().map(|a| format!(", {a}")).collect::<String>();
    let _ = write!(
        out,
        "/// One sequence, step after step. Clone it to fork the sequence.\n#[derive(Clone)]\n\
         pub struct Stream{life} {{\n    pub state: State,\n{holds}}}\n\nimpl{life} Stream{life} {{\n    \
         pub fn new({}) -> Self {{\n        let state = State {{ {zeros}scratch: [0.0; {}] }};\n        \
         let mut stream = Stream {{ state, {own}}};\n        stream.restart({});\n        stream\n    }}\n\n    \
         /// Begins anew.\n    pub fn restart(&mut self{}) {{\n        \
         // SAFETY: the state is laid out as the function wants it; arrays have the lengths of their types.\n        \
         unsafe {{ {name}_init({begin}) }}\n    }}\n\n    \
         /// One step.\n    pub fn step(&mut self{}) {{\n        \
         // SAFETY: as in `restart`; what is written is borrowed exclusively.\n        \
         unsafe {{ {name}_step({step}) }}\n    }}\n}}\n\n",
        args.join(", "),
        stream.scratch,
        names.join(", "),
        comma(&early),
        comma(&step_args),
    );
}

/// `Run` or `Grad` with what follows.
fn title(run: &Run, what: &str) -> String {
    let word = match run.kind {
        Kind::Run => "Run",
        Kind::Grad => "Grad",
    };
    format!("{word}{what}")
}

fn whole(i: &Interface, run: &Run, out: &mut String) {
    let (name, word) = (&i.name, run.kind.word());
    let steps: Vec<&str> = run.extents.iter().map(|(_, n)| n.as_str()).collect();
    let shape = |p: &Port| {
        let over = p.over.and_then(|d| run.extents.iter().find(|(e, _)| *e == d)).map(|(_, n)| n.clone());
        let fixed = p.steps.map(|n| n.to_string());
        let own = p.shape.iter().map(usize::to_string);
        let all: Vec<String> = over.into_iter().chain(fixed).chain(own).collect();
        format!("[{}]", all.join(", "))
    };
    let _ = writeln!(
        out,
        "/// What goes into [`{word}`].\n#[derive(Clone, Copy)]\npub struct {}<'a> {{",
        title(run, "In")
    );
    for p in &run.inputs {
        let ty = format!("&'a [{}]", element(p.elem));
        let ty = if p.default.is_some() { format!("Option<{ty}>") } else { ty };
        let _ = writeln!(out, "    /// {}\n    pub {}: {ty},", shape(p), p.ident);
    }
    if run.inputs.is_empty() {
        let _ = writeln!(out, "    pub unused_: &'a [f32],");
    }
    let _ = writeln!(
        out,
        "}}\n\n/// What comes out of [`{word}`]; nothing where nobody wants it.\n#[derive(Default)]\npub struct {}<'a> {{",
        title(run, "Out")
    );
    for p in &run.outputs {
        let _ = writeln!(
            out,
            "    /// {}\n    pub {}: Option<&'a mut [{}]>,",
            shape(p),
            p.ident,
            element(p.elem)
        );
    }
    if run.params_adj {
        let _ = writeln!(out, "    pub params_adj: Option<&'a mut Params>,");
    }
    let counts: Vec<String> = steps.iter().map(|n| format!("{n}: usize")).collect();
    let mut size = run.work.fixed.to_string();
    for (domain, each) in &run.work.per {
        if let Some((_, n)) = run.extents.iter().find(|(d, _)| d == domain) {
            let _ = write!(size, " + {each} * {n}");
        }
    }
    let _ = write!(
        out,
        "}}\n\n/// Numbers that [`{word}`] works on.\npub const fn {word}_work({}) -> usize {{\n    {size}\n}}\n\n",
        counts.join(", ")
    );
    let mut args: Vec<String> = (!i.inside).then(|| "weights: &Weights".to_string()).into_iter().collect();
    args.extend(counts);
    args.push(format!("given: {}", title(run, "In")));
    args.push(format!("mut out: {}", title(run, "Out")));
    args.push("work: &mut [f32]".into());
    let len = |p: &Port| match p.over.map(|d| run.extents.iter().find(|(e, _)| *e == d)) {
        None => Some(p.width().to_string()),
        Some(Some((_, n))) => Some(format!("{n} * {}", p.width())),
        Some(None) => p.steps.map(|n| (n * p.width()).to_string()),
    };
    let _ = write!(
        out,
        "/// A whole sequence{}.\n///\n/// # Panics\n/// If an array has another length than its shape says, or the workspace is too \
         short.\npub fn {word}({}) {{\n    assert!(work.len() >= {word}_work({}), \"the workspace is too short\");\n",
        if run.kind == Kind::Grad { ", and back" } else { "" },
        args.join(", "),
        steps.join(", "),
    );
    for n in &steps {
        let _ = writeln!(out, "    assert!({n} <= 1 << 24, \"more steps than a sequence may have\");");
    }
    for p in &run.inputs {
        let Some(len) = len(p) else { continue };
        let test = match p.default {
            Some(_) => format!("given.{0}.is_none_or(|a| a.len() == {len})", p.ident),
            None => format!("given.{0}.len() == {len}", p.ident),
        };
        let _ = writeln!(out, "    assert!({test}, \"the length of `{}`\");", p.ident);
    }
    for p in &run.outputs {
        let Some(len) = len(p) else { continue };
        let _ = writeln!(
            out,
            "    assert!(out.{0}.as_ref().is_none_or(|a| a.len() == {len}), \"the length of `{0}`\");",
            p.ident
        );
    }
    let _ = writeln!(out, "    let given = {name}_{word}_in {{");
    for p in &run.inputs {
        let value = match p.default {
            Some(_) => format!("given.{}.map_or(core::ptr::null(), |a| a.as_ptr())", p.ident),
            None => format!("given.{}.as_ptr()", p.ident),
        };
        let _ = writeln!(out, "        {}: {value},", p.ident);
    }
    if run.inputs.is_empty() {
        let _ = writeln!(out, "        unused_: 0,");
    }
    let _ = writeln!(out, "    }};\n    let out = {name}_{word}_out {{");
    for p in &run.outputs {
        let _ = writeln!(
            out,
            "        {0}: out.{0}.as_mut().map_or(core::ptr::null_mut(), |a| a.as_mut_ptr()),",
            p.ident
        );
    }
    if run.params_adj {
        let _ = writeln!(
            out,
            "        params_adj: out.params_adj.as_mut().map_or(core::ptr::null_mut(), |p| *p as *mut Params),"
        );
    }
    let mut passed: Vec<String> = (!i.inside).then(|| "weights".to_string()).into_iter().collect();
    passed.extend(steps.iter().map(ToString::to_string));
    passed.extend(["&given", "&out", "work.as_mut_ptr()"].map(String::from));
    let _ = write!(
        out,
        "    }};\n    // SAFETY: all arrays have the lengths that the function goes through, as was just looked at, and live on; what \
         is\n    // written is borrowed exclusively.\n    unsafe {{ {name}_{word}({}) }}\n}}\n\n",
        passed.join(", ")
    );
    let _ = writeln!(out, "#[repr(C)]\nstruct {name}_{word}_in {{");
    for p in &run.inputs {
        let _ = writeln!(out, "    {}: *const {},", p.ident, element(p.elem));
    }
    if run.inputs.is_empty() {
        let _ = writeln!(out, "    unused_: u8,");
    }
    let _ = writeln!(out, "}}\n\n#[repr(C)]\nstruct {name}_{word}_out {{");
    for p in &run.outputs {
        let _ = writeln!(out, "    {}: *mut {},", p.ident, element(p.elem));
    }
    if run.params_adj {
        let _ = writeln!(out, "    params_adj: *mut Params,");
    }
    let _ = write!(out, "}}\n\n");
}

fn externs(i: &Interface, out: &mut String) {
    let name = &i.name;
    let weights = (!i.inside).then(|| "weights: *const Weights".to_string());
    let _ = writeln!(out, "extern \"C\" {{");
    if !i.inside {
        let _ = writeln!(out, "    fn {name}_prepare(weights: *mut Weights);");
    }
    let raw = |p: &Port, is_input: bool| {
        format!("{}: *{} {}", p.ident, if is_input { "const" } else { "mut" }, element(p.elem))
    };
    if let Some(stream) = &i.stream {
        let begin = || std::iter::once("state: *mut State".to_string()).chain(weights.clone());
        let init: Vec<String> = begin().chain(stream.init.iter().map(|p| raw(p, true))).collect();
        let outputs = stream.outputs.iter().map(|p| raw(p, false));
        let step: Vec<String> =
            begin().chain(stream.inputs.iter().map(|p| raw(p, true))).chain(outputs).collect();
        let _ = writeln!(
            out,
            "    fn {name}_init({});\n    fn {name}_step({});",
            init.join(", "),
            step.join(", ")
        );
    }
    for run in &i.runs {
        let word = run.kind.word();
        let mut args: Vec<String> = weights.clone().into_iter().collect();
        args.extend(run.extents.iter().map(|(_, n)| format!("{n}: usize")));
        args.push(format!("given: *const {name}_{word}_in"));
        args.push(format!("out: *const {name}_{word}_out"));
        args.push("work: *mut f32".into());
        let _ = writeln!(out, "    fn {name}_{word}({});", args.join(", "));
    }
    let _ = writeln!(out, "}}");
}
