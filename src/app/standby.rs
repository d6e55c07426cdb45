//! Copies of what other processes serve, if they are asked for: the thread that keeps them, and its end.
#![expect(clippy::disallowed_methods, reason = "the edge waits for a thread")]

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::adapters::kafka::decisions::ReadMark;
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Connection, KafkaChangelog};
use crate::cli::Failure;
use crate::config::{Settings, Standby};
use crate::runtime::standby::{self, Copies};
use crate::runtime::worker::Shared;

/// The thread, or none. The process does not depend on it: it is not watched, and left behind when it
/// does not end in time.
#[derive(Debug)]
pub(super) struct Keeping(Option<JoinHandle<()>>);

impl Keeping {
    /// # Errors
    /// When a client or the thread cannot be made.
    pub(super) fn begin(
        settings: &Settings,
        shared: &Shared,
        connection: &Connection,
        names: &Names,
        read_mark: ReadMark,
    ) -> Result<Self, Failure> {
        if settings.run.standby == Standby::None {
            return Ok(Self(None));
        }
        let mut changelog = KafkaChangelog::new(connection, names, read_mark)
            .map_err(|failure| Failure::Internal(failure.to_string()))?;
        let copies = Copies {
            partitions: shared.settings.partitions,
            hash_seed: shared.settings.hash_seed,
            interval: settings.run.checkpoint_interval,
            store: shared.store.clone(),
            custody: shared.custody.clone(),
            status: shared.status.clone(),
            stop: shared.stop.clone(),
            clock: shared.clock,
        };
        let started = std::thread::Builder::new()
            .name("standby".into())
            .spawn(move || standby::run(&copies, &mut changelog));
        let handle = started.map_err(|error| Failure::Internal(format!("thread standby: {error}")))?;
        Ok(Self(Some(handle)))
    }

    /// Waits for its end, which it was told of, as long as there is time.
    pub(super) fn finish(self, until: Instant) {
        let Some(handle) = self.0 else { return };
        while !handle.is_finished() {
            if Instant::now() >= until {
                warn!("copies are not closed in time: the next start reads them through");
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

const PAUSE: Duration = Duration::from_millis(5);
