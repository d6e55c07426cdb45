//! Who looks on while a log is folded: an export of one user's case.

use std::fmt;

use super::Published;
use crate::model::event::Event;
use crate::model::id::Digest;
use crate::model::time::Timestamp;
use crate::pipeline::profiles::Profiles;

/// A record that is about to be folded.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'s> {
    pub event: &'s Event<'s>,
    /// Of the record, else of the event: what a time that was asked for is compared with.
    pub at: Timestamp,
    pub published: Published<'s>,
    /// The chain before its decision.
    pub before: Digest,
    /// As they are before it.
    pub profiles: &'s Profiles,
}

/// Sees every record before it is folded. An error ends the replay, in its words.
pub trait Watch: fmt::Debug {
    /// # Errors
    /// What went wrong, with its remedy.
    fn seen(&mut self, seen: &Seen<'_>) -> Result<(), String>;

    /// # Errors
    /// As [`Watch::seen`].
    fn ended(&mut self, profiles: &Profiles) -> Result<(), String>;
}
