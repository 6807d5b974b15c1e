//! One evaluation: arrays in, arrays out, along the tables of a layout.

use super::layout::Layout;
use super::number::Number;
use super::order::Step;
use super::watch::{Here, Watch};
use super::{Arrays, Evaluator, MAX_MEMORY};
use crate::eqn::{Graph, Level, NodeId, Op, SourceId, SourceKind, Ty};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;

pub(super) struct Run<'a, N> {
    pub plan: &'a Evaluator<'a>,
    pub graph: &'a Graph,
    pub layout: &'a Layout,
    arrays: &'a Arrays,
    /// Of each node, all rows.
    pub values: Vec<Vec<N>>,
    memory: usize,
}

impl<'a, N: Number> Run<'a, N> {
    pub fn new(plan: &'a Evaluator<'a>, layout: &'a Layout, arrays: &'a Arrays) -> Self {
        let values = vec![Vec::new(); plan.graph.nodes.len()];
        Run { plan, graph: plan.graph, layout, arrays, values, memory: 0 }
    }

    pub fn outputs(mut self, watch: &mut impl Watch<N>) -> Result<BTreeMap<String, ArrayD<N>>, String> {
        for (k, (step, done)) in self.plan.steps.iter().zip(&self.plan.done).enumerate() {
            self.step(k, step, watch)?;
            for id in done {
                self.memory -= std::mem::take(&mut self.values[id.index()]).len();
            }
        }
        let mut out = BTreeMap::new();
        for o in &self.graph.outputs {
            let shape = self.array_shape(self.graph.level(o.node), self.plan.shape(o.node));
            let values = self.values[o.node.index()].clone();
            let array = ArrayD::from_shape_vec(IxDyn(&shape), values).map_err(|e| e.to_string())?;
            out.insert(o.name.to_string(), array);
        }
        Ok(out)
    }

    fn array_shape(&self, level: Level, element: &[usize]) -> Vec<usize> {
        let mut shape = self.layout.extents(level).to_vec();
        shape.extend(element);
        shape
    }

    fn step(&mut self, k: usize, step: &Step, watch: &mut impl Watch<N>) -> Result<(), String> {
        for id in step.nodes() {
            self.allocate(id)?;
        }
        let layout = self.layout;
        match step {
            Step::Node(id) if self.plan.streamed[id.index()] => Ok(()),
            Step::Node(id) => match self.graph.node(*id).op {
                Op::Source(source) => {
                    self.load(*id, source)?;
                    self.seen(*id, watch);
                    Ok(())
                }
                _ => self.rows(*id, layout.present(self.graph.level(*id)), watch),
            },
            Step::Recurrence(_) => {
                for (id, row) in layout.order(k) {
                    self.rows(*id, std::slice::from_ref(row), watch)?;
                }
                Ok(())
            }
        }
    }

    fn allocate(&mut self, id: NodeId) -> Result<(), String> {
        if self.plan.streamed[id.index()] {
            return Ok(());
        }
        let elements = self.layout.rows(self.graph.level(id)).saturating_mul(self.plan.elements(id));
        self.memory = self.memory.saturating_add(elements);
        if self.memory > MAX_MEMORY {
            return Err("the evaluation would not fit into memory".into());
        }
        self.values[id.index()] = vec![N::given(0.0); elements];
        Ok(())
    }

    /// Computes rows of a node.
    fn rows(&mut self, id: NodeId, rows: &[u32], watch: &mut impl Watch<N>) -> Result<(), String> {
        let elements = self.plan.elements(id);
        let mut all = std::mem::take(&mut self.values[id.index()]);
        let result = rows.iter().try_for_each(|row| {
            let row = *row as usize;
            self.row(id, row, &mut all)?;
            watch.computed(&Here { run: self, id, row }, &mut all[row * elements..][..elements]);
            Ok(())
        });
        self.values[id.index()] = all;
        result
    }

    /// Shows the rows of a source that is loaded.
    fn seen(&mut self, id: NodeId, watch: &mut impl Watch<N>) {
        let elements = self.plan.elements(id);
        let mut all = std::mem::take(&mut self.values[id.index()]);
        for row in self.layout.present(self.graph.level(id)) {
            let row = *row as usize;
            watch.computed(&Here { run: self, id, row }, &mut all[row * elements..][..elements]);
        }
        self.values[id.index()] = all;
    }

    /// Fills a source's value from the given array, or with its default.
    fn load(&mut self, id: NodeId, source: SourceId) -> Result<(), String> {
        let source = &self.graph.sources[source.index()];
        let name = &source.name;
        let elements = self.plan.elements(id);
        let present = self.layout.present(source.level);
        let Some(array) = self.arrays.get(&**name) else {
            let default = match source.kind {
                SourceKind::Initial { default, .. } => default,
                SourceKind::Cotangent => {
                    let is_loss = **name == *"loss_adj" && source.level == Level::Example;
                    (is_loss && source.shape.is_empty()) as u8 as f64
                }
                _ => return Err(format!("the array `{name}` is missing")),
            };
            for row in present {
                self.values[id.index()][*row as usize * elements..][..elements].fill(N::given(default));
            }
            return Ok(());
        };
        let want = self.array_shape(source.level, self.plan.shape(id));
        // Points along each axis and examples, if there are any.
        let outer = self.layout.extents(source.level);
        let axes = outer.len().saturating_sub(1);
        // More points than the longest example has are padding.
        let fits = array.ndim() == want.len()
            && array.shape().iter().zip(&want).enumerate().all(
                |(i, (a, w))| {
                    if i < axes { a >= w } else { a == w }
                },
            );
        if !fits {
            return Err(format!("the array `{name}` has shape {:?}, but {want:?} is needed", array.shape()));
        }
        let given = array.as_standard_layout();
        let given = given.as_slice().unwrap_or(&[]);
        let is_same = array.shape() == want;
        let values = &mut self.values[id.index()];
        for row in present {
            let row = *row as usize;
            // The array may have more points along each axis than the value.
            let from = if is_same { row } else { ravel(&unravel(row, outer), array.shape()) };
            let given = &given[from * elements..][..elements];
            if source.ty != Ty::Real {
                for v in given {
                    check_value(&source.ty, *v).map_err(|e| {
                        let mut at = unravel(row, outer);
                        let example = at.pop().unwrap_or(0);
                        let at: Vec<String> = at.iter().map(|x| (x + 1).to_string()).collect();
                        format!("`{name}`, example {example}, position {}: {e}", at.join(", "))
                    })?;
                }
            }
            let to = &mut values[row * elements..][..elements];
            to.iter_mut().zip(given).for_each(|(to, v)| *to = N::given(*v));
        }
        Ok(())
    }
}

/// The indices of a row.
pub(super) fn unravel(mut row: usize, extents: &[usize]) -> Vec<usize> {
    let mut at = vec![0; extents.len()];
    for (x, n) in at.iter_mut().zip(extents).rev() {
        *x = row % n;
        row /= n;
    }
    at
}

/// The row of indices among extents that may be greater.
fn ravel(at: &[usize], extents: &[usize]) -> usize {
    at.iter().zip(extents).fold(0, |row, (x, n)| row * n + x)
}

fn check_value(ty: &Ty, v: f64) -> Result<(), String> {
    match ty {
        Ty::Real => Ok(()),
        Ty::Bool if v == 0.0 || v == 1.0 => Ok(()),
        Ty::Bool => Err(format!("{v} is neither 0 nor 1")),
        Ty::Id(k) => {
            let k = k.as_constant().unwrap_or(0);
            match v >= 0.0 && v < k as f64 && v.fract() == 0.0 {
                true => Ok(()),
                false => Err(format!("{v} is no symbol from 0 to {}", k - 1)),
            }
        }
    }
}
