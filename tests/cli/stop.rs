//! The tool from outside: training that is stopped by a signal, and output that cannot be written.

use crate::support::cli::Place;

/// Many short steps and many batches to evaluate on, so that a signal comes in the midst of either.
const WRITER: &str = "model Writer(V = _, H = 4) {
  in text : seq<n> of id(V)
  state_of = RNN(V, H)(shift(Embed(V, V)(text), 1))
  y = Dense(H, V)(state_of)
  out  y
  loss cross_entropy(y, text)
  data { text = chars(\"text.txt\"); split = [0.6, 0.4] }
  train { optimizer = Adam(lr = 1e-2); batch = 2; window = 5; epochs = 1; seed = 1 }
}
";

fn place() -> Place {
    let place = Place::new();
    place.write("w.rnn", WRITER).write("text.txt", "abcab. bca ".repeat(40));
    place
}

#[cfg(unix)]
mod signals {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    /// Trains without an end, sends the signal once an epoch is over, and gives the exit code and all that was said.
    fn stopped_by(place: &Place, signal: &str, args: &[&str]) -> (Option<i32>, String) {
        let mut command = place.command(&["train", "w.rnn", "--out", "b", "--set", "train.epochs=1000000"]);
        let mut child = command.args(args).stderr(Stdio::piped()).spawn().expect("the tool runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            said += &format!("{line}\n");
            if line.starts_with("epoch ") {
                break;
            }
        }
        let kill = format!("kill -s {signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success(), "{said}");
        lines.map_while(Result::ok).for_each(|line| said += &format!("{line}\n"));
        (child.wait().expect("it ends").code(), said)
    }

    /// The epoch that was begun and not ended.
    fn epoch(said: &str) -> u64 {
        let rest = said.rsplit_once("stopped after epoch ").expect(said).1;
        rest.split_once(',').expect(said).0.parse::<u64>().expect(said) + 1
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_bit_for_bit() {
        let place = place();
        let (code, said) = stopped_by(&place, "INT", &[]);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("`--resume --out b` goes on"), "{said}");
        let first = epoch(&said);
        let (code, said) = stopped_by(&place, "TERM", &["--resume"]);
        assert_eq!(code, Some(143), "{said}");
        assert!(said.contains("going on after epoch"), "{said}");
        let second = epoch(&said);
        assert!(first < second, "an epoch was over before each signal: {first}, {second}");
        let epochs = format!("train.epochs={second}");
        place.good(&["train", "w.rnn", "--out", "b", "--resume", "--set", &epochs]);
        place.good(&["train", "w.rnn", "--out", "a", "--set", &epochs]);
        for file in ["checkpoint.safetensors", "run.json"] {
            assert!(place.read(&format!("a/{file}")) == place.read(&format!("b/{file}")), "{file} differs");
        }
        let names =
            std::fs::read_dir(place.path("b")).expect("a folder").map(|e| e.expect("a file").file_name());
        assert!(
            names.into_iter().all(|name| !name.to_string_lossy().ends_with(".part")),
            "nothing half written"
        );
    }
}

#[test]
fn a_place_that_takes_no_files_is_told_before_training() {
    let place = place();
    place.write("taken", "not a folder");
    let bad = |out: &str, parts: &[&str]| {
        place.bad(&["train", "w.rnn", "--out", out], parts);
        assert!(!place.run(&["train", "w.rnn", "--out", out]).err.contains("epoch 1"), "nothing was trained");
    };
    bad("taken", &["cannot write `taken`: there is a file of that name", "choose another place"]);
    bad("taken/run", &["cannot write `taken/run`: a part of its path is no folder", "choose another place"]);
    assert_eq!(place.read("taken"), b"not a folder");
    // Even root cannot write there.
    if cfg!(target_os = "linux") && std::path::Path::new("/proc/self/fdinfo").is_dir() {
        bad("/proc/self/fdinfo", &["cannot write `/proc/self/fdinfo`", "choose another place"]);
    }
    place.bad(&["train", "w.rnn", "--out", "nowhere", "--resume"], &["there is no folder `nowhere`"]);
    assert!(!place.path("nowhere").exists());
    place.good(&["train", "w.rnn", "--out", "deep/er/run"]);
}
