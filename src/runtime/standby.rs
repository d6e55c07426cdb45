//! The thread that keeps copies of the partitions that others serve, so that taking one over reads a tail.
//!
//! It goes round once a `checkpoint_interval`: so far a copy is behind when it is taken over. It joins no
//! group and opens no transaction, and rests while a lane of this process waits or is restored, which need
//! disk and network more. *Failure*: never touches a lane. It is said, and the partition is tried again
//! after a while, ever longer. A partition that a lane of this process has is left alone; one that is given
//! up goes on from where its lane left the store.

#![expect(clippy::disallowed_methods, reason = "measures how long a copy takes, and paces itself")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::custody::{Custody, Guarded, Ticket};
use super::status::{CopyStatus, Status};
use super::stop::{ProcessClock, Stop};
use crate::pipeline::restore::Trouble;
use crate::pipeline::standby::{Round, Standby};
use crate::ports::changelog::Changelog;
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::store::StateStore;
use crate::telemetry::Happened;

/// What the copies need of the process.
#[derive(Clone, Debug)]
pub struct Copies {
    /// Of the input.
    pub partitions: i32,
    /// Drawn by the shell: user ids are picked by others.
    pub hash_seed: u64,
    pub interval: Duration,
    pub store: Arc<dyn StateStore>,
    pub custody: Custody,
    pub status: Status,
    pub stop: Stop,
    pub clock: ProcessClock,
}

/// Keeps copies until it is told to stop, and closes them.
pub fn run(copies: &Copies, changelog: &mut dyn Changelog) {
    let mut seats = BTreeMap::<i32, Seat>::new();
    while !copies.stop.is_set() {
        let began = copies.clock.now();
        for partition in 0..copies.partitions {
            if copies.stop.is_set() || !copies.status.is_settled() {
                break;
            }
            seats.entry(partition).or_default().visit(partition, copies, changelog);
        }
        while !copies.stop.is_set() && copies.clock.now().since(began) < copies.interval {
            std::thread::sleep(PAUSE);
        }
    }
    for (partition, seat) in seats {
        seat.close(partition, copies);
    }
}

/// One partition's.
#[derive(Debug, Default)]
struct Seat {
    kept: Option<Kept>,
    failures: u32,
    again: Tick,
}

#[derive(Debug)]
struct Kept {
    ticket: Ticket,
    copy: Standby,
    /// When it was last brought up.
    at: Tick,
}

impl Seat {
    fn visit(&mut self, partition: i32, copies: &Copies, changelog: &mut dyn Changelog) {
        let now = copies.clock.now();
        if now < self.again {
            return;
        }
        // Whatever took so long: whether ends of keys were missed meanwhile is found out by beginning.
        let kept =
            self.kept.take().filter(|kept| kept.ticket.holds() && now.since(kept.at) <= GOES_ON_WITHIN);
        let (ticket, mut copy, mut at) = match kept {
            Some(Kept { ticket, copy, at }) => (ticket, Some(copy), at),
            None => match copies.custody.copy(partition) {
                Some(ticket) => (ticket, None, now),
                None => return copies.status.copied(partition, None),
            },
        };
        let done = bring_up(partition, copies, changelog, &ticket, &mut copy);
        match &done {
            Ok(()) => (at, self.failures) = (now, 0),
            // By a stop, or by a lane that takes over: nothing has failed.
            Err(_) if copies.stop.is_set() || !ticket.holds() => {}
            Err(trouble) => {
                self.failures = self.failures.saturating_add(1);
                let rest = AGAIN_FIRST.saturating_mul(1 << self.failures.min(8)).min(AGAIN_LAST);
                self.again = copies.clock.now().plus(rest);
                Happened::CopyFailed { partition, why: &trouble.to_string(), again: rest }.emit();
            }
        }
        // A store that failed is looked at anew.
        let is_sound = matches!(done, Ok(()) | Err(Trouble::Broker(_) | Trouble::BrokenOff));
        match copy.filter(|_| is_sound && ticket.holds()) {
            Some(copy) => self.kept = Some(Kept { ticket, copy, at }),
            None => copies.status.copied(partition, None),
        }
    }

    /// So that the next start need not read it through.
    fn close(self, partition: i32, copies: &Copies) {
        let Some(Kept { ticket, .. }) = self.kept.filter(|kept| kept.copy.is_placed()) else { return };
        let guarded = Guarded { store: &*copies.store, ticket: &ticket };
        if let Err(error) = guarded.leave(partition)
            && ticket.holds()
        {
            Happened::StoreFailed { why: &error.to_string() }.emit();
        }
    }
}

fn bring_up(
    partition: i32,
    copies: &Copies,
    changelog: &mut dyn Changelog,
    ticket: &Ticket,
    copy: &mut Option<Standby>,
) -> Result<(), Trouble> {
    let store = Guarded { store: &*copies.store, ticket };
    let goes_on = || {
        std::thread::sleep(SLICE_PAUSE);
        while !copies.stop.is_set() && ticket.holds() && !copies.status.is_settled() {
            std::thread::sleep(PAUSE);
        }
        !copies.stop.is_set() && ticket.holds()
    };
    // Once more where the changelog has lost what comes next.
    for _ in 0..2 {
        let began = Instant::now();
        let kept = match copy {
            Some(copy) => copy,
            None => {
                let (begun, known) =
                    Standby::begin(partition, changelog, &store, copies.hash_seed, &mut || goes_on())?;
                ticket.leave(known);
                copy.insert(begun)
            }
        };
        let is_warm = kept.is_placed();
        let round = kept.round(changelog, &store, &mut |behind| {
            copies.status.copied(partition, Some(CopyStatus { is_warm, behind }));
            goes_on()
        })?;
        if let Round::Copied(records) = round {
            if !is_warm {
                copies.status.copied(partition, Some(CopyStatus { is_warm: true, behind: 0 }));
            }
            let is_filled = !is_warm && kept.is_placed();
            Happened::Copied { partition, records, is_filled, took: began.elapsed() }.emit();
            return Ok(());
        }
        *copy = None;
    }
    Ok(())
}

/// How soon a stop is noticed, and that a lane is restored no more.
const PAUSE: Duration = Duration::from_millis(50);
/// Between two batches: the disk and the processor are for the lanes first.
const SLICE_PAUSE: Duration = Duration::from_millis(5);
/// Far less than the changelog keeps the ends of keys.
const GOES_ON_WITHIN: Duration = Duration::from_secs(3_600);
const AGAIN_FIRST: Duration = Duration::from_secs(5);
const AGAIN_LAST: Duration = Duration::from_secs(600);
