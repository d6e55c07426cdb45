//! Clients that read stretches of a partition and join no group: what recovery asks is answered by them.
//!
//! *Delivery*: what was committed. *Ordering*: that of the partition. *Failure*: every question has a
//! time limit, and so has silence.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::ops::Range;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tracing::warn;

use super::connection::Connection;
use super::decisions::{DecisionMark, ReadMark};
use super::ends::ends;
use super::events::{Events, reader};
use crate::ports::failure::Failure;
use crate::ports::ledger::{ReadBack, Tail};

/// Sees what was committed, and all there is.
pub(super) struct Readers {
    pub(super) committed: BaseConsumer<Events>,
    pub(super) uncommitted: BaseConsumer<Events>,
}

impl Readers {
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self {
            committed: make(&connection.reader(), connection)?,
            uncommitted: make(&connection.uncommitted_reader(), connection)?,
        })
    }
}

pub(super) fn make(
    config: &rdkafka::ClientConfig,
    connection: &Connection,
) -> Result<BaseConsumer<Events>, Failure> {
    reader(config, connection)
        .map_err(|error| Failure::Fatal(format!("a Kafka reader could not be made: {error}")))
}

/// Reads committed records of `range` and returns the offset after the last one seen. The end is
/// told by position, not by a message: the last offset of a transaction is a control record.
pub(super) fn scan(
    committed: &BaseConsumer<Events>,
    topic: &str,
    partition: i32,
    range: Range<i64>,
    visit: &mut dyn FnMut(&BorrowedMessage<'_>) -> bool,
) -> Result<i64, Failure> {
    if range.is_empty() {
        return Ok(range.start);
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(range.start))
        .and_then(|()| committed.assign(&list))
        .map_err(|error| question(topic, &error))?;
    let mut next = range.start;
    // Until something of this assignment has come, the client tells the position of an earlier one.
    let mut begun = false;
    let mut silent_since = Instant::now();
    while next < range.end {
        match committed.poll(POLL_WAIT) {
            Some(Ok(message)) => {
                silent_since = Instant::now();
                begun = true;
                next = message.offset() + 1;
                if !visit(&message) {
                    break;
                }
            }
            end @ (Some(Err(KafkaError::PartitionEOF(_))) | None) => {
                begun |= end.is_some();
                if begun && let Some(position) = position(committed, topic, partition) {
                    next = next.max(position);
                }
            }
            Some(Err(error)) => warn!(topic, partition, %error, "reading goes on"),
        }
        if silent_since.elapsed() >= SILENCE_TIMEOUT {
            return Err(Failure::Unreachable(format!(
                "`{topic}` partition {partition} gives nothing beyond offset {next} of {}",
                range.end
            )));
        }
    }
    committed.unassign().map_err(|error| question(topic, &error))?;
    Ok(next)
}

fn position<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str, partition: i32) -> Option<i64> {
    match consumer.position().ok()?.find_partition(topic, partition)?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// The last committed record that `read` understands. Looks in growing stretches from the end: most
/// of the last offsets may be control records or aborted.
pub(super) fn last<T>(
    committed: &BaseConsumer<Events>,
    topic: &str,
    partition: i32,
    read: &mut dyn FnMut(&BorrowedMessage<'_>) -> Option<T>,
) -> Result<Tail<T>, Failure> {
    let range = watermarks(committed, topic, partition)?;
    let (mut from, mut to, mut stretch) = (range.end, range.end, LAST_STRETCH);
    while from > range.start {
        from = from.saturating_sub(stretch).max(range.start);
        let mut found = None;
        scan(committed, topic, partition, from..to, &mut |message| {
            if message.offset() < to
                && let Some(value) = read(message)
            {
                found = Some(value);
            }
            true
        })?;
        if found.is_some() {
            return Ok(Tail::of(found, range.start));
        }
        to = from;
        stretch = stretch.saturating_mul(4);
    }
    Ok(Tail::of(None, range.start))
}

/// A decision and where it stands.
pub(super) struct Decided {
    pub(super) position: i64,
    mark: DecisionMark,
    age: Duration,
}

impl Decided {
    fn of(message: &BorrowedMessage<'_>, read_mark: ReadMark) -> Option<Self> {
        let mark = read_mark(message.payload()?)?;
        Some(Self { position: message.offset(), mark, age: age(message.timestamp()) })
    }

    pub(super) const fn read_back(&self) -> ReadBack {
        ReadBack { chain: self.mark.chain, age: self.age }
    }
}

/// The first decision of a stretch.
pub(super) fn first(
    committed: &BaseConsumer<Events>,
    topic: &str,
    partition: i32,
    range: Range<i64>,
    read_mark: ReadMark,
) -> Result<Option<Decided>, Failure> {
    let (mut found, end) = (None, range.end);
    scan(committed, topic, partition, range, &mut |message| {
        if message.offset() < end {
            found = Decided::of(message, read_mark);
        }
        found.is_none() && message.offset() < end
    })?;
    Ok(found)
}

/// The last decision about input before `offset`.
pub(super) fn decided_before(
    committed: &BaseConsumer<Events>,
    topic: &str,
    partition: i32,
    offset: i64,
    read_mark: ReadMark,
) -> Result<Option<ReadBack>, Failure> {
    let all = watermarks(committed, topic, partition)?;
    let range = narrowed(all, &mut |range| {
        let first = first(committed, topic, partition, range, read_mark)?;
        Ok(first.map(|first| (first.position, first.mark.offset < offset)))
    })?;
    let (mut found, end) = (None, range.end);
    scan(committed, topic, partition, range, &mut |message| {
        let decided = Decided::of(message, read_mark).filter(|decided| decided.mark.offset < offset);
        if message.offset() < end && decided.is_some() {
            found = decided;
        }
        message.offset() < end
    })?;
    Ok(found.map(|found| found.read_back()))
}

/// A short stretch with the last record that counts as before, in a log whose records do so up to some
/// place and then no more. `probe` looks at the first record of a stretch, and says where it stands and
/// whether it does. What is sought is mostly near the end.
fn narrowed(
    all: Range<i64>,
    probe: &mut dyn FnMut(Range<i64>) -> Result<Option<(i64, bool)>, Failure>,
) -> Result<Range<i64>, Failure> {
    let Range { start: mut low, end: mut high } = all.end..all.end;
    let mut stretch = LAST_STRETCH;
    while low > all.start {
        low = all.end.saturating_sub(stretch).max(all.start);
        if let Some((position, true)) = probe(low..high)? {
            low = position;
            break;
        }
        high = low;
        stretch = stretch.saturating_mul(4);
    }
    while high - low > READ_STRETCH {
        let middle = low + (high - low) / 2;
        match probe(middle..high)? {
            Some((position, true)) => low = position,
            _ => high = middle,
        }
    }
    Ok(low..high)
}

pub(super) fn watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Result<Range<i64>, Failure> {
    let (low, high) = ends(consumer, topic, partition, QUESTION_TIMEOUT)
        .map_err(|error| question(&format!("offsets of `{topic}` partition {partition}"), &error))?;
    Ok(low..high)
}

pub(super) fn question(what: &str, error: &KafkaError) -> Failure {
    let Some(code) = error.rdkafka_error_code() else { return Failure::Fatal(format!("{what}: {error}")) };
    match super::admin::refused(what, code) {
        refused @ super::admin::Failure::Forbidden { .. } => Failure::Fatal(refused.to_string()),
        refused => Failure::Unreachable(refused.to_string()),
    }
}

/// Of a record without a time nobody knows: it is as old as can be.
fn age(written: rdkafka::Timestamp) -> Duration {
    let Some(written) = written.to_millis().and_then(|ms| u64::try_from(ms).ok()) else {
        return Duration::MAX;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(written))
}

pub(super) const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_WAIT: Duration = Duration::from_millis(20);
/// An open transaction of a dead owner delays a reader by at most its time-out, 8 s.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(12);
const LAST_STRETCH: i64 = 64;
/// Some hundred of kilobytes: reading so much costs no more than asking once more.
const READ_STRETCH: i64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    /// Records of input 0, 10, 20, … at every third offset: the others are nobody's to read.
    #[track_caller]
    fn check(records: i64, before: i64, expected: Option<i64>) {
        let log: Vec<(i64, i64)> = (0..records).map(|number| (100 + number * 3, number * 10)).collect();
        let all = 100..100 + records * 3;
        let mut probes = 0;
        let range = narrowed(all, &mut |range| {
            probes += 1;
            let first = log.iter().find(|(position, _)| range.contains(position));
            Ok(first.map(|(position, offset)| (*position, *offset < before)))
        })
        .unwrap();
        assert!(range.end - range.start <= READ_STRETCH && probes <= 24, "{range:?} after {probes}");
        let found = log.iter().rfind(|(position, offset)| range.contains(position) && *offset < before);
        assert_eq!(found.map(|(_, offset)| *offset), expected, "{records} records, before {before}");
    }

    #[test]
    fn the_last_decision_before_a_mark_is_found_wherever_it_stands() {
        for records in [1, 20, 1_000, 100_000] {
            let last = (records - 1) * 10;
            check(records, 0, None);
            check(records, 1, Some(0));
            check(records, last + 1, Some(last));
            check(records, last + 500, Some(last));
            check(records, last / 20 * 10 + 5, Some(last / 20 * 10));
        }
        check(0, 5, None);
        check(100_000, 999_000, Some(998_990));
    }
}
