//! Dispatch: a worker's lanes, and what is to be done next.
//!
//! ```text
//!  assigned ─▶ TakeOver ─▶ ready ─▶ Start ─▶ offer… ─▶ Publish ─▶ published ─▶ Checkpoint
//!  revoked  ─▶ Publish ─▶ Checkpoint ─▶ Close ─▶ Release        lost ─▶ silence
//! ```
//!
//! One transaction is under way at a time and carries one unit of each lane that has something;
//! meanwhile the lanes go on deciding, up to the limits of the next. The runtime asks for the next
//! [`Command`], carries it out, and says how it ended; it has no choice of its own.

mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::invariants::Broken;
use super::lane::{Lane, Offered, Settings, Settled, With};
use super::restore::{Taken, Trouble};
use crate::model::Reject;
use crate::ports::clock::Tick;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Mark, Positions, Unit, Witness};
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
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            commit_interval: Duration::from_millis(20),
            unit_records_max: 5_000,
            unit_bytes_max: 8 << 20,
            checkpoint_interval: Duration::from_secs(10),
            checkpoint_bytes: 64 << 20,
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
    /// `store.close`. A failure only makes the next start slower.
    Close { partition: i32, filter: Vec<u8> },
    /// `source.release`.
    Release(Vec<i32>),
}

#[derive(Debug)]
enum Seat {
    /// Not taken over yet.
    Waiting,
    TakingOver,
    Running(Box<Lane>),
    /// Must not be served; a person has to act.
    Refused,
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
            self.seats.entry(*partition).or_insert(Seat::Waiting);
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

    // ---- what to do

    /// The next thing to do; `None`: wait for a record, an answer, or [`Dispatch::wake_at`].
    pub fn next(&mut self, now: Tick) -> Option<Command> {
        if self.fatal.is_some() {
            return None;
        }
        if let Some((partition, offset)) = self.starts.pop() {
            return Some(Command::Start { partition, offset });
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
        let waiting = self.seats.iter_mut().find(|(_, seat)| matches!(seat, Seat::Waiting));
        if let Some((partition, seat)) = waiting {
            *seat = Seat::TakingOver;
            return Some(Command::TakeOver(*partition));
        }
        self.next_checkpoint(now)
    }

    /// When [`Dispatch::next`] may have something although nothing arrived.
    #[must_use]
    pub fn wake_at(&self) -> Tick {
        let checkpoint = self.checkpointed_at.plus(self.pace.checkpoint_interval);
        let publish = self.opened_at.map(|at| at.plus(self.pace.commit_interval));
        [publish, self.retry_at].into_iter().flatten().fold(checkpoint, Ord::min)
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
        let bytes: usize = self.lanes().map(Lane::overlay_bytes).sum();
        let waited = now.since(self.checkpointed_at) >= self.pace.checkpoint_interval;
        if self.due.is_empty() && (waited || bytes >= self.pace.checkpoint_bytes) {
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

    // ---- how it ended

    pub fn ready(&mut self, partition: i32, taken: Taken) {
        let Some(seat @ Seat::TakingOver) = self.seats.get_mut(&partition) else { return };
        self.failures = 0;
        let lane = Lane::new(partition, Arc::clone(&self.settings), &taken.plan, taken.filter);
        self.starts.push((partition, lane.next_offset()));
        *seat = Seat::Running(Box::new(lane));
    }

    /// Logged by the runtime; a refusal leaves the partition unserved, the rest is tried again.
    pub fn troubled(&mut self, partition: i32, trouble: &Trouble, now: Tick) {
        let Some(seat @ Seat::TakingOver) = self.seats.get_mut(&partition) else { return };
        match trouble {
            Trouble::Refused { .. } => *seat = Seat::Refused,
            Trouble::BrokenOff => self.forget(partition),
            Trouble::Broker(Failure::Fatal(why)) => self.fatal = Some(why.clone()),
            Trouble::Broker(_) | Trouble::Store(_) => {
                *seat = Seat::Waiting;
                self.back_off(now);
            }
        }
    }

    pub fn started(&mut self, partition: i32) {
        if let Some(Seat::Running(lane)) = self.seats.get_mut(&partition) {
            lane.started();
        }
    }

    /// The answer to [`Command::Publish`]: positions in the order of its units. After
    /// [`Failure::Fenced`] nothing is held any more, and the worker must join its group anew: what
    /// the group thinks that it owns may be more.
    pub fn published(&mut self, outcome: Result<Vec<Positions>, Failure>, now: Tick) {
        let partitions = self.in_flight.take().unwrap_or_default();
        match outcome {
            Ok(positions) => {
                self.failures = 0;
                self.broken.check(positions.len() == partitions.len(), "every unit is answered");
                for (partition, positions) in partitions.iter().zip(positions) {
                    if let Some(lane) = self.lane_mut(*partition) {
                        lane.committed(positions);
                    }
                }
            }
            Err(Failure::Aborted(_)) => {
                self.abort(&partitions);
                self.back_off(now);
            }
            Err(Failure::Unreachable(_)) => {
                self.abort(&partitions);
                self.back_off(now);
            }
            Err(Failure::TooLarge(what)) => {
                if let Some(lane) = self.lane_mut(what.partition) {
                    lane.refuse(what.offset, Reject::TooLarge);
                }
                self.abort(&partitions);
            }
            Err(Failure::Unknown(_)) => {
                self.doubt = partitions;
                self.back_off(now);
            }
            Err(Failure::Fenced(_)) => self.lost(&self.seats.keys().copied().collect::<Vec<_>>()),
            Err(Failure::Fatal(why)) => self.fatal = Some(why),
        }
    }

    /// The answer to [`Command::Ask`].
    pub fn answered(&mut self, outcome: Result<Vec<(i32, Ground)>, Failure>, now: Tick) {
        self.asked = false;
        let grounds = match outcome {
            Ok(grounds) => grounds,
            Err(Failure::Fatal(why)) => {
                self.fatal = Some(why);
                return;
            }
            Err(_) => return self.back_off(now),
        };
        self.doubt.clear();
        for (partition, ground) in grounds {
            let Some(lane) = self.lane_mut(partition) else { continue };
            let (mark, positions) = match (&ground.committed, ground.witness) {
                (Some(committed), witness) => {
                    let mark = Mark::parse(committed.offset, &committed.metadata);
                    let known = match witness {
                        Witness::Last(last, positions)
                            if mark.is_some_and(|mark| mark.chain == last.chain) =>
                        {
                            positions
                        }
                        _ => Positions::default(),
                    };
                    (mark, known)
                }
                // Nothing was ever committed: then the unit was not.
                (None, _) => (Some(lane.mark()), Positions::default()),
            };
            match mark.and_then(|mark| lane.settle(mark, positions)) {
                Some(Settled::Committed) => {}
                Some(Settled::Aborted { start }) => {
                    if !self.leaving.contains(&partition) {
                        self.starts.push((partition, start));
                    }
                }
                None => self.take_over_again(partition),
            }
        }
    }

    /// The answer to [`Command::Checkpoint`].
    pub fn checkpointed(&mut self, partition: i32, batch: &Batch, outcome: Result<(), &StoreError>) {
        match outcome {
            Ok(()) => {
                if let Some(lane) = self.lane_mut(partition) {
                    lane.checkpointed(batch);
                }
            }
            Err(_) => self.take_over_again(partition),
        }
    }

    fn abort(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let leaves = self.leaving.contains(partition);
            let Some(lane) = self.lane_mut(*partition) else { continue };
            let offset = lane.aborted();
            if !leaves {
                self.starts.push((*partition, offset));
            }
        }
    }

    /// Drops the lane and begins it anew, from what the broker and the store say.
    fn take_over_again(&mut self, partition: i32) {
        self.starts.retain(|(at, _)| *at != partition);
        if let Some(seat) = self.seats.get_mut(&partition) {
            *seat = Seat::Waiting;
        }
    }

    fn forget(&mut self, partition: i32) {
        self.seats.remove(&partition);
        self.leaving.remove(&partition);
        self.closed.remove(&partition);
        self.due.remove(&partition);
        self.starts.retain(|(at, _)| *at != partition);
        self.doubt.retain(|at| *at != partition);
    }

    fn back_off(&mut self, now: Tick) {
        let delay = BACK_OFF_FIRST.saturating_mul(1 << self.failures.min(BACK_OFF_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.plus(delay));
    }
}

const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
/// 20 ms to about 5 s.
const BACK_OFF_DOUBLINGS: u32 = 8;
