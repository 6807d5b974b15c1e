//! From text to machine code: every recipe whose gradient the library's and the models' files check, with 256 inputs
//! and units where it names them.

use rnnc::eqn::build::{Options, build};
use rnnc::grad;
use rnnc::pipeline::{CompileOptions, compile};
use rnnc::resolve::load;
use rnnc::shape::Bindings;
use rnnc::source::{Loader, Sources};
use rnnc::syntax::parse_recipe;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

/// The least of so many times counts: other work on the machine can only add.
const TIMES: usize = 3;
const UNITS: &str = "256";
/// A dimension that a recipe leaves open.
const OPEN: i64 = 256;

struct Files;

impl Loader for Files {
    fn load(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|e| e.to_string())
    }
}

/// `{kind, recipe, seconds}` of each.
pub fn all() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut told = Vec::new();
    for (kind, folder) in [("cell", "stdlib"), ("model", "models")] {
        let Ok(files) = std::fs::read_dir(root.join(folder)) else { continue };
        let paths = files.filter_map(|f| Some(f.ok()?.path()));
        let mut paths: Vec<_> = paths.filter(|p| p.extension().is_some_and(|e| e == "rnn")).collect();
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let roots: Vec<String> =
                (kind == "model").then(|| path.display().to_string()).into_iter().collect();
            for recipe in text.lines().filter_map(checked) {
                let times = (0..TIMES).map(|_| seconds(&roots, &recipe)).collect::<Result<Vec<_>, _>>();
                match times {
                    Ok(times) => {
                        let least = times.into_iter().fold(f64::INFINITY, f64::min);
                        told.push(json!({ "kind": kind, "recipe": recipe, "seconds": least }));
                    }
                    Err(why) => println!("{recipe}: {why}"),
                }
            }
        }
    }
    told
}

/// The recipe of a line `check grad RECIPE, steps = …`, made wide.
fn checked(line: &str) -> Option<String> {
    let rest = line.strip_prefix("check grad ")?;
    let mut depth = 0;
    let end = rest.find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ')' && depth == 0
    })?;
    let mut recipe = rest[..=end].to_string();
    for name in ["I", "H"] {
        let key = format!("{name} = ");
        let mut from = 0;
        while let Some(at) = recipe[from..].find(&key).map(|at| at + from) {
            let start = at + key.len();
            let digits = recipe[start..].chars().take_while(char::is_ascii_digit).count();
            let whole = recipe[..at].ends_with(['(', ' ']);
            if digits > 0 && whole {
                recipe.replace_range(start..start + digits, UNITS);
            }
            from = start;
        }
    }
    Some(recipe)
}

/// Everything anew: reading, building, differentiating, scheduling, generating code.
pub fn seconds(roots: &[String], recipe: &str) -> Result<f64, String> {
    let start = Instant::now();
    let mut sources = Sources::default();
    let (library, _) = load(&mut sources, &Files, roots);
    let id = sources.add("recipe", recipe);
    let parsed = parse_recipe(&sources, id).map_err(|e| format!("{e:?}"))?;
    let options = Options { training: true, ..Options::default() };
    let (graph, said) = build(&library, &parsed, &options);
    let mut graph = graph.ok_or_else(|| said.first().map_or(String::new(), |d| d.message.clone()))?;
    // As training has it: the loss, or the first output, and what goes on.
    let loss = graph.outputs.iter().position(|o| &*o.name == "loss").unwrap_or(0);
    let main = graph.outputs.get(loss).map(|o| o.name.to_string()).ok_or("no output")?;
    graph.outputs.retain(|o| *o.name == *main || o.name.ends_with("_last"));
    let grad = grad::Options { from: Some(vec![main]), ..grad::Options::default() };
    let options = CompileOptions { grad: Some(grad), ..CompileOptions::default() };
    let open: Bindings = graph.dims().into_iter().map(|dim| (dim, OPEN)).collect();
    compile(&graph, &open, &options).map_err(|e| e.first().map_or(String::new(), |d| d.message.clone()))?;
    Ok(start.elapsed().as_secs_f64())
}
