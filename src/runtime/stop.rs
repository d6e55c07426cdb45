//! How threads are told to end, and how one that hangs is noticed.

#![expect(clippy::disallowed_methods, reason = "the clock of the threads")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::ports::clock::{Clock, Tick};
use crate::telemetry::Call;

/// Set once; every thread looks at it.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Asked for by a signal, done by the thread that takes it.
#[derive(Clone, Debug, Default)]
pub struct Request(Arc<AtomicBool>);

impl Request {
    pub fn make(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was made since it was last taken.
    #[must_use]
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Time since the process began.
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock(Instant);

impl Default for ProcessClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for ProcessClock {
    fn now(&self) -> Tick {
        Tick(self.0.elapsed())
    }
}

/// When a thread last showed that it lives. Calls to librdkafka have time limits, and some of them
/// have been seen to hang all the same; a process that notices ends, and exactly-once survives that.
#[derive(Clone, Debug)]
pub struct Pulse {
    clock: ProcessClock,
    last_ms: Arc<AtomicU64>,
    call: Call,
}

impl Pulse {
    #[must_use]
    pub fn new(clock: ProcessClock) -> Self {
        let pulse = Self { clock, last_ms: Arc::default(), call: Call::default() };
        pulse.beat();
        pulse
    }

    pub fn beat(&self) {
        self.last_ms.store(ms(self.clock.now().0), Ordering::Relaxed);
    }

    /// How long it has been silent.
    #[must_use]
    pub fn silent(&self) -> Duration {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        self.clock.now().0.saturating_sub(last)
    }

    /// For the ledger of this thread: what it is in the middle of while the pulse is silent.
    #[must_use]
    pub fn call(&self) -> Call {
        self.call.clone()
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
