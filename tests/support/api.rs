//! Made-up arrays for what a compiled recipe takes.

use ndarray::{ArrayD, IxDyn};
use rnnc::api::{Arrays, Compiled, Elements, Port};

/// A number for an element of an array, always the same.
pub fn number(name: &str, i: usize) -> f64 {
    let seed = name.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    let mixed = (i as u32 ^ seed).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    f64::from((mixed >> 8) as f32 / (1 << 24) as f32 - 0.5)
}

pub fn shape(port: &Port, steps: usize, batch: usize) -> Vec<usize> {
    let mut shape = vec![steps; port.axes.len()];
    shape.extend(port.per_example.then_some(batch));
    shape.extend(port.extents().expect("numbers for extents"));
    shape
}

/// Of single precision, so that 32 and 64 bits begin with the same numbers.
pub fn reals(name: &str, shape: &[usize], scale: f32) -> ArrayD<f32> {
    let mut i = 0;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        i += 1;
        number(name, i) as f32 * scale
    })
}

/// Every input, parameter and initial state.
pub fn everything(cell: &Compiled, steps: usize, batch: usize) -> Arrays<'static> {
    shaken(cell, steps, batch, 1.0)
}

/// The same, every other number times a factor.
pub fn shaken(cell: &Compiled, steps: usize, batch: usize, factor: f32) -> Arrays<'static> {
    let mut arrays = Arrays::new();
    let ports = [cell.inputs(), cell.params(), cell.initial()].concat();
    for port in &ports {
        let shape = shape(port, steps, batch);
        match &port.elements {
            Elements::Id(k) => {
                let k: f64 = k.parse().expect("a number of symbols");
                let ids = reals(&port.name, &shape, 1.0).mapv(|x| ((f64::from(x) + 0.5) * k) as i64);
                arrays.set(&port.name, ids);
            }
            Elements::Bool => {
                arrays.set(&port.name, reals(&port.name, &shape, 1.0).mapv(|x| i64::from(x > 0.0)));
            }
            Elements::Real => {
                let mut values = reals(&port.name, &shape, if port.per_example { 2.0 } else { 0.9 });
                values.iter_mut().step_by(2).for_each(|x| *x *= factor);
                arrays.set(&port.name, values);
            }
        }
    }
    arrays
}

/// The same as [`everything`] in 64 bits, symbols and truth values too.
pub fn wide(cell: &Compiled, steps: usize, batch: usize) -> Arrays<'static> {
    let mut arrays = Arrays::new();
    for port in [cell.inputs(), cell.params(), cell.initial()].concat() {
        let values = reals(&port.name, &shape(&port, steps, batch), 1.0);
        let values = match &port.elements {
            Elements::Id(k) => {
                let k: f64 = k.parse().expect("a number of symbols");
                values.mapv(|x| ((f64::from(x) + 0.5) * k).floor())
            }
            Elements::Bool => values.mapv(|x| f64::from(u8::from(x > 0.0))),
            Elements::Real => values.mapv(|x| f64::from(x * if port.per_example { 2.0 } else { 0.9 })),
        };
        arrays.set(&port.name, values);
    }
    arrays
}

/// What arrives for every output of real numbers.
pub fn cotangents(cell: &Compiled, outputs: &rnnc::api::Outputs, salt: &str) -> Arrays<'static> {
    let mut arrays = Arrays::new();
    for port in cell.outputs().iter().filter(|p| p.elements == Elements::Real) {
        let name = format!("{}_adj", port.name);
        let values = reals(&format!("{name}{salt}"), outputs[&port.name].shape(), 2.0);
        arrays.set(name, values);
    }
    arrays
}

/// The greatest difference, as a share of the greatest value (at least 1).
pub fn difference(a: &ArrayD<f32>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let scale = b.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    a.iter().zip(b).fold(0.0f64, |m, (a, b)| m.max((f64::from(*a) - b).abs())) / scale
}
