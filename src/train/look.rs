//! One value of a trained model on one example, with what its axes stand for.
//!
//! In: a graph without open dimensions, the name of a value in it, data, an example. Out: the value as an array, one axis
//! for each axis of its domain and then for each of its own extents, and a label for each place: the symbols of
//! the example where the axis is that of a sequence of ids, or follows from one (`pad`, `append`, `reverse`).

use super::batches::{self, Chosen};
use super::data::{Dataset, Field, Values};
use super::errors;
use super::fit::Feed;
use super::model::Compile;
use crate::diag::{Diagnostic, Fallible};
use crate::eqn::tree::Tree;
use crate::eqn::{AxisMap, DomainId, Graph, Level, NodeId, Op};
use crate::runtime::Workspace;
use std::collections::BTreeMap;

/// The label of a place that stands for no symbol of the example.
const NOTHING: &str = "∅";

/// A value, row-major over its axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub name: String,
    pub axes: Vec<Axis>,
    pub values: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The name of the domain's extent; `component` for one of the value's own.
    pub name: String,
    pub is_own: bool,
    pub labels: Vec<String>,
    /// Of the nodes of a tree: what is drawn before each label so that the rows are an outline of it. Otherwise empty.
    pub stems: Vec<String>,
    /// Whose nodes the places are.
    pub tree: Option<Tree>,
}

impl Axis {
    /// Labels as they are drawn.
    pub fn drawn(&self) -> Vec<String> {
        let stems = self.stems.iter().map(String::as_str).chain(std::iter::repeat(""));
        self.labels.iter().zip(stems).map(|(label, stem)| format!("{stem}{label}")).collect()
    }
}

/// A program of one value.
pub struct Look {
    graph: Graph,
    name: String,
    workspace: Workspace,
}

impl Look {
    /// `wanted` is the name of an output or of any value of the equations (`dec.α`), or the end of such a name, if there
    /// is but one.
    pub fn new(graph: &Graph, wanted: &str, compile: &Compile) -> Fallible<Look> {
        let (name, node) = find(graph, wanted).map_err(|d| vec![d])?;
        let mut graph = graph.clone();
        graph.outputs.clear();
        graph.output(name.clone(), node);
        let workspace = Workspace::new(&compile(&graph)?)?;
        Ok(Look { graph, name, workspace })
    }

    /// For the parameters.
    pub fn workspace(&mut self) -> &mut Workspace {
        &mut self.workspace
    }

    pub fn at(&mut self, data: &Dataset, feeds: &[Feed], example: usize) -> Fallible<Seen> {
        let w = &mut self.workspace;
        batches::feed(data, feeds, w, None, Chosen::Examples(&[example]))?;
        if batches::is_example_input(w, "start") {
            w.set_input("start", &[1.0])?;
        }
        w.run()?;
        let values = w.output(&self.name)?;
        let shape = w.output_shape(&self.name)?;
        let node = self.graph.outputs.first().map(|o| o.node);
        let level = node.map_or(Level::Shared, |n| self.graph.level(n));
        let domain = self.graph.axes_of(level);
        // The array has the axes of the domain, then the example (here there is one), then the value's own extents.
        let (outer, own) = shape.split_at(domain.len().min(shape.len()));
        let own = if level == Level::Shared { own } else { own.get(1..).unwrap_or(&[]) };
        let labels = Labels { graph: &self.graph, data, feeds, example };
        let mut axes: Vec<Axis> = Vec::new();
        for (axis, length) in domain.iter().zip(outer) {
            let name = self.graph.domains[axis.index()].extent.to_string();
            let stems = labels.tree(*axis).and_then(outline).unwrap_or_default();
            let tree = labels.tree(*axis).cloned();
            axes.push(Axis { name, is_own: false, labels: labels.of(*axis, *length), stems, tree });
        }
        for extent in own {
            axes.push(Axis {
                name: "component".into(),
                is_own: true,
                labels: numbers(*extent),
                stems: vec![],
                tree: None,
            });
        }
        Ok(Seen { name: self.name.clone(), axes, values })
    }
}

fn numbers(count: usize) -> Vec<String> {
    (1..=count).map(|k| k.to_string()).collect()
}

fn find(graph: &Graph, wanted: &str) -> Result<(String, NodeId), Diagnostic> {
    if let Some(node) = graph.find_output(wanted) {
        return Ok((wanted.to_string(), node));
    }
    let mut named: BTreeMap<&str, NodeId> = BTreeMap::new();
    for id in graph.node_ids() {
        if let Some(name) = &graph.node(id).name {
            named.insert(name, id);
        }
    }
    if let Some(id) = named.get(wanted) {
        return Ok((wanted.to_string(), *id));
    }
    let ends = |name: &str| name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('.'));
    let found: Vec<(&str, NodeId)> = named.iter().filter(|(n, _)| ends(n)).map(|(n, id)| (*n, *id)).collect();
    match found.as_slice() {
        [(name, id)] => Ok((name.to_string(), *id)),
        [] => Err(errors::no_such_value(wanted, &named.keys().copied().collect::<Vec<_>>())),
        many => {
            let names: Vec<&str> = many.iter().map(|(n, _)| *n).collect();
            Err(errors::many_such_values(wanted, &names))
        }
    }
}

/// What stands at the places of an example's axes.
struct Labels<'a> {
    graph: &'a Graph,
    data: &'a Dataset,
    feeds: &'a [Feed],
    example: usize,
}

impl Labels<'_> {
    fn of(&self, axis: DomainId, length: usize) -> Vec<String> {
        if let Some(symbols) = self.symbols(axis) {
            return symbols;
        }
        let mut labels: Vec<Option<String>> = vec![None; length];
        for map in self.maps_to(axis) {
            let Some(symbols) = self.symbols(map.from) else { continue };
            let start = map.start.value(|d| self.length(d));
            for (place, label) in labels.iter_mut().enumerate() {
                let from = start + i64::from(map.step) * (place as i64 + 1);
                let symbol = usize::try_from(from - 1).ok().and_then(|i| symbols.get(i));
                *label = label.take().or_else(|| symbol.cloned());
            }
        }
        match labels.iter().all(Option::is_none) {
            true => numbers(length),
            false => labels.into_iter().map(|l| l.unwrap_or_else(|| NOTHING.into())).collect(),
        }
    }

    /// Where values of this axis are taken from others.
    fn maps_to(&self, axis: DomainId) -> impl Iterator<Item = &AxisMap> {
        let maps = self.graph.nodes.iter().filter_map(|n| match &n.op {
            Op::Remap { maps, .. } => Some(maps),
            _ => None,
        });
        maps.flatten().filter(move |m| m.to == axis && m.from != axis)
    }

    /// The data that have this axis, and which of theirs it is.
    fn fields(&self, axis: DomainId) -> impl Iterator<Item = (&Field, usize)> {
        let extent = self.graph.domains.get(axis.index()).map(|d| &*d.extent);
        self.feeds.iter().filter_map(move |feed| {
            let at = feed.extents.iter().position(|e| Some(e.as_str()) == extent)?;
            Some((self.data.fields.get(feed.field)?, at))
        })
    }

    /// The symbols of the ids along this axis alone.
    fn symbols(&self, axis: DomainId) -> Option<Vec<String>> {
        self.fields(axis).filter(|(field, _)| field.over().axes() == 1).find_map(|(field, _)| {
            let Values::Id { ids, symbols } = &field.values else { return None };
            let row = ids.get(field.range(self.example))?;
            Some(row.iter().map(|id| shown(symbols.get(*id as usize).map_or("", String::as_str))).collect())
        })
    }

    /// The example's tree, if its nodes are this axis.
    fn tree(&self, axis: DomainId) -> Option<&Tree> {
        self.fields(axis).find_map(|(field, _)| field.trees()?.get(self.example))
    }

    fn length(&self, axis: DomainId) -> usize {
        self.fields(axis).map(|(field, at)| field.length(at, self.example)).next().unwrap_or(0)
    }
}

/// An outline of a tree from its leaves down to its root, if each node stands right behind its last child's last row and
/// the first child's rows begin where its own do. Blanks are such that no picture takes them away.
pub fn outline(tree: &Tree) -> Option<Vec<String>> {
    let nodes = tree.nodes();
    let mut stems = vec![String::new(); nodes];
    // Where the rows of each node's part of the tree begin.
    let mut first: Vec<usize> = (0..nodes).collect();
    for node in 0..nodes {
        let mut next = node;
        for child in tree.children(node).iter().rev() {
            let child = *child as usize;
            if child + 1 != next {
                return None;
            }
            next = *first.get(child)?;
        }
        first[node] = next;
    }
    // Parents stand behind their children, so a stem is complete when its node's children need it.
    let mut before = vec![String::new(); nodes];
    for node in (0..nodes).rev() {
        for (k, child) in tree.children(node).iter().enumerate() {
            let child = *child as usize;
            let (corner, line) =
                if k == 0 { ("┌\u{a0}", "\u{a0}\u{a0}") } else { ("├\u{a0}", "│\u{a0}") };
            stems[child] = format!("{}{corner}", before[node]);
            before[child] = format!("{}{line}", before[node]);
        }
    }
    Some(stems)
}

/// A symbol as it can be read: the end mark is empty, blanks and line ends are not seen.
pub fn shown(symbol: &str) -> String {
    match symbol {
        "" => "end".into(),
        " " => "␣".into(),
        other => other.escape_debug().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_has_a_line_from_each_first_child_to_its_parent() {
        // ((a b) c): a, b, ab, c, root.
        let tree = Tree::new([&[][..], &[], &[0, 1], &[], &[2, 3]]).expect("a tree");
        let drawn: Vec<String> =
            outline(&tree).expect("in order").iter().map(|s| s.replace('\u{a0}', " ")).collect();
        assert_eq!(drawn, ["  ┌ ", "  ├ ", "┌ ", "├ ", ""]);
        let tree = Tree::new([&[][..], &[], &[], &[1, 2], &[0, 3]]).expect("a tree");
        let drawn: Vec<String> =
            outline(&tree).expect("in order").iter().map(|s| s.replace('\u{a0}', " ")).collect();
        assert_eq!(drawn, ["┌ ", "│ ┌ ", "│ ├ ", "├ ", ""]);
        // All leaves first: rows of one part do not lie together.
        let tree = Tree::new([&[][..], &[], &[], &[0, 1], &[2], &[3, 4]]).expect("a tree");
        assert_eq!(outline(&tree), None);
    }
}
