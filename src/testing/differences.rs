//! Central differences of a function of named arrays, and what they say of a gradient.
//!
//! The slope along a direction is `(4 D(h/2) − D(h)) / 3`, where `D` is the central difference in f64: its error is of
//! order h⁴, and rounding adds about 1e-13 / h.
//!
//! Which directions. Of an array of few elements each element; of a greater one some elements, spread evenly, and some
//! random directions through *all* of them. No weight of a direction is near 0, so one wrong element changes the slope
//! along each, by at least half its own error over √n for n elements; and several wrong ones cancel only where a sum
//! with random weights happens to vanish, along every direction at once. So an array costs the same few evaluations
//! whatever its size, and none of its elements goes unseen. Where a direction disagrees all elements are compared, to
//! name the one that is wrong.
//!
//! Rounding. The function is a sum of terms that a computation of some tens of operations gives, each rounded: it is off by
//! some tens of units in the last place of the sum of their magnitudes, and a slope by that over the step. What is off by
//! less says nothing of the gradient.
//!
//! Kinks. Where the function is smooth, D(h) and D(h/2) agree to order h². Where a slope is off by no more than the two
//! differ, a kink lies within the step. A slope that is off by more is measured with ever shorter steps: where no two
//! of them, one after another, measure alike, or only the longer ones do, the function has waves shorter than these, and no slope that
//! can be measured; else theirs is the slope. A wrong adjoint is off by much more than those two differ, so it is never taken for a kink.

use super::draws;
pub use super::errors::Wrong;
use crate::diag::Fallible;
use crate::eqn::eval::{Arrays, Batch};
use crate::eqn::{Graph, Ty};

/// Greatest relative error of a slope.
const TOLERANCE: f64 = 1e-6;
/// Errors are relative to the slope, but at least to this share of the array's greatest component.
const SHARE: f64 = 1e-2;
const STEP: f64 = 2e-3;
/// Roundings, one after another, that a term of the function has behind it.
const ROUNDINGS: f64 = 64.0;

/// How many slopes of one array are measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Arrays of at most so many elements are compared element by element.
    few: usize,
    /// Of greater ones so many directions, and so many elements.
    directions: usize,
    sample: usize,
}

impl Effort {
    pub const THOROUGH: Effort = Effort { few: 6, directions: 2, sample: 4 };
    /// One direction through all elements of each array: for many graphs at few points.
    pub const QUICK: Effort = Effort { few: 1, directions: 1, sample: 0 };
}

/// An array with a gradient, and its elements that count: not what is padding.
pub struct Place {
    pub array: String,
    pub elements: Vec<usize>,
}

pub enum Comparison {
    NotFinite,
    Kink,
    Agree { worst: f64 },
    Differ(Box<Wrong>),
}

/// The change of some elements of one array.
type Direction = Vec<(usize, f64)>;

/// The gradients of `objective`, named `NAME_adj`, at the given arrays.
pub fn compare(
    gradients: &Arrays,
    arrays: &Arrays,
    places: &[Place],
    seed: u64,
    effort: Effort,
    objective: &mut dyn FnMut(&Arrays) -> Fallible<Weighted>,
) -> Fallible<Comparison> {
    let mut subject = Subject { gradients, arrays: arrays.clone(), objective };
    let mut worst = 0.0f64;
    for place in places {
        for direction in directions(place, seed, effort) {
            match subject.slope(&place.array, &direction)? {
                Slope::NotFinite => return Ok(Comparison::NotFinite),
                Slope::Kink => return Ok(Comparison::Kink),
                Slope::Agrees(error) => worst = worst.max(error),
                Slope::Differs(wrong) => return subject.wrong(place, wrong),
            }
        }
    }
    Ok(Comparison::Agree { worst })
}

fn directions(place: &Place, seed: u64, effort: Effort) -> Vec<Direction> {
    let elements = &place.elements;
    if elements.len() <= effort.few {
        return elements.iter().map(|e| vec![(*e, 1.0)]).collect();
    }
    let mut all: Vec<Direction> = Vec::new();
    for k in 0..effort.directions {
        // Not near 0, of either sign, of length 1 in all.
        let name = format!("{} along {k}", place.array);
        let weight = |i: usize| {
            let unit = 2.0 * draws::unit(seed, &name, i) - 1.0;
            unit.signum() * (1.0 + unit.abs()) / 2.0
        };
        let weights: Vec<f64> = (0..elements.len()).map(weight).collect();
        let length = weights.iter().map(|w| w * w).sum::<f64>().sqrt();
        all.push(elements.iter().zip(weights).map(|(e, w)| (*e, w / length)).collect());
    }
    if effort.sample == 0 {
        return all;
    }
    let stride = (elements.len() / effort.sample).max(1);
    let first = (draws::unit(seed, &place.array, 0) * stride as f64) as usize;
    all.extend(elements.iter().skip(first).step_by(stride).take(effort.sample).map(|e| vec![(*e, 1.0)]));
    all
}

/// Every source that has a gradient, with its true elements. `joint` is `forward` with its adjoint.
pub fn places(forward: &Graph, joint: &Graph, batch: &Batch) -> Vec<Place> {
    let mut places = Vec::new();
    for source in &forward.sources {
        let name = source.name.to_string();
        let (Some(array), true) = (batch.arrays.get(&name), source.ty == Ty::Real) else { continue };
        if joint.find_output(&format!("{name}_adj")).is_none() {
            continue;
        }
        let axes = forward.axes_of(source.level);
        let is_inside = |flat: &usize| {
            let index = unravel(*flat, array.shape());
            let example = index.get(axes.len()).copied().unwrap_or(0);
            axes.iter().zip(&index).all(|(axis, x)| {
                let extent = &*forward.domains[axis.index()].extent;
                let nodes = batch.trees.get(extent).and_then(|all| Some(all.get(example)?.nodes()));
                let length = batch.lengths.get(extent).and_then(|all| all.get(example).copied());
                nodes.or(length).is_none_or(|n| *x < n)
            })
        };
        let elements: Vec<usize> = (0..array.len()).filter(is_inside).collect();
        if !elements.is_empty() {
            places.push(Place { array: name, elements });
        }
    }
    places
}

/// A sum, and that of the magnitudes of its terms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weighted {
    pub sum: f64,
    pub mass: f64,
}

/// The sum of all real outputs, each element times its cotangent.
pub fn weighted(outputs: &Arrays, given: &Arrays) -> Weighted {
    let mut all = Weighted::default();
    for (name, output) in outputs {
        if let Some(cotangent) = given.get(&format!("{name}_adj")) {
            for term in output.iter().zip(cotangent).map(|(o, c)| o * c) {
                all.sum += term;
                all.mass += term.abs();
            }
        }
    }
    all
}

enum Slope {
    NotFinite,
    Kink,
    /// With this relative error.
    Agrees(f64),
    Differs(Wrong),
}

struct Subject<'s> {
    gradients: &'s Arrays,
    arrays: Arrays,
    objective: &'s mut dyn FnMut(&Arrays) -> Fallible<Weighted>,
}

impl Subject<'_> {
    fn slope(&mut self, name: &str, direction: &Direction) -> Fallible<Slope> {
        let (Some(gradient), Some(array)) =
            (self.gradients.get(&format!("{name}_adj")), self.arrays.get(name))
        else {
            return Ok(Slope::Agrees(0.0));
        };
        let shape = gradient.shape();
        let gradient: Vec<f64> = gradient.iter().copied().collect();
        let all: Vec<f64> = array.iter().copied().collect();
        let old: Vec<f64> = direction.iter().map(|(e, _)| all[*e]).collect();
        let size = (old.iter().map(|x| x * x).sum::<f64>() / old.len() as f64).sqrt();
        let h = STEP * size.max(0.5);
        let (coarse, _) = self.difference(name, direction, &old, h)?;
        let (fine, mass) = self.difference(name, direction, &old, h / 2.0)?;
        self.set(name, direction, &old, 0.0);
        let measured = (4.0 * fine - coarse) / 3.0;
        let rounding = rounding(mass, h / 2.0);
        if !measured.is_finite() {
            return Ok(Slope::NotFinite);
        }
        let derived: f64 = direction.iter().map(|(e, w)| w * gradient[*e]).sum();
        let greatest = gradient.iter().fold(0.0f64, |m, g| m.max(g.abs()));
        let scale = derived.abs().max(measured.abs()).max(SHARE * greatest).max(1e-5);
        let error = (derived - measured).abs();
        let relative = error / scale;
        if relative <= TOLERANCE {
            return Ok(Slope::Agrees(relative));
        }
        if error <= rounding {
            return Ok(Slope::Agrees(0.0));
        }
        if error < 2.0 * (coarse - fine).abs() {
            return Ok(Slope::Kink);
        }
        // A slope that no other step confirms is none: a jump within a step, or waves shorter than one.
        let mut before = measured;
        let mut confirmed: Option<(f64, f64)> = None;
        for shorter in [2.0, 32.0, 1024.0] {
            let (coarse, _) = self.difference(name, direction, &old, h / shorter)?;
            let (fine, mass) = self.difference(name, direction, &old, h / (2.0 * shorter))?;
            self.set(name, direction, &old, 0.0);
            let rounding = 8.0 * self::rounding(mass, h / (2.0 * shorter));
            let again = (4.0 * fine - coarse) / 3.0;
            let apart = (again - before).abs();
            let bound = 10.0 * apart + rounding;
            if apart.is_nan() || apart > again.abs().max(before.abs()) / 100.0 + rounding {
                // What longer steps agreed on was a mean over waves.
                confirmed = None;
            } else if confirmed.is_none_or(|(_, other)| bound < other) {
                confirmed = Some((again, bound));
            }
            before = again;
        }
        match confirmed {
            Some((slope, bound)) if (slope - derived).abs() > bound => {}
            _ => return Ok(Slope::Kink),
        }
        let index = match direction.as_slice() {
            [(element, _)] => Some(unravel(*element, shape)),
            _ => None,
        };
        Ok(Slope::Differs(Wrong { array: name.into(), index, derived, measured, relative }))
    }

    /// The central difference, and the magnitudes that the objective is a sum of.
    fn difference(&mut self, name: &str, direction: &Direction, old: &[f64], h: f64) -> Fallible<(f64, f64)> {
        self.set(name, direction, old, h);
        let above = (self.objective)(&self.arrays)?;
        self.set(name, direction, old, -h);
        let below = (self.objective)(&self.arrays)?;
        let mass = above.mass.max(below.mass);
        Ok(((above.sum - below.sum) / (2.0 * h), mass))
    }

    fn set(&mut self, name: &str, direction: &Direction, old: &[f64], h: f64) {
        let Some(array) = self.arrays.get_mut(name).and_then(|a| a.as_slice_mut()) else { return };
        for ((element, weight), old) in direction.iter().zip(old) {
            array[*element] = old + h * weight;
        }
    }

    /// The element of an array that is off most, if one by itself is.
    fn wrong(&mut self, place: &Place, along: Wrong) -> Fallible<Comparison> {
        let mut worst = along;
        for element in &place.elements {
            if let Slope::Differs(wrong) = self.slope(&place.array, &vec![(*element, 1.0)])?
                && (worst.index.is_none() || wrong.relative > worst.relative)
            {
                worst = wrong;
            }
        }
        Ok(Comparison::Differ(Box::new(worst)))
    }
}

/// How far off rounding may make a central difference.
fn rounding(mass: f64, h: f64) -> f64 {
    ROUNDINGS * f64::EPSILON * mass / h
}

/// The indices of an element, row-major.
pub fn unravel(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = Vec::with_capacity(shape.len());
    for extent in shape.iter().rev() {
        index.push(flat % (*extent).max(1));
        flat /= (*extent).max(1);
    }
    index.reverse();
    index
}
