//! What stands on the disk beside the users: the store's own keys, and the record of a checkpoint.

use super::record::check;
use crate::model::id::Digest;
use crate::ports::ledger::{Mark, Positions};
use crate::ports::store::{Checkpoint, Spot, StoreError};

/// Own keys of a store begin with NUL; no user key does.
pub(super) const OWN: u8 = 0;
pub(super) const FORMAT_KEY: &[u8] = b"\0format";
pub(super) const CHECKPOINT_KEY: &[u8] = b"\0checkpoint";
pub(super) const CLEAN_KEY: &[u8] = b"\0clean";
pub(super) const FILTER_PREFIX: &[u8] = b"\0filter/";

/// What `FORMAT_KEY` holds: another value is another layout, and means a restore.
pub(super) const FORMAT: &[u8] = b"ward-store-4";

/// Large values make sled's pages large.
pub(super) const CHUNK_BYTES: usize = 4000;

const VERSION: u8 = 1;

pub(super) fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut out = Vec::with_capacity(CHECKPOINT_BYTES);
    out.push(VERSION);
    out.push(u8::from(checkpoint.place.is_some()));
    let spot = checkpoint.place.unwrap_or_default();
    out.extend_from_slice(&spot.mark.offset.to_le_bytes());
    out.extend_from_slice(&spot.mark.chain.0);
    for position in [spot.positions.decision, spot.positions.profiles] {
        // No position is negative.
        out.extend_from_slice(&position.unwrap_or(-1).to_le_bytes());
    }
    for number in [checkpoint.batch, checkpoint.users, checkpoint.sum, checkpoint.held] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let check = check(CHECKPOINT_KEY, &out);
    out.extend_from_slice(&check.to_le_bytes());
    out
}

pub(super) fn decode(stored: &[u8]) -> Option<Checkpoint> {
    let (body, found) = stored.split_last_chunk::<8>()?;
    if body.len() + 8 != CHECKPOINT_BYTES || u64::from_le_bytes(*found) != check(CHECKPOINT_KEY, body) {
        return None;
    }
    let (head, rest) = body.split_first_chunk::<2>()?;
    let [VERSION, placed] = head else { return None };
    let (offset, rest) = rest.split_first_chunk()?;
    let (chain, rest) = rest.split_first_chunk()?;
    let mut numbers =
        rest.chunks_exact(8).filter_map(|chunk| Some(u64::from_le_bytes(*chunk.first_chunk()?)));
    let mut position =
        || Some(numbers.next()?.cast_signed()).map(|position| (position >= 0).then_some(position));
    let positions = Positions { decision: position()?, profiles: position()? };
    let spot = Spot { mark: Mark { offset: i64::from_le_bytes(*offset), chain: Digest(*chain) }, positions };
    Some(Checkpoint {
        place: (*placed == 1).then_some(spot),
        batch: numbers.next()?,
        users: numbers.next()?,
        sum: numbers.next()?,
        held: numbers.next()?,
    })
}

/// Whether a scan found what the checkpoint says.
pub(super) fn compare(
    partition: i32,
    users: u64,
    sum: u64,
    said: Checkpoint,
) -> Result<Checkpoint, StoreError> {
    if (users, sum) == (said.users, said.sum) {
        return Ok(said);
    }
    let what = if users == said.users {
        format!("{users} users are there, but not as they were written")
    } else {
        format!("{users} users are there, {} were written", said.users)
    };
    Err(StoreError::Damaged { partition, what })
}

const CHECKPOINT_BYTES: usize = 2 + 8 + 32 + 2 * 8 + 4 * 8 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_or_not_at_all() {
        let checkpoint = Checkpoint {
            place: Some(Spot {
                mark: Mark { offset: 812, chain: Digest([7; 32]) },
                positions: Positions { decision: Some(3), profiles: None },
            }),
            batch: 9,
            users: 1000,
            sum: u64::MAX,
            held: 12,
        };
        let stored = encode(&checkpoint);
        assert_eq!(decode(&stored), Some(checkpoint));
        assert_eq!(decode(&encode(&Checkpoint::default())), Some(Checkpoint::default()));
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x10;
            assert_eq!(decode(&damaged), None, "byte {at}");
            assert_eq!(decode(&stored[..at]), None, "cut at {at}");
        }
    }
}
