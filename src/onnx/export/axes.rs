//! How long things are: extents of axes, lengths of examples, masks, positions; and operands brought to one layout.

use super::writer::{Elem, Name, Val};
use super::{Exporter, Place};
use crate::eqn::{DomainId, DomainKind, Extent, SourceKind};
use crate::onnx::proto::element;

impl Exporter<'_> {
    /// The number of points along an axis, as a list of one number.
    pub(super) fn extent(&mut self, axis: DomainId) -> Name {
        if let DomainKind::Chain { fixed: Some(n) } = self.graph.domains[axis.index()].kind {
            return self.writer.list(&[i64::from(n)]);
        }
        if let Some(place) = self.measured(|axes| axes.iter().position(|a| *a == axis)) {
            return self.shape_of(&place);
        }
        let DomainKind::Derived(extent) = self.graph.domains[axis.index()].kind.clone() else {
            return self.writer.list(&[1]);
        };
        match self.options.lengths {
            true => {
                let lengths = self.length(axis);
                self.writer.emit("ReduceMax", &[&lengths], vec![super::writer::int("keepdims", 1)])
            }
            false => {
                let points = self.formula(&extent, Exporter::extent);
                let zero = self.writer.list(&[0]);
                self.writer.emit("Max", &[&points, &zero], Vec::new())
            }
        }
    }

    /// The number of examples, as a list of one number.
    pub(super) fn examples(&mut self) -> Name {
        match self.measured(|axes| Some(axes.len())) {
            Some(place) => self.shape_of(&place),
            None => self.writer.list(&[1]),
        }
    }

    /// An input of the model with an extent: what must be given before what has a default.
    fn measured(&self, place: impl Fn(&[DomainId]) -> Option<usize>) -> Option<Place> {
        let of = |is_state: bool| {
            self.inputs.iter().find_map(|(id, name)| {
                let source = &self.graph.sources[id.index()];
                let fits = matches!(source.kind, SourceKind::Initial { .. }) == is_state;
                let at = place(&self.graph.axes_of(source.level)).filter(|_| fits)?;
                Some(Place { name: name.clone(), at })
            })
        };
        of(false).or_else(|| of(true))
    }

    fn shape_of(&mut self, place: &Place) -> Name {
        let (start, end) = (place.at as i64, place.at as i64 + 1);
        let attributes = vec![super::writer::int("start", start), super::writer::int("end", end)];
        self.writer.emit("Shape", &[&place.name], attributes)
    }

    /// A sum of products of what `of` says of axes.
    pub(super) fn formula(&mut self, extent: &Extent, of: fn(&mut Self, DomainId) -> Name) -> Name {
        let mut sum: Option<Name> = None;
        for (k, axes) in &extent.0 {
            let mut term = self.writer.list(&[*k]);
            for axis in axes {
                let factor = of(self, *axis);
                term = self.writer.emit("Mul", &[&term, &factor], Vec::new());
            }
            sum = Some(match sum {
                Some(sum) => self.writer.emit("Add", &[&sum, &term], Vec::new()),
                None => term,
            });
        }
        sum.unwrap_or_else(|| self.writer.list(&[0]))
    }

    /// Whether examples differ in how long they are along an axis.
    pub(super) fn is_ragged(&self, axis: DomainId) -> bool {
        let fixed = matches!(self.graph.domains[axis.index()].kind, DomainKind::Chain { fixed: Some(_) });
        self.options.lengths && !fixed
    }

    /// Each example's length, or one number for all.
    pub(super) fn length(&mut self, axis: DomainId) -> Name {
        if !self.is_ragged(axis) {
            return self.extent(axis);
        }
        if let Some(given) = self.lengths.get(&axis).cloned() {
            let most = self.extent(axis);
            let examples = self.examples();
            let all = self.writer.emit("Min", &[&given, &most], Vec::new());
            return self.writer.emit("Expand", &[&all, &examples], Vec::new());
        }
        let DomainKind::Derived(extent) = self.graph.domains[axis.index()].kind.clone() else {
            return self.extent(axis);
        };
        let length = self.formula(&extent, Exporter::length);
        let zero = self.writer.list(&[0]);
        let length = self.writer.emit("Max", &[&length, &zero], Vec::new());
        let examples = self.examples();
        self.writer.emit("Expand", &[&length, &examples], Vec::new())
    }

    /// 0, 1, … for each point.
    pub(super) fn steps(&mut self, axis: DomainId) -> Name {
        let end = self.extent(axis);
        let end = self.writer.squeeze(&end, &[0]);
        let (start, step) = (self.writer.long(0), self.writer.long(1));
        self.writer.emit("Range", &[&start, &end, &step], Vec::new())
    }

    /// 1, 2, … for each point.
    pub(super) fn positions(&mut self, axis: DomainId) -> Val {
        let steps = self.steps(axis);
        let one = self.writer.long(1);
        let name = self.writer.emit("Add", &[&steps, &one], Vec::new());
        Val { name, axes: vec![axis], batch: false, rank: 0, ty: Elem::Id }
    }

    /// The lengths as a value: per example, or one for all.
    pub(super) fn length_value(&mut self, axis: DomainId) -> Val {
        let name = self.length(axis);
        let batch = self.is_ragged(axis);
        let name = if batch { name } else { self.writer.squeeze(&name, &[0]) };
        Val { name, axes: Vec::new(), batch, rank: 0, ty: Elem::Id }
    }

    /// Which points along an axis exist; nothing where all do.
    pub(super) fn mask(&mut self, axis: DomainId) -> Option<Val> {
        if !self.is_ragged(axis) {
            return None;
        }
        let (positions, length) = (self.positions(axis), self.length_value(axis));
        Some(self.pairwise("LessOrEqual", &positions, &length, Elem::Bool))
    }

    /// An elementwise operation of two values.
    pub(super) fn pairwise(&mut self, op: &str, a: &Val, b: &Val, ty: Elem) -> Val {
        self.elementwise(op, &[a, b], ty, None)
    }

    /// An elementwise operation whose operands are brought to one layout.
    pub(super) fn elementwise(&mut self, op: &str, args: &[&Val], ty: Elem, hint: Option<&str>) -> Val {
        let (axes, batch, rank) = joined(args);
        let names: Vec<Name> = args.iter().map(|v| self.aligned(v, &axes, batch, rank)).collect();
        let names: Vec<&Name> = names.iter().collect();
        let name = self.writer.emit_as(op, &names, Vec::new(), hint);
        Val { name, axes, batch, rank, ty }
    }

    /// Extents of 1 put in, so that a value can be broadcast against others of this layout.
    pub(super) fn aligned(&mut self, v: &Val, axes: &[DomainId], batch: bool, rank: usize) -> Name {
        let mut has: Vec<bool> = axes.iter().map(|a| v.place(*a).is_some()).collect();
        has.extend(batch.then_some(v.batch));
        has.extend((0..rank).map(|_| v.rank > 0));
        let Some(first) = has.iter().position(|h| *h) else { return v.name.clone() };
        let missing: Vec<i64> = (first..has.len()).filter(|i| !has[*i]).map(|i| (i - first) as i64).collect();
        match missing.is_empty() {
            true => v.name.clone(),
            false => self.writer.unsqueeze(&v.name, &missing),
        }
    }

    /// A value with all these extents in full. `own`: those of one value, where the value may still be a scalar.
    pub(super) fn expanded(&mut self, v: &Val, axes: &[DomainId], batch: bool, own: &[i64]) -> Val {
        let is_full = v.axes == axes && v.batch == batch && v.rank == own.len();
        if is_full {
            return v.clone();
        }
        let aligned = self.aligned(v, axes, batch, own.len());
        let mut parts: Vec<Name> = axes.iter().map(|a| self.extent(*a)).collect();
        if batch {
            parts.push(self.examples());
        }
        if !own.is_empty() {
            // What is there already keeps its extents.
            let own: Vec<i64> = if v.rank > 0 { vec![1; own.len()] } else { own.to_vec() };
            parts.push(self.writer.list(&own));
        }
        let name = match parts.as_slice() {
            [] => aligned,
            [one] => self.writer.emit("Expand", &[&aligned, one], Vec::new()),
            many => {
                let many: Vec<&Name> = many.iter().collect();
                let shape = self.writer.emit("Concat", &many, vec![super::writer::int("axis", 0)]);
                self.writer.emit("Expand", &[&aligned, &shape], Vec::new())
            }
        };
        Val { name, axes: axes.to_vec(), batch, rank: own.len(), ty: v.ty }
    }

    /// `fill` at points that no example has.
    pub(super) fn masked(&mut self, v: Val, axes: &[DomainId], fill: f64) -> Val {
        let mut v = v;
        for axis in axes {
            let Some(mask) = self.mask(*axis) else { continue };
            let mask = self.writer.read(mask);
            let fill = self.filler(fill, v.ty);
            let ty = v.ty;
            v = self.elementwise("Where", &[&mask, &v, &fill], ty, None);
        }
        v
    }

    pub(super) fn filler(&mut self, value: f64, ty: Elem) -> Val {
        let name = match ty {
            Elem::Real => self.writer.real(value),
            Elem::Id => self.writer.long(value as i64),
            Elem::Bool => {
                let one = self.writer.long(value as i64);
                self.writer.cast(&one, element::BOOL)
            }
        };
        Val { name, axes: Vec::new(), batch: false, rank: 0, ty }
    }

    /// With its axes in ascending order again.
    pub(super) fn sorted(&mut self, v: Val) -> Val {
        let mut order: Vec<usize> = (0..v.axes.len()).collect();
        order.sort_by_key(|i| v.axes[*i]);
        if order.iter().enumerate().all(|(i, k)| i == *k) {
            return v;
        }
        let axes = order.iter().map(|i| v.axes[*i]).collect();
        let rest = v.axes.len()..v.lead() + v.rank;
        let perm = order.into_iter().chain(rest).map(|i| i as i64).collect();
        let name = self.writer.emit("Transpose", &[&v.name], vec![super::writer::ints("perm", perm)]);
        Val { name, axes, ..v }
    }
}

/// The layout that has the extents of all.
pub(super) fn joined(args: &[&Val]) -> (Vec<DomainId>, bool, usize) {
    let mut axes: Vec<DomainId> = args.iter().flat_map(|v| v.axes.iter().copied()).collect();
    axes.sort();
    axes.dedup();
    let batch = args.iter().any(|v| v.batch);
    (axes, batch, args.iter().map(|v| v.rank).max().unwrap_or(0))
}
