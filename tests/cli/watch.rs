//! The tool from outside: what can be watched of a training, and the page about it.

use crate::support::cli::Place;
use serde_json::Value;

const WRITER: &str = "model Writer(V = _, H = 4) {
  in text : seq<n> of id(V)
  h = RNN(V, H)(shift(Embed(V, V)(text), 1))
  y = Dense(H, V)(h)
  out  y
  loss cross_entropy(y, text)
  metric bits = cross_entropy(y, text) / log(2)
  generate text from y
  data { text = chars(\"text.txt\"); split = [0.5, 0.3, 0.2] }
  train { optimizer = Adam(lr = 1e-2 * min(1, k/10)); batch = 2; window = 5; epochs = 2; seed = 1 }
}
";

fn place() -> Place {
    let place = Place::new();
    place.write("w.rnn", WRITER).write("text.txt", "abcab. <b> ".repeat(20));
    place
}

/// A number of an event file: step, tag, value; or the status of a session, under the tag `session`.
type Scalar = (u64, String, f64);

/// Reads frames and messages by their definition, by nothing that the tool writes them with.
fn read(bytes: &[u8]) -> Vec<Scalar> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a length")) as usize;
        let sum = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a sum"));
        assert_eq!(sum(at + 8), masked(&bytes[at..at + 8]), "of the length");
        let data = &bytes[at + 12..at + 12 + length];
        assert_eq!(sum(at + 12 + length), masked(data), "of the data");
        found.extend(event(data));
        at += 16 + length;
    }
    found
}

/// CRC-32C bit by bit, turned and moved as the format has it.
fn masked(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// Fields of a message: number, and a number or bytes.
fn fields(bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let key = varint(bytes, &mut at);
        let (number, rest) = match key & 7 {
            0 => (varint(bytes, &mut at), 0),
            1 => (u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes")), 8),
            2 => (0, varint(bytes, &mut at) as usize),
            5 => (u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))), 4),
            kind => panic!("kind {kind}"),
        };
        all.push((key >> 3, number, &bytes[at..at + rest]));
        at += rest;
    }
    all
}

fn event(data: &[u8]) -> Vec<Scalar> {
    let all = fields(data);
    let step = all.iter().find(|f| f.0 == 2).map_or(0, |f| f.1);
    let mut found = Vec::new();
    for (field, _, part) in &all {
        match field {
            1 | 2 => {}
            3 => assert_eq!(*part, b"brain.Event:2"),
            5 => {
                for (_, _, value) in fields(part) {
                    let of = |n: u64| fields(value).into_iter().find(|f| f.0 == n).expect("a field");
                    let tag = String::from_utf8(of(1).2.to_vec()).expect("text");
                    found.push((step, tag, f64::from(f32::from_bits(of(2).1 as u32))));
                }
            }
            7 => found.push((step, "session".into(), fields(part)[0].1 as f64)),
            other => panic!("field {other}"),
        }
    }
    found
}

fn events(place: &Place, folder: &str) -> Vec<Vec<Scalar>> {
    let entries = std::fs::read_dir(place.path(folder)).expect("a folder");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort_by_key(|p| std::fs::metadata(p).and_then(|m| m.modified()).expect("a time"));
    paths.iter().map(|p| read(&std::fs::read(p).expect("a file"))).collect()
}

fn of(events: &[Scalar], tag: &str) -> Vec<(u64, f64)> {
    events.iter().filter(|(_, t, _)| t == tag).map(|(step, _, v)| (*step, *v)).collect()
}

#[test]
fn event_files_hold_what_was_trained() {
    let place = place();
    place.good(&["train", "w.rnn", "--out", "runs/a", "--tensorboard", "board"]);
    let all = events(&place, "board/a").swap_remove(0);
    // 110 positions in 2 lanes of 55, in windows of 5.
    let steps: Vec<u64> = of(&all, "loss/step").iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, (1..=22).collect::<Vec<_>>());
    for tag in ["bits/step", "gradient/norm", "speed/positions_per_second"] {
        assert_eq!(of(&all, tag).len(), 22, "{tag}");
    }
    let rate = of(&all, "optimizer/lr");
    assert!((rate[4].1 - 5e-3).abs() < 1e-9 && (rate[21].1 - 1e-2).abs() < 1e-9, "{rate:?}");
    let record: Value = serde_json::from_slice(&place.read("runs/a/run.json")).expect("JSON");
    for (tag, key) in [("loss/epoch_training", "train_loss"), ("loss/epoch_validation", "held_out_loss")] {
        let told = of(&all, tag);
        assert_eq!(told.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [11, 22]);
        assert!((told[1].1 - record["epochs"][1][key].as_f64().expect("a number")).abs() < 1e-6);
    }
    let norms = &record["epochs"][1]["norms"];
    assert_eq!(norms["steps"], 11);
    let last: Vec<f64> = of(&all, "gradient/norm")[11..].iter().map(|(_, v)| *v).collect();
    assert!((last.iter().sum::<f64>() - norms["sum"].as_f64().expect("a number")).abs() < 1e-4);
}

#[test]
fn a_run_that_goes_on_adds_a_file_and_the_same_bits() {
    let place = place();
    place.good(&["train", "w.rnn", "--out", "a"]);
    let once = ["train", "w.rnn", "--out", "b", "--tensorboard", "board"];
    place.good(&[&once[..], &["--set", "train.epochs=1"]].concat());
    place.good(&[&once[..], &["--resume"]].concat());
    for file in ["checkpoint.safetensors", "best.safetensors", "run.json"] {
        assert!(place.read(&format!("a/{file}")) == place.read(&format!("b/{file}")), "{file} differs");
    }
    let files = events(&place, "board/b");
    assert_eq!(files.len(), 2);
    assert_eq!(of(&files[1], "session"), [(12, 1.0)], "what was later is void");
    assert_eq!(of(&files[1], "loss/step")[0].0, 12);
    let log = |run: &str| -> Value {
        serde_json::from_slice(&place.read(&format!("{run}/watch.json"))).expect("JSON")
    };
    let (straight, resumed) = (log("a"), log("b"));
    assert_eq!(straight["steps"]["points"], resumed["steps"]["points"]);
    assert_eq!(
        (&resumed["starts"][1]["steps"], &resumed["starts"][1]["epoch"]),
        (&Value::from(11), &Value::from(1))
    );
    assert_eq!(resumed["epochs"].as_array().expect("a list").len(), 2);
}

/// The numbers that the page's script draws.
fn drawn(page: &str) -> Value {
    let data = page.split("<script type=\"application/json\" id=\"data\">").nth(1).expect("data");
    serde_json::from_str(data.split("</script>").next().expect("an end")).expect("JSON")
}

#[test]
fn a_report_says_what_was_trained_and_needs_nothing_else() {
    let place = place();
    place.good(&["train", "w.rnn", "--out", "a b", "--seed", "7"]);
    let page = String::from_utf8(place.read("a b/report.html")).expect("text");
    for part in [
        "<h1>Writer",
        "complete",
        "best validation loss",
        "test loss",
        "rnnc train w.rnn --out 'a b' --seed 7",
        "text (positions: 110 for training, 66 for validation, 44 for test)",
        "Adam(lr = 1e-2 * min(1, k/10))",
        "written by the model",
        "<td>y.W</td><td>[7, 4]</td><td class=\"n\">28</td>",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // The name of SVG's elements is no address that is visited.
    assert_eq!(page.matches("http").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("<link") && !page.contains("src="), "all of it is in the page");
    let data = drawn(&page);
    let titles: Vec<&str> =
        data["charts"].as_array().expect("charts").iter().filter_map(|c| c["title"].as_str()).collect();
    assert_eq!(titles, ["loss", "bits", "norm of the gradient", "speed"]);
    assert_eq!(data["charts"][0]["series"][0]["points"].as_array().expect("points").len(), 22);
    assert_eq!(data["charts"][0]["series"][2]["points"].as_array().expect("points").len(), 2);
    // From the files alone, the same page.
    let before = place.read("a b/report.html");
    std::fs::remove_file(place.path("a b/report.html")).expect("a file");
    place.good(&["report", "a b"]);
    assert!(place.read("a b/report.html") == before);
    std::fs::remove_file(place.path("a b/watch.json")).expect("a file");
    place.good(&["report", "a b", "--out", "old.html"]);
    assert!(String::from_utf8(place.read("old.html")).expect("text").contains("<h1>Writer"));
    place.write("a b/run.json", "{");
    place.bad(&["report", "a b"], &["E0735", "run.json", "is no record of a run"]);
    place.bad(&["report", "nowhere"], &["there is no folder `nowhere`"]);
}

#[test]
fn samples_follow_from_what_a_model_declares() {
    let place = Place::new();
    let sample = |run: &str| -> Value {
        let log: Value = serde_json::from_slice(&place.read(&format!("{run}/watch.json"))).expect("JSON");
        log["samples"].clone()
    };
    let mut rows = String::from("@timestamps false\n@classLabel true up down\n@data\n");
    for i in 0..12 {
        let value = |t: usize| if i % 2 == 0 { t as f64 } else { 4.0 - t as f64 };
        let series: Vec<String> = (0..3 + i % 3).map(|t| value(t).to_string()).collect();
        rows += &format!("{}:{}\n", series.join(","), if i % 2 == 0 { "up" } else { "<down>" });
    }
    place.write("s.ts", rows.replace("<down>", "down"));
    place.write(
        "way.rnn",
        "model Way(C = _, K = _) {
  in x   : seq<n> of [C]
  in way : id(K)
  h = RNN(C, 4)(x)
  y = Dense(4, K)(h.h_last)
  out  y
  loss cross_entropy(y, way)
  data { x, way = ts(\"s.ts\", test = \"s.ts\") }
  train { optimizer = Adam(lr = 1e-1); batch = 5; epochs = 2; seed = 1 }
}
model Adds(H = 3) {
  in x : seq<n> of [2]
  in y : [1]
  h = RNN(2, H)(x)
  v = Dense(H, 1)(h.h_last)
  out  v
  loss squared_error(v, y)
  data { x, y = task(\"adding\", steps = 6, count = 40, seed = 3); split = [0.8, 0.2] }
  train { optimizer = Adam(lr = 1e-2); batch = 8; epochs = 1; seed = 1 }
}
",
    );
    place.good(&["train", "way.rnn", "--model", "Way", "--out", "w"]);
    let confusion = &sample("w")[0]["confusion"];
    assert_eq!(confusion["classes"], serde_json::json!(["up", "down"]));
    let counts: Vec<u64> = confusion["counts"]
        .as_array()
        .expect("rows")
        .iter()
        .flat_map(|r| r.as_array().cloned().expect("a row"))
        .filter_map(|n| n.as_u64())
        .collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>(), counts[0] + counts[1]), (4, 12, 6));
    place.good(&["train", "way.rnn", "--model", "Adds", "--out", "n"]);
    let numbers = &sample("n")[0]["numbers"];
    assert_eq!(
        (&numbers["title"], numbers["given"].as_array().map(Vec::len)),
        (&Value::from("v for y"), Some(8))
    );
    let page = String::from_utf8(place.read("n/report.html")).expect("text");
    assert!(page.contains("data-sample=\"0\"") && drawn(&page)["samples"][0]["scatter"] == true);
}
