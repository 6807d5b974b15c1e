//! The text form of a [`Program`], for reading and for snapshots.

use super::{
    Access, Arg, Buffer, Coordinate, Effect, Elem, Front, Inst, Kernel, Nest, Operand, Place, Program,
    ReduceOp, Relation, Stage, Table, ValueId,
};
use crate::eqn::{DomainId, Offset};
use std::fmt::Write;

pub fn print(program: &Program) -> String {
    let mut p = Printer { program, text: String::new() };
    // Writing to a string cannot fail.
    let _ = p.program();
    p.text
}

impl Front {
    /// `2*i + j`, with these variables of the axes.
    pub fn show<'a>(&self, var: impl Fn(DomainId) -> &'a str) -> String {
        let mut text = String::new();
        for (axis, k) in &self.0 {
            let sign = match (text.is_empty(), *k < 0) {
                (true, false) => "",
                (true, true) => "−",
                (false, false) => " + ",
                (false, true) => " − ",
            };
            text.push_str(sign);
            match k.unsigned_abs() {
                1 => text.push_str(var(*axis)),
                k => text.push_str(&format!("{k}*{}", var(*axis))),
            }
        }
        text
    }
}

impl Program {
    pub fn show_front(&self, front: &Front) -> String {
        front.show(|axis| self.domains.get(axis.index()).map_or("?", |d| &*d.var))
    }
}

struct Printer<'a> {
    program: &'a Program,
    text: String,
}

impl Printer<'_> {
    fn program(&mut self) -> std::fmt::Result {
        let program = self.program;
        if !program.name.is_empty() {
            writeln!(self.text, "# {}", program.name)?;
        }
        for (i, b) in program.buffers.iter().enumerate() {
            let elem = if b.elem == Elem::I32 { " ids" } else { "" };
            writeln!(self.text, "b{i} {} : [{}]{elem} {}", b.name, b.width, self.place(b.place))?;
        }
        for (i, w) in program.weights.iter().enumerate() {
            writeln!(self.text, "w{i} {} : [{}, {}]", w.name, w.k, w.n)?;
        }
        for d in program.domains.iter().filter(|d| !d.order.is_empty()) {
            let order: Vec<String> = d.order.iter().map(|f| program.show_front(f)).collect();
            writeln!(self.text, "rows over {} by {}", d.extent, order.join(", then "))?;
        }
        for (i, t) in program.tables.iter().enumerate() {
            let from: Vec<String> = t.from.iter().map(|p| self.place(*p)).collect();
            let (to, relation) = (self.place(t.to), self.relation(t));
            writeln!(self.text, "x{i} {to} from {}: {relation}", from.join(", "))?;
        }
        for input in &program.inputs {
            writeln!(self.text, "in  {} = {}", input.name, self.operand(&input.at))?;
        }
        for output in &program.outputs {
            writeln!(self.text, "out {} = {}", output.name, self.operand(&output.at))?;
        }
        if !program.prepare.is_empty() {
            writeln!(self.text, "prepare")?;
            self.stages(&program.prepare, 1)?;
        }
        writeln!(self.text, "run")?;
        self.stages(&program.stages, 1)
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Shared => "shared".into(),
            Place::Example => "per example".into(),
            Place::Over { domain, before, after } => {
                let extent = self.program.domains.get(domain.index()).map_or("?", |d| &*d.extent);
                match (before, after) {
                    (0, 0) => format!("over {extent}"),
                    _ => format!("over {extent} −{before} +{after}"),
                }
            }
        }
    }

    fn relation(&self, table: &Table) -> String {
        let extent = |d: &crate::eqn::DomainId| {
            self.program.domains.get(d.index()).map_or("?".to_string(), |d| d.extent.to_string())
        };
        match &table.relation {
            Relation::Same => "the same point".into(),
            Relation::Lag { domain, offset, init, sides } => {
                let axes =
                    self.program.domains.get(domain.index()).map_or(1, |d| d.kind.parts().len().max(1));
                let offset = match offset {
                    Offset::By(by) => format!("{:?}", &by[..axes.min(by.len())]),
                    Offset::Child(k) => format!("child {k}"),
                    Offset::Parent(k) => format!("parent {k}"),
                    Offset::EachChild(_) => "each child".into(),
                    Offset::FromEach(_) => "parent".into(),
                };
                format!("{} at {offset}, {init} outside, {} sides", extent(domain), sides.len())
            }
            Relation::At { axis, point } => format!("{point:?} of {}", extent(axis)),
            Relation::Remap(maps) => {
                let map = |m: &crate::eqn::AxisMap| format!("{} for {}", extent(&m.from), extent(&m.to));
                maps.iter().map(map).collect::<Vec<_>>().join(", ")
            }
            Relation::Flatten { grid, line, back } => {
                let grid: Vec<String> = grid.iter().map(extent).collect();
                let (grid, line) = (grid.join(" "), extent(line));
                if *back { format!("{line} for {grid}") } else { format!("{grid} for {line}") }
            }
            Relation::Parts(axis) => format!("one for each of {}", extent(axis)),
            Relation::Below => "all points".into(),
        }
    }

    fn buffer(&self, o: &Operand) -> Option<&Buffer> {
        self.program.buffers.get(o.buffer.index())
    }

    fn operand(&self, o: &Operand) -> String {
        let mut text = format!("b{}", o.buffer.0);
        if o.column != 0 {
            let _ = write!(text, ".{}", o.column);
        }
        if o.lag != 0 {
            let var = match self.buffer(o).map(|b| b.place) {
                Some(Place::Over { domain, .. }) => self.program.domains.get(domain.index()).map(|d| &*d.var),
                _ => None,
            };
            let _ = write!(text, "[{}{:+}]", var.unwrap_or("t"), o.lag);
        }
        text
    }

    fn stages(&mut self, stages: &[Stage], depth: usize) -> std::fmt::Result {
        for stage in stages {
            let indent = "  ".repeat(depth);
            self.text.push_str(&indent);
            match stage {
                Stage::Loop { domain, reverse, body } => {
                    let d = self.program.domains.get(domain.index());
                    let (var, extent) = d.map_or(("t", "?"), |d| (&*d.var, &*d.extent));
                    let order = if *reverse { format!("{extent}..1") } else { format!("1..{extent}") };
                    writeln!(self.text, "for {var} in {order}")?;
                    self.stages(body, depth + 1)?;
                }
                Stage::Fronts { front, reverse, body } => {
                    let way = if *reverse { "down" } else { "up" };
                    writeln!(self.text, "for fronts of {} {way}", self.program.show_front(front))?;
                    self.stages(body, depth + 1)?;
                }
                Stage::Collect { from, out, width, table } => {
                    let from: Vec<String> = from.iter().map(|o| self.operand(o)).collect();
                    let out = self.operand(out);
                    writeln!(self.text, "{out} = collect {} [{width}] by x{}", from.join(", "), table.0)?;
                }
                Stage::Fold { fold, from, out, width, table } => {
                    let (from, out) = (self.operand(from), self.operand(out));
                    writeln!(self.text, "{out} = {} of {from} [{width}] by x{}", fold.word(), table.0)?;
                }
                Stage::Number { of, axis, out } => {
                    let of = match of {
                        Coordinate::Position => "position along",
                        Coordinate::Length => "length of",
                    };
                    let axis = self.program.domains.get(axis.index()).map_or("?", |d| &*d.extent);
                    writeln!(self.text, "{} = {of} {axis}", self.operand(out))?;
                }
                Stage::Product { a, weight, out, accumulate } => {
                    let (op, a, out) =
                        (if *accumulate { "+=" } else { "=" }, self.operand(a), self.operand(out));
                    let size = self.program.weights.get(weight.index()).map_or((0, 0), |w| (w.k, w.n));
                    writeln!(self.text, "{out} {op} {a} @ w{}  [{}, {}]", weight.0, size.0, size.1)?;
                }
                Stage::Outer { a, m, b, n, rows, out, out_stride, accumulate } => {
                    let (op, a, b) = (if *accumulate { "+=" } else { "=" }, self.operand(a), self.operand(b));
                    let stride =
                        if out_stride == n { String::new() } else { format!(" stride {out_stride}") };
                    let out = self.operand(out);
                    let rows = rows.map_or(String::new(), |rows| format!(" of {rows} rows"));
                    writeln!(self.text, "{out} {op} {a}ᵀ @ {b}  [{m}, {n}]{rows}{stride}")?;
                }
                Stage::Tally { index, value, out, width, symbols } => {
                    let (index, value, out) = (self.operand(index), self.operand(value), self.operand(out));
                    writeln!(self.text, "{out} = sum of {value} by {index}  [{symbols}, {width}]")?;
                }
                Stage::Map { kernel, over, args } => {
                    let over = self.place(*over);
                    match self.program.kernels.get(kernel.index()) {
                        Some(k) => {
                            writeln!(self.text, "kernel k{} {over}: {}", kernel.0, k.name)?;
                            self.kernel(k, args, depth + 1)?;
                        }
                        None => writeln!(self.text, "kernel k{}?", kernel.0)?,
                    }
                }
                Stage::Fill { out, width, value } => {
                    let out = self.operand(out);
                    writeln!(self.text, "fill {out} [{width}] with {value}")?;
                }
                Stage::Boundary { state, width, from, distance, after } => {
                    let side = if *after { "behind" } else { "before" };
                    let (state, from) = (self.operand(state), self.operand(from));
                    writeln!(self.text, "boundary {state} [{width}] {distance} {side} = {from}")?;
                }
                Stage::Mask { out, width, fill } => {
                    let fill = fill.as_ref().map_or("0".into(), |f| self.operand(f));
                    let out = self.operand(out);
                    writeln!(self.text, "mask {out} [{width}] = {fill}")?;
                }
                Stage::Reverse { from, out, width } => {
                    let (from, out) = (self.operand(from), self.operand(out));
                    writeln!(self.text, "{out} = reverse {from} [{width}]")?;
                }
                Stage::Take { from, out, width, point, empty } => {
                    let (from, out, empty) = (self.operand(from), self.operand(out), self.operand(empty));
                    writeln!(self.text, "{out} = {point:?} of {from} [{width}], empty {empty}")?;
                }
            }
        }
        Ok(())
    }

    fn kernel(&mut self, k: &Kernel, args: &[Arg], depth: usize) -> std::fmt::Result {
        let names: Vec<String> = args
            .iter()
            .map(|a| match a {
                Arg::Rows(o) => self.operand(o),
                Arg::Weight(w) => format!("w{}", w.0),
                Arg::Position(_) => "position".into(),
                Arg::Length(_) => "length".into(),
            })
            .collect();
        for nest in &k.nests {
            let extents: Vec<String> = nest.extents.iter().map(|e| e.to_string()).collect();
            writeln!(self.text, "{}[{}]", "  ".repeat(depth), extents.join(", "))?;
            NestPrinter { nest, names: &names }.print(&mut self.text, depth + 1)?;
        }
        Ok(())
    }
}

struct NestPrinter<'a> {
    nest: &'a Nest,
    names: &'a [String],
}

impl NestPrinter<'_> {
    /// Loads and constants stand where they are used; everything else has a line.
    fn print(&self, text: &mut String, depth: usize) -> std::fmt::Result {
        let indent = "  ".repeat(depth);
        for (i, inst) in self.nest.insts.iter().enumerate() {
            let line = match inst {
                Inst::Const(_) | Inst::Load(_) | Inst::Scalar(_) | Inst::Index(_) => continue,
                Inst::LoadAt { access, index, stride } => {
                    format!("{} at s{}*{stride}", self.access(access), index.0)
                }
                Inst::Unary(u, a) => format!("{}({})", format!("{u:?}").to_lowercase(), self.value(*a)),
                Inst::Binary(b, x, y) => {
                    format!("{} {} {}", self.value(*x), format!("{b:?}").to_lowercase(), self.value(*y))
                }
                Inst::Fma(a, b, c) => {
                    format!("{} mul {} add {}", self.value(*a), self.value(*b), self.value(*c))
                }
                Inst::Select(c, a, b) => {
                    format!("if {} then {} else {}", self.value(*c), self.value(*a), self.value(*b))
                }
            };
            writeln!(text, "{indent}v{i} = {line}")?;
        }
        for effect in &self.nest.effects {
            let line = match effect {
                Effect::Store { access, value } => {
                    format!("{} = {}", self.access(access), self.value(*value))
                }
                Effect::Add { access, value } => format!("{} += {}", self.access(access), self.value(*value)),
                Effect::AddAt { access, index, stride, value } => {
                    format!("{} at s{}*{stride} += {}", self.access(access), index.0, self.value(*value))
                }
                Effect::Reduce { fold, value, into } => {
                    format!("s{} = {} {}", into.0, fold_name(*fold), self.value(*value))
                }
                Effect::ReduceInner { fold, value, access, add } => {
                    let op = if *add { "+=" } else { "=" };
                    format!("{} {op} {} {}", self.access(access), fold_name(*fold), self.value(*value))
                }
                Effect::Contract { a, b, access, add } => {
                    let op = if *add { "+=" } else { "=" };
                    format!("{} {op} {} @ {}", self.access(access), self.value(*a), self.value(*b))
                }
                Effect::Set { value, into } => format!("s{} = {}", into.0, self.value(*value)),
            };
            writeln!(text, "{indent}{line}")?;
        }
        Ok(())
    }

    fn value(&self, v: ValueId) -> String {
        match self.nest.insts.get(v.index()) {
            Some(Inst::Const(c)) => format!("{c}"),
            Some(Inst::Load(a)) => self.access(a),
            Some(Inst::Scalar(s)) => format!("s{}", s.0),
            Some(Inst::Index(axis)) => format!("i{axis}"),
            _ => format!("v{}", v.0),
        }
    }

    /// `b3[t-1].64(i0)`: row, offset, loops with their strides.
    fn access(&self, a: &Access) -> String {
        let mut text = self.names.get(a.arg.index()).cloned().unwrap_or_else(|| format!("arg{}", a.arg.0));
        if a.offset != 0 {
            let _ = write!(text, ".{}", a.offset);
        }
        let natural = |d: usize| self.nest.extents[d + 1..].iter().product::<usize>();
        let plain = a.strides.len() == self.nest.extents.len()
            && a.strides.iter().enumerate().all(|(d, s)| *s == natural(d));
        if !plain {
            let strides: Vec<String> = a.strides.iter().map(|s| s.to_string()).collect();
            let _ = write!(text, "({})", strides.join(", "));
        }
        text
    }
}

fn fold_name(fold: ReduceOp) -> &'static str {
    match fold {
        ReduceOp::Sum => "sum",
        ReduceOp::Prod => "prod",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
        ReduceOp::ArgMax => "argmax",
    }
}
