//! Bytes as a data file: the first says the reader, the second its options and what the inputs are declared as, the rest is the
//! file. What is read fits together: as many examples in all fields, ids below their number of symbols, numbers finite.

use rnnc::diag::Diagnostic;
use rnnc::source::Sources;
use rnnc::syntax;
use rnnc::train::data::{Dataset, Declared, Over, Values, read, source::Call};

/// A call of a reader, the names on its left, and what they are declared as.
const SOURCES: &[(&str, &[&str])] = &[
    ("chars(\"f\")", &["s"]),
    ("words(\"f\", test = \"f\")", &["s"]),
    ("lines(\"f\")", &["s"]),
    ("lines(\"f\", units = \"words\", comment = \"#\")", &["s"]),
    ("pairs(\"f\")", &["a", "b"]),
    ("pairs(\"f\", left = \"words\", right = \"chars\", comment = \"#\")", &["a", "b"]),
    ("ts(\"f\")", &["x", "label"]),
    ("ts(\"f\", test = \"f\")", &["x", "label"]),
    ("trees(\"f\")", &["x", "label"]),
    ("trees(\"f\", test = \"f\")", &["x", "label"]),
    ("csv(\"f\")", &["a", "b"]),
    ("csv(\"f\", test = \"f\", scale = 0.5)", &["a", "b"]),
    ("csv(\"f\", shape = [2, 2])", &["a", "b"]),
    ("csv(\"f\", shape = [2, 2], frame = [4, 4], shift = true, seed = 3)", &["a", "b"]),
    ("npz(\"f\")", &["a", "b"]),
];

pub fn run(bytes: &[u8]) {
    let [reader, declared, file @ ..] = bytes else { return };
    let (call, names) = SOURCES[usize::from(*reader) % SOURCES.len()];
    let mut sources = Sources::default();
    let id = sources.add("call", call);
    let expr = syntax::parse_expr(&sources, id).expect("the call is an expression");
    let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
    let Ok(call) = Call::parse(names.clone(), &expr) else { return };
    let over = [Over::Example, Over::Axes(1), Over::Axes(2), Over::Tree];
    let declared: Vec<Declared> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Declared {
            name: name.clone(),
            over: over[usize::from(declared >> (2 * i) & 3)],
            is_id: declared >> (4 + i) & 1 == 1,
            rank: usize::from(declared >> (6 + i) & 1),
        })
        .collect();
    let mut open = |_: &str| -> Result<Vec<u8>, Diagnostic> { Ok(file.to_vec()) };
    match read(&[call], &declared, &mut open) {
        Ok(data) => fits(&data),
        Err(found) => assert!(!found.is_empty()),
    }
}

fn fits(data: &Dataset) {
    assert_eq!(data.names.len(), data.fields.len());
    assert!(data.test_from.is_none_or(|first| first <= data.examples));
    for field in &data.fields {
        assert_eq!(field.examples(), data.examples);
        let elements = match &field.values {
            Values::Real(values) => {
                assert!(values.iter().all(|x| x.is_finite()));
                values.len()
            }
            Values::Id { ids, symbols } => {
                assert!(ids.iter().all(|id| (*id as usize) < symbols.len()));
                ids.len()
            }
        };
        assert_eq!(elements, field.rows() * field.width());
    }
}
