//! The network lanes: fold `risk.sightings` into sketches, and tell facts while they are notable.
//!
//! One lane a partition, and one thread for all that are assigned to it. What a lane keeps is small and
//! in memory; it is restored whole from its changelog when its partition comes, and again when a
//! transaction did not go through, so that no sighting counts twice and none is left out.
//!
//! *Delivery*: exactly once: facts, changelog and the offsets of the input in one transaction.
//! *Ordering*: that of the partition. *Failure*: sightings that retention took before they were read are
//! missing from the numbers, and said; a record that is none is skipped, and said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::stop::{ProcessClock, Pulse, Stop};
use super::worker::Ended;
use crate::engine::across::{Change, Fold, News};
use crate::engine::emit;
use crate::model::across::Origin;
use crate::model::id::Digest;
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Ledger, Mark, Output, Unit, Witness};
use crate::ports::source::{Arrival, Record, Source};
use crate::telemetry::Happened;

/// What the lanes need of the process.
#[derive(Clone, Debug)]
pub struct Lanes {
    pub stop: Stop,
    pub clock: ProcessClock,
}

/// Runs until it is told to stop, or cannot go on. In `ledger` the facts are what it calls decisions, and
/// the sketches what it calls profiles.
///
/// # Errors
/// See [`Ended`].
pub fn run(
    lanes: &Lanes,
    mut source: Box<dyn Source + Send>,
    mut ledger: Box<dyn Ledger + Send>,
    pulse: &Pulse,
) -> Result<(), Ended> {
    let mut open = Open::default();
    // Partitions that are ours and must be restored before they are read.
    let mut waiting = BTreeSet::new();
    let (mut retry_at, mut publish_at) = (Tick::default(), Tick::default());
    // Why nothing is read, said once.
    let mut said = String::new();
    loop {
        pulse.beat();
        if lanes.stop.is_set() {
            // What is open is not committed, so the next run reads it again.
            return Ok(());
        }
        if lanes.clock.now() >= retry_at {
            match begin(&mut waiting, source.as_mut(), ledger.as_mut(), &mut open) {
                Ok(()) => said.clear(),
                Err(Failure::Fatal(why)) => return Err(Ended::Refused(why)),
                Err(failure) => {
                    let why = failure.to_string();
                    if said != why {
                        warn!(why, "sightings are not read yet");
                        said = why;
                    }
                    retry_at = lanes.clock.now().plus(RETRY_AFTER);
                }
            }
        }
        let mut left = Vec::new();
        let polled = source.poll(POLL_MAX, &mut |arrival| {
            match arrival {
                Arrival::Record(record) => {
                    open.take(&record);
                    return open.records < RECORDS_MAX;
                }
                Arrival::Assigned(partitions) => waiting.extend(partitions),
                Arrival::Revoked(partitions) => left.push((partitions, false)),
                Arrival::Lost(partitions) => left.push((partitions, true)),
            }
            true
        });
        polled.map_err(ended)?;
        for (partitions, _) in left.iter().filter(|(_, lost)| *lost) {
            partitions.iter().for_each(|partition| drop(open.lanes.remove(partition)));
        }
        let is_due = lanes.clock.now() >= publish_at || open.records >= RECORDS_MAX || !left.is_empty();
        if is_due && open.records > 0 {
            publish_at = lanes.clock.now().plus(PUBLISH_EVERY);
            match publish(ledger.as_mut(), &mut open) {
                Ok(()) => {}
                Err((_, Failure::Fatal(why))) => return Err(Ended::Refused(why)),
                Err((_, Failure::Fenced(why))) => return Err(Ended::Again(why)),
                Err((partitions, failure)) => {
                    warn!(%failure, "sightings are folded again");
                    waiting.extend(partitions);
                    retry_at = lanes.clock.now().plus(RETRY_AFTER);
                }
            }
        }
        for (partitions, lost) in left {
            for partition in &partitions {
                waiting.remove(partition);
                open.lanes.remove(partition);
            }
            if !lost {
                source.release(&partitions).map_err(ended)?;
            }
        }
    }
}

/// One transaction of what was folded since the last. Whatever it was, a lane whose unit did not go
/// through is gone: it has to be restored.
fn publish(ledger: &mut dyn Ledger, open: &mut Open) -> Result<(), (Vec<i32>, Failure)> {
    let (units, told) = open.seal();
    if units.is_empty() {
        // Whatever was folded was of partitions that are lost.
        return Ok(());
    }
    ledger.prepare();
    match ledger.publish(&units) {
        Ok(_) => {
            told.emit();
            Ok(())
        }
        Err(failure) => {
            let partitions: Vec<_> = units.iter().map(|unit| unit.partition).collect();
            partitions.iter().for_each(|partition| drop(open.lanes.remove(partition)));
            Err((partitions, failure))
        }
    }
}

/// Restores every partition that waits, and starts it where its state stands.
fn begin(
    waiting: &mut BTreeSet<i32>,
    source: &mut dyn Source,
    ledger: &mut dyn Ledger,
    open: &mut Open,
) -> Result<(), Failure> {
    while let Some(partition) = waiting.first().copied() {
        let ground = ledger.ground(partition)?;
        if let Some(hanging) = &ground.hanging {
            return Err(Failure::Unreachable(format!(
                "a transaction is open in `{}` partition {} from offset {} on",
                hanging.topic, hanging.partition, hanging.offset
            )));
        }
        let lane = restore(ledger, partition, &ground)?;
        source.start(partition, lane.next)?;
        info!(partition, offset = lane.next, origins = lane.fold.len(), "sightings are read");
        open.lanes.insert(partition, lane);
        waiting.remove(&partition);
    }
    Ok(())
}

fn restore(ledger: &mut dyn Ledger, partition: i32, ground: &Ground) -> Result<Lane, Failure> {
    let mut kept = BTreeMap::<Vec<u8>, Vec<u8>>::new();
    ledger.changes(partition, ground.profiles.start, &mut |change| {
        match change.value {
            Some(value) => drop(kept.insert(change.key.to_vec(), value.to_vec())),
            None => drop(kept.remove(change.key)),
        }
        true
    })?;
    let mut fold = Fold::default();
    for (key, value) in &kept {
        let restored = emit::network_state_read(value)
            .and_then(|state| fold.restore(key, state).map(drop).map_err(|error| error.to_string()));
        // Never another state than the one that was written: a newer version wrote it, or it is damaged.
        restored.map_err(|why| {
            let key = String::from_utf8_lossy(key);
            Failure::Fatal(format!(
                "the state of `{key}` in partition {partition} cannot be used ({why}); run the version that wrote it, or \
                 delete and make the topic of network states anew to begin with nothing known"
            ))
        })?;
    }
    let next = match (&ground.committed, &ground.witness) {
        (Some(committed), _) => committed.offset,
        // The group's offsets have expired: the changelog says how far it had come.
        (None, Witness::Last(mark, _)) => mark.offset,
        (None, Witness::Never | Witness::Expired) => ground.input.start,
    };
    if next < ground.input.start {
        warn!(
            partition,
            from = next,
            to = ground.input.start,
            "sightings were deleted before they were read"
        );
    }
    let next = next.clamp(ground.input.start, ground.input.end.max(ground.input.start));
    Ok(Lane { fold, next, unit: None })
}

/// The lanes of the partitions that are ours.
#[derive(Default)]
struct Open {
    lanes: BTreeMap<i32, Lane>,
    /// Folded and not published.
    records: usize,
}

struct Lane {
    fold: Fold,
    next: i64,
    /// From where the unit at hand begins.
    unit: Option<i64>,
}

impl Open {
    fn take(&mut self, record: &Record<'_>) {
        let Some(lane) = self.lanes.get_mut(&record.partition) else { return };
        if record.offset < lane.next {
            return;
        }
        lane.unit.get_or_insert(lane.next);
        lane.next = record.offset.saturating_add(1);
        self.records += 1;
        let key = record.key.filter(|key| Origin::parse_key(key).is_some());
        match (key, emit::sighting_read(record.value.unwrap_or_default())) {
            (Some(key), Ok(sighting)) => lane.fold.take(key, &sighting, lane.next.unsigned_abs()),
            (key, read) => {
                let why =
                    read.err().filter(|_| key.is_some()).unwrap_or_else(|| "its key names no origin".into());
                warn!(partition = record.partition, offset = record.offset, why, "no sighting; skipped");
            }
        }
    }

    /// One unit a lane that has folded something.
    fn seal(&mut self) -> (Vec<Arc<Unit>>, Happened<'static>) {
        let mark = |offset| Mark { offset, chain: Digest::ZERO };
        let (sightings, mut facts, mut ended) = (self.records, 0, 0);
        self.records = 0;
        let mut units = Vec::new();
        for (partition, lane) in &mut self.lanes {
            let Some(from) = lane.unit.take() else { continue };
            let mut unit = Unit::default();
            unit.reset(*partition, 0, mark(from));
            unit.to = mark(lane.next);
            let offset = lane.next.saturating_sub(1);
            lane.fold.drain(|change| {
                facts += usize::from(matches!(change.news, News::Facts(_)));
                ended += usize::from(change.news == News::End);
                write(&mut unit, offset, &change);
            });
            units.push(Arc::new(unit));
        }
        (units, Happened::SightingsFolded { sightings, facts, ended })
    }
}

fn write(unit: &mut Unit, offset: i64, change: &Change<'_>) {
    let key = unit.key(change.key);
    match change.news {
        News::None => {}
        News::Facts(told) => {
            unit.push(Output::Decisions, offset, key.clone(), |out| emit::network_avro(&told, out));
        }
        News::End => unit.push_end(Output::Decisions, offset, key.clone()),
    }
    match change.state {
        Some(state) => unit.push(Output::Profiles, offset, key, |out| emit::network_state_avro(state, out)),
        None => unit.push_end(Output::Profiles, offset, key),
    }
}

fn ended(failure: Failure) -> Ended {
    match failure {
        Failure::Fatal(why) => Ended::Refused(why),
        Failure::Fenced(why) => Ended::Displaced(why),
        other => Ended::Again(other.to_string()),
    }
}

const POLL_MAX: Duration = Duration::from_millis(20);
/// An attack goes on for minutes; a sketch that is written with every sighting is written too often.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
const RETRY_AFTER: Duration = Duration::from_millis(500);
const RECORDS_MAX: usize = 5_000;
