//! How the outside fails, in the only words that change what is done next.

use std::fmt;

use super::ledger::Output;

/// Why a transaction, or a question to the broker, did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing of it counts, and the ledger can go on: decide again from the committed marks.
    Aborted(String),
    /// Nobody knows whether it counts. The ledger has already renewed its producer; the committed
    /// marks say what happened.
    Unknown(String),
    /// Another owner has taken over: stay silent, drop everything, wait for an assignment.
    Fenced(String),
    /// Nothing of it counts, because the broker refuses this one record for its size.
    TooLarge(Oversized),
    /// Not reachable now; nothing of it counts. Try again after a back-off.
    Unreachable(String),
    /// No retry helps: configuration, permissions, a version. The worker stops and says so.
    Fatal(String),
}

/// The record that was refused, by the input that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oversized {
    pub partition: i32,
    /// Offset of the input record.
    pub offset: i64,
    pub output: Output,
    pub bytes: usize,
}

impl Failure {
    /// Whether the committed marks must be asked before anything else is done.
    #[must_use]
    pub const fn leaves_doubt(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(why) => write!(f, "transaction aborted: {why}"),
            Self::Unknown(why) => write!(f, "outcome of the transaction unknown: {why}"),
            Self::Fenced(why) => write!(f, "fenced by another owner: {why}"),
            Self::TooLarge(what) => write!(
                f,
                "a record of {} bytes for {} is larger than the broker takes (input {}:{}); raise `max.message.bytes` \
                 of that topic if it should be kept",
                what.bytes,
                what.output.name(),
                what.partition,
                what.offset
            ),
            Self::Unreachable(why) => write!(f, "broker not reachable: {why}"),
            Self::Fatal(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Failure {}
