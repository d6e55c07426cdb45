//! The normaliser: copies a topic whose records are not keyed as a lane needs them into
//! `identity.events`, exactly once.
//!
//! A lane has one input, so whatever others write elsewhere comes through it, in its order, like any
//! event, through a [`super::relay`]. The copy is keyed by the body's user and placed by that key. A
//! [`Mapping`] makes events of an identity system's own records first. What cannot be read becomes a
//! rejected record.
//!
//! `identity.feedback` is one such topic, so that what people say has permissions of its own: from
//! there only feedback is let through, and from nowhere else. Whoever may say "that was me" must not
//! be able to say that a login happened, nor the other way round.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::lookup::Lookup;
use super::relay::written;
use crate::engine::decode::{self, Format, How, Limits, Rejected, Writers};
use crate::engine::emit;
use crate::engine::mapping::{Mapped, Mapping};
use crate::engine::schema::HEADER_BYTES;
use crate::model::id::UserKey;
use crate::model::{EventType, Reject};
use crate::pipeline::lane::Rendering;
use crate::pipeline::relay::{Fold, Pace, Told};
use crate::pipeline::traced::passing;
use crate::pipeline::wire;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Ledger, Output, Unit};
use crate::ports::source::Record;
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

/// What is made of a stage's records.
#[derive(Debug)]
pub struct Copies<'s> {
    stage: &'s Stage,
    /// What the broker refused for its size.
    refused: BTreeSet<(i32, i64)>,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    id: String,
    key: Vec<u8>,
    mapped: Vec<u8>,
}

impl Stage {
    #[must_use]
    pub fn copies(&self) -> Copies<'_> {
        Copies { stage: self, refused: BTreeSet::new(), scratch: Scratch::default() }
    }
}

impl Fold for Copies<'_> {
    /// Each record stands for itself.
    type State = ();

    /// At once: a person waits for what is said by hand.
    const PACE: Pace = Pace { publish_every: Duration::ZERO, records_max: 500 };

    fn begin(&mut self, _: i32, ground: &Ground, _: &mut dyn Ledger) -> Result<((), i64), Failure> {
        let committed = ground.committed.as_ref();
        Ok(((), committed.map_or(ground.input.start, |committed| committed.offset)))
    }

    fn take(&mut self, (): &mut (), record: &Record<'_>, unit: &mut Unit) -> Result<(), u32> {
        let stage = self.stage;
        let writers = stage.lookup.writers();
        if let Some(schema) = stage.lookup.missing(record, stage.from, &writers) {
            stage.lookup.want(schema);
            return Err(schema);
        }
        self.scratch.id.clear();
        self.scratch.id.push_str(&format!("{}:{}:{}", stage.topic, record.partition, record.offset));
        let copied = match self.refused.contains(&(record.partition, record.offset)) {
            true => Err(Rejected {
                reason: Reject::TooLarge,
                detail: "the broker does not take its copy; raise `max.message.bytes` of the input".into(),
            }),
            false => copy(stage, record, &writers, &mut self.scratch, unit),
        };
        if let Err(rejected) = copied {
            let key = unit.key(self.scratch.id.as_bytes());
            unit.push(Output::Rejected, record.offset, key, |out| {
                wire::rejected(&rejected, &stage.topic, record, None, stage.rejected, out);
            });
        }
        unit.note(stage.traces.then(|| passing(record, stage.from)).flatten());
        Ok(())
    }

    fn knows(&self, schema: u32) -> bool {
        let known = self.stage.lookup.writers().get(schema).is_some();
        if !known {
            self.stage.lookup.want(schema);
        }
        known
    }

    fn settled(&mut self, units: &[Arc<Unit>], taken: usize, outcome: Result<(), &Failure>) {
        let input = &*self.stage.name;
        if let Err(failure) = outcome {
            if let Failure::TooLarge(oversized) = failure {
                self.refused.insert((oversized.partition, oversized.offset));
            }
            return warn!(input, %failure, "an input is read again");
        }
        // What was refused in them does not come again.
        self.refused.retain(|(partition, offset)| {
            !units.iter().any(|unit| unit.partition == *partition && *offset < unit.to.offset)
        });
        let [events, rejected] =
            [Output::Decisions, Output::Rejected].map(|output| written(units, output).count() as u64);
        Happened::Normalised { input, events, skipped: taken as u64 - events - rejected, rejected }.emit();
    }

    fn tell(&self, told: &Told<'_, ()>) {
        let input = &*self.stage.name;
        match told {
            Told::Read { partition, offset, .. } => info!(input, partition, offset, "an input is read"),
            Told::Deleted { partition, from, to } => {
                warn!(input, partition, from, to, "records of an input were deleted before they were read");
            }
            Told::NotRead(failure) => warn!(input, %failure, "an input is not read yet"),
        }
    }
}

fn copy(
    stage: &Stage,
    record: &Record<'_>,
    writers: &Writers,
    scratch: &mut Scratch,
    unit: &mut Unit,
) -> Result<(), Rejected> {
    let Scratch { id, key, mapped } = scratch;
    let mut value = record.value.unwrap_or_default();
    let mut how = How { format: stage.from, headers: record.headers, writers };
    if let Some(mapping) = &stage.mapping {
        mapped.clear();
        if mapping.apply(value, &stage.name, mapped)? == Mapped::Skipped {
            return Ok(());
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
    Ok(())
}

#[cfg(test)]
mod tests;
