//! The thread that writes checkpoints and verifies stores, so that no event waits for the disk.

#![expect(clippy::disallowed_methods, reason = "measures how long a checkpoint takes")]

use std::collections::VecDeque;
use std::sync::Arc;
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
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}

impl Keeper {
    pub(super) fn start(store: Arc<dyn StateStore>) -> std::io::Result<Self> {
        // One batch a lane is out at most; a worker does not hold more lanes than this.
        let (to, errands) = sync_channel(OUTSTANDING_MAX);
        let (done, from) = sync_channel(OUTSTANDING_MAX);
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || work(&*store, &errands, &done))?;
        Ok(Self { to: Some(to), from, outstanding: 0, thread: Some(thread) })
    }

    pub(super) fn keep(&mut self, partition: i32, ticket: Ticket, batch: Arc<Batch>) {
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
        self.to = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn work(store: &dyn StateStore, errands: &Receiver<Errand>, done: &SyncSender<Done>) {
    let mut unread = VecDeque::new();
    loop {
        let errand = if unread.is_empty() {
            errands.recv().map_err(RecvTimeoutError::from)
        } else {
            errands.recv_timeout(SLICE_PAUSE)
        };
        let going_on = match errand {
            Ok(errand) => keep(store, errand, errands, done, &mut unread),
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
    unread: &mut VecDeque<Unread>,
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
                // Whose right has ended holds the lane no more: nobody misses the batch.
                let outcome = ticket.using(|| store.apply_batch(partition, &batch));
                let outcome = outcome.unwrap_or_else(|| Ok(Checkpoint::default()));
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
    }
    true
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
/// A slice takes a few milliseconds: a checkpoint does not wait longer for it.
const SLICE_USERS: usize = 1_000;
/// Between two slices: the disk and the processor are for the lanes first.
const SLICE_PAUSE: Duration = Duration::from_millis(5);
