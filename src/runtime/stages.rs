//! The stopwatch of `ward bench`: what each stage costs a worker's threads, in time on a CPU.
//!
//! A thread's clock is asked of the kernel, and that costs as much as a stage of an event. So one record
//! in [`SAMPLED`] is timed and stands for the others, what asking costs is taken off every lap, and what
//! is done once a round or once a transaction is timed whole. Without a stopwatch nothing is asked.

use std::array;
use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

use crate::ports::stages::{Stage, Stopwatch};

/// What all threads of a process have spent.
#[derive(Clone, Debug, Default)]
pub struct Stages(Arc<Sums>);

#[derive(Debug, Default)]
struct Sums {
    /// Nanoseconds in laps that were all timed.
    whole: PerStage,
    /// In those of timed records.
    sampled: PerStage,
    records: AtomicU64,
    timed: AtomicU64,
}

#[derive(Debug)]
struct PerStage([AtomicU64; Stage::ALL.len()]);

impl Default for PerStage {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl PerStage {
    fn of(&self, stage: Stage) -> &AtomicU64 {
        let [first, ..] = &self.0;
        // A stage is its own place: there is one for each.
        self.0.get(stage as usize).unwrap_or(first)
    }
}

impl Stages {
    /// The stopwatch of the thread that calls this, or of the one that it is given to unused.
    #[must_use]
    pub fn hand(&self) -> Hand {
        Hand {
            stages: self.clone(),
            timing: Cell::new(Timing::Whole),
            until_timed: Cell::new(SAMPLED),
            at: Cell::new(0),
            asking: what_asking_costs(),
        }
    }

    /// How many records came, and the nanoseconds that each stage has taken: `records=… fetch=… …`.
    #[must_use]
    pub fn told(&self) -> String {
        let sums = &self.0;
        let (records, timed) = (sums.records.load(Ordering::Relaxed), sums.timed.load(Ordering::Relaxed));
        let mut text = format!("records={records}");
        for stage in Stage::ALL {
            let sampled = u128::from(sums.sampled.of(stage).load(Ordering::Relaxed));
            let sampled = sampled * u128::from(records) / u128::from(timed.max(1));
            let spent = sampled + u128::from(sums.whole.of(stage).load(Ordering::Relaxed));
            // A text takes everything.
            let _written = write!(text, " {}={spent}", stage.name());
        }
        text
    }
}

/// The stopwatch of one thread.
#[derive(Debug)]
pub struct Hand {
    stages: Stages,
    timing: Cell<Timing>,
    /// Records up to the next that is timed, with that one.
    until_timed: Cell<u32>,
    /// The last border, by the thread's clock.
    at: Cell<u64>,
    asking: u64,
}

/// What a lap is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timing {
    /// Of something that is always timed.
    Whole,
    /// Of the record that is timed.
    Record,
    /// Of a record that another stands for.
    Nothing,
}

impl Hand {
    /// From here on laps are those of records, until [`Self::end_records`].
    pub fn begin_records(&self) {
        self.timing.set(if self.until_timed.get() == 1 { Timing::Record } else { Timing::Nothing });
    }

    /// The record at hand is done with.
    pub fn end_record(&self) {
        let sums = &self.stages.0;
        sums.records.fetch_add(1, Ordering::Relaxed);
        if self.timing.get() == Timing::Record {
            self.lap(Stage::Dispatch);
            sums.timed.fetch_add(1, Ordering::Relaxed);
            self.until_timed.set(SAMPLED + 1);
        }
        self.until_timed.set(self.until_timed.get() - 1);
        self.begin_records();
        if self.timing.get() == Timing::Record {
            self.at.set(thread_ns());
        }
    }

    /// What comes now is timed whole. What went by since the last record belongs to none.
    pub fn end_records(&self) {
        self.timing.set(Timing::Whole);
        self.at.set(thread_ns());
    }
}

impl Stopwatch for Hand {
    fn lap(&self, stage: Stage) {
        let sums = match self.timing.get() {
            Timing::Nothing => return,
            Timing::Whole => &self.stages.0.whole,
            Timing::Record => &self.stages.0.sampled,
        };
        let now = thread_ns();
        let spent = now.saturating_sub(self.at.replace(now)).saturating_sub(self.asking);
        sums.of(stage).fetch_add(spent, Ordering::Relaxed);
    }
}

/// The least of many, which nobody has interrupted.
fn what_asking_costs() -> u64 {
    (0..ASKED).map(|_| thread_ns().abs_diff(thread_ns())).min().unwrap_or(0)
}

/// Nanoseconds that this thread has been on a CPU.
fn thread_ns() -> u64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(spent.tv_sec) * 1_000_000_000 + part(spent.tv_nsec)
}

const SAMPLED: u32 = 64;
const ASKED: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(stages: &Stages, stage: Stage) -> u128 {
        let told = stages.told();
        let start = format!("{}=", stage.name());
        told.split(' ').find_map(|one| one.strip_prefix(&start)).unwrap().parse().unwrap()
    }

    /// Keeps this thread on its CPU until its clock has moved.
    fn work() {
        let began = thread_ns();
        while thread_ns() < began + 100_000 {}
    }

    #[test]
    fn one_record_in_so_many_stands_for_the_others() {
        let stages = Stages::default();
        let hand = stages.hand();
        hand.end_records();
        hand.begin_records();
        for number in 1..=2 * SAMPLED {
            // Only where it is timed does it take any time, so nothing else can have been counted.
            if number.is_multiple_of(SAMPLED) {
                work();
            }
            hand.lap(Stage::Decode);
            hand.end_record();
        }
        hand.end_records();
        assert!(stages.told().starts_with("records=128 fetch=0 "), "{}", stages.told());
        assert!(spent(&stages, Stage::Decode) >= 128 * 90_000, "{}", stages.told());
        assert_eq!(spent(&stages, Stage::Step), 0);
    }

    #[test]
    fn what_is_between_records_is_timed_whole() {
        let stages = Stages::default();
        let hand = stages.hand();
        hand.end_records();
        hand.begin_records();
        hand.lap(Stage::Fetch);
        work();
        hand.end_records();
        work();
        hand.lap(Stage::Settle);
        assert_eq!(spent(&stages, Stage::Fetch), 0, "of no timed record");
        assert!(spent(&stages, Stage::Settle) >= 90_000, "{}", stages.told());
    }
}
