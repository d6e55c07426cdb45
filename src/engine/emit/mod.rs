//! Emit: decisions, alerts, revocations and rejected records to bytes; the chain; evidence to words.
//!
//! One serde shape a record (`shape`) gives both forms, so JSON and Avro cannot drift apart: the
//! same names in the same order. All functions append to a buffer that the caller reuses.
//!
//! **Chain.** `chain` is the last field of a decision. A decision is encoded with an empty one,
//! hashed behind the 32 bytes of the chain before, and then its tail is filled in.

mod across;
mod borrowed;
mod chain;
mod confluent;
mod datum;
mod envelope;
mod event;
mod form;
mod json;
mod line;
mod read;
mod reason;
mod recorded;
mod render;
mod shape;
mod stored;

use serde::Serialize;

pub use across::{
    network_avro, network_read, network_state_avro, network_state_read, sighting_avro, sighting_read,
};
pub use chain::next_chain;
pub use confluent::{Ids, confluent};
pub use envelope::{
    ProfilePart, RejectedRecord, policy_avro, policy_read, profile_avro, profile_read, rejected_avro,
    rejected_json,
};
pub use event::event_record;
pub use form::Form;
pub use line::Line;
#[cfg(test)]
pub(crate) use read::Any;
pub use read::{DecisionMark, read_mark, to_value};
pub use reason::sentence;
pub use recorded::{Recorded, RecordedBasis, RecordedLines, split_chain};
pub use render::{Rendered, StoredAlert, alert_ecs, alert_ocsf, as_ecs, as_ocsf};
pub use stored::{
    Side, Stored, StoredAcross, StoredBasis, StoredBehavior, StoredFacts, StoredOrigin, StoredPosition,
    StoredReason, StoredRisk, StoredRule, StoredShadow, Value,
};

use self::shape::{Chained, Shape};
use crate::engine::schema::{ALERT, DECISION, EVENT, HEADER_BYTES, REVOCATION, Subject};
use crate::model::decision::{Alert, Decision, Revocation};
use crate::model::event::Event;
use crate::model::id::Digest;

/// Appends the single-object Avro of `decision` to `out` and returns the new chain:
/// BLAKE3 over the 32 bytes of `chain` and the decision's datum with its `chain` empty.
pub fn decision_avro(decision: &Decision<'_>, chain: Digest, out: &mut Vec<u8>) -> Digest {
    decision_unchained(decision, out).chain(chain, out)
}

/// The same up to the chain, for who wants to know what either half costs.
pub fn decision_unchained(decision: &Decision<'_>, out: &mut Vec<u8>) -> Unchained {
    let start = out.len();
    avro(&DECISION, &Chained::<false> { decision, chain: None }, out);
    Unchained { datum: start + HEADER_BYTES }
}

/// A decision at the end of a buffer, its chain still empty.
#[derive(Clone, Copy, Debug)]
#[must_use = "a decision without its chain is none"]
pub struct Unchained {
    datum: usize,
}

impl Unchained {
    /// Fills in the chain, and returns it.
    pub fn chain(self, before: Digest, out: &mut Vec<u8>) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&before.0);
        hasher.update(out.get(self.datum..).unwrap_or_default());
        let chain = Digest(*hasher.finalize().as_bytes());
        // The datum ends with the length of an empty text, one zero byte: it becomes 64 and the digits.
        out.pop();
        out.extend_from_slice(&chain::LENGTH);
        chain.append_hex(out);
        chain
    }
}

/// Appends the JSON of `decision`, without a line feed, and returns the new chain (the same one).
pub fn decision_json(decision: &Decision<'_>, chain: Digest, out: &mut Vec<u8>) -> Digest {
    let start = out.len();
    let chain = decision_avro(decision, chain, out);
    out.truncate(start);
    json(&Chained::<true> { decision, chain: Some(chain) }, out);
    chain
}

/// Appends the single-object Avro of `alert`.
pub fn alert_avro(alert: &Alert<'_>, out: &mut Vec<u8>) {
    avro(&ALERT, &Shape::<_, false>(alert), out);
}

/// Appends the JSON of `alert`, without a line feed.
pub fn alert_json(alert: &Alert<'_>, out: &mut Vec<u8>) {
    json(&Shape::<_, true>(alert), out);
}

/// Appends the single-object Avro of `revocation`.
pub fn revocation_avro(revocation: &Revocation<'_>, out: &mut Vec<u8>) {
    avro(&REVOCATION, &Shape::<_, false>(revocation), out);
}

/// Appends the JSON of `revocation`, without a line feed.
pub fn revocation_json(revocation: &Revocation<'_>, out: &mut Vec<u8>) {
    json(&Shape::<_, true>(revocation), out);
}

/// Appends the single-object Avro of an event.
pub fn event_avro(event: &Event<'_>, out: &mut Vec<u8>) {
    avro(&EVENT, &Shape::<_, false>(event), out);
}

/// Appends the JSON of an event, without a line feed.
pub fn event_json(event: &Event<'_>, out: &mut Vec<u8>) {
    json(&Shape::<_, true>(event), out);
}

/// By convention: see `datum`.
fn avro<T: Serialize>(subject: &Subject, value: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(subject.header());
    #[cfg(test)]
    let start = out.len();
    if let Err(error) = datum::write(value, out) {
        broken(subject.name(), &error.to_string());
    }
    #[cfg(test)]
    tests::agrees(subject, out.get(start..).unwrap_or_default());
}

/// By convention, too: see `json`.
fn json<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    #[cfg(test)]
    let start = out.len();
    if let Err(error) = json::write(value, out) {
        broken("JSON", &error.to_string());
    }
    #[cfg(test)]
    {
        let carefully = serde_json::to_vec(value).map_err(|error| error.to_string());
        assert_eq!(out.get(start..), carefully.as_deref().ok());
    }
}

/// A schema that does not fit its shape is a fault of the build: no input leads here, and the tests
/// walk every field, word and absence. Half a decision must never leave, so nothing does.
#[cold]
#[expect(clippy::panic, reason = "a fault of the build, held by tests; half a record must never leave")]
fn broken(schema: &str, error: &str) -> ! {
    panic!("schema {schema}: {error}")
}

#[cfg(test)]
mod tests;
