//! A training loop of one's own: the cell, its gradient and the update rule are rnnc's, the data and the loss are ours.
//!
//! The task is to add the two numbers of a sequence that are marked. The loss is Huber's (1964), which no file of rnnc knows: what
//! it takes is the derivative of the loss by the outputs.
//!
//!     cargo run --release --example training_loop

use ndarray::{Array2, Array3};
use rnnc::api::{Arrays, Library, Options, Result};

const STEPS: usize = 20;
const BATCH: usize = 32;

/// A generator of numbers in 0..1 (Marsaglia 2003, xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

/// Sequences `[steps, batch, 2]` of a number and a mark, and the sums `[batch, 1]`.
fn data(numbers: &mut Numbers) -> (Array3<f32>, Array2<f32>) {
    let mut x = Array3::zeros((STEPS, BATCH, 2));
    let mut sums = Array2::zeros((BATCH, 1));
    for b in 0..BATCH {
        for t in 0..STEPS {
            x[[t, b, 0]] = numbers.next();
        }
        let half = STEPS / 2;
        for marked in [0, half].map(|from| from + (numbers.next() * half as f32) as usize) {
            x[[marked, b, 1]] = 1.0;
            sums[[b, 0]] += x[[marked, b, 0]];
        }
    }
    (x, sums)
}

fn main() -> Result<()> {
    // The last state of a gated cell, and a line through it.
    let library = Library::text(
        "adder.rnn",
        "
        cell Adder(I, H) {
          in    x : [I]
          state h : [H] = 0
          param W_{z c} : [H, I] ~ uniform(1/sqrt(H))
          param U_{z c} : [H, H] ~ orthogonal
          param b_{z c} : [H] = 0
          param V       : [1, H] ~ uniform(1/sqrt(H))
          z = σ(W_z @ x + U_z @ h[t-1] + b_z)
          c = tanh(W_c @ x + U_c @ h[t-1] + b_c)
          h = (1 − z) ⊙ h[t-1] + z ⊙ c
          y = V @ h
          out y
        }",
    )?;
    let options = Options { outputs: Some(vec!["y".into()]), ..Options::default() };
    let cell = library.compile("Adder(2, 32)", &options)?;
    let mut params = cell.init(1)?;
    let mut rule = cell.optimiser("Adam(lr = 5e-3)")?;
    let mut numbers = Numbers(88172645463325252);
    let mut first = None;
    let mut last = 0.0;
    for step in 0..600 {
        let (x, sums) = data(&mut numbers);
        let mut run = cell.forward_saved(&Arrays::new().params(&params).with("x", &x))?;
        let y = &run.outputs()?["y"];
        // Only what comes out at the last step counts.
        let mut arrives = Array3::<f32>::zeros((STEPS, BATCH, 1));
        let mut loss = 0.0;
        for b in 0..BATCH {
            let miss = y[[STEPS - 1, b, 0]] - sums[[b, 0]];
            loss += if miss.abs() < 1.0 { 0.5 * miss * miss } else { miss.abs() - 0.5 };
            arrives[[STEPS - 1, b, 0]] = miss.clamp(-1.0, 1.0) / BATCH as f32;
        }
        let gradients = run.backward(&Arrays::new().with("y_adj", &arrives))?;
        rule.update(&mut params, &gradients, 1.0)?;
        last = if step == 0 { loss / BATCH as f32 } else { 0.95 * last + 0.05 * loss / BATCH as f32 };
        first.get_or_insert(last);
        if step % 100 == 0 {
            println!("step {step}: loss {last:.4}");
        }
    }
    println!("from {:.4} to {last:.4}", first.unwrap_or(f32::NAN));
    Ok(())
}
