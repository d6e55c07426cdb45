//! The nouns. Everything else speaks in these; they use nothing else of the crate.

#[macro_use]
mod words;
pub mod across;
pub mod decision;
pub mod event;
pub mod evidence;
pub mod id;
pub mod observation;
pub mod place;
pub mod signal;
pub mod tally;
pub mod time;
pub mod trace;

pub use words::{
    Action, AlertKind, Assurance, Browser, ChallengeOutcome, CredentialChange, DeviceKind, EventType, Factor,
    Factors, FailureReason, FeedbackBy, History, Learned, Level, Mode, MouseKind, NetworkClass, Os, Outcome,
    PlaceSource, Privilege, Reject, RevocationScope, RevokedBy, SessionChange, SubjectKind, TouchPhase,
    Verdict,
};
