//! A source that begins where it is told, but for partitions that do not move: a mistake to be caught.

use std::collections::BTreeSet;
use std::time::Duration;

use wardstream::adapters::embedded::EmbeddedSource;
use wardstream::ports::failure::Failure;
use wardstream::ports::source::{Arrival, Source};

#[derive(Debug)]
pub struct Moved {
    pub inside: EmbeddedSource,
    /// These read on where they are.
    pub unmoved: BTreeSet<i32>,
}

impl Source for Moved {
    fn poll(&mut self, wait: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure> {
        self.inside.poll(wait, visit)
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Failure> {
        if self.unmoved.remove(&partition) { Ok(()) } else { self.inside.start(partition, offset) }
    }

    fn hold(&mut self, partition: i32) -> Result<(), Failure> {
        self.inside.hold(partition)
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        self.inside.release(partitions)
    }

    fn pause(&mut self, paused: bool) -> Result<(), Failure> {
        self.inside.pause(paused)
    }
}
