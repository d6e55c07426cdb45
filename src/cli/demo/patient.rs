//! A source that waits. The embedded log never does, and a worker would spin on it.

#![expect(clippy::disallowed_methods, reason = "waiting is what it is for")]

use std::time::{Duration, Instant};

use crate::ports::failure::Failure;
use crate::ports::source::{Arrival, Source};

/// Asks again, a millisecond apart, until something came or the wait is over.
#[derive(Debug)]
pub(super) struct Patient<S> {
    pub(super) inner: S,
}

impl<S: Source> Source for Patient<S> {
    fn poll(&mut self, wait: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure> {
        let until = Instant::now() + wait;
        loop {
            let mut came = false;
            self.inner.poll(Duration::ZERO, &mut |arrival| {
                came = true;
                visit(arrival)
            })?;
            if came || Instant::now() >= until {
                return Ok(());
            }
            std::thread::sleep(STEP);
        }
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Failure> {
        self.inner.start(partition, offset)
    }

    fn hold(&mut self, partition: i32) -> Result<(), Failure> {
        self.inner.hold(partition)
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        self.inner.release(partitions)
    }

    fn pause(&mut self, paused: bool) -> Result<(), Failure> {
        self.inner.pause(paused)
    }
}

const STEP: Duration = Duration::from_millis(1);
