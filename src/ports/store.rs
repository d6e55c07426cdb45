//! The store: a warm copy of the profiles, never the truth. Losing it costs a restore.
//!
//! Keys are `user key NUL part`, and what is kept of a user is read and written as one: a user key begins
//! with a letter or a digit and may hold NUL, a part's name does not. Everything is checked when it is
//! read: a store that cannot be read is [`StoreError::Damaged`], never a panic and never a wrong answer.

use std::cmp::Ordering;
use std::fmt;

use super::ledger::{Mark, Positions};

/// What a batch leaves behind beside the parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the state belongs. `None` while it is being restored: then it is not to be served.
    pub place: Option<Spot>,
    /// Counts batches of this partition.
    pub batch: u64,
    /// Users of whom anything is held.
    pub users: u64,
    /// Sum, wrapping, of a hash over each user and what is held of them.
    pub sum: u64,
    /// Observations that are held, of all users together.
    pub held: u64,
}

/// How many observations are held in a part of this name, whose value is absent where it was ended; `None`
/// of a part that never holds any. One part of a user holds all. An engine says so, a store adds up.
pub type CountHeld = fn(&[u8], Option<&[u8]>) -> Option<u64>;

/// A mark and where its output stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub mark: Mark,
    pub positions: Positions,
}

/// What a part becomes; `None` removes it.
pub type Change = Option<Box<[u8]>>;

/// Parts to be written, each once, and then the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order of [`by_user`].
    pub parts: Vec<(Box<[u8]>, Change)>,
    /// Kept as it was when `None`.
    pub place: Option<Spot>,
}

impl Batch {
    /// The changes of each user.
    pub fn users(&self) -> impl Iterator<Item = (&[u8], &[(Box<[u8]>, Change)])> {
        self.users_from(0)
    }

    /// Those of the users that begin at part number `from`.
    pub fn users_from(&self, from: usize) -> impl Iterator<Item = (&[u8], &[(Box<[u8]>, Change)])> {
        let is_sorted = || self.parts.is_sorted_by(|(a, _), (b, _)| by_user(a, b).is_lt());
        debug_assert!(from > 0 || is_sorted(), "a user comes twice");
        let same = |(a, _): &(Box<[u8]>, _), (b, _): &(Box<[u8]>, _)| split(a).0 == split(b).0;
        let parts = self.parts.get(from..).unwrap_or_default();
        parts.chunk_by(same).filter_map(|changes| Some((split(&changes.first()?.0).0, changes)))
    }
}

/// The user and the name of the part that a key names.
#[must_use]
pub fn split(key: &[u8]) -> (&[u8], &[u8]) {
    let at = key.iter().rposition(|byte| *byte == 0).unwrap_or(key.len());
    let (user, part) = key.split_at_checked(at).unwrap_or((key, &[]));
    (user, part.get(1..).unwrap_or_default())
}

/// The name of the part that a key names.
#[must_use]
pub fn part_of(key: &[u8]) -> &[u8] {
    split(key).1
}

/// The order of keys by user and then part: not that of their bytes, since a user key may hold NUL.
#[must_use]
pub fn by_user(a: &[u8], b: &[u8]) -> Ordering {
    split(a).cmp(&split(b))
}

/// What is kept of one user: parts, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Of each part the lengths of name and value, 32 bits each, and then both.
    bytes: Vec<u8>,
}

impl Parts {
    /// The value of the part of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || next(&mut rest))
    }

    /// Adds a part after the others: by its name it has to be the last.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        for bytes in [name, value] {
            // What is longer than that fits into no record of Kafka.
            self.bytes.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts what [`Parts::as_bytes`] gave into the place of what is there.
    ///
    /// # Errors
    /// What `fill` says, or that the bytes are not of that form; then nothing is there.
    pub fn refill(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), String>) -> Result<(), String> {
        self.bytes.clear();
        let mut filled = fill(&mut self.bytes);
        let mut rest = self.bytes.as_slice();
        while next(&mut rest).is_some() {}
        if filled.is_ok() && !rest.is_empty() {
            filled = Err("a value is not a list of parts".into());
        }
        if filled.is_err() {
            self.bytes.clear();
        }
        filled
    }
}

/// Takes the next part off `rest`; leaves it as it is when there is none.
fn next<'b>(rest: &mut &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
    let length = |bytes: [u8; 4]| usize::try_from(u32::from_le_bytes(bytes)).ok();
    let (name, after) = rest.split_first_chunk()?;
    let (value, after) = after.split_first_chunk()?;
    let (name, after) = after.split_at_checked(length(*name)?)?;
    let (value, after) = after.split_at_checked(length(*value)?)?;
    *rest = after;
    Some((name, value))
}

/// What was found when a partition was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub checkpoint: Checkpoint,
    /// After a clean close: the key filter that was saved with it. `None` after an unclean one: scan
    /// before serving.
    pub filter: Option<Vec<u8>>,
}

/// Calls block; the runtime keeps them off the threads that must not wait. A partition is written by one
/// lane at a time; reads may come from anywhere.
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Opens a partition and takes back its sign of a clean close. `None`: there is nothing.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError>;

    /// Puts what is kept of `user` into `out`; nothing when nothing is.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn get(&self, partition: i32, user: &[u8], out: &mut Parts) -> Result<(), StoreError>;

    /// Writes a batch; durable after [`StateStore::flush`]. Whatever breaks it off, the place is not there
    /// before all parts are, and count and sum are those of the parts that are there. (A store without
    /// a place may be anything: it is dropped when it is opened again.)
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError>;

    /// Writes a batch from its part number `from` on, as far as the store goes at once, for whoever rests
    /// between two pieces; returns where the next begins, at the batch's end when that was the last. What
    /// is broken off is as [`StateStore::apply_batch`] leaves it.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn apply_some(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
    ) -> Result<(usize, Checkpoint), StoreError> {
        debug_assert_eq!(from, 0, "one that goes on has to know where");
        Ok((batch.parts.len(), self.apply_batch(partition, batch)?))
    }

    /// Reads at most `limit` users after `after`, in order, checking each; returns the last one read,
    /// `None` at the end.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &Parts),
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads everything and compares count and sum with the checkpoint; `visit` gets every user.
    ///
    /// # Errors
    /// Damaged when anything differs, or unusable.
    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError>;

    /// Reads on where it last ended, at most `limit` users, and compares as [`StateStore::verify`] does
    /// when it is through: then `true`. Batches may be written between two calls. It begins anew after
    /// [`StateStore::open`] and after an end.
    ///
    /// # Errors
    /// Damaged when anything differs, or unusable.
    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError>;

    /// Makes everything written so far survive a loss of power.
    ///
    /// # Errors
    /// Unusable.
    fn flush(&self) -> Result<(), StoreError>;

    /// Saves the filter, marks the partition as cleanly closed, and flushes.
    ///
    /// # Errors
    /// Unusable.
    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError>;

    /// Forgets a partition, whole.
    ///
    /// # Errors
    /// Unusable.
    fn drop_partition(&self, partition: i32) -> Result<(), StoreError>;

    /// Bytes on disk (or in memory).
    fn size(&self) -> u64;
}

/// What may be wrong with a store. Both end in the same cure, a restore; they differ in blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// What is there is not what was written.
    Damaged { partition: i32, what: String },
    /// The disk or the library refuses.
    Unusable(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { partition, what } => write!(
                f,
                "the store of partition {partition} is damaged: {what}; it is put aside and restored from the changelog"
            ),
            Self::Unusable(why) => {
                write!(f, "the store cannot be used: {why}; check the disk under the state folder")
            }
        }
    }
}

impl std::error::Error for StoreError {}
