//! How a lane stands: what the dispatch asks of it.

use super::{CHANGELOG_BYTES_A_USER, Lane};
use crate::pipeline::invariants::Broken;
use crate::ports::ledger::Mark;

impl Lane {
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.partition
    }

    /// Records offered since the last seal.
    #[must_use]
    pub const fn open_len(&self) -> usize {
        self.open.offered
    }

    /// Bytes that the open unit will have, about: parts are encoded when it is sealed.
    #[must_use]
    pub fn open_bytes(&self) -> usize {
        self.open.unit.size() + self.open.touched.len() * CHANGELOG_BYTES_A_USER
    }

    /// Whether a decision of the open unit revokes: it is not to wait for the interval.
    #[must_use]
    pub const fn urgent(&self) -> bool {
        self.open.urgent
    }

    #[must_use]
    pub const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// What the broker has.
    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.committed.mark
    }

    /// The next input offset to be offered.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.tip.offset
    }

    /// Bytes that wait for a checkpoint.
    #[must_use]
    pub const fn overlay_bytes(&self) -> usize {
        self.overlay.bytes()
    }

    #[must_use]
    pub const fn broken(&self) -> Broken {
        self.broken
    }
}
