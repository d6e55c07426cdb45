//! Dispatch: a worker's lanes, and what is to be done next.
//!
//! ```text
//!  assigned ─▶ TakeOver ─▶ ready ─▶ Start ─▶ offer… ─▶ Publish ─▶ published ─▶ Checkpoint
//!                            └─▶ Verify, beside the rest, after a clean stop
//!  revoked  ─▶ Publish ─▶ Checkpoint ─▶ Close ─▶ Release        lost ─▶ silence
//! ```
//!
//! One transaction is under way at a time and carries one unit of each lane that has something;
//! meanwhile the lanes go on deciding, up to the limits of the next. The runtime asks for the next
//! [`Command`], carries it out, and says how it ended; it has no choice of its own.

mod outcomes;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::invariants::Broken;
use super::lane::{Lane, Offered, Settings, With};
use crate::ports::clock::Tick;
use crate::ports::ledger::Unit;
use crate::ports::source::Record;
use crate::ports::store::{Batch, StoreError};

/// How often, and how much at once.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub commit_interval: Duration,
    pub unit_records_max: usize,
    pub unit_bytes_max: usize,
    pub checkpoint_interval: Duration,
    pub checkpoint_bytes: usize,
    /// How long an open transaction in a lane's output is waited for, before the lane is stopped: the
    /// broker ends a dead process's within this.
    pub hanging_patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(20),
            unit_records_max: 5_000,
            unit_bytes_max: 8 << 20,
            checkpoint_interval: Duration::from_secs(10),
            checkpoint_bytes: 64 << 20,
            hanging_patience: Duration::from_secs(20),
        }
    }
}

/// What to do. Each is answered before the next is asked for, but for [`Command::Publish`], which
/// may run beside offering and checkpoints.
#[derive(Clone, Debug)]
pub enum Command {
    /// [`super::restore::take_over`], then [`Dispatch::ready`] or [`Dispatch::troubled`].
    TakeOver(i32),
    /// `source.start`, then [`Dispatch::started`].
    Start { partition: i32, offset: i64 },
    /// `ledger.publish`, then [`Dispatch::published`].
    Publish(Vec<Arc<Unit>>),
    /// The last outcome is unknown: `ledger.ground` of each, then [`Dispatch::answered`].
    Ask(Vec<i32>),
    /// `store.apply_batch`, and `store.flush` before long; then [`Dispatch::checkpointed`].
    Checkpoint { partition: i32, batch: Arc<Batch> },
    /// `store.verify_some` until it is through, beside everything else; then [`Dispatch::verified`].
    Verify(i32),
    /// `store.close`. A failure only makes the next start slower.
    Close { partition: i32, filter: Vec<u8> },
    /// `source.release`.
    Release(Vec<i32>),
}

#[derive(Debug)]
enum Seat {
    /// Not taken over yet; tried again at `again`, after so many failures.
    Waiting {
        again: Tick,
        failures: u32,
    },
    /// Somebody's transaction is open in its output: looked at again at `again`, given up at `until`.
    Hanging {
        again: Tick,
        until: Tick,
    },
    /// `until` is that of [`Seat::Hanging`], if it was.
    TakingOver {
        until: Option<Tick>,
        failures: u32,
    },
    Running(Box<Lane>),
    /// Must not be served; a person has to act.
    Refused,
}

impl Seat {
    const fn new() -> Self {
        Self::Waiting { again: Tick(Duration::ZERO), failures: 0 }
    }
}

#[derive(Debug)]
pub struct Dispatch {
    settings: Arc<Settings>,
    pace: Pace,
    seats: BTreeMap<i32, Seat>,
    /// To be given up as soon as what is open is settled.
    leaving: BTreeSet<i32>,
    closed: BTreeSet<i32>,
    /// Partitions of the transaction under way, in the order of its units.
    in_flight: Option<Vec<i32>>,
    /// Partitions whose last outcome is unknown, and whether the question is out.
    doubt: Vec<i32>,
    asked: bool,
    starts: Vec<(i32, i64)>,
    /// Stores that serve and have not been read through since their clean stop.
    unverified: Vec<i32>,
    opened_at: Option<Tick>,
    checkpointed_at: Tick,
    /// Checkpoints of this round that were not handed out yet.
    due: BTreeSet<i32>,
    retry_at: Option<Tick>,
    failures: u32,
    fatal: Option<String>,
    broken: Broken,
}

impl Dispatch {
    #[must_use]
    pub fn new(settings: Arc<Settings>, pace: Pace, now: Tick) -> Self {
        Self {
            settings,
            pace,
            seats: BTreeMap::new(),
            leaving: BTreeSet::new(),
            closed: BTreeSet::new(),
            in_flight: None,
            doubt: Vec::new(),
            asked: false,
            starts: Vec::new(),
            unverified: Vec::new(),
            opened_at: None,
            checkpointed_at: now,
            due: BTreeSet::new(),
            retry_at: None,
            failures: 0,
            fatal: None,
            broken: Broken::default(),
        }
    }

    // ---- what arrives

    pub fn assigned(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.leaving.remove(partition);
            self.seats.entry(*partition).or_insert_with(Seat::new);
        }
    }

    /// Finishes what is open, then hands out [`Command::Release`].
    pub fn revoked(&mut self, partitions: &[i32]) {
        self.leaving.extend(partitions);
    }

    /// Somebody else may already own them: everything of theirs is dropped, in silence.
    pub fn lost(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.forget(*partition);
        }
    }

    /// Ends in good order: as if everything were revoked.
    pub fn stop(&mut self) {
        self.leaving.extend(self.seats.keys().copied().collect::<Vec<_>>());
    }

    /// Decides one record. Ask [`Dispatch::is_full`] before.
    ///
    /// # Errors
    /// When the lane's store is damaged: the lane is already being restored; log it.
    pub fn offer(&mut self, record: &Record<'_>, with: &With<'_>, now: Tick) -> Result<Offered, StoreError> {
        let Some(Seat::Running(lane)) = self.seats.get_mut(&record.partition) else {
            return Ok(Offered::Old);
        };
        if self.leaving.contains(&record.partition) {
            return Ok(Offered::Old);
        }
        match lane.offer(record, with) {
            Ok(offered) => {
                if offered != Offered::Old && self.opened_at.is_none() {
                    self.opened_at = Some(now);
                }
                Ok(offered)
            }
            Err(error) => {
                self.take_over_again(record.partition);
                Err(error)
            }
        }
    }

    /// Whether no more records can be taken now: the source is to be paused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let (records, bytes) = self.open();
        records >= self.pace.unit_records_max || bytes >= self.pace.unit_bytes_max
    }

    /// Whether as much waits for a checkpoint as may: one that is under way has to end.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.lanes().map(Lane::overlay_bytes).sum::<usize>() >= self.pace.checkpoint_bytes
    }

    // ---- what to do

    /// The next thing to do; `None`: wait for a record, an answer, or [`Dispatch::wake_at`].
    pub fn next(&mut self, now: Tick) -> Option<Command> {
        if self.fatal.is_some() {
            return None;
        }
        if let Some((partition, offset)) = self.starts.pop() {
            return Some(Command::Start { partition, offset });
        }
        if let Some(partition) = self.unverified.pop() {
            return Some(Command::Verify(partition));
        }
        if self.in_flight.is_some() || self.asked {
            return self.next_checkpoint(now);
        }
        if self.retry_at.is_some_and(|at| now < at) {
            return self.next_checkpoint(now);
        }
        self.retry_at = None;
        if !self.doubt.is_empty() {
            self.asked = true;
            return Some(Command::Ask(self.doubt.clone()));
        }
        if self.publish_is_due(now)
            && let Some(units) = self.seal()
        {
            return Some(Command::Publish(units));
        }
        if let Some(command) = self.next_of_leaving() {
            return Some(command);
        }
        if let Some(partition) = self.next_to_take_over(now) {
            return Some(Command::TakeOver(partition));
        }
        self.next_checkpoint(now)
    }

    /// When [`Dispatch::next`] may have something although nothing arrived.
    #[must_use]
    pub fn wake_at(&self) -> Tick {
        let checkpoint = self.checkpointed_at.plus(self.pace.checkpoint_interval);
        let publish = self.opened_at.map(|at| at.plus(self.pace.commit_interval));
        let again = self.seats.values().filter_map(|seat| match seat {
            Seat::Waiting { again, .. } | Seat::Hanging { again, .. } => Some(*again),
            _ => None,
        });
        again.chain(publish).chain(self.retry_at).fold(checkpoint, Ord::min)
    }

    fn next_to_take_over(&mut self, now: Tick) -> Option<i32> {
        self.seats.iter_mut().find_map(|(partition, seat)| {
            let (until, failures) = match seat {
                Seat::Waiting { again, failures } if now >= *again => (None, *failures),
                Seat::Hanging { again, until } if now >= *again => (Some(*until), 0),
                _ => return None,
            };
            *seat = Seat::TakingOver { until, failures };
            Some(*partition)
        })
    }

    fn publish_is_due(&self, now: Tick) -> bool {
        let (records, bytes) = self.open();
        let waited = self.opened_at.is_some_and(|at| now.since(at) >= self.pace.commit_interval);
        let full = records >= self.pace.unit_records_max || bytes >= self.pace.unit_bytes_max;
        records > 0 && (waited || full || !self.leaving.is_empty() || self.lanes().any(Lane::urgent))
    }

    fn seal(&mut self) -> Option<Vec<Arc<Unit>>> {
        let units: Vec<_> = self.lanes_mut().filter_map(Lane::seal).collect();
        self.opened_at = None;
        if units.is_empty() {
            return None;
        }
        self.in_flight = Some(units.iter().map(|unit| unit.partition).collect());
        Some(units)
    }

    fn next_of_leaving(&mut self) -> Option<Command> {
        for partition in self.leaving.clone() {
            let Some(Seat::Running(lane)) = self.seats.get_mut(&partition) else { continue };
            if self.closed.contains(&partition) {
                continue;
            }
            if let Some(batch) = lane.checkpoint() {
                return Some(Command::Checkpoint { partition, batch });
            }
            self.closed.insert(partition);
            if let Some(filter) = lane.close() {
                return Some(Command::Close { partition, filter });
            }
        }
        if self.leaving.is_empty() {
            return None;
        }
        let left: Vec<_> = std::mem::take(&mut self.leaving).into_iter().collect();
        for partition in &left {
            self.forget(*partition);
        }
        Some(Command::Release(left))
    }

    fn next_checkpoint(&mut self, now: Tick) -> Option<Command> {
        let waited = now.since(self.checkpointed_at) >= self.pace.checkpoint_interval;
        if self.due.is_empty() && (waited || self.is_heavy()) {
            self.checkpointed_at = now;
            self.due = self.seats.keys().copied().collect();
        }
        while let Some(partition) = self.due.pop_first() {
            let Some(Seat::Running(lane)) = self.seats.get_mut(&partition) else { continue };
            if let Some(batch) = lane.checkpoint() {
                return Some(Command::Checkpoint { partition, batch });
            }
        }
        None
    }

    /// Drops the lane and begins it anew, from what the broker and the store say.
    fn take_over_again(&mut self, partition: i32) {
        self.starts.retain(|(at, _)| *at != partition);
        self.unverified.retain(|at| *at != partition);
        if let Some(seat) = self.seats.get_mut(&partition) {
            *seat = Seat::new();
        }
    }

    fn forget(&mut self, partition: i32) {
        self.seats.remove(&partition);
        self.leaving.remove(&partition);
        self.closed.remove(&partition);
        self.due.remove(&partition);
        self.starts.retain(|(at, _)| *at != partition);
        self.unverified.retain(|at| *at != partition);
        self.doubt.retain(|at| *at != partition);
    }
}
