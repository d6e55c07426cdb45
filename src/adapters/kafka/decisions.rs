//! How far a lane had come, read out of a decision as it lies in `risk.decisions`.
//!
//! Recovery asks this of one record a partition. In Avro the answer stands at the end of the datum,
//! whatever was added before it: `position` (topic, partition, offset) and then `chain` are the last
//! fields of every version of the schema, so both are read backwards without resolving schemas.

use crate::model::id::Digest;

/// What a decision says about its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionMark {
    /// Offset of the input record that was decided.
    pub offset: i64,
    pub chain: Digest,
}

/// Reads a [`DecisionMark`]; none when the value is no decision.
pub type ReadMark = fn(&[u8]) -> Option<DecisionMark>;

/// From single-object Avro, or from the Confluent wire format.
#[must_use]
pub fn avro(value: &[u8]) -> Option<DecisionMark> {
    if !value.starts_with(&AVRO_MAGIC) && !value.starts_with(&CONFLUENT_MAGIC) {
        return None;
    }
    let (rest, chain) = value.split_at_checked(value.len().checked_sub(CHAIN_DIGITS)?)?;
    let chain = Digest::parse(std::str::from_utf8(chain).ok()?)?;
    let rest = rest.strip_suffix(&CHAIN_LENGTH)?;
    Some(DecisionMark { offset: last_long(rest)?, chain })
}

/// From JSON.
#[must_use]
pub fn json(value: &[u8]) -> Option<DecisionMark> {
    let decision: Json<'_> = serde_json::from_slice(value).ok()?;
    Some(DecisionMark { offset: decision.position.offset, chain: Digest::parse(decision.chain)? })
}

#[derive(serde::Deserialize)]
struct Json<'a> {
    position: JsonPosition,
    chain: &'a str,
}

#[derive(serde::Deserialize)]
struct JsonPosition {
    offset: i64,
}

/// The Avro long that ends here. Every byte of one but the last has its high bit set, and the value
/// before it ends with a byte that has not; so its start is found going back.
fn last_long(bytes: &[u8]) -> Option<i64> {
    let (last, before) = bytes.split_last()?;
    let more = before.iter().rev().take_while(|byte| **byte & 0x80 != 0).count();
    if more >= LONG_BYTES_MAX || *last & 0x80 != 0 {
        return None;
    }
    let zigzag = bytes
        .iter()
        .skip(before.len().checked_sub(more)?)
        .rev()
        .fold(0_u64, |value, byte| value << 7 | u64::from(*byte & 0x7f));
    Some((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
}

const AVRO_MAGIC: [u8; 2] = [0xc3, 0x01];
const CONFLUENT_MAGIC: [u8; 1] = [0];
const CHAIN_DIGITS: usize = 64;
/// 64 as an Avro long.
const CHAIN_LENGTH: [u8; 2] = [0x80, 0x01];
const LONG_BYTES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: Option<i64>) {
        assert_eq!(last_long(bytes), expected);
        let mut value = [AVRO_MAGIC.as_slice(), &[0; 8], bytes, &CHAIN_LENGTH].concat();
        value.extend_from_slice(&[b'a'; CHAIN_DIGITS]);
        let expected = expected.map(|offset| DecisionMark { offset, chain: Digest([0xaa; 32]) });
        assert_eq!(avro(&value), expected);
        value.splice(..10, [0, 0, 0, 0, 7]);
        assert_eq!(avro(&value), expected);
    }

    #[test]
    fn reads_the_end_of_a_datum() {
        check(&[0x06, 0x00], Some(0));
        check(&[0x06, 0x02], Some(1));
        check(&[0x06, 0xd8, 0x0c], Some(812));
        check(&[0xff, 0x01, 0x80, 0x80, 0x80, 0x80, 0x20], Some(1 << 32));
        check(&[0x80; 12], None);
    }

    #[test]
    fn other_bytes_are_no_decision() {
        assert_eq!(avro(b""), None);
        assert_eq!(avro(&[0xc3, 0x01]), None);
        assert_eq!(avro(&[0xc3; 100]), None);
        assert_eq!(json(b"{}"), None);
        let chain = "ab".repeat(32);
        let text = format!(r#"{{"risk_score":5,"position":{{"topic":null,"offset":7}},"chain":"{chain}"}}"#);
        assert_eq!(json(text.as_bytes()), Some(DecisionMark { offset: 7, chain: Digest([0xab; 32]) }));
    }
}
