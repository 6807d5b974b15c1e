//! `rnnc look` and `rnnc generate --given`: what a trained model with two inputs shows and writes.

use crate::support::cli::Place;
use serde_json::Value;
use std::sync::OnceLock;

/// Attention that follows from positions alone, so that every weight is known: half on the letter at the place of the sound,
/// the other half shared by all letters and the null key.
const SPELLER: &str = "cell Looking(D) {
  in  w : [D]
  mem hs : seq<M> of [D]
  keys = pad(hs, 0, 1)
  α[j in 1..M+1] = if j == t then 0.5 + 0.5 / (M + 1) else 0.5 / (M + 1)
  a = ∑ j in 1..M+1: α[j] * keys[j]
  v = RNN(_, D)(a ++ w)
  out v
}
model Speller(L = _, P = _, D = 12) {
  in word  : seq<n> of id(L)
  in sound : seq<m> of id(P)
  s = Embed(L, D)(word)
  w = Embed(P, D)(sound)
  d = Looking(D)(shift(w, 1), hs = s)
  y = Dense(D, P)(d)
  out  y
  loss cross_entropy(y, sound)
  generate sound from y until 0
  data {
    word, sound = pairs(\"words.txt\")
    split = [0.5, 0.5]
  }
  train { optimizer = Adam(lr = 5e-2); batch = 4; epochs = 40; clip = 1; seed = 1 }
}
";

/// The model trained once, for all tests: what they do to it changes nothing, and most of the time is compiling it.
fn place() -> &'static Place {
    static TRAINED: OnceLock<Place> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let place = Place::new();
        let words: String = (0..24).map(|k| ["ab X Y\n", "ba Y X\n", "abb X Y Y\n"][k % 3]).collect();
        place.write("s.rnn", SPELLER).write("words.txt", words);
        place.good(&["train", "s.rnn", "--out", "a"]);
        place
    })
}

#[test]
fn a_value_over_pairs_is_shown_with_the_symbols_of_both_sequences() {
    let place = place();
    let look = |value: &str| {
        ["look", "s.rnn", value, "--run", "a", "--example", "2", "--split", "all", "--json"].map(String::from)
    };
    let run = |value: &str| {
        let args = look(value);
        let ran = place.good(&args.iter().map(String::as_str).collect::<Vec<_>>());
        serde_json::from_str::<Value>(&ran.out).expect("one JSON object")
    };
    let seen = run("α");
    assert_eq!(seen, run("d.α"), "the end of a name is enough");
    let labels = |axis: usize| -> Vec<&str> {
        let all = seen["axes"][axis]["labels"].as_array().expect("labels");
        all.iter().map(|l| l.as_str().expect("text")).collect()
    };
    let letters = (0..2).find(|a| labels(*a).contains(&"b")).expect("an axis of letters");
    assert_eq!(labels(letters), ["b", "a", "end", "∅"]);
    assert_eq!(labels(1 - letters), ["Y", "X", "end"]);
    let weight = |letter: usize, sound: usize| {
        let at = if letters == 0 { letter * 3 + sound } else { sound * 4 + letter };
        seen["values"][at].as_f64().expect("a number")
    };
    for letter in 0..4 {
        for sound in 0..3 {
            let wanted = if letter == sound { 0.625 } else { 0.125 };
            assert!((weight(letter, sound) - wanted).abs() < 1e-6);
        }
    }
    let states = run("v.h");
    assert_eq!(states["axes"][1]["name"], "component");
    assert_eq!(states["values"].as_array().expect("numbers").len(), 3 * 12);
    let text = place.good(&["look", "s.rnn", "α", "--run", "a", "--picture", "α.svg"]).out;
    assert!(text.contains("word: ") && text.contains('█') && text.contains("0.625"), "{text}");
    let picture = String::from_utf8(place.read("α.svg")).expect("text");
    assert!(picture.starts_with("<svg") && picture.contains("∅"));
}

#[test]
fn what_is_not_there_is_told() {
    let place = place();
    place.bad(&["look", "s.rnn", "β", "--run", "a"], &["no value `β`"]);
    place.bad(&["look", "s.rnn", "d.keyz", "--run", "a"], &["did you mean `d.keys`?"]);
    place.bad(&["look", "s.rnn", "W", "--run", "a"], &["`W` may be", "write the name in full"]);
    place.bad(&["look", "s.rnn", "α", "--run", "a", "--example", "13"], &["no example 13", "has 12"]);
    place.bad(&["look", "s.rnn", "α", "--run", "a", "--example", "0"], &["no example 0"]);
    place.bad(&["generate", "s.rnn", "--run", "a"], &["depends on `word`", "--given word="]);
    place
        .bad(&["generate", "s.rnn", "--run", "a", "--given", "ward=ab"], &["no such input", "it reads word"]);
    place.bad(&["generate", "s.rnn", "--run", "a", "--given", "word=axb"], &["`x`, number 2"]);
    place.bad(&["generate", "s.rnn", "--run", "a", "--given", "word"], &["no `name=text`"]);
}

#[test]
fn a_model_with_another_input_writes_what_it_has_learnt() {
    let place = place();
    let write = |extra: &[&str]| {
        let args = ["generate", "s.rnn", "--run", "a", "--given", "word=abb"];
        place.good(&[&args, extra].concat()).out
    };
    assert_eq!(write(&["--temperature", "0"]).trim(), "XYY");
    assert_eq!(write(&["--beam", "3"]).trim(), "XYY");
    assert_eq!(write(&["--temperature", "0", "--prompt", "XY"]).trim(), "XYY");
    assert_eq!(write(&["--seed", "4", "--temperature", "2"]), write(&["--seed", "4", "--temperature", "2"]));
    assert_eq!(write(&["--temperature", "0", "--length", "1"]).trim(), "X");
}

/// What is given is where the state begins.
const BEGINNER: &str = "cell Begun(D) {
  in  w : [D]
  mem k : [D]
  state h : [D]
  param V, U, W : [D, D] ~ uniform(1)
  at t = 0 { h = tanh(V @ k) }
  h = tanh(U @ h[t-1] + W @ w)
  out h
}
model Begins(L = _, P = _, D = 10) {
  in sign : id(L)
  in text : seq<n> of id(P)
  h = Begun(D)(shift(Embed(P, D)(text), 1), k = Embed(L, D)(sign))
  y = Dense(D, P)(h)
  out  y
  loss cross_entropy(y, text)
  generate text from y until 0
  data  { sign, text = pairs(\"signs.txt\", left = \"class\", right = \"chars\"); split = [0.5, 0.5] }
  train { optimizer = Adam(lr = 5e-2); batch = 4; epochs = 40; clip = 1; seed = 1 }
}
";

#[test]
fn a_state_that_begins_from_what_is_given_decides_what_is_written() {
    let place = Place::new();
    let signs: String = (0..24).map(|k| ["up xyz\n", "down zxzx\n"][k % 2]).collect();
    place.write("b.rnn", BEGINNER).write("signs.txt", signs);
    place.good(&["train", "b.rnn", "--out", "a"]);
    let write = |sign: &str, extra: &[&str]| {
        let args = ["generate", "b.rnn", "--run", "a", "--given", sign];
        place.good(&[&args, extra].concat()).out.trim().to_string()
    };
    assert_eq!(write("sign=up", &["--temperature", "0"]), "xyz");
    assert_eq!(write("sign=down", &["--temperature", "0"]), "zxzx");
    assert_eq!(write("sign=down", &["--beam", "2"]), "zxzx");
    assert_eq!(write("sign=down", &["--temperature", "0", "--prompt", "zxz"]), "zxzx");
    place.bad(&["generate", "b.rnn", "--run", "a"], &["depends on `sign`", "--given sign="]);
    // The state itself is nothing that is given.
    place.bad(&["generate", "b.rnn", "--run", "a", "--given", "h0=up"], &["no such input", "it reads sign"]);
}

/// Bracketed expressions with the sum of their leaves; a picture of the states of one.
const TREES: &str = "cell Sum(I) over tree(left, right) {
  in    x : [I]
  state h : [I] = 0
  param v : [I] = 1
  h = v ⊙ x + 0.5 * h[left] + 0.5 * h[right]
  out h
}
model Summing(V = _, I = 3) {
  in t    : tree<n> of id(V)
  in kind : id(2)
  h = Sum(I)(Embed(V, I)(t))
  y = Dense(I, 2)(root(h))
  out  y
  loss cross_entropy(y, kind)
  data  { t, kind = trees(\"trees.txt\"); split = [0.5, 0.5] }
  train { optimizer = Adam(lr = 1e-2); batch = 4; epochs = 1; seed = 1 }
}
";

#[test]
fn a_tree_with_its_states_is_drawn() {
    let place = Place::new();
    place.write("t.rnn", TREES).write("trees.txt", "1\t(and a (or b c))\n0\t(or a b)\n".repeat(6));
    place.good(&["train", "t.rnn", "--out", "a"]);
    let look = |value: &str| {
        place.good(&["look", "t.rnn", value, "--run", "a", "--split", "all", "--picture", "t.svg"]);
        String::from_utf8(place.read("t.svg")).expect("text")
    };
    let picture = look("h");
    let nodes = if picture.contains("and") { 5 } else { 3 };
    assert_eq!(picture.matches("<polyline").count(), nodes - 1, "a line to each child: {picture}");
    // The paper, three components and a frame for each node, a hundred of the scale.
    assert_eq!(picture.matches("<rect").count(), 1 + 4 * nodes + 100);
    assert!(picture.contains("example 1") && picture.contains("or"));
    // What is no value of nodes is a heat map.
    assert!(!look("y").contains("<polyline"));
}
