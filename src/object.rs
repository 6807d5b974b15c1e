//! Object files: cells for programs that have no rnnc.
//!
//! In: scheduled [programs](Programs), a [platform](Platform), perhaps the parameters. Out: the bytes of one relocatable file and
//! its [interface](Interface), from which [headers](header) are written. The file needs no other: no C library, no
//! mathematics library, no allocator; whatever it works on is the caller's memory, of sizes that the header says.
//!
//! [`plain`] turns a program into one of kernels, [`plan`] says where memory lies, [`driver`] says the stages in straight code,
//! [`emit`] puts it all into a file. Kernels are those of [`codegen`](crate::codegen). There is one example a call, as long as
//! its arrays are.

mod archive;
mod dispatch;
mod driver;
mod emit;
pub mod errors;
mod functions;
pub mod header;
pub mod hpp;
pub mod interface;
mod names;
mod plain;
mod plan;
mod platform;
mod rows;
pub mod rust;
mod words;

pub use archive::archive;
pub use emit::undefined;
pub use interface::Interface;
pub use platform::{Level, Platform};

use crate::diag::{Diagnostic, Fallible};
use crate::limits::Limits;
use crate::loops::{BufferId, InputKind, Program, WeightId};
use crate::runtime::check::check;
use crate::runtime::{Executable, Workspace};
use emit::{Emit, Part, PartKind};
use interface::{Kind, Param, Run, Stream};
use plan::{Home, LINE, Plan, Shape};
use std::collections::BTreeMap;

/// What an object is made of.
#[derive(Debug, Default)]
pub struct Programs {
    /// The recipe, for reading.
    pub title: String,
    /// Parameters with their shapes, in the order of the struct.
    pub params: Vec<(String, Vec<usize>)>,
    /// Scheduled for [`Steps`](crate::schedule::Expected::Steps).
    pub step: Option<Program>,
    pub run: Option<Program>,
    /// With the adjoint.
    pub grad: Option<Program>,
}

#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What all names of the object begin with.
    pub name: &'a str,
    pub platform: Platform,
    /// Levels that there is code for, of which the best is chosen when it runs; without any the baseline. The lowest must be
    /// there.
    pub levels: &'a [Level],
    /// Parameters that are to be in the object.
    pub weights: Option<&'a BTreeMap<String, Vec<f32>>>,
    pub limits: Limits,
}

/// The bytes of a file and what is in it.
#[derive(Debug)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub interface: Interface,
}

/// Whether names may begin with this.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && names::identifier(name) == name
}

pub fn build(programs: Programs, options: &Options) -> Fallible<Object> {
    let one = |d: Diagnostic| vec![d];
    if !is_name(options.name) {
        return Err(one(errors::bad_name(options.name)));
    }
    let mut levels = options.levels.to_vec();
    levels.sort_unstable();
    levels.dedup();
    if levels.is_empty() {
        levels.push(Level::Baseline);
    }
    let machines = levels.iter().map(|level| Ok((*level, options.platform.machine(*level)?)));
    let machines = machines.collect::<Result<Vec<_>, Diagnostic>>().map_err(one)?;
    let (params, params_len) = interface::all_params(&programs.params);
    let places: BTreeMap<String, usize> = params.iter().map(|p| (p.name.clone(), p.at)).collect();
    let none = BTreeMap::new();
    // Without parameters all that follows from them is known.
    let values = options.weights.or(params.is_empty().then_some(&none));
    let too_large = || one(errors::too_large(&programs.title));
    let begin = params_len.checked_next_multiple_of(LINE).ok_or_else(too_large)?;
    let mut image = values.map(|values| image(&params, begin, values));
    let mut at = begin;
    let mut parts = Vec::new();
    let all = [
        (PartKind::Stream, programs.step),
        (PartKind::Whole(Kind::Run), programs.run),
        (PartKind::Whole(Kind::Grad), programs.grad),
    ];
    for (kind, program) in all.into_iter().filter_map(|(kind, program)| Some((kind, program?))) {
        let prepared = match values {
            Some(values) => Some(prepared(&program, values, &options.limits)?),
            None => None,
        };
        let program = plain::plain(program).map_err(one)?;
        let limits = check(&program).map_err(one)?;
        let shape = match (kind, plan::parts(&program)) {
            (PartKind::Stream, Some((_, domain, _))) => Shape::Steps(domain),
            _ => Shape::Whole,
        };
        let plan = Plan::new(&program, shape, &places, at).ok_or_else(too_large)?;
        at = at.checked_add(plan.prepared).ok_or_else(too_large)?;
        if let (Some(image), Some(prepared)) = (&mut image, &prepared) {
            let bytes = at as u128 * 4;
            if bytes > u128::from(options.limits.memory) {
                return Err(one(crate::runtime::errors::too_large(Some(bytes), options.limits.memory)));
            }
            image.resize(at, 0.0);
            fill(image, &plan, prepared);
        }
        parts.push(Part { kind, program, plan, limits });
    }
    if parts.is_empty() {
        return Err(one(errors::broken("no function is asked for")));
    }
    let mut emit = Emit::new(&machines, options.name, &params, image.as_deref()).map_err(one)?;
    for part in &parts {
        emit.part(part).map_err(one)?;
    }
    if image.is_none() {
        emit.prepare(&parts).map_err(one)?;
    }
    let bytes = emit.finish().map_err(one)?;
    let stream = parts.iter().find(|p| p.kind == PartKind::Stream);
    let runs = parts.iter().filter_map(|p| match p.kind {
        PartKind::Whole(kind) => Some(Run::of(&p.program, &p.plan, kind, &params)),
        PartKind::Stream => None,
    });
    let interface = Interface {
        name: options.name.to_string(),
        title: programs.title,
        target: options.platform.name().to_string(),
        inside: image.is_some(),
        levels: levels.iter().map(|level| level.name()).collect(),
        stream: stream.and_then(|p| Stream::of(&p.program, &p.plan)),
        runs: runs.collect(),
        params,
        params_len,
        prepared_len: at - begin,
    };
    Ok(Object { bytes, interface })
}

/// The parameters one behind another, with room up to where what follows from them begins.
fn image(params: &[Param], len: usize, values: &BTreeMap<String, Vec<f32>>) -> Vec<f32> {
    let mut image = vec![0.0; len];
    for param in params {
        if let (Some(to), Some(from)) = (image.get_mut(param.at..), values.get(&param.name)) {
            to.iter_mut().zip(from).take(param.width()).for_each(|(to, x)| *to = *x);
        }
    }
    image
}

/// A workspace in which all that follows from parameters is computed.
fn prepared(program: &Program, values: &BTreeMap<String, Vec<f32>>, limits: &Limits) -> Fallible<Workspace> {
    let exe = Executable::within(program.clone(), None, limits)?;
    let mut workspace = Workspace::new(&exe)?;
    for input in program.inputs.iter().filter(|i| matches!(i.kind, InputKind::Param(_))) {
        if let Some(values) = values.get(&*input.name) {
            workspace.set_input(&input.name, values)?;
        }
    }
    workspace.prepare()?;
    Ok(workspace)
}

fn fill(image: &mut [f32], plan: &Plan, prepared: &Workspace) {
    let mut put = |home: &Home, from: &[f32]| {
        if let (Home::Prepared(at), len) = (home, from.len())
            && let Some(to) = image.get_mut(*at..*at + len)
        {
            to.copy_from_slice(from);
        }
    };
    for (i, home) in plan.buffers.iter().enumerate() {
        if matches!(home, Home::Prepared(_)) {
            put(home, prepared.shared_buffer(BufferId(i as u32)));
        }
    }
    for (i, home) in plan.weights.iter().enumerate() {
        if matches!(home, Home::Prepared(_)) {
            put(home, &prepared.packed(WeightId(i as u32)));
        }
    }
}
