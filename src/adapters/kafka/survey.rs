//! Where partitions end, as both kinds of readers see it. Reads no record.
//!
//! *Failure*: every question has a time limit; whoever asks tries again.

use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::events::Events;
use super::settings::Connection;
use crate::ports::failure::Failure;

/// Two clients of no group.
pub struct Survey {
    committed: BaseConsumer<Events>,
    uncommitted: BaseConsumer<Events>,
}

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").finish_non_exhaustive()
    }
}

impl Survey {
    /// # Errors
    /// When the clients cannot be made.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let make = |config: rdkafka::ClientConfig| {
            BaseConsumer::from_config_and_context(&config, Events::new(connection.token()))
                .map_err(|error| Failure::Fatal(format!("a Kafka reader could not be made: {error}")))
        };
        Ok(Self {
            committed: make(connection.reader())?,
            uncommitted: make(connection.uncommitted_reader())?,
        })
    }

    /// The last stable offset and the high watermark, in this order: the first is asked first, so
    /// that what is written meanwhile does not make it look late.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        // Events such as a token that has to be renewed are handed over by polling only.
        drop((self.committed.poll(Duration::ZERO), self.uncommitted.poll(Duration::ZERO)));
        let ask = |consumer: &BaseConsumer<Events>| {
            consumer.fetch_watermarks(topic, partition, TIMEOUT).map(|(_, end)| end).map_err(|error| {
                Failure::Unreachable(format!("offsets of `{topic}` partition {partition}: {error}"))
            })
        };
        Ok((ask(&self.committed)?, ask(&self.uncommitted)?))
    }
}

const TIMEOUT: Duration = Duration::from_secs(3);
