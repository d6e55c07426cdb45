//! A copy of a partition that somebody else serves, so that taking it over is a replay of a tail.
//!
//! ```text
//!  begin ─▶ go on at the store's place, or drop it and read the changelog from its start
//!  round ─▶ read what has come since, write it, and place the store at the mark of the last change
//! ```
//!
//! The copy has no place until it was read to the end once: what a changelog says in its middle is the
//! state at no mark, since compaction has taken what later records repeat. From then on each round ends
//! where no unit is open, so that the store is the state at the mark that it carries; broken off within a
//! round, it is at its old place with some newer parts, which the next one writes again. What a copy is
//! good for is not decided here: whoever takes the partition over asks [`super::recover`], as of any store.
//!
//! Erasures come as ended parts, as everything else does. One that was away for so long that it may have
//! missed some begins anew.

use super::filter::Filter;
use super::recover::{self, Way};
use super::restore::{Filling, Trouble};
use crate::ports::changelog::Changelog;
use crate::ports::ledger::Positions;
use crate::ports::store::{Batch, Spot, StateStore, StoreError};

/// A copy under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standby {
    partition: i32,
    /// Of the changelog's record that is read next.
    next: i64,
    is_placed: bool,
}

/// What a round has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// So many records were copied.
    Copied(u64),
    /// The changelog has lost what comes next: [`Standby::begin`] anew.
    Cut,
}

impl Standby {
    /// Opens the store of `partition`, or drops what cannot be gone on with, and says which users are in
    /// it, who are found under `hash_seed` where nobody has kept them. `goes_on` is asked between two slices
    /// of what takes long.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn begin(
        partition: i32,
        changelog: &mut dyn Changelog,
        store: &dyn StateStore,
        hash_seed: u64,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<(Self, Filter), Trouble> {
        let start = changelog.range(partition)?.start;
        let found = match store.open(partition) {
            Ok(found) => found,
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let spot = found.as_ref().and_then(|found| found.checkpoint.place);
        let read_back = match &spot {
            Some(spot) => changelog.decided_before(partition, spot.mark.offset)?,
            None => None,
        };
        if let Way::Replay { from } = recover::copied(spot.as_ref(), start, read_back) {
            let saved = found.and_then(|found| Filter::decode(&found.filter?));
            let known = match saved {
                Some(saved) => Some(saved),
                None => read_through(partition, store, Filter::new(hash_seed), goes_on)?,
            };
            if let Some(known) = known {
                return Ok((Self { partition, next: from, is_placed: true }, known));
            }
        }
        store.drop_partition(partition)?;
        Ok((Self { partition, next: start, is_placed: false }, Filter::new(hash_seed)))
    }

    /// Whether its store is the state at some mark: it was read to the end once, and something was there.
    #[must_use]
    pub const fn is_placed(&self) -> bool {
        self.is_placed
    }

    /// Brings the copy up to what is settled now. `behind` is told by how many records it is behind, at
    /// first and after every batch, and ends the round by `false`.
    ///
    /// # Errors
    /// See [`Trouble`]. The copy is where it was.
    pub fn round(
        &mut self,
        changelog: &mut dyn Changelog,
        store: &dyn StateStore,
        behind: &mut dyn FnMut(i64) -> bool,
    ) -> Result<Round, Trouble> {
        let partition = self.partition;
        let range = changelog.range(partition)?;
        if !(range.start..=range.end).contains(&self.next) {
            return Ok(Round::Cut);
        }
        if !behind(range.end - self.next) {
            return Err(Trouble::BrokenOff);
        }
        let mut write = |batch: &Batch| store.apply_batch(partition, batch);
        let mut filling = Filling::new(partition, &mut write);
        if self.next < range.end {
            changelog.changes(partition, self.next..range.end, &mut |change| {
                filling.visit(&change, |_| behind(range.end - change.offset - 1))
            })?;
        }
        filling.sound()?;
        if let Some(mark) = filling.last {
            let positions = Positions { decision: None, profiles: Some(range.end) };
            filling.write(Some(Spot { mark, positions }))?;
            store.flush()?;
            self.is_placed = true;
        }
        self.next = range.end;
        Ok(Round::Copied(filling.records))
    }
}

/// The users of a store that nobody closed, which is compared with its checkpoint as well; `None` when it
/// is damaged.
fn read_through(
    partition: i32,
    store: &dyn StateStore,
    mut filter: Filter,
    goes_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Filter>, Trouble> {
    let mut after: Option<Vec<u8>> = None;
    let mut listed = false;
    loop {
        if !goes_on() {
            return Err(Trouble::BrokenOff);
        }
        let read = if listed {
            store.verify_some(partition, SLICE_USERS)
        } else {
            let slice = store.scan(partition, after.as_deref(), SLICE_USERS, &mut |user, _| filter.add(user));
            slice.map(|last| {
                listed = last.is_none();
                after = last;
                false
            })
        };
        match read {
            Ok(true) => return Ok(Some(filter)),
            Ok(false) => {}
            Err(StoreError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A slice takes a few milliseconds: so long a take-over waits at most.
const SLICE_USERS: usize = 1_000;
