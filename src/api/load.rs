//! Arrays of a call into the memory of a run.

use super::arrays::{Arrays, Cells, View};
use super::compiled::Inner;
use super::errors;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::Ty;
use crate::grad::Added;
use crate::loops::InputKind;
use crate::runtime::Workspace;
use crate::runtime::errors::{missing, wrong_kind, wrong_shape};
use crate::train::draw;

/// Gives a workspace, whose sizes are fixed, all that a run reads: what is given, defaults for initial states that are not,
/// noise. `is_new`: it was never given anything; else parameters that are the same are left as they are.
pub fn load(workspace: &mut Workspace, inner: &Inner, given: &Arrays, is_new: bool) -> Fallible<()> {
    if let Some((seed, run)) = given.noise() {
        draw::noise(workspace, seed, run)?;
    }
    load_these(workspace, inner, given, is_new, |_, _| true)
}

/// [`load`], of some inputs only; without noise.
pub fn load_some(
    workspace: &mut Workspace,
    inner: &Inner,
    given: &Arrays,
    which: impl Fn(&Workspace, &str) -> bool,
) -> Fallible<()> {
    load_these(workspace, inner, given, true, which)
}

fn load_these(
    workspace: &mut Workspace,
    inner: &Inner,
    given: &Arrays,
    is_new: bool,
    which: impl Fn(&Workspace, &str) -> bool,
) -> Fallible<()> {
    let exe = workspace.executable().clone();
    let mut wrong = Vec::new();
    for input in &exe.program().inputs {
        let name: &str = &input.name;
        if !which(workspace, name) {
            continue;
        }
        let result = match (given.get(name), &input.kind) {
            (Some(view), kind) => {
                let may_stay = !is_new && matches!(kind, InputKind::Param(_));
                give(workspace, inner, name, view, may_stay)
            }
            (None, InputKind::Initial { .. }) => workspace.clear_input(name),
            // Given later.
            (None, InputKind::Cotangent) => Ok(()),
            (None, InputKind::Noise(_)) if given.noise().is_some() => Ok(()),
            (None, _) => Err(vec![missing(name)]),
        };
        wrong.extend(result.err().into_iter().flatten());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Cotangents; those that are not given take their defaults.
pub fn load_cotangents(workspace: &mut Workspace, added: &Added, given: &Arrays) -> Fallible<()> {
    let exe = workspace.executable().clone();
    let mut wrong = unknown_cotangents(added, given);
    for input in exe.program().inputs.iter().filter(|i| i.kind == InputKind::Cotangent) {
        let plain = added.cotangents.iter().find(|(_, own)| *own == input.name).map(|(plain, _)| plain);
        let result = match plain.and_then(|plain| given.get(plain)) {
            Some(view) => real(workspace, &input.name, view, false),
            None => workspace.clear_input(&input.name),
        };
        wrong.extend(result.err().into_iter().flatten());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Some cotangents are read by nothing, as when an output depends on nothing that is differentiated by: they are known all the same.
pub fn unknown_cotangents(added: &Added, given: &Arrays) -> Vec<Diagnostic> {
    let known = || added.cotangents.iter().map(|(plain, _)| &**plain);
    let strange = given.names().filter(|name| !known().any(|k| k == *name));
    strange.map(|name| crate::runtime::errors::unknown(name, known())).collect()
}

fn give(workspace: &mut Workspace, inner: &Inner, name: &str, view: &View, may_stay: bool) -> Fallible<()> {
    match inner.source(name).map(|source| &source.ty) {
        Some(Ty::Id(_)) => ids(workspace, name, view),
        Some(Ty::Bool) if view.is_whole() => {
            fits(workspace, name, view)?;
            let bools: Vec<f32> = view.to_f64().into_iter().map(|x| x as f32).collect();
            workspace.set_input(name, &bools)
        }
        _ => real(workspace, name, view, may_stay),
    }
}

fn fits(workspace: &Workspace, name: &str, view: &View) -> Fallible<()> {
    let wanted = workspace.input_shape(name)?;
    match view.shape() == wanted {
        true => Ok(()),
        false => Err(vec![wrong_shape(name, &wanted, view.shape())]),
    }
}

fn real(workspace: &mut Workspace, name: &str, view: &View, may_stay: bool) -> Fallible<()> {
    let values = match &view.data {
        Cells::F32(values) => values,
        Cells::F64(_) => return Err(vec![errors::wrong_width(name, 64, 32)]),
        Cells::I32(_) | Cells::I64(_) => return Err(vec![wrong_kind(name, false)]),
    };
    fits(workspace, name, view)?;
    // What is derived from parameters is kept while they are the same bits.
    if may_stay && workspace.param(name).is_ok_and(|now| are_same(now, values)) {
        return Ok(());
    }
    workspace.set_input(name, values)
}

/// Piece by piece, each looked at whole: that goes many elements at a time.
fn are_same(a: &[f32], b: &[f32]) -> bool {
    const PIECE: usize = 256;
    let differing =
        |a: &[f32], b: &[f32]| a.iter().zip(b).fold(0, |d, (a, b)| d | (a.to_bits() ^ b.to_bits()));
    a.len() == b.len() && a.chunks(PIECE).zip(b.chunks(PIECE)).all(|(a, b)| differing(a, b) == 0)
}

fn ids(workspace: &mut Workspace, name: &str, view: &View) -> Fallible<()> {
    match &view.data {
        Cells::F32(_) | Cells::F64(_) => Err(vec![wrong_kind(name, true)]),
        Cells::I32(ids) => {
            fits(workspace, name, view)?;
            workspace.set_ids(name, ids)
        }
        Cells::I64(ids) => {
            fits(workspace, name, view)?;
            // What does not fit into 32 bits is no symbol, whatever it becomes.
            let ids: Vec<i32> = ids.iter().map(|id| i32::try_from(*id).unwrap_or(-1)).collect();
            workspace.set_ids(name, &ids)
        }
    }
}
