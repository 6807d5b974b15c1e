//! The order of a body's operations.
//!
//! A processor looks ahead, but not far: where a body has several long chains one after another (a gate is some twenty
//! operations that each wait for the one before) it sees one or two of them. So operations are put into the order in which
//! a processor without limits would begin them, those first that most has to wait for (list scheduling; Graham 1966).

use super::body::{Body, Op, Pair, Single, V};

/// Operations begun in a cycle.
const WIDTH: usize = 2;

/// Cycles until the result is there: of Zen 4, and about right for others.
fn latency(op: Op) -> usize {
    match op {
        Op::Uniform(_) | Op::Given(_) | Op::Store(..) | Op::Set(..) | Op::Put(..) => 0,
        Op::Running(_) | Op::Become(..) => 0,
        Op::Half(8 | 4, _) => 4,
        Op::Accumulate(..) => 3,
        Op::Load(_) | Op::Broadcast(_) | Op::Counter(_) => 7,
        Op::Index(_) => 8,
        Op::Fma(..) | Op::Compare(..) => 4,
        Op::Pair(Pair::Div, ..) => 12,
        Op::Single(Single::Sqrt, _) => 20,
        Op::Pair(Pair::Add | Pair::Sub | Pair::Mul, ..) | Op::Single(Single::Floor | Single::FromInt, _) => 3,
        Op::Single(..) | Op::Pair(..) | Op::Choose(..) | Op::Keep(..) | Op::Half(..) => 1,
        Op::Both(..) | Op::Either(..) | Op::Not(_) => 1,
    }
}

impl Body {
    /// The same operations in the order in which they had best begin. What touches memory keeps its order where that
    /// matters: nothing passes a store. Of a running result a body makes the next one once, from what it read of it.
    pub fn in_order(&self) -> Body {
        let used = self.is_used();
        let count = self.ops.len();
        let is_read = |op: Op| matches!(op, Op::Load(_) | Op::Broadcast(_));
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); count];
        let (mut reads, mut last_store): (Vec<usize>, Option<usize>) = (Vec::new(), None);
        for (i, op) in self.ops.iter().enumerate().filter(|(i, _)| used[*i]) {
            before[i].extend(op.operands().map(V::index));
            if is_read(*op) {
                before[i].extend(last_store);
                reads.push(i);
            } else if op.is_effect() && !op.is_running_effect() {
                before[i].extend(reads.drain(..).chain(last_store));
                last_store = Some(i);
            }
        }
        // How long the operations that wait for one take, itself included.
        let mut height: Vec<usize> = self.ops.iter().map(|op| latency(*op)).collect();
        for i in (0..count).rev() {
            for b in &before[i] {
                height[*b] = height[*b].max(latency(self.ops[*b]) + height[i]);
            }
        }
        let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
        let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (i, before) in before.iter().enumerate() {
            before.iter().for_each(|b| behind[*b].push(i));
        }
        let mut from = vec![0; count];
        let mut ready: Vec<usize> = (0..count).filter(|i| used[*i] && waiting[*i] == 0).collect();
        let mut places = vec![V(0); count];
        let mut out = Body::default();
        let (mut cycle, mut begun) = (0, 0);
        while !ready.is_empty() {
            let next = (0..ready.len())
                .filter(|r| from[ready[*r]] <= cycle)
                .max_by_key(|r| (height[ready[*r]], std::cmp::Reverse(ready[*r])));
            let Some(next) = next.filter(|_| begun < WIDTH) else {
                (cycle, begun) = (cycle + 1, 0);
                continue;
            };
            let i = ready.swap_remove(next);
            let op = self.ops[i];
            begun += usize::from(!matches!(op, Op::Uniform(_) | Op::Given(_)));
            places[i] = out.push(op.with_operands(|v| places[v.index()]));
            for b in &behind[i] {
                from[*b] = from[*b].max(cycle + latency(op));
                waiting[*b] -= 1;
                if waiting[*b] == 0 {
                    ready.push(*b);
                }
            }
        }
        out
    }
}
