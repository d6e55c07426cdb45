//! Reading a partition through a slice at a time, while it is written.
//!
//! Keys are read in their order. What a batch changes behind the reader is taken out of what was
//! counted and put in again as it is now; what it changes before the reader is read when it comes to
//! it. So when the last key is read, count and sum are those of the store at that moment, and have to
//! be the checkpoint's.

use super::value;
use crate::ports::store::{Checkpoint, StoreError};

/// How far a partition was read, and what was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    after: Option<Box<[u8]>>,
    parts: u64,
    sum: u64,
}

impl Reading {
    /// The last key that was read.
    pub(super) fn after(&self) -> Option<&[u8]> {
        self.after.as_deref()
    }

    pub(super) fn read(&mut self, key: &[u8], check: u64) {
        self.after = Some(key.into());
        self.put(check);
    }

    /// A batch makes `new` of `old`; both are checks.
    pub(super) fn changed(&mut self, key: &[u8], old: Option<u64>, new: Option<u64>) {
        if self.after.as_deref().is_none_or(|after| key > after) {
            return;
        }
        if let Some(old) = old {
            self.parts = self.parts.wrapping_sub(1);
            self.sum = self.sum.wrapping_sub(old);
        }
        if let Some(new) = new {
            self.put(new);
        }
    }

    /// Everything is read.
    pub(super) fn end(&self, partition: i32, said: Checkpoint) -> Result<Checkpoint, StoreError> {
        value::compare(partition, self.parts, self.sum, said)
    }

    const fn put(&mut self, check: u64) {
        self.parts = self.parts.wrapping_add(1);
        self.sum = self.sum.wrapping_add(check);
    }
}
