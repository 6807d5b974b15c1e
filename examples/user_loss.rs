//! The gradient of a loss that is written in Rust, and a check of it by differences.
//!
//! The loss is the greatest absolute value that ever comes out: something no cell says.
//!
//!     cargo run --release --example user_loss

use ndarray::{Array3, ArrayD};
use rnnc::api::{Arrays, Library, Options, Params, Result};

/// The greatest absolute value of an array, and the derivative by each element.
fn peak(h: &ArrayD<f32>) -> (f32, ArrayD<f32>) {
    let mut at = h.indexed_iter().next().map(|(i, _)| i);
    let mut peak = 0.0;
    for (i, x) in h.indexed_iter() {
        if x.abs() > peak {
            (peak, at) = (x.abs(), Some(i));
        }
    }
    let mut by_h = ArrayD::zeros(h.raw_dim());
    if let Some(at) = at {
        by_h[&at] = h[&at].signum();
    }
    (peak, by_h)
}

fn main() -> Result<()> {
    let library = Library::text(
        "leak.rnn",
        "
        cell Leak(I, H) {
          in    x : [I]
          state h : [H] = 0
          param W : [H, I] ~ uniform(1/sqrt(H))
          param a : [H] = 1
          h = σ(a) ⊙ h[t-1] + W @ x
          out h
        }",
    )?;
    let cell = library.compile("Leak(2, 3)", &Options::default())?;
    let params = cell.init(4)?;
    let x = Array3::from_shape_fn((30, 2, 2), |(t, b, i)| (t as f32 * 0.3 + b as f32 + 2.0 * i as f32).sin());
    let loss = |params: &Params| -> Result<f32> {
        Ok(peak(&cell.forward(&Arrays::new().params(params).with("x", &x))?["h"]).0)
    };
    let mut run = cell.forward_saved(&Arrays::new().params(&params).with("x", &x))?;
    let (value, by_h) = peak(&run.outputs()?["h"]);
    let gradient = run.backward(&Arrays::new().with("h_adj", &by_h))?;
    println!("loss {value}");
    let mut worst: f32 = 0.0;
    for i in 0..3 {
        let step = 1e-3;
        let mut moved = [params.clone(), params.clone()];
        for (moved, sign) in moved.iter_mut().zip([1.0, -1.0]) {
            if let Some(a) = moved.get_mut("a") {
                a[[i]] += sign * step;
            }
        }
        let difference = (loss(&moved[0])? - loss(&moved[1])?) / (2.0 * step);
        println!("by a[{i}]: {} derived, {difference} by differences", gradient["a_adj"][[i]]);
        worst = worst.max((gradient["a_adj"][[i]] - difference).abs());
    }
    assert!(worst < 1e-2, "they differ by {worst}");
    Ok(())
}
