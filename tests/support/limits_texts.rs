//! Files that are hard to check: every kind of nesting, repetition and mistake, as often as fits into a size.

/// Makes a text of at most so many bytes.
pub type Make = fn(usize) -> String;

/// Units as often as they fit between a head and a tail.
fn fill(size: usize, head: &str, unit: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = head.to_string();
    for i in 0.. {
        let next = unit(i);
        if text.len() + next.len() + tail.len() > size {
            break;
        }
        text += &next;
    }
    text + tail
}

const CELL: &str = "cell A(I) {\n  in x : [I]\n";
const MODEL: &str = "model A(I) {\n  in x : seq<n> of [I]\n";
const END: &str = "  out x\n}\n";

/// In a cell with an input, statements that are not read.
fn statements(size: usize, unit: impl Fn(usize) -> String) -> String {
    fill(size, CELL, |i| format!("  {}\n", unit(i)), END)
}

fn items(size: usize, head: &str, unit: impl Fn(usize) -> String) -> String {
    fill(size, head, |i| format!("{}\n", unit(i)), "")
}

fn again(size: usize, unit: &str) -> String {
    unit.repeat(size / unit.len())
}

/// An expression in a cell.
fn value(size: usize, open: &str, unit: impl Fn(usize) -> String, close: &str) -> String {
    fill(size, &format!("{CELL}  y = {open}"), unit, &format!("{close}\n  out y\n}}\n"))
}

/// Cells each of which applies the one before twice.
fn doubled(depth: usize) -> String {
    "cell A0(I) { in x:[I]; out tanh(x) }\n".to_string() + &(0..depth).map(double).collect::<String>()
}

fn double(i: usize) -> String {
    format!("cell A{}(I) {{ in x:[I]; y = A{i}(I)(x); z = A{i}(I)(x); out y + z }}\n", i + 1)
}

/// Cells each of which applies the one before.
fn chained(depth: usize) -> String {
    let one = |i: usize| format!("cell A{}(I) {{ in x:[I]; out A{i}(I)(x) }}\n", i + 1);
    "cell A0(I) { in x:[I]; out x }\n".to_string() + &(0..depth).map(one).collect::<String>()
}

fn words(count: usize) -> String {
    (0..count).map(|i| format!("a{i} ")).collect::<String>().trim_end().to_string()
}

pub const ALL: &[(&str, Make)] = &[
    // One character, or one line, over and over.
    ("comments", |n| again(n, "# x\n")),
    ("documentation", |n| again(n, "## x\n")),
    ("spaces", |n| again(n, " ")),
    ("line ends", |n| again(n, "\r\n")),
    ("open brackets", |n| again(n, "(")),
    ("open brackets on lines", |n| again(n, "(\n")),
    ("closed brackets", |n| again(n, ")")),
    ("braces", |n| again(n, "{")),
    ("half groups", |n| again(n, "{a ")),
    ("digits", |n| again(n, "1")),
    ("zeros", |n| again(n, "\0")),
    ("hashes", |n| again(n, "#")),
    ("an open string", |n| fill(n, "use \"", |_| "x".into(), "")),
    ("escapes", |n| fill(n, "use \"", |_| "\\".into(), "")),
    ("pictures", |n| again(n, "😀 ")),
    ("marks", |n| again(n, "\u{302}")),
    ("decomposed letters", |n| again(n, "h\u{302} ")),
    ("many marks on a letter", |n| fill(n, "cell A {\n in a", |_| "\u{323}\u{302}".into(), " : []\n}\n")),
    ("words", |n| again(n, "x ")),
    ("words that begin no item", |n| again(n, "x\n")),
    ("items without names", |n| again(n, "cell\n")),
    ("one name", |n| fill(n, "cell A { out ", |_| "a".into(), " }\n")),
    // Long expressions.
    ("brackets in a cell", |n| value(n, "", |_| "(".into(), "")),
    ("half groups in a cell", |n| value(n, "", |_| "a{b ".into(), "")),
    ("a number", |n| value(n, "", |_| "1".into(), "")),
    ("a sum", |n| value(n, "", |_| "x + ".into(), "x")),
    ("signs", |n| value(n, "", |_| "-".into(), "x")),
    ("a list of numbers", |n| value(n, "[", |_| "1,".into(), "1]")),
    ("a list of lists", |n| value(n, "[", |_| "[1,2],".into(), "[1,2]]")),
    ("a list of values", |n| value(n, "[", |_| "x,".into(), "x]")),
    ("a list of instances", |n| value(n, "[", |i| format!("RNN(I, {i})(x),"), "x]")),
    ("arguments", |n| value(n, "f(", |_| "x,".into(), "x)")),
    ("semicolons", |n| fill(n, "cell A { ", |_| ";".into(), "}\n")),
    // Deep expressions, many of them.
    ("nested brackets", |n| statements(n, |i| format!("a{i} = {}x{}", "(".repeat(60), ")".repeat(60)))),
    ("nested mistakes", |n| {
        items(n, "", |i| format!("cell A{i} {{ a = {}x y{} }}", "[f(".repeat(30), ")]".repeat(30)))
    }),
    ("nested conditions", |n| {
        items(n, "", |i| {
            format!("cell A{i} {{ in x:[]; out {}x{} }}", "(if x > 1 then 1 else ".repeat(30), ")".repeat(30))
        })
    }),
    ("powers", |n| items(n, "", |i| format!("cell A{i} {{ in x:[]; out {}x }}", "x^".repeat(60)))),
    ("long sums", |n| statements(n, |i| format!("a{i} = {}x", "x + ".repeat(200)))),
    ("nested types", |n| {
        items(n, "", |i| format!("cell A{i} {{ in x:{}[]; out x }}", "seq<n> of ".repeat(30)))
    }),
    // Many statements.
    ("statements on a line", |n| {
        fill(n, "cell A(I) { in x : [I]; ", |i| format!("h{i} = x; "), " out x }\n")
    }),
    ("equations", |n| statements(n, |i| format!("h{i} = x"))),
    ("equations that are read", |n| statements(n, |i| format!("h{i} = x\n  out h{i}"))),
    ("a chain of equations", |n| statements(n, |i| format!("h{} = tanh(h{i})", i + 1))),
    ("a chain from its end", |n| fill(n, CELL, |i| format!("  h{i} = tanh(h{})\n", i + 1), "  out h0\n}\n")),
    ("circles", |n| statements(n, |i| format!("h{i} = h{i} + x"))),
    ("states", |n| statements(n, |i| format!("state s{i} : [I] = 0\n  s{i} = s{i}[t-1] + x"))),
    ("states that are read", |n| {
        statements(n, |i| format!("state s{i} : [I] = 0\n  s{i} = s{i}[t-1] + x\n  out s{i}"))
    }),
    ("states of long lags", |n| {
        statements(n, |i| format!("state h{i}:[I] = 0\n  h{i} = x + h{i}[t-4000]\n  out h{i}"))
    }),
    ("lags", |n| {
        let head = format!("{CELL}  state h:[I] = 0\n  h = x\n");
        fill(n, &head, |i| format!("  out a{i} = h[t-{}]\n", i % 4096 + 1), "}\n")
    }),
    ("parameters", |n| statements(n, |i| format!("param W{i} : [I] = 0"))),
    ("parameters that are read", |n| {
        statements(n, |i| format!("param W{i} : [I] = 0\n  out y{i} = W{i} + x"))
    }),
    ("conditions", |n| statements(n, |i| format!("a{i} = if x[1] > {i} then x else {i}"))),
    ("dimensions", |n| {
        fill(
            n,
            &format!("{CELL}  dim D0 = I\n"),
            |i| format!("  dim D{} = D{i} * 2 + 1\n", i + 1),
            "  param w : [D20] = 0\n  out w\n}\n",
        )
    }),
    ("powers of dimensions", |n| {
        fill(n, "cell A(I,J,K) {\n", |i| format!("  param w{i} : [(I+J+K+1)^9] = 0\n  out w{i}\n"), "}\n")
    }),
    ("sides", |n| {
        fill(n, &format!("{CELL}  state h:[I]\n  h = x\n"), |i| format!("  at t = 0 {{ h = x{i} }}\n"), END)
    }),
    ("sides of a family", |n| {
        let head = format!("{CELL}  state h[l in 1..99999]:[I]\n  h[l in 1..99999] = x\n");
        fill(n, &head, |i| format!("  at t = 0 {{ h[{i}] = 0 }}\n"), "  out h[1]\n}\n")
    }),
    // Families.
    ("families", |n| statements(n, |i| format!("u{i}[l in 1..99999] = x + l\n  out u{i}[7]"))),
    ("sums of many terms", |n| statements(n, |i| format!("out a{i} = sum l in 1..9999: x * l"))),
    ("sums in many cells", |n| {
        items(n, "", |i| format!("cell A{i}(I) {{ in x : [I]; out sum l in 1..9999: x * l }}"))
    }),
    ("sums in sums", |n| {
        items(n, "", |i| {
            format!(
                "cell A{i}(I) {{ in x : [I]; out sum a in 1..90: sum b in 1..90: sum c in 1..90: x * a*b*c }}"
            )
        })
    }),
    ("a group of many words", |n| format!("{CELL}  {{{}}} = x\n{END}", words(n / 8))),
    ("groups", |n| statements(n, |i| format!("W{i}_{{a b c d e f g h i j k l m n o p}} = x"))),
    // Many items.
    ("cells", |n| items(n, "", |i| format!("cell A{i} {{ in x:[]; out x }}"))),
    ("cells of one name", |n| items(n, "", |_| "cell A { in x:[]; out x }".into())),
    ("derived cells", |n| items(n, "", |i| format!("cell M{i} = LSTM(3, 4) with {{ i = 1 - f }}"))),
    ("a line of derived cells", |n| {
        items(n, "cell A0(I) {\n in x:[I]\n b = x\n out b\n}\n", |i| {
            format!("cell A{}(I) = A{i}(I) with {{ b{i} = x; out b{i} }}", i + 1)
        })
    }),
    ("cells derived from a long one", |n| {
        let base: String = (0..n / 500).map(|k| format!(" b{k} = x\n")).collect();
        items(n, &format!("{CELL}{base}{END}"), |i| format!("cell B{i}(I) = A(I) with {{ b{i} = 2*x }}"))
    }),
    ("cells that apply two cells", |n| fill(n, &doubled(0), double, "")),
    ("cells that apply many cells", |n| {
        items(n, &doubled(8), |i| format!("cell B{i}(I) {{ in x:[I]; out A8(I)(x) }}"))
    }),
    ("cells that apply too many cells", |n| {
        items(n, &doubled(13), |i| format!("cell B{i}(I) {{ in x:[I]; out A13(I)(x) }}"))
    }),
    ("cells that apply a line of cells", |n| {
        items(n, &chained(55), |i| format!("cell B{i}(I) {{ in x:[I]; out A55(I)(x) }}"))
    }),
    ("a line of cells", |n| {
        items(n, "cell A0(I) { in x:[I]; out x }\n", |i| {
            format!("cell A{}(I) {{ in x:[I]; out A{i}(I)(x) }}", i + 1)
        })
    }),
    ("functions that call two functions", |n| {
        items(n, "fn f0(x) = x + 1\n", |i| format!("fn f{}(x) = f{i}(x) * f{i}(x + {i})", i + 1))
    }),
    ("options", |n| {
        let options = "a : p|q = p, b : p|q = p, c : p|q = p, d : p|q = p, e : p|q = p, f : p|q = p";
        items(n, "", |i| {
            format!(
                "cell A{i}(I, {options}) {{ in x:[I]; out if a == p and b == p and f == p then x else 2*x }}"
            )
        })
    }),
    ("options of a long cell", |n| {
        let head =
            "cell A(I, a : p|q = p, b : p|q = p, c : p|q = p, d : p|q = p, e : p|q = p) {\n  in x : [I]\n";
        fill(n, head, |i| format!("  h{i} = x + {i}\n"), END)
    }),
    ("dimensions of a cell", |n| {
        fill(n, "cell A(D", |i| format!(", D{i}"), ") {\n  in x : [D3]\n  out x\n}\n")
    }),
    ("switches of a cell", |n| {
        fill(n, "cell A(D", |i| format!(", d{i} : bool"), ") {\n  in x : [D]\n  out x\n}\n")
    }),
    ("imports", |n| items(n, "", |i| format!("use \"a{i}.rnn\""))),
    ("layouts", |n| items(n, "", |i| format!("layout l{i} for LSTM {{\n W_i = W\n}}"))),
    ("checks", |n| items(n, "", |_| "check grad LSTM(I = 3, H = 4), steps = 4".into())),
    ("tests", |n| items(n, "", |i| format!("test \"t{i}\" {{\n expect 1 ≈ 1\n}}"))),
    ("grids", |n| {
        items(n, "", |i| {
            format!(
                "cell G{i}(I) over grid(a, b, c, d) {{ in x:[I]; state h:[I] = 0; \
                 h = x + h[prev a] + h[prev b] + h[prev c] + h[prev d]; out h }}"
            )
        })
    }),
    ("grids of far reads", |n| {
        items(n, "", |i| {
            format!(
                "cell G{i}(I) over grid(a, b, c) {{ in x:[I]; state h:[I] = 0; \
                 h = x + h[a-1,b+3,c-4] + h[a-1,b-2,c+5] + h[a-2,b+7,c]; out h }}"
            )
        })
    }),
    // Models.
    ("models", |n| {
        items(n, "", |i| {
            format!("model M{i} {{ in x : seq<n> of [3]; y = LSTM(3, 4)(x); out y; loss norm(last(y)) }}")
        })
    }),
    ("losses", |n| fill(n, "model A(I) {\n  in x : [I]\n", |_| "  loss norm(x)\n".into(), "}\n")),
    ("metrics", |n| {
        fill(
            n,
            "model A(I) {\n  in x : [I]\n",
            |i| format!("  metric m{i} = norm(softmax(softmax(x)))\n"),
            "}\n",
        )
    }),
    ("layers", |n| {
        fill(n, MODEL, |i| format!("  y{} = LSTM(_, 4)(y{i})\n", i + 1), "  y0 = x\n  out y50\n}\n")
    }),
    ("instances", |n| fill(n, MODEL, |i| format!("  out y{i} = LSTM(_, 4)(x)\n"), "}\n")),
    ("parts", |n| fill(n, MODEL, |i| format!("  part p{i} = LSTM(I, 4)\n  out y{i} = p{i}(x)\n"), "}\n")),
    ("inputs over many axes", |n| {
        fill(n, "model A(I) {\n", |i| format!("  in x{i} : seq<n{i}> of [I]\n"), "  out x0\n}\n")
    }),
    ("pairs of positions", |n| {
        fill(
            n,
            MODEL,
            |i| {
                format!("  e{i}[i in n, j in n] = x[i] · x[j]\n  out s{i} = mean i in n, j in n: e{i}[i,j]\n")
            },
            "}\n",
        )
    }),
    ("lines of data", |n| {
        fill(n, &format!("{MODEL}  data {{\n"), |i| format!("  x{i} = chars(\"a\")\n"), "  }\n  out x\n}\n")
    }),
    // Mistakes.
    ("unknown names", |n| statements(n, |i| format!("h{i} = y{i}"))),
    ("names that are nearly others", |n| {
        statements(n, |i| format!("hidden_state_number_{i:06} = hidden_stat_number_{i:06}"))
    }),
    ("long names that are nearly others", |n| {
        statements(n, |i| format!("{0}{i:04} = {0}b{i:04}", "a".repeat(400)))
    }),
    ("huge names that are nearly others", |n| {
        statements(n, |i| format!("{0}{i:04} = {0}b{i:04}", "a".repeat(n / 60)))
    }),
    ("items that are nearly others", |n| {
        items(n, "", |i| format!("cell hidden{i:05} {{ in x:[]; out hiddne{i:05}(x) }}"))
    }),
    ("equations twice", |n| statements(n, |_| "h = x".into())),
    ("declarations twice", |n| statements(n, |_| "in x:[I]".into())),
    ("wrong shapes", |n| {
        fill(
            n,
            &format!("{}  in y:[J]\n", CELL.replace("(I)", "(I, J)")),
            |i| format!("  h{i} = x + y\n"),
            END,
        )
    }),
    ("wrong arguments", |n| statements(n, |i| format!("h{i} = LSTM(3)(x)"))),
    ("what nothing reads", |n| statements(n, |i| format!("param w{i} : [I] = 0\n  h{i} = w{i}"))),
];
