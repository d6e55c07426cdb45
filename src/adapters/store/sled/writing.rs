//! How batches reach sled: piece by piece into a store that has a place, part by part into one that has
//! none yet.
//!
//! sled writes a batch under a lock of the whole process: nobody reads or writes meanwhile, whatever the
//! tree. So a piece is small, and what nobody trusts yet is written without one.

use super::value::{CHECKPOINT_KEY, CLEAN_KEY, FORMAT, FORMAT_KEY};
use super::{Held, SledStore, Sums, damaged, guarded, value};
use crate::ports::store::{Batch, Change, Checkpoint, Spot, StoreError};

impl SledStore {
    /// The batch, in whichever way its store allows.
    pub(super) fn put(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        let held = self.held(partition)?;
        let is_placed = batch.place.or(held.sums().checkpoint.place).is_some();
        if !is_placed {
            return self.fill(partition, &held, &batch.parts);
        }
        let mut pieces = batch.parts.chunks(PIECE_PARTS).peekable();
        loop {
            let piece = pieces.next().unwrap_or_default();
            let place = batch.place.filter(|_| pieces.peek().is_none());
            let written = self.write(partition, &held, piece, place)?;
            if pieces.peek().is_none() {
                return Ok(written);
            }
        }
    }

    /// Writes parts of a store that has a place, atomically. While sled does so nobody else reads or
    /// writes, whatever the tree: so few at a time.
    fn write(
        &self,
        partition: i32,
        held: &Held,
        parts: &[(Box<[u8]>, Change)],
        place: Option<Spot>,
    ) -> Result<Checkpoint, StoreError> {
        let mut sums = held.sums();
        let mut next = sums.checkpoint;
        let mut reading = sums.reading.take();
        next.batch += 1;
        next.place = place.or(next.place);
        let mut writes = sled::Batch::default();
        for (key, new) in parts {
            let old = guarded(partition, || held.tree.get(key))?;
            let new = new.as_deref().map(|new| (value::check(key, new), new));
            let old = self.count(partition, &mut next, key, old.as_deref(), new)?;
            if let Some(reading) = &mut reading {
                reading.changed(key, old, new.map(|(check, _)| check));
            }
            match new {
                Some((check, new)) => {
                    writes.insert(key.as_ref(), value::wrap(next.batch, check, new));
                }
                None => writes.remove(key.as_ref()),
            }
        }
        writes.insert(FORMAT_KEY, FORMAT);
        writes.insert(CHECKPOINT_KEY, value::encode(&next));
        writes.remove(CLEAN_KEY);
        guarded(partition, || held.tree.apply_batch(writes))?;
        // A batch that failed leaves none under way: what it did is not known.
        *sums = Sums { checkpoint: next, reading };
        Ok(next)
    }

    /// Writes parts of a store that has no place yet: nobody trusts it before it has one, so they go in
    /// one by one, in the order of their keys and beside what other workers do.
    fn fill(
        &self,
        partition: i32,
        held: &Held,
        parts: &[(Box<[u8]>, Change)],
    ) -> Result<Checkpoint, StoreError> {
        let mut sums = held.sums();
        let mut next = sums.checkpoint;
        next.batch += 1;
        guarded(partition, || {
            held.tree.insert(FORMAT_KEY, FORMAT)?;
            held.tree.insert(CHECKPOINT_KEY, value::encode(&next))?;
            held.tree.remove(CLEAN_KEY)
        })?;
        for (key, new) in parts {
            let new = new.as_deref().map(|new| (value::check(key, new), new));
            let old = guarded(partition, || match new {
                Some((check, new)) => held.tree.insert(key.as_ref(), value::wrap(next.batch, check, new)),
                None => held.tree.remove(key.as_ref()),
            })?;
            self.count(partition, &mut next, key, old.as_deref(), new)?;
        }
        guarded(partition, || held.tree.insert(CHECKPOINT_KEY, value::encode(&next)))?;
        *sums = Sums { checkpoint: next, reading: None };
        Ok(next)
    }

    /// Counts what a part was and becomes; gives back the check of what it was.
    fn count(
        &self,
        partition: i32,
        next: &mut Checkpoint,
        key: &[u8],
        old: Option<&[u8]>,
        new: Option<(u64, &[u8])>,
    ) -> Result<Option<u64>, StoreError> {
        let mut was = None;
        if let Some(stored) = old {
            let (value, check) = value::unwrap(key, stored).map_err(|what| damaged(partition, what))?;
            next.parts = next.parts.saturating_sub(1);
            next.sum = next.sum.wrapping_sub(check);
            next.held = next.held.saturating_sub((self.count_held)(key, value));
            was = Some(check);
        }
        if let Some((check, value)) = new {
            next.parts += 1;
            next.sum = next.sum.wrapping_add(check);
            next.held += (self.count_held)(key, value);
        }
        Ok(was)
    }
}

/// Some milliseconds: that long a profile that is not at hand has to be waited for.
const PIECE_PARTS: usize = 256;
