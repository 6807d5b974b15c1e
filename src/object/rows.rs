//! Rows copied and filled: the two functions that every object has for itself, as there is no library to call.

use super::words::{Words, memory};
use cranelift::prelude::*;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::TargetFrontendConfig;

/// Words that each of them takes.
pub const COPY: usize = 7;
pub const FILL: usize = 5;

pub fn signature(config: TargetFrontendConfig, words: usize) -> Signature {
    let mut signature = Signature::new(config.default_call_conv);
    signature.params.extend(vec![AbiParam::new(types::I64); words]);
    signature
}

/// `copy(to, from, rows, width, to_row, from_row, from_element)`: `width` elements of four bytes in each of `rows` rows, the
/// distances in bytes. Rows are copied in order, so they may move towards their beginning.
pub fn copy(function: &mut Function, context: &mut FunctionBuilderContext, config: TargetFrontendConfig) {
    let mut words = Words::begin(function, context, config);
    let args = words.args();
    let [to, from, rows, width, to_row, from_row, pace] = args[..] else { return };
    let four = words.word(4);
    let is_close = words.b.ins().icmp(IntCC::Equal, pace, four);
    let wholes = words.b.ins().ushr_imm_s(width, 2);
    let none = words.word(0);
    let wholes = words.b.ins().select(is_close, wholes, none);
    let done = words.b.ins().ishl_imm_s(wholes, 2);
    words.times(rows, |w, row| {
        let to = w.at(to, row, to_row);
        let from = w.at(from, row, from_row);
        w.times(wholes, |w, i| {
            let bytes = w.b.ins().ishl_imm_s(i, 4);
            let (from, to) = (w.b.ins().iadd(from, bytes), w.b.ins().iadd(to, bytes));
            let four = w.b.ins().load(types::I32X4, memory(), from, 0);
            w.b.ins().store(memory(), four, to, 0);
        });
        let rest = w.b.ins().isub(width, done);
        w.times(rest, |w, i| {
            let i = w.b.ins().iadd(done, i);
            let from = w.at(from, i, pace);
            let to = w.at(to, i, four);
            let one = w.b.ins().load(types::I32, memory(), from, 0);
            w.b.ins().store(memory(), one, to, 0);
        });
    });
    words.end();
}

/// `fill(to, rows, width, to_row, bits)`.
pub fn fill(function: &mut Function, context: &mut FunctionBuilderContext, config: TargetFrontendConfig) {
    let mut words = Words::begin(function, context, config);
    let args = words.args();
    let [to, rows, width, to_row, bits] = args[..] else { return };
    let bits = words.b.ins().ireduce(types::I32, bits);
    let four = words.word(4);
    words.times(rows, |w, row| {
        let to = w.at(to, row, to_row);
        w.times(width, |w, i| {
            let to = w.at(to, i, four);
            w.b.ins().store(memory(), bits, to, 0);
        });
    });
    words.end();
}
