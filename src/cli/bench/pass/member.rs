//! One member of the group of the pass: it reads, collects, and closes transactions as a worker does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::recorded::Recorded;
use super::super::stages::Told;
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Connection, KafkaLedger, KafkaSource, decisions};
use crate::model::id::Digest;
use crate::pipeline::dispatch::Pace;
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::failure::Failure;
use crate::ports::ledger::{Mark, Unit};
use crate::ports::source::{Arrival, Source as _};
use crate::ports::stages::{Stage, Stopwatch as _};
use crate::runtime::publisher::Publisher;
use crate::runtime::stages::{Hand, Stages};
use crate::runtime::stop::{ProcessClock, Stop};

/// What the members of a pass share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) recorded: Arc<Recorded>,
    pub(super) pace: Pace,
    pub(super) stages: Stages,
    pub(super) clock: ProcessClock,
    pub(super) stop: Stop,
}

/// Works until it is told to stop. What was open then is of no account.
pub(super) fn work(number: u16, shared: &Shared) -> Result<Told, String> {
    let Shared { connection, names, stages, .. } = shared;
    let member = format!("bench-pass-{number}");
    let group = connection.group().to_owned();
    let mut source =
        KafkaSource::join(connection, &group, &member, &names.events).map_err(|failure| told(&failure))?;
    let id = format!("{group}-{member}");
    let ledger = KafkaLedger::new(connection.clone(), names.clone(), &source, id, decisions::avro)
        .timed(Box::new(stages.hand()));
    let publisher = Publisher::start(Box::new(ledger), None)
        .map_err(|error| format!("a thread did not start: {error}"))?;
    let mut member = Member {
        publisher,
        lanes: BTreeMap::new(),
        pending: Vec::new(),
        opened_at: None,
        urgent: false,
        told: Told::default(),
        hand: stages.hand(),
        shared: shared.clone(),
    };
    while !shared.stop.is_set() {
        member.settle(Duration::ZERO)?;
        member.publish_if_due();
        member.take_in(&mut source)?;
    }
    member.settle(Duration::MAX)?;
    Ok(member.told)
}

struct Member {
    publisher: Publisher,
    lanes: BTreeMap<i32, Lane>,
    /// What is being committed; to be used again after.
    pending: Vec<Arc<Unit>>,
    opened_at: Option<Tick>,
    urgent: bool,
    told: Told,
    hand: Hand,
    shared: Shared,
}

/// A partition: what is open of it, and where its output goes on.
struct Lane {
    unit: Unit,
    records: usize,
    place: usize,
}

impl Member {
    /// Whether nothing is under way, waiting for that at most `wait`. An aborted transaction would have
    /// to be written again; here nothing but the measurement is lost.
    fn settle(&mut self, wait: Duration) -> Result<bool, String> {
        if !self.pending.is_empty()
            && let Some(outcome) = self.publisher.outcome(wait)
        {
            outcome.map_err(|failure| told(&failure))?;
            self.told.committed(self.publisher.took(), &self.shared.stages.told());
            self.pending.clear();
            self.hand.lap(Stage::Settle);
        }
        Ok(self.pending.is_empty())
    }

    fn open(&self) -> (usize, usize) {
        self.lanes
            .values()
            .fold((0, 0), |(records, bytes), lane| (records + lane.records, bytes + lane.unit.size()))
    }

    fn is_full(&self) -> bool {
        let (records, bytes) = self.open();
        records >= self.shared.pace.unit_records_max || bytes >= self.shared.pace.unit_bytes_max
    }

    /// As [`crate::pipeline::dispatch::Dispatch`] does it.
    fn publish_if_due(&mut self) {
        let pace = &self.shared.pace;
        let now = self.shared.clock.now();
        let waited = self.opened_at.is_some_and(|at| now.since(at) >= pace.commit_interval);
        if self.pending.is_empty() && self.opened_at.is_some() && (waited || self.urgent || self.is_full()) {
            for lane in self.lanes.values_mut().filter(|lane| lane.records > 0) {
                let mut next = Unit::default();
                next.reset(lane.unit.partition, lane.unit.number + 1, lane.unit.to);
                self.pending.push(Arc::new(std::mem::replace(&mut lane.unit, next)));
                lane.records = 0;
            }
            (self.opened_at, self.urgent) = (None, false);
            self.publisher.publish(self.pending.clone());
        }
        self.hand.lap(Stage::Dispatch);
    }

    fn take_in(&mut self, source: &mut KafkaSource) -> Result<(), String> {
        let publishing = !self.pending.is_empty();
        if publishing && self.is_full() {
            self.settle(POLL_MAX)?;
            return Ok(());
        }
        let now = self.shared.clock.now();
        let until = now.plus(self.shared.pace.commit_interval);
        let longest = if publishing { POLL_MIN } else { POLL_MAX };
        let due = self.opened_at.map(|at| at.plus(self.shared.pace.commit_interval));
        let wait = due.map_or(longest, |due| due.since(now).clamp(POLL_MIN, longest));
        let (mut changes, mut taken) = (Vec::new(), 0_u32);
        self.hand.lap(Stage::Dispatch);
        self.hand.begin_records();
        source
            .poll(wait, &mut |arrival| match arrival {
                Arrival::Record(record) => {
                    self.hand.lap(Stage::Fetch);
                    self.take(record.partition, record.offset);
                    self.hand.end_record();
                    taken += 1;
                    taken % LOOK_EVERY != 1 || !(self.shared.clock.now() >= until || self.is_full())
                }
                Arrival::Assigned(partitions) => {
                    changes.push((partitions, true));
                    false
                }
                Arrival::Revoked(partitions) | Arrival::Lost(partitions) => {
                    changes.push((partitions, false));
                    false
                }
            })
            .map_err(|failure| told(&failure))?;
        self.hand.end_records();
        for (partitions, ours) in changes {
            self.assignment(source, &partitions, ours)?;
        }
        Ok(())
    }

    fn take(&mut self, partition: i32, offset: i64) {
        let Some(lane) = self.lanes.get_mut(&partition) else { return };
        if offset < lane.unit.to.offset {
            return;
        }
        self.urgent |= self.shared.recorded.write(&mut lane.unit, &mut lane.place, offset);
        lane.unit.to = mark(offset + 1);
        lane.records += 1;
        if self.opened_at.is_none() {
            self.opened_at = Some(self.shared.clock.now());
        }
    }

    fn assignment(&mut self, source: &mut KafkaSource, partitions: &[i32], ours: bool) -> Result<(), String> {
        self.settle(Duration::MAX)?;
        for partition in partitions {
            self.lanes.remove(partition);
            if ours {
                let ground = self.publisher.ledger().ground(*partition).map_err(|failure| told(&failure))?;
                let from = ground.committed.map_or(0, |committed| committed.offset);
                let mut unit = Unit::default();
                unit.reset(*partition, 0, mark(from));
                let place = self.shared.recorded.place(*partition, from);
                self.lanes.insert(*partition, Lane { unit, records: 0, place });
                source.start(*partition, from).map_err(|failure| told(&failure))?;
            }
        }
        if !ours {
            source.release(partitions).map_err(|failure| told(&failure))?;
        }
        Ok(())
    }
}

/// Any chain has the same length.
const fn mark(offset: i64) -> Mark {
    Mark { offset, chain: Digest::ZERO }
}

fn told(failure: &Failure) -> String {
    failure.to_string()
}

/// As a worker has them.
const POLL_MAX: Duration = Duration::from_millis(100);
const POLL_MIN: Duration = Duration::from_millis(1);
const LOOK_EVERY: u32 = 16;
