//! Who of this process may write a partition's part of the store.
//!
//! Workers share a store. One that lost a partition without being asked (it hung, and the group went
//! on without it) may still have a checkpoint of it on the way when another worker takes over; written
//! late, it would mix two states. So a take-over ends every earlier right to write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The rights of all workers of a process.
#[derive(Clone, Debug, Default)]
pub struct Custody {
    /// A partition's last ticket, held while it is written under it.
    holders: Arc<Mutex<BTreeMap<i32, Arc<Mutex<u64>>>>>,
}

/// A right to write one partition, until somebody takes it over.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    holder: Arc<Mutex<u64>>,
    number: u64,
}

impl Custody {
    /// Ends every earlier right, waiting for what is being written under it.
    pub(super) fn take(&self, partition: i32) -> Ticket {
        let mut holders = self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = Arc::clone(holders.entry(partition).or_default());
        drop(holders);
        let mut last = holder.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        let number = *last;
        drop(last);
        Ticket { holder, number }
    }
}

impl Ticket {
    /// Does `work` if the right still holds, and keeps others from taking it meanwhile.
    pub(super) fn using<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let last = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        (*last == self.number).then(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_take_over_writes() {
        let custody = Custody::default();
        let first = custody.take(3);
        let other = custody.take(4);
        assert_eq!(first.using(|| 1), Some(1));
        let second = custody.take(3);
        assert_eq!((first.using(|| 1), second.using(|| 2), other.using(|| 3)), (None, Some(2), Some(3)));
    }
}
