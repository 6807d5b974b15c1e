//! Kernels for object files: the same functions as everywhere, for a machine that is named by triple and features.
//!
//! In: kernels, one after another. Out: their bodies in Cranelift's form, which the caller puts where it wants; or, for
//! machines with 512-bit vectors, finished machine code. A body calls nothing but the [helpers](super::helpers) that the
//! caller has declared in it, and refers to no data: its constants are handed to it as an argument.

use super::helpers::Helper;
use super::target::{Features, flags};
use super::{Level, avx512, function};
use crate::loops::Kernel;
use cranelift::prelude::{FunctionBuilderContext, Signature};
use cranelift_codegen::ir::{FuncRef, Function};
use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::Configurable;
use std::collections::{BTreeMap, BTreeSet};

/// A machine that code is made for without being run on.
pub struct Machine {
    isa: OwnedTargetIsa,
    features: Features,
}

impl Machine {
    /// Of a triple, with features by their names in Cranelift; or why there is none.
    pub fn new(triple: &str, enabled: &[&str]) -> Result<Machine, String> {
        let mut builder = isa::lookup_by_name(triple).map_err(|e| e.to_string())?;
        for feature in enabled {
            builder.enable(feature).map_err(|e| format!("{feature}: {e}"))?;
        }
        let isa = builder.finish(flags(Level::default(), true)?).map_err(|e| e.to_string())?;
        let features = Features::of(&*isa).ok_or("it has no vectors")?;
        Ok(Machine { isa, features })
    }

    pub fn isa(&self) -> &OwnedTargetIsa {
        &self.isa
    }

    /// What every kernel is called as: see [`function`].
    pub fn signature(&self) -> Signature {
        function::signature(self.isa.frontend_config())
    }

    pub fn helper_signature(&self, helper: Helper) -> Signature {
        function::helper_signature(helper, self.isa.frontend_config())
    }

    /// The helpers that a kernel calls.
    pub fn helpers_of(&self, kernel: &Kernel) -> BTreeSet<Helper> {
        function::helpers_of(kernel, self.features)
    }

    /// The machine code of a kernel in 512-bit vectors, if the machine has them and the kernel can be said in them.
    pub fn wide(&self, kernel: &Kernel) -> Option<Vec<u8>> {
        self.features.avx512.then(|| avx512::compile(kernel, false)).flatten().map(|f| f.bytes)
    }

    /// Fills in the body of `function`, which has the right signature and in which `helpers` are declared; returns the
    /// kernel's constants. `limits`: for each argument the elements of a row that an id may reach.
    pub fn define(
        &self,
        kernel: &Kernel,
        limits: &[usize],
        helpers: &BTreeMap<Helper, FuncRef>,
        function: &mut Function,
        context: &mut FunctionBuilderContext,
    ) -> Vec<[u32; 4]> {
        let config = self.isa.frontend_config();
        function::define(kernel, limits, self.features, helpers, config, function, context)
    }
}
