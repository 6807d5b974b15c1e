//! One kernel, one function: `fn(args: *const *mut u8, rows: usize, turn: usize)`.
//!
//! `args` holds the address of each argument's first row, then that of the kernel's constants, then for each argument the
//! bytes from one row to the next. Rows are the outermost loop; the number of their turn is of no use here. Nothing is read or written outside `rows` rows of the spans of [`reach`](super::reach), whatever ids arrive.

use super::helpers::Helper;
use super::reach::greatest_id;
use super::target::Features;
use super::vectors::{Table, VECTOR, Vectors, memory};
use crate::eqn::{Binary, Unary};
use crate::loops::{Access, Inst, Kernel, ScalarId};
use cranelift::prelude::*;
use cranelift_codegen::ir::{FuncRef, Function, StackSlot};
use cranelift_codegen::isa::TargetFrontendConfig;
use std::collections::{BTreeMap, BTreeSet};

/// The type of addresses and counts.
pub(super) const WORD: Type = types::I64;

/// The signature of every kernel.
pub(super) fn signature(config: TargetFrontendConfig) -> Signature {
    let mut signature = Signature::new(config.default_call_conv);
    signature.params.extend([AbiParam::new(WORD), AbiParam::new(WORD), AbiParam::new(WORD)]);
    signature
}

/// The signature of a helper.
pub(super) fn helper_signature(helper: Helper, config: TargetFrontendConfig) -> Signature {
    let mut signature = Signature::new(config.default_call_conv);
    signature.params.extend(vec![AbiParam::new(types::F32); helper.arity()]);
    signature.returns.push(AbiParam::new(types::F32));
    signature
}

/// The helpers a kernel calls.
pub(super) fn helpers_of(kernel: &Kernel, features: Features) -> BTreeSet<Helper> {
    let insts = kernel.nests.iter().flat_map(|n| &n.insts);
    let helper = |inst: &Inst| match inst {
        Inst::Unary(Unary::Sin, _) => Some(Helper::Sin),
        Inst::Unary(Unary::Cos, _) => Some(Helper::Cos),
        Inst::Unary(Unary::Erf, _) => Some(Helper::Erf),
        Inst::Binary(Binary::Pow, ..) => Some(Helper::Pow),
        Inst::Unary(Unary::Floor, _) | Inst::Binary(Binary::Mod, ..) if !features.round => {
            Some(Helper::Floor)
        }
        _ => None,
    };
    insts.filter_map(helper).collect()
}

/// Fills in the body of `function`, which has the right signature; returns the kernel's constants.
pub(super) fn define(
    kernel: &Kernel,
    limits: &[usize],
    features: Features,
    helpers: &BTreeMap<Helper, FuncRef>,
    config: TargetFrontendConfig,
    function: &mut Function,
    context: &mut FunctionBuilderContext,
) -> Vec<[u32; 4]> {
    let mut table = Table::default();
    let mut builder = FunctionBuilder::new(function, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let (args, rows) = (builder.block_params(entry)[0], builder.block_params(entry)[1]);
    let constants = (kernel.args.len() * 8) as i32;
    let table_at = builder.ins().load(WORD, memory(), args, constants);
    let row = builder.declare_var(WORD);
    let scalars: Vec<Variable> = (0..kernel.scalars).map(|_| builder.declare_var(VECTOR)).collect();
    let (body, exit) = (builder.create_block(), builder.create_block());
    let zero = builder.ins().iconst(WORD, 0);
    builder.def_var(row, zero);

    let lanes = Vectors {
        b: &mut builder,
        table: &mut table,
        table_at,
        features,
        helpers,
        held: BTreeMap::new(),
        used: 4,
    };
    let mut emitter = Emitter { lanes, kernel, limits, args, row, scalars, slots: Vec::new() };
    emitter.lanes.branch(rows, body, exit);
    emitter.lanes.b.switch_to_block(body);
    for scalar in emitter.scalars.clone() {
        let zero = emitter.lanes.entry([0.0; 4]);
        emitter.lanes.b.def_var(scalar, zero);
    }
    for nest in &kernel.nests {
        emitter.nest(nest);
    }
    let b = &mut *emitter.lanes.b;
    let this = b.use_var(row);
    let one = b.ins().iconst(WORD, 1);
    let next = b.ins().iadd(this, one);
    b.def_var(row, next);
    let more = b.ins().icmp(IntCC::UnsignedLessThan, next, rows);
    emitter.lanes.branch(more, body, exit);
    emitter.lanes.b.switch_to_block(exit);
    emitter.lanes.b.ins().return_(&[]);
    builder.seal_all_blocks();
    builder.finalize(config);
    table.entries
}

/// The state while one kernel is emitted.
pub(super) struct Emitter<'a, 'b> {
    pub lanes: Vectors<'a, 'b>,
    pub kernel: &'a Kernel,
    pub limits: &'a [usize],
    args: Value,
    row: Variable,
    /// Per-row scalars, the same number in all lanes.
    pub scalars: Vec<Variable>,
    /// Memory for the folds of a nest.
    pub slots: Vec<StackSlot>,
}

impl Emitter<'_, '_> {
    pub fn word(&mut self, n: usize) -> Value {
        self.lanes.b.ins().iconst(WORD, n as i64)
    }

    pub fn plus(&mut self, at: Value, bytes: usize) -> Value {
        let bytes = self.word(bytes);
        self.lanes.b.ins().iadd(at, bytes)
    }

    pub fn times(&mut self, n: Value, by: usize) -> Value {
        match by {
            1 => n,
            by if by.is_power_of_two() => {
                let shift = self.lanes.b.ins().iconst(types::I32, i64::from(by.trailing_zeros()));
                self.lanes.b.ins().ishl(n, shift)
            }
            by => {
                let by = self.word(by);
                self.lanes.b.ins().imul(n, by)
            }
        }
    }

    /// An address with a constant distance small enough for an instruction.
    pub fn near(&mut self, at: Value, bytes: usize) -> (Value, i32) {
        match i32::try_from(bytes) {
            Ok(bytes) => (at, bytes),
            Err(_) => (self.plus(at, bytes), 0),
        }
    }

    /// Address of the current row of an argument.
    pub fn row_of(&mut self, arg: usize) -> Value {
        let first = self.lanes.b.ins().load(WORD, memory(), self.args, arg as i32 * 8);
        let stride = (self.kernel.args.len() + 1 + arg) as i32 * 8;
        let stride = self.lanes.b.ins().load(WORD, memory(), self.args, stride);
        let row = self.lanes.b.use_var(self.row);
        let bytes = self.lanes.b.ins().imul(row, stride);
        self.lanes.b.ins().iadd(first, bytes)
    }

    /// Bytes that an id moves an access; kept within the row whatever the id.
    pub fn id_bytes(&mut self, access: &Access, index: ScalarId, stride: usize, extents: &[usize]) -> Value {
        let most = greatest_id(self.limits[access.arg.index()], access, stride, extents);
        let id = self.lanes.b.use_var(self.scalars[index.index()]);
        let id = self.lanes.b.ins().extractlane(id, 0u8);
        let id = self.lanes.b.ins().fcvt_to_sint_sat(types::I32, id);
        let (zero, most) =
            (self.lanes.b.ins().iconst(types::I32, 0), self.lanes.b.ins().iconst(types::I32, most as i64));
        let id = self.lanes.b.ins().smax(id, zero);
        let id = self.lanes.b.ins().umin(id, most);
        let id = self.lanes.b.ins().uextend(WORD, id);
        self.times(id, stride * 4)
    }
}
