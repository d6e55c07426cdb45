//! Taking in what the source has: records are offered to their lanes, assignments noted.

use std::time::Duration;

use tracing::debug;

use super::{Assignment, Ended, POLL_MAX, Worker, ended};
use crate::pipeline::drift::Drifted;
use crate::pipeline::lane::{Offered, With};
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::source::Arrival;
use crate::ports::stages::{Stage, Stopwatch};
use crate::ports::tracer::Tracer;
use crate::runtime::stop::ProcessClock;
use crate::telemetry::Happened;

impl Worker {
    /// Polls once: records are offered, assignments noted.
    pub(super) fn take_in(&mut self) -> Result<(), Ended> {
        for assignment in std::mem::take(&mut self.deferred) {
            self.assignment(assignment)?;
        }
        if self.dispatch.is_full() && self.dispatch.is_publishing() {
            // Nothing can be taken before the transaction is through.
            return self.collect(POLL_MAX);
        }
        let now = self.shared.clock.now();
        // A moment that has passed and led to nothing (a transaction is under way, or a back-off) must
        // not make this a busy loop.
        let longest = if self.dispatch.is_publishing() { POLL_MIN } else { POLL_MAX };
        self.start_what_is_known()?;
        let wait = self.dispatch.wake_at().since(now).clamp(POLL_MIN, longest);

        if !self.dispatch.has_open() {
            self.is_renewed |= self.footing.renew();
        }
        let footing = self.footing.footing();
        let shared = self.shared.clone();
        let setting = footing.setting(&shared.lifetime);
        let (format, writers) = (shared.settings.format, shared.lookup.writers());
        let (tables, store) = (&*footing.tables, &*shared.store);
        let tracer = shared.spans.as_ref().map(|spans| spans as &dyn Tracer);
        let hand = self.hand.as_ref();
        let stages = hand.map(|hand| hand as &dyn Stopwatch);
        let across = shared.facts.now();
        let with = With { setting, tables, across: &across, store, writers: &writers, tracer, stages };
        let (dispatch, drift, worker) = (&mut self.dispatch, &mut self.drift, self.number);
        let mut intake = Intake { taken: 0, until: now.plus(shared.pace.commit_interval), now };
        let (deferred, mut held) = (&mut self.deferred, None);
        if let Some(hand) = hand {
            hand.lap(Stage::Dispatch);
            hand.begin_records();
        }
        self.source
            .poll(wait, &mut |arrival| match arrival {
                Arrival::Record(record) => {
                    with.lap(Stage::Fetch);
                    intake.tick(&shared.clock);
                    if let Some(id) = shared.lookup.missing(&record, format, &writers) {
                        held = Some((record.partition, Awaited { id, offset: record.offset }));
                        return false;
                    }
                    match dispatch.offer(&record, &with, intake.now) {
                        Ok(Offered::Rejected(reason)) => debug!(
                            partition = record.partition,
                            offset = record.offset,
                            reason = reason.name(),
                            "record rejected"
                        ),
                        Ok(Offered::Decided { action, .. }) => {
                            drift.note(action).into_iter().for_each(|drifted| told(worker, drifted));
                        }
                        Ok(_) => {}
                        Err(error) => Happened::StoreFailed { why: &error.to_string() }.emit(),
                    }
                    if let Some(hand) = hand {
                        hand.end_record();
                    }
                    !intake.is_due() || !(intake.is_over() || dispatch.is_full())
                }
                Arrival::Assigned(partitions) => {
                    deferred.push(Assignment::Assigned(partitions));
                    true
                }
                Arrival::Revoked(partitions) => {
                    deferred.push(Assignment::Revoked(partitions));
                    true
                }
                Arrival::Lost(partitions) => {
                    deferred.push(Assignment::Lost(partitions));
                    // At once: nothing of them may be sealed any more.
                    false
                }
            })
            .map_err(ended)?;
        if let Some(hand) = hand {
            hand.end_records();
        }
        if let Some((partition, awaited)) = held {
            // From here on nothing of it comes, until it is started again at this very record.
            self.source.hold(partition).map_err(ended)?;
            self.shared.lookup.want(awaited.id);
            debug!(partition, offset = awaited.offset, id = awaited.id, "waits for a schema");
            self.awaited.insert(partition, awaited);
        }
        for assignment in std::mem::take(&mut self.deferred) {
            self.assignment(assignment)?;
        }
        Ok(())
    }

    /// Starts the partitions whose schema has come; the others say again what they wait for.
    fn start_what_is_known(&mut self) -> Result<(), Ended> {
        if self.awaited.is_empty() {
            return Ok(());
        }
        let writers = self.shared.lookup.writers();
        for (partition, Awaited { id, offset }) in std::mem::take(&mut self.awaited) {
            if writers.get(id).is_some() {
                self.source.start(partition, offset).map_err(ended)?;
            } else {
                self.shared.lookup.want(id);
                self.awaited.insert(partition, Awaited { id, offset });
            }
        }
        Ok(())
    }
}

/// What a partition waits for, and where it goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    id: u32,
    offset: i64,
}

fn told(worker: u16, drifted: Drifted) {
    match drifted {
        Drifted::Jumped { before, now } => {
            Happened::ActionsJumped { worker, before_permille: before, now_permille: now }.emit();
        }
        Drifted::Settled { now } => Happened::ActionsSettled { worker, now_permille: now }.emit(),
    }
}

/// How long one poll goes on.
struct Intake {
    taken: u32,
    now: Tick,
    until: Tick,
}

impl Intake {
    fn tick(&mut self, clock: &ProcessClock) {
        self.taken = self.taken.wrapping_add(1);
        if self.is_due() {
            self.now = clock.now();
        }
    }

    /// Time and sizes are looked at every few records, not at each.
    const fn is_due(&self) -> bool {
        self.taken % LOOK_EVERY == 1
    }

    fn is_over(&self) -> bool {
        self.now >= self.until
    }
}

/// The outcome of a transaction is waited for elsewhere, so it is looked for often.
const POLL_MIN: Duration = Duration::from_millis(1);
const LOOK_EVERY: u32 = 16;
