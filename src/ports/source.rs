//! The source: input records and assignments, through one stream and in order.
//!
//! A record never overtakes the assignment that it belongs to, and none follows the revocation.

use std::time::Duration;

use super::failure::Failure;
use crate::model::time::Timestamp;

/// One input record, borrowed from the client that fetched it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub partition: i32,
    pub offset: i64,
    /// The record's own time, which the broker gave it.
    pub recorded_at: Option<Timestamp>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    /// Names and values of its headers, or of the first of them.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What the stream carries.
#[derive(Clone, Debug)]
pub enum Arrival<'a> {
    Record(Record<'a>),
    /// These partitions are ours. Nothing of them comes before [`Source::start`].
    Assigned(Vec<i32>),
    /// They are to be given up: finish what is open, then [`Source::release`].
    Revoked(Vec<i32>),
    /// They are gone: somebody else may already write. Drop everything, stay silent.
    Lost(Vec<i32>),
}

pub trait Source: std::fmt::Debug {
    /// Hands over what has come, waiting at most `wait` for the first of it. `visit` returning
    /// `false` ends the call: what was not handed over comes with the next.
    ///
    /// # Errors
    /// When the client cannot go on.
    fn poll(&mut self, wait: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure>;

    /// Reads `partition` from `offset` on, at first or again. Nothing that was fetched from
    /// elsewhere comes any more.
    ///
    /// # Errors
    /// When the client refuses.
    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Failure>;

    /// Hands on no record of this partition any more, until [`Source::start`]. The others go on.
    ///
    /// # Errors
    /// When the client refuses.
    fn hold(&mut self, partition: i32) -> Result<(), Failure>;

    /// Answers a revocation.
    ///
    /// # Errors
    /// When the client refuses.
    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure>;

    /// Where the client reads on, which passes control records that nobody decides; `None` when it
    /// cannot tell.
    fn position(&self, _partition: i32) -> Option<i64> {
        None
    }

    /// Stops (or goes on) fetching, so that memory does not grow with lag.
    ///
    /// # Errors
    /// When the client refuses.
    fn pause(&mut self, paused: bool) -> Result<(), Failure>;
}
