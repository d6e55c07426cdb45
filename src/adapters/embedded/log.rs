//! The log: input, outputs, committed offsets, owners.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::group::Group;
use super::open::Open;
use super::partition::{Cleanup, Partition, Stored};
use crate::model::time::Timestamp;
use crate::ports::ledger::{Committed, Output, Unit};

/// How much a partition keeps; the changelog is compacted instead.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub records: usize,
}

impl Default for Retention {
    /// A demo's worth: some hundred bytes a record.
    fn default() -> Self {
        Self { records: 50_000 }
    }
}

/// Shared by all who read and write it.
#[derive(Clone, Debug)]
pub struct Log {
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug)]
pub(super) struct Inside {
    pub(super) input: Vec<Partition>,
    pub(super) outputs: BTreeMap<Output, Vec<Partition>>,
    pub(super) committed: BTreeMap<i32, Committed>,
    pub(super) group: Group,
    /// The newest epoch of each transactional id.
    pub(super) epochs: BTreeMap<String, u64>,
    /// The transaction that each transactional id has left open.
    pub(super) open: BTreeMap<String, Open>,
    retention: Retention,
}

impl Log {
    #[must_use]
    pub fn new(partitions: u16, retention: Retention) -> Self {
        let empty = || vec![Partition::default(); usize::from(partitions.max(1))];
        let inside = Inside {
            input: empty(),
            outputs: Output::ALL.into_iter().map(|output| (output, empty())).collect(),
            committed: BTreeMap::new(),
            group: Group::new(i32::from(partitions.max(1))),
            epochs: BTreeMap::new(),
            open: BTreeMap::new(),
            retention,
        };
        Self { inside: Arc::new(Mutex::new(inside)) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inside> {
        // Every change is made whole under one lock, so a panic elsewhere leaves none half-made.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn partitions(&self) -> i32 {
        i32::try_from(self.lock().input.len()).unwrap_or(i32::MAX)
    }

    /// Appends an input record; the caller picks the partition, as a producer does. `None`: there is
    /// no such partition.
    pub fn append(
        &self,
        partition: i32,
        recorded_at: Option<Timestamp>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Option<i64> {
        let mut inside = self.lock();
        let keep = Cleanup::Keep(inside.retention.records);
        let record = Stored {
            offset: 0,
            recorded_at,
            key: key.map(Into::into),
            value: value.map(Into::into),
            mark: None,
        };
        Some(at_mut(&mut inside.input, partition)?.append(record, keep))
    }

    /// Committed records of an output from `offset` on, at most `limit`.
    #[must_use]
    pub fn read(&self, output: Output, partition: i32, offset: i64, limit: usize) -> Vec<Stored> {
        let inside = self.lock();
        let partition = inside.outputs.get(&output).and_then(|all| at(all, partition));
        partition.map(|found| found.from(offset).take(limit).cloned().collect()).unwrap_or_default()
    }

    /// First and next offset of an input partition.
    #[must_use]
    pub fn input_range(&self, partition: i32) -> Range<i64> {
        at(&self.lock().input, partition).map_or(0..0, Partition::range)
    }

    #[must_use]
    pub fn committed(&self, partition: i32) -> Option<Committed> {
        self.lock().committed.get(&partition).cloned()
    }

    /// Input records that are not committed yet, over all partitions.
    #[must_use]
    pub fn lag(&self) -> u64 {
        let inside = self.lock();
        let lag = |(number, partition): (usize, &Partition)| {
            let committed = i32::try_from(number).ok().and_then(|number| inside.committed.get(&number));
            let from = committed.map_or_else(|| partition.range().start, |committed| committed.offset);
            u64::try_from(partition.range().end - from).unwrap_or(0)
        };
        inside.input.iter().enumerate().map(lag).sum()
    }

    /// As the retention of the input would.
    pub fn delete_input_before(&self, partition: i32, offset: i64) {
        if let Some(found) = at_mut(&mut self.lock().input, partition) {
            found.delete_before(offset);
        }
    }

    /// As a transaction that came to nothing: what it had written takes its offsets all the same, and so
    /// does the marker that ends it.
    pub fn abort(&self, units: &[Arc<Unit>]) {
        self.lock().abort(units);
    }

    /// As a broker whose committed offsets have expired.
    pub fn forget_offsets(&self) {
        self.lock().committed.clear();
    }
}

impl Inside {
    pub(super) fn append_output(&mut self, output: Output, partition: i32, record: Stored) -> Option<i64> {
        let cleanup = match output {
            Output::Profiles => Cleanup::Compact,
            _ => Cleanup::Keep(self.retention.records),
        };
        Some(at_mut(self.outputs.get_mut(&output)?, partition)?.append(record, cleanup))
    }

    pub(super) fn abort(&mut self, units: &[Arc<Unit>]) {
        for unit in units {
            let outputs = unit.records().map(|record| record.output).collect::<BTreeSet<_>>();
            for record in unit.records().map(|record| record.output).chain(outputs) {
                if let Some(found) = self.outputs.get_mut(&record).and_then(|all| at_mut(all, unit.partition))
                {
                    found.mark_end();
                }
            }
        }
    }

    pub(super) fn output(&self, output: Output, partition: i32) -> Option<&Partition> {
        at(self.outputs.get(&output)?, partition)
    }
}

pub(super) fn at(partitions: &[Partition], number: i32) -> Option<&Partition> {
    partitions.get(usize::try_from(number).ok()?)
}

pub(super) fn at_mut(partitions: &mut [Partition], number: i32) -> Option<&mut Partition> {
    partitions.get_mut(usize::try_from(number).ok()?)
}
