//! The tracer: who records what becomes of a record that came with a trace.
//!
//! It says when it is and how much may be recorded. Which ids spans have is not its choice: they follow
//! from what they are about, so that a unit that is decided again gives the same.

use super::clock::Tick;
use crate::model::id::Id128;
use crate::model::trace::TraceParent;
use crate::model::{Action, EventType, Level, Reject};

pub trait Tracer: std::fmt::Debug {
    /// Whose work is recorded: two who read the same records must not use the same ids.
    fn reader(&self) -> &str;

    fn now(&self) -> Tick;

    /// Whether one more record may be recorded; asked once for each.
    fn admits(&self) -> bool;
}

/// The trace that an input record came with. Everything that the record led to goes on in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of the input record.
    pub offset: i64,
    /// As it is handed on.
    pub onward: TraceParent,
    /// `tracestate`, handed on as it came.
    pub state: Option<Box<str>>,
    /// `None`: handed on as it came, and nothing recorded.
    pub record: Option<Recorded>,
}

/// What a span tells of a record, but for the commit, which is still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub parent: [u8; 8],
    pub received: Tick,
    pub decided: Tick,
    pub became: Became,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    Decided { id: Id128, kind: EventType, action: Action, level: Level, score: u8 },
    Duplicate,
    Rejected(Reject),
}
