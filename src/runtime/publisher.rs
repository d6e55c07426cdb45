//! The thread that publishes, so that lanes go on deciding while a transaction commits.

#![expect(clippy::disallowed_methods, reason = "measures how long a transaction takes, and when it ended")]

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::Timestamp;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ledger, Positions, Unit};
use crate::ports::tracer::Tracer as _;
use crate::telemetry::{Happened, Meters, Spans};

/// A ledger on a thread of its own. The worker uses the ledger itself only while nothing is being
/// published.
pub struct Publisher {
    ledger: Arc<Mutex<Box<dyn Ledger + Send>>>,
    to: Option<SyncSender<Vec<Arc<Unit>>>>,
    from: Receiver<(Outcome, Duration)>,
    took: Duration,
    thread: Option<JoinHandle<()>>,
}

pub type Outcome = Result<Vec<Positions>, Failure>;

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

impl Publisher {
    /// # Errors
    /// When the system gives no thread.
    pub fn start(ledger: Box<dyn Ledger + Send>, spans: Option<Spans>) -> std::io::Result<Self> {
        let ledger = Arc::new(Mutex::new(ledger));
        // One transaction at a time: the lanes hold the next.
        let (to, units) = sync_channel::<Vec<Arc<Unit>>>(1);
        let (outcomes, from) = sync_channel(1);
        let thread = std::thread::Builder::new().name("publisher".into()).spawn({
            let ledger = Arc::clone(&ledger);
            move || {
                let meters = Meters::default();
                for units in units {
                    let began = Instant::now();
                    let outcome = publish(&mut **lock(&ledger), &units, &meters, spans.as_ref());
                    let took = began.elapsed();
                    // Before the lane is told: it takes the buffers back.
                    drop(units);
                    if outcomes.send((outcome, took)).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Self { ledger, to: Some(to), from, took: Duration::ZERO, thread: Some(thread) })
    }

    /// The ledger itself, while nothing is being published.
    pub fn ledger(&self) -> MutexGuard<'_, Box<dyn Ledger + Send>> {
        lock(&self.ledger)
    }

    /// Begins a transaction; the one before has had its outcome.
    pub fn publish(&self, units: Vec<Arc<Unit>>) {
        self.ledger().prepare();
        if let Some(to) = &self.to {
            // Only a thread that has ended refuses, and then `outcome` says so.
            drop(to.send(units));
        }
    }

    /// The outcome of the transaction under way, waiting at most `wait`.
    pub fn outcome(&mut self, wait: Duration) -> Option<Outcome> {
        match self.from.recv_timeout(wait) {
            Ok((outcome, took)) => {
                self.took = took;
                Some(outcome)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                Some(Err(Failure::Fatal("the publishing thread has ended".into())))
            }
        }
    }

    /// How long the transaction took whose outcome was given last.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.to = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn publish(ledger: &mut dyn Ledger, units: &[Arc<Unit>], meters: &Meters, spans: Option<&Spans>) -> Outcome {
    let began = Instant::now();
    let publishing = spans.map(Spans::now);
    let outcome = ledger.publish(units);
    if outcome.is_ok() {
        Happened::Published {
            units: units.len(),
            records: units.iter().map(|unit| unit.len()).sum(),
            bytes: units.iter().map(|unit| unit.size()).sum(),
            took: began.elapsed(),
        }
        .emit();
        let now = wall();
        units.iter().for_each(|unit| meters.committed(&unit.tally, now));
        if let Some((spans, publishing)) = spans.zip(publishing) {
            let committed = spans.now();
            units.iter().for_each(|unit| spans.committed(unit, publishing, committed));
        }
    }
    outcome
}

/// Records carry the wall's time, so what has passed since is told by it.
fn wall() -> Timestamp {
    let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_micros()).ok().and_then(Timestamp::from_micros).unwrap_or(Timestamp::EPOCH)
}

fn lock(ledger: &Mutex<Box<dyn Ledger + Send>>) -> MutexGuard<'_, Box<dyn Ledger + Send>> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
