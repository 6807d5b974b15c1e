//! Recurrent operators as cells with a name for each gate.

use super::ragged::What;
use super::scan::Carried;
use super::starts::Begin;
use super::{Axis, Done, Known, Reader, Value, text as file};
use crate::onnx::proto::Node;
use crate::onnx::words;
use crate::weights::Array;

/// What an operator says of itself.
struct Said<'n> {
    node: &'n Node,
    units: usize,
    inputs: usize,
    ways: Vec<bool>,
    after: bool,
    activations: Vec<&'static str>,
}

impl Reader<'_> {
    pub(super) fn recurrent(&mut self, node: &Node) -> Done<()> {
        if self.body.is_some() {
            return Err(self.wrong(node, "it is a recurrence in a loop"));
        }
        let x = self.value(node, 0)?;
        if x.axes != [Axis::Steps, Axis::Examples, Axis::Units] {
            let turned = x.axes == [Axis::Examples, Axis::Steps, Axis::Units];
            return Err(if turned {
                super::Stop::Order
            } else {
                self.wrong(node, "it wants [steps, batch, units]")
            });
        }
        let said = self.operator(node, &x)?;
        self.lengths(node)?;
        let gates: &[&str] = match node.op_type.as_str() {
            words::MEMORY => &["i", "o", "f", "g"],
            words::RESET => &["z", "r", "n"],
            _ => &[""],
        };
        let (h, i, g) = (said.units, said.inputs, gates.len());
        let d = said.ways.len();
        let w = self.weight(node, 1, &[d, g * h, i])?;
        let u = self.weight(node, 2, &[d, g * h, h])?;
        let b = match given(node, 3) {
            Some(_) => Some(self.weight(node, 3, &[d, 2 * g * h])?),
            None => None,
        };
        let p = match given(node, 7) {
            Some(_) if g == 4 => Some(self.weight(node, 7, &[d, 3 * h])?),
            Some(_) => return Err(self.wrong(node, "it has no input 8")),
            None => None,
        };
        let mut results: [Vec<String>; 3] = Default::default();
        for (k, backwards) in said.ways.clone().into_iter().enumerate() {
            let acts = &said.activations[k * said.activations.len() / d..];
            let states = self.states_of(&said, k)?;
            let text = cell(node.op_type.as_str(), acts, said.after, p.is_some(), &states);
            let name = self.cell(stem(&node.op_type), text);
            let source = if backwards { self.turned_about(&x.parts[0]) } else { x.parts[0].clone() };
            let mut arguments = vec![source];
            for state in &states {
                if let Begin::Given(start) = &state.begin {
                    arguments.push(format!("{}0 = {start}", state.name));
                }
            }
            let own = self.equation(format!("{name}({i}, {h})({})", arguments.join(", ")));
            self.begun(&own, &states);
            for (j, gate) in gates.iter().enumerate() {
                let suffix = if gate.is_empty() { String::new() } else { format!("_{gate}") };
                let mut put = |letter: &str, shape: Vec<usize>, values: Vec<f32>| {
                    self.weights.insert(format!("{own}.{letter}{suffix}"), Array::f32(shape, values));
                };
                let rows = |all: &[f32], width: usize| all[(k * g + j) * h * width..][..h * width].to_vec();
                put("W", vec![h, i], rows(&w, i));
                put("U", vec![h, h], rows(&u, h));
                let none = vec![0.0; 2 * d * g * h];
                let b = b.as_ref().unwrap_or(&none);
                let (first, second) = (&b[(2 * k * g + j) * h..][..h], &b[((2 * k + 1) * g + j) * h..][..h]);
                match said.after && *gate == "n" {
                    true => {
                        put("b", vec![h], first.to_vec());
                        put("c", vec![h], second.to_vec());
                    }
                    false => put("b", vec![h], first.iter().zip(second).map(|(a, b)| a + b).collect()),
                }
                if let Some(p) = p.as_ref().filter(|_| j < 3) {
                    put("p", vec![h], p[(3 * k + j) * h..][..h].to_vec());
                }
            }
            let all = if backwards { self.turned_about(&own) } else { own.clone() };
            results[0].push(all);
            for (state, result) in states.into_iter().zip(&mut results[1..]) {
                let last = format!("{own}.{}_last", state.name);
                self.starts.lasts.insert(last.clone(), state.begin);
                result.push(last);
            }
        }
        let axes = [
            vec![Axis::Steps, Axis::Ways, Axis::Examples, Axis::Units],
            vec![Axis::Ways, Axis::Examples, Axis::Units],
            vec![Axis::Ways, Axis::Examples, Axis::Units],
        ];
        for ((name, parts), axes) in node.output.iter().zip(results).zip(axes) {
            self.known.insert(name.clone(), Known::Value(Value { parts, axes, width: h }));
        }
        Ok(())
    }

    fn operator<'n>(&self, node: &'n Node, x: &Value) -> Done<Said<'n>> {
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name == name);
        let whole = |name: &str| attribute(name).map_or(0, |a| a.i);
        let units = usize::try_from(whole("hidden_size")).ok().filter(|n| (1..1 << 24).contains(n));
        let units = units.ok_or_else(|| self.wrong(node, "`hidden_size` is no number of units"))?;
        for name in ["layout", "input_forget"] {
            if whole(name) != 0 {
                return Err(self.wrong(node, &format!("`{name}` is not 0")));
            }
        }
        if let Some(a) = node.attribute.iter().find(|a| a.name == "clip" || a.name.starts_with("activation_"))
        {
            return Err(self.wrong(node, &format!("`{}` is not read", text(a.name.as_bytes()))));
        }
        let ways = match attribute("direction").map_or(&b"forward"[..], |a| &a.s) {
            b"forward" => vec![false],
            b"reverse" => vec![true],
            b"bidirectional" => vec![false, true],
            _ => return Err(self.wrong(node, "its `direction` is unknown")),
        };
        let own: &[&'static str] = match node.op_type.as_str() {
            words::MEMORY => &["σ", "tanh", "tanh"],
            words::RESET => &["σ", "tanh"],
            _ => &["tanh"],
        };
        let activations = match attribute("activations") {
            None => own.repeat(ways.len()),
            Some(a) => {
                let known = |word: &Vec<u8>| match word.to_ascii_lowercase().as_slice() {
                    b"sigmoid" => Some("σ"),
                    b"tanh" => Some("tanh"),
                    b"relu" => Some("relu"),
                    _ => None,
                };
                let all: Option<Vec<&'static str>> = a.strings.iter().map(known).collect();
                let all = all.filter(|all| all.len() == own.len() * ways.len());
                all.ok_or_else(|| {
                    self.wrong(node, "`activations` are Sigmoid, Tanh or Relu, one for each place")
                })?
            }
        };
        let after = node.op_type == words::RESET && whole("linear_before_reset") != 0;
        Ok(Said { node, units, inputs: x.width, ways, after, activations })
    }

    /// Lengths are the run's own.
    fn lengths(&mut self, node: &Node) -> Done<()> {
        if given(node, 4).is_none() {
            return Ok(());
        }
        match self.told(node, 4)?.map(|t| t.what) {
            Some(What::Lengths | What::Always) => Ok(()),
            Some(_) => Err(self.wrong(node, "input 5 is no lengths")),
            None => match self.of(node, 4)? {
                // As many as there are, for each example.
                Known::Filled(_) => Ok(()),
                _ => Err(self.wrong(node, "its lengths are no input of the model")),
            },
        }
    }

    /// The states in one direction, with what they begin with.
    fn states_of(&mut self, said: &Said, way: usize) -> Done<Vec<Carried>> {
        let places: &[(usize, &str)] =
            if said.node.op_type == words::MEMORY { &[(5, "h"), (6, "c")] } else { &[(5, "h")] };
        let mut states = Vec::new();
        for (place, name) in places {
            let begin = self.start(said, *place, way)?;
            states.push(Carried { name: (*name).to_string(), width: "H".into(), begin });
        }
        Ok(states)
    }

    fn start(&mut self, said: &Said, place: usize, way: usize) -> Done<Begin> {
        let Some(name) = given(said.node, place) else { return Ok(Begin::Number(0.0)) };
        let known = match self.known.get(name).cloned() {
            Some(Known::Given(name)) => Some(Known::Value(self.states(&name)?)),
            known => known,
        };
        let begin = known.and_then(|known| self.begin(&known, said.units, way, said.ways.len()));
        begin.ok_or_else(|| {
            let name = text(name.as_bytes());
            self.wrong(said.node, &format!("its start `{name}` is no [directions, batch, units]"))
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(60).collect()
}

/// The name of an input that is not left out.
pub(super) fn given(node: &Node, place: usize) -> Option<&str> {
    node.input.get(place).map(String::as_str).filter(|n| !n.is_empty())
}

fn stem(op: &str) -> &'static str {
    match op {
        words::MEMORY => "Memory",
        words::RESET => "Reset",
        _ => "Plain",
    }
}

fn cell(op: &str, f: &[&str], after: bool, sees: bool, states: &[Carried]) -> String {
    let params = |gates: &str| {
        format!(
            "  param W{gates} : [H, I] ~ uniform(1/sqrt(H))\n  param U{gates} : [H, H] ~ uniform(1/sqrt(H))\n  \
             param b{gates} : [H] = 0\n"
        )
    };
    let gate = |name: &str, f: &str, more: String| {
        format!("  {name} = {f}(W_{name} @ x + U_{name} @ h[t-1] + b_{name}{more})\n")
    };
    let head = format!("cell NAME(I, H) {{\n  in x : [I]\n{}", file::states(states));
    let begins = file::begins(states);
    match op {
        words::MEMORY => {
            let p = |name: &str, c: &str| if sees { format!(" + p_{name} ⊙ {c}") } else { String::new() };
            let own = if sees { "  param p_{i o f} : [H] = 0\n" } else { "" };
            let (i, o, g) = (
                gate("i", f[0], p("i", "c[t-1]")),
                gate("o", f[0], p("o", "c")),
                gate("g", f[1], String::new()),
            );
            let forget = gate("f", f[0], p("f", "c[t-1]"));
            let end = format!("  c = f ⊙ c[t-1] + i ⊙ g\n  h = o ⊙ {}(c)\n  out h\n}}\n", f[2]);
            format!("{head}{}{own}{begins}\n{i}{forget}{g}{o}{end}", params("_{i o f g}"))
        }
        words::RESET => {
            let (z, r) = (gate("z", f[0], String::new()), gate("r", f[0], String::new()));
            let (own, inner) = match after {
                true => ("  param c_n : [H] = 0\n", "r ⊙ (U_n @ h[t-1] + c_n)"),
                false => ("", "U_n @ (r ⊙ h[t-1])"),
            };
            let n = format!("  n = {}(W_n @ x + {inner} + b_n)\n", f[1]);
            let end = "  h = (1 − z) ⊙ n + z ⊙ h[t-1]\n  out h\n}\n";
            format!("{head}{}{own}{begins}\n{z}{r}{n}{end}", params("_{z r n}"))
        }
        _ => {
            let h = format!("  h = {}(W @ x + U @ h[t-1] + b)\n  out h\n}}\n", f[0]);
            format!("{head}{}{begins}\n{h}", params(""))
        }
    }
}
