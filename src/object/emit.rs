//! The object itself: kernels, the functions that drive them, parameters as data.
//!
//! In: [`Part`]s with their plans. Out: the bytes of a relocatable file, which needs no other: whatever its code refers to is
//! in it, which is looked at when it is finished.

mod bodies;
mod kernels;

use super::dispatch;
use super::driver::{Bases, Callees, Driver};
use super::errors;
use super::interface::{Kind, Param, is_early, is_stepwise, stepwise_outputs};
use super::plan::{Plan, parts};
use super::platform::Level;
use super::rows;
use super::words::Words;
use crate::codegen::ahead::Machine;
use crate::codegen::helpers::Helper;
use crate::diag::Diagnostic;
use crate::loops::Program;
use bodies::{begin, fixed_steps, step, whole};
use cranelift::prelude::*;
use cranelift_codegen::Context;
use cranelift_codegen::FinalizedRelocTarget;
use cranelift_codegen::ir::{ExternalName, Function, UserFuncName};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module, ModuleReloc};
use cranelift_object::object::{Object as _, ObjectSymbol as _, read};
use cranelift_object::{ObjectBuilder, ObjectModule};
use std::collections::BTreeMap;

/// A program of an object.
pub struct Part {
    pub kind: PartKind,
    pub program: Program,
    pub plan: Plan,
    /// For each kernel and argument, the elements of a row that an id may reach.
    pub limits: Vec<Vec<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    Stream,
    Whole(Kind),
}

impl PartKind {
    fn word(self) -> &'static str {
        match self {
            PartKind::Stream => "step",
            PartKind::Whole(kind) => kind.word(),
        }
    }
}

type Kernels = Vec<(FuncId, Option<DataId>)>;

pub struct Emit<'a> {
    module: ObjectModule,
    /// By level, the lowest first; functions that are there once are made for that.
    machines: &'a [(Level, Machine)],
    machine: &'a Machine,
    /// What all names begin with.
    name: &'a str,
    params: &'a [Param],
    /// The parameters, if they are in the object.
    data: Option<DataId>,
    context: FunctionBuilderContext,
    copy: FuncId,
    fill: FuncId,
    /// Functions that kernels call, as far as they are there, and the table that some of them read.
    helpers: BTreeMap<Helper, FuncId>,
    table: Option<DataId>,
    /// What finds out the level of the machine, and where it is kept.
    levels: Option<(FuncId, DataId)>,
}

fn broken(e: impl std::fmt::Display) -> Diagnostic {
    errors::broken(&e.to_string())
}

impl<'a> Emit<'a> {
    /// An object with nothing in it but the parameters, if they are given.
    pub fn new(
        machines: &'a [(Level, Machine)],
        name: &'a str,
        params: &'a [Param],
        weights: Option<&[f32]>,
    ) -> Result<Emit<'a>, Diagnostic> {
        let [(_, machine), ..] = machines else { return Err(errors::broken("no machine")) };
        let libcalls = cranelift_module::default_libcall_names();
        let builder = ObjectBuilder::new(machine.isa().clone(), name, libcalls).map_err(broken)?;
        let mut module = ObjectModule::new(builder);
        let config = machine.isa().frontend_config();
        let mut declare = |what: &str, words: usize| {
            let signature = rows::signature(config, words);
            module.declare_function(&format!("{name}.{what}"), Linkage::Local, &signature).map_err(broken)
        };
        let (copy, fill) = (declare("copy", rows::COPY)?, declare("fill", rows::FILL)?);
        let mut data = None;
        if let Some(weights) = weights {
            let id = module
                .declare_data(&format!("{name}.weights"), Linkage::Local, false, false)
                .map_err(broken)?;
            let bytes: Vec<u8> = weights.iter().flat_map(|x| x.to_le_bytes()).collect();
            define_data(&mut module, id, if bytes.is_empty() { vec![0; 4] } else { bytes }, 64)?;
            data = Some(id);
        }
        let context = FunctionBuilderContext::new();
        let mut emit = Emit {
            module,
            machines,
            machine,
            levels: None,
            name,
            params,
            data,
            context,
            copy,
            fill,
            helpers: BTreeMap::new(),
            table: None,
        };
        for (id, words, body) in [
            (copy, rows::COPY, rows::copy as fn(&mut Function, &mut FunctionBuilderContext, _)),
            (fill, rows::FILL, rows::fill as _),
        ] {
            let mut function = emit.function(id, rows::signature(config, words));
            body(&mut function, &mut emit.context, config);
            emit.define(id, function)?;
        }
        Ok(emit)
    }

    fn function(&self, id: FuncId, signature: Signature) -> Function {
        Function::with_name_signature(UserFuncName::user(0, id.as_u32()), signature)
    }

    /// Compiles a function, unless it calls something that is not in the object.
    fn define(&mut self, id: FuncId, function: Function) -> Result<(), Diagnostic> {
        let mut context = Context::for_function(function);
        let isa = self.machine.isa();
        let failed = |e: &dyn std::fmt::Debug| errors::broken(&format!("{e:?}"));
        context.compile(&**isa, &mut Default::default()).map_err(|e| failed(&e.inner))?;
        let code = context.compiled_code().ok_or_else(|| errors::broken("no code came out"))?;
        let mut relocs = Vec::new();
        for reloc in code.buffer.relocs() {
            match &reloc.target {
                FinalizedRelocTarget::ExternalName(ExternalName::User(_)) | FinalizedRelocTarget::Func(_) => {
                }
                other => return Err(errors::broken(&format!("the code refers to {other:?}"))),
            }
            relocs.push(ModuleReloc::from_mach_reloc(reloc, &context.func, id));
        }
        let align = u64::from(code.buffer.alignment).max(16);
        self.module.define_function_bytes(id, align, code.code_buffer(), &relocs).map_err(broken)
    }

    /// The name of a kernel.
    fn title(&self, part: &Part, level: Level, kernel: usize) -> String {
        format!("{}.{}.{}.{kernel}", self.name, level.name(), part.kind.word())
    }

    /// Adds the functions of a part.
    pub fn part(&mut self, part: &Part) -> Result<(), Diagnostic> {
        let mut kernels = Vec::new();
        let machines = self.machines;
        for (level, machine) in machines {
            self.machine = machine;
            kernels.push(self.kernels(part, *level)?);
        }
        let params: Vec<Param> = self.params.to_vec();
        match (part.kind, parts(&part.program)) {
            (PartKind::Stream, Some((before, domain, body))) => {
                let is_step = |i: &usize| is_stepwise(&part.program, domain, &part.program.inputs[*i]);
                let is_early = |i: &usize| is_early(&part.program, domain, &part.program.inputs[*i]);
                let inputs = || 0..part.program.inputs.len();
                let early: Vec<usize> = inputs().filter(is_early).collect();
                let given: Vec<usize> = inputs().filter(is_step).collect();
                let outputs: Vec<usize> = stepwise_outputs(&part.program, domain).collect();
                self.entry(part, &kernels[..1], "init", 1 + early.len(), &|d, args| {
                    begin(d, domain, args, &early);
                    d.number(false);
                    d.stages(before);
                })?;
                self.entry(part, &kernels, "step", 1 + given.len() + outputs.len(), &|d, args| {
                    step(d, args, &given, &outputs, body);
                })
            }
            (PartKind::Whole(kind), _) => {
                let open = part.program.domains.iter().filter(|d| d.fixed().is_none()).count();
                self.entry(part, &kernels, kind.word(), open + 3, &|d, args| whole(d, args, open, &params))
            }
            _ => Err(errors::broken("a stream without a loop")),
        }
    }

    /// One function of the interface. The words beside the parameters are handed to `body`; the first is the state of a
    /// stream. With kernels of several levels there is one for each, and one that chooses.
    fn entry(
        &mut self,
        part: &Part,
        kernels: &[Kernels],
        word: &str,
        words: usize,
        body: &dyn Fn(&mut Driver, &[Value]),
    ) -> Result<(), Diagnostic> {
        let config = self.machine.isa().frontend_config();
        let signature = rows::signature(config, words + usize::from(self.data.is_none()));
        let exported = format!("{}_{word}", self.name);
        let machines = self.machines;
        let mut ids = Vec::new();
        for ((level, machine), kernels) in machines.iter().zip(kernels) {
            self.machine = machine;
            let own = format!("{}.{}.{word}", self.name, level.name());
            let (title, linkage) = match kernels_are_one(machines, word) {
                true => (exported.as_str(), Linkage::Export),
                false => (own.as_str(), Linkage::Local),
            };
            let id = self.module.declare_function(title, linkage, &signature).map_err(broken)?;
            self.body(part, kernels, id, &signature, body)?;
            ids.push(id);
        }
        self.machine = &machines[0].1;
        if ids.len() > 1 { self.choose(&exported, signature, &ids) } else { Ok(()) }
    }

    fn body(
        &mut self,
        part: &Part,
        kernels: &Kernels,
        id: FuncId,
        signature: &Signature,
        body: &dyn Fn(&mut Driver, &[Value]),
    ) -> Result<(), Diagnostic> {
        let is_stream = part.kind == PartKind::Stream;
        let config = self.machine.isa().frontend_config();
        let mut function = self.function(id, signature.clone());
        let callees = self.callees(kernels, &mut function);
        let data = self.data.map(|data| self.module.declare_data_in_func(data, &mut function));
        let mut w = Words::begin(&mut function, &mut self.context, config);
        let mut args = w.args();
        let weights = match data {
            Some(data) => w.b.ins().symbol_value(types::I64, data),
            None => args.remove(usize::from(is_stream)),
        };
        let steps = fixed_steps(&mut w, &part.program);
        let (mut kept, mut work) = (None, None);
        if is_stream && let Some(state) = args.first() {
            kept = Some(*state);
            let begin = part.plan.kept.next_multiple_of(super::plan::LINE);
            work = Some(w.plus(*state, begin as i64 * 4));
        }
        let given = vec![None; part.program.inputs.len()];
        let bases = Bases { weights, kept, work, steps, given };
        let mut driver = Driver::new(w, &part.program, &part.plan, callees, bases);
        body(&mut driver, &args);
        driver.w.end();
        self.define(id, function)
    }

    /// A function that calls the one of the highest level that the machine has.
    fn choose(&mut self, title: &str, signature: Signature, ids: &[FuncId]) -> Result<(), Diagnostic> {
        let (detect, level) = self.levels()?;
        let config = self.machine.isa().frontend_config();
        let id = self.module.declare_function(title, Linkage::Export, &signature).map_err(broken)?;
        let mut function = self.function(id, signature);
        let detect = self.module.declare_func_in_func(detect, &mut function);
        let level = self.module.declare_data_in_func(level, &mut function);
        let bodies: Vec<_> =
            ids.iter().map(|id| self.module.declare_func_in_func(*id, &mut function)).collect();
        let numbers: Vec<i64> = self.machines.iter().map(|(level, _)| level.number()).collect();
        let w = Words::begin(&mut function, &mut self.context, config);
        dispatch::choose(w, detect, level, &bodies, &numbers);
        self.define(id, function)
    }

    fn levels(&mut self) -> Result<(FuncId, DataId), Diagnostic> {
        if let Some(levels) = self.levels {
            return Ok(levels);
        }
        let mut signature = rows::signature(self.machine.isa().frontend_config(), 0);
        signature.returns.push(AbiParam::new(types::I32));
        let title = format!("{}.detect", self.name);
        let id = self.module.declare_function(&title, Linkage::Local, &signature).map_err(broken)?;
        self.module.define_function_bytes(id, 16, &dispatch::DETECT, &[]).map_err(broken)?;
        let title = format!("{}.level", self.name);
        let data = self.module.declare_data(&title, Linkage::Local, true, false).map_err(broken)?;
        define_data(&mut self.module, data, vec![0; 4], 4)?;
        self.levels = Some((id, data));
        Ok((id, data))
    }

    fn callees(&mut self, kernels: &Kernels, function: &mut Function) -> Callees {
        let copy = self.module.declare_func_in_func(self.copy, function);
        let fill = self.module.declare_func_in_func(self.fill, function);
        let mut declare = |(id, data): &(FuncId, Option<DataId>)| {
            let kernel = self.module.declare_func_in_func(*id, function);
            (kernel, data.map(|data| self.module.declare_data_in_func(data, function)))
        };
        Callees { kernels: kernels.iter().map(&mut declare).collect(), copy, fill }
    }

    /// The function that computes what follows from parameters, for all parts.
    pub fn prepare(&mut self, all: &[Part]) -> Result<(), Diagnostic> {
        let config = self.machine.isa().frontend_config();
        let mut ids = Vec::new();
        for part in all {
            let kernels = self.kernels_again(part)?;
            let signature = rows::signature(config, 1);
            let title = format!("{}.{}.prepare", self.name, part.kind.word());
            let id = self.module.declare_function(&title, Linkage::Local, &signature).map_err(broken)?;
            ids.push(id);
            let mut function = self.function(id, signature);
            let callees = self.callees(&kernels, &mut function);
            let mut w = Words::begin(&mut function, &mut self.context, config);
            let weights = w.args()[0];
            let steps = fixed_steps(&mut w, &part.program);
            let given = part.program.inputs.iter().map(|input| {
                let at = self.params.iter().find(|p| *p.name == *input.name)?.at;
                Some(w.plus(weights, at as i64 * 4))
            });
            let given = given.collect();
            let bases = Bases { weights, kept: None, work: None, steps, given };
            let mut driver = Driver::new(w, &part.program, &part.plan, callees, bases);
            driver.prepare();
            driver.w.end();
            self.define(id, function)?;
        }
        let signature = rows::signature(config, 1);
        let title = format!("{}_prepare", self.name);
        let id = self.module.declare_function(&title, Linkage::Export, &signature).map_err(broken)?;
        let mut function = self.function(id, signature);
        let callees: Vec<_> =
            ids.iter().map(|id| self.module.declare_func_in_func(*id, &mut function)).collect();
        let mut w = Words::begin(&mut function, &mut self.context, config);
        let weights = w.args()[0];
        for callee in callees {
            w.b.ins().call(callee, &[weights]);
        }
        w.end();
        self.define(id, function)
    }

    /// The bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>, Diagnostic> {
        let bytes = self.module.finish().emit().map_err(broken)?;
        let missing = undefined(&bytes).map_err(|e| errors::broken(&e))?;
        match missing.first() {
            Some(symbol) => Err(errors::broken(&format!("`{symbol}` is not in it"))),
            None => Ok(bytes),
        }
    }
}

/// Whether a function of the interface is there once: what begins a sequence is the same for all levels.
fn kernels_are_one(machines: &[(Level, Machine)], word: &str) -> bool {
    machines.len() == 1 || word == "init"
}

/// Symbols of an object that something else would have to define.
pub fn undefined(bytes: &[u8]) -> Result<Vec<String>, String> {
    let file = read::File::parse(bytes).map_err(|e| e.to_string())?;
    let names = file.symbols().filter(|s| s.is_undefined()).filter_map(|s| s.name().ok());
    Ok(names.filter(|name| !name.is_empty()).map(str::to_string).collect())
}

fn define_data(module: &mut ObjectModule, id: DataId, bytes: Vec<u8>, align: u64) -> Result<(), Diagnostic> {
    let mut data = DataDescription::new();
    data.define(bytes.into_boxed_slice());
    data.set_align(align);
    module.define_data(id, &data).map_err(broken)
}
