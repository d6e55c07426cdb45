//! Two workers, their stores, one log; and somebody who decides what goes wrong.
//!
//! The workers run the very `Dispatch`, `Lane` and `take_over` that production runs. A step is one
//! command, or one look at what has arrived; before each, its fate is asked.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wardstream::adapters::embedded::{EmbeddedSource, Log, Retention};
use wardstream::engine::decode::{Format, Limits};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting};
use wardstream::pipeline::dispatch::{Command, Pace};
use wardstream::pipeline::lane::{AlertRendering, Rendering, Settings};
use wardstream::pipeline::restore::Trouble;
use wardstream::pipeline::standby::Standby;
use wardstream::ports::clock::Tick;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ledger as _, Positions, Unit};
use wardstream::ports::store::{Batch, Spot, StateStore};

use super::disk::Disk;
use super::faulty::{Faulty, Nothing};
use super::input::Input;
use super::script::{Fate, Plant, brief};
use super::seen::Seen;
use super::swarm::told;
use super::worker::{Told, Worker};
use super::yardstick::{Folded, fold};
use crate::world::basis;

pub const TOPIC: &str = "identity.events";

/// What never changes from run to run.
pub struct Fixed {
    pub policy: Policy,
    pub tables: Builtin,
}

impl Fixed {
    pub fn new() -> Self {
        Self { policy: Policy::shipped("default").unwrap(), tables: Builtin::new() }
    }
}

type Running = Worker<EmbeddedSource, Faulty>;

impl Node {
    /// The transaction under way.
    pub(super) fn flight(&self) -> Vec<Arc<Unit>> {
        let flight = self.worker.as_ref().and_then(|worker| worker.flight.as_ref());
        flight.map(|(units, _)| units.clone()).unwrap_or_default()
    }
}

pub(super) struct Node {
    pub(super) name: &'static str,
    pub(super) store: Arc<Disk>,
    /// `None`: dead, or gone.
    pub(super) worker: Option<Running>,
    /// Whether it is to run at all.
    pub(super) wanted: bool,
    /// When the transaction that it died in ends, and it begins anew.
    pub(super) back_at: Option<u64>,
    /// Copies of partitions that the other has.
    pub(super) copies: BTreeMap<i32, Standby>,
    /// Steps that it was given.
    pub(super) turns: u64,
}

pub struct World<'f> {
    fixed: &'f Fixed,
    pub(super) log: Log,
    pub(super) nodes: [Node; 2],
    pub(super) partitions: i32,
    pub(super) folded: Rc<Vec<Folded>>,
    /// How far the decisions of each partition were compared: the next offset, and how many.
    pub(super) compared: Vec<(i64, usize)>,
    /// The furthest offset that was ever committed in each partition.
    pub(super) furthest: BTreeMap<i32, i64>,
    pub(super) now: u64,
    pub steps: usize,
    pub keeps_copies: bool,
    /// Records that were copied.
    pub(super) copied: u64,
    pub plant: Option<Plant>,
    pub seen: Seen,
    /// Says what is done, step by step.
    pub tells: bool,
    pub(super) nothing: Nothing,
}

impl<'f> World<'f> {
    pub fn new(fixed: &'f Fixed, inputs: &[Input], partitions: u16) -> Self {
        let number = i32::from(partitions);
        let folded = (0..number).map(|at| fold(inputs, at, &fixed.policy, &fixed.tables)).collect();
        Self::with_fold(fixed, inputs, partitions, Rc::new(folded))
    }

    /// With the yardstick at hand: for many runs over one log.
    pub fn with_fold(fixed: &'f Fixed, inputs: &[Input], partitions: u16, folded: Rc<Vec<Folded>>) -> Self {
        let log = Log::new(partitions, Retention::default());
        for input in inputs {
            log.append(input.partition, input.recorded_at, input.key.as_deref(), Some(&input.value)).unwrap();
        }
        let partitions = i32::from(partitions);
        let node = |name, wanted| Node {
            name,
            store: Arc::new(Disk::new()),
            worker: None,
            wanted,
            back_at: None,
            copies: BTreeMap::new(),
            turns: 0,
        };
        let nodes = [node("a", true), node("b", false)];
        Self {
            fixed,
            log,
            nodes,
            partitions,
            compared: vec![(0, 0); folded.len()],
            furthest: BTreeMap::new(),
            folded,
            now: 0,
            steps: 0,
            keeps_copies: false,
            copied: 0,
            plant: None,
            seen: Seen::default(),
            tells: false,
            nothing: Nothing::default(),
        }
    }

    pub fn fold(&self) -> Rc<Vec<Folded>> {
        Rc::clone(&self.folded)
    }

    pub fn with_both(mut self) -> Self {
        self.nodes[1].wanted = true;
        self
    }

    /// Runs until everything is decided and at rest, then stops in good order. What is not as it
    /// must be is the error.
    pub fn run(&mut self, mut fate: impl FnMut(usize) -> Fate) -> Result<(), String> {
        let (mut at_rest, mut turns) = (0, 0);
        while at_rest < 2 * self.nodes.len() {
            for node in 0..self.nodes.len() {
                let busy = self.step(node, &mut fate)?;
                at_rest = if busy { 0 } else { at_rest + 1 };
            }
            turns += 1;
            if turns > TURNS_MAX {
                return Err(format!("no rest after {turns} turns"));
            }
            if let Some(refusal) = self.seen.refused.first() {
                return Err(format!("refused to serve: {refusal}"));
            }
        }
        self.stop()?;
        self.compare()
    }

    /// One step of one node; `false` when it had nothing to do.
    pub(super) fn step(&mut self, at: usize, fate: &mut impl FnMut(usize) -> Fate) -> Result<bool, String> {
        self.now += 1;
        let now = Tick(Duration::from_millis(self.now));
        if let Some(back_at) = self.nodes[at].back_at {
            if self.now < back_at {
                return Ok(true);
            }
            self.nodes[at].back_at = None;
            self.log.end_open(self.nodes[at].name);
        }
        if self.nodes[at].worker.is_none() {
            if !self.nodes[at].wanted {
                return Ok(false);
            }
            self.start(at);
        }
        self.nodes[at].turns += 1;
        if let Some(partition) = self.to_copy(at) {
            return self.fated(at, Step::Copy(partition), fate, now);
        }
        let Some(worker) = &mut self.nodes[at].worker else { return Ok(false) };
        let step = match worker.dispatch.next(now) {
            // A transaction begins; what becomes of it is asked when it ends.
            Some(command @ Command::Publish(_)) => {
                self.carry_out(at, command, now)?;
                return Ok(true);
            }
            Some(command) => Step::Command(command),
            None => {
                let keeping = worker.is_keeping();
                match &mut worker.flight {
                    Some((_, age)) if *age < AGE_OF_A_TRANSACTION => {
                        *age += 1;
                        self.look(at, now)?;
                        return Ok(true);
                    }
                    // Which of the two ends first is as it comes.
                    Some(_) if !keeping || self.now.is_multiple_of(2) => Step::Land,
                    _ if keeping => Step::Keep,
                    _ => return self.look(at, now),
                }
            }
        };
        self.fated(at, step, fate, now)
    }

    /// One step with whatever becomes of it; `false` when it was a look at a copy and nothing came of it.
    fn fated(
        &mut self,
        at: usize,
        step: Step,
        fate: &mut impl FnMut(usize) -> Fate,
        now: Tick,
    ) -> Result<bool, String> {
        let fate = fate(self.steps);
        if self.tells {
            told(&format!("{:>4} {} {fate:?}: {}", self.steps, self.nodes[at].name, self.brief(at, &step)));
        }
        self.steps += 1;
        let copied = self.copied;
        let is_quiet = matches!(step, Step::Copy(_)) && fate == Fate::Succeeds;
        self.meet(at, step, fate, now)?;
        if self.nodes[at].worker.as_ref().is_some_and(|worker| worker.fenced) {
            self.die(at);
        }
        self.prefix()?;
        Ok(!is_quiet || self.copied > copied)
    }

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let settings = Settings {
            topic: TOPIC.into(),
            partitions: self.partitions,
            format: Format::Json,
            decisions: Rendering::Avro,
            alerts: AlertRendering::Avro,
            revocations: Rendering::Avro,
            rejected: Rendering::Avro,
            limits: Limits::default(),
            // So few that profiles are evicted and read again all the time.
            profiles_cached: 1,
            record_bytes_max: 1_000_000,
            hash_seed: 7,
        };
        let pace = Pace {
            commit_interval: Duration::ZERO,
            unit_records_max: 2,
            checkpoint_interval: Duration::from_millis(6),
            ..Pace::default()
        };
        let store: Arc<dyn StateStore> = Arc::clone(&node.store) as _;
        let ledger = Faulty::new(self.log.ledger(node.name), self.plant, &self.nothing);
        let now = Tick(Duration::from_millis(self.now));
        node.store.lies.store(self.plant == Some(Plant::LyingStore), Ordering::Relaxed);
        let mut worker = Worker::new(Arc::new(settings), pace, self.log.join(node.name), ledger, store, now);
        worker.is_credulous = self.plant == Some(Plant::MissIsNew);
        node.worker = Some(worker);
    }

    /// A look at what has arrived. Quiet when nothing has, and nothing waits for time to pass.
    pub(super) fn look(&mut self, at: usize, now: Tick) -> Result<bool, String> {
        let Self { fixed, nodes, seen, .. } = self;
        let Some(worker) = &mut nodes[at].worker else { return Ok(false) };
        let setting =
            Setting { policy: &fixed.policy, shadow: None, basis: basis(&fixed.policy), lifetime: &LIFETIME };
        let mut arrived = false;
        let polled = worker.poll(&setting, &fixed.tables, now, &mut |told| {
            arrived |= matches!(told, Told::Offered(_) | Told::StoreFailed(..));
            seen.note(&told);
        });
        polled.map_err(|failure| failure.to_string())?;
        arrived |= worker.read_on(&mut |told| seen.note(&told));
        let waits = worker.dispatch.partitions().any(|(_, served)| !served) || worker.dispatch.has_open();
        Ok(arrived || waits || self.log.lag() > 0)
    }

    pub(super) fn take(&mut self, at: usize, step: Step, now: Tick) -> Result<(), String> {
        match step {
            Step::Command(command) => self.carry_out(at, command, now),
            Step::Land => {
                if let Some(plant) = self.plant
                    && self.planted(at, plant, now)
                {
                    return Ok(());
                }
                let Self { nodes, seen, .. } = self;
                if let Some(worker) = &mut nodes[at].worker {
                    worker.land(now, &mut |told| seen.note(&told));
                }
                Ok(())
            }
            Step::Keep => {
                let Self { nodes, seen, .. } = self;
                if let Some(worker) = &mut nodes[at].worker {
                    worker.keep(&mut |told| seen.note(&told));
                }
                Ok(())
            }
            Step::Copy(partition) => {
                self.copy(at, partition, true);
                Ok(())
            }
        }
    }

    fn carry_out(&mut self, at: usize, mut command: Command, now: Tick) -> Result<(), String> {
        let gone = matches!(&command, Command::Release(_));
        if let (Some(Plant::CheckpointAtTip), Command::Checkpoint { partition, batch }) =
            (self.plant, &mut command)
            && let Some(unit) = self.nodes[at].flight().iter().find(|unit| unit.partition == *partition)
        {
            let place = batch.place.map(|spot| Spot { mark: unit.to, ..spot });
            *batch = Arc::new(Batch { parts: batch.parts.clone(), place });
        }
        if let Command::TakeOver(partition) = &command {
            self.ends_copy(at, *partition);
        }
        let Self { nodes, seen, .. } = self;
        let node = &mut nodes[at];
        let Some(worker) = &mut node.worker else { return Ok(()) };
        let carried = worker.carry_out(command, now, &mut |told| seen.note(&told));
        if gone && !node.wanted && worker.dispatch.is_idle() {
            node.close_copies();
            node.worker = None;
            self.log.leave(self.nodes[at].name);
        }
        carried.map_err(|failure| failure.to_string())
    }

    pub(super) fn fail(&mut self, at: usize, step: &Step, now: Tick) -> Result<(), String> {
        let Some(worker) = &mut self.nodes[at].worker else { return Ok(()) };
        let unreachable = || Failure::Unreachable("no route".into());
        match step {
            Step::Land => self.published(at, Err(Failure::Aborted("refused".into())), now),
            Step::Keep => {
                self.nodes[at].store.refuses.store(true, Ordering::Relaxed);
                return self.take(at, Step::Keep, now);
            }
            Step::Copy(partition) => self.copy(at, *partition, false),
            Step::Command(Command::TakeOver(partition)) => {
                worker.dispatch.troubled(*partition, &Trouble::Broker(unreachable()), now);
            }
            Step::Command(Command::Ask(_)) => worker.dispatch.answered(Err(unreachable()), now),
            // The close of a store that fails is a start that is slower.
            Step::Command(Command::Close { .. }) => {}
            // What the client refuses here ends the worker.
            Step::Command(_) => self.die(at),
        }
        Ok(())
    }

    pub(super) fn published(&mut self, at: usize, outcome: Result<Vec<Positions>, Failure>, now: Tick) {
        let units = self.nodes[at].flight();
        let Self { nodes, seen, plant, .. } = self;
        let Some(worker) = &mut nodes[at].worker else { return };
        let outcome = match (plant, outcome) {
            (Some(Plant::AbortIsCommit), Err(Failure::Aborted(_))) => {
                Ok(vec![Positions::default(); worker.dispatch.publishing()])
            }
            (Some(Plant::UnknownIsAbort), Err(Failure::Unknown(why))) => Err(Failure::Aborted(why)),
            (Some(Plant::CommitTriedAgain), Err(Failure::Unknown(_))) => worker.ledger.publish(&units),
            (Some(Plant::NoRewind), Err(failure @ Failure::Aborted(_))) => {
                worker.unmoved.extend(units.iter().map(|unit| unit.partition));
                Err(failure)
            }
            (_, outcome) => outcome,
        };
        worker.told_published(outcome, now, &mut |told| seen.note(&told));
    }

    fn brief(&self, at: usize, step: &Step) -> String {
        match step {
            Step::Command(command) => brief(command),
            Step::Land => brief(&Command::Publish(self.nodes[at].flight())),
            Step::Keep => "checkpoint ends".into(),
            Step::Copy(partition) => format!("copy {partition}"),
        }
    }

    pub(super) fn die(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.worker = None;
        node.forget_copies();
        self.log.leave(node.name);
    }

    fn stop(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            node.wanted = false;
            if let Some(worker) = &mut node.worker {
                worker.dispatch.stop();
            }
        }
        for _ in 0..STOP_TURNS_MAX {
            let mut busy = false;
            for node in 0..self.nodes.len() {
                busy |= self.nodes[node].worker.is_some() && self.step(node, &mut |_| Fate::Succeeds)?;
            }
            if !busy {
                return Ok(());
            }
        }
        Err("a worker does not stop".into())
    }
}

/// What is fated.
pub(super) enum Step {
    Command(Command),
    /// The transaction under way ends.
    Land,
    /// A checkpoint under way ends.
    Keep,
    /// The copy of a partition is brought up.
    Copy(i32),
}

/// A run without faults takes some dozens.
const TURNS_MAX: usize = 5_000;
/// Whoever does not know what became of a transaction may rest for 5 s first, a step a millisecond.
const STOP_TURNS_MAX: usize = 6_000;
/// Looks at what arrives before a transaction ends.
const AGE_OF_A_TRANSACTION: u32 = 2;
