//! A C++ header around the C one: sizes become types, and a stream an object that begins itself.

use super::header;
use super::interface::{Interface, Port};
use crate::loops::Elem;
use std::fmt::Write;

/// The header as text: the C header, then the wrapper. It is C++14.
pub fn cpp(i: &Interface) -> String {
    let name = &i.name;
    let upper = name.to_uppercase();
    let mut out = header::c(i);
    let _ = write!(
        out,
        "\n#ifndef {upper}_HPP\n#define {upper}_HPP\n\n#include <array>\n#include <cstddef>\n#include <cstdint>\n\
         #include <vector>\n\nnamespace {name} {{\n\n"
    );
    let weights = if i.inside { "" } else { "weights" };
    if let Some(stream) = &i.stream {
        let mut own: Vec<String> = Vec::new();
        let mut begin: Vec<String> = vec!["&state".into()];
        if !i.inside {
            own.push(format!("const {name}_weights &weights"));
            begin.push("weights_".into());
        }
        let early: Vec<String> = stream.init.iter().map(|p| array(p, true)).collect();
        begin.extend(stream.init.iter().map(|p| format!("{}.data()", p.ident)));
        own.extend(early.clone());
        let names: Vec<String> = stream.init.iter().map(|p| p.ident.clone()).collect();
        let holds = if i.inside { String::new() } else { " : weights_(&weights)".into() };
        let explicit = if own.len() == 1 { "explicit " } else { "" };
        let _ = write!(
            out,
            "/// One sequence, step after step. Copy it to fork the sequence. Weights must be prepared, and outlive it.\n\
             class stream {{\npublic:\n  {explicit}stream({}){holds} {{ restart({}); }}\n\n  \
             /// Begins anew.\n  void restart({}) noexcept {{ {name}_init({}); }}\n\n",
            own.join(", "),
            names.join(", "),
            early.join(", "),
            begin.join(", "),
        );
        let mut args: Vec<String> = stream.inputs.iter().map(|p| array(p, true)).collect();
        args.extend(stream.outputs.iter().map(|p| array(p, false)));
        let mut passed: Vec<String> = vec!["&state".into()];
        passed.extend((!i.inside).then(|| "weights_".to_string()));
        passed.extend(stream.inputs.iter().chain(&stream.outputs).map(|p| format!("{}.data()", p.ident)));
        let _ = write!(
            out,
            "  /// One step.\n  void step({}) noexcept {{\n    {name}_step({});\n  }}\n\n  \
             /// What is kept between steps.\n  {name}_state state;\n",
            args.join(", "),
            passed.join(", "),
        );
        if !i.inside {
            let _ = write!(out, "\nprivate:\n  const {name}_weights *weights_;\n");
        }
        let _ = write!(out, "}};\n\n");
    }
    for run in &i.runs {
        let word = run.kind.word();
        let steps: Vec<&str> = run.extents.iter().map(|(_, n)| n.as_str()).collect();
        let size = if steps.is_empty() { String::new() } else { format!("({})", steps.join(", ")) };
        let mut args: Vec<String> = Vec::new();
        args.extend((!i.inside).then(|| format!("const {name}_weights &weights")));
        args.extend(steps.iter().map(|n| format!("std::size_t {n}")));
        args.push(format!("const {name}_{word}_in &in"));
        args.push(format!("const {name}_{word}_out &out"));
        let mut passed: Vec<String> = Vec::new();
        passed.extend((!i.inside).then(|| format!("&{weights}")));
        passed.extend(steps.iter().map(ToString::to_string));
        passed.extend(["&in", "&out", "work.data()"].map(String::from));
        let _ = write!(
            out,
            "/// [{name}_{word}] with a workspace of its own, which is allocated.\n\
             inline void {word}({}) {{\n  std::vector<float> work({}_{}_WORK{size});\n  {name}_{word}({});\n}}\n\n",
            args.join(", "),
            upper,
            word.to_uppercase(),
            passed.join(", "),
        );
    }
    let _ = write!(out, "}} // namespace {name}\n\n#endif\n");
    out
}

fn array(port: &Port, is_input: bool) -> String {
    let elem = match port.elem {
        Elem::F32 => "float",
        Elem::I32 => "std::int32_t",
    };
    let before = if is_input { "const " } else { "" };
    format!("{before}std::array<{elem}, {}> &{}", port.width(), port.ident)
}
