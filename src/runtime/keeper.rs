//! The thread that writes checkpoints, so that no event waits for the disk.

#![expect(clippy::disallowed_methods, reason = "measures how long a checkpoint takes")]

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use super::custody::Ticket;
use crate::ports::store::{Batch, StateStore, StoreError};
use crate::telemetry::Happened;

/// A batch that was written, or not.
pub(super) struct Kept {
    pub(super) partition: i32,
    pub(super) batch: Arc<Batch>,
    pub(super) outcome: Result<(), StoreError>,
}

/// A batch to be written.
struct Errand {
    partition: i32,
    ticket: Ticket,
    batch: Arc<Batch>,
}

/// Writes batches in the order in which they come, and makes them durable when it has nothing to do.
pub(super) struct Keeper {
    to: Option<SyncSender<Errand>>,
    from: Receiver<Kept>,
    /// Handed over and not answered.
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
        let (to, batches) = sync_channel(OUTSTANDING_MAX);
        let (kept, from) = sync_channel(OUTSTANDING_MAX);
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || keep(&*store, &batches, &kept))?;
        Ok(Self { to: Some(to), from, outstanding: 0, thread: Some(thread) })
    }

    pub(super) fn keep(&mut self, partition: i32, ticket: Ticket, batch: Arc<Batch>) {
        if let Some(to) = &self.to
            && to.send(Errand { partition, ticket, batch }).is_ok()
        {
            self.outstanding += 1;
        }
    }

    /// What was written meanwhile.
    pub(super) fn next(&mut self) -> Option<Kept> {
        let kept = self.from.try_recv().ok()?;
        self.outstanding = self.outstanding.saturating_sub(1);
        Some(kept)
    }

    /// The same, waiting for what is out.
    pub(super) fn wait(&mut self) -> Option<Kept> {
        if self.outstanding == 0 {
            return None;
        }
        let Ok(kept) = self.from.recv() else {
            self.outstanding = 0;
            return None;
        };
        self.outstanding -= 1;
        Some(kept)
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

fn keep(store: &dyn StateStore, batches: &Receiver<Errand>, kept: &SyncSender<Kept>) {
    while let Ok(first) = batches.recv() {
        let began = Instant::now();
        let (mut partitions, mut parts) = (0, 0);
        let mut next = Some(first);
        while let Some(Errand { partition, ticket, batch }) = next {
            partitions += 1;
            parts += batch.parts.len();
            // Whose right has ended holds the lane no more: nobody misses the batch.
            let outcome = ticket.using(|| store.apply_batch(partition, &batch).map(drop)).unwrap_or(Ok(()));
            if kept.send(Kept { partition, batch, outcome }).is_err() {
                return;
            }
            next = batches.try_recv().ok();
        }
        if let Err(error) = store.flush() {
            Happened::StoreFailed { why: &error.to_string() }.emit();
        }
        Happened::Checkpointed { partitions, parts, took: began.elapsed() }.emit();
    }
}

const OUTSTANDING_MAX: usize = 10_000;
