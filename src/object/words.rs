//! Straight code on words of 64 bits: addresses, counts and loops.

use cranelift::prelude::*;
use cranelift_codegen::ir::{BlockArg, Function, MemFlagsData};
use cranelift_codegen::isa::TargetFrontendConfig;

/// One function while it is written.
pub struct Words<'a> {
    pub b: FunctionBuilder<'a>,
    entry: Block,
    config: TargetFrontendConfig,
}

/// Memory of the caller: there, but at no particular multiple of anything.
pub fn memory() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// A jump without arguments.
pub const NONE: &[BlockArg] = &[];

impl<'a> Words<'a> {
    pub fn begin(
        function: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        config: TargetFrontendConfig,
    ) -> Words<'a> {
        let mut b = FunctionBuilder::new(function, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        Words { b, entry, config }
    }

    pub fn args(&self) -> Vec<Value> {
        self.b.block_params(self.entry).to_vec()
    }

    /// Returns nothing, and is done.
    pub fn end(mut self) {
        self.b.ins().return_(&[]);
        self.finish();
    }

    pub fn finish(mut self) {
        self.b.seal_all_blocks();
        self.b.finalize(self.config);
    }

    pub fn word(&mut self, n: i64) -> Value {
        self.b.ins().iconst(types::I64, n)
    }

    /// `from + index * pace`.
    pub fn at(&mut self, from: Value, index: Value, pace: Value) -> Value {
        let bytes = self.b.ins().imul(index, pace);
        self.b.ins().iadd(from, bytes)
    }

    pub fn plus(&mut self, at: Value, bytes: i64) -> Value {
        if bytes == 0 { at } else { self.b.ins().iadd_imm_s(at, bytes) }
    }

    /// Does something so many times, with the number of the turn from 0.
    pub fn times(&mut self, count: Value, body: impl FnOnce(&mut Self, Value)) {
        let counter = self.b.declare_var(types::I64);
        let zero = self.word(0);
        self.b.def_var(counter, zero);
        let (header, inside, behind) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().jump(header, NONE);
        self.b.switch_to_block(header);
        let now = self.b.use_var(counter);
        let more = self.b.ins().icmp(IntCC::UnsignedLessThan, now, count);
        self.b.ins().brif(more, inside, NONE, behind, NONE);
        self.b.switch_to_block(inside);
        body(self, now);
        let now = self.b.use_var(counter);
        let next = self.b.ins().iadd_imm_s(now, 1);
        self.b.def_var(counter, next);
        self.b.ins().jump(header, NONE);
        self.b.switch_to_block(behind);
    }
}
