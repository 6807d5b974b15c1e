//! Threads that work on one run together.
//!
//! In: how many. Out: a [`Team`], whose threads wait for work as long as it lives. Each [`Team::run`] does the same work on
//! some of them at once, the caller's own among them; each is told which [`Member`] it is, and [`Member::wait`] is a barrier
//! among them. Invariants: after the first run nothing is allocated; a thread that waits gives its core away soon; if one
//! member panics, the others end at their next barrier, and the caller panics in its stead.
//!
//! Not a pool of tasks: members wait for each other, so all of them must run at once, which a pool that other callers
//! share does not promise.
#![allow(unsafe_code)]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle, Thread};

/// The most threads of a team.
pub const MOST_THREADS: usize = 1024;

/// Multiplications (or as much other work) that are worth a further thread: some twenty microseconds.
const WORTH: f64 = 1e6;

/// Looks at a flag before a thread that waits lets others run: some ten microseconds.
const SPINS: usize = 1000;

/// Turns it lets others have before it sleeps.
const YIELDS: usize = 20;

/// Threads that runs are shared out to.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    /// One run at a time.
    turn: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
    /// Work of a run that a further thread is taken for.
    worth: f64,
    /// The process that the threads are in: one that was forked off it has none of them.
    process: u32,
}

#[derive(Debug)]
struct Shared {
    /// Of each thread but the caller's: what it is to do.
    calls: Vec<Call>,
    /// All threads, the caller's first.
    threads: Mutex<Vec<Thread>>,
    /// Threads of the present run that have not come to its end.
    busy: AtomicUsize,
    /// Members that have come to the barrier, and how often all have.
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// Threads that sleep until another one wakes them.
    asleep: AtomicUsize,
    /// A member has panicked.
    broken: AtomicBool,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

#[derive(Debug, Default)]
struct Call {
    there: AtomicBool,
    order: Mutex<Option<Order>>,
}

#[derive(Clone, Copy)]
enum Order {
    Work { work: Work, count: usize },
    End,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Order::Work { .. } => "Work",
            Order::End => "End",
        })
    }
}

/// What [`Team::run`] was asked to do. It is there until that returns.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(Member) + Sync));

// SAFETY: what it points to may be called from any thread (`Sync`).
unsafe impl Send for Work {}

/// Which of the threads of a run this is.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub index: usize,
    pub count: usize,
    shared: Option<&'a Shared>,
}

/// The panic of a member that gave up because another one had panicked.
struct GivenUp;

impl Team {
    /// A team of `threads` in all; fewer if the system has no more. Runs with little to do are left to fewer of them.
    pub fn new(threads: usize) -> Arc<Team> {
        Team::for_work(threads, WORTH)
    }

    /// A team whose threads all take part in every run, however little there is to do.
    pub fn eager(threads: usize) -> Arc<Team> {
        Team::for_work(threads, 0.0)
    }

    fn for_work(threads: usize, worth: f64) -> Arc<Team> {
        let others = threads.clamp(1, MOST_THREADS) - 1;
        let shared = Arc::new(Shared {
            calls: (0..others).map(|_| Call::default()).collect(),
            threads: Mutex::new(vec![thread::current()]),
            busy: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            asleep: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut workers = Vec::new();
        for index in 1..=others {
            let with = shared.clone();
            let spawned = thread::Builder::new().name("rnnc".into()).spawn(move || with.serve(index));
            let Ok(worker) = spawned else { break };
            lock(&shared.threads).push(worker.thread().clone());
            workers.push(worker);
        }
        Arc::new(Team { shared, turn: Mutex::new(()), workers, worth, process: process() })
    }

    /// A team of nobody but the caller.
    pub fn alone() -> Arc<Team> {
        Team::new(1)
    }

    pub fn size(&self) -> usize {
        1 + self.workers.len()
    }

    /// How many of the threads are worth while for so many multiplications.
    pub fn threads_for(&self, work: f64) -> usize {
        // Without any worth the quotient may be no number, which is greater than none.
        (work / self.worth).min(self.size() as f64).max(1.0) as usize
    }

    /// Whether the threads are in this process.
    fn is_here(&self) -> bool {
        self.process == process()
    }

    /// Does `first` on this thread and `others` on `count - 1` others at once; returns when all have. If the team is
    /// smaller, or at work for somebody else, there are fewer; in a process that was forked off, there is only this thread.
    ///
    /// All members must wait equally often.
    ///
    /// # Panics
    /// If a member does.
    pub fn run(&self, count: usize, first: impl FnOnce(Member), others: &(dyn Fn(Member) + Sync)) {
        let turn = match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let count = count.min(self.size());
        if count <= 1 || turn.is_none() || !self.is_here() {
            return first(Member::alone());
        }
        let shared = &*self.shared;
        if let Some(own) = lock(&shared.threads).first_mut() {
            *own = thread::current();
        }
        shared.busy.store(count - 1, Ordering::Relaxed);
        // SAFETY: only the lifetime is changed. The threads use it before they are no longer busy, and this function neither
        // returns nor unwinds before that.
        let work = Work(unsafe {
            std::mem::transmute::<*const (dyn Fn(Member) + Sync + '_), *const (dyn Fn(Member) + Sync)>(others)
        });
        for (call, worker) in shared.calls.iter().zip(&self.workers).take(count - 1) {
            *lock(&call.order) = Some(Order::Work { work, count });
            call.there.store(true, Ordering::Release);
            worker.thread().unpark();
        }
        shared.attempt(|| first(Member { index: 0, count, shared: Some(shared) }));
        shared.until(|| shared.busy.load(Ordering::SeqCst) == 0);
        if shared.broken.swap(false, Ordering::Relaxed) {
            shared.arrived.store(0, Ordering::Relaxed);
            let why = lock(&shared.panic).take();
            drop(turn);
            resume_unwind(why.unwrap_or_else(|| Box::new(GivenUp)));
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        if !self.is_here() {
            // Nobody is there to end, or to wait for.
            return std::mem::forget(std::mem::take(&mut self.workers));
        }
        for (call, worker) in self.shared.calls.iter().zip(&self.workers) {
            *lock(&call.order) = Some(Order::End);
            call.there.store(true, Ordering::Release);
            worker.thread().unpark();
        }
        for worker in self.workers.drain(..) {
            // A worker catches every panic, so it has ended by itself.
            let _ = worker.join();
        }
    }
}

impl Member<'_> {
    /// Of a run without other threads.
    pub fn alone() -> Member<'static> {
        Member { index: 0, count: 1, shared: None }
    }

    /// Returns when all members have come here; what they wrote before, all can read after.
    pub fn wait(&self) {
        let Some(shared) = self.shared else { return };
        let round = shared.round.load(Ordering::Relaxed);
        if shared.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.count {
            shared.arrived.store(0, Ordering::Relaxed);
            shared.round.store(round.wrapping_add(1), Ordering::SeqCst);
            shared.wake();
        } else {
            let broken = || shared.broken.load(Ordering::Relaxed);
            shared.until(|| shared.round.load(Ordering::SeqCst) != round || broken());
            if broken() {
                resume_unwind(Box::new(GivenUp));
            }
        }
    }

    /// This member's part of `0..count`, cut between multiples of `unit`.
    pub fn part(&self, count: usize, unit: usize) -> std::ops::Range<usize> {
        let units = count.div_ceil(unit);
        let cut = |i: usize| (units * i / self.count * unit).min(count);
        cut(self.index)..cut(self.index + 1)
    }
}

impl Shared {
    /// What a thread does all its life.
    fn serve(&self, index: usize) {
        let call = &self.calls[index - 1];
        loop {
            let called = || call.there.load(Ordering::Acquire);
            // Who calls wakes this thread, asleep or not.
            while !patiently(&called) {
                thread::park();
            }
            call.there.store(false, Ordering::Relaxed);
            let order = lock(&call.order).take();
            let Some(Order::Work { work, count }) = order else { return };
            // SAFETY: `Team::run` keeps it alive until this thread is no longer busy.
            self.attempt(|| unsafe { (*work.0)(Member { index, count, shared: Some(self) }) });
            if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.wake();
            }
        }
    }

    /// Keeps a panic for the caller of the run.
    fn attempt(&self, work: impl FnOnce()) {
        if let Err(why) = catch_unwind(AssertUnwindSafe(work)) {
            if !why.is::<GivenUp>() {
                lock(&self.panic).get_or_insert(why);
            }
            self.broken.store(true, Ordering::SeqCst);
            self.wake();
        }
    }

    /// Waits until another thread of the run makes it ready, and then calls [`Shared::wake`].
    fn until(&self, ready: impl Fn() -> bool) {
        if patiently(&ready) {
            return;
        }
        // Whoever makes it ready looks at `asleep` afterwards, so one of the two sees the other.
        self.asleep.fetch_add(1, Ordering::SeqCst);
        while !ready() {
            thread::park();
        }
        self.asleep.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake(&self) {
        if self.asleep.load(Ordering::SeqCst) > 0 {
            lock(&self.threads).iter().for_each(Thread::unpark);
        }
    }
}

fn process() -> u32 {
    if cfg!(miri) { 0 } else { std::process::id() }
}

/// Looks for a while, at first without a pause, then so that other threads get on.
fn patiently(ready: &impl Fn() -> bool) -> bool {
    for _ in 0..SPINS {
        if ready() {
            return true;
        }
        std::hint::spin_loop();
    }
    for _ in 0..YIELDS {
        if ready() {
            return true;
        }
        thread::yield_now();
    }
    ready()
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barriers_keep_members_in_step() {
        for threads in [1, 2, 3, 5] {
            let team = Team::new(threads);
            let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            let work = |member: Member| {
                for turn in 0..if cfg!(miri) { 5 } else { 200 } {
                    counts[member.index].fetch_add(1, Ordering::Relaxed);
                    member.wait();
                    let all = counts.iter().map(|c| c.load(Ordering::Relaxed));
                    assert!(all.take(member.count).all(|c| c == turn + 1));
                    member.wait();
                }
            };
            for _ in 0..if cfg!(miri) { 2 } else { 10 } {
                team.run(threads, work, &work);
                counts.iter().for_each(|c| c.store(0, Ordering::Relaxed));
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_team_whole() {
        let team = Team::new(3);
        for who in 0..3 {
            let work = |member: Member| {
                if member.index == who {
                    std::panic::resume_unwind(Box::new(who));
                }
                member.wait();
            };
            let why = catch_unwind(AssertUnwindSafe(|| team.run(3, work, &work))).unwrap_err();
            assert_eq!(why.downcast_ref::<usize>(), Some(&who));
            let all = AtomicUsize::new(0);
            let count = |_: Member| {
                all.fetch_add(1, Ordering::Relaxed);
            };
            team.run(3, count, &count);
            assert_eq!(all.into_inner(), 3);
        }
    }

    #[test]
    fn a_run_within_a_run_is_done_alone() {
        let team = Team::new(2);
        let inner = AtomicUsize::new(0);
        let count = |member: Member| {
            inner.fetch_add(member.count, Ordering::Relaxed);
        };
        team.run(2, |_| team.run(2, count, &count), &|_| team.run(2, count, &count));
        assert_eq!(inner.into_inner(), 2);
    }

    #[test]
    fn parts_cover_everything_once() {
        for (count, unit) in [(0, 1), (1, 1), (7, 2), (64, 16), (100, 64)] {
            for threads in 1..6 {
                let mut end = 0;
                for index in 0..threads {
                    let part = Member { index, count: threads, shared: None }.part(count, unit);
                    assert!(part.start == end && (part.start.is_multiple_of(unit) || part.start == count));
                    end = part.end;
                }
                assert_eq!(end, count);
            }
        }
    }
}
