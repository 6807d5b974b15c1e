//! States: the value whose memory a state is, and its boundary values.

use super::{Lowering, Res, errors};
use crate::eqn::{self, Binary, Level};
use crate::schedule::value::{Op, Val};
use std::collections::BTreeMap;

impl Lowering<'_> {
    pub(super) fn states(&mut self) -> Res<()> {
        let mut owners: BTreeMap<Val, Vec<Val>> = BTreeMap::new();
        for (i, state) in self.graph.states.iter().enumerate() {
            if self.flow.states[i].collected {
                self.collected_state(i)?;
            }
            if self.flow.states[i].before == 0 && self.flow.states[i].after == 0 {
                continue;
            }
            let def = match state.def {
                Some(def) => self.lowered(def)?,
                None => return Err(errors::malformed("a state without equation", state.span)),
            };
            let mut init = Vec::new();
            for n in &state.init {
                let v = self.lowered(*n)?;
                let v = self.as_numbers(v)?;
                if self.flow.level(v) > Level::Example || self.flow.get(v).shape != self.flow.get(def).shape {
                    return Err(errors::malformed("an initial value does not fit its state", state.span));
                }
                init.push(v);
            }
            if init.is_empty() {
                return Err(errors::malformed("a state without initial value", state.span));
            }
            let owns = self.flow.level(def) == Level::Over(state.domain)
                && !self.flow.op(def).is_view()
                && !self.flow.op(def).is_immediate()
                && !self.flow.get(def).is_id
                && owners.get(&def).is_none_or(|other| *other == init);
            let mut base = def;
            let after = self.flow.states[i].after;
            if init.iter().any(|v| *v != init[0]) && after > 1 && !self.flow.is_full(state.domain) {
                base = self.with_boundary(def, state.domain, &init, after)?;
            } else if !owns {
                let shape = self.shape(def);
                base = self.push_at(Op::Copy(def), shape, Level::Over(state.domain))?;
            }
            self.flow.values[base.index()].name =
                self.flow.get(base).name.clone().or_else(|| Some(state.name.clone()));
            owners.insert(base, init.clone());
            self.flow.states[i].base = base;
            self.flow.states[i].init = init;
        }
        // States without readers: any base will do, none is looked at.
        Ok(())
    }

    /// The state with its boundary values behind each example's end written out, for boundaries that differ
    /// by distance: masks know one value only.
    pub(super) fn with_boundary(
        &mut self,
        def: Val,
        domain: eqn::DomainId,
        init: &[Val],
        after: u32,
    ) -> Res<Val> {
        let position = self.push_at(Op::Position(domain), Vec::new(), Level::Over(domain))?;
        let length = self.push_at(Op::Length(domain), Vec::new(), Level::Example)?;
        let shape = self.shape(def);
        let mut value = init[init.len() - 1];
        for k in (0..after.min(init.len() as u32)).rev() {
            let inner = if k == 0 { def } else { init[k as usize - 1] };
            let distance = self.push(Op::Const(f64::from(k)), Vec::new())?;
            let end = self.binary(Binary::Add, length, distance)?;
            let inside = self.binary(Binary::Le, position, end)?;
            value = self.push_at(Op::Select(inside, inner, value), shape.clone(), Level::Over(domain))?;
        }
        Ok(value)
    }
}
