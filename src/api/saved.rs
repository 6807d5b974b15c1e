//! A forward run that the way back can follow.

use super::arrays::{Arrays, Outputs};
use super::compiled::{Inner, Lease, Way, outputs};
use super::error::Result;
use super::load::load_cotangents;
use crate::diag::{Diagnostic, Fallible};
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

    /// Everything that came out, as [`Compiled::forward`](super::Compiled::forward) gives it.
    ///
    /// # Errors
    /// None are known; the type leaves room.
    pub fn outputs(&self) -> Result<Outputs> {
        let names = self.inner.graph.outputs.iter().map(|o| &*o.name);
        self.refused(self.lease.look().and_then(|w| outputs(w, names)))
    }

    /// The shape of an output or, once there are any, of a gradient (`NAME_adj`).
    ///
    /// # Errors
    /// An unknown name.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>> {
        self.refused(self.lease.look().and_then(|w| w.output_shape(name)))
    }

    /// Copies an output, or a gradient (`NAME_adj`) after [`Saved::differentiate`], into memory of the caller, row-major.
    ///
    /// # Errors
    /// An unknown name; memory of another size.
    pub fn copy_into(&self, name: &str, to: &mut [f32]) -> Result<()> {
        self.refused(self.lease.look().and_then(|w| w.output_into(name, to)))
    }

    /// Gradients of everything, or of [`Options::wrt`](super::Options::wrt), under `NAME_adj`. A cotangent is what arrives from outside for an
    /// output: `NAME_adj` of its shape. One that is not given is 0; only that of a `loss` per example is 1. Gradients of parameters are
    /// sums over the batch.
    ///
    /// # Errors
    /// Cotangents of another name, shape or element type.
    pub fn backward(&mut self, cotangents: &Arrays) -> Result<Outputs> {
        self.differentiate(cotangents)?;
        let names = self.gradients();
        self.refused(self.lease.look().and_then(|w| outputs(w, names.iter().map(String::as_str))))
    }

    /// [`Saved::backward`] without copies: [`Saved::copy_into`] gives what is wanted. May be called again, with other cotangents.
    ///
    /// # Errors
    /// As [`Saved::backward`].
    pub fn differentiate(&mut self, cotangents: &Arrays) -> Result<()> {
        let result = self.back(cotangents);
        self.refused(result)
    }

    fn back(&mut self, cotangents: &Arrays) -> std::result::Result<(), Vec<Diagnostic>> {
        let cut = self.lease.plan.cut;
        let workspace = self.lease.get()?;
        load_cotangents(workspace, cotangents)?;
        let again = self.is_used && !cut.is_repeatable;
        let begin = if again { 0 } else { cut.at.unwrap_or(0) };
        workspace.run_some(begin..usize::MAX)?;
        self.is_used = true;
        Ok(())
    }

    /// Names of the gradients, in their order.
    pub fn gradients(&self) -> Vec<String> {
        let all = self.lease.plan.exe.program().outputs.iter().map(|o| o.name.to_string());
        all.filter(|name| self.inner.graph.find_output(name).is_none()).collect()
    }

    /// Whether the way back begins where the way there ended. It does, unless something is computed in one piece with what depends on
    /// cotangents; then both are computed again.
    pub fn is_apart(&self) -> bool {
        self.lease.plan.cut.at.is_some()
    }
}
