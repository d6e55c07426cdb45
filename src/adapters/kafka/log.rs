//! One partition of a topic, read from its beginning to its end, by who joins no group.
//!
//! *Delivery*: what was committed, once, in order. *Ordering*: that of the partition. *Failure*: it
//! ends where the log ended when it was opened; a broker that is silent for long is not waited for.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::admin::{Failure, is_distance, refused};
use super::carried::change;
use super::connection::Connection;
use super::ends::ends;
use super::events::{Events, reader};
use super::source::{headers, record};
use crate::ports::ledger::Change;
use crate::ports::source::Record;

/// A reader of one partition.
pub struct KafkaLog {
    consumer: BaseConsumer<Events>,
    what: String,
    bootstrap: String,
    first: i64,
    end: i64,
    ended: bool,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog")
            .field("what", &self.what)
            .field("first", &self.first)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// Where a partition begins and ends. One that was just made has no leader yet, or one that does not
/// know it: that is waited for.
pub(super) fn ends_of(
    consumer: &BaseConsumer<Events>,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> KafkaResult<(i64, i64)> {
    use RDKafkaErrorCode::{DestroyBroker, LeaderNotAvailable, NotLeaderForPartition};

    let began = Instant::now();
    loop {
        match ends(consumer, topic, partition, patience) {
            Err(error)
                if matches!(
                    error.rdkafka_error_code(),
                    Some(DestroyBroker | LeaderNotAvailable | NotLeaderForPartition)
                ) && began.elapsed() < patience =>
            {
                std::thread::sleep(POLL_WAIT);
            }
            found => return found,
        }
    }
}

impl KafkaLog {
    /// Stands at the first record that is still there.
    ///
    /// # Errors
    /// When the broker does not answer, or refuses.
    pub fn open(connection: &Connection, topic: &str, partition: i32) -> Result<Self, Failure> {
        let consumer =
            reader(&connection.reader(), connection).map_err(|error| Failure::Client(error.to_string()))?;
        let mut log = Self {
            consumer,
            what: format!("read `{topic}` partition {partition}"),
            bootstrap: connection.bootstrap().to_owned(),
            first: 0,
            end: 0,
            ended: false,
        };
        let (first, end) = ends_of(&log.consumer, topic, partition, PATIENCE)
            .map_err(|error| log.failure(&error, PATIENCE))?;
        (log.first, log.end, log.ended) = (first, end, first >= end);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(first))
            .and_then(|()| log.consumer.assign(&list))
            .map_err(|error| log.failure(&error, PATIENCE))?;
        Ok(log)
    }

    /// The offset of the first record that is still there.
    #[must_use]
    pub const fn first(&self) -> i64 {
        self.first
    }

    /// The offset after the last record that it shows.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    /// Hands the next record to `read`; `None` at the end.
    ///
    /// # Errors
    /// When the broker does not answer, or refuses.
    pub fn next<T>(&mut self, read: impl FnOnce(&Record<'_>) -> T) -> Result<Option<T>, Failure> {
        self.message(|message| read(&record(message, &headers(message))))
    }

    /// The same for a changelog, whose records say of which unit they are.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn next_change<T>(&mut self, read: impl FnOnce(&Change<'_>) -> T) -> Result<Option<T>, Failure> {
        self.message(|message| read(&change(message)))
    }

    fn message<T>(&mut self, read: impl FnOnce(&BorrowedMessage<'_>) -> T) -> Result<Option<T>, Failure> {
        let began = Instant::now();
        while !self.ended {
            match self.consumer.poll(POLL_WAIT) {
                Some(Ok(message)) if message.offset() < self.end => return Ok(Some(read(&message))),
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => self.ended = true,
                Some(Err(error)) if !is_distance(&error) => return Err(self.failure(&error, PATIENCE)),
                Some(Err(error)) if began.elapsed() >= PATIENCE => return Err(self.failure(&error, PATIENCE)),
                None if began.elapsed() >= PATIENCE => {
                    return Err(Failure::Unreachable {
                        bootstrap: self.bootstrap.clone(),
                        waited: PATIENCE,
                        reason: format!("it sends nothing of what we {}", self.what),
                    });
                }
                Some(Err(_)) | None => {}
            }
        }
        Ok(None)
    }

    fn failure(&self, error: &KafkaError, waited: Duration) -> Failure {
        match error.rdkafka_error_code() {
            Some(code) if !is_distance(error) => refused(&self.what, code),
            Some(code) => Failure::Unreachable {
                bootstrap: self.bootstrap.clone(),
                waited,
                reason: self.consumer.context().last_refusal().unwrap_or_else(|| super::admin::reason(code)),
            },
            None => Failure::Refused { what: self.what.clone(), reason: error.to_string() },
        }
    }
}

const POLL_WAIT: Duration = Duration::from_millis(50);
/// An open transaction of a dead owner delays a reader by at most its time-out, 8 s.
const PATIENCE: Duration = Duration::from_secs(15);
