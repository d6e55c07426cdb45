//! Where partitions end, as both kinds of readers see it. Reads no record.
//!
//! *Failure*: every question has a time limit; whoever asks tries again.

use std::time::Duration;

use rdkafka::consumer::BaseConsumer;

use super::connection::Connection;
use super::ends::ends;
use super::events::Events;
use super::readers::Readers;
use crate::ports::failure::Failure;

/// Two clients of no group.
pub struct Survey(Readers);

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey").finish_non_exhaustive()
    }
}

impl Survey {
    /// # Errors
    /// When the clients cannot be made.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        Readers::new(connection).map(Self)
    }

    /// The last stable offset and the high watermark, in this order: the first is asked first, so
    /// that what is written meanwhile does not make it look late.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn ends(&self, topic: &str, partition: i32) -> Result<(i64, i64), Failure> {
        let Readers { committed, uncommitted } = &self.0;
        // Events such as a token that has to be renewed are handed over by polling only.
        drop((committed.poll(Duration::ZERO), uncommitted.poll(Duration::ZERO)));
        let ask = |consumer: &BaseConsumer<Events>| {
            ends(consumer, topic, partition, TIMEOUT).map(|(_, end)| end).map_err(|error| {
                Failure::Unreachable(format!("offsets of `{topic}` partition {partition}: {error}"))
            })
        };
        Ok((ask(committed)?, ask(uncommitted)?))
    }
}

const TIMEOUT: Duration = Duration::from_secs(3);
