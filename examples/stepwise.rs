//! A cell step by step: what a sensor or a sample of audio brings goes in, and the answer is there before the next one comes.
//!
//!     cargo run --release --example stepwise

use rnnc::api::{Arrays, Library, Options, Result};

fn main() -> Result<()> {
    let library = Library::text(
        "smooth.rnn",
        "
        cell Smooth(I, H) {
          in    x : [I]
          state h : [H] = 0
          param W : [H, I] ~ uniform(1/sqrt(H))
          param a : [H]    ~ uniform(0, 2)
          h = σ(a) ⊙ h[t-1] + (1 − σ(a)) ⊙ tanh(W @ x)
          out h
        }",
    )?;
    let cell = library.compile("Smooth(2, 3)", &Options::default())?;
    let params = cell.init(1)?;
    let mut stream = cell.stream(&Arrays::new().params(&params))?;
    let mut output = [0.0; 3];
    for t in 0..100_000 {
        let angle = t as f32 * 0.01;
        // Allocates nothing, takes no lock.
        stream.step(&[angle.sin(), angle.cos()], &mut output)?;
        if t % 20_000 == 0 {
            println!("step {t}: {output:?}");
        }
    }
    Ok(())
}
