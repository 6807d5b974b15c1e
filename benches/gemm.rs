//! Matrix products as a share of the measured peak of one core.
//!
//! `cargo bench --bench gemm [-- --isa avx2]`; pin it to one core (`taskset -c 1`) on a busy machine. Peak and
//! products are measured in turn, so that a change of the clock meets both; `of peak` compares medians, `at best` the
//! best of each.

use rnnc::runtime::gemm::{Isa, Packed, View, ViewMut, outer, peak_gflops, product};
use std::hint::black_box;
use std::time::Instant;

/// Seconds for each case.
const TIME: f64 = 0.5;

/// Seconds of one measurement, at 100 GFLOP/s.
const SPELL: f64 = 0.0003;

struct Case {
    name: String,
    flops: f64,
    run: Box<dyn FnMut()>,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let isa = match words.iter().position(|w| w == "--isa").and_then(|i| words.get(i + 1)) {
        None => Isa::detect(),
        Some(name) => match name.as_str() {
            "avx512" => Isa::Avx512,
            "avx2" => Isa::Avx2Fma,
            _ => Isa::Portable,
        },
    };
    println!("{isa:?}");
    println!("{:<34} {:>9} {:>9} {:>9} {:>9}", "(rows, k, n)", "µs", "GFLOP/s", "of peak", "at best");
    let products = [
        (32, 256, 1024),
        (3200, 256, 1024),
        (3200, 1024, 256),
        (32, 1024, 256),
        (20, 650, 2600),
        (1, 256, 1024),
    ];
    let outers = [(3200, 1024, 256), (3200, 256, 1024)];
    let more = [(64, 512, 2048), (20, 256, 1024), (13, 100, 400), (8, 64, 256), (1, 64, 256), (32, 10, 40)];
    for (rows, k, n) in products {
        measure(isa, product_case(isa, rows, k, n));
    }
    for (rows, m, n) in outers {
        measure(isa, outer_case(isa, rows, m, n));
    }
    for (rows, k, n) in more {
        measure(isa, product_case(isa, rows, k, n));
    }
}

fn product_case(isa: Isa, rows: usize, k: usize, n: usize) -> Case {
    let (a, source) = (numbers(rows * k), numbers(k * n));
    let mut w = Packed::placed_for(isa, k, n, Default::default()).unwrap();
    w.pack_block(0, 0, &source, k, n, n, false);
    let mut out = vec![0.0; rows * n];
    Case {
        name: format!("product ({rows}, {k}, {n})"),
        flops: 2.0 * (rows * k * n) as f64,
        run: Box::new(move || {
            let to = ViewMut { data: &mut out, stride: n, width: n };
            product(isa, rows, View { data: &a, stride: k, width: k }, &w, to, false);
            black_box(&out);
        }),
    }
}

fn outer_case(isa: Isa, rows: usize, m: usize, n: usize) -> Case {
    let (a, b) = (numbers(rows * m), numbers(rows * n));
    let mut out = vec![0.0; m * n];
    Case {
        name: format!("outer (rows {rows}, m {m}, n {n})"),
        flops: 2.0 * (rows * m * n) as f64,
        run: Box::new(move || {
            let to = ViewMut { data: &mut out, stride: n, width: n };
            let (a, b) = (View { data: &a, stride: m, width: m }, View { data: &b, stride: n, width: n });
            outer(isa, rows, a, b, to, false);
            black_box(&out);
        }),
    }
}

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect()
}

/// Times spells of at least `SPELL` seconds in turn with spells of the peak; prints medians and the best ones.
fn measure(isa: Isa, mut case: Case) {
    let calls = (SPELL * 100e9 / case.flops).ceil();
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < TIME {
        peaks.push(peak_gflops(isa, SPELL, || begin.elapsed().as_secs_f64()));
        let start = Instant::now();
        for _ in 0..calls as u32 {
            (case.run)();
        }
        times.push(start.elapsed().as_secs_f64() / calls);
    }
    times.sort_by(f64::total_cmp);
    peaks.sort_by(f64::total_cmp);
    let rate = |time: f64| case.flops * 1e-9 / time;
    let middle = times.len() / 2;
    println!(
        "{:<34} {:>9.1} {:>9.1} {:>8.1}% {:>8.1}%",
        case.name,
        times[middle] * 1e6,
        rate(times[middle]),
        rate(times[middle]) / peaks[middle] * 100.0,
        rate(times[0]) / peaks[peaks.len() - 1] * 100.0
    );
}
