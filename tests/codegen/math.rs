//! The stated accuracy of exp, log, tanh, σ, softplus and log σ, on a dense sample of all f32.

use crate::support::ulp;

#[test]
fn vector_functions_keep_their_bounds_over_all_magnitudes() {
    for f in &ulp::FUNCTIONS {
        let exe = ulp::executable(f.op);
        let (error, x) = ulp::worst(f, &exe, (0..=u32::MAX).step_by(4 * 1009));
        println!("{}: {error:.3} at {x:e}", f.name);
        assert!(error <= f.bound, "{} is off by {error} units at {x:e}", f.name);
    }
}

#[test]
fn not_a_number_stays_whatever_its_payload() {
    let payloads = (0..23).flat_map(|i| [0x7f80_0000 | 1 << i, 0xff80_0000 | 1 << i, 0x7fff_ffff]);
    for f in &ulp::FUNCTIONS {
        let exe = ulp::executable(f.op);
        assert_eq!(ulp::worst(f, &exe, payloads.clone()).0, 0.0, "{}", f.name);
    }
}

#[test]
fn limits_are_reached() {
    let ends =
        [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN, 88.8, -88.8].map(f32::to_bits);
    for f in &ulp::FUNCTIONS {
        let (error, x) = ulp::worst(f, &ulp::executable(f.op), ends.into_iter());
        assert!(error <= f.bound, "{} is off by {error} units at {x:e}", f.name);
    }
}
