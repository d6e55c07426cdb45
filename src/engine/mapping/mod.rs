//! Mapping: from the JSON of an identity system to an event.
//!
//! A [`Mapping`] is typed TOML of our own, read once, every mistake with its place. It says where in a
//! record each field of an event lies (a JSON pointer, RFC 6901), what words mean, and which records
//! are events at all:
//!
//! ```toml
//! version = 1
//! [event]                                    # of every record
//! event_id = "/uuid"
//! user_id = "/actor/alternateId"
//! occurred_at = "/published"
//! ip_address = ["/client/ipAddress", "/request/ipChain/0/ip"]     # the first that is there
//! [[case]]                                   # the first whose `when` holds
//! when = { "/eventType" = ["user.session.start", "user.authentication.*"] }
//! event.type = { value = "login" }
//! event.outcome = { path = "/outcome/result", words = { SUCCESS = "success" }, else = "failure" }
//! ```
//!
//! What comes out is an event as JSON, which the decoder checks like any other: a mapping can lead to
//! no event that could not have been sent.

mod apply;
mod parse;

use std::collections::BTreeMap;

pub use apply::Mapped;
pub use parse::parse;

/// How records of one topic become events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Of every record; a case may say otherwise.
    shared: Vec<Rule>,
    cases: Vec<Case>,
    unmatched: Unmatched,
}

/// What becomes of a record that no case is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Unmatched {
    /// Nobody has said that it may be left out.
    #[default]
    Reject,
    Skip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Case {
    /// All must hold.
    when: Vec<(Pointer, Vec<Pattern>)>,
    then: Then,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Then {
    /// No event, and nothing wrong with it.
    Skip,
    Event(Vec<Rule>),
}

/// A place in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pointer(String);

/// A text, or with a `*` at its end what begins so.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    is_prefix: bool,
}

/// Where one field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    field: Field,
    from: From,
}

/// A field of an event, or of a record in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    outer: &'static str,
    inner: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Always(String),
    Record(Lookup),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lookup {
    /// The first that is there counts.
    paths: Vec<Pointer>,
    /// What the record's words are called here; of others `otherwise`.
    words: BTreeMap<String, String>,
    otherwise: Option<String>,
    lower: bool,
    time: Time,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Time {
    /// As the decoder expects it; what is no time is taken as it is, too.
    #[default]
    Rfc3339,
    Seconds,
    Millis,
    Micros,
}

/// The fields of an event that a mapping may fill. Feedback is not among its types: what people say
/// has a topic, and permissions, of its own.
const FIELDS: &[&str] = &[
    "event_id",
    "tenant",
    "user_id",
    "type",
    "occurred_at",
    "source",
    "source_user_id",
    "source_session_id",
    "subject_kind",
    "groups",
    "actor_id",
    "app",
    "resource",
    "privilege",
    "session_id",
    "ip_address",
    "ip_chain",
    "user_agent",
    "device_fingerprint",
    "device_managed",
    "tls_fingerprint",
    "rtt_ms",
    "interactive",
    "evaluation_id",
    "outcome",
    "failure_reason",
    "factors",
    "challenge_id",
    "factor",
    "change",
    "token_id",
    "previous_token_id",
    "context",
    "keyboard_events",
    "mouse_events",
    "touch_events",
    "backfill",
];
const PLACE: &[&str] = &["country", "region", "city", "latitude", "longitude", "radius_km"];
const NETWORK: &[&str] = &["asn", "class"];
/// What is a list in an event: a single value becomes a list of one.
const LISTS: &[&str] = &["groups", "ip_chain", "factors"];

#[cfg(test)]
mod tests;
