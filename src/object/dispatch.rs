//! Bodies for several levels of x86-64 in one object, of which the best is chosen when it runs.

use super::words::{NONE, Words, memory};
use cranelift::prelude::*;
use cranelift_codegen::ir::{FuncRef, GlobalValue};

/// `int detect(void)`: 1, 2 with AVX2 and FMA, 3 with AVX-512F and VL too, each as far as the system keeps the registers. In
/// bytes, as Cranelift has no `cpuid`; it is called alike on all systems.
#[rustfmt::skip]
pub const DETECT: [u8; 103] = [
    0x53,                                     //       push rbx
    0xb8, 1, 0, 0, 0,                         //       mov eax, 1
    0x31, 0xc9,                               //       xor ecx, ecx
    0x0f, 0xa2,                               //       cpuid
    0x81, 0xe1, 0x00, 0x10, 0x00, 0x18,       //       and ecx, FMA | OSXSAVE | AVX
    0x81, 0xf9, 0x00, 0x10, 0x00, 0x18,       //       cmp ecx, FMA | OSXSAVE | AVX
    0x75, 0x48,                               //       jne base
    0x31, 0xc9,                               //       xor ecx, ecx
    0x0f, 0x01, 0xd0,                         //       xgetbv
    0x41, 0x89, 0xc0,                         //       mov r8d, eax
    0x83, 0xe0, 0x06,                         //       and eax, XMM | YMM
    0x83, 0xf8, 0x06,                         //       cmp eax, XMM | YMM
    0x75, 0x38,                               //       jne base
    0xb8, 7, 0, 0, 0,                         //       mov eax, 7
    0x31, 0xc9,                               //       xor ecx, ecx
    0x0f, 0xa2,                               //       cpuid
    0xf6, 0xc3, 0x20,                         //       test bl, AVX2
    0x74, 0x2a,                               //       jz base
    0xb8, 2, 0, 0, 0,                         //       mov eax, 2
    0x41, 0x81, 0xe0, 0xe6, 0, 0, 0,          //       and r8d, XMM | YMM | OPMASK | ZMM
    0x41, 0x81, 0xf8, 0xe6, 0, 0, 0,          //       cmp r8d, XMM | YMM | OPMASK | ZMM
    0x75, 0x13,                               //       jne done
    0x81, 0xe3, 0x00, 0x00, 0x01, 0x80,       //       and ebx, AVX512F | AVX512VL
    0x81, 0xfb, 0x00, 0x00, 0x01, 0x80,       //       cmp ebx, AVX512F | AVX512VL
    0x75, 0x05,                               //       jne done
    0xb8, 3, 0, 0, 0,                         //       mov eax, 3
    0x5b,                                     // done: pop rbx
    0xc3,                                     //       ret
    0xb8, 1, 0, 0, 0,                         // base: mov eax, 1
    0x5b,                                     //       pop rbx
    0xc3,                                     //       ret
];

/// Calls the last of `bodies` whose number is at most the machine's, which is found out once. Threads that do so at once
/// find and write the same.
pub fn choose(mut w: Words, detect: FuncRef, level: GlobalValue, bodies: &[FuncRef], numbers: &[i64]) {
    let args = w.args();
    let at = w.b.ins().symbol_value(types::I64, level);
    let found = w.b.declare_var(types::I32);
    let known = w.b.ins().load(types::I32, memory(), at, 0);
    w.b.def_var(found, known);
    let (first, then) = (w.b.create_block(), w.b.create_block());
    w.b.ins().brif(known, then, NONE, first, NONE);
    w.b.switch_to_block(first);
    let call = w.b.ins().call(detect, &[]);
    let detected = w.b.inst_results(call)[0];
    w.b.ins().store(memory(), detected, at, 0);
    w.b.def_var(found, detected);
    w.b.ins().jump(then, NONE);
    w.b.switch_to_block(then);
    let mut others: Vec<(FuncRef, i64)> = bodies.iter().copied().zip(numbers.iter().copied()).collect();
    others.reverse();
    for (k, (body, number)) in others.iter().enumerate() {
        if k + 1 < others.len() {
            let (this, next) = (w.b.create_block(), w.b.create_block());
            let here = w.b.use_var(found);
            let is_there = w.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, here, *number);
            w.b.ins().brif(is_there, this, NONE, next, NONE);
            w.b.switch_to_block(this);
            w.b.ins().call(*body, &args);
            w.b.ins().return_(&[]);
            w.b.switch_to_block(next);
        } else {
            w.b.ins().call(*body, &args);
            w.b.ins().return_(&[]);
        }
    }
    w.finish();
}
