//! Copies of the partitions that the other worker has, kept as the runtime keeps them: never beside a lane of
//! the same process, whose right to write ends theirs; and whoever takes one over is told its users.

use std::sync::Arc;

use wardstream::pipeline::restore::Trouble;
use wardstream::pipeline::standby::{Round, Standby};
use wardstream::ports::store::StateStore as _;

use super::script::Plant;
use super::world::{Node, World};

impl Node {
    /// In good order, so that the next start need not read them through.
    pub(super) fn close_copies(&mut self) {
        for (partition, copy) in std::mem::take(&mut self.copies) {
            let known = self.store.known.lock().unwrap().remove(&partition);
            if let Some(known) = known.filter(|_| copy.is_placed()) {
                // One that is not closed is read through.
                drop(self.store.close(partition, &known.encode()));
            }
        }
        self.forget_copies();
    }

    /// The process is gone.
    pub(super) fn forget_copies(&mut self) {
        self.copies.clear();
        self.store.known.lock().unwrap().clear();
    }
}

impl World<'_> {
    /// The partition whose copy it is time to look at.
    pub(super) fn to_copy(&self, at: usize) -> Option<i32> {
        let node = &self.nodes[at];
        if !self.keeps_copies || !node.turns.is_multiple_of(COPY_EVERY) {
            return None;
        }
        let turn = i32::try_from(node.turns / COPY_EVERY).ok()?;
        let (partition, worker) = (turn % self.partitions, node.worker.as_ref()?);
        let is_free = worker.has_nothing_of(partition) || self.plant == Some(Plant::CopyBesideLane);
        is_free.then_some(partition)
    }

    /// One visit; `goes_on` says whether it comes to its end.
    pub(super) fn copy(&mut self, at: usize, partition: i32, goes_on: bool) {
        let Self { nodes, log, seen, plant, copied, .. } = self;
        let Node { store, worker, copies, .. } = &mut nodes[at];
        let (store, mut log) = (Arc::clone(store), log.clone());
        worker.iter_mut().for_each(|worker| worker.reads_no_more(partition));
        let mut copy = copies.remove(&partition);
        seen.reached.extend(copy.as_ref().filter(|copy| copy.is_placed()).map(|_| "a copy goes on"));
        // Once more where the changelog has lost what comes next.
        for _ in 0..2 {
            let kept = match copy.take() {
                Some(copy) => Ok(copy),
                None => {
                    Standby::begin(partition, &mut log, &*store, 7, &mut || goes_on).map(|(copy, known)| {
                        store.known.lock().unwrap().insert(partition, known);
                        copy
                    })
                }
            };
            let Ok(mut kept) = kept else { return };
            let first = store.known.lock().unwrap().get(&partition).cloned();
            let round = kept.round(&mut log, &*store, &mut |_| goes_on);
            if let (Some(Plant::CopyKnowsTheFirst), Some(first)) = (&plant, first) {
                store.known.lock().unwrap().insert(partition, first);
            }
            match round {
                Ok(Round::Copied(records)) => {
                    *copied += records;
                    seen.reached.extend((records > 0).then_some("copied"));
                    copies.insert(partition, kept);
                    return;
                }
                Ok(Round::Cut) => {}
                Err(Trouble::Broker(_) | Trouble::BrokenOff) => {
                    copies.insert(partition, kept);
                    return;
                }
                // A store that failed is looked at anew.
                Err(_) => return,
            }
        }
    }

    /// A lane takes the partition over, and with it what the copy knows.
    pub(super) fn ends_copy(&mut self, at: usize, partition: i32) {
        let Self { nodes, seen, .. } = self;
        let Node { store, worker, copies, .. } = &mut nodes[at];
        copies.remove(&partition);
        let known = store.known.lock().unwrap().remove(&partition);
        seen.reached.extend(known.as_ref().map(|_| "a copy taken over"));
        if let Some(worker) = worker {
            worker.known = known;
        }
    }
}

/// In turns of its worker.
const COPY_EVERY: u64 = 5;
