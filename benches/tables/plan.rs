//! What is measured, and what it should reach.

/// A cell of the tables: its name there, its recipe with {I} and {H}, and the file it is in, if that is not the library.
pub struct Cell {
    pub name: &'static str,
    recipe: &'static str,
    pub file: Option<&'static str>,
}

impl Cell {
    pub fn recipe(&self, inputs: u32, units: u32) -> String {
        self.recipe.replace("{I}", &inputs.to_string()).replace("{H}", &units.to_string())
    }
}

const fn cell(name: &'static str, recipe: &'static str) -> Cell {
    Cell { name, recipe, file: None }
}

/// The first is what streams of the others are compared with.
pub const CELLS: [Cell; 8] = [
    cell("LSTM", "LSTM({I}, {H})"),
    cell("GRU", "GRU({I}, {H})"),
    cell("GRU, reset after", "GRU({I}, {H}, reset = after)"),
    cell("CIFG", "CIFG({I}, {H})"),
    cell("PeepholeLSTM", "PeepholeLSTM({I}, {H})"),
    cell("MultLSTM", "MultLSTM({I}, {H})"),
    cell("LayerNormLSTM", "LayerNormLSTM({I}, {H})"),
    Cell { name: "made up", recipe: "Estuary({I}, {H})", file: Some("benches/made_up.rnn") },
];

/// Sizes, and the share of the peak that is the goal, in percent.
pub struct Shape {
    pub steps: u32,
    pub batch: u32,
    pub inputs: u32,
    pub units: u32,
    pub train: f64,
    pub infer: f64,
}

impl Shape {
    /// As the table and the file of the peers' results name it.
    pub fn name(&self) -> String {
        format!("{},{},{},{}", self.steps, self.batch, self.inputs, self.units)
    }

    pub fn goal(&self, mode: Mode) -> f64 {
        if mode == Mode::Train { self.train } else { self.infer }
    }
}

const fn shape(steps: u32, batch: u32, inputs: u32, units: u32, train: f64, infer: f64) -> Shape {
    Shape { steps, batch, inputs, units, train, infer }
}

pub const SHAPES: [Shape; 6] = [
    shape(100, 32, 256, 256, 93.0, 95.0),
    shape(100, 1, 128, 128, 68.0, 62.0),
    shape(1000, 1, 64, 64, 65.0, 56.0),
    shape(35, 20, 650, 650, 93.0, 95.0),
    shape(512, 16, 64, 64, 82.0, 80.0),
    shape(100, 64, 512, 512, 95.0, 94.0),
];

/// Times as fast as one thread, at the first shape.
pub const TWO_THREADS: f64 = 1.85;

/// Units of a stream, and the nanoseconds a step of an LSTM should take with as many inputs, and with one.
pub const STREAMS: [(u32, f64, f64); 6] = [
    (8, 42.0, 40.0),
    (16, 72.0, 60.0),
    (32, 205.0, 125.0),
    (64, 1100.0, 560.0),
    (128, 4600.0, 2350.0),
    (256, 21000.0, 10000.0),
];
/// Times as long for each flop as the LSTM's stream, at most.
pub const PER_FLOP: f64 = 1.1;

/// Over trees and grids: what, recipe, steps (leaves, or points of a side), batch, and the milliseconds that are the
/// goals forward and with backward: a quarter of those of the fastest peer known.
pub struct Domain {
    pub name: &'static str,
    pub words: &'static str,
    pub recipe: &'static str,
    pub shape: &'static str,
    pub steps: u32,
    pub batch: u32,
    pub infer: f64,
    pub train: f64,
}

pub const DOMAINS: [Domain; 2] = [
    Domain {
        name: "tree",
        words: "binary Tree-LSTM, 32 trees of 20 leaves, I = H = 128",
        recipe: "NaryTreeLSTM(128, 128, K = 2)",
        shape: "20,32,128,128",
        steps: 20,
        batch: 32,
        infer: 6.1 / 4.0,
        train: 22.7 / 4.0,
    },
    Domain {
        name: "grid",
        words: "two-dimensional LSTM, 28 × 28, batch 32, I = 4, H = 32",
        recipe: "MDLSTM(4, 32, D = 2)",
        shape: "28,32,4,32",
        steps: 28,
        batch: 32,
        infer: 26.9 / 4.0,
        train: 88.6 / 4.0,
    },
];

/// Milliseconds from text to machine code, with gradients.
pub const COMPILE_CELL: f64 = 20.0;
pub const COMPILE_MODEL: f64 = 100.0;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Train,
    Infer,
    Stream,
}

impl Mode {
    pub fn word(self) -> &'static str {
        match self {
            Mode::Train => "train",
            Mode::Infer => "infer",
            Mode::Stream => "stream",
        }
    }
}

/// One measurement.
pub struct Run {
    pub cell: &'static str,
    pub recipe: String,
    pub file: Option<&'static str>,
    pub shape: String,
    pub steps: u32,
    pub batch: u32,
    pub mode: Mode,
    pub threads: u32,
}

/// Everything, what takes longest first, so that the rest can share what time is left.
pub fn runs() -> Vec<Run> {
    let mut all = Vec::new();
    let mut order: Vec<&Shape> = SHAPES.iter().collect();
    order.sort_by_key(|s| std::cmp::Reverse(s.steps * s.batch * s.units * (s.inputs + s.units)));
    for shape in order {
        for mode in [Mode::Train, Mode::Infer] {
            for threads in [1, 2] {
                all.extend(CELLS.iter().map(|cell| Run {
                    cell: cell.name,
                    recipe: cell.recipe(shape.inputs, shape.units),
                    file: cell.file,
                    shape: shape.name(),
                    steps: shape.steps,
                    batch: shape.batch,
                    mode,
                    threads,
                }));
            }
        }
    }
    for domain in &DOMAINS {
        for mode in [Mode::Infer, Mode::Train] {
            for threads in [1, 2] {
                let (steps, batch) = (domain.steps, domain.batch);
                let (recipe, shape) = (domain.recipe.to_string(), domain.shape.to_string());
                all.push(Run { cell: domain.name, recipe, file: None, shape, steps, batch, mode, threads });
            }
        }
    }
    for (units, _, _) in STREAMS {
        for inputs in [units, 1] {
            all.extend(CELLS.iter().map(|cell| Run {
                cell: cell.name,
                recipe: cell.recipe(inputs, units),
                file: cell.file,
                shape: format!("1,1,{inputs},{units}"),
                steps: 100,
                batch: 1,
                mode: Mode::Stream,
                threads: 1,
            }));
        }
    }
    all
}
