//! Calls, with functions written in Rust in the place of machine code: what a kernel is given, and when. So the checks that
//! know what Rust allows can follow them.

use super::*;
use crate::runtime::gemm::Packed;
use crate::runtime::memory::Buf;
use std::sync::Arc;

const WIDTH: usize = 3;

/// `to += constant * from`, row by row.
///
/// # Safety
/// As machine code of two arguments, see [`Function`]: each has `WIDTH` elements a row.
unsafe extern "C" fn add(args: *const *mut u8, rows: usize, _: usize) {
    // SAFETY: two addresses, that of the constants, two strides.
    let args = unsafe { std::slice::from_raw_parts(args, 5) };
    // SAFETY: the first constant.
    let constant = unsafe { args[2].cast::<f32>().read() };
    for row in 0..rows {
        let at = |arg: usize, i: usize| {
            let row = args[arg].wrapping_byte_add(row.wrapping_mul(args[3 + arg].addr()));
            row.cast::<f32>().wrapping_add(i)
        };
        for i in 0..WIDTH {
            // SAFETY: elements of the row.
            unsafe { *at(1, i) += constant * *at(0, i) }
        }
    }
}

fn native() -> Native {
    let mut constants = Placed::zeroed(1, Placement::Plain).unwrap();
    constants.as_mut_slice()[0] = Constant([2.0f32.to_bits(); 4]);
    let kernel = Kernel { function: add, constants, spans: vec![(WIDTH, false), (WIDTH, true)] };
    Native { kernels: vec![kernel], module: Arc::new(Module(None)), placement: Placement::Plain }
}

/// Of such lengths, each with the numbers from 1 on.
fn bufs<const N: usize>(lengths: [usize; N]) -> Vec<Buf> {
    let filled = |len| {
        let mut buf = Buf::default();
        buf.reset(len).unwrap();
        buf.f32_mut().iter_mut().zip(1..).for_each(|(x, i)| *x = i as f32);
        buf
    };
    lengths.map(filled).into()
}

fn bind(buffer: usize, offset: usize, stride: isize) -> Bind {
    Bind { base: Base::Buffer(buffer), offset, stride }
}

#[test]
fn a_call_goes_through_rows_in_any_stride_and_arguments_may_overlap() {
    let (native, mut scratch) = (native(), Addresses::default());
    let mut all = bufs([8, 6]);
    let mut memory = Memory::new(&mut all, &mut []);
    // Rows of the first, last one first, to one row of the second.
    native.call(0, &[bind(0, 4, -4), bind(1, 3, 0)], 2, &mut memory, &mut scratch);
    assert_eq!(memory.f32(1, 0..6), [1.0, 2.0, 3.0, 16.0, 21.0, 26.0]);
    // A row is added to the next one, and that to the one behind it.
    native.call(0, &[bind(0, 0, 1), bind(0, 3, 1)], 3, &mut memory, &mut scratch);
    assert_eq!(memory.f32(0, 0..8), [1.0, 2.0, 3.0, 6.0, 13.0, 24.0, 31.0, 34.0]);
    native.call(0, &[bind(0, 0, 0), bind(1, 0, 0)], 0, &mut memory, &mut scratch);
    assert_eq!(memory.f32(1, 0..3), [1.0, 2.0, 3.0]);
}

#[test]
fn a_weight_can_be_read_but_not_written() {
    let (native, mut scratch) = (native(), Addresses::default());
    let mut all = bufs([3]);
    let mut weights = [Packed::zeroed(1, 5)];
    weights[0].pack_block(0, 0, &[5.0, 6.0, 7.0, 8.0, 9.0], 1, 5, 5, false);
    let mut memory = Memory::new(&mut all, &mut weights);
    let weight = Bind { base: Base::Weight(0), offset: 1, stride: 0 };
    native.call(0, &[weight, bind(0, 0, 0)], 1, &mut memory, &mut scratch);
    assert_eq!(memory.f32(0, 0..3), [13.0, 16.0, 19.0]);
    let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        native.call(0, &[bind(0, 0, 0), weight], 1, &mut memory, &mut scratch);
    }));
    assert!(written.is_err());
}

#[test]
fn an_argument_that_leaves_its_buffer_is_refused() {
    let native = native();
    for (from, rows) in
        [(bind(0, 4, 0), 1), (bind(0, 0, 2), 3), (bind(0, 1, -1), 3), (bind(0, 7, isize::MAX), 2)]
    {
        let mut all = bufs([6, 3]);
        let mut memory = Memory::new(&mut all, &mut []);
        let call = || native.call(0, &[from, bind(1, 0, 0)], rows, &mut memory, &mut Addresses::default());
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err(), "{from:?}");
    }
}

#[test]
fn an_aimed_kernel_goes_on_while_its_memory_is_read_and_written_between() {
    let binds = [bind(0, 0, 3), bind(1, 0, 3)];
    let mut aimed = Aimed::new(&Arc::new(native()), 0, &binds, 2, bufs([6, 6]), Vec::new(), Vec::new());
    aimed.step(&[], &mut []);
    assert_eq!(aimed.buf(1).f32(), [3.0, 6.0, 9.0, 4.0, 5.0, 6.0]);
    aimed.f32_mut(0)[3..].fill(0.5);
    aimed.step(&[], &mut []);
    aimed.rewind();
    aimed.i32_mut(1)[..3].fill(0);
    aimed.step(&[], &mut []);
    let (bufs, _) = aimed.release();
    assert_eq!(bufs[1].f32(), [2.0, 4.0, 6.0, 5.0, 6.0, 7.0]);
}

#[test]
fn what_is_lent_is_read_and_written_where_it_lies() {
    let lent = |arg, first, written| Lent { arg, first, width: WIDTH, written };
    let aimed = |lent| {
        let binds = [bind(0, 0, 3), bind(1, 0, 3)];
        Aimed::new(&Arc::new(native()), 0, &binds, 2, bufs([6, 6]), Vec::new(), lent)
    };
    let mut both = aimed(vec![lent(0, 1, false), lent(1, 0, true)]);
    let mut output = [1.0; 4];
    for _ in 0..2 {
        both.step(&[9.0, 1.0, 2.0, 3.0], &mut output);
    }
    assert_eq!(output, [5.0, 9.0, 13.0, 1.0]);
    assert_eq!(both.buf(1).f32(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // Both in the array that is written.
    let mut output = [1.0, 2.0, 3.0, 0.0, 0.0, 0.0];
    aimed(vec![lent(0, 0, true), lent(1, 3, true)]).step(&[], &mut output);
    assert_eq!(output, [1.0, 2.0, 3.0, 2.0, 4.0, 6.0]);
    let mut short = aimed(vec![lent(1, 2, true)]);
    let step = || short.step(&[], &mut [0.0; 4]);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)).is_err());
}

#[test]
fn calls_from_several_threads_share_code_and_constants() {
    let native = native();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut all = bufs([3, 3]);
                let mut memory = Memory::new(&mut all, &mut []);
                native.call(0, &[bind(0, 0, 0), bind(1, 0, 0)], 1, &mut memory, &mut Addresses::default());
                assert_eq!(all[1].f32(), [3.0, 6.0, 9.0]);
            });
        }
    });
}

#[test]
#[cfg_attr(miri, ignore = "it has no control register")]
fn tiny_numbers_count_as_zero_only_while_asked_for() {
    let half = |x: f32| std::hint::black_box(x) * std::hint::black_box(0.5);
    let guard = FlushToZero::begin();
    assert_eq!(half(f32::MIN_POSITIVE), 0.0);
    drop(guard);
    assert!(half(f32::MIN_POSITIVE) > 0.0);
}
