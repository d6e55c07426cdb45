//! Who of this process may write a partition's part of the store.
//!
//! Workers share a store. One that lost a partition without being asked (it hung, and the group went
//! on without it) may still have a checkpoint of it on the way when another worker takes over; written
//! late, it would mix two states. So a take-over ends every earlier right to write. A copy is written
//! only while no lane has a right, and its right ends in the same way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::pipeline::filter::Filter;
use crate::ports::store::{Batch, Checkpoint, Found, Parts, StateStore, StoreError};

/// The rights of all workers of a process.
#[derive(Clone, Debug, Default)]
pub struct Custody {
    /// A partition's last ticket, held while it is written under it.
    holders: Arc<Mutex<BTreeMap<i32, Arc<Mutex<Last>>>>>,
}

#[derive(Debug, Default)]
struct Last {
    number: u64,
    /// Lives as long as a lane's ticket does.
    lane: Weak<()>,
    /// The users in the store, while a copy is kept there.
    known: Option<Filter>,
}

/// A right to write one partition, until somebody takes it over.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    holder: Arc<Mutex<Last>>,
    number: u64,
    _lane: Option<Arc<()>>,
}

impl Custody {
    /// Ends every earlier right, waiting for what is being written under it. The users in the store come
    /// with it, if a copy was kept there.
    pub(super) fn take(&self, partition: i32) -> (Ticket, Option<Filter>) {
        let holder = self.holder(partition);
        let mut last = lock(&holder);
        let lane = Arc::new(());
        last.number += 1;
        last.lane = Arc::downgrade(&lane);
        let (number, known) = (last.number, last.known.take());
        drop(last);
        (Ticket { holder, number, _lane: Some(lane) }, known)
    }

    /// The right to keep a copy; `None` while a lane has the right to write.
    pub(super) fn copy(&self, partition: i32) -> Option<Ticket> {
        let holder = self.holder(partition);
        let mut last = lock(&holder);
        if last.lane.strong_count() > 0 {
            return None;
        }
        last.number += 1;
        last.known = None;
        let number = last.number;
        drop(last);
        Some(Ticket { holder, number, _lane: None })
    }

    fn holder(&self, partition: i32) -> Arc<Mutex<Last>> {
        let mut holders = lock(&self.holders);
        Arc::clone(holders.entry(partition).or_default())
    }
}

impl Ticket {
    /// Does `work` if the right still holds, and keeps others from taking it meanwhile.
    pub(super) fn using<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        self.with(|_| work())
    }

    pub(super) fn holds(&self) -> bool {
        self.using(|| ()).is_some()
    }

    /// Leaves the users in the store for whoever takes the partition over.
    pub(super) fn leave(&self, known: Filter) {
        self.with(|last| last.known = Some(known));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Last) -> T) -> Option<T> {
        let mut last = lock(&self.holder);
        (last.number == self.number).then(|| work(&mut last))
    }
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store as who keeps a copy may use it: every call holds the ticket, and refuses once it has ended.
/// What is written is known to whoever takes over.
#[derive(Debug)]
pub(super) struct Guarded<'s> {
    pub(super) store: &'s dyn StateStore,
    pub(super) ticket: &'s Ticket,
}

impl Guarded<'_> {
    fn using<T>(&self, work: impl FnOnce(&mut Last) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let ended = || Err(StoreError::Unusable("a lane has taken the partition over".into()));
        self.ticket.with(work).unwrap_or_else(ended)
    }

    /// Saves the users in the store with a sign that it was closed.
    pub(super) fn leave(&self, partition: i32) -> Result<(), StoreError> {
        self.using(|last| match last.known.take() {
            Some(known) => self.store.close(partition, &known.encode()),
            None => Ok(()),
        })
    }
}

impl StateStore for Guarded<'_> {
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError> {
        self.using(|_| self.store.open(partition))
    }

    fn get(&self, partition: i32, user: &[u8], out: &mut Parts) -> Result<(), StoreError> {
        self.using(|_| self.store.get(partition, user, out))
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        self.using(|last| {
            if let Some(known) = &mut last.known {
                known.add_batch(batch);
            }
            self.store.apply_batch(partition, batch)
        })
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &Parts),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.using(|_| self.store.scan(partition, after, limit, visit))
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        self.using(|_| self.store.verify(partition, visit))
    }

    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError> {
        self.using(|_| self.store.verify_some(partition, limit))
    }

    /// Of the whole store, and it may take long: nobody is kept waiting for it.
    fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }

    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError> {
        self.using(|_| self.store.close(partition, filter))
    }

    fn drop_partition(&self, partition: i32) -> Result<(), StoreError> {
        self.using(|_| self.store.drop_partition(partition))
    }

    fn size(&self) -> u64 {
        self.store.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_take_over_writes() {
        let custody = Custody::default();
        let (first, _) = custody.take(3);
        let (other, _) = custody.take(4);
        assert_eq!(first.using(|| 1), Some(1));
        let (second, _) = custody.take(3);
        assert_eq!((first.using(|| 1), second.using(|| 2), other.using(|| 3)), (None, Some(2), Some(3)));
    }

    #[test]
    fn a_copy_is_kept_while_no_lane_writes_and_gives_way_to_one() {
        let custody = Custody::default();
        let copy = custody.copy(3).unwrap();
        let mut known = Filter::new(7);
        known.add(b"acme/ada");
        copy.leave(known.clone());
        assert_eq!(copy.using(|| 1), Some(1));

        let (lane, left) = custody.take(3);
        assert_eq!((copy.using(|| 1), left), (None, Some(known)));
        let late = lane.clone();
        drop(lane);
        assert!(custody.copy(3).is_none(), "a checkpoint of the lane may still be on its way");
        assert!(custody.copy(4).is_some());
        drop(late);
        let copy = custody.copy(3).unwrap();
        assert_eq!(copy.using(|| 1), Some(1));
        assert_eq!(custody.take(3).1, None, "nobody has said who is in the store since");
    }
}
