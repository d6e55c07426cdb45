//! A worker: one group member, one transactional producer, and the lanes of its partitions.
//!
//! ```text
//!  source ─poll─▶ dispatch.offer ─▶ dispatch.next ─▶ publisher (thread) ─▶ dispatch.published
//!                                         └────────▶ keeper (thread) ────▶ dispatch.checkpointed
//! ```
//!
//! What is to be done, and in which order, is the dispatch's; here it is carried out. *Failure*: what
//! can be tried again is, by the dispatch; what cannot ends the worker with a message.

mod intake;
mod take_over;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::custody::{Custody, Ticket};
use super::facts::Facts;
use super::footing::{Current, Held};
use super::keeper::{Done, Keeper};
use super::lookup::Lookup;
use super::publisher::Publisher;
use super::registry::Registry;
use super::stages::{Hand, Stages};
use super::status::Status;
use super::stop::{ProcessClock, Pulse, Stop};
use crate::engine::emit::policy_avro;
use crate::engine::step::Lifetime;
use crate::halts::{self, Point};
use crate::model::id::Digest;
use crate::pipeline::dispatch::{Command, Dispatch, Pace};
use crate::pipeline::drift::Drift;
use crate::pipeline::lane::Settings;
use crate::pipeline::recover::Wishes;
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::failure::Failure;
use crate::ports::ledger::{Enclosed, Ledger, Output, Unit};
use crate::ports::source::Source;
use crate::ports::stages::{Stage, Stopwatch as _};
use crate::ports::store::StateStore;
use crate::telemetry::{Happened, Spans};

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
    /// Policies and tables, which may change between two units.
    pub footing: Current,
    /// What network lanes tell, which may change between two records.
    pub facts: Facts,
    pub lifetime: Arc<Lifetime>,
    pub policies: Registry,
    /// How many times the share of `step_up` or stricter before is a jump of it.
    pub max_action_change: u32,
    pub stop: Stop,
    pub clock: ProcessClock,
    pub status: Status,
    /// Of the schemas that records name.
    pub lookup: Lookup,
    /// Where what became of traced records is told; `None`: nobody traces.
    pub spans: Option<Spans>,
    /// `None`: nobody measures what the stages cost.
    pub stages: Option<Stages>,
}

/// Why a worker ended before it was told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Configuration, permissions, topics: a person has to act.
    Refused(String),
    /// The same worker may begin anew: it was fenced, or its client is worn out.
    Again(String),
    /// Somebody joined the group under its name: another process, or a late self.
    Displaced(String),
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
        publisher: Publisher::start(ledger, shared.spans.clone()).map_err(broken)?,
        keeper: Keeper::start(Arc::clone(&shared.store), shared.pace.checkpoint_interval / 2)
            .map_err(broken)?,
        footing: shared.footing.hold(),
        is_renewed: false,
        published_at: None,
        enclosed: None,
        drift: Drift::new(shared.max_action_change),
        shared,
        source,
        pulse,
        stopping: false,
        leaving: false,
        announced: BTreeSet::new(),
        refusals: BTreeMap::new(),
        hanging: BTreeSet::new(),
        tickets: BTreeMap::new(),
        deferred: Vec::new(),
        awaited: BTreeMap::new(),
        reported_at: Tick::default(),
        hand: None,
    };
    worker.hand = worker.shared.stages.as_ref().map(Stages::hand);
    worker.shared.status.joining(number);
    let ended = worker.run();
    if let Some(policy) = worker.enclosed.take() {
        // Nobody knows how its transaction ends: twice is better than never.
        worker.shared.policies.settle(policy, false);
    }
    ended
}

struct Worker {
    number: u16,
    shared: Shared,
    dispatch: Dispatch,
    source: Box<dyn Source + Send>,
    publisher: Publisher,
    keeper: Keeper,
    /// What the records of the open units rest on.
    footing: Held,
    /// Since the last transaction, which was handed over then.
    is_renewed: bool,
    published_at: Option<Tick>,
    /// The policy that the transaction under way publishes.
    enclosed: Option<Digest>,
    drift: Drift,
    pulse: Pulse,
    stopping: bool,
    /// Partitions are being given up: checkpoints are waited for.
    leaving: bool,
    announced: BTreeSet<i32>,
    refusals: BTreeMap<i32, String>,
    /// Partitions whose output was said to hang.
    hanging: BTreeSet<i32>,
    /// The right to write each partition that was taken over.
    tickets: BTreeMap<i32, Ticket>,
    /// What the source said while a partition was being restored.
    deferred: Vec<Assignment>,
    /// Partitions that are held until a schema comes.
    awaited: BTreeMap<i32, intake::Awaited>,
    reported_at: Tick,
    hand: Option<Hand>,
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
            // A transaction that never ends is nobody's to notice but the watch's: its outcome is a beat.
            if !self.dispatch.is_publishing() {
                self.pulse.beat();
            }
            if self.shared.stop.is_set() && !self.stopping {
                self.stopping = true;
                self.leaving = true;
                self.dispatch.stop();
            }
            self.lap(Stage::Dispatch);
            self.collect(Duration::ZERO)?;
            self.lap(Stage::Settle);
            self.carry_out_all()?;
            if let Some(why) = self.dispatch.fatal() {
                return Err(Ended::Refused(why.to_owned()));
            }
            if self.stopping && self.dispatch.is_idle() {
                return Ok(());
            }
            self.announce()?;
            self.report();
            self.take_in()?;
        }
    }

    fn lap(&self, stage: Stage) {
        if let Some(hand) = &self.hand {
            hand.lap(stage);
        }
    }

    /// Outcomes of the other two threads.
    fn collect(&mut self, wait: Duration) -> Result<(), Ended> {
        if self.dispatch.is_publishing()
            && let Some(outcome) = self.publisher.outcome(wait)
        {
            self.pulse.beat();
            if let Err(failure) = &outcome {
                Happened::NotPublished {
                    worker: self.number,
                    kind: kind(failure),
                    why: &failure.to_string(),
                }
                .emit();
            }
            if let Some(policy) = self.enclosed.take() {
                self.shared.policies.settle(policy, outcome.is_ok());
            }
            let fenced = matches!(outcome, Err(Failure::Fenced(_)));
            self.dispatch.published(outcome, self.shared.clock.now());
            if let Some(stages) = &self.shared.stages {
                debug!(spent = stages.told(), "stages");
            }
            if fenced {
                return Err(Ended::Again("fenced".into()));
            }
        }
        while let Some(done) = self.keeper.next() {
            self.done(done);
        }
        if self.dispatch.is_heavy() {
            self.keeper.hurry();
        }
        Ok(())
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Kept { partition, batch, outcome } => {
                if let Err(error) = &outcome {
                    Happened::StoreFailed { why: &error.to_string() }.emit();
                }
                self.dispatch.checkpointed(partition, &batch, outcome.as_ref().copied());
            }
            // Of an earlier life of the partition: whoever took it over has looked for himself.
            Done::Verified { ticket, .. } if ticket.using(|| ()).is_none() => {}
            Done::Verified { partition, outcome, took, .. } => {
                match &outcome {
                    Ok(()) => Happened::StoreVerified { partition, took }.emit(),
                    Err(error) => Happened::StoreFailed { why: &error.to_string() }.emit(),
                }
                self.dispatch.verified(partition, outcome.as_ref().copied());
            }
        }
    }

    fn carry_out_all(&mut self) -> Result<(), Ended> {
        loop {
            if self.leaving {
                self.wait_for_checkpoints();
            }
            let command = self.dispatch.next(self.shared.clock.now());
            self.lap(match &command {
                Some(Command::Publish(_)) => Stage::Encode,
                Some(Command::Checkpoint { .. }) => Stage::Checkpoint,
                _ => Stage::Dispatch,
            });
            let Some(command) = command else { return Ok(()) };
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
                self.take_over(partition)?;
            }
            Command::Start { partition, offset } => {
                self.awaited.remove(&partition);
                self.source.start(partition, offset).map_err(ended)?;
                self.dispatch.started(partition);
            }
            Command::Publish(units) => {
                let now = self.shared.clock.now();
                let before = self.published_at.replace(now);
                if std::mem::take(&mut self.is_renewed)
                    && let Some(before) = before
                {
                    Happened::TakenOver { worker: self.number, pause: now.since(before) }.emit();
                }
                self.enclose(&units);
                self.publisher.publish(units);
            }
            Command::Ask(partitions) => {
                let grounds: Result<Vec<_>, Failure> = {
                    let mut ledger = self.publisher.ledger();
                    partitions.iter().map(|partition| Ok((*partition, ledger.ground(*partition)?))).collect()
                };
                if let Err(failure) = &grounds {
                    warn!(worker = self.number, %failure, "what became of a transaction is not known yet; asking again");
                }
                self.dispatch.answered(grounds, self.shared.clock.now());
            }
            Command::Checkpoint { partition, batch } => {
                if let Some(ticket) = self.tickets.get(&partition) {
                    self.keeper.keep(partition, ticket.clone(), batch);
                }
            }
            Command::Verify(partition) => {
                if let Some(ticket) = self.tickets.get(&partition) {
                    self.keeper.verify(partition, ticket.clone());
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
                self.shared.status.released(self.number, &partitions);
                self.tickets.retain(|partition, _| !partitions.contains(partition));
                if !self.stopping {
                    halts::reach(Point::BeforeRelease);
                    self.source.release(&partitions).map_err(ended)?;
                }
            }
        }
        Ok(())
    }

    /// Has the policy published with the first decisions under it: all open units rest on one.
    fn enclose(&mut self, units: &[Arc<Unit>]) {
        let footing = self.footing.footing();
        let policy = &footing.policy;
        let decides = units.iter().any(|unit| unit.records().any(|one| one.output == Output::Decisions));
        if !decides || !self.shared.policies.claim(policy.digest) {
            return;
        }
        let mut value = Vec::new();
        policy_avro(policy, &mut value);
        if value.len() > self.shared.settings.record_bytes_max {
            // Never to be tried again: the broker would refuse the transaction for it.
            self.shared.policies.settle(policy.digest, true);
            Happened::PolicyTooLarge { bytes: value.len() }.emit();
            return;
        }
        self.enclosed = Some(policy.digest);
        self.publisher.ledger().enclose(Enclosed { policy: policy.digest, value });
    }

    fn wait_for_checkpoints(&mut self) {
        while let Some(done) = self.keeper.wait() {
            self.done(done);
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

    /// Says how far the lanes have come, now and then.
    fn report(&mut self) {
        let now = self.shared.clock.now();
        if now.since(self.reported_at) < REPORT_EVERY {
            return;
        }
        self.reported_at = now;
        let stands = self.dispatch.stands().map(|stand| (stand, self.source.position(stand.partition)));
        self.shared.status.stands(self.number, stands);
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
                self.shared.status.assigned(self.number, &partitions);
                self.dispatch.assigned(&partitions);
            }
            Assignment::Revoked(partitions) => {
                self.leaving = true;
                self.awaited.retain(|partition, _| !partitions.contains(partition));
                self.dispatch.revoked(&partitions);
                if partitions.is_empty() {
                    self.source.release(&[]).map_err(ended)?;
                }
            }
            Assignment::Lost(partitions) => {
                Happened::Released { worker: self.number, partitions: partitions.len(), lost: true }.emit();
                self.shared.status.joining(self.number);
                self.awaited.retain(|partition, _| !partitions.contains(partition));
                self.dispatch.lost(&partitions);
                self.tickets.retain(|partition, _| !partitions.contains(partition));
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

/// Why whoever has this source ends with it.
pub(super) fn ended(failure: Failure) -> Ended {
    match failure {
        Failure::Fatal(why) => Ended::Refused(why),
        Failure::Fenced(why) => Ended::Displaced(why),
        other => Ended::Again(other.to_string()),
    }
}

/// Longest wait for a record: how soon a stop is noticed.
const POLL_MAX: Duration = Duration::from_millis(100);
/// Far more often than anybody asks.
const REPORT_EVERY: Duration = Duration::from_secs(1);
