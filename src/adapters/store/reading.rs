//! Reading a partition through a slice at a time, while it is written.
//!
//! Users are read in their order. What a batch changes behind the reader is taken out of what was
//! counted and put in again as it is now; what it changes before the reader is read when it comes to
//! it. So when the last user is read, count and sum are those of the store at that moment, and have to
//! be the checkpoint's.

use super::value;
use crate::ports::store::{Checkpoint, StoreError};

/// How far a partition was read, and what was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    after: Option<Box<[u8]>>,
    users: u64,
    sum: u64,
}

impl Reading {
    /// The last user who was read.
    pub(super) fn after(&self) -> Option<&[u8]> {
        self.after.as_deref()
    }

    pub(super) fn read(&mut self, user: &[u8], check: u64) {
        self.after = Some(user.into());
        self.put(check);
    }

    /// A batch makes `new` of `old`; both are checks.
    pub(super) fn changed(&mut self, user: &[u8], old: Option<u64>, new: Option<u64>) {
        if self.after.as_deref().is_none_or(|after| user > after) {
            return;
        }
        if let Some(old) = old {
            self.users = self.users.wrapping_sub(1);
            self.sum = self.sum.wrapping_sub(old);
        }
        if let Some(new) = new {
            self.put(new);
        }
    }

    /// Everything is read.
    pub(super) fn end(&self, partition: i32, said: Checkpoint) -> Result<Checkpoint, StoreError> {
        value::compare(partition, self.users, self.sum, said)
    }

    const fn put(&mut self, check: u64) {
        self.users = self.users.wrapping_add(1);
        self.sum = self.sum.wrapping_add(check);
    }
}
