//! What must hold at every step, whatever failed before.
//!
//! A broken invariant is a bug of ours: a debug build stops there; a release build counts it and
//! goes on, and the counter pages somebody.

use crate::ports::ledger::{Mark, Unit};
use crate::ports::store::Spot;

/// Counts what did not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken(u64);

impl Broken {
    #[must_use]
    pub const fn count(self) -> u64 {
        self.0
    }

    /// `what` says the rule in words.
    pub fn check(&mut self, holds: bool, what: &'static str) {
        debug_assert!(holds, "invariant broken: {what}");
        if !holds {
            self.0 = self.0.saturating_add(1);
        }
    }

    pub(super) fn unit_follows(&mut self, unit: &Unit, committed: Mark) {
        self.check(unit.from == committed, "a unit begins at the committed mark");
        self.check(unit.to.offset > unit.from.offset, "a unit moves the mark");
        self.check(
            unit.records().all(|record| (unit.from.offset..unit.to.offset).contains(&record.offset)),
            "what a unit writes comes from the input that it covers",
        );
    }

    pub(super) fn store_is_behind(&mut self, store: Mark, committed: Spot) {
        self.check(store.offset <= committed.mark.offset, "the store is never ahead of the broker");
        self.check(
            store.offset != committed.mark.offset || store.chain == committed.mark.chain,
            "at one offset there is one chain",
        );
    }
}
