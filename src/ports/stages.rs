//! The stopwatch: what each stage of an event's way costs, for who measures.
//!
//! Whoever walks the way says which stage has just ended; what that means, and whether this record is
//! timed at all, is the stopwatch's. Nothing that is decided depends on it.

/// A stage of the way, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The record out of the client's queue.
    Fetch,
    Decode,
    Enrich,
    /// The profile: found, or read from the store and decoded.
    Load,
    /// Signals, score, decision, learning.
    Step,
    /// Decision, alert and revocations as bytes.
    Emit,
    /// The hash over the decision and all before it.
    Chain,
    /// What is left of a record, and finding out what is to be done next.
    Dispatch,
    /// The changed parts of profiles as bytes, when a unit is sealed.
    Encode,
    /// The handing over of a unit's records to the client.
    Produce,
    /// From there to the end of the transaction.
    Commit,
    /// What was committed goes to the overlay.
    Settle,
    /// What is to be written to the store is gathered; the writing is a thread of its own.
    Checkpoint,
}

impl Stage {
    pub const ALL: [Self; 13] = [
        Self::Fetch,
        Self::Decode,
        Self::Enrich,
        Self::Load,
        Self::Step,
        Self::Emit,
        Self::Chain,
        Self::Dispatch,
        Self::Encode,
        Self::Produce,
        Self::Commit,
        Self::Settle,
        Self::Checkpoint,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Decode => "decode",
            Self::Enrich => "enrich",
            Self::Load => "load",
            Self::Step => "step",
            Self::Emit => "emit",
            Self::Chain => "chain",
            Self::Dispatch => "dispatch",
            Self::Encode => "encode",
            Self::Produce => "produce",
            Self::Commit => "commit",
            Self::Settle => "settle",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// One thread's.
pub trait Stopwatch: std::fmt::Debug {
    /// Since the border before, the record at hand was in `stage`.
    fn lap(&self, stage: Stage);
}
