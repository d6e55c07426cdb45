//! The normaliser: copies a topic whose records are not keyed as a lane needs them into
//! `identity.events`, exactly once.
//!
//! A lane has one input, so whatever others write elsewhere comes through it, in its order, like any
//! event. The copy is keyed by the body's user and placed by that key. A [`Mapping`] makes events of
//! an identity system's own records first. What cannot be read becomes a rejected record.
//!
//! `identity.feedback` is one such topic, so that what people say has permissions of its own: from
//! there only feedback is let through, and from nowhere else. Whoever may say "that was me" must not
//! be able to say that a login happened, nor the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::lookup::Lookup;
use super::stop::{ProcessClock, Pulse, Stop};
use super::worker::Ended;
use crate::engine::decode::{self, Format, How, Limits, Rejected, Writers};
use crate::engine::emit;
use crate::engine::mapping::{Mapped, Mapping};
use crate::engine::schema::HEADER_BYTES;
use crate::model::id::{Digest, UserKey};
use crate::model::{EventType, Reject};
use crate::pipeline::lane::Rendering;
use crate::pipeline::traced::passing;
use crate::pipeline::wire;
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ledger, Mark, Output, Unit};
use crate::ports::source::{Arrival, Record, Source};
use crate::telemetry::Happened;

/// What a stage reads and writes.
#[derive(Clone, Debug)]
pub struct Stage {
    /// In logs and metrics: `feedback`, or what the input is called.
    pub name: String,
    pub topic: String,
    pub from: Format,
    /// What makes events of the records; without one they are events.
    pub mapping: Option<Arc<Mapping>>,
    pub lets: Lets,
    pub to: Form,
    pub limits: Limits,
    pub rejected: Rendering,
    pub stop: Stop,
    pub clock: ProcessClock,
    /// Of the schemas that records name.
    pub lookup: Lookup,
    /// Whether a copy carries the trace of what was copied.
    pub traces: bool,
}

/// What may come through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lets {
    /// What people say, and nothing else.
    Feedback,
    /// Anything else.
    Events,
}

/// How the copy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Rendered(Rendering),
    /// A datum with nothing before it.
    AvroBare,
}

/// Runs until it is told to stop, or cannot go on.
///
/// # Errors
/// See [`Ended`].
pub fn run(
    stage: &Stage,
    mut source: Box<dyn Source + Send>,
    mut ledger: Box<dyn Ledger + Send>,
    pulse: &Pulse,
) -> Result<(), Ended> {
    let mut open = Open::default();
    // Partitions that are ours and must be asked for before they are read.
    let mut waiting = BTreeSet::new();
    // Partitions that wait for a schema.
    let mut awaited: BTreeMap<i32, u32> = BTreeMap::new();
    let mut retry_at = Tick::default();
    loop {
        pulse.beat();
        if stage.stop.is_set() {
            // What is open is not committed, so the next run reads it again.
            return Ok(());
        }
        if stage.clock.now() >= retry_at {
            match begin(stage, &mut waiting, source.as_mut(), ledger.as_mut(), &mut open) {
                Ok(()) => {}
                Err(Failure::Fatal(why)) => return Err(Ended::Refused(why)),
                Err(failure) => {
                    warn!(input = stage.name, %failure, "an input is not read yet");
                    retry_at = stage.clock.now().plus(RETRY_AFTER);
                }
            }
        }
        let writers = stage.lookup.writers();
        awaited.retain(|partition, id| {
            if writers.get(*id).is_some() {
                waiting.insert(*partition);
                return false;
            }
            stage.lookup.want(*id);
            true
        });
        let (mut revoked, mut held) = (Vec::new(), None);
        let polled = source.poll(POLL_MAX, &mut |arrival| {
            match arrival {
                Arrival::Record(record) => {
                    if let Some(id) = stage.lookup.missing(&record, stage.from, &writers) {
                        held = Some((record.partition, id));
                        return false;
                    }
                    open.take(stage, &record, &writers);
                    return open.records < RECORDS_MAX;
                }
                Arrival::Assigned(partitions) => waiting.extend(partitions),
                Arrival::Revoked(partitions) => revoked.push((partitions, false)),
                Arrival::Lost(partitions) => revoked.push((partitions, true)),
            }
            true
        });
        polled.map_err(ended)?;
        if let Some((partition, id)) = held {
            source.hold(partition).map_err(ended)?;
            stage.lookup.want(id);
            awaited.insert(partition, id);
        }
        for (partitions, lost) in &revoked {
            for partition in partitions {
                waiting.remove(partition);
                awaited.remove(partition);
                if *lost {
                    open.leave(*partition);
                }
            }
        }
        let (units, copied) = open.seal();
        if !units.is_empty() {
            ledger.prepare();
            match ledger.publish(&units) {
                Ok(_) => {
                    open.settled(&units);
                    let Copied { events, skipped, rejected } = copied;
                    Happened::Normalised { input: &stage.name, events, skipped, rejected }.emit();
                }
                Err(Failure::Fatal(why)) => return Err(Ended::Refused(why)),
                Err(Failure::Fenced(why)) => return Err(Ended::Again(why)),
                Err(failure) => {
                    if let Failure::TooLarge(oversized) = &failure {
                        open.refused.insert((oversized.partition, oversized.offset));
                    }
                    warn!(input = stage.name, %failure, "an input is read again");
                    for unit in &units {
                        // What comes after it is not taken before it is: its offset would be passed over.
                        open.leave(unit.partition);
                        waiting.insert(unit.partition);
                    }
                    retry_at = stage.clock.now().plus(RETRY_AFTER);
                }
            }
        }
        for (partitions, lost) in revoked {
            for partition in &partitions {
                waiting.remove(partition);
                open.leave(*partition);
            }
            if !lost {
                source.release(&partitions).map_err(ended)?;
            }
        }
    }
}

/// Starts every partition where the group left it.
fn begin(
    stage: &Stage,
    waiting: &mut BTreeSet<i32>,
    source: &mut dyn Source,
    ledger: &mut dyn Ledger,
    open: &mut Open,
) -> Result<(), Failure> {
    while let Some(partition) = waiting.first().copied() {
        let ground = ledger.ground(partition)?;
        let offset = ground.committed.map_or(ground.input.start, |committed| committed.offset);
        if offset < ground.input.start {
            // Each record stands for itself, this is no fold: what is gone cannot be waited for.
            warn!(
                input = stage.name,
                partition,
                from = offset,
                to = ground.input.start,
                "records of an input were deleted before they were read"
            );
        }
        let offset = offset.max(ground.input.start);
        open.leave(partition);
        source.start(partition, offset)?;
        open.next.insert(partition, offset);
        waiting.remove(&partition);
        info!(input = stage.name, partition, offset, "an input is read");
    }
    Ok(())
}

/// What was read and not yet published.
#[derive(Default)]
struct Open {
    units: BTreeMap<i32, (Unit, Copied)>,
    /// The next offset of each partition that is read; of others no record is taken.
    next: BTreeMap<i32, i64>,
    records: usize,
    /// What the broker refused for its size.
    refused: BTreeSet<(i32, i64)>,
    scratch: Scratch,
}

/// What became of records.
#[derive(Clone, Copy, Debug, Default)]
struct Copied {
    events: u64,
    skipped: u64,
    rejected: u64,
}

#[derive(Default)]
struct Scratch {
    id: String,
    key: Vec<u8>,
    mapped: Vec<u8>,
}

impl Open {
    fn take(&mut self, stage: &Stage, record: &Record<'_>, writers: &Writers) {
        let Some(next) = self.next.get_mut(&record.partition) else { return };
        if record.offset < *next {
            return;
        }
        let mark = |offset| Mark { offset, chain: Digest::ZERO };
        let (unit, count) = self.units.entry(record.partition).or_insert_with(|| {
            let mut unit = Unit::default();
            unit.reset(record.partition, 0, mark(record.offset));
            (unit, Copied::default())
        });
        self.scratch.id.clear();
        self.scratch.id.push_str(&format!("{}:{}:{}", stage.topic, record.partition, record.offset));
        let refused = self.refused.contains(&(record.partition, record.offset));
        let copied = match refused {
            true => Err(Rejected {
                reason: Reject::TooLarge,
                detail: "the broker does not take its copy; raise `max.message.bytes` of the input".into(),
            }),
            false => copy(stage, record, writers, &mut self.scratch, unit),
        };
        match copied {
            Ok(Mapped::Event) => count.events += 1,
            Ok(Mapped::Skipped) => count.skipped += 1,
            Err(rejected) => {
                count.rejected += 1;
                let key = unit.key(self.scratch.id.as_bytes());
                unit.push(Output::Rejected, record.offset, key, |out| {
                    wire::rejected(&rejected, &stage.topic, record, None, stage.rejected, out);
                });
            }
        }
        unit.note(stage.traces.then(|| passing(record, stage.from)).flatten());
        *next = record.offset.saturating_add(1);
        unit.to = mark(*next);
        self.records += 1;
    }

    /// Takes nothing more of the partition until it is started.
    fn leave(&mut self, partition: i32) {
        self.units.remove(&partition);
        self.next.remove(&partition);
    }

    /// These are committed: what was refused in them does not come again.
    fn settled(&mut self, units: &[Arc<Unit>]) {
        for unit in units {
            self.refused
                .retain(|(partition, offset)| *partition != unit.partition || *offset >= unit.to.offset);
        }
    }

    fn seal(&mut self) -> (Vec<Arc<Unit>>, Copied) {
        self.records = 0;
        let (mut units, mut copied) = (Vec::new(), Copied::default());
        for (unit, count) in std::mem::take(&mut self.units).into_values() {
            copied.events += count.events;
            copied.skipped += count.skipped;
            copied.rejected += count.rejected;
            units.push(Arc::new(unit));
        }
        (units, copied)
    }
}

fn copy(
    stage: &Stage,
    record: &Record<'_>,
    writers: &Writers,
    scratch: &mut Scratch,
    unit: &mut Unit,
) -> Result<Mapped, Rejected> {
    let Scratch { id, key, mapped } = scratch;
    let mut value = record.value.unwrap_or_default();
    let mut how = How { format: stage.from, headers: record.headers, writers };
    if let Some(mapping) = &stage.mapping {
        mapped.clear();
        if mapping.apply(value, &stage.name, mapped)? == Mapped::Skipped {
            return Ok(Mapped::Skipped);
        }
        // The mapping has looked into whatever envelope there was.
        (value, how) = (mapped, How { format: Format::Json, headers: &[], writers });
    }
    let mut decoded = decode::decode(value, how, id, record.recorded_at, &stage.limits)?;
    // Where nobody gave it an id, the copy has the place of its record, and keeps it.
    decoded.event.has_own_id = true;
    let event = &decoded.event;
    if (event.kind() == EventType::Feedback) != (stage.lets == Lets::Feedback) {
        let only = match stage.lets {
            Lets::Feedback => "only `feedback` may be written",
            Lets::Events => "feedback has a topic of its own, and may not be written",
        };
        let detail = format!("type is `{}`; {only} to `{}`", event.kind(), stage.topic);
        return Err(Rejected { reason: Reject::BadValue, detail });
    }
    key.clear();
    key.extend_from_slice(UserKey::new(&event.tenant, &event.user).as_bytes());
    let key = unit.key(key);
    unit.push(Output::Decisions, record.offset, key, |out| {
        // Its id is written with it, so that a copy of a copy is seen as a duplicate.
        match stage.to {
            Form::Rendered(to) => {
                to.write(out, |out| emit::event_avro(event, out), |out| emit::event_json(event, out));
            }
            // A bare datum is the same without its header; nobody writes one.
            Form::AvroBare => {
                let from = out.len();
                emit::event_avro(event, out);
                out.drain(from..out.len().min(from + HEADER_BYTES));
            }
        }
    });
    Ok(Mapped::Event)
}

fn ended(failure: Failure) -> Ended {
    match failure {
        Failure::Fatal(why) => Ended::Refused(why),
        Failure::Fenced(why) => Ended::Displaced(why),
        other => Ended::Again(other.to_string()),
    }
}

const POLL_MAX: Duration = Duration::from_millis(50);
const RETRY_AFTER: Duration = Duration::from_millis(500);
const RECORDS_MAX: usize = 500;

#[cfg(test)]
mod tests;
