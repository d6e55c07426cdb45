//! A worker: one group member, one transactional producer, and the lanes of its partitions.
//!
//! ```text
//!  source ─poll─▶ dispatch.offer ─▶ dispatch.next ─▶ publisher (thread) ─▶ dispatch.published
//!                                         └────────▶ keeper (thread) ────▶ dispatch.checkpointed
//! ```
//!
//! What is to be done, and in which order, is the dispatch's; here it is carried out. *Failure*: what
//! can be tried again is, by the dispatch; what cannot ends the worker with a message.

#![expect(clippy::disallowed_methods, reason = "measures how long a recovery takes")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use super::custody::{Custody, Ticket};
use super::keeper::{Keeper, Kept};
use super::publisher::Publisher;
use super::stop::{ProcessClock, Pulse, Stop};
use crate::engine::policy::Policy;
use crate::engine::step::Setting;
use crate::model::decision::Basis;
use crate::pipeline::dispatch::{Command, Dispatch, Pace};
use crate::pipeline::lane::{Offered, Settings, With};
use crate::pipeline::recover::{Way, Wishes};
use crate::pipeline::restore::{self, Progress, Taken, Trouble};
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::failure::Failure;
use crate::ports::ledger::Ledger;
use crate::ports::source::{Arrival, Source};
use crate::ports::store::StateStore;
use crate::ports::tables::Tables;
use crate::telemetry::Happened;

/// What all workers of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub group: Arc<str>,
    pub instance: Arc<str>,
    pub settings: Arc<Settings>,
    pub pace: Pace,
    pub wishes: Wishes,
    pub store: Arc<dyn StateStore>,
    pub custody: Custody,
    pub tables: Arc<dyn Tables>,
    pub policy: Arc<Policy>,
    pub stop: Stop,
    pub clock: ProcessClock,
}

/// Why a worker ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Configuration, permissions, topics: a person has to act.
    Refused(String),
    /// The same worker may begin anew: it was fenced, or its client is worn out.
    Again(String),
    /// Our own fault.
    Broken(String),
}

/// Runs a worker until it is told to stop, or cannot go on.
///
/// # Errors
/// See [`Ended`].
pub fn run(
    number: u16,
    shared: Shared,
    source: Box<dyn Source + Send>,
    ledger: Box<dyn Ledger + Send>,
    pulse: Pulse,
) -> Result<(), Ended> {
    let broken = |error: std::io::Error| Ended::Broken(format!("a thread could not be started: {error}"));
    let mut worker = Worker {
        number,
        dispatch: Dispatch::new(Arc::clone(&shared.settings), shared.pace, shared.clock.now()),
        publisher: Publisher::start(ledger).map_err(broken)?,
        keeper: Keeper::start(Arc::clone(&shared.store)).map_err(broken)?,
        shared,
        source,
        pulse,
        stopping: false,
        leaving: false,
        announced: BTreeSet::new(),
        refusals: BTreeMap::new(),
        tickets: BTreeMap::new(),
        deferred: Vec::new(),
    };
    worker.run()
}

struct Worker {
    number: u16,
    shared: Shared,
    dispatch: Dispatch,
    source: Box<dyn Source + Send>,
    publisher: Publisher,
    keeper: Keeper,
    pulse: Pulse,
    stopping: bool,
    /// Partitions are being given up: checkpoints are waited for.
    leaving: bool,
    announced: BTreeSet<i32>,
    refusals: BTreeMap<i32, String>,
    /// The right to write each partition that was taken over.
    tickets: BTreeMap<i32, Ticket>,
    /// What the source said while a partition was being restored.
    deferred: Vec<Assignment>,
}

/// An arrival that is no record, owned.
#[derive(Debug)]
enum Assignment {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
}

impl Worker {
    fn run(&mut self) -> Result<(), Ended> {
        loop {
            self.pulse.beat();
            if self.shared.stop.is_set() && !self.stopping {
                self.stopping = true;
                self.leaving = true;
                self.dispatch.stop();
            }
            self.collect(Duration::ZERO)?;
            self.carry_out_all()?;
            if let Some(why) = self.dispatch.fatal() {
                return Err(Ended::Refused(why.to_owned()));
            }
            if self.stopping && self.dispatch.is_idle() {
                return Ok(());
            }
            self.announce()?;
            self.take_in()?;
        }
    }

    /// Outcomes of the other two threads.
    fn collect(&mut self, wait: Duration) -> Result<(), Ended> {
        if self.dispatch.is_publishing()
            && let Some(outcome) = self.publisher.outcome(wait)
        {
            if let Err(failure) = &outcome {
                Happened::NotPublished {
                    worker: self.number,
                    kind: kind(failure),
                    why: &failure.to_string(),
                }
                .emit();
            }
            let fenced = matches!(outcome, Err(Failure::Fenced(_)));
            self.dispatch.published(outcome, self.shared.clock.now());
            if fenced {
                return Err(Ended::Again("fenced".into()));
            }
        }
        while let Some(kept) = self.keeper.next() {
            self.kept(&kept);
        }
        Ok(())
    }

    fn kept(&mut self, kept: &Kept) {
        if let Err(error) = &kept.outcome {
            Happened::StoreFailed { why: &error.to_string() }.emit();
        }
        self.dispatch.checkpointed(kept.partition, &kept.batch, kept.outcome.as_ref().copied());
    }

    fn carry_out_all(&mut self) -> Result<(), Ended> {
        loop {
            if self.leaving {
                self.wait_for_checkpoints();
            }
            let Some(command) = self.dispatch.next(self.shared.clock.now()) else { return Ok(()) };
            // A restore may take long; the group wants to hear from us between two.
            let long = matches!(command, Command::TakeOver(_));
            self.carry_out(command)?;
            if long {
                return Ok(());
            }
        }
    }

    fn carry_out(&mut self, command: Command) -> Result<(), Ended> {
        match command {
            Command::TakeOver(partition) => {
                // A checkpoint of an earlier life of this partition may still be on its way.
                self.wait_for_checkpoints();
                self.take_over(partition);
            }
            Command::Start { partition, offset } => {
                self.source.start(partition, offset).map_err(ended)?;
                self.dispatch.started(partition);
            }
            Command::Publish(units) => self.publisher.publish(units),
            Command::Ask(partitions) => {
                let grounds = {
                    let mut ledger = self.publisher.ledger();
                    partitions.iter().map(|partition| Ok((*partition, ledger.ground(*partition)?))).collect()
                };
                self.dispatch.answered(grounds, self.shared.clock.now());
            }
            Command::Checkpoint { partition, batch } => {
                if let Some(ticket) = self.tickets.get(&partition) {
                    self.keeper.keep(partition, ticket.clone(), batch);
                }
            }
            Command::Close { partition, filter } => {
                let close = || self.shared.store.close(partition, &filter);
                if let Some(Err(error)) = self.tickets.get(&partition).and_then(|ticket| ticket.using(close))
                {
                    Happened::StoreFailed { why: &error.to_string() }.emit();
                }
            }
            Command::Release(partitions) => {
                self.leaving = self.stopping;
                Happened::Released { worker: self.number, partitions: partitions.len(), lost: false }.emit();
                if !self.stopping {
                    self.source.release(&partitions).map_err(ended)?;
                }
            }
        }
        Ok(())
    }

    fn wait_for_checkpoints(&mut self) {
        while let Some(kept) = self.keeper.wait() {
            self.kept(&kept);
        }
    }

    fn take_over(&mut self, partition: i32) {
        let began = Instant::now();
        self.tickets.insert(partition, self.shared.custody.take(partition));
        let mut watch = Watch::new(partition, self.pulse.clone());
        let (source, stop) = (&mut self.source, &self.shared.stop);
        let taken = restore::take_over(
            partition,
            &mut **self.publisher.ledger(),
            &*self.shared.store,
            self.shared.wishes,
            &mut |progress| !stop.is_set() && watch.goes_on(progress, source.as_mut()),
        );
        let now = self.shared.clock.now();
        let Watch { deferred, again, paused, records, .. } = watch;
        if paused && let Err(failure) = self.source.pause(false) {
            warn!(%failure, "source not resumed");
        }
        for (partition, offset) in again {
            if let Err(failure) = self.source.start(partition, offset) {
                warn!(partition, offset, %failure, "source not started again");
            }
        }
        self.deferred.extend(deferred);
        match taken {
            Ok(taken) => {
                told(partition, &taken, records, began.elapsed());
                self.refusals.remove(&partition);
                self.dispatch.ready(partition, taken);
            }
            Err(trouble) => {
                match &trouble {
                    Trouble::Refused { .. } => {
                        let why = trouble.to_string();
                        Happened::LaneStopped { partition, why: &why }.emit();
                        self.refusals.insert(partition, why);
                    }
                    Trouble::BrokenOff => debug!(partition, "restore broken off"),
                    Trouble::Broker(_) | Trouble::Store(_) => {
                        warn!(partition, %trouble, "partition not taken over; trying again")
                    }
                }
                self.dispatch.troubled(partition, &trouble, now);
            }
        }
    }

    /// Says that the worker is ready, once for each set of partitions.
    fn announce(&mut self) -> Result<(), Ended> {
        let held: Vec<_> = self.dispatch.partitions().collect();
        if self.stopping || held.is_empty() {
            return Ok(());
        }
        if held.iter().all(|(partition, _)| self.refusals.contains_key(partition)) {
            let why = self.refusals.values().next().cloned().unwrap_or_default();
            return Err(Ended::Refused(why));
        }
        let served: BTreeSet<_> =
            held.iter().filter(|(_, served)| *served).map(|(partition, _)| *partition).collect();
        let all = held.iter().all(|(partition, served)| *served || self.refusals.contains_key(partition));
        if all && served != self.announced {
            let partitions = served.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            Happened::Ready {
                worker: self.number,
                group: &self.shared.group,
                instance: &self.shared.instance,
                partitions: &partitions,
            }
            .emit();
            self.announced = served;
        }
        Ok(())
    }

    /// Polls once: records are offered, assignments noted.
    fn take_in(&mut self) -> Result<(), Ended> {
        for assignment in std::mem::take(&mut self.deferred) {
            self.assignment(assignment)?;
        }
        if self.dispatch.is_full() && self.dispatch.is_publishing() {
            // Nothing can be taken before the transaction is through.
            return self.collect(POLL_MAX);
        }
        let now = self.shared.clock.now();
        // A moment that has passed and led to nothing (a transaction is under way, or a back-off) must
        // not make this a busy loop.
        let longest = if self.dispatch.is_publishing() { POLL_MIN } else { POLL_MAX };
        let wait = self.dispatch.wake_at().since(now).clamp(POLL_MIN, longest);

        let shared = self.shared.clone();
        let with = With {
            setting: Setting {
                policy: &shared.policy,
                basis: Basis {
                    policy: shared.policy.digest,
                    engine: crate::engine::REVISION,
                    tables: shared.tables.digest(),
                    model: None,
                },
            },
            tables: &*shared.tables,
            store: &*shared.store,
        };
        let dispatch = &mut self.dispatch;
        let mut intake = Intake { taken: 0, until: now.plus(shared.pace.commit_interval), now };
        let deferred = &mut self.deferred;
        self.source
            .poll(wait, &mut |arrival| match arrival {
                Arrival::Record(record) => {
                    intake.tick(&shared.clock);
                    match dispatch.offer(&record, &with, intake.now) {
                        Ok(Offered::Rejected(reason)) => debug!(
                            partition = record.partition,
                            offset = record.offset,
                            reason = reason.name(),
                            "record rejected"
                        ),
                        Ok(_) => {}
                        Err(error) => Happened::StoreFailed { why: &error.to_string() }.emit(),
                    }
                    !intake.is_due() || !(intake.is_over() || dispatch.is_full())
                }
                Arrival::Assigned(partitions) => {
                    deferred.push(Assignment::Assigned(partitions));
                    true
                }
                Arrival::Revoked(partitions) => {
                    deferred.push(Assignment::Revoked(partitions));
                    true
                }
                Arrival::Lost(partitions) => {
                    deferred.push(Assignment::Lost(partitions));
                    // At once: nothing of them may be sealed any more.
                    false
                }
            })
            .map_err(ended)?;
        for assignment in std::mem::take(&mut self.deferred) {
            self.assignment(assignment)?;
        }
        Ok(())
    }

    fn assignment(&mut self, assignment: Assignment) -> Result<(), Ended> {
        match assignment {
            Assignment::Assigned(partitions) => {
                let known = self.shared.settings.partitions;
                if let Some(beyond) = partitions.iter().find(|partition| **partition >= known) {
                    return Err(Ended::Refused(changed(&self.shared.settings.topic, known, beyond + 1)));
                }
                info!(worker = self.number, ?partitions, "partitions assigned");
                self.announced.clear();
                self.dispatch.assigned(&partitions);
            }
            Assignment::Revoked(partitions) => {
                self.leaving = true;
                self.dispatch.revoked(&partitions);
                if partitions.is_empty() {
                    self.source.release(&[]).map_err(ended)?;
                }
            }
            Assignment::Lost(partitions) => {
                Happened::Released { worker: self.number, partitions: partitions.len(), lost: true }.emit();
                self.dispatch.lost(&partitions);
            }
        }
        Ok(())
    }
}

/// Says how many partitions the input had, and has.
#[must_use]
pub fn changed(topic: &str, known: i32, found: i32) -> String {
    format!(
        "topic `{topic}` had {known} partitions when this process began and has {found} now: users have moved between partitions, \
         and their baselines have not. Make a new input topic with the new number and let producers write there, or go \
         back; `ward topics check` shows what must match"
    )
}

/// How long one poll goes on.
struct Intake {
    taken: u32,
    now: Tick,
    until: Tick,
}

impl Intake {
    fn tick(&mut self, clock: &ProcessClock) {
        self.taken = self.taken.wrapping_add(1);
        if self.is_due() {
            self.now = clock.now();
        }
    }

    /// Time and sizes are looked at every few records, not at each.
    const fn is_due(&self) -> bool {
        self.taken % LOOK_EVERY == 1
    }

    fn is_over(&self) -> bool {
        self.now >= self.until
    }
}

/// Keeps the group informed while a partition is restored.
struct Watch {
    partition: i32,
    pulse: Pulse,
    polled: Instant,
    logged: Instant,
    paused: bool,
    records: u64,
    deferred: Vec<Assignment>,
    /// Records that came although everything was paused: to be read again.
    again: BTreeMap<i32, i64>,
}

impl Watch {
    fn new(partition: i32, pulse: Pulse) -> Self {
        let now = Instant::now();
        Self {
            partition,
            pulse,
            polled: now,
            logged: now,
            paused: false,
            records: 0,
            deferred: Vec::new(),
            again: BTreeMap::new(),
        }
    }

    fn goes_on(&mut self, progress: Progress, source: &mut dyn Source) -> bool {
        self.pulse.beat();
        self.records = progress.records;
        if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            let Progress { partition, records, offset, end, because } = progress;
            info!(
                partition,
                records,
                offset,
                end,
                because = because.map_or("behind", |because| because.name()),
                "restoring"
            );
        }
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
        }
        let partition = self.partition;
        !self.deferred.iter().any(|assignment| match assignment {
            Assignment::Assigned(_) => false,
            Assignment::Revoked(partitions) | Assignment::Lost(partitions) => partitions.contains(&partition),
        })
    }
}

fn told(partition: i32, taken: &Taken, changes: u64, took: Duration) {
    let way = match taken.plan.way {
        Way::Continue => "continue",
        Way::Replay { .. } => "replay",
        Way::Restore(because) => because.name(),
        Way::Fresh => "fresh",
    };
    Happened::Recovered { partition, way, offset: taken.plan.mark.offset, changes, took }.emit();
}

const fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Aborted(_) => "aborted",
        Failure::Unknown(_) => "unknown",
        Failure::Fenced(_) => "fenced",
        Failure::TooLarge(_) => "too_large",
        Failure::Unreachable(_) => "unreachable",
        Failure::Fatal(_) => "fatal",
    }
}

fn ended(failure: Failure) -> Ended {
    match failure {
        Failure::Fatal(why) => Ended::Refused(why),
        other => Ended::Again(other.to_string()),
    }
}

/// Longest wait for a record: how soon a stop is noticed.
const POLL_MAX: Duration = Duration::from_millis(100);
/// The outcome of a transaction is waited for elsewhere, so it is looked for often.
const POLL_MIN: Duration = Duration::from_millis(1);
const LOOK_EVERY: u32 = 16;
/// Far below `max.poll.interval.ms`.
const POLL_EVERY: Duration = Duration::from_secs(2);
const LOG_EVERY: Duration = Duration::from_secs(5);
