//! A relay: reads an input, and hands on what a [`Fold`] makes of it, one transaction at a time.
//!
//! ```text
//!  assigned ─▶ Begin ─▶ take… ─▶ Publish ─▶ committed ─▶ take…        lost ─▶ silence
//!                ▲                  └──▶ anything else ─┐
//!                └──────────────────────────────────────┘
//!  revoked ─▶ Publish ─▶ Release          a schema is awaited ─▶ Publish, Hold ─▶ Begin
//! ```
//!
//! The smaller sibling of [`super::dispatch`], for what keeps so little of its input that it is had again at
//! any time: a partition whose transaction did not go through is begun from what is committed, whatever
//! became of it. Until then none of its records is taken. The client goes on handing over what comes after
//! those that did not count, and the offset of one of them would pass over all before it.
//!
//! The runtime asks for the next [`Command`], carries it out, and says how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::model::id::Digest;
use crate::ports::clock::Tick;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Hanging, Ledger, Mark, Unit};
use crate::ports::source::{Arrival, Record, Source};

/// What is made of the records of an input: all in which one relay differs from another.
pub trait Fold {
    /// What is kept of a partition while it is read.
    type State;

    const PACE: Pace;

    /// What is kept of a partition where the broker says that it stands, and the offset to read from.
    ///
    /// # Errors
    /// When the broker cannot be read, or what it has cannot be used.
    fn begin(
        &mut self,
        partition: i32,
        ground: &Ground,
        ledger: &mut dyn Ledger,
    ) -> Result<(Self::State, i64), Failure>;

    /// Takes a record.
    ///
    /// # Errors
    /// The id of a schema without which it cannot be read: it comes again when [`Fold::knows`] it.
    fn take(&mut self, state: &mut Self::State, record: &Record<'_>, unit: &mut Unit) -> Result<(), u32>;

    /// Whether a schema that a record waits for has come.
    fn knows(&self, _schema: u32) -> bool {
        true
    }

    /// Adds what is written once a transaction.
    fn seal(&self, _state: &mut Self::State, _unit: &mut Unit) {}

    /// What became of these units, for which so many records were taken.
    fn settled(&mut self, units: &[Arc<Unit>], taken: usize, outcome: Result<(), &Failure>);

    /// Says what a person may want to know.
    fn tell(&self, told: &Told<'_, Self::State>);
}

/// How a partition stands.
#[derive(Clone, Copy, Debug)]
pub enum Told<'t, S> {
    /// It is read from here on.
    Read { partition: i32, offset: i64, state: &'t S },
    /// Records were deleted before they were read.
    Deleted { partition: i32, from: i64, to: i64 },
    /// It is not read yet.
    NotRead(&'t Failure),
}

/// How often, and how much at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub publish_every: Duration,
    pub records_max: usize,
}

/// What to do. Each is answered before the next is asked for, but for [`Command::Publish`], which may run
/// beside arrivals.
#[derive(Clone, Debug)]
pub enum Command {
    /// [`Relay::begin`].
    Begin(i32),
    /// `ledger.publish`, then [`Relay::published`]; not after [`Failure::Fenced`] or [`Failure::Fatal`], with
    /// which a relay ends.
    Publish(Vec<Arc<Unit>>),
    /// `source.hold`.
    Hold(i32),
    /// `source.release`.
    Release(Vec<i32>),
}

#[derive(Debug)]
pub struct Relay<F: Fold> {
    fold: F,
    pace: Pace,
    seats: BTreeMap<i32, Seat<F::State>>,
    /// To be given up as soon as what is open is settled.
    leaving: Option<BTreeSet<i32>>,
    holds: Vec<i32>,
    /// And the number of records that were taken for them.
    in_flight: Option<(Vec<Arc<Unit>>, usize)>,
    publish_at: Tick,
}

#[derive(Debug)]
enum Seat<S> {
    /// Not read; begun at `again`, and why not before, as it was said.
    Waiting {
        again: Tick,
        why: String,
    },
    Reading(Reading<S>),
}

#[derive(Debug)]
struct Reading<S> {
    state: S,
    next: i64,
    unit: Option<Box<Unit>>,
    /// Records in it.
    taken: usize,
    /// The schema for which the partition is held.
    awaits: Option<u32>,
}

impl<S> Seat<S> {
    const fn new(again: Tick) -> Self {
        Self::Waiting { again, why: String::new() }
    }
}

impl<F: Fold> Relay<F> {
    #[must_use]
    pub const fn new(fold: F, pace: Pace) -> Self {
        Self {
            fold,
            pace,
            seats: BTreeMap::new(),
            leaving: None,
            holds: Vec::new(),
            in_flight: None,
            publish_at: Tick(Duration::ZERO),
        }
    }

    /// What the source says; `false` when nothing more is to be taken before the next command.
    pub fn arrived(&mut self, arrival: Arrival<'_>) -> bool {
        match arrival {
            Arrival::Record(record) => return self.take(&record),
            Arrival::Assigned(partitions) => {
                if let Some(leaving) = &mut self.leaving {
                    leaving.retain(|partition| !partitions.contains(partition));
                }
                // Nothing comes before it is begun, whatever it was before.
                self.seats.extend(partitions.into_iter().map(|at| (at, Seat::new(Tick::default()))));
            }
            Arrival::Revoked(partitions) => self.leaving.get_or_insert_default().extend(partitions),
            Arrival::Lost(partitions) => self.seats.retain(|partition, _| !partitions.contains(partition)),
        }
        true
    }

    fn take(&mut self, record: &Record<'_>) -> bool {
        let Some(Seat::Reading(reading)) = self.seats.get_mut(&record.partition) else { return true };
        if record.offset < reading.next || reading.awaits.is_some() {
            return true;
        }
        let mut unit = reading.unit.take().unwrap_or_else(|| {
            let mut unit = Box::<Unit>::default();
            unit.reset(record.partition, 0, mark(reading.next));
            unit
        });
        match self.fold.take(&mut reading.state, record, &mut unit) {
            Ok(()) => {
                reading.next = record.offset.saturating_add(1);
                reading.taken += 1;
                unit.to = mark(reading.next);
            }
            Err(schema) => {
                reading.awaits = Some(schema);
                self.holds.push(record.partition);
            }
        }
        reading.unit = (reading.taken > 0).then_some(unit);
        reading.awaits.is_none() && reading.taken < self.pace.records_max
    }

    /// The next thing to do; `None`: wait for an arrival, an answer, or a moment.
    pub fn next(&mut self, now: Tick) -> Option<Command> {
        if let Some(partition) = self.holds.pop() {
            return Some(Command::Hold(partition));
        }
        if self.in_flight.is_some() {
            return None;
        }
        let is_full =
            |seat: &Seat<_>| matches!(seat, Seat::Reading(reading) if reading.taken >= self.pace.records_max);
        if (now >= self.publish_at || self.leaving.is_some() || self.seats.values().any(is_full))
            && let Some(units) = self.seal(now)
        {
            return Some(Command::Publish(units));
        }
        if let Some(leaving) = self.leaving.take() {
            self.seats.retain(|partition, _| !leaving.contains(partition));
            return Some(Command::Release(leaving.into_iter().collect()));
        }
        self.seats.iter_mut().find_map(|(partition, seat)| match seat {
            Seat::Waiting { again, .. } => (now >= *again).then_some(Command::Begin(*partition)),
            Seat::Reading(Reading { unit: None, awaits: Some(schema), .. }) if self.fold.knows(*schema) => {
                *seat = Seat::new(now);
                Some(Command::Begin(*partition))
            }
            Seat::Reading(_) => None,
        })
    }

    fn seal(&mut self, now: Tick) -> Option<Vec<Arc<Unit>>> {
        let (mut units, mut taken) = (Vec::new(), 0);
        for seat in self.seats.values_mut() {
            let Seat::Reading(reading) = seat else { continue };
            let Some(mut unit) = reading.unit.take() else { continue };
            self.fold.seal(&mut reading.state, &mut unit);
            taken += std::mem::take(&mut reading.taken);
            units.push(Arc::new(*unit));
        }
        if units.is_empty() {
            return None;
        }
        self.publish_at = now.plus(self.pace.publish_every);
        self.in_flight = Some((units.clone(), taken));
        Some(units)
    }

    /// Carries out [`Command::Begin`].
    ///
    /// # Errors
    /// [`Failure::Fatal`] only: anything else is tried again.
    pub fn begin(
        &mut self,
        partition: i32,
        ledger: &mut dyn Ledger,
        source: &mut dyn Source,
        now: Tick,
    ) -> Result<(), Failure> {
        let begun = self.look(partition, ledger).and_then(|(state, next)| {
            source.start(partition, next)?;
            self.fold.tell(&Told::Read { partition, offset: next, state: &state });
            Ok(Reading { state, next, unit: None, taken: 0, awaits: None })
        });
        let Some(seat) = self.seats.get_mut(&partition) else { return Ok(()) };
        match begun {
            Ok(reading) => *seat = Seat::Reading(reading),
            Err(failure @ Failure::Fatal(_)) => return Err(failure),
            Err(failure) => {
                let said = failure.to_string();
                if !matches!(seat, Seat::Waiting { why, .. } if *why == said) {
                    self.fold.tell(&Told::NotRead(&failure));
                }
                *seat = Seat::Waiting { again: now.plus(RETRY_AFTER), why: said };
            }
        }
        Ok(())
    }

    fn look(&mut self, partition: i32, ledger: &mut dyn Ledger) -> Result<(F::State, i64), Failure> {
        let ground = ledger.ground(partition)?;
        if let Some(Hanging { topic, partition, offset, .. }) = &ground.hanging {
            return Err(Failure::Unreachable(format!(
                "a transaction is open in `{topic}` partition {partition} from offset {offset} on"
            )));
        }
        let (state, offset) = self.fold.begin(partition, &ground, ledger)?;
        let to = ground.input.start;
        if offset < to {
            // What is gone cannot be waited for.
            self.fold.tell(&Told::Deleted { partition, from: offset, to });
        }
        Ok((state, offset.max(to)))
    }

    /// The answer to [`Command::Publish`].
    pub fn published(&mut self, outcome: Result<(), &Failure>, now: Tick) {
        let (units, taken) = self.in_flight.take().unwrap_or_default();
        self.fold.settled(&units, taken, outcome);
        for unit in units.iter().filter(|_| outcome.is_err()) {
            if let Some(seat) = self.seats.get_mut(&unit.partition) {
                *seat = Seat::new(now.plus(RETRY_AFTER));
            }
        }
    }
}

/// There is no chain to go on with.
const fn mark(offset: i64) -> Mark {
    Mark { offset, chain: Digest::ZERO }
}

const RETRY_AFTER: Duration = Duration::from_millis(500);
