//! The greatest error of each vector function over every f32: `cargo run --release --example accuracy`.

#[path = "../tests/support/ulp.rs"]
mod ulp;

fn main() {
    for f in &ulp::FUNCTIONS {
        let exe = ulp::executable(f.op);
        let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let (error, x) = std::thread::scope(|scope| {
            let parts: Vec<_> = (0..threads)
                .map(|i| {
                    let exe = &exe;
                    let (from, to) = ((i << 32) / threads, ((i + 1) << 32) / threads);
                    scope.spawn(move || ulp::worst(f, exe, (from..to).map(|bits| bits as u32)))
                })
                .collect();
            let parts = parts.into_iter().map(|p| p.join().expect("no thread fails"));
            parts.fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
        });
        println!("{:12} {error:.3} units in the last place, at {x:e}; stated: {}", f.name, f.bound);
    }
}
