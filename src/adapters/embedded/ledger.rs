//! The transactional writer, and the questions of recovery.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::log::{Inside, Log, at};
use super::open::Open;
use super::partition::Stored;
use crate::ports::changelog::Changelog;
use crate::ports::failure::{Failure, Oversized};
use crate::ports::ledger::{
    Change, Committed, Ground, Ledger, Mark, Outgoing, Output, Positions, ReadBack, Tail, Unit, Witness,
};

/// Writes for one member of the group.
#[derive(Debug)]
pub struct EmbeddedLedger {
    log: Log,
    member: String,
    epoch: u64,
    value_bytes_max: usize,
    /// The assignments that the units under way were made under, as Kafka's group generation.
    assignments: BTreeMap<i32, u64>,
}

impl Log {
    /// A writer for `member`; an older one of the same name is fenced from now on, and what it left
    /// open ends.
    #[must_use]
    pub fn ledger(&self, member: &str) -> EmbeddedLedger {
        let mut inside = self.lock();
        inside.end_open(member);
        let epoch = inside.epochs.entry(member.to_owned()).or_default();
        *epoch += 1;
        let epoch = *epoch;
        EmbeddedLedger {
            log: self.clone(),
            member: member.to_owned(),
            epoch,
            value_bytes_max: VALUE_BYTES_MAX,
            assignments: BTreeMap::new(),
        }
    }
}

impl EmbeddedLedger {
    /// Refuses larger values, as a broker's `max.message.bytes` does.
    #[must_use]
    pub fn with_value_bytes_max(self, value_bytes_max: usize) -> Self {
        Self { value_bytes_max, ..self }
    }

    /// Why this writer may not write `units`.
    fn fence(&self, inside: &Inside, units: &[Arc<Unit>]) -> Result<(), Failure> {
        if inside.epochs.get(&self.member) != Some(&self.epoch) {
            return Err(Failure::Fenced(format!("a newer writer `{}` has begun", self.member)));
        }
        let ours = |partition| {
            let prepared = self.assignments.get(&partition).copied();
            inside.group.owns(&self.member, partition)
                && prepared.is_none_or(|assignment| assignment == inside.group.assignment(partition))
        };
        let foreign = units.iter().find(|unit| !ours(unit.partition));
        match foreign {
            Some(unit) => Err(Failure::Fenced(format!("partition {} has moved", unit.partition))),
            None => Ok(()),
        }
    }

    /// Dies in the middle of a transaction. It stays open until [`Log::end_open`], or until a writer
    /// of the same name begins. `commits`: the broker has the word to commit it and has not carried it
    /// out; else it comes to nothing.
    pub fn leave_open(self, units: Vec<Arc<Unit>>, commits: bool) {
        let mut inside = self.log.lock();
        let commits = commits && self.fence(&inside, &units).is_ok() && self.oversized(&units).is_none();
        inside.open.insert(self.member.clone(), Open { units, commits });
    }

    fn oversized(&self, units: &[Arc<Unit>]) -> Option<Oversized> {
        units.iter().find_map(|unit| {
            let too_large =
                |record: &Outgoing<'_>| record.value.is_some_and(|value| value.len() > self.value_bytes_max);
            unit.records().find(too_large).map(|record| Oversized {
                partition: unit.partition,
                offset: record.offset,
                output: record.output,
                bytes: record.value.map_or(0, <[u8]>::len),
            })
        })
    }
}

impl Ledger for EmbeddedLedger {
    fn prepare(&mut self) {
        let inside = self.log.lock();
        let partitions = (0i32..).take(inside.input.len());
        self.assignments = partitions.map(|at| (at, inside.group.assignment(at))).collect();
    }

    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        let mut inside = self.log.lock();
        self.fence(&inside, units)?;
        if let Some(oversized) = self.oversized(units) {
            return Err(Failure::TooLarge(oversized));
        }
        Ok(inside.commit(units))
    }

    fn ground(&mut self, partition: i32) -> Result<Ground, Failure> {
        let inside = self.log.lock();
        let missing = || Failure::Fatal(format!("there is no partition {partition}"));
        let profiles = inside.output(Output::Profiles, partition).ok_or_else(missing)?;
        let decisions = inside.output(Output::Decisions, partition).ok_or_else(missing)?;
        // The unit may have ended with records that gave no decision; its mark is after them, and the
        // chain is the same.
        let decided = decisions.last().and_then(|last| Some((last.offset, last.mark?)));
        let changed = profiles.last().and_then(|last| last.mark);
        let witness = Witness::of(
            Tail::of(decided, decisions.range().start),
            Tail::of(changed, profiles.range().start),
        );
        Ok(Ground {
            committed: inside.committed.get(&partition).cloned(),
            input: at(&inside.input, partition).ok_or_else(missing)?.range(),
            profiles: profiles.range(),
            witness,
            hanging: inside.hanging(partition),
        })
    }

    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let inside = self.log.lock();
        let record = inside.output(Output::Decisions, partition).and_then(|decisions| decisions.get(offset));
        Ok(record.and_then(|record| record.mark).map(read))
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        self.log.decided_before(partition, offset)
    }

    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure> {
        let mut log = self.log.clone();
        let range = Changelog::range(&mut log, partition)?;
        let range = from..range.end.max(from);
        let mut next = range.end;
        log.changes(partition, range, &mut |change| {
            let goes_on = visit(change);
            if !goes_on {
                next = change.offset + 1;
            }
            goes_on
        })?;
        Ok(next)
    }
}

impl Changelog for Log {
    fn range(&mut self, partition: i32) -> Result<Range<i64>, Failure> {
        let inside = self.lock();
        let missing = || Failure::Fatal(format!("there is no partition {partition}"));
        Ok(inside.output(Output::Profiles, partition).ok_or_else(missing)?.range())
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let decisions = self.read(Output::Decisions, partition, 0, usize::MAX);
        let marks = decisions.iter().rev().filter_map(|record| record.mark);
        // Marks are those after the unit.
        Ok(marks.into_iter().find(|mark| mark.offset <= offset).map(read))
    }

    fn changes(
        &mut self,
        partition: i32,
        range: Range<i64>,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<(), Failure> {
        let mut next = range.start;
        loop {
            let records = self.read(Output::Profiles, partition, next, CHANGES_AT_ONCE);
            let Some(last) = records.last() else { return Ok(()) };
            next = last.offset + 1;
            for record in &records {
                let key = record.key.as_deref().unwrap_or_default();
                let change =
                    Change { key, value: record.value.as_deref(), mark: record.mark, offset: record.offset };
                if record.offset >= range.end || !visit(change) {
                    return Ok(());
                }
            }
        }
    }
}

/// Nothing is compacted here: no record is too old to have missed something since.
const fn read(mark: Mark) -> ReadBack {
    ReadBack { chain: mark.chain, age: Duration::ZERO }
}

impl Inside {
    pub(super) fn commit(&mut self, units: &[Arc<Unit>]) -> Vec<Positions> {
        let write = |unit: &Arc<Unit>| {
            let committed = Committed { offset: unit.to.offset, metadata: unit.to.metadata() };
            self.committed.insert(unit.partition, committed);
            write(self, unit)
        };
        units.iter().map(write).collect()
    }
}

fn write(inside: &mut Inside, unit: &Unit) -> Positions {
    let mut positions = Positions::default();
    let mut touched = BTreeSet::new();
    for record in unit.records() {
        let stored = Stored {
            offset: 0,
            recorded_at: None,
            key: Some(record.key.into()),
            value: record.value.map(Into::into),
            mark: Some(unit.to),
        };
        let offset = inside.append_output(record.output, unit.partition, stored);
        match record.output {
            Output::Decisions => positions.decision = offset,
            Output::Profiles => positions.profiles = offset.map(|offset| offset + 1),
            Output::Alerts | Output::Revocations | Output::Rejected | Output::Sightings => {}
        }
        touched.insert(record.output);
    }
    for output in touched {
        let partition = usize::try_from(unit.partition).ok();
        let found = inside.outputs.get_mut(&output).zip(partition).and_then(|(all, at)| all.get_mut(at));
        if let Some(found) = found {
            found.mark_end();
        }
    }
    positions
}

/// Kafka's default for `max.message.bytes`, about.
const VALUE_BYTES_MAX: usize = 1_000_000;
const CHANGES_AT_ONCE: usize = 1_000;
