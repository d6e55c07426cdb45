//! What the stages cost, as a process tells of itself while it works.
#![expect(clippy::disallowed_methods, reason = "notes when something was told")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ports::stages::Stage;

/// When a transaction was committed, and how long that took.
pub(super) type Commit = (Instant, Duration);

/// What a process told of its work.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) commits: Vec<Commit>,
    spent: Vec<(Instant, Spent)>,
}

/// Everything since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spent {
    records: u64,
    /// Nanoseconds, in the order of [`Stage::ALL`].
    stages: Vec<u64>,
}

impl Told {
    pub(super) fn committed(&mut self, took: Duration, spent: &str) {
        self.commits.push((Instant::now(), took));
        self.spent(spent);
    }

    /// In the words of [`crate::runtime::stages::Stages::told`].
    pub(super) fn spent(&mut self, spent: &str) {
        self.spent.extend(Spent::read(spent).map(|spent| (Instant::now(), spent)));
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.commits.append(&mut other.commits);
        self.spent.append(&mut other.spent);
        self.spent.sort_by_key(|(at, _)| *at);
    }

    /// Nanoseconds a record, of what was told in that time.
    pub(super) fn between(&self, from: Instant, to: Instant) -> BTreeMap<&'static str, f64> {
        let until = |at: Instant| self.spent.partition_point(|(told, _)| *told <= at);
        // A short run is over before it has told of it.
        let last = until(to).saturating_sub(1).max(until(from));
        let last = self
            .spent
            .get(last)
            .or_else(|| self.spent.last())
            .map(|(_, spent)| spent.clone())
            .unwrap_or_default();
        let first = until(from).checked_sub(1).and_then(|first| self.spent.get(first));
        let first = first.map(|(_, spent)| spent.clone()).filter(|first| first.records < last.records);
        last.since(&first.unwrap_or_default())
    }
}

impl Spent {
    fn read(text: &str) -> Option<Self> {
        let mut spent = Self::default();
        let mut words = text.split(' ').filter_map(|word| word.split_once('='));
        let ("records", records) = words.next()? else { return None };
        spent.records = records.parse().ok()?;
        for stage in Stage::ALL {
            let (name, ns) = words.next()?;
            if name != stage.name() {
                return None;
            }
            spent.stages.push(ns.parse().ok()?);
        }
        Some(spent)
    }

    #[expect(clippy::cast_precision_loss, reason = "nanoseconds and records, as a rate for people")]
    fn since(&self, before: &Self) -> BTreeMap<&'static str, f64> {
        let records = self.records.saturating_sub(before.records).max(1) as f64;
        let before = before.stages.iter().copied().chain(std::iter::repeat(0));
        let spent = self.stages.iter().zip(before).map(|(now, before)| now.saturating_sub(before) as f64);
        Stage::ALL.iter().map(|stage| stage.name()).zip(spent.map(|ns| ns / records)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::stages::Stages;

    #[test]
    fn what_a_process_tells_is_understood() {
        let spent = Spent::read(&Stages::default().told()).unwrap();
        assert_eq!(spent, Spent { records: 0, stages: vec![0; Stage::ALL.len()] });
        assert_eq!(Spent::read("records=1 fetch=2"), None);
    }

    #[track_caller]
    fn check(from: u64, to: u64, expected: &[f64]) {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let spent = |records, ns| Spent { records, stages: vec![ns; Stage::ALL.len()] };
        let told = Told {
            commits: Vec::new(),
            spent: vec![(at(10), spent(10, 100)), (at(20), spent(20, 300)), (at(30), spent(30, 600))],
        };
        let found = told.between(at(from), at(to));
        let fetch: Vec<_> = found.get("fetch").copied().into_iter().collect();
        assert!(
            fetch.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
            "{fetch:?}, expected {expected:?}"
        );
        assert_eq!(fetch.len(), expected.len());
    }

    #[test]
    fn of_a_window_is_what_was_told_in_it() {
        check(10, 30, &[25.0]);
        check(15, 25, &[20.0]);
        // Nothing before, or nothing yet.
        check(0, 20, &[15.0]);
        check(0, 5, &[10.0]);
        check(31, 40, &[20.0]);
    }
}
