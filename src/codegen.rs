//! Fused kernels to machine code: with Cranelift, or in wide vectors directly.
//!
//! In: the [`Kernel`]s of a program, and for each argument how far an id may reach ([`reach`]). Out: one function for
//! each kernel ([`jit`]), or its text for a named target ([`clif`], [`asm`]). Invariants: a kernel touches no memory
//! outside its rows, whatever values it meets; code calls nothing but the [`helpers`]; the same program gives the
//! same text.
//!
//! What is computed is said once, in arithmetic on vectors of any length ([`lanes`]): elementary functions (`math.rs`)
//! and the operations of kernels (`ops.rs`). Two back ends turn it into code. One goes through Cranelift, does every
//! kernel for every target, and has 128-bit vectors (`vectors.rs`, `nest.rs`). The other, [`avx512`], takes the kernels
//! it has the means for where the target has 512-bit ones.
//!
//! `Inst::Fma` is rounded once only where the machine has the instruction.

pub mod ahead;
mod avx512;
mod axes;
mod contract;
mod folds;
mod function;
pub mod helpers;
mod lanes;
mod math;
mod nest;
mod ops;
pub mod reach;
mod target;
mod vectors;

pub use target::{AVX2, AVX512, Target};

use crate::diag::Diagnostic;
use crate::loops::{Kernel, Program};
use cranelift::prelude::FunctionBuilderContext;
use cranelift_codegen::binemit::CodeOffset;
use cranelift_codegen::ir::{ExtFuncData, ExternalName, Function, UserExternalName, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{FuncId, Linkage, Module, default_libcall_names};
use helpers::Helper;
use std::collections::BTreeMap;
use target::Features;

/// How much the back end itself optimises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Level {
    /// Instructions stay as they are emitted. See Note [Optimisation level].
    #[default]
    None,
    Speed,
}

/// How kernels become machine code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct How {
    pub level: Level,
    /// Vectors of 128 bits only, whatever the computer has: to compare with.
    pub narrow: bool,
    /// The instructions of [`Target::REPRODUCIBLE`] only, so that results are the same bits on every computer that has them.
    pub reproducible: bool,
}

/// Machine code in memory, not yet callable, and what it needs to be called.
pub struct Code {
    pub module: JITModule,
    pub functions: Vec<Entry>,
}

/// One compiled kernel.
pub struct Entry {
    pub id: FuncId,
    /// Its constants, whose address is the argument behind the kernel's own.
    pub constants: Vec<[u32; 4]>,
    /// Elements of one row of each argument that it may touch, and whether it may write them.
    pub spans: Vec<(usize, bool)>,
    pub code_bytes: CodeOffset,
}

/// Compiles all kernels for this computer. `limits[kernel][arg]`: elements of a row an id may reach.
pub fn jit(kernels: &[Kernel], limits: &[Vec<usize>], how: How) -> Result<Code, Diagnostic> {
    let target = if how.reproducible { Target::HostAs(Target::REPRODUCIBLE) } else { Target::Host };
    let isa = target.isa(how.level).map_err(|e| errors::no_machine_code(&e))?;
    let features = Features::of(&*isa).ok_or_else(|| errors::no_machine_code("it has no vectors"))?;
    let failed = |e: &dyn std::fmt::Display| errors::broken(&e.to_string());
    let mut builder = JITBuilder::with_isa(isa, default_libcall_names());
    builder.symbols(Helper::ALL.map(|h| (h.name(), h.address())));
    let mut module = JITModule::new(builder);
    let config = module.isa().frontend_config();
    let mut ids = BTreeMap::new();
    for helper in Helper::ALL {
        let signature = function::helper_signature(helper, config);
        let id =
            module.declare_function(helper.name(), Linkage::Import, &signature).map_err(|e| failed(&e))?;
        ids.insert(helper, id);
    }
    let mut functions = Vec::new();
    let mut builder_context = FunctionBuilderContext::new();
    let mut context = module.make_context();
    for (kernel, limits) in kernels.iter().zip(limits) {
        let spans = reach::spans(kernel, limits).ok_or_else(|| failed(&"spans overflow"))?;
        let spans = spans.into_iter().zip(&kernel.args).map(|(span, arg)| (span, arg.written)).collect();
        context.func.signature = function::signature(config);
        let id = module.declare_anonymous_function(&context.func.signature).map_err(|e| failed(&e))?;
        let wide = (features.avx512 && !how.narrow).then(|| avx512::compile(kernel, false)).flatten();
        if let Some(wide) = wide {
            module.define_function_bytes(id, 64, &wide.bytes, &[]).map_err(|e| failed(&e))?;
            let code_bytes = wide.bytes.len() as CodeOffset;
            functions.push(Entry { id, constants: Vec::new(), spans, code_bytes });
            continue;
        }
        let called = function::helpers_of(kernel, features);
        let helpers =
            called.iter().map(|h| (*h, module.declare_func_in_func(ids[h], &mut context.func))).collect();
        let constants = function::define(
            kernel,
            limits,
            features,
            &helpers,
            config,
            &mut context.func,
            &mut builder_context,
        );
        module.define_function(id, &mut context).map_err(|e| failed(&format!("{e:?}")))?;
        let code_bytes = check_calls(&context).map_err(|e| failed(&e))?;
        functions.push(Entry { id, constants, spans, code_bytes });
        module.clear_context(&mut context);
    }
    module.finalize_definitions().map_err(|e| failed(&e))?;
    Ok(Code { module, functions })
}

/// No call goes anywhere but to a helper, all of which have an address: finalizing cannot meet an unknown symbol.
fn check_calls(context: &Context) -> Result<CodeOffset, String> {
    let code = context.compiled_code().ok_or("no code came out")?;
    for reloc in code.buffer.relocs() {
        match &reloc.target {
            FinalizedRelocTarget::ExternalName(ExternalName::User(_)) | FinalizedRelocTarget::Func(_) => {}
            other => return Err(format!("the code refers to {other:?}")),
        }
    }
    Ok(code.code_info().total_size)
}

/// The intermediate code of every kernel as text: Cranelift's, or the operations on wide vectors.
pub fn clif(program: &Program, limits: &[Vec<usize>], target: Target) -> Result<String, Diagnostic> {
    text(program, limits, target, avx512::listing, |_, context| Ok(context.func.display().to_string()))
}

/// The machine code of every kernel as text, with registers assigned.
pub fn asm(program: &Program, limits: &[Vec<usize>], target: Target) -> Result<String, Diagnostic> {
    let wide = |kernel: &Kernel| avx512::compile(kernel, true)?.text;
    text(program, limits, target, wide, |isa, context| {
        context.set_disasm(true);
        let code = context
            .compile(&**isa, &mut Default::default())
            .map_err(|e| errors::broken(&format!("{:?}", e.inner)))?;
        let text = code.vcode.as_deref().unwrap_or_default();
        // Notes for stack unwinding are no instructions.
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("unwind "));
        Ok(lines.map(|line| format!("{line}\n")).collect())
    })
}

fn text(
    program: &Program,
    limits: &[Vec<usize>],
    target: Target,
    wide: impl Fn(&Kernel) -> Option<String>,
    mut show: impl FnMut(&OwnedTargetIsa, &mut Context) -> Result<String, Diagnostic>,
) -> Result<String, Diagnostic> {
    let isa = target.isa(Level::default()).map_err(|e| errors::no_machine_code(&e))?;
    let features = Features::of(&*isa).ok_or_else(|| errors::no_machine_code("it has no vectors"))?;
    let config = isa.frontend_config();
    let mut all = String::new();
    let mut builder_context = FunctionBuilderContext::new();
    for (i, (kernel, limits)) in program.kernels.iter().zip(limits).enumerate() {
        if let Some(text) = features.avx512.then(|| wide(kernel)).flatten() {
            all += &format!("; k{i}: {}, 512-bit vectors\n{text}\n", kernel.name);
            continue;
        }
        let name = UserFuncName::testcase(format!("k{i}"));
        let mut func = Function::with_name_signature(name, function::signature(config));
        let mut helpers = BTreeMap::new();
        for helper in function::helpers_of(kernel, features) {
            let signature = func.import_signature(function::helper_signature(helper, config));
            let number = UserExternalName::new(1, helper as u32);
            let name = ExternalName::user(func.declare_imported_user_function(number));
            let data = ExtFuncData { name, signature, colocated: false, patchable: false };
            helpers.insert(helper, func.import_function(data));
        }
        let constants =
            function::define(kernel, limits, features, &helpers, config, &mut func, &mut builder_context);
        let mut context = Context::for_function(func);
        all += &format!("; k{i}: {}\n{}", kernel.name, show(&isa, &mut context)?);
        for (i, entry) in constants.iter().enumerate() {
            let numbers: Vec<String> = entry.iter().map(|bits| format!("{bits:#010x}")).collect();
            let same = entry.iter().all(|bits| *bits == entry[0]);
            let value = f32::from_bits(entry[0]);
            let shown = if same { format!("{} ×4, {value:e}", numbers[0]) } else { numbers.join(" ") };
            all += &format!("; constant +{}: {shown}\n", 16 * i);
        }
        all.push('\n');
    }
    Ok(all)
}

mod errors {
    use crate::diag::Diagnostic;

    pub fn no_machine_code(why: &str) -> Diagnostic {
        Diagnostic::error("E0602", format!("no machine code for this computer: {why}"))
            .help("`--interpret` runs without machine code")
    }

    pub fn broken(what: &str) -> Diagnostic {
        Diagnostic::error(
            "E0601",
            format!("the code generator made a function that does not hold together: {what}"),
        )
        .help("this is a mistake in rnnc, not in your file; please report it with the command that shows it")
    }
}

// Note [Optimisation level]
//
// On a training step of gates (100 steps, 32 examples, 256 units) the back end at `speed` gave kernels as fast as at
// `none` or slower, at 1.3 times the compile time: common subexpressions are gone before (`simplify`), what does not
// change in a loop is computed before it (`nest.rs`), and the order of instructions is chosen here. So `none`.
