//! Which policies `risk.policies` holds, read once at the start: each is published once.
//!
//! *Failure*: what may pass (a partition whose leader is being chosen) is asked again within a time
//! limit; a refusal ends the start, and so does silence.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::admin::{Failure, is_distance, reason, refused};
use super::connection::Connection;
use super::ends::ends;
use super::events::reader;
use super::log::KafkaLog;
use crate::model::id::Digest;

/// Where policies lie, whatever the number of partitions: they belong to no lane.
pub(super) const PARTITION: i32 = 0;

/// The key of a policy's record: as decisions have it in `basis.policy`.
#[must_use]
pub fn key(policy: Digest) -> String {
    format!("{PREFIX}{policy}")
}

/// The digests of all policies in `topic`.
///
/// # Errors
/// When the broker does not answer, or does not let us read.
pub fn known(connection: &Connection, topic: &str) -> Result<BTreeSet<Digest>, Failure> {
    let consumer =
        reader(&connection.reader(), connection).map_err(|error| Failure::Client(error.to_string()))?;
    let told = |error: KafkaError| match error.rdkafka_error_code() {
        Some(code) if is_distance(&error) => Failure::Unreachable {
            bootstrap: connection.bootstrap().to_owned(),
            waited: TIMEOUT,
            reason: reason(code),
        },
        Some(code) => refused(&format!("reading `{topic}`"), code),
        None => Failure::Client(error.to_string()),
    };
    let began = Instant::now();
    let (first, end) = loop {
        match ends(&consumer, topic, PARTITION, TIMEOUT).map_err(told) {
            Ok(ends) => break ends,
            Err(Failure::Refused { .. } | Failure::Unreachable { .. }) if began.elapsed() < TIMEOUT => {
                std::thread::sleep(POLL);
            }
            Err(failure) => return Err(failure),
        }
    };
    let mut digests = BTreeSet::new();
    if first >= end {
        return Ok(digests);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, PARTITION, Offset::Offset(first))
        .and_then(|()| consumer.assign(&list))
        .map_err(told)?;
    let mut silent_since = Instant::now();
    loop {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                silent_since = Instant::now();
                digests.extend(message.key().and_then(digest_in));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(digests),
            // The client tries again by itself; what it cannot mend is silence in the end.
            Some(Err(_)) | None => {}
        }
        if silent_since.elapsed() >= TIMEOUT {
            return Err(Failure::Unreachable {
                bootstrap: connection.bootstrap().to_owned(),
                waited: TIMEOUT,
                reason: format!("`{topic}` gives nothing before its end"),
            });
        }
    }
}

/// The record of a policy in `topic`.
///
/// # Errors
/// When the broker does not answer, or does not let us read.
pub fn find(connection: &Connection, topic: &str, policy: Digest) -> Result<Option<Vec<u8>>, Failure> {
    let mut log = KafkaLog::open(connection, topic, PARTITION)?;
    let mut found = None;
    while let Some(value) = log.next(|record| {
        let is_it = record.key.and_then(digest_in) == Some(policy);
        is_it.then(|| record.value.map(<[u8]>::to_vec)).flatten()
    })? {
        found = value.or(found);
    }
    Ok(found)
}

fn digest_in(key: &[u8]) -> Option<Digest> {
    Digest::parse(std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)?)
}

const PREFIX: &str = "sha256:";
const POLL: Duration = Duration::from_millis(100);
/// An open transaction of a dead owner delays a reader by at most its time-out, 8 s.
const TIMEOUT: Duration = Duration::from_secs(12);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let digest = Digest([0xab; 32]);
        assert_eq!(digest_in(key(digest).as_bytes()), Some(digest));
        assert_eq!(digest_in(b"sha256:ab"), None);
        assert_eq!(digest_in(&[0xff; 71]), None);
    }
}
