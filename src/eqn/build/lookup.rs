//! What a growing graph has under a name, without a walk through all of it.
//!
//! A graph only grows while it is built, so each index takes up what has come since it was last asked.

use super::builder::Builder;
use crate::eqn::{NodeId, Op, SourceId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Indices of sources, of the nodes that read them, of outputs and of extents, and how much of the graph is in them.
#[derive(Default)]
pub struct Lookup {
    sources: HashMap<Arc<str>, SourceId>,
    sources_seen: usize,
    readers: HashMap<SourceId, NodeId>,
    nodes_seen: usize,
    outputs: HashMap<Arc<str>, NodeId>,
    outputs_seen: usize,
    extents: HashSet<Arc<str>>,
    extents_seen: usize,
    /// How many primes the last name had that began so.
    primes: HashMap<String, usize>,
    /// The last number behind a path that was taken.
    numbers: HashMap<String, usize>,
}

impl Builder<'_> {
    pub fn source_named(&mut self, name: &str) -> Option<SourceId> {
        let known = &mut self.lookup;
        for (i, source) in self.graph.sources.iter().enumerate().skip(known.sources_seen) {
            known.sources.entry(source.name.clone()).or_insert(SourceId(i as u32));
        }
        known.sources_seen = self.graph.sources.len();
        known.sources.get(name).copied()
    }

    /// The first node that reads a source.
    pub fn reader_of(&mut self, source: SourceId) -> Option<NodeId> {
        let known = &mut self.lookup;
        for (i, node) in self.graph.nodes.iter().enumerate().skip(known.nodes_seen) {
            if let Op::Source(source) = node.op {
                known.readers.entry(source).or_insert(NodeId(i as u32));
            }
        }
        known.nodes_seen = self.graph.nodes.len();
        known.readers.get(&source).copied()
    }

    pub fn output_named(&mut self, name: &str) -> Option<NodeId> {
        let known = &mut self.lookup;
        for output in self.graph.outputs.iter().skip(known.outputs_seen) {
            known.outputs.entry(output.name.clone()).or_insert(output.node);
        }
        known.outputs_seen = self.graph.outputs.len();
        known.outputs.get(name).copied()
    }

    /// A name for an extent that neither an extent nor a dimension has: this one, or this one with primes.
    pub fn free_extent(&mut self, extent: &str) -> String {
        let known = &mut self.lookup;
        let extents = self.graph.domains.iter().skip(known.extents_seen).map(|d| d.extent.clone());
        known.extents.extend(extents);
        known.extents_seen = self.graph.domains.len();
        let primes = known.primes.entry(extent.to_string()).or_insert(0);
        loop {
            let own = format!("{extent}{}", "'".repeat(*primes));
            if !self.symbols.contains(own.as_str()) && !known.extents.contains(own.as_str()) {
                return own;
            }
            *primes += 1;
        }
    }

    /// A path no other instance has: this one, or this one with a number from 2.
    pub fn unique(&mut self, path: String) -> String {
        let number = self.lookup.numbers.entry(path.clone()).or_insert(1);
        loop {
            let own = if *number == 1 { path.clone() } else { format!("{path}{number}") };
            *number += 1;
            if self.instances.insert(own.clone()) {
                return own;
            }
        }
    }
}
