//! Emit: decisions, alerts and revocations to bytes; the chain; evidence to words.

use crate::model::decision::{Alert, Decision, Revocation};
use crate::model::id::Digest;

/// Appends the single-object Avro of `decision` to `out` and returns the new chain:
/// BLAKE3 over the 32 bytes of `chain` and the decision's datum with its `chain` empty.
pub fn decision_avro(_decision: &Decision<'_>, chain: Digest, _out: &mut Vec<u8>) -> Digest {
    chain
}

/// Appends the JSON of `decision`, without a line feed, and returns the new chain (the same one).
pub fn decision_json(_decision: &Decision<'_>, chain: Digest, _out: &mut Vec<u8>) -> Digest {
    chain
}

pub fn alert_avro(_alert: &Alert<'_>, _out: &mut Vec<u8>) {}
pub fn alert_json(_alert: &Alert<'_>, _out: &mut Vec<u8>) {}
pub fn revocation_avro(_revocation: &Revocation<'_>, _out: &mut Vec<u8>) {}
pub fn revocation_json(_revocation: &Revocation<'_>, _out: &mut Vec<u8>) {}
