//! Why a record was not decided, in words.

use crate::engine::decode::Rejected;
use crate::model::Reject;
use crate::pipeline::intake;
use crate::ports::source::Record;
use crate::ports::store::StoreError;

/// Why a record was not decided.
pub(super) enum Refused {
    Record(Rejected),
    Store(StoreError),
}

impl Refused {
    pub(super) fn damaged(partition: i32, what: &str) -> Self {
        Self::Store(StoreError::Damaged { partition, what: what.into() })
    }

    pub(super) fn lost_seat(partition: i32) -> Self {
        Self::damaged(partition, "a profile lost its seat")
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self::Record(rejected)
    }
}

/// `topic/partition/offset`: the id of an event whose producer gave it none, and the key of a
/// rejected record.
pub(super) fn fallback_id(id: &mut String, topic: &str, record: &Record<'_>) {
    use std::fmt::Write as _;
    id.clear();
    // Writing into a string cannot fail.
    let _written = write!(id, "{topic}/{}/{}", record.partition, record.offset);
}

pub(in crate::pipeline) fn panicked(panic: &(dyn std::any::Any + Send)) -> Rejected {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    let message: String = message.chars().take(300).collect();
    intake::reject(
        Reject::DetectorPanic,
        format!("deciding this record panicked: {message}; please report it"),
    )
}

pub(super) const fn refused_detail(reason: Reject) -> &'static str {
    match reason {
        Reject::TooLarge => {
            "what this event gives is larger than the output topic takes; raise its `max.message.bytes`"
        }
        _ => "refused when it was decided before",
    }
}
