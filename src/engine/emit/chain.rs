//! The chain over the decisions of a lane: each holds the hash of all before it.

use crate::model::id::Digest;

/// The chain after a decision: BLAKE3 over the 32 bytes of the chain before and the decision's datum
/// with an empty chain. `body` is that datum without its last byte, which is the empty chain.
#[must_use]
pub fn next_chain(before: Digest, body: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before.0).update(body).update(&[0]);
    Digest(*hasher.finalize().as_bytes())
}

/// 64 as Avro writes a length.
pub(super) const LENGTH: [u8; 2] = [0x80, 0x01];
/// Of a chain in hex.
pub(super) const DIGITS: usize = 64;
