//! Taking over a partition, with the group kept informed while its store is restored.

#![expect(clippy::disallowed_methods, reason = "measures how long a recovery takes")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::{Assignment, Ended, Worker, ended};
use crate::pipeline::recover::{Because, Way};
use crate::pipeline::restore::{self, Progress, Taken, Trouble};
use crate::ports::clock::Clock as _;
use crate::ports::failure::Failure;
use crate::ports::source::{Arrival, Source};
use crate::runtime::status::Phase;
use crate::runtime::stop::Pulse;
use crate::telemetry::{Happened, Restoring};

impl Worker {
    pub(super) fn take_over(&mut self, partition: i32) -> Result<(), Ended> {
        let began = Instant::now();
        self.shared.status.phase(self.number, partition, Phase::Restoring);
        let (ticket, known) = self.shared.custody.take(partition);
        self.tickets.insert(partition, ticket);
        let mut watch = Watch::new(partition, self.pulse.clone());
        let (source, stop) = (&mut self.source, &self.shared.stop);
        let taken = restore::take_over(
            partition,
            &mut **self.publisher.ledger(),
            &*self.shared.store,
            known,
            self.shared.settings.hash_seed,
            self.shared.wishes,
            &mut |progress| !stop.is_set() && watch.goes_on(progress, source.as_mut()),
        );
        let Watch { deferred, again, paused, failed, .. } = watch;
        if let Some(failure) = failed {
            return Err(ended(failure));
        }
        // What is not started again would go on behind what was read here and dropped: so not doing it
        // ends the worker, and the next one begins at what is committed.
        if paused {
            self.source.pause(false).map_err(ended)?;
        }
        for (partition, offset) in again {
            self.source.start(partition, offset).map_err(ended)?;
        }
        self.deferred.extend(deferred);
        match taken {
            Ok(taken) => {
                told(partition, &taken, began.elapsed());
                self.refusals.remove(&partition);
                self.hanging.remove(&partition);
                self.dispatch.ready(partition, taken);
                self.shared.status.phase(self.number, partition, Phase::Served);
            }
            Err(trouble) => self.troubled(partition, &trouble),
        }
        Ok(())
    }

    fn troubled(&mut self, partition: i32, trouble: &Trouble) {
        self.dispatch.troubled(partition, trouble, self.shared.clock.now());
        if self.dispatch.refuses(partition) {
            let why = trouble.to_string();
            Happened::LaneStopped { partition, why: &why }.emit();
            self.shared.status.phase(self.number, partition, Phase::Refused(why.clone()));
            self.refusals.insert(partition, why);
            return;
        }
        self.shared.status.phase(self.number, partition, Phase::Waiting);
        match trouble {
            Trouble::BrokenOff => debug!(partition, "restore broken off"),
            // Said once: it is looked for several times a second.
            Trouble::Hangs(hanging) if self.hanging.insert(partition) => info!(
                partition,
                topic = hanging.topic,
                offset = hanging.offset,
                "waiting for an open transaction in the output; the broker ends a dead process's"
            ),
            Trouble::Hangs(_) => {}
            trouble => warn!(partition, %trouble, "partition not taken over; trying again"),
        }
    }
}

/// Keeps the group informed while a partition is restored.
struct Watch {
    partition: i32,
    pulse: Pulse,
    polled: Instant,
    restoring: Restoring,
    paused: bool,
    deferred: Vec<Assignment>,
    /// Records that came although everything was paused: to be read again.
    again: BTreeMap<i32, i64>,
    /// The member can go on no more; it is told once.
    failed: Option<Failure>,
}

impl Watch {
    fn new(partition: i32, pulse: Pulse) -> Self {
        Self {
            partition,
            pulse,
            polled: Instant::now(),
            restoring: Restoring::begin(partition),
            paused: false,
            deferred: Vec::new(),
            again: BTreeMap::new(),
            failed: None,
        }
    }

    fn goes_on(&mut self, progress: Progress, source: &mut dyn Source) -> bool {
        self.pulse.beat();
        let because = progress.because.map_or("behind", Because::name);
        self.restoring.at(progress.offset, progress.end, progress.records, because);
        if self.polled.elapsed() < POLL_EVERY {
            return true;
        }
        self.polled = Instant::now();
        if !self.paused {
            self.paused = source.pause(true).is_ok();
        }
        let (deferred, again) = (&mut self.deferred, &mut self.again);
        let polled = source.poll(Duration::ZERO, &mut |arrival| {
            match arrival {
                Arrival::Record(record) => {
                    again.entry(record.partition).or_insert(record.offset);
                }
                Arrival::Assigned(partitions) => deferred.push(Assignment::Assigned(partitions)),
                Arrival::Revoked(partitions) => deferred.push(Assignment::Revoked(partitions)),
                Arrival::Lost(partitions) => deferred.push(Assignment::Lost(partitions)),
            }
            true
        });
        if let Err(failure) = polled {
            warn!(%failure, "polling while restoring");
            if matches!(failure, Failure::Fatal(_) | Failure::Fenced(_)) {
                self.failed = Some(failure);
                return false;
            }
        }
        let partition = self.partition;
        !self.deferred.iter().any(|assignment| match assignment {
            Assignment::Assigned(_) => false,
            Assignment::Revoked(partitions) | Assignment::Lost(partitions) => partitions.contains(&partition),
        })
    }
}

fn told(partition: i32, taken: &Taken, took: Duration) {
    let way = match taken.plan.way {
        Way::Continue => "continue",
        Way::Replay { .. } => "replay",
        Way::Restore(because) => because.name(),
        Way::Fresh => "fresh",
    };
    let Taken { plan, changes, .. } = taken;
    Happened::Recovered { partition, way, offset: plan.mark.offset, changes: *changes, took }.emit();
}

/// Far below `max.poll.interval.ms`.
const POLL_EVERY: Duration = Duration::from_secs(2);
