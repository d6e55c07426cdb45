//! The store: a warm copy of the profiles, never the truth. Losing it costs a restore.
//!
//! Keys are `user key NUL part`; a user key begins with a letter or a digit, so keys that begin with
//! NUL are the store's own. Every value is checked when it is read: a store that cannot be read is
//! [`StoreError::Damaged`], never a panic and never a wrong answer.

use std::fmt;

use super::ledger::{Mark, Positions};

/// What a batch leaves behind beside the parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where the state belongs. `None` while it is being restored: then it is not to be served.
    pub place: Option<Spot>,
    /// Counts batches of this partition.
    pub batch: u64,
    /// Parts held.
    pub parts: u64,
    /// Sum, wrapping, of a hash over key and value of every part.
    pub sum: u64,
    /// Observations that are held, in all parts together.
    pub held: u64,
}

/// How many observations a part holds, by its key and its value: an engine says so, a store adds up.
pub type CountHeld = fn(&[u8], &[u8]) -> u64;

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
    /// By key, ascending.
    pub parts: Vec<(Box<[u8]>, Change)>,
    /// Kept as it was when `None`.
    pub place: Option<Spot>,
}

/// What was found when a partition was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub checkpoint: Checkpoint,
    /// After a clean close: the key filter that was saved with it. `None` after an unclean one: scan
    /// before serving.
    pub filter: Option<Vec<u8>>,
}

/// Calls block; the runtime keeps them off the threads that must not wait. One value a partition is
/// written by one lane at a time; reads may come from anywhere.
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Opens a partition and takes back its sign of a clean close. `None`: there is nothing.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError>;

    /// Appends the value of `key` to `out`; `false` when there is none.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn get(&self, partition: i32, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError>;

    /// Writes a batch; durable after [`StateStore::flush`]. Whatever breaks it off, the place is not there
    /// before all parts are, and count and sum are those of the parts that are there. (A store without
    /// a place may be anything: it is dropped when it is opened again.)
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError>;

    /// Reads at most `limit` parts after the key `after`, in order, checking each; returns the last
    /// key read, `None` at the end.
    ///
    /// # Errors
    /// Damaged, or unusable.
    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads everything and compares count and sum with the checkpoint; `visit` gets every key.
    ///
    /// # Errors
    /// Damaged when anything differs, or unusable.
    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError>;

    /// Reads on where it last ended, at most `limit` parts, and compares as [`StateStore::verify`] does
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
