//! What a caller of an object sees: functions, structs and their sizes. From it every header and wrapper is written.
//!
//! Names are those of the equations, spelled with the letters that C has ([`names`](super::names)).

use super::names::Names;
use super::plan::{Home, LINE, Plan, Size, parts};
use crate::eqn::DomainId;
use crate::loops::{Elem, Input, InputKind, Place, Program};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct Interface {
    /// What all names of the object begin with.
    pub name: String,
    /// The recipe, for reading.
    pub title: String,
    pub target: String,
    /// Of x86-64: what its code may use, the lowest first.
    pub levels: Vec<&'static str>,
    /// In the order of the struct.
    pub params: Vec<Param>,
    /// Elements of all parameters, and of what follows from them.
    pub params_len: usize,
    pub prepared_len: usize,
    /// The parameters are in the object.
    pub inside: bool,
    pub stream: Option<Stream>,
    pub runs: Vec<Run>,
}

#[derive(Clone, Debug)]
pub struct Param {
    pub name: String,
    pub ident: String,
    pub shape: Vec<usize>,
    /// Its first element in the struct.
    pub at: usize,
}

impl Param {
    /// Elements.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

/// An array that goes in or out.
#[derive(Clone, Debug)]
pub struct Port {
    pub name: String,
    pub ident: String,
    pub shape: Vec<usize>,
    pub elem: Elem,
    /// The number of symbols, for ids.
    pub symbols: Option<usize>,
    /// The domain it has a row per step of.
    pub over: Option<DomainId>,
    /// That domain's steps, if their number is fixed.
    pub steps: Option<usize>,
    /// What a null pointer means; without it none may be given. (Of outputs: that nobody wants it.)
    pub default: Option<f32>,
}

impl Port {
    /// Elements.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A part of a stream's state.
#[derive(Clone, Debug)]
pub struct Field {
    pub ident: String,
    /// Extents; the last is that of a row.
    pub extents: Vec<usize>,
    pub is_counter: bool,
    pub note: &'static str,
}

#[derive(Clone, Debug)]
pub struct Stream {
    pub fields: Vec<Field>,
    /// Elements of the state behind its fields, which mean nothing between two steps.
    pub scratch: usize,
    /// Elements of all of it.
    pub len: usize,
    /// Given when it begins.
    pub init: Vec<Port>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Run,
    Grad,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Grad => "grad",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Run {
    pub kind: Kind,
    /// Domains whose number of steps the caller says, with their names.
    pub extents: Vec<(DomainId, String)>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    /// Gradients of parameters are written to a struct of its own.
    pub params_adj: bool,
    /// Elements of the workspace.
    pub work: Size,
}

/// The domain a place has a row per step of, if the caller's array has.
fn over(place: Place) -> Option<DomainId> {
    match place {
        Place::Over { domain, .. } => Some(domain),
        Place::Shared | Place::Example => None,
    }
}

fn fixed(program: &Program, place: Place) -> Option<usize> {
    program.domains.get(over(place)?.index())?.fixed().map(|n| n as usize)
}

fn port(program: &Program, input: &Input, names: &mut Names) -> Port {
    let buffer = &program.buffers[input.at.buffer.index()];
    Port {
        name: input.name.to_string(),
        ident: names.of(&input.name),
        shape: input.shape.clone(),
        elem: buffer.elem,
        symbols: input.symbols,
        over: over(buffer.place),
        steps: fixed(program, buffer.place),
        default: default(program, input),
    }
}

/// What an input is where nobody gives it.
pub fn default(program: &Program, input: &Input) -> Option<f32> {
    match &input.kind {
        InputKind::Initial { default, .. } => Some(*default),
        InputKind::Cotangent => {
            let place = program.buffers[input.at.buffer.index()].place;
            let is_loss = &*input.name == "loss_adj" && input.shape.is_empty() && place == Place::Example;
            Some(if is_loss { 1.0 } else { 0.0 })
        }
        InputKind::Given | InputKind::Param(_) | InputKind::Noise(_) => None,
    }
}

fn is_param(input: &Input) -> bool {
    matches!(input.kind, InputKind::Param(_))
}

/// Inputs that are handed over at each step.
pub fn is_stepwise(program: &Program, domain: DomainId, input: &Input) -> bool {
    over(program.buffers[input.at.buffer.index()].place) == Some(domain)
}

/// Inputs of a stream that are given when it begins.
pub fn is_early(program: &Program, domain: DomainId, input: &Input) -> bool {
    !is_param(input) && !is_stepwise(program, domain, input) && default(program, input).is_none()
}

/// Outputs of each step.
pub fn stepwise_outputs(program: &Program, domain: DomainId) -> impl Iterator<Item = usize> {
    (0..program.outputs.len())
        .filter(move |i| over(program.buffers[program.outputs[*i].at.buffer.index()].place) == Some(domain))
}

fn output(program: &Program, i: usize, names: &mut Names) -> Port {
    let out = &program.outputs[i];
    let buffer = &program.buffers[out.at.buffer.index()];
    Port {
        name: out.name.to_string(),
        ident: names.of(&out.name),
        shape: out.shape.clone(),
        elem: buffer.elem,
        symbols: None,
        over: over(buffer.place),
        steps: fixed(program, buffer.place),
        default: None,
    }
}

impl Stream {
    pub fn of(program: &Program, plan: &Plan) -> Option<Stream> {
        let (_, domain, _) = parts(program)?;
        let mut names = Names::of_function();
        let init = program.inputs.iter().filter(|i| is_early(program, domain, i));
        let init = init.map(|i| port(program, i, &mut names)).collect();
        let mut names = Names::of_function();
        let inputs = program.inputs.iter().filter(|i| is_stepwise(program, domain, i));
        let inputs = inputs.map(|i| port(program, i, &mut names)).collect();
        let outputs = stepwise_outputs(program, domain).map(|i| output(program, i, &mut names)).collect();
        let scratch = plan.work.fixed.max(LINE);
        let begin = plan.kept.next_multiple_of(LINE);
        let mut fields = fields(program, plan);
        if begin > plan.kept {
            let pad = vec![begin - plan.kept];
            fields.push(Field { ident: "pad_".into(), extents: pad, is_counter: false, note: "unused" });
        }
        Some(Stream { fields, scratch, len: begin + scratch, init, inputs, outputs })
    }
}

/// The fields of a state, by where they are.
fn fields(program: &Program, plan: &Plan) -> Vec<Field> {
    let mut names = Names::of_struct();
    let mut found: Vec<(usize, Vec<Field>)> = Vec::new();
    let plain = |ident: String, extents: Vec<usize>, note| Field { ident, extents, is_counter: false, note };
    for (buffer, home) in program.buffers.iter().zip(&plan.buffers) {
        if let Home::Kept(at) = home {
            let rows = match buffer.place {
                Place::Over { domain, before, after } => {
                    let steps = program.domains[domain.index()].fixed().unwrap_or(0);
                    (before + after + steps) as usize
                }
                Place::Shared | Place::Example => 1,
            };
            let ident = names.of(&buffer.name);
            found.push((*at, vec![plain(ident, vec![rows * buffer.width], "set by init")]));
        }
    }
    for carried in &plan.carried {
        let Home::Carried { kept, before, first, width, .. } = plan.buffers[carried.buffer.index()] else {
            continue;
        };
        let title = |part: &(usize, usize)| names_of(program, carried.buffer.index(), *part);
        let mut here = Vec::new();
        if before == 1 {
            let mut at = first;
            for part in &carried.parts {
                if part.0 > at {
                    here.push(plain(names.of("pad"), vec![part.0 - at], "unused"));
                }
                here.push(plain(names.of(&title(part)), vec![part.1 - part.0], "of the step before"));
                at = part.1;
            }
        } else {
            let all: Vec<String> = carried.parts.iter().map(title).collect();
            let ident = names.of(&all.join("_"));
            here.push(plain(ident, vec![before, width], "of the steps before, the latest last"));
        }
        found.push((kept, here));
    }
    if let Some(at) = plan.counter {
        let ident = names.of("steps");
        let counter = Field { ident, extents: vec![], is_counter: true, note: "done so far" };
        found.push((at, vec![counter]));
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().flat_map(|(_, fields)| fields).collect()
}

/// What columns of a buffer are called: after the initial value that an array can give, or after the buffer.
fn names_of(program: &Program, buffer: usize, part: (usize, usize)) -> String {
    use crate::loops::Stage;
    let initial = program.stages.iter().find_map(|stage| match stage {
        Stage::Boundary { state, from, after: false, .. }
            if state.buffer.index() == buffer && state.column == part.0 =>
        {
            let is_it = |i: &&Input| i.at == *from && matches!(i.kind, InputKind::Initial { .. });
            let name = program.inputs.iter().find(is_it).map(|i| i.name.to_string())?;
            name.strip_suffix('0').map(str::to_string)
        }
        _ => None,
    });
    let own = program.buffers[buffer].name.split('|').next().unwrap_or("state");
    initial.unwrap_or_else(|| if part.0 == 0 { own.to_string() } else { format!("{own}_{}", part.0) })
}

/// The name of a parameter whose gradient an output is.
pub fn gradient_of<'a>(params: &'a [Param], output: &str) -> Option<&'a Param> {
    let name = output.strip_suffix("_adj")?;
    params.iter().find(|p| p.name == name)
}

impl Run {
    pub fn of(program: &Program, plan: &Plan, kind: Kind, params: &[Param]) -> Run {
        let mut names = Names::of_struct();
        let open = |i: &usize| program.domains[*i].fixed().is_none();
        let domains = (0..program.domains.len()).filter(open);
        let extents = domains.map(|i| (DomainId(i as u32), names.of(&program.domains[i].extent))).collect();
        let mut names = Names::of_struct();
        let inputs = program.inputs.iter().filter(|i| !is_param(i));
        let inputs = inputs.map(|i| port(program, i, &mut names)).collect();
        let mut names = Names::of_struct();
        let is_grad = kind == Kind::Grad;
        let is_own = |i: &usize| !(is_grad && gradient_of(params, &program.outputs[*i].name).is_some());
        let outputs = (0..program.outputs.len()).filter(is_own);
        let outputs = outputs.map(|i| output(program, i, &mut names)).collect();
        let params_adj = is_grad && !params.is_empty();
        let mut work = plan.work.clone();
        work.fixed = work.fixed.max(LINE);
        Run { kind, extents, inputs, outputs, params_adj, work }
    }
}

/// Identifiers that are used once.
pub fn all_params(list: &[(String, Vec<usize>)]) -> (Vec<Param>, usize) {
    let mut names = Names::of_struct();
    let mut at = 0;
    let mut seen = BTreeSet::new();
    let mut params = Vec::new();
    for (name, shape) in list {
        if seen.insert(name.clone()) {
            let param = Param { name: name.clone(), ident: names.of(name), shape: shape.clone(), at };
            at += param.width();
            params.push(param);
        }
    }
    (params, at)
}
