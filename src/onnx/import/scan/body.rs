//! The body of a loop, and the cell that it becomes.

use super::super::{Equation, text};
use super::Carried;
use crate::weights::Array;
use std::collections::{BTreeMap, BTreeSet};

/// The body of a loop as it is read.
#[derive(Default)]
pub(in super::super) struct Body {
    /// What the model calls the node that is read.
    pub hint: String,
    pub equations: Vec<Equation>,
    /// Names that are taken in the cell.
    pub taken: text::Names,
    /// Those that the model's nodes read.
    pub own: BTreeSet<String>,
    /// Inputs of the cell: name, type, what the layer gives, and whether that has steps.
    pub inputs: Vec<(String, String, String, bool)>,
    /// Parameters by the constant that they are, with their type.
    pub params: BTreeMap<String, (String, String)>,
    pub weights: Vec<(String, Array)>,
}

impl Body {
    pub fn equation(&mut self, text: String) -> String {
        let name = self.taken.fresh(&self.hint);
        self.own.insert(name.clone());
        self.equations.push(Equation { name: name.clone(), text });
        name
    }

    /// Without equations that nothing reads, and without `h = h_2`: then `h_2` is called `h`.
    pub fn shorten(&mut self, carried: &[Carried], outs: &mut [String]) {
        for state in carried.iter() {
            let same = self.equations.iter().find(|e| e.name == state.name).map(|e| e.text.clone());
            let Some(same) = same.filter(|t| self.equations.iter().any(|e| e.name == *t)) else { continue };
            let is_instance = self.weights.iter().any(|(name, _)| name.split('.').next() == Some(&same));
            if is_instance || carried.iter().any(|s| s.name == same) {
                continue;
            }
            self.equations.retain(|e| e.name != state.name);
            for e in &mut self.equations {
                e.text = text::renamed(&e.text, &same, &state.name);
                if e.name == same {
                    e.name = state.name.clone();
                }
            }
            outs.iter_mut().filter(|o| **o == same).for_each(|o| o.clone_from(&state.name));
        }
        let mut read: BTreeSet<String> =
            outs.iter().cloned().chain(carried.iter().map(|s| s.name.clone())).collect();
        self.equations = text::reached(std::mem::take(&mut self.equations), &mut read);
        let read: BTreeSet<String> = self.equations.iter().flat_map(|e| text::words(&e.text)).collect();
        self.inputs.retain(|(name, ..)| read.contains(name));
        self.params.retain(|_, (name, _)| read.contains(name));
        let kept: BTreeSet<String> = self
            .params
            .values()
            .map(|(name, _)| name.clone())
            .chain(self.equations.iter().map(|e| e.name.clone()))
            .collect();
        self.weights.retain(|(name, _)| name.split('.').next().is_some_and(|own| kept.contains(own)));
    }

    pub fn text(&self, carried: &[Carried], outs: &[String]) -> String {
        let mut text = String::from("cell NAME {\n");
        for (name, ty, ..) in &self.inputs {
            text += &format!("  in {name} : {ty}\n");
        }
        text += &text::states(carried);
        for (name, ty) in self.params.values() {
            text += &format!("  param {name} : {ty} ~ normal(0.1)\n");
        }
        text += &text::begins(carried);
        text.push('\n');
        for e in &self.equations {
            text += &format!("  {} = {}\n", e.name, e.text);
        }
        let mut said = BTreeSet::new();
        for name in outs.iter().chain(carried.iter().map(|s| &s.name)) {
            if said.insert(name) {
                text += &format!("  out {name}\n");
            }
        }
        text + "}\n"
    }
}
