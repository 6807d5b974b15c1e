//! A training run that is killed at any instant goes on to the bit: its parameters are those of a run that was left alone.
//!
//! The environment variable `RNNC_KILLS` says how often it is killed, 8 times without it.

mod support;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rnnc::train::checkpoint::Checkpoint;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::cli::Place;

/// With noise, an optimiser with states, examples in an order drawn anew each epoch, and a validation part that chooses: all
/// of it must be where it was.
const MODEL: &str = "model Adds(H = 6) {
  in x : seq<n> of [2]
  in y : [1]
  h = Dropout(0.1)(LSTM(2, H)(x))
  z = mean p in n: h[p]
  v = Dense(H, 1)(z)
  out  v
  loss squared_error(v, y)
  data { x, y = task(\"adding\", steps = 12, count = 100, seed = 3); split = [0.8, 0.2] }
  train { optimizer = Adam(lr = 1e-2); batch = 4; epochs = 30; clip = 1; seed = 5 }
}
";

const ENDS: [&str; 2] = ["checkpoint.safetensors", "best.safetensors"];

#[test]
fn a_run_that_is_killed_goes_on_to_the_bit() {
    let kills: usize = std::env::var("RNNC_KILLS").map_or(8, |n| n.parse().expect("a number of kills"));
    let seed = std::env::var("RNNC_SEED").map_or(0, |n| n.parse().expect("a seed"));
    let mut draw = ChaCha8Rng::seed_from_u64(seed);
    let place = Place::new();
    place.write("m.rnn", MODEL);
    let started = Instant::now();
    place.good(&["train", "m.rnn", "--out", "alone"]);
    let whole = started.elapsed();
    let (mut killed, mut finished, mut begun_anew) = (0, 0, 0);
    while killed < kills || finished == 0 {
        let folder = format!("run{finished}");
        let at = |name: &str| format!("{folder}/{name}");
        let mut args = vec!["train", "m.rnn", "--out", folder.as_str()];
        if place.path(&folder).exists() && !place.path(&at(ENDS[0])).exists() {
            // Killed before its first checkpoint: nothing was complete yet.
            std::fs::remove_dir_all(place.path(&folder)).expect("a folder");
            begun_anew += 1;
        } else if place.path(&folder).exists() {
            args.push("--resume");
        }
        let mut child =
            place.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the tool runs");
        // The last run of a test is not killed any more.
        if killed < kills {
            std::thread::sleep(whole.mul_f64(draw.random_range(0.0..0.7)));
        } else {
            std::thread::sleep(Duration::from_millis(1));
            let _ = child.wait();
        }
        child.kill().expect("it can be killed");
        let output = child.wait_with_output().expect("it ends");
        for name in ENDS.iter().filter(|name| place.path(&at(name)).exists()) {
            Checkpoint::from_bytes(name, &place.read(&at(name)))
                .unwrap_or_else(|e| panic!("kill {killed}: {e:?}"));
        }
        match output.status.code() {
            None => killed += 1,
            Some(0) => {
                for name in ENDS {
                    assert!(
                        place.read(&at(name)) == place.read(&format!("alone/{name}")),
                        "{name}, kill {killed}"
                    );
                }
                finished += 1;
            }
            Some(code) => panic!("exit code {code}: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    println!("{killed} kills, {finished} runs to their end, {begun_anew} begun anew");
}

#[test]
fn a_damaged_checkpoint_costs_no_more_than_what_came_after_the_one_before() {
    let place = Place::new();
    place.write("m.rnn", MODEL);
    place.good(&["train", "m.rnn", "--out", "alone"]);
    place.good(&["train", "m.rnn", "--out", "b", "--set", "train.epochs=5", "--keep", "3"]);
    let whole = place.read("b/checkpoint.safetensors");
    place.write("b/checkpoint.safetensors", &whole[..whole.len() / 2]);
    place.write("b/checkpoint-1.safetensors", "foreign");
    let ran = place.good(&["train", "m.rnn", "--out", "b", "--resume"]);
    for part in [
        "b/checkpoint.safetensors",
        "b/checkpoint-1.safetensors",
        "`checkpoint-2.safetensors`",
        "going on after epoch",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(place.read("b/best.safetensors") == place.read("alone/best.safetensors"));
    for file in ["checkpoint.safetensors", "checkpoint-1.safetensors", "checkpoint-2.safetensors"] {
        place.write(&format!("b/{file}"), "foreign");
    }
    place.bad(&["train", "m.rnn", "--out", "b", "--resume"], &["b/checkpoint.safetensors"]);
}
