//! How a lane stands: what the dispatch asks of it.

use super::{CHANGELOG_BYTES_A_USER, Lane};
use crate::model::time::Timestamp;
use crate::pipeline::invariants::Broken;
use crate::ports::ledger::Mark;

/// How far a lane has come, for whoever watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    pub partition: i32,
    /// The next input offset to be committed.
    pub committed: i64,
    /// Own time of the last record that is committed; `None` before the first.
    pub recorded_at: Option<Timestamp>,
    /// Everything that was offered is committed.
    pub is_settled: bool,
    /// Input records by which the store is behind the broker.
    pub unstored_records: i64,
    /// Changelog records that a restart would read to catch up; `None` while the end is not known.
    pub unstored_changes: Option<i64>,
    /// Observations that waited for an answer at the last checkpoint.
    pub held: u64,
}

impl Lane {
    #[must_use]
    pub fn stand(&self) -> Stand {
        let stored = self.stored.unwrap_or_default();
        let behind = |to: i64, from: i64| to.saturating_sub(from).max(0);
        let (to, from) = (self.committed.positions.profiles, stored.positions.profiles);
        Stand {
            partition: self.partition,
            committed: self.committed.mark.offset,
            recorded_at: self.recorded_at,
            is_settled: self.open.offered == 0 && self.pending.is_none(),
            unstored_records: behind(self.committed.mark.offset, stored.mark.offset),
            unstored_changes: if self.is_stored() {
                Some(0)
            } else {
                to.zip(from).map(|(to, from)| behind(to, from))
            },
            held: self.held,
        }
    }

    /// Whether the store has what the broker has.
    pub(super) fn is_stored(&self) -> bool {
        self.stored.is_some_and(|spot| spot.mark == self.committed.mark)
    }

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
