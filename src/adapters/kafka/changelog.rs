//! The changelog, for who only reads it: copies of partitions that others serve.
//!
//! *Delivery*: what was committed, up to where no unit is open. *Ordering*: that of the partition.
//! *Failure*: every question has a time limit; whoever asks tries again.

use std::ops::Range;
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message as _;

use super::carried::change;
use super::connection::Connection;
use super::decisions::ReadMark;
use super::events::Events;
use super::readers::{decided_before, make, scan, watermarks};
use super::topics::Names;
use crate::ports::changelog::Changelog;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Change, ReadBack};

/// A reader of `risk.profiles` that joins no group and writes nothing.
pub struct KafkaChangelog {
    committed: BaseConsumer<Events>,
    profiles: String,
    decisions: String,
    read_mark: ReadMark,
}

impl std::fmt::Debug for KafkaChangelog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaChangelog").field("profiles", &self.profiles).finish_non_exhaustive()
    }
}

impl KafkaChangelog {
    /// # Errors
    /// When the client cannot be made; the broker is not asked yet.
    pub fn new(connection: &Connection, names: &Names, read_mark: ReadMark) -> Result<Self, Failure> {
        let committed = make(&connection.reader(), connection)?;
        let (profiles, decisions) = (names.profiles.clone(), names.decisions.clone());
        Ok(Self { committed, profiles, decisions, read_mark })
    }
}

impl Changelog for KafkaChangelog {
    /// The end that is told to a reader of what was committed is where the first open transaction begins.
    fn range(&mut self, partition: i32) -> Result<Range<i64>, Failure> {
        // Events such as a token that has to be renewed are handed over by polling only.
        drop(self.committed.poll(Duration::ZERO));
        watermarks(&self.committed, &self.profiles, partition)
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        decided_before(&self.committed, &self.decisions, partition, offset, self.read_mark)
    }

    fn changes(
        &mut self,
        partition: i32,
        range: Range<i64>,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<(), Failure> {
        let end = range.end;
        // What was committed meanwhile comes as well; half of a unit of it would be half a unit.
        scan(&self.committed, &self.profiles, partition, range, &mut |message| {
            message.offset() < end && visit(change(message))
        })
        .map(drop)
    }
}
