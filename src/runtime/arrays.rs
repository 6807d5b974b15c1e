//! A whole run on named f64 arrays, with the conventions of the reference interpreter.

use super::workspace::place_of;
use super::{Executable, Team, Workspace, errors};
use crate::diag::Fallible;
use crate::eqn::DomainKind;
use crate::eqn::eval::Batch;
use crate::loops::{InputKind, Place, Program};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs once. Arrays are named and shaped as for [`eval`](crate::eqn::eval::eval); those that nothing reads are ignored.
pub fn run_batch(exe: &Arc<Executable>, batch: &Batch) -> Fallible<BTreeMap<String, ArrayD<f64>>> {
    run_batch_within(exe, batch, exe.memory)
}

/// [`run_batch`] in at most so many bytes.
pub fn run_batch_within(
    exe: &Arc<Executable>,
    batch: &Batch,
    limit: u64,
) -> Fallible<BTreeMap<String, ArrayD<f64>>> {
    run_batch_on(exe, batch, limit, &Team::alone())
}

/// [`run_batch_within`], shared out to the threads of a team.
pub fn run_batch_on(
    exe: &Arc<Executable>,
    batch: &Batch,
    limit: u64,
    team: &Arc<Team>,
) -> Fallible<BTreeMap<String, ArrayD<f64>>> {
    let mut workspace = Workspace::with_limit(exe, limit)?;
    workspace.work_with(team)?;
    workspace.resize_with(batch.size, &steps(exe.program(), batch), &batch.lengths, &batch.trees)?;
    load(&mut workspace, batch)?;
    workspace.run()?;
    outputs(&workspace)
}

/// How many steps the arrays have that the program reads, for domains whose extent is not static. What lies beyond
/// an example's length is padding.
fn steps(program: &Program, batch: &Batch) -> BTreeMap<String, usize> {
    let mut steps = BTreeMap::new();
    for input in &program.inputs {
        let Place::Over { domain, .. } = program.buffers[input.at.buffer.index()].place else { continue };
        let shape = batch.arrays.get(&*input.name).map_or(&[][..], |a| a.shape());
        for (axis, n) in program.axes(domain).into_iter().zip(shape) {
            let domain = &program.domains[axis.index()];
            if domain.fixed().is_none() {
                let most = steps.entry(domain.extent.to_string()).or_insert(0);
                *most = (*most).max(*n);
            }
        }
    }
    steps
}

/// Gives every array of a batch that the program reads.
pub fn load(workspace: &mut Workspace, batch: &Batch) -> Fallible<()> {
    let exe = workspace.executable().clone();
    let mut errors = Vec::new();
    for input in &exe.program().inputs {
        let name: &str = &input.name;
        let Some(array) = batch.arrays.get(name) else {
            if !matches!(input.kind, InputKind::Initial { .. } | InputKind::Cotangent) {
                errors.push(errors::missing(name));
            }
            continue;
        };
        if let Err(e) = load_one(workspace, name, array, input.symbols) {
            errors.extend(e);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn load_one(
    workspace: &mut Workspace,
    name: &str,
    array: &ArrayD<f64>,
    symbols: Option<usize>,
) -> Fallible<()> {
    let shape = workspace.input_shape(name)?;
    if array.shape() != shape {
        return Err(vec![errors::wrong_shape(name, &shape, array.shape())]);
    }
    match symbols {
        None => {
            let values: Vec<f32> = array.iter().map(|x| *x as f32).collect();
            workspace.set_input(name, &values)
        }
        Some(symbols) => {
            // Padding is not looked at, so what is no id at all becomes -1 and is refused only where it counts.
            let whole = |x: f64| (x.fract() == 0.0 && x >= 0.0 && x < symbols as f64).then_some(x as i32);
            let ids: Vec<i32> = array.iter().map(|x| whole(*x).unwrap_or(-1)).collect();
            if let Some(at) = workspace.wrong_id(name, &ids)? {
                let id = array.iter().nth(at).copied().unwrap_or(f64::NAN);
                return Err(vec![errors::id_out_of_range(name, id, &place_of(at, &shape), symbols)]);
            }
            workspace.set_ids(name, &ids)
        }
    }
}

/// What a workspace was given, with its sizes: the batch that its next run is on.
pub fn given(workspace: &Workspace) -> Fallible<Batch> {
    let program = workspace.executable().program();
    let mut batch = Batch { size: workspace.batch(), ..Batch::default() };
    for (i, domain) in program.domains.iter().enumerate() {
        match domain.kind {
            DomainKind::Chain { .. } => {
                batch.lengths.insert(domain.extent.to_string(), workspace.lengths[i].clone());
                let start = usize::try_from(workspace.start[i]).unwrap_or(usize::MAX);
                batch.start.insert(domain.extent.to_string(), start);
            }
            DomainKind::Tree { .. } => {
                batch.trees.insert(domain.extent.to_string(), workspace.trees[i].clone());
            }
            DomainKind::Derived(_) | DomainKind::Children { .. } | DomainKind::Product(_) => {}
        }
    }
    for input in &program.inputs {
        let Some(values) = workspace.input(&input.name)? else { continue };
        let values = values.into_iter().map(f64::from).collect();
        batch.arrays.insert(
            input.name.to_string(),
            array(&input.name, &workspace.input_shape(&input.name)?, values)?,
        );
    }
    Ok(batch)
}

fn array(name: &str, shape: &[usize], values: Vec<f64>) -> Fallible<ArrayD<f64>> {
    ArrayD::from_shape_vec(IxDyn(shape), values)
        .map_err(|e| vec![errors::internal(&format!("array `{name}`: {e}"))])
}

/// All outputs by name.
pub fn outputs(workspace: &Workspace) -> Fallible<BTreeMap<String, ArrayD<f64>>> {
    let mut all = BTreeMap::new();
    for output in &workspace.executable().program().outputs {
        let shape = workspace.output_shape(&output.name)?;
        let values = workspace.output(&output.name)?.into_iter().map(f64::from).collect();
        all.insert(output.name.to_string(), array(&output.name, &shape, values)?);
    }
    Ok(all)
}
