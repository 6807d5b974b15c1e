//! The library as a program uses it: loading, reading, running, refusing.

use crate::support::api;
use crate::support::api::{cotangents, everything, reals};
use crate::support::cli::Place;
use ndarray::{Array3, ArrayD, Axis, IxDyn, array, s};
use rnnc::api::{Arrays, Compiled, Error, Library, Notation, Options, Params, Saved, Source, Stream};
use rnnc::weights::{Array, npz};

const LEAK: &str = "
## Forgets at a rate it learns.
## With a second line.
cell Leak(I, H, gain : real = 1) {
  in    x : [I]
  state h : [H] = 0
  param W : [H, I] ~ uniform(1/sqrt(H))
  param a : [H] = 1 within -2 .. 2
  h = tanh(σ(a) ⊙ h[t-1] + gain * (W @ x))
  out h
}

## A step down the slope.
cell Descent(rate : real = 0.1) over chain(k) {
  in    g : [..]
  state w : [..]
  w = w[k-1] − rate * g
  out w
}
";

fn library() -> Library {
    Library::text("leak.rnn", LEAK).unwrap()
}

fn leak() -> Compiled {
    library().compile("Leak(3, 4)", &Options::default()).unwrap()
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Ok(_) => "none",
        Err(e) => {
            assert!(!e.message().is_empty() && e.rendered().contains(e.code()), "{e}");
            e.code()
        }
    }
}

#[test]
fn what_is_shared_between_threads_can_be() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Library>();
    shared::<Compiled>();
    shared::<Error>();
    sent::<Saved>();
    sent::<Stream>();
}

#[test]
fn items_and_recipes_tell_what_they_are() {
    let library = library();
    let items = library.items();
    let shown: Vec<(&str, &str, &str)> = items.iter().map(|i| (i.kind, &*i.signature, &*i.docs)).collect();
    assert_eq!(
        shown,
        [
            ("cell", "Leak(I, H, gain : real = 1)", "Forgets at a rate it learns.\nWith a second line."),
            ("cell", "Descent(rate : real = 0.1)", "A step down the slope."),
        ]
    );
    assert!(library.standard_items().iter().any(|i| i.kind == "layer" && i.file.starts_with("<stdlib>/")));
    let recipe = library.recipe("Leak(I, H)").unwrap();
    assert_eq!(recipe.dims(), ["I", "H"]);
    let ports = [recipe.inputs(), recipe.params(), recipe.initial(), recipe.outputs()].concat();
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let expected = [
        "x : [n, batch, I]",
        "W : [H, I]",
        "a : [H]",
        "h0 : [batch, H]",
        "h : [n, batch, H]",
        "h_last : [batch, H]",
    ];
    assert_eq!(ports, expected);
    assert_eq!(recipe.declared(), ["h"]);
    assert_eq!(recipe.docs(), "Forgets at a rate it learns.\nWith a second line.");
    assert!(recipe.equations(Notation::Unicode).unwrap().contains("h = tanh("));
    let gradient = recipe.gradient(&["W"], Notation::Unicode).unwrap();
    assert!(gradient.contains("out W_adj") && !gradient.contains("x_adj"), "{gradient}");
    assert!(recipe.gradient(&[], Notation::Latex).unwrap().contains("\\bar{h}"));
    assert!(library.recipe("Leak(3, 4)").unwrap().kernels(true).unwrap().contains("k0"));
}

#[test]
fn files_and_texts_use_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("leak.rnn");
    std::fs::write(&path, LEAK).unwrap();
    assert_eq!(Library::file(&path).unwrap().items().len(), 2);
    let loaded = Source::new()
        .text("lib/leak.rnn", LEAK)
        .text("mine.rnn", "use \"lib/leak.rnn\"\ncell Two(H) = Leak(H, H)");
    let library = loaded.load().unwrap();
    assert_eq!(library.compile("Two(3)", &Options::default()).unwrap().params().len(), 2);
    // A text in memory leads to no file.
    let text = format!("use \"{}\"\n", path.display());
    assert_ne!(code(Library::text("mine.rnn", text)), "none");
    // A text within a program is indented.
    let inner = "\n    cell A(H) {\n      in x : [H]\n\n      y = x + z\n      out y\n    }\n  ";
    let error = Library::text("a.rnn", inner).unwrap().check().unwrap_err();
    assert_eq!(error.place().map(|p| (p.line, p.column)), Some((5, 11)));
    assert_eq!(code(Library::file(folder.path().join("no.rnn"))), code(Library::file("no/such/file.rnn")));
}

#[test]
fn a_library_can_be_made_again_from_its_texts() {
    let loaded = Source::new()
        .beside("lib/leak.rnn", LEAK)
        .text("mine.rnn", "use \"lib/leak.rnn\"\ncell Two(H) = Leak(H, H)");
    let library = loaded.load().unwrap();
    let names = |l: &Library| l.items().into_iter().map(|i| i.name).collect::<Vec<_>>();
    assert_eq!(names(&library), ["Two"]);
    let texts = library.texts();
    let shown: Vec<(&str, bool)> = texts.iter().map(|(name, _, is_named)| (&**name, *is_named)).collect();
    assert_eq!(shown, [("mine.rnn", true), ("lib/leak.rnn", false)], "what is named comes first");
    let again = texts.iter().fold(Source::new(), |s, (name, text, is_named)| match is_named {
        true => s.text(name, text),
        false => s.beside(name, text),
    });
    let again = again.load().unwrap();
    assert_eq!(names(&again), ["Two"]);
    assert_eq!(again.compile("Two(3)", &Options::default()).unwrap().params().len(), 2);
    assert!(Library::standard().unwrap().texts().is_empty());
}

#[test]
fn codes_are_explained() {
    let text = rnnc::api::explain("e0703").unwrap();
    assert!(text.starts_with("E0703: ") && text.lines().count() > 2, "{text}");
    assert_eq!(rnnc::api::explain("E9999"), None);
}

#[test]
fn arrays_of_any_strides_are_the_same() {
    let cell = leak();
    let params = cell.init(1).unwrap();
    let x = Array3::from_shape_fn((5, 2, 3), |(t, b, i)| (t * 7 + b * 3 + i) as f32 * 0.1 - 1.0);
    let turned = x.clone().permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
    let turned = turned.view().permuted_axes([1, 0, 2]);
    let plain = cell.forward(&Arrays::new().params(&params).with("x", &x)).unwrap();
    assert_eq!(cell.forward(&Arrays::new().params(&params).with("x", turned)).unwrap(), plain);
    let wide = ndarray::concatenate(Axis(2), &[x.view(), x.view()]).unwrap();
    let part = wide.slice(s![.., .., 3..]);
    assert_eq!(cell.forward(&Arrays::new().params(&params).with("x", part)).unwrap(), plain);
}

#[test]
fn memory_is_used_again_and_remembers_nothing() {
    let cell = leak();
    let given = everything(&cell, 6, 3);
    let first = cell.forward(&given).unwrap();
    // Other sizes, other initial states, other parameters, and a refusal in between.
    let params = cell.init(3).unwrap();
    let x = reals("x", &[6, 3, 3], 2.0);
    let without = Arrays::new().params(&params).with("x", &x);
    let other = cell.forward(&without).unwrap();
    assert_ne!(other, first);
    assert_eq!(code(cell.forward(&Arrays::new().with("x", &x))), "E0701");
    assert_eq!(cell.forward(&without).unwrap(), other);
    cell.trim();
    cell.forward(&everything(&cell, 2, 1)).unwrap();
    cell.forward(&everything(&cell, 9, 3)).unwrap();
    assert_eq!(cell.forward(&given).unwrap(), first);
}

#[test]
fn several_runs_are_in_flight_at_once_and_on_several_threads() {
    let cell = leak();
    let given: Vec<_> = (2..8).map(|steps| everything(&cell, steps, 3)).collect();
    let alone: Vec<_> = given.iter().map(|g| gradients(&cell, cell.forward_saved(g).unwrap())).collect();
    let saved: Vec<Saved> = given.iter().map(|g| cell.forward_saved(g).unwrap()).collect();
    let again: Vec<_> = saved.into_iter().rev().map(|s| gradients(&cell, s)).collect();
    assert!(again.iter().rev().eq(&alone));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (g, alone) in given.iter().zip(&alone) {
                    let saved = cell.forward_saved(g).unwrap();
                    assert_eq!(
                        std::thread::scope(|s| s.spawn(|| gradients(&cell, saved)).join().unwrap()),
                        *alone
                    );
                }
            });
        }
    });
}

#[test]
fn outputs_and_gradients_are_lent_where_they_lie() {
    let cell = leak();
    let lengths = array![5i64, 2];
    for given in [everything(&cell, 5, 2), everything(&cell, 5, 2).with("lengths", lengths)] {
        let mut saved = cell.forward_saved(&given).unwrap();
        let outputs = saved.outputs().unwrap();
        let gradients = saved.backward(&cotangents(&cell, &outputs, "")).unwrap();
        outputs.iter().for_each(|(name, array)| assert_eq!(saved.output(name).unwrap(), array, "{name}"));
        gradients.iter().for_each(|(name, array)| assert_eq!(saved.gradient(name).unwrap(), array, "{name}"));
        assert!(saved.gradient("W_adj").unwrap().is_view(), "a gradient of a parameter lies in one piece");
    }
}

fn gradients(cell: &Compiled, mut saved: Saved) -> rnnc::api::Outputs {
    let cotangents = cotangents(cell, &saved.outputs().unwrap(), "");
    saved.backward(&cotangents).unwrap()
}

#[test]
fn only_what_is_asked_for_comes_out() {
    let options = Options {
        outputs: Some(vec!["h_last".into()]),
        wrt: Some(vec!["W".into(), "h0".into()]),
        ..Options::default()
    };
    let cell = library().compile("Leak(3, 4)", &options).unwrap();
    let mut saved = cell.forward_saved(&everything(&cell, 5, 2)).unwrap();
    assert_eq!(saved.gradients(), ["W_adj", "h0_adj"]);
    let one = ArrayD::<f32>::ones(IxDyn(&[2, 4]));
    saved.differentiate(&Arrays::new().with("h_last_adj", &one)).unwrap();
    let mut to = vec![0.0; 12];
    saved.copy_into("W_adj", &mut to).unwrap();
    assert!(to.iter().any(|x| *x != 0.0));
    assert_eq!(saved.shape("h0_adj").unwrap(), [2, 4]);
    assert_eq!(code(saved.copy_into("W_adj", &mut to[..11])), "E0703");
    assert_eq!(code(saved.differentiate(&Arrays::new().with("h_adj", &one))), "E0702");
    assert_eq!(code(cell.stream(&everything(&cell, 1, 1).with("x", reals("x", &[1, 1, 3], 1.0)))), "E0744");
}

#[test]
fn mistakes_in_a_call_are_told_by_their_codes() {
    let cell = leak();
    let given = || everything(&cell, 5, 2);
    let x = reals("x", &[5, 2, 3], 1.0);
    let run = |arrays: Arrays| code(cell.forward(&arrays));
    assert_eq!(run(given()), "none");
    assert_eq!(run(Arrays::new().params(&cell.init(1).unwrap())), "E0701");
    assert_eq!(run(given().with("y", &x)), "E0702");
    assert_eq!(run(given().with("x", reals("x", &[5, 2, 4], 1.0))), "E0703");
    assert_eq!(run(given().with("x", reals("x", &[5, 2], 1.0))), "E0703");
    assert_eq!(run(given().with("h0", reals("h0", &[3, 4], 1.0))), "E0703");
    assert_eq!(run(given().with("x", x.mapv(|x| x as i64))), "E0704");
    assert_eq!(run(given().with("x", x.mapv(f64::from))), "E0715");
    assert_eq!(run(given().with("lengths", array![5i64, 6])), "E0707");
    assert_eq!(run(given().with("lengths", array![5i64, -1])), "E0707");
    assert_eq!(run(given().with("lengths", array![5i64])), "E0707");
    assert_eq!(run(given().with("lengths", array![5.5f32, 1.0])), "E0707");
    assert_eq!(run(Arrays::new().with("x", reals("x", &[5, 0, 3], 1.0))), "E0746");
    assert_eq!(code(cell.exact(&given().with("x", x.mapv(f64::from)))), "none");
    assert_eq!(code(cell.exact(&given().with("h0", reals("h0", &[3, 4], 1.0)))), "E0703");
    let small = Options {
        limits: Some(rnnc::api::Limits { memory: 1000, ..Default::default() }),
        ..Options::default()
    };
    let small = library().compile("Leak(3, 4)", &small).unwrap();
    assert_eq!(code(small.forward(&given())), "E0911");
}

#[test]
fn mistakes_in_a_recipe_are_told_by_their_codes() {
    let library = library();
    let compile = |recipe: &str, options: &Options| code(library.compile(recipe, options));
    let plain = Options::default();
    assert_eq!(compile("Leak(3, H)", &plain), "E0611");
    assert_eq!(compile("Leek(3, 4)", &plain), "E0221");
    assert_ne!(compile("Leak(3, 4", &plain), "none");
    let dims = |name: &str, n| Options { dims: [(name.to_string(), n)].into(), ..Options::default() };
    assert_eq!(compile("Leak(3, H)", &dims("H", 4)), "none");
    assert_eq!(compile("Leak(3, H)", &dims("K", 4)), "E0702");
    assert_ne!(compile("Leak(3, H)", &dims("H", -4)), "none");
    let outputs = Options { outputs: Some(vec!["z".into()]), ..Options::default() };
    assert_eq!(compile("Leak(3, 4)", &outputs), "E0702");
    let wrt = Options { wrt: Some(vec!["V".into()]), ..Options::default() };
    assert_eq!(compile("Leak(3, 4)", &wrt), "E0702");
    let plain = Options { gradients: false, ..Options::default() };
    let cell = library.compile("Leak(3, 4)", &plain).unwrap();
    assert_eq!(code(cell.forward_saved(&everything(&cell, 2, 2))), "E0716");
    let wrong = Library::text("a.rnn", "cell A(H) {\n  in x : [H]\n  y = x + z\n  out y\n}").unwrap();
    let error = wrong.check().unwrap_err();
    let place = error.place().unwrap();
    assert_eq!((&*place.path, place.line, place.column), ("a.rnn", 3, 11));
    assert_eq!(code(wrong.recipe("A(3)")), error.code());
    assert!(format!("{error}").starts_with("a.rnn:3:11: "), "{error}");
}

#[test]
fn a_stream_of_a_hundred_thousand_steps_is_the_whole_sequence() {
    let cell = leak();
    let params = cell.init(5).unwrap();
    let steps = 100_000;
    let x = reals("x", &[steps, 1, 3], 2.0);
    let h0 = reals("h0", &[1, 4], 1.0);
    let whole = cell.forward(&Arrays::new().params(&params).with("x", &x).with("h0", &h0)).unwrap();
    let mut stream = cell.stream(&Arrays::new().params(&params).with("h0", &h0)).unwrap();
    assert_eq!((&*stream.inputs()[0].name, stream.outputs()[0].len()), ("x", 4));
    let (x, h) = (x.as_slice().unwrap(), whole["h"].as_slice().unwrap());
    let mut out = [0.0; 4];
    for t in 0..steps {
        stream.step(&x[3 * t..3 * t + 3], &mut out).unwrap();
        let far = out.iter().zip(&h[4 * t..4 * t + 4]).any(|(a, b)| (a - b).abs() > 1e-6);
        assert!(!far, "step {t}: {out:?}");
    }
    stream.restart();
    stream.step(&x[..3], &mut out).unwrap();
    assert!(out.iter().zip(h).all(|(a, b)| (a - b).abs() <= 1e-6));
    assert_eq!(code(stream.step(&x[..2], &mut out)), "E0703");
    assert_eq!(code(stream.step(&x[..3], &mut [0.0; 5])), "E0703");
    let zero = ArrayD::<f32>::zeros(IxDyn(&[4, 3]));
    stream.set_params(&Arrays::new().with("W", &zero)).unwrap();
    assert_eq!(code(stream.set_params(&Arrays::new().with("h0", &h0))), "E0702");
    assert_eq!(code(cell.stream(&Arrays::new())), "E0701");
    assert_eq!(code(cell.stream(&Arrays::new().params(&params).with("y", &h0))), "E0702");
}

#[test]
fn an_update_rule_of_the_language_changes_parameters() {
    let cell = leak();
    let mut params = cell.init(2).unwrap();
    let before = params.clone();
    let given = everything(&cell, 4, 2);
    let gradients = gradients(&cell, cell.forward_saved(&given).unwrap());
    let mut rule = cell.optimiser("Descent(rate = 0.5)").unwrap();
    rule.update(&mut params, &gradients, 2.0).unwrap();
    let expected = before.get("W").unwrap() - &gradients["W_adj"];
    assert!(params.get("W").unwrap().iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6));
    // Declared bounds hold.
    for _ in 0..100 {
        rule.update(&mut params, &gradients, 100.0).unwrap();
    }
    assert!(params.get("a").unwrap().iter().all(|x| (-2.0..=2.0).contains(x)));
    assert_eq!(rule.steps(), 101);
    assert_ne!(code(cell.optimiser("Leak(3, 4)")), "none");
    assert_ne!(code(cell.optimiser("Descent(")), "none");
    let mut wrong = Params::new();
    assert_eq!(code(rule.update(&mut wrong, &gradients, 1.0)), "E0701");
}

#[test]
fn parameters_go_to_files_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let params = leak().init(9).unwrap();
    for name in ["w.npz", "w.safetensors"] {
        let path = folder.path().join(name);
        params.write(&path).unwrap();
        assert_eq!(Params::read(&path).unwrap(), params);
        std::fs::write(&path, b"damaged").unwrap();
        assert_ne!(code(Params::read(&path)), "none");
    }
    assert_eq!(code(params.write(folder.path().join("w.bin"))), "E0763");
    // The kind is told by what is in a file.
    std::fs::write(folder.path().join("w"), b"words").unwrap();
    assert_eq!(code(Params::read(folder.path().join("w"))), "E0755");
    assert_eq!(code(Params::read(folder.path().join("no.npz"))), "E0721");
}

#[test]
fn noise_is_drawn_from_a_seed_or_given() {
    let text = "cell Drop(H) {\n  in x : [H]\n  noise z : [H] ~ bernoulli(0.5)\n  y = x ⊙ z\n  out y\n}";
    let options = Options { training: true, ..Options::default() };
    let cell = Library::text("drop.rnn", text).unwrap().compile("Drop(50)", &options).unwrap();
    assert_eq!(cell.recipe().noise()[0].name, "z");
    let x = reals("x", &[3, 2, 50], 2.0);
    let run = |seed, run| cell.forward(&Arrays::new().with("x", &x).seed(seed, run)).unwrap();
    assert_eq!(run(1, 0), run(1, 0));
    assert_ne!(run(1, 0), run(1, 1));
    assert_ne!(run(1, 0), run(2, 0));
    assert_eq!(code(cell.forward(&Arrays::new().with("x", &x))), "E0701");
    // The interpreter draws the same.
    let exact = cell.exact(&Arrays::new().with("x", &x).seed(1, 1)).unwrap();
    assert_eq!(exact["y"].mapv(|y| y as f32), run(1, 1)["y"]);
    let ones = ArrayD::<f32>::ones(IxDyn(&[3, 2, 50]));
    assert_eq!(cell.forward(&Arrays::new().with("x", &x).with("z", &ones)).unwrap()["y"], x);
}

#[test]
fn threads_change_no_bit() {
    let alone = leak();
    let options = Options { threads: 3, ..Options::default() };
    let together = library().compile("Leak(3, 4)", &options).unwrap();
    let given = everything(&alone, 7, 5);
    assert_eq!(alone.forward(&given).unwrap(), together.forward(&given).unwrap());
}

#[test]
fn the_command_computes_the_same() {
    let cell = leak();
    let given = everything(&cell, 9, 3);
    let mut saved = cell.forward_saved(&given).unwrap();
    let outputs = saved.outputs().unwrap();
    let cotangents = cotangents(&cell, &outputs, "");
    let gradients = saved.backward(&cotangents).unwrap();
    let forward = cell.forward(&given).unwrap();

    let place = Place::new();
    place.write("leak.rnn", LEAK);
    let mut arrays = rnnc::weights::Arrays::new();
    for port in [cell.inputs(), cell.params(), cell.initial()].concat() {
        let shape = api::shape(&port, 9, 3);
        let scale = if port.per_example { 2.0 } else { 0.9 };
        let values = reals(&port.name, &shape, scale).into_iter().collect();
        arrays.insert(port.name, Array::f32(shape, values));
    }
    for port in cell.outputs() {
        let name = format!("{}_adj", port.name);
        let values = reals(&name, outputs[&port.name].shape(), 2.0);
        arrays.insert(name, Array::f32(values.shape().to_vec(), values.into_iter().collect()));
    }
    place.write("in.npz", npz::write(&arrays).unwrap());
    let args = ["run", "leak.rnn", "--cell", "Leak(3, 4)", "--in", "in.npz", "--out", "out.npz", "--grad"];
    place.good(&args);
    let made = npz::read("out.npz", &place.read("out.npz")).unwrap();
    assert_eq!(made.len(), outputs.len() + gradients.len());
    for (name, found) in forward.iter().chain(outputs.iter()).chain(gradients.iter()) {
        let there = made[name].to_f32();
        assert_eq!(made[name].shape, found.shape(), "{name}");
        let far = found.iter().zip(&there).any(|(a, b)| (a - b).abs() > 1e-6 * b.abs().max(1.0));
        assert!(!far, "{name}: {found:?} is not {there:?}");
    }
}
