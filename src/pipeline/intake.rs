//! Intake: whether a record may be decided here at all.
//!
//! A user that lives in two partitions has two halves of a baseline; so a record must be keyed by
//! its body's user, and lie where that key belongs.

use crate::engine::decode::Rejected;
use crate::model::Reject;
use crate::model::event::Event;
use crate::model::id::UserKey;

/// The key that a record must have; its absence is a rejection.
///
/// # Errors
/// `unkeyed`.
pub fn keyed(key: Option<&[u8]>) -> Result<&[u8], Rejected> {
    match key {
        Some(key) if !key.is_empty() => Ok(key),
        _ => Err(reject(
            Reject::Unkeyed,
            "the record has no key; expected `tenant/user` as in its body".into(),
        )),
    }
}

/// Whether `key` is the body's user, and `partition` the key's.
///
/// # Errors
/// `wrong_key`, `wrong_partition`.
pub fn placed(key: &[u8], event: &Event<'_>, partition: i32, partitions: i32) -> Result<(), Rejected> {
    if !UserKey::matches(key, &event.tenant, &event.user) {
        let found = shown(key);
        let expected = shown(UserKey::new(&event.tenant, &event.user).as_bytes());
        let detail = format!(
            "the record's key is `{found}`, its body says `{expected}`; key events by tenant and user"
        );
        return Err(reject(Reject::WrongKey, detail));
    }
    let expected = partition_of(key, partitions);
    if expected != partition {
        let detail = format!(
            "key `{}` belongs to partition {expected} of {partitions}, found in {partition}; the producer must use the \
             murmur2 partitioner (Java's default)",
            shown(key)
        );
        return Err(reject(Reject::WrongPartition, detail));
    }
    Ok(())
}

pub(super) fn reject(reason: Reject, detail: String) -> Rejected {
    Rejected { reason, detail }
}

/// At most 80 characters of what may be anything.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..320).unwrap_or(bytes)).chars().take(80).collect()
}

/// The partition of a key by Java's default: `toPositive(murmur2(key)) % partitions`.
#[must_use]
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    let positive = (murmur2(key) & 0x7fff_ffff).cast_signed();
    positive.checked_rem(partitions).unwrap_or(0)
}

/// Kafka's murmur2: 32 bits, seed 0x9747b28c, little-endian words.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        for (shift, byte) in [0, 8, 16].into_iter().zip(tail) {
            hash ^= u32::from(*byte) << shift;
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: i32) {
        assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected);
    }

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_is_kafkas() {
        check("21", -973_932_308);
        check("foobar", -790_332_482);
        check("a-little-bit-long-string", -985_981_536);
        check("a-little-bit-longer-string", -1_486_304_829);
        check("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971);
        check("abc", 479_470_107);
    }

    #[test]
    fn partitions_are_never_negative() {
        for key in 0..1000 {
            assert!((0..24).contains(&partition_of(format!("acme/{key}").as_bytes(), 24)));
        }
        assert_eq!(partition_of(b"acme/ada", 1), 0);
        assert_eq!(partition_of(b"acme/ada", 0), 0);
    }

    #[test]
    fn a_record_without_a_key_is_unkeyed() {
        assert_eq!(keyed(None).unwrap_err().reason, Reject::Unkeyed);
        assert_eq!(keyed(Some(b"")).unwrap_err().reason, Reject::Unkeyed);
        assert_eq!(keyed(Some(b"acme/ada")), Ok(b"acme/ada".as_slice()));
    }
}
