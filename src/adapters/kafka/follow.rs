//! Watches a topic from outside: what comes to it from now on, and how far its group has come.
//!
//! *Delivery*: what was committed, as soon as it can be seen. *Ordering*: that of each partition.
//! *Failure*: every question has a time limit; whoever asks tries again.

use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::admin::{Failure, is_distance, reason, refused};
use super::connection::Connection;
use super::events::{Events, reader};
use super::log::ends_of;
use super::source::{headers, record};
use crate::ports::source::Record;

/// A reader of a topic, or of one partition of it, that joins no group.
pub struct Follower {
    consumer: BaseConsumer<Events>,
    topic: String,
    bootstrap: String,
    partitions: Range<i32>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Follower {
    /// # Errors
    /// When the client cannot be made; the broker is not asked yet.
    pub fn new(connection: &Connection, topic: &str, partitions: i32) -> Result<Self, Failure> {
        Self::of(connection, topic, 0..partitions)
    }

    /// Of these partitions only.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of(connection: &Connection, topic: &str, partitions: Range<i32>) -> Result<Self, Failure> {
        let consumer =
            reader(&connection.reader(), connection).map_err(|error| Failure::Client(error.to_string()))?;
        let bootstrap = connection.bootstrap().to_owned();
        Ok(Self { consumer, topic: topic.to_owned(), bootstrap, partitions })
    }

    /// How many records of the topic the connection's group has committed, all partitions together.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn committed(&self) -> Result<i64, Failure> {
        let found =
            self.consumer.committed_offsets(self.all(None)?, TIMEOUT).map_err(|error| self.failed(&error))?;
        Ok(found
            .elements()
            .iter()
            .map(|element| match element.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            })
            .sum())
    }

    /// The next offset of each partition.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn ends(&self) -> Result<Vec<i64>, Failure> {
        let end = |partition| {
            let found = ends_of(&self.consumer, &self.topic, partition, TIMEOUT);
            found.map(|(_, end)| end).map_err(|error| self.failed(&error))
        };
        self.partitions.clone().map(end).collect()
    }

    /// Hands on what comes from now on.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn begin(&self) -> Result<(), Failure> {
        self.begin_at(&self.ends()?)
    }

    /// Hands on what comes from these offsets on, one a partition.
    ///
    /// # Errors
    /// When the client refuses.
    pub fn begin_at(&self, offsets: &[i64]) -> Result<(), Failure> {
        let list = self.all(Some(offsets))?;
        self.consumer.assign(&list).map_err(|error| self.failed(&error))
    }

    /// The next record, waiting at most `wait`.
    pub fn next<T>(&self, wait: Duration, read: impl FnOnce(&Record<'_>) -> T) -> Option<T> {
        // What went wrong heals by itself, or nothing comes and whoever waits has a limit of his own.
        let message = self.consumer.poll(wait)?.ok()?;
        Some(read(&record(&message, &headers(&message))))
    }

    /// The same for whoever waits for ever, and has to know why nothing comes. A broker that is away is
    /// waited for by the next call.
    ///
    /// # Errors
    /// When the broker does not answer, or refuses.
    pub fn try_next<T>(
        &self,
        wait: Duration,
        read: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<Option<T>, Failure> {
        match self.consumer.poll(wait) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => Ok(None),
            Some(Ok(message)) => Ok(Some(read(&record(&message, &headers(&message))))),
            Some(Err(error)) => Err(match error.rdkafka_error_code() {
                Some(code) if is_distance(&error) => Failure::Unreachable {
                    bootstrap: self.bootstrap.clone(),
                    waited: wait,
                    reason: self.consumer.context().last_refusal().unwrap_or_else(|| reason(code)),
                },
                Some(code) => refused(&format!("read `{}`", self.topic), code),
                None => self.failed(&error),
            }),
        }
    }

    fn all(&self, from: Option<&[i64]>) -> Result<TopicPartitionList, Failure> {
        let mut list = TopicPartitionList::new();
        for (number, partition) in self.partitions.clone().enumerate() {
            let at = from.and_then(|from| from.get(number));
            let at = at.map_or(Offset::Invalid, |offset| Offset::Offset(*offset));
            list.add_partition_offset(&self.topic, partition, at).map_err(|error| self.failed(&error))?;
        }
        Ok(list)
    }

    fn failed(&self, error: &KafkaError) -> Failure {
        Failure::Refused { what: format!("watching `{}`", self.topic), reason: error.to_string() }
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);
