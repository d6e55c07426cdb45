//! The thread that writes checkpoints and verifies stores, so that no event waits for the disk.
//!
//! A checkpoint is as much work as a second of deciding. Done in one go it would take a core from lanes and
//! broker all that time; so it rests between two pieces, for a while in all, unless somebody waits for it.

#![expect(clippy::disallowed_methods, reason = "measures how long a checkpoint takes")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::custody::Ticket;
use crate::halts::{self, Point};
use crate::ports::store::{Batch, Checkpoint, StateStore, StoreError};
use crate::telemetry::Happened;

/// What was done.
pub(super) enum Done {
    /// A batch was written, or not.
    Kept { partition: i32, batch: Arc<Batch>, outcome: Result<Checkpoint, StoreError> },
    /// A store was read through, to its end or to the first damage.
    Verified { partition: i32, ticket: Ticket, outcome: Result<(), StoreError>, took: Duration },
}

enum Errand {
    Keep { partition: i32, ticket: Ticket, batch: Arc<Batch> },
    Verify(Unread),
}

/// A store that is being read through.
struct Unread {
    partition: i32,
    ticket: Ticket,
    began: Instant,
}

/// Writes batches in the order in which they come, makes them durable when it has none left, and reads
/// stores through between them, a slice at a time.
pub(super) struct Keeper {
    to: Option<SyncSender<Errand>>,
    from: Receiver<Done>,
    /// Batches handed over and not answered.
    outstanding: usize,
    haste: Haste,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}

impl Keeper {
    /// `rest` is how long it rests in all while it writes what is there.
    pub(super) fn start(store: Arc<dyn StateStore>, rest: Duration) -> std::io::Result<Self> {
        // One batch a lane is out at most; a worker does not hold more lanes than this.
        let (to, errands) = sync_channel(OUTSTANDING_MAX);
        let (done, from) = sync_channel(OUTSTANDING_MAX);
        let haste = Haste::default();
        let rests = Rests { haste: haste.clone(), most: rest, left: rest };
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || work(&*store, &errands, &done, rests))?;
        Ok(Self { to: Some(to), from, outstanding: 0, haste, thread: Some(thread) })
    }

    /// The batches that are out are waited for: no more rests until they are written.
    pub(super) fn hurry(&self) {
        self.haste.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn keep(&mut self, partition: i32, ticket: Ticket, batch: Arc<Batch>) {
        if self.outstanding == 0 {
            // Whoever waited has what was waited for.
            self.haste.0.store(false, Ordering::Relaxed);
        }
        if let Some(to) = &self.to
            && to.send(Errand::Keep { partition, ticket, batch }).is_ok()
        {
            self.outstanding += 1;
        }
    }

    /// Reads a store through in the background, for as long as the ticket holds.
    pub(super) fn verify(&self, partition: i32, ticket: Ticket) {
        if let Some(to) = &self.to {
            let unread = Unread { partition, ticket, began: Instant::now() };
            // Only a thread that has ended refuses, and then nothing is served any more.
            drop(to.send(Errand::Verify(unread)));
        }
    }

    /// What was done meanwhile.
    pub(super) fn next(&mut self) -> Option<Done> {
        let done = self.from.try_recv().ok()?;
        self.count(&done);
        Some(done)
    }

    /// The same, waiting for batches that are out.
    pub(super) fn wait(&mut self) -> Option<Done> {
        if self.outstanding == 0 {
            return None;
        }
        self.hurry();
        let Ok(done) = self.from.recv() else {
            self.outstanding = 0;
            return None;
        };
        self.count(&done);
        Some(done)
    }

    const fn count(&mut self, done: &Done) {
        if matches!(done, Done::Kept { .. }) {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.hurry();
        self.to = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Whether somebody waits for the batches that are out.
#[derive(Clone, Default)]
struct Haste(Arc<AtomicBool>);

/// The rests of the keeper while it writes what is there.
struct Rests {
    haste: Haste,
    most: Duration,
    left: Duration,
}

impl Rests {
    /// How long it rests after a piece that took so long.
    fn after(&mut self, took: Duration) -> Duration {
        if self.haste.0.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let rest = (took * REST_SHARE).min(REST_MAX).min(self.left);
        self.left -= rest;
        rest
    }

    /// Everything is written.
    const fn begin_anew(&mut self) {
        self.left = self.most;
    }
}

fn work(store: &dyn StateStore, errands: &Receiver<Errand>, done: &SyncSender<Done>, mut rests: Rests) {
    let mut unread = VecDeque::new();
    loop {
        let errand = if unread.is_empty() {
            errands.recv().map_err(RecvTimeoutError::from)
        } else {
            errands.recv_timeout(SLICE_PAUSE)
        };
        let going_on = match errand {
            Ok(errand) => keep(store, errand, errands, done, (&mut unread, &mut rests)),
            Err(RecvTimeoutError::Timeout) => read_on(store, &mut unread, done),
            Err(RecvTimeoutError::Disconnected) => false,
        };
        if !going_on {
            return;
        }
    }
}

/// Writes every batch that is there; `false` when nobody listens any more.
fn keep(
    store: &dyn StateStore,
    first: Errand,
    errands: &Receiver<Errand>,
    done: &SyncSender<Done>,
    (unread, rests): (&mut VecDeque<Unread>, &mut Rests),
) -> bool {
    let began = Instant::now();
    let (mut partitions, mut parts) = (0, 0);
    let mut next = Some(first);
    while let Some(errand) = next {
        match errand {
            Errand::Verify(one) => unread.push_back(one),
            Errand::Keep { partition, ticket, batch } => {
                halts::reach(if partitions == 0 { Point::BeforeCheckpoint } else { Point::AmidCheckpoint });
                partitions += 1;
                parts += batch.parts.len();
                let outcome = write(store, partition, &ticket, &batch, rests);
                if done.send(Done::Kept { partition, batch, outcome }).is_err() {
                    return false;
                }
            }
        }
        next = errands.try_recv().ok();
    }
    if partitions > 0 {
        // The last moment at which all of it may still be lost: applied, and not flushed.
        halts::reach(Point::AmidCheckpoint);
        if let Err(error) = store.flush() {
            Happened::StoreFailed { why: &error.to_string() }.emit();
        }
        halts::reach(Point::AfterCheckpoint);
        Happened::Checkpointed { partitions, parts, took: began.elapsed() }.emit();
        rests.begin_anew();
    }
    true
}

/// Writes a batch. Whose right has ended holds the lane no more, not even after half of it: nobody misses the
/// rest, and who took over writes all of it again, from the changelog.
fn write(
    store: &dyn StateStore,
    partition: i32,
    ticket: &Ticket,
    batch: &Batch,
    rests: &mut Rests,
) -> Result<Checkpoint, StoreError> {
    let mut from = 0;
    loop {
        let began = Instant::now();
        let written = ticket.using(|| store.apply_some(partition, batch, from));
        let (next, checkpoint) = written.unwrap_or_else(|| Ok((batch.parts.len(), Checkpoint::default())))?;
        if next >= batch.parts.len() {
            return Ok(checkpoint);
        }
        from = next;
        halts::reach(Point::AmidCheckpoint);
        std::thread::sleep(rests.after(began.elapsed()));
    }
}

/// Reads one slice of one store; `false` when nobody listens any more.
fn read_on(store: &dyn StateStore, unread: &mut VecDeque<Unread>, done: &SyncSender<Done>) -> bool {
    let Some(Unread { partition, ticket, began }) = unread.pop_front() else { return true };
    let outcome = match ticket.using(|| store.verify_some(partition, SLICE_USERS)) {
        // Taken over, by another worker or anew: that looks for itself.
        None => return true,
        Some(Ok(false)) => {
            unread.push_back(Unread { partition, ticket, began });
            return true;
        }
        Some(outcome) => outcome.map(drop),
    };
    done.send(Done::Verified { partition, ticket, outcome, took: began.elapsed() }).is_ok()
}

const OUTSTANDING_MAX: usize = 10_000;
/// How many times as long as it worked it rests: a sixth of a core is hardly missed.
const REST_SHARE: u32 = 5;
/// How soon haste is noticed.
const REST_MAX: Duration = Duration::from_millis(50);
/// A slice takes a few milliseconds: a checkpoint does not wait longer for it.
const SLICE_USERS: usize = 1_000;
/// Between two slices: the disk and the processor are for the lanes first.
const SLICE_PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::MemoryStore;
    use crate::runtime::custody::Custody;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rests_are_longer_than_work_and_end_when_somebody_waits() {
        let mut rests = Rests { haste: Haste::default(), most: 80 * MS, left: 80 * MS };
        assert_eq!(
            [2 * MS, 100 * MS, 9 * MS, MS].map(|took| rests.after(took)),
            [10 * MS, 50 * MS, 20 * MS, Duration::ZERO]
        );
        rests.begin_anew();
        assert_eq!(rests.after(MS), 5 * MS);
        rests.haste.0.store(true, Ordering::Relaxed);
        assert_eq!(rests.after(MS), Duration::ZERO);
    }

    #[test]
    fn nothing_is_written_under_a_right_that_has_ended() {
        let (custody, store) = (Custody::default(), MemoryStore::with_power_to_lose());
        let key = |user: &str| format!("acme/{user}\0core").into_bytes().into_boxed_slice();
        let value = || Some(b"1".as_slice().into());
        let batch = Batch { parts: vec![(key("ada"), value()), (key("bob"), value())], place: None };
        let mut rests = Rests { haste: Haste::default(), most: Duration::ZERO, left: Duration::ZERO };
        let mut written = |ticket: &Ticket| write(&store, 3, ticket, &batch, &mut rests).unwrap().users;
        let (first, _) = custody.take(3);
        let (second, _) = custody.take(3);
        assert_eq!(written(&first), 0);
        assert_eq!(store.checkpoint(3), None);
        assert_eq!(written(&second), 2);
    }
}
