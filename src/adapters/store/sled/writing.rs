//! How batches reach sled: piece by piece into a store that has a place, user by user into one that has
//! none yet.
//!
//! sled writes a batch under a lock of the whole process: nobody reads or writes meanwhile, whatever the
//! tree. So a piece is small, and what nobody trusts yet is written without one.

use super::value::{CHECKPOINT_KEY, CLEAN_KEY, FORMAT, FORMAT_KEY};
use super::{Held, SledStore, Sums, damaged, guarded, value};
use crate::adapters::store::record::Rewriter;
use crate::ports::store::{Batch, Change, Checkpoint, Spot, StoreError};

/// A user, and the changes of their parts.
type Changed<'b> = (&'b [u8], &'b [(Box<[u8]>, Change)]);

impl SledStore {
    /// The batch from its part number `from` on, in whichever way its store allows: a piece, or all of it.
    pub(super) fn put(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
        rewriter: &mut Rewriter,
    ) -> Result<(usize, Checkpoint), StoreError> {
        let held = self.held(partition)?;
        let end = batch.parts.len();
        let is_placed = batch.place.or(held.sums().checkpoint.place).is_some();
        if !is_placed {
            return Ok((end, self.fill(partition, &held, batch, rewriter)?));
        }
        let piece: Vec<_> = batch.users_from(from).take(PIECE_USERS).collect();
        let next = from + piece.iter().map(|(_, changes)| changes.len()).sum::<usize>();
        let place = batch.place.filter(|_| next >= end);
        Ok((next, self.write(partition, &held, &piece, place, rewriter)?))
    }

    /// Writes users of a store that has a place, atomically. While sled does so nobody else reads or
    /// writes, whatever the tree: so few at a time.
    fn write(
        &self,
        partition: i32,
        held: &Held,
        users: &[Changed<'_>],
        place: Option<Spot>,
        rewriter: &mut Rewriter,
    ) -> Result<Checkpoint, StoreError> {
        let mut sums = held.sums();
        let mut next = sums.checkpoint;
        let mut reading = sums.reading.take();
        next.batch += 1;
        next.place = place.or(next.place);
        let mut writes = sled::Batch::default();
        for (user, changes) in users {
            let old = guarded(partition, || held.tree.get(user))?;
            let made = rewriter.rewrite(user, old.as_deref(), changes, self.count_held, &mut next);
            let made = made.map_err(|what| damaged(partition, what))?;
            if let Some(reading) = &mut reading {
                reading.changed(user, made.old, made.new);
            }
            match made.stored {
                Some(stored) => writes.insert(*user, stored),
                None => writes.remove(*user),
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

    /// Writes a batch into a store that has no place yet: nobody trusts it before it has one, so users go
    /// in one by one, in their order and beside what other workers do.
    fn fill(
        &self,
        partition: i32,
        held: &Held,
        batch: &Batch,
        rewriter: &mut Rewriter,
    ) -> Result<Checkpoint, StoreError> {
        let mut sums = held.sums();
        let mut next = sums.checkpoint;
        next.batch += 1;
        guarded(partition, || {
            held.tree.insert(FORMAT_KEY, FORMAT)?;
            held.tree.insert(CHECKPOINT_KEY, value::encode(&next))?;
            held.tree.remove(CLEAN_KEY)
        })?;
        for (user, changes) in batch.users() {
            let old = guarded(partition, || held.tree.get(user))?;
            let made = rewriter.rewrite(user, old.as_deref(), changes, self.count_held, &mut next);
            let made = made.map_err(|what| damaged(partition, what))?;
            guarded(partition, || match made.stored {
                Some(stored) => held.tree.insert(user, stored),
                None => held.tree.remove(user),
            })?;
        }
        guarded(partition, || held.tree.insert(CHECKPOINT_KEY, value::encode(&next)))?;
        *sums = Sums { checkpoint: next, reading: None };
        Ok(next)
    }
}

/// Some milliseconds: that long a profile that is not at hand has to be waited for.
const PIECE_USERS: usize = 64;
