//! A forward run that the way back can follow.

use super::arrays::{Arrays, Outputs};
use super::compiled::{Inner, Lease, Way, output, outputs};
use super::error::Result;
use super::errors;
use super::load::load_cotangents;
use crate::diag::Fallible;
use crate::grad::Added;
use ndarray::{ArrayViewD, CowArray, IxDyn};
use std::sync::Arc;

/// A forward run with what its gradients need, made by [`Compiled::forward_saved`](super::Compiled::forward_saved). It can be sent
/// to another thread; its memory is used again for later runs when it is dropped.
pub struct Saved {
    inner: Arc<Inner>,
    lease: Lease,
    /// The way back has been gone, and may have changed what it begins with.
    is_used: bool,
}

impl std::fmt::Debug for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Saved({})", self.inner.graph.name)
    }
}

impl Saved {
    pub(super) fn run(inner: &Arc<Inner>, given: &Arrays) -> Fallible<Saved> {
        let mut lease = inner.lease(Way::Joint, given)?;
        let end = lease.plan.cut.at.unwrap_or(usize::MAX);
        lease.get()?.run_some(0..end)?;
        Ok(Saved { inner: inner.clone(), lease, is_used: false })
    }

    fn refused<T>(&self, result: Fallible<T>) -> Result<T> {
        result.map_err(|e| self.inner.refusal(e))
    }

    fn added(&self) -> &Added {
        &self.lease.plan.added
    }

    /// Everything that came out, as [`Compiled::forward`](super::Compiled::forward) gives it.
    ///
    /// # Errors
    /// None are known; the type leaves room.
    pub fn outputs(&self) -> Result<Outputs> {
        let names = self.inner.graph.outputs.iter().map(|o| (&*o.name, &*o.name));
        self.refused(self.lease.look().and_then(|w| outputs(w, names)))
    }

    /// One output, where it lies if it lies there in rows without gaps, else a copy.
    ///
    /// # Errors
    /// An unknown name.
    pub fn output(&self, name: &str) -> Result<CowArray<'_, f32, IxDyn>> {
        let is_one = self.inner.graph.find_output(name).is_some();
        let known = || self.inner.graph.outputs.iter().map(|o| &*o.name);
        let own = is_one.then_some(name).ok_or_else(|| vec![crate::runtime::errors::unknown(name, known())]);
        self.refused(own.and_then(|own| self.lend(own)))
    }

    /// One gradient (`NAME_adj`) after [`Saved::differentiate`], as [`Saved::output`] gives an output.
    ///
    /// # Errors
    /// An unknown name.
    pub fn gradient(&self, name: &str) -> Result<CowArray<'_, f32, IxDyn>> {
        let known = || self.added().gradients.iter().map(|(plain, _)| &**plain);
        let own = self.own_gradient(name);
        let own = own.ok_or_else(|| vec![crate::runtime::errors::unknown(name, known())]);
        self.refused(own.and_then(|own| self.lend(own)))
    }

    fn own_gradient(&self, name: &str) -> Option<&str> {
        self.added().gradients.iter().find(|(plain, _)| **plain == *name).map(|(_, own)| &**own)
    }

    fn lend(&self, own: &str) -> Fallible<CowArray<'_, f32, IxDyn>> {
        let workspace = self.lease.look()?;
        if let Some(values) = workspace.output_in_place(own)?
            && let Ok(view) = ArrayViewD::from_shape(IxDyn(&workspace.output_shape(own)?), values)
        {
            return Ok(CowArray::from(view));
        }
        output(workspace, own).map(CowArray::from)
    }

    /// The array of a name, if it is that of one alone: in an adjoint, outputs and gradients may be called the same.
    fn only(&self, name: &str) -> Fallible<&str> {
        match (self.inner.graph.outputs.iter().find(|o| *o.name == *name), self.own_gradient(name)) {
            (Some(_), Some(_)) => Err(vec![errors::two_arrays(name)]),
            (Some(output), None) => Ok(&output.name),
            (None, Some(own)) => Ok(own),
            (None, None) => {
                let outputs = self.inner.graph.outputs.iter().map(|o| &*o.name);
                let known = outputs.chain(self.added().gradients.iter().map(|(plain, _)| &**plain));
                Err(vec![crate::runtime::errors::unknown(name, known)])
            }
        }
    }

    /// The shape of an output or, once there are any, of a gradient (`NAME_adj`).
    ///
    /// # Errors
    /// An unknown name; one of both.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        self.refused(self.only(name).and_then(|own| self.lease.look()?.output_shape(own)))
    }

    /// Copies an output, or a gradient (`NAME_adj`) after [`Saved::differentiate`], into memory of the caller, row-major.
    ///
    /// # Errors
    /// An unknown name; one of both, an output and a gradient; memory of another size.
    pub fn copy_into(&self, name: &str, to: &mut [f32]) -> Result<()> {
        self.refused(self.only(name).and_then(|own| self.lease.look()?.output_into(own, to)))
    }

    /// Gradients of everything, or of [`Options::wrt`](super::Options::wrt), under `NAME_adj`. A cotangent is what arrives from outside for an
    /// output: `NAME_adj` of its shape. One that is not given is 0; only that of a `loss` per example is 1. Gradients of parameters are
    /// sums over the batch.
    ///
    /// # Errors
    /// Cotangents of another name, shape or element type.
    pub fn backward(&mut self, cotangents: &Arrays) -> Result<Outputs> {
        self.differentiate(cotangents)?;
        let names = self.added().gradients.iter().map(|(plain, own)| (&**plain, &**own));
        self.refused(self.lease.look().and_then(|w| outputs(w, names)))
    }

    /// [`Saved::backward`] without copies: [`Saved::gradient`] and [`Saved::copy_into`] give what is wanted. May be called again, with
    /// other cotangents.
    ///
    /// # Errors
    /// As [`Saved::backward`].
    pub fn differentiate(&mut self, cotangents: &Arrays) -> Result<()> {
        let result = self.back(cotangents);
        self.refused(result)
    }

    fn back(&mut self, cotangents: &Arrays) -> Fallible<()> {
        let plan = self.lease.plan.clone();
        let workspace = self.lease.get()?;
        load_cotangents(workspace, &plan.added, cotangents)?;
        let again = self.is_used && !plan.cut.is_repeatable;
        let begin = if again { 0 } else { plan.cut.at.unwrap_or(0) };
        workspace.run_some(begin..usize::MAX)?;
        self.is_used = true;
        Ok(())
    }

    /// Names of the gradients, in their order.
    pub fn gradients(&self) -> Vec<String> {
        self.added().gradients.iter().map(|(plain, _)| plain.to_string()).collect()
    }

    /// Whether the way back begins where the way there ended. It does, unless something is computed in one piece with what depends on
    /// cotangents; then both are computed again.
    pub fn is_apart(&self) -> bool {
        self.lease.plan.cut.at.is_some()
    }
}
