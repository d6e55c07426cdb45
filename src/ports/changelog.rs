//! The changelog, as who only reads it needs it: what was committed to `risk.profiles`, and the decision
//! that says of which log it is.

use std::ops::Range;

use super::failure::Failure;
use super::ledger::{Change, ReadBack};

/// One value reads one partition at a time.
pub trait Changelog: std::fmt::Debug {
    /// First offset of the partition's changelog, and the one after its last unit that is settled: no
    /// unit lies across it.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    fn range(&mut self, partition: i32) -> Result<Range<i64>, Failure>;

    /// What the last decision about input before `offset` says; `None` when there is none any more.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure>;

    /// Reads the committed changes of `range`. `visit` returning `false` ends it.
    ///
    /// # Errors
    /// When the broker cannot be read.
    fn changes(
        &mut self,
        partition: i32,
        range: Range<i64>,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<(), Failure>;
}
