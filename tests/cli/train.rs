//! The tool from outside: training, measuring, writing.

use crate::support::cli::Place;

const WRITER: &str = "model Writer(V = _, H = 6) {
  in text : seq<n> of id(V)
  e = Embed(V, 4)(text)
  h = RNN(4, H)(shift(e, 1))
  y = Dense(H, V)(h)
  out  y
  loss cross_entropy(y, text)
  metric bits = cross_entropy(y, text) / log(2)
  generate text from y
  data {
    text  = chars(\"text.txt\")
    split = [0.8, 0.2]
  }
  train {
    optimizer = Adam(lr = 3e-2)
    batch = 3; window = 10; epochs = 2; clip = 1; seed = 1
  }
}
";

/// 3 lanes of 33 or 34 characters: in the last window of 10 one lane is shorter, with 31 one is empty.
fn text() -> String {
    "abcab. ".repeat(18)
}

fn place() -> Place {
    let place = Place::new();
    place.write("w.rnn", WRITER).write("text.txt", text());
    place
}

#[test]
fn a_run_goes_on_bit_for_bit_and_is_recorded() {
    let place = place();
    let straight = place.good(&["train", "w.rnn", "--out", "a"]).err;
    assert!(
        straight.contains("epoch 2: loss") && straight.contains("bits") && straight.contains("test: loss")
    );
    place.good(&["train", "w.rnn", "--out", "b", "--set", "train.epochs=1"]);
    place.good(&["train", "w.rnn", "--out", "b", "--resume"]);
    for file in ["checkpoint.safetensors", "best.safetensors", "run.json", "loss.svg"] {
        assert!(place.read(&format!("a/{file}")) == place.read(&format!("b/{file}")), "{file} differs");
    }
    let record: serde_json::Value = serde_json::from_slice(&place.read("a/run.json")).expect("JSON");
    assert_eq!(record["statics"]["V"], 5.0);
    assert_eq!(record["vocabulary"]["text"][1], ".");
    assert_eq!(record["epochs"].as_array().expect("a list").len(), 2);
    place.bad(&["train", "w.rnn", "--out", "a"], &["`a` holds a run already", "--resume"]);
    place.bad(&["train", "w.rnn", "--out", "a", "--resume", "--set", "train.clip=2"], &["`clip` differs"]);
    place.bad(
        &["train", "w.rnn", "--out", "a", "--resume", "--set", "H=7"],
        &["another program", "`H` was 6 when it was trained and is 7 now"],
    );
    let again = ["train", "w.rnn", "--out", "c", "--seed", "2", "--set", "train.window=31"];
    assert!(!place.good(&again).err.contains("NaN"), "a lane that is empty at the end does no harm");
    assert!(place.read("c/best.safetensors") != place.read("a/best.safetensors"), "another seed, other bits");
    uses(&place);
}

/// Sums are in one order, whoever computes them.
#[test]
fn a_run_has_the_same_bits_on_any_number_of_threads() {
    let place = place();
    // Enough work for three threads.
    let wide = ["--set", "H=200", "--set", "train.batch=7"];
    for threads in ["1", "2", "3"] {
        place.good(&[&["train", "w.rnn", "--out", threads, "--threads", threads][..], &wide].concat());
        for file in ["checkpoint.safetensors", "best.safetensors", "run.json"] {
            assert!(
                place.read(&format!("{threads}/{file}")) == place.read(&format!("1/{file}")),
                "{file} differs"
            );
        }
        place.good(&["eval", "w.rnn", "--run", "1", "--threads", threads]);
    }
    for threads in ["0", "10000"] {
        let ran = place.run(&["train", "w.rnn", "--threads", threads]);
        assert!(ran.code == 2 && ran.err.contains("--threads") && ran.err.contains(threads), "{}", ran.err);
        let line = format!("train.threads={threads}");
        place.bad(&["train", "w.rnn", "--set", &line], &["E0803", "threads"]);
    }
}

/// What a trained model is for.
fn uses(place: &Place) {
    let measured = place.good(&["eval", "w.rnn", "--run", "a", "--json"]).out;
    let measured: serde_json::Value = serde_json::from_str(&measured).expect("JSON");
    let record: serde_json::Value = serde_json::from_slice(&place.read("a/run.json")).expect("JSON");
    assert_eq!(measured["loss"], record["best"]["loss"], "as measured while training");
    assert_eq!(measured["positions"], 25);
    place.write("other.txt", "abc.");
    assert!(
        place.good(&["eval", "w.rnn", "--run", "a", "--data", "other.txt"]).out.contains("on 4 positions")
    );
    place.write("other.txt", "abxc");
    place.bad(&["eval", "w.rnn", "--run", "a", "--data", "other.txt"], &["`x`", "vocabulary"]);
    let write = |extra: &[&str]| {
        let mut args = vec!["generate", "w.rnn", "--run", "a", "--length", "20", "--prompt", "ab"];
        args.extend(extra);
        place.good(&args).out
    };
    let written = write(&["--seed", "3"]);
    assert!(written.starts_with("ab") && written.trim_end_matches('\n').chars().count() == 22, "{written:?}");
    assert_eq!(written, write(&["--seed", "3"]));
    assert_eq!(write(&["--temperature", "0", "--seed", "1"]), write(&["--temperature", "0", "--seed", "2"]));
    place.bad(&["generate", "w.rnn", "--run", "a", "--prompt", "ab?"], &["`?`, number 3 of the prompt"]);
    place.bad(&["generate", "w.rnn", "--run", "nowhere"], &["there is no folder `nowhere`"]);
    assert_eq!(place.run(&["generate", "w.rnn", "--temperature", "-1"]).code, 2);
    let whole = place.read("a/best.safetensors");
    place.write("a/best.safetensors", &whole[..whole.len() - 3]);
    place.bad(&["generate", "w.rnn", "--run", "a"], &["a/best.safetensors"]);
}

/// With a rate of next to nothing an epoch is an evaluation: whatever way windows are cut, each position counts once, with the same past.
#[test]
fn parameters_of_a_file_are_as_good_as_a_run() {
    let place = place();
    place.good(&["train", "w.rnn", "--out", "a", "--set", "H=5"]);
    // Through another library's names, and back to ours.
    let own = ["w.rnn", "--set", "H=5", "--set", "V=5"];
    let there = ["--layout", "torch", "--map", "h=rnn", "--map", "y=out", "--map", "e=emb"];
    place.good(&[&["export", "a", "--out", "t.npz"][..], &own, &there].concat());
    let params = [&["--params", "t.npz", "--set", "H=5"][..], &there].concat();
    let measured = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&place.good(&[&["eval", "w.rnn", "--json"], args].concat()).out).expect("JSON")
    };
    let (of_run, of_file) = (measured(&["--run", "a"]), measured(&params));
    assert_eq!(of_run["loss"], of_file["loss"]);
    assert_eq!(of_run["metrics"], of_file["metrics"]);
    let written = |args: &[&str]| place.good(&[&["generate", "w.rnn", "--length", "20"], args].concat()).out;
    assert_eq!(written(&["--run", "a"]), written(&params));
    // What does not fit is told by name, and what belongs to the other is refused.
    place.bad(&["eval", "w.rnn", "--params", "t.npz", "--set", "H=5"], &["E0745", "`h.W` [5, 4] is missing"]);
    place.bad(&[&["eval", "w.rnn"][..], &params[..2], &["--set", "H=6"], &there].concat(), &["[6, 4]"]);
    place.bad(&["eval", "w.rnn", "--run", "a", "--layout", "torch"], &["E0796", "--params"]);
    let both = place.run(&["eval", "w.rnn", "--run", "a", "--params", "t.npz"]);
    assert!(both.code == 2 && both.err.contains("cannot be used with"), "{}", both.err);
}

#[test]
fn windows_that_overlap_count_each_position_once() {
    let place = place();
    let losses: Vec<f64> = ["4", "3", "1", "10"]
        .into_iter()
        .map(|every| {
            let every_is = format!("train.every={every}");
            let settings = ["train.optimizer=SGD(lr=1e-30)", "train.epochs=1", &every_is];
            let mut args = vec!["train", "w.rnn", "--out", every];
            settings.iter().for_each(|s| args.extend(["--set", s]));
            place.good(&args);
            let record: serde_json::Value =
                serde_json::from_slice(&place.read(&format!("{every}/run.json"))).expect("JSON");
            record["epochs"][0]["train_loss"].as_f64().expect("a number")
        })
        .collect();
    assert!(losses.iter().all(|l| (l - losses[0]).abs() < 1e-6), "{losses:?}");
    let learnt = |every: &str| {
        let every_is = format!("train.every={every}");
        place.good(&["train", "w.rnn", "--out", &format!("l{every}"), "--set", &every_is]);
        place.read(&format!("l{every}/best.safetensors"))
    };
    assert!(learnt("10") != learnt("4"), "more steps, other gradients");
}

#[test]
fn mistakes_in_settings_and_data_are_told() {
    let place = place();
    let bad = |sets: &[&str], parts: &[&str]| {
        let mut args = vec!["train", "w.rnn", "--out", "x"];
        sets.iter().for_each(|s| args.extend(["--set", s]));
        place.bad(&args, parts);
        assert!(!place.path("x").exists(), "nothing was begun");
    };
    bad(&["train.epoch=1"], &["no key `epoch`", "did you mean `epochs`"]);
    bad(&["train.batch=0"], &["`batch` wants a whole number"]);
    bad(&["train.every=11"], &["`every` wants a whole number of 1..10"]);
    bad(&["train.decay=0.1"], &["`decay` is no key", "lr ="]);
    bad(&["H"], &["no `name=value`"]);
    bad(&["train.epochs=1", "train.epochs=2"], &["`train.epochs` is given twice", "<--set train.epochs>"]);
    bad(&["V=3"], &["`V` is set to 3, the data have 5", "<--set V>", "w.rnn:2", "the input `text`"]);
    bad(&["V=3", "H=4"], &["`V` is set to 3"]);
    place.write("text.txt", "ab");
    bad(&[], &["E0826", "the test part of the data is empty: `split` gives it 0.2 of 2 positions"]);
    place.write("text.txt", text());
    bad(&["train.optimizer=Dense(2, 2)"], &["no optimiser"]);
    place.write("text.txt", "");
    bad(&[], &["text.txt", "empty"]);
    std::fs::remove_file(place.path("text.txt")).expect("it was there");
    bad(&[], &["cannot read", "text.txt"]);
    place.write("text.txt", text());
    place.write("w.rnn", WRITER.replace("chars(", "char("));
    bad(&[], &["no data source `char`", "did you mean `chars`"]);
    place.write("w.rnn", WRITER.replace("  loss cross_entropy(y, text)\n", ""));
    bad(&[], &["no `loss`"]);
    place.write("w.rnn", WRITER.replace("; window = 10", ""));
    bad(&[], &["misses `window`"]);
    bad(&["train.every=2"], &["there is no `window`"]);
    place.write(
        "w.rnn",
        WRITER.replace("loss cross_entropy(y, text)", "loss cross_entropy(last(y), last(text))"),
    );
    bad(&["train.every=2"], &["E0317", "`every` counts the latest positions", "w.rnn:"]);
}

/// The validation part chooses the epoch, the test part is measured once; without a validation part the last epoch counts.
#[test]
fn what_is_reported_has_chosen_nothing() {
    let place = place();
    let record = |run: &str| -> serde_json::Value {
        serde_json::from_slice(&place.read(&format!("{run}/run.json"))).expect("JSON")
    };
    let losses = |run: &str| -> Vec<f64> {
        let epochs = record(run)["epochs"].as_array().expect("a list").clone();
        epochs.iter().map(|e| e["held_out_loss"].as_f64().expect("a number")).collect()
    };
    // In the last epochs the rate is far too great.
    let rate = "train.optimizer=Adam(lr = 3e-2 * max(1, k - 12)^2)";
    let wild = ["--set", "train.epochs=8", "--set", rate];
    let last = place.good(&[&["train", "w.rnn", "--out", "two"][..], &wild].concat()).err;
    assert!(losses("two").iter().any(|l| *l < losses("two")[7]), "the last epoch is not the best");
    assert_eq!(record("two")["best"]["epoch"], 8);
    assert_eq!(record("two")["test"]["loss"], losses("two")[7]);
    assert!(last.contains("; test: loss ") && !last.contains("validation"), "{last}");
    place.write("w.rnn", WRITER.replace("[0.8, 0.2]", "[0.6, 0.2, 0.2]"));
    let ran = place.good(&[&["train", "w.rnn", "--out", "three"][..], &wild].concat()).err;
    let least = losses("three").into_iter().fold(f64::INFINITY, f64::min);
    let best = record("three")["best"].clone();
    let told = format!("epoch {} has the best validation loss, {least:.4}; test: loss ", best["epoch"]);
    assert!(best["loss"] == least && ran.contains(&told), "{ran}");
    let test = record("three")["test"].clone();
    let measured = |part: &[&str]| -> serde_json::Value {
        let all = [&["eval", "w.rnn", "--run", "three", "--json"], part].concat();
        serde_json::from_str(&place.good(&all).out).expect("JSON")
    };
    assert_eq!((&measured(&[])["loss"], &test["epoch"]), (&test["loss"], &best["epoch"]));
    assert_eq!(measured(&["--split", "valid"])["loss"], least);
    let patient = [&["train", "w.rnn", "--out", "p", "--set", "train.patience=1"][..], &wild].concat();
    place.good(&patient);
    let epochs = losses("p").len() as u64;
    assert!(epochs < 8 && record("p")["best"]["epoch"] == epochs - 1, "{epochs}");
    place.write("w.rnn", WRITER);
    let refused = ["train", "w.rnn", "--out", "q", "--set", "train.patience=1"];
    place.bad(&refused, &["E0803", "`patience` wants a validation part", "split = [0.8, 0.1, 0.1]"]);
}

#[test]
fn a_greater_table_and_data_without_a_held_out_part_train() {
    let place = place();
    let once = ["--set", "train.epochs=1"];
    place.good(&[&["train", "w.rnn", "--out", "wide", "--set", "V=9"][..], &once].concat());
    place.write("w.rnn", WRITER.replace("    split = [0.8, 0.2]\n", ""));
    let ran = place.good(&[&["train", "w.rnn", "--out", "all"][..], &once].concat());
    assert!(ran.err.contains("last training loss") && !ran.err.contains("test"), "{}", ran.err);
}

#[test]
fn series_of_unequal_length_are_classified() {
    let place = Place::new();
    let mut rows = String::from("@timestamps false\n@classLabel true up down\n@data\n");
    for i in 0..12 {
        let n = 3 + i % 4;
        let up = i % 2 == 0;
        let value = |t: usize| if up { t as f64 / 4.0 } else { 1.0 - t as f64 / 4.0 };
        let series: Vec<String> = (0..n).map(|t| value(t).to_string()).collect();
        rows += &format!("{0}:{0}:{1}\n", series.join(","), if up { "up" } else { "down" });
    }
    place.write("s.ts", &rows);
    let model = "model Way(C = _, K = _, H = 4) {
  in x   : seq<n> of [C]
  in way : id(K)
  h = RNN(C, H)(x)
  y = Dense(H, K)(h.h_last)
  out  y
  loss cross_entropy(y, way)
  metric accuracy(y, way)
  data { x, way = ts(\"s.ts\", test = \"s.ts\") }
  train { optimizer = Adam(lr = 1e-1); batch = 5; epochs = 8; seed = 1 }
}
";
    place.write("way.rnn", model);
    place.good(&["train", "way.rnn"]);
    let record: serde_json::Value = serde_json::from_slice(&place.read("runs/way-1/run.json")).expect("JSON");
    assert_eq!(record["epochs"][7]["held_out_metrics"]["accuracy"], 1.0, "{record:#}");
    assert!(place.good(&["eval", "way.rnn"]).out.contains("on 12 examples"));
    place.write("s.ts", rows.replacen("0.25", "?", 1));
    place.bad(&["train", "way.rnn"], &["`s.ts`, line 4", "missing value"]);
}
