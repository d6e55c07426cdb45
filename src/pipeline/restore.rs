//! Taking over a partition: ask, plan, bring the store to the mark.
//!
//! The store is put back where the plan says before anything is served, and never serves a state
//! that it cannot place: the last change read must carry the chain of the broker's mark.
//!
//! Broken off half-way, a restore leaves a store without a place, which the next one drops; a replay
//! leaves a store with its old place and some newer parts, which the next one writes again.

use std::fmt;

use super::filter::Filter;
use super::recover::{self, Because, Plan, Refusal, Sought, Way, Wishes};
use super::wire;
use crate::engine::baseline::Part;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Change, Counted, Hanging, Ledger, Mark};
use crate::ports::store::{Batch, Checkpoint, Spot, StateStore, StoreError, by_user};

/// A partition whose store is at its mark.
#[derive(Clone, Debug)]
pub struct Taken {
    pub plan: Plan,
    /// Knows every user in the store.
    pub filter: Filter,
    /// The store's sign of a clean close was there: it has not been read through since.
    pub unverified: bool,
    /// Records of the changelog that it took.
    pub changes: u64,
    /// Observations held in the store.
    pub held: u64,
}

/// How far a replay or a restore has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub partition: i32,
    pub records: u64,
    pub offset: i64,
    pub end: i64,
    /// `None` for a replay.
    pub because: Option<Because>,
}

/// Why a partition could not be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    Broker(Failure),
    Store(StoreError),
    /// It must not be served; the message says what to do.
    Refused {
        partition: i32,
        refusal: Refusal,
    },
    /// Somebody's transaction is open in the partition's output.
    Hangs(Hanging),
    /// `progress` said so: the partition is no longer ours.
    BrokenOff,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(failure) => failure.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Refused { partition, refusal } => {
                write!(f, "partition {partition} is not served: {refusal}")
            }
            Self::Hangs(Hanging { topic, partition, offset, counted }) => {
                write!(
                    f,
                    "a transaction hangs in `{topic}` partition {partition} at offset {offset}: writing there could make \
                     records of a dead process visible; end it with `kafka-transactions.sh --bootstrap-server HOST:PORT abort \
                     --topic {topic} --partition {partition} --start-offset {offset}`"
                )?;
                if let Some(Counted { group, input, offset }) = counted {
                    write!(
                        f,
                        "; the offset {offset} of group `{group}` counts as done what it holds: stop all processes of the \
                         group, wait for their sessions to end, take it back with `kafka-consumer-groups.sh \
                         --bootstrap-server HOST:PORT --group {group} --topic {input}:{partition} --delete-offsets`, and \
                         what is published says where to go on"
                    )?;
                }
                f.write_str("; then start again")
            }
            Self::BrokenOff => f.write_str("the partition was given up while it was restored"),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Broker(failure)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes over `partition`. `known` are the users in the store, from whoever has kept it open until now;
/// who they are is found under `hash_seed` else. `progress` is told of every batch that is read, and ends it by `false`.
///
/// A damaged store is dropped and restored. The call blocks as long as that takes.
///
/// # Errors
/// See [`Trouble`].
pub fn take_over(
    partition: i32,
    ledger: &mut dyn Ledger,
    store: &dyn StateStore,
    known: Option<Filter>,
    hash_seed: u64,
    wishes: Wishes,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<Taken, Trouble> {
    let (checkpoint, mut filter, unverified) = open(partition, store, known, hash_seed)?;
    let spot = checkpoint.place;
    let ground = ledger.ground(partition)?;
    if let Some(hanging) = ground.hanging {
        return Err(Trouble::Hangs(hanging));
    }
    let read_back = match recover::question(spot.as_ref(), &ground) {
        Some(Sought::At(offset)) => ledger.read_back(partition, offset)?,
        Some(Sought::Before(offset)) => ledger.decided_before(partition, offset)?,
        None => None,
    };
    let refused = |refusal| Trouble::Refused { partition, refusal };
    let mut plan = recover::plan(spot.as_ref(), &ground, read_back, wishes).map_err(refused)?;
    let (from, because) = match plan.way {
        Way::Continue => {
            return Ok(Taken { plan, filter, unverified, changes: 0, held: checkpoint.held });
        }
        Way::Fresh => {
            store.drop_partition(partition)?;
            store.apply_batch(partition, &Batch { parts: Vec::new(), place: Some(spot_of(&plan)) })?;
            return Ok(Taken { plan, filter: filter.anew(), unverified: false, changes: 0, held: 0 });
        }
        Way::Replay { from } => (from, None),
        Way::Restore(because) => {
            store.drop_partition(partition)?;
            filter = filter.anew();
            (ground.profiles.start, Some(because))
        }
    };
    let mut write = |batch: &Batch| {
        filter.add_batch(batch);
        store.apply_batch(partition, batch)
    };
    let mut filling = Filling::new(partition, &mut write);
    if because.is_none() {
        // Units that decided nothing leave no change behind: the store's own mark counts.
        filling.last = spot.map(|spot| spot.mark);
    }
    let end = ledger.changes(partition, from, &mut |change| {
        let (offset, end) = (change.offset, ground.profiles.end);
        filling.visit(&change, |records| progress(Progress { partition, records, offset, end, because }))
    })?;
    filling.sound()?;
    plan.positions.profiles = Some(end);
    let held = filling.finish(&plan)?;
    let changes = filling.records;
    let unverified = unverified && because.is_none();
    Ok(Taken { plan, filter, unverified, changes, held })
}

/// What the store has; a damaged one has nothing.
fn open(
    partition: i32,
    store: &dyn StateStore,
    known: Option<Filter>,
    hash_seed: u64,
) -> Result<(Checkpoint, Filter, bool), Trouble> {
    let nothing = || (Checkpoint::default(), Filter::new(hash_seed), false);
    let found = match store.open(partition) {
        Ok(found) => found,
        Err(StoreError::Damaged { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    // Without a place it is a restore that was broken off, and not worth reading.
    let Some(found) = found.filter(|found| found.checkpoint.place.is_some()) else { return Ok(nothing()) };
    if let Some(filter) = found.filter.as_deref().and_then(Filter::decode).or(known) {
        return Ok((found.checkpoint, filter, true));
    }
    let mut filter = Filter::new(hash_seed);
    match store.verify(partition, &mut |user| filter.add(user)) {
        Ok(checkpoint) => Ok((checkpoint, filter, false)),
        Err(StoreError::Damaged { .. }) => Ok(nothing()),
        Err(error) => Err(error.into()),
    }
}

fn spot_of(plan: &Plan) -> Spot {
    Spot { mark: plan.mark, positions: plan.positions }
}

/// A store that is being filled from the changelog, a batch at a time.
pub(super) struct Filling<'s> {
    partition: i32,
    write: &'s mut dyn FnMut(&Batch) -> Result<Checkpoint, StoreError>,
    batch: Batch,
    bytes: usize,
    /// Of the last change taken.
    pub(super) last: Option<Mark>,
    pub(super) records: u64,
    /// Why the visit of the changelog was ended.
    trouble: Option<Trouble>,
}

impl<'s> Filling<'s> {
    pub(super) fn new(
        partition: i32,
        write: &'s mut dyn FnMut(&Batch) -> Result<Checkpoint, StoreError>,
    ) -> Self {
        Self { partition, write, batch: Batch::default(), bytes: 0, last: None, records: 0, trouble: None }
    }

    /// Takes one change; `false` ends the visit. `goes_on` is told of every batch that was written, and by
    /// how many records there were.
    pub(super) fn visit(&mut self, change: &Change<'_>, goes_on: impl FnOnce(u64) -> bool) -> bool {
        let done = match self.take(change) {
            Ok(true) if !goes_on(self.records) => Err(Trouble::BrokenOff),
            Ok(_) => Ok(()),
            Err(trouble) => Err(trouble),
        };
        self.trouble = done.err();
        self.trouble.is_none()
    }

    /// Whether all was visited that there was.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn sound(&mut self) -> Result<(), Trouble> {
        self.trouble.take().map_or(Ok(()), Err)
    }

    /// Takes one change; `true` when that filled a batch, which is then written.
    fn take(&mut self, change: &Change<'_>) -> Result<bool, Trouble> {
        let Change { key, value, mark, offset } = *change;
        let bad = |what: String| Trouble::Refused {
            partition: self.partition,
            refusal: Refusal::BadChange { offset, what },
        };
        let Some(mark) = mark else {
            return Err(bad("its headers `offset` and `chain` are missing or not in their form".into()));
        };
        self.last = Some(mark);
        self.records += 1;
        if key == wire::MARK_KEY {
            return Ok(false);
        }
        let Some((_, part)) = Part::split_key(key) else {
            return Err(bad(format!(
                "its key `{}` names no part that this version of ward knows",
                super::intake::shown(key)
            )));
        };
        if let Some(value) = value {
            wire::state(value, part).map_err(bad)?;
        }
        self.bytes += key.len() + value.map_or(0, <[u8]>::len);
        self.batch.parts.push((key.into(), value.map(Into::into)));
        let full = self.batch.parts.len() >= BATCH_PARTS || self.bytes >= BATCH_BYTES;
        if full {
            self.write(None)?;
        }
        Ok(full)
    }

    pub(super) fn write(&mut self, place: Option<Spot>) -> Result<Checkpoint, Trouble> {
        let parts = &mut self.batch.parts;
        // A stable sort, then of each key the last: as the changelog would be compacted.
        parts.sort_by(|(a, _), (b, _)| by_user(a, b));
        parts.reverse();
        parts.dedup_by(|(a, _), (b, _)| a == b);
        parts.reverse();
        self.batch.place = place;
        let checkpoint = (self.write)(&self.batch)?;
        self.batch.parts.clear();
        self.bytes = 0;
        Ok(checkpoint)
    }

    /// The changelog has ended; it must have ended at the plan's mark. Gives back how many observations
    /// are held.
    fn finish(&mut self, plan: &Plan) -> Result<u64, Trouble> {
        let untouched = self.last.is_none() && plan.mark.chain == crate::model::id::Digest::ZERO;
        let at_mark = self.last.is_some_and(|last| last.chain == plan.mark.chain);
        if !untouched && !at_mark {
            let refusal = Refusal::OtherEnd { expected: plan.mark, found: self.last };
            return Err(Trouble::Refused { partition: self.partition, refusal });
        }
        // Flushed with the next checkpoint: lost before that, it is restored again.
        Ok(self.write(Some(spot_of(plan)))?.held)
    }
}

/// A batch costs memory until it is written, and a fixed price when it is.
const BATCH_PARTS: usize = 2_000;
const BATCH_BYTES: usize = 4 << 20;
