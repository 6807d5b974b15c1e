//! Updates of all parameters, shared out to threads.
//!
//! In: gradients and parameters. Out: the norm of all gradients as one vector; changed parameters. A parameter is one
//! thread's, with a workspace for its shape; its sums and its update are the same whoever computes them, so results do
//! not depend on the number of threads.

use super::optimiser::{Rule, Updater};
use crate::diag::Fallible;
use crate::runtime::Team;
use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

/// Multiplications that the update of an element takes as much time as.
const WORK: f64 = 30.0;

/// Sums that are added up side by side: as many as hide the time of an addition.
const SIDE_BY_SIDE: usize = 4;

/// One parameter and what it takes to change it.
pub struct Update<'a> {
    pub gradient: Cow<'a, [f32]>,
    pub values: &'a mut [f32],
    pub states: &'a mut Vec<Vec<f32>>,
    /// Projection afterwards.
    pub within: Option<(f32, f32)>,
}

/// Which thread changes which parameter.
pub struct Updates {
    team: Arc<Team>,
    /// How many threads are worth while.
    count: usize,
    /// Of each thread: its parameters by number, those with most elements first.
    lots: Vec<Vec<usize>>,
    /// Of each thread: an updater for each rule that its parameters need.
    updaters: Vec<Mutex<Vec<Option<Updater>>>>,
    /// Of each parameter.
    rules: Vec<usize>,
}

impl Updates {
    /// `params`: of each its elements, and which of the rules is its.
    pub fn new(team: &Arc<Team>, rules: &[Rule], params: &[(usize, usize)]) -> Fallible<Updates> {
        let all: usize = params.iter().map(|(elements, _)| elements).sum();
        let count = team.threads_for(all as f64 * WORK).min(params.len().max(1));
        let mut order: Vec<usize> = (0..params.len()).collect();
        order.sort_by_key(|p| std::cmp::Reverse(params[*p].0));
        let mut lots = vec![Vec::new(); count];
        let mut loads = vec![0; count];
        for p in order {
            let least = (0..count).min_by_key(|lot| loads[*lot]).unwrap_or(0);
            loads[least] += params[p].0;
            lots[least].push(p);
        }
        let mut updaters = Vec::new();
        for lot in &lots {
            let needed = |rule: usize| lot.iter().any(|p| params[*p].1 == rule);
            let own = |(i, rule): (usize, &Rule)| needed(i).then(|| rule.updater()).transpose();
            updaters.push(Mutex::new(rules.iter().enumerate().map(own).collect::<Fallible<Vec<_>>>()?));
        }
        let rules = params.iter().map(|(_, rule)| *rule).collect();
        Ok(Updates { team: team.clone(), count, lots, updaters, rules })
    }

    /// Does something for each lot, on as many threads.
    fn share_out(&self, work: impl Fn(usize) + Sync) {
        let work = |member: crate::runtime::threads::Member| {
            // If there are fewer threads than lots, some have several.
            (member.index..self.count).step_by(member.count).for_each(&work);
        };
        self.team.run(self.count, work, &work);
    }

    /// The norm of all gradients as one vector.
    pub fn norm(&self, gradients: &[&[f32]]) -> f64 {
        let squares = Mutex::new(vec![0.0; gradients.len()]);
        self.share_out(|lot| {
            for some in self.lots[lot].chunks(SIDE_BY_SIDE) {
                let mut of = [&[][..]; SIDE_BY_SIDE];
                some.iter().zip(&mut of).for_each(|(p, of)| *of = gradients[*p]);
                let sums = sums_of_squares(of);
                let mut squares = squares.lock().unwrap_or_else(PoisonError::into_inner);
                some.iter().zip(sums).for_each(|(p, sum)| squares[*p] = sum);
            }
        });
        squares.into_inner().unwrap_or_else(PoisonError::into_inner).iter().sum::<f64>().sqrt()
    }

    /// Changes all parameters, by their gradients times `scale`. `step` counts from 0; before the first step there are no
    /// states.
    pub fn apply(&self, step: u64, scale: f32, updates: Vec<Update>) -> Fallible<()> {
        let updates: Vec<Mutex<Update>> = updates.into_iter().map(Mutex::new).collect();
        let failed = Mutex::new(None);
        self.share_out(|lot| {
            let mut updaters = self.updaters[lot].lock().unwrap_or_else(PoisonError::into_inner);
            for p in &self.lots[lot] {
                let Some(updater) = &mut updaters[self.rules[*p]] else { continue };
                let mut update = updates[*p].lock().unwrap_or_else(PoisonError::into_inner);
                if let Err(errors) = one(updater, step, scale, &mut update) {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(errors);
                }
            }
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

fn one(updater: &mut Updater, step: u64, scale: f32, update: &mut Update) -> Fallible<()> {
    updater.apply(step, scale, &update.gradient, update.values, update.states)?;
    if let Some((lo, hi)) = update.within {
        update.values.iter_mut().for_each(|x| *x = x.max(lo).min(hi));
    }
    Ok(())
}

/// Each by itself from its first element to its last, all at once.
fn sums_of_squares(of: [&[f32]; SIDE_BY_SIDE]) -> [f64; SIDE_BY_SIDE] {
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    let common = of.iter().map(|x| x.len()).min().unwrap_or(0);
    let heads = of.map(|x| &x[..common]);
    let mut sums = [0.0; SIDE_BY_SIDE];
    for i in 0..common {
        for (sum, head) in sums.iter_mut().zip(&heads) {
            *sum += square(&head[i]);
        }
    }
    for (sum, all) in sums.iter_mut().zip(of) {
        all[common..].iter().for_each(|x| *sum += square(x));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_side_by_side_are_those_one_by_one() {
        let all: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.7).sin()).collect();
        let of = [&all[..900], &all[5..700], &all[..0], &all[3..10]];
        let alone = |x: &[f32]| x.iter().fold(0.0, |sum, x| sum + f64::from(*x) * f64::from(*x));
        assert_eq!(sums_of_squares(of).map(f64::to_bits), of.map(alone).map(f64::to_bits));
        let of = [&all[..900], &all[..900], &all[1..901], &all[2..902]];
        assert_eq!(sums_of_squares(of).map(f64::to_bits), of.map(alone).map(f64::to_bits));
    }
}
