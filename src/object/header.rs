//! The C header of an object: all it promises, and all it asks for.

use super::interface::{Field, Interface, Kind, Port, Run, Stream};
use super::plan::LINE;
use crate::loops::Elem;
use crate::weights::show;
use std::fmt::Write;

/// The header as text. It is C11 and C++11.
pub fn c(i: &Interface) -> String {
    let name = &i.name;
    let upper = name.to_uppercase();
    let mut out = String::new();
    let _ = write!(
        out,
        "/* {name}: {}, for {} ({}), made by rnnc {}. Do not edit.\n *\n{} */\n\
         #ifndef {upper}_H\n#define {upper}_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\n#define {upper}_ALIGN alignas(16)\n#define {upper}_ASSERT(x) static_assert(x, #x)\n\
         extern \"C\" {{\n#else\n#define {upper}_ALIGN _Alignas(16)\n#define {upper}_ASSERT(x) _Static_assert(x, #x)\n#endif\n\n",
        comment(&i.title),
        i.target,
        i.levels.join(", "),
        env!("CARGO_PKG_VERSION"),
        contract(i),
    );
    weights(i, &mut out);
    if let Some(stream) = &i.stream {
        state(i, stream, &mut out);
    }
    for run in &i.runs {
        whole(i, run, &mut out);
    }
    let _ = write!(out, "#ifdef __cplusplus\n}}\n#endif\n#endif\n");
    out
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace('\n', " ")
}

fn contract(i: &Interface) -> String {
    let mut lines = vec![
        "Nothing here allocates, locks, or calls anything; all memory is the caller's. Functions",
        "may be called by several threads at once if they share nothing that is written. Structs",
        "are aligned to 16 bytes; arrays and workspaces are float and may lie anywhere. Arrays are",
        "row-major, one row a step. An output that nobody wants is null. A sequence has at most",
        "16777216 steps, and may have none. Ids out of range count as the nearest in range.",
        "Sums are rounded as this machine does it: other machines agree to about 1e-6.",
    ];
    if !i.inside {
        lines.push("");
        lines.push("Fill the parameters, then call prepare once; again after each change of them.");
    }
    lines.iter().map(|line| format!(" * {line}\n").replace("* \n", "*\n")).collect()
}

fn weights(i: &Interface, out: &mut String) {
    let (name, upper) = (&i.name, i.name.to_uppercase());
    if i.params.is_empty() || (i.inside && !i.runs.iter().any(|r| r.params_adj)) {
        return;
    }
    let _ = writeln!(out, "/* All parameters, one behind another: {upper}_PARAMS floats. */");
    let _ = writeln!(out, "#define {upper}_PARAMS {}", i.params_len);
    let _ = writeln!(out, "typedef struct {name}_params {{");
    for (k, param) in i.params.iter().enumerate() {
        let align = if k == 0 { format!("{upper}_ALIGN ") } else { String::new() };
        let len = param.width();
        if len > 0 {
            let _ = writeln!(
                out,
                "  {align}float {}[{len}]; /* {} {} */",
                param.ident,
                comment(&param.name),
                show(&param.shape)
            );
        }
    }
    let _ = writeln!(out, "}} {name}_params;\n");
    if i.inside {
        return;
    }
    let begin = i.params_len.next_multiple_of(LINE);
    let behind = begin - i.params_len.next_multiple_of(4);
    let _ =
        writeln!(out, "/* Parameters, and what prepare makes of them. */\ntypedef struct {name}_weights {{");
    let _ = writeln!(out, "  {name}_params params;");
    if behind > 0 {
        let _ = writeln!(out, "  float pad_[{behind}];");
    }
    let _ = writeln!(out, "  float prepared_[{}];", i.prepared_len.max(1));
    let _ = writeln!(out, "}} {name}_weights;");
    let _ = writeln!(out, "{upper}_ASSERT(offsetof({name}_weights, prepared_) == {});", begin * 4);
    let _ = writeln!(out, "void {name}_prepare({name}_weights *weights);\n");
}

/// The argument that every function has if the parameters are the caller's.
fn weights_argument(i: &Interface) -> Option<String> {
    (!i.inside).then(|| format!("const {}_weights *weights", i.name))
}

fn element(elem: Elem) -> &'static str {
    match elem {
        Elem::F32 => "float",
        Elem::I32 => "int32_t",
    }
}

fn state(i: &Interface, stream: &Stream, out: &mut String) {
    let (name, upper) = (&i.name, i.name.to_uppercase());
    let _ = writeln!(
        out,
        "/* One sequence under way. Copy it to fork the sequence. Its fields may be read and set between\n * two steps. */"
    );
    let _ = writeln!(out, "typedef struct {name}_state {{");
    for (k, field) in stream.fields.iter().enumerate() {
        let align = if k == 0 { format!("{upper}_ALIGN ") } else { String::new() };
        let _ = writeln!(out, "  {align}{} /* {} */", declaration(field), field.note);
    }
    let align = if stream.fields.is_empty() { format!("{upper}_ALIGN ") } else { String::new() };
    let _ = writeln!(out, "  {align}float scratch_[{}];", stream.scratch);
    let _ = writeln!(out, "}} {name}_state;");
    let _ = writeln!(out, "#define {upper}_STATE_SIZE {}\n#define {upper}_STATE_ALIGN 16", stream.len * 4);
    let _ = writeln!(out, "{upper}_ASSERT(sizeof({name}_state) == {upper}_STATE_SIZE);\n");

    let mut args = vec![format!("{name}_state *state")];
    args.extend(weights_argument(i));
    args.extend(stream.init.iter().map(input));
    let _ = writeln!(out, "/* Begins a sequence.{} */", told(&stream.init));
    let _ = writeln!(out, "void {name}_init({});\n", args.join(", "));

    let mut args = vec![format!("{name}_state *state")];
    args.extend(weights_argument(i));
    args.extend(stream.inputs.iter().map(input));
    args.extend(stream.outputs.iter().map(|p| format!("{} *{}", element(p.elem), p.ident)));
    let all: Vec<Port> = stream.inputs.iter().chain(&stream.outputs).cloned().collect();
    let _ = writeln!(out, "/* One step.{} */", told(&all));
    let _ = writeln!(out, "void {name}_step({});\n", args.join(", "));
}

fn declaration(field: &Field) -> String {
    let extents: String = field.extents.iter().map(|n| format!("[{n}]")).collect();
    let ty = if field.is_counter { "uint32_t" } else { "float" };
    format!("{ty} {}{extents};", field.ident)
}

fn input(port: &Port) -> String {
    format!("const {} *{}", element(port.elem), port.ident)
}

/// ` x [3], h [4].`
fn told(ports: &[Port]) -> String {
    let all: Vec<String> = ports
        .iter()
        .map(|p| {
            let ids = p.symbols.map_or(String::new(), |n| format!(" of ids below {n}"));
            format!("{} {}{ids}", p.ident, show(&p.shape))
        })
        .collect();
    if all.is_empty() { String::new() } else { format!(" {}.", comment(&all.join(", "))) }
}

fn whole(i: &Interface, run: &Run, out: &mut String) {
    let (name, upper, word) = (&i.name, i.name.to_uppercase(), run.kind.word());
    let shape = |p: &Port| {
        let steps = p.over.and_then(|d| run.extents.iter().find(|(e, _)| *e == d)).map(|(_, n)| n.clone());
        let own = p.shape.iter().map(usize::to_string);
        let fixed = p.steps.map(|n| n.to_string());
        let all: Vec<String> = steps.into_iter().chain(fixed).chain(own).collect();
        format!("[{}]", all.join(", "))
    };
    let _ = writeln!(out, "typedef struct {name}_{word}_in {{");
    for p in &run.inputs {
        let ids = p.symbols.map_or(String::new(), |n| format!(", ids below {n}"));
        let null = p.default.map_or(String::new(), |x| format!("; null: {x} everywhere"));
        let _ = writeln!(out, "  {}; /* {}{ids}{null} */", input(p), shape(p));
    }
    if run.inputs.is_empty() {
        let _ = writeln!(out, "  char unused_;");
    }
    let _ = writeln!(out, "}} {name}_{word}_in;\n\ntypedef struct {name}_{word}_out {{");
    for p in &run.outputs {
        let _ = writeln!(out, "  {} *{}; /* {} */", element(p.elem), p.ident, shape(p));
    }
    if run.params_adj {
        let _ = writeln!(out, "  {name}_params *params_adj; /* gradients, each where its parameter is */");
    }
    let _ = writeln!(out, "}} {name}_{word}_out;\n");
    let steps: Vec<&str> = run.extents.iter().map(|(_, n)| n.as_str()).collect();
    let mut size = format!("(size_t){}", run.work.fixed);
    for (domain, each) in &run.work.per {
        if let Some((_, n)) = run.extents.iter().find(|(d, _)| d == domain) {
            let _ = write!(size, " + (size_t){each} * (size_t)({n})");
        }
    }
    let _ = writeln!(out, "/* Floats of the workspace. */");
    let macro_args = if steps.is_empty() { String::new() } else { format!("({})", steps.join(", ")) };
    let _ = writeln!(out, "#define {upper}_{}_WORK{macro_args} ({size})\n", word.to_uppercase());
    let mut args: Vec<String> = weights_argument(i).into_iter().collect();
    args.extend(steps.iter().map(|n| format!("size_t {n}")));
    args.push(format!("const {name}_{word}_in *in"));
    args.push(format!("const {name}_{word}_out *out"));
    args.push("float *work".into());
    let what = match run.kind {
        Kind::Run => "A whole sequence.",
        Kind::Grad => {
            "A whole sequence and back: of the outputs' gradients NAME_adj that are given, the gradients of\n * inputs, \
             initial states and parameters."
        }
    };
    let _ = writeln!(out, "/* {what} */\nvoid {name}_{word}({});\n", args.join(", "));
}
