//! Kernels of a part, and the functions that they call.

use super::super::{errors, functions};
use super::{Emit, Kernels, Level, Part, broken, define_data};
use crate::codegen::helpers::Helper;
use crate::diag::Diagnostic;
use cranelift_module::{FuncId, Linkage, Module};
use std::collections::BTreeMap;

impl Emit<'_> {
    /// The kernels of a part, each with its constants.
    pub(super) fn kernels(&mut self, part: &Part, level: Level) -> Result<Kernels, Diagnostic> {
        let mut all = Vec::new();
        let signature = self.machine.signature();
        for (i, (kernel, limits)) in part.program.kernels.iter().zip(&part.limits).enumerate() {
            let title = self.title(part, level, i);
            let id = self.module.declare_function(&title, Linkage::Local, &signature).map_err(broken)?;
            if let Some(bytes) = self.machine.wide(kernel) {
                self.module.define_function_bytes(id, 64, &bytes, &[]).map_err(broken)?;
                all.push((id, None));
                continue;
            }
            let mut function = self.function(id, signature.clone());
            let mut helpers = BTreeMap::new();
            for helper in self.machine.helpers_of(kernel) {
                let callee = self.helper(helper)?;
                helpers.insert(helper, self.module.declare_func_in_func(callee, &mut function));
            }
            let constants = self.machine.define(kernel, limits, &helpers, &mut function, &mut self.context);
            self.define(id, function)?;
            let bytes: Vec<u8> = constants.iter().flatten().flat_map(|bits| bits.to_le_bytes()).collect();
            let mut data = None;
            if !bytes.is_empty() {
                let constants = self
                    .module
                    .declare_data(&format!("{title}.constants"), Linkage::Local, false, false)
                    .map_err(broken)?;
                define_data(&mut self.module, constants, bytes, 16)?;
                data = Some(constants);
            }
            all.push((id, data));
        }
        Ok(all)
    }

    /// A function that kernels call, defined when it is first wanted.
    fn helper(&mut self, helper: Helper) -> Result<FuncId, Diagnostic> {
        if let Some(id) = self.helpers.get(&helper) {
            return Ok(*id);
        }
        if functions::reads_table(helper) && self.table.is_none() {
            let title = format!("{}.two_over_pi", self.name);
            let id = self.module.declare_data(&title, Linkage::Local, false, false).map_err(broken)?;
            let bytes = functions::TWO_OVER_PI.iter().flat_map(|word| word.to_le_bytes()).collect();
            define_data(&mut self.module, id, bytes, 16)?;
            self.table = Some(id);
        }
        let signature = self.machine.helper_signature(helper);
        let title = format!("{}.{}", self.name, helper.name());
        let id = self.module.declare_function(&title, Linkage::Local, &signature).map_err(broken)?;
        let mut function = self.function(id, signature);
        let table = self.table.map(|data| self.module.declare_data_in_func(data, &mut function));
        let config = self.machine.isa().frontend_config();
        functions::define(helper, table, &mut function, &mut self.context, config);
        self.define(id, function)?;
        self.helpers.insert(helper, id);
        Ok(id)
    }

    /// Kernels that are defined already, found by their names.
    pub(super) fn kernels_again(&mut self, part: &Part) -> Result<Kernels, Diagnostic> {
        let mut all = Vec::new();
        for i in 0..part.program.kernels.len() {
            let title = self.title(part, self.machines[0].0, i);
            let found = |name: &str| self.module.get_name(name);
            let Some(cranelift_module::FuncOrDataId::Func(id)) = found(&title) else {
                return Err(errors::broken("a kernel is missing"));
            };
            let data = match found(&format!("{title}.constants")) {
                Some(cranelift_module::FuncOrDataId::Data(data)) => Some(data),
                _ => None,
            };
            all.push((id, data));
        }
        Ok(all)
    }
}
