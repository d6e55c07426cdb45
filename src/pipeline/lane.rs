//! A lane: the state machine of one input partition. It decides records, seals units, learns what
//! became of them, and never waits.
//!
//! ```text
//!            offer            seal               committed
//!  record ─────────▶ open unit ─────▶ pending unit ─────────▶ overlay ──checkpoint──▶ store
//!                        ▲               │ aborted
//!                        └── rewind to the committed mark ◀──┘
//! ```
//!
//! While a unit is pending the lane goes on deciding on top of it; an abort drops both and rewinds.
//! Parts are encoded when a unit is sealed, the last version of each: a user who logs in a hundred
//! times in 20 ms costs one changelog record.
//!
//! A record that makes a detector panic is rejected, and the profile is what it was before.

mod reading;
mod refused;
mod standing;
mod words;
mod writing;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) use self::refused::panicked;
use self::refused::{Refused, fallback_id, refused_detail};
pub use self::standing::Stand;
pub use self::words::{AlertRendering, Offered, Rendering, Settings, With};

use super::cache::{Cache, Seat};
use super::filter::Filter;
use super::intake;
use super::invariants::Broken;
use super::overlay::Overlay;
use super::recover::{Gap, Plan};
use super::traced::Begun;
use super::wire;
use crate::engine::baseline::Profile;
use crate::engine::decode::{self, How, Rejected};
use crate::engine::enrich::Enricher;
use crate::engine::step::{Stepped, step};
use crate::model::Reject;
use crate::model::id::Position;
use crate::model::time::Timestamp;
use crate::ports::ledger::{Mark, Output, Positions, Unit};
use crate::ports::source::Record;
use crate::ports::stages::Stage;
use crate::ports::store::{Batch, Spot, StoreError};

#[derive(Debug)]
pub struct Lane {
    partition: i32,
    settings: Arc<Settings>,
    /// What the broker has, and where its output stands.
    committed: Spot,
    /// What the store has.
    stored: Option<Spot>,
    /// Observations held in it.
    held: u64,
    /// Own time of the last record that is committed.
    recorded_at: Option<Timestamp>,
    /// After the last record that was offered.
    tip: Mark,
    open: Open,
    pending: Option<Pending>,
    cache: Cache,
    overlay: Overlay,
    stored_lately: reading::Lately,
    filter: Filter,
    enricher: Enricher,
    /// Input that must be rejected when it comes again, and why.
    refused: BTreeMap<i64, Reject>,
    gap: Option<Gap>,
    /// Records that come before the runtime has started again at the mark are not ours to take.
    rewinding: bool,
    broken: Broken,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Open {
    unit: Unit,
    number: u64,
    touched: Vec<Seat>,
    offered: usize,
    urgent: bool,
}

#[derive(Debug)]
struct Pending {
    unit: Arc<Unit>,
    touched: Vec<Seat>,
    /// One of its profiles is not at hand any more, after a panic.
    is_forgotten: bool,
}

#[derive(Debug, Default)]
struct Scratch {
    key: Vec<u8>,
    value: Vec<u8>,
    id: String,
    /// The seat that a step is working on, and what sat there before if that stands nowhere else.
    at_risk: Option<(Seat, Option<Box<Profile>>)>,
    unit: Option<Unit>,
    touched: Vec<Seat>,
}

impl Lane {
    /// A lane whose store is where `plan` says (see [`super::restore`]). `filter` knows every user in it,
    /// whose `held` observations wait for an answer.
    #[must_use]
    pub fn new(partition: i32, settings: Arc<Settings>, plan: &Plan, filter: Filter, held: u64) -> Self {
        let spot = Spot { mark: plan.mark, positions: plan.positions };
        let mut lane = Self {
            partition,
            cache: Cache::new(settings.profiles_cached, settings.hash_seed),
            overlay: Overlay::new(settings.hash_seed),
            stored_lately: reading::Lately::default(),
            settings,
            committed: spot,
            stored: Some(spot),
            held,
            recorded_at: None,
            tip: plan.mark,
            open: Open::default(),
            pending: None,
            filter,
            enricher: Enricher::default(),
            refused: BTreeMap::new(),
            gap: plan.gap,
            rewinding: true,
            broken: Broken::default(),
            scratch: Scratch::default(),
        };
        lane.begin();
        lane
    }

    /// Decides one record.
    ///
    /// # Errors
    /// When the store cannot say what it knows of the user: nothing was decided, and the partition
    /// must be restored.
    pub fn offer(&mut self, record: &Record<'_>, with: &With<'_>) -> Result<Offered, StoreError> {
        if self.rewinding || record.offset < self.tip.offset {
            return Ok(Offered::Old);
        }
        let traced = with.tracer.and_then(|tracer| Begun::of(record, &self.settings, tracer));
        let here = self.open.unit.here();
        let taken = catch_unwind(AssertUnwindSafe(|| self.take(record, with)));
        let taken = match taken {
            Ok(Err(Refused::Store(error))) => return Err(error),
            Ok(Err(Refused::Record(rejected))) => Err(rejected),
            Ok(Ok(done)) => Ok(done),
            Err(panic) => Err(panicked(panic.as_ref())),
        };
        let offered = match taken {
            Ok((offered, chain)) => {
                self.scratch.at_risk = None;
                self.tip.chain = chain;
                offered
            }
            Err(rejected) => {
                self.open.unit.cut(here);
                self.undo();
                self.reject(record, &rejected);
                Offered::Rejected(rejected.reason)
            }
        };
        self.open.unit.note(traced.map(|traced| traced.ended(record.offset, &offered)));
        self.open.unit.tally.arrived(record.recorded_at);
        self.tip.offset = record.offset.saturating_add(1);
        self.open.offered += 1;
        Ok(offered)
    }

    fn take(
        &mut self,
        record: &Record<'_>,
        with: &With<'_>,
    ) -> Result<(Offered, crate::model::id::Digest), Refused> {
        if let Some(reason) = self.refused.get(&record.offset) {
            return Err(Refused::Record(intake::reject(*reason, refused_detail(*reason).into())));
        }
        let settings = Arc::clone(&self.settings);
        let key = intake::keyed(record.key)?;
        let value = record.value.unwrap_or_default();
        let mut id = std::mem::take(&mut self.scratch.id);
        fallback_id(&mut id, &settings.topic, record);
        let done = self.decide(record, key, value, &id, &settings, with);
        self.scratch.id = id;
        done
    }

    fn decide(
        &mut self,
        record: &Record<'_>,
        key: &[u8],
        value: &[u8],
        id: &str,
        settings: &Settings,
        with: &With<'_>,
    ) -> Result<(Offered, crate::model::id::Digest), Refused> {
        let how = How { format: settings.format, headers: record.headers, writers: with.writers };
        let decoded = decode::decode(value, how, id, record.recorded_at, &settings.limits)?;
        intake::placed(key, &decoded.event, self.partition, settings.partitions)?;
        with.lap(Stage::Decode);
        let mut seen = self.enricher.enrich(decoded.event, with.tables);
        seen.facts.across = with.across.look_up(&seen);
        with.lap(Stage::Enrich);
        let kind = seen.event.kind();
        let seat = self.seat(key, kind, with.store)?;
        let position = Position {
            topic: Some(settings.topic.as_str().into()),
            partition: self.partition,
            offset: record.offset,
        };
        let Some(profile) = self.cache.profile_mut(seat) else {
            return Err(Refused::lost_seat(self.partition));
        };
        let changed = !profile.changed().is_empty();
        // Cloned only for a user whom the open unit has changed already: others can be read again.
        self.scratch.at_risk = Some((seat, changed.then(|| Box::new(profile.clone()))));
        with.lap(Stage::Load);
        let stepped = step(profile, &seen, position, &with.setting);
        if !profile.changed().is_empty() && self.cache.touch(seat) {
            self.open.touched.push(seat);
        }
        let ruling = match stepped {
            Stepped::Duplicate => {
                self.open.unit.tally.duplicate();
                return Ok((Offered::Duplicate, self.tip.chain));
            }
            Stepped::Missing(part) => {
                return Err(Refused::damaged(self.partition, &format!("part `{part}` is gone")));
            }
            Stepped::Decided(ruling) => ruling,
        };
        with.lap(Stage::Step);
        let here = self.open.unit.here();
        let (offered, chain) = self.write(record.offset, key, kind, &ruling, settings, with);
        self.tell(record.offset, &seen, ruling.sightings);
        if self.open.unit.largest_since(here) > settings.record_bytes_max {
            return Err(Refused::Record(intake::reject(
                Reject::TooLarge,
                refused_detail(Reject::TooLarge).into(),
            )));
        }
        self.open.urgent |= !ruling.revocations.is_empty();
        self.open.unit.tally.decided(&ruling.decision, ruling.alert.is_some(), ruling.revocations.len());
        if seen.event.is_erasure() {
            self.open.unit.tally.erased();
        }
        Ok((offered, chain))
    }

    /// What the step had done to the profile did not happen.
    fn undo(&mut self) {
        let Some((seat, before)) = self.scratch.at_risk.take() else { return };
        match (before, self.cache.profile_mut(seat)) {
            (Some(before), Some(profile)) => *profile = *before,
            _ => {
                // The seat will be somebody else's: no list may name it.
                self.open.touched.retain(|touched| *touched != seat);
                if let Some(pending) = &mut self.pending {
                    pending.touched.retain(|touched| *touched != seat);
                    pending.is_forgotten = true;
                }
                self.cache.forget(seat);
            }
        }
    }

    fn reject(&mut self, record: &Record<'_>, rejected: &Rejected) {
        let settings = Arc::clone(&self.settings);
        self.open.unit.tally.rejected(rejected.reason);
        self.scratch.id.clear();
        fallback_id(&mut self.scratch.id, &settings.topic, record);
        let key = self.open.unit.key(self.scratch.id.as_bytes());
        self.open.unit.push(Output::Rejected, record.offset, key, |out| {
            wire::rejected(rejected, &settings.topic, record, None, settings.rejected, out);
        });
    }

    /// Closes the open unit, if anything was offered since the last.
    pub fn seal(&mut self) -> Option<Arc<Unit>> {
        if self.pending.is_some() || self.open.unit.from.offset == self.tip.offset {
            return None;
        }
        let offset = self.tip.offset.saturating_sub(1);
        let mut written = false;
        for seat in &self.open.touched {
            let Some((user, profile)) = self.cache.entry_mut(*seat) else { continue };
            let (unit, key) = (&mut self.open.unit, &mut self.scratch.key);
            profile.take_changes(&mut self.scratch.value, |part, state| {
                key.clear();
                part.write_key(user, key);
                let at = unit.key(key);
                match state {
                    Some(state) => {
                        unit.push(Output::Profiles, offset, at, |out| wire::profile(part, state, out))
                    }
                    None => unit.push_end(Output::Profiles, offset, at),
                }
                written = true;
            });
        }
        for seat in &self.open.touched {
            self.cache.pin(*seat);
        }
        let unit = &mut self.open.unit;
        if !written && !unit.is_empty() {
            // The changelog must say how far this came, even where nobody learned anything: when the
            // group's offsets are gone, what was rejected would be rejected again.
            let at = unit.key(wire::MARK_KEY);
            unit.push(Output::Profiles, offset, at, wire::mark);
        }
        unit.to = self.tip;
        self.broken.unit_follows(unit, self.committed.mark);

        let next = self.scratch.unit.take().unwrap_or_default();
        let unit = Arc::new(std::mem::replace(&mut self.open.unit, next));
        let touched = std::mem::replace(&mut self.open.touched, std::mem::take(&mut self.scratch.touched));
        self.pending = Some(Pending { unit: Arc::clone(&unit), touched, is_forgotten: false });
        self.begin_at(self.tip);
        Some(unit)
    }

    /// The pending unit is committed.
    pub fn committed(&mut self, positions: Positions) {
        let Some(Pending { unit, mut touched, .. }) = self.pending.take() else { return };
        for record in unit.records().filter(|record| record.output == Output::Profiles) {
            if record.key != wire::MARK_KEY {
                self.overlay.put(record.key, record.value);
            }
        }
        for seat in touched.drain(..) {
            self.cache.unpin(seat);
        }
        self.committed = Spot { mark: unit.to, positions: self.committed.positions.then(positions) };
        self.recorded_at = unit.tally.last_arrival().or(self.recorded_at);
        self.gap = None;
        self.refused = self.refused.split_off(&unit.to.offset);
        self.scratch.touched = touched;
        // The runtime may still hold it; then its buffers are not reused.
        self.scratch.unit = Arc::try_unwrap(unit).ok();
    }

    /// Nothing of the pending unit counts: forgets it and the open one. The runtime starts the
    /// source again at the offset returned, then says [`Lane::started`].
    pub fn aborted(&mut self) -> i64 {
        let pending = self.pending.take().map(|pending| pending.touched).unwrap_or_default();
        for seat in pending.into_iter().chain(self.open.touched.drain(..)) {
            self.cache.forget(seat);
        }
        self.begin();
        self.rewinding = true;
        self.tip.offset
    }

    /// The outcome of the pending unit was unknown; the broker says that its mark is `mark`, and
    /// `positions` are those of the last decision and of the changelog's end, if it could tell.
    /// `None`: it is neither the mark before the unit nor the one after, so another owner has written.
    pub fn settle(&mut self, mark: Mark, positions: Positions) -> Option<Settled> {
        let to = self.pending.as_ref().map(|pending| pending.unit.to);
        if Some(mark) == to {
            // An older place in the changelog only makes a replay longer; a decision that is not the
            // mark's would be read back in vain.
            self.committed.positions.decision = None;
            self.committed(positions);
            return Some(Settled::Committed);
        }
        (mark == self.committed.mark).then(|| Settled::Aborted { start: self.aborted() })
    }

    /// The source reads from the lane's next offset.
    pub fn started(&mut self) {
        self.rewinding = false;
    }

    /// Rejects the record at `offset` when it comes again.
    pub fn refuse(&mut self, offset: i64, reason: Reject) {
        self.refused.insert(offset, reason);
    }

    /// Everything committed since the last checkpoint, as one batch. `None` when there is nothing,
    /// or while one is under way.
    pub fn checkpoint(&mut self) -> Option<Arc<Batch>> {
        if self.is_stored() {
            return None;
        }
        let batch = self.overlay.drain(self.committed)?;
        for (key, _) in batch.parts.iter().filter(|(_, value)| value.is_some()) {
            self.filter.add_core(key);
        }
        Some(batch)
    }

    /// The store has the batch, and `held` observations in all.
    pub fn checkpointed(&mut self, batch: &Batch, held: u64) {
        self.overlay.drained();
        self.stored_lately.clear();
        self.held = held;
        if let Some(spot) = &batch.place {
            self.broken.store_is_behind(spot.mark, self.committed);
            self.stored = Some(*spot);
        }
    }

    /// For [`close`](crate::ports::store::StateStore::close). Only after everything committed is checkpointed.
    #[must_use]
    pub fn close(&self) -> Option<Vec<u8>> {
        (self.overlay.is_drained() && self.is_stored()).then(|| self.filter.encode())
    }

    /// Starts the open unit anew at the committed mark.
    fn begin(&mut self) {
        self.begin_at(self.committed.mark);
        if let Some(gap) = self.gap {
            let settings = Arc::clone(&self.settings);
            let record = Record {
                partition: self.partition,
                offset: gap.from,
                recorded_at: None,
                key: None,
                value: None,
                headers: &[],
            };
            let detail = format!(
                "input from offset {} to {} was deleted by retention before it was read; accepted with --accept-gap",
                gap.from, gap.to
            );
            self.scratch.id.clear();
            fallback_id(&mut self.scratch.id, &settings.topic, &record);
            self.open.unit.tally.rejected(Reject::Gap);
            let key = self.open.unit.key(self.scratch.id.as_bytes());
            self.open.unit.push(Output::Rejected, gap.from, key, |out| {
                wire::rejected(
                    &intake::reject(Reject::Gap, detail),
                    &settings.topic,
                    &record,
                    Some(gap.to),
                    settings.rejected,
                    out,
                );
            });
            self.tip.offset = gap.to;
        }
    }

    fn begin_at(&mut self, mark: Mark) {
        self.tip = mark;
        self.open.number += 1;
        self.open.offered = 0;
        self.open.urgent = false;
        self.open.unit.reset(self.partition, self.open.number, mark);
    }
}

/// What the broker's mark said about a unit in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    Committed,
    Aborted { start: i64 },
}

/// A core part of at most 600 bytes on average, a journal chunk, two keys.
const CHANGELOG_BYTES_A_USER: usize = 1024;
