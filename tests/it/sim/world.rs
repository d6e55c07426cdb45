//! Two workers, their stores, one log; and somebody who decides what goes wrong.
//!
//! The workers run the very `Dispatch`, `Lane` and `take_over` that production runs. A step is one
//! command, or one look at what has arrived; before each, its fate is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wardstream::adapters::embedded::{EmbeddedLedger, EmbeddedSource, Log, Retention};
use wardstream::adapters::store::MemoryStore;
use wardstream::engine::decode::{Format, Limits};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::Setting;
use wardstream::pipeline::dispatch::{Command, Pace};
use wardstream::pipeline::lane::{Offered, Rendering, Settings};
use wardstream::pipeline::recover::Way;
use wardstream::pipeline::restore::Trouble;
use wardstream::ports::clock::Tick;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ledger as _, Output, Positions, Unit};
use wardstream::ports::store::{Batch, Checkpoint, Found, Spot, StateStore, StoreError};

use super::input::Input;
use super::script::{Fate, Plant};
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

type Running = Worker<EmbeddedSource, EmbeddedLedger>;

struct Node {
    name: &'static str,
    store: Arc<Disk>,
    /// `None`: dead, or gone.
    worker: Option<Running>,
    /// Whether it is to run at all.
    wanted: bool,
}

pub struct World<'f> {
    fixed: &'f Fixed,
    log: Log,
    nodes: [Node; 2],
    partitions: i32,
    folded: Rc<Vec<Folded>>,
    now: u64,
    pub steps: usize,
    pub plant: Option<Plant>,
    pub seen: Seen,
    /// What was done, step by step; kept for a seed that is replayed.
    pub records: bool,
    pub record: Vec<String>,
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
        let node = |name, wanted| Node { name, store: Arc::new(Disk::new()), worker: None, wanted };
        let nodes = [node("a", true), node("b", false)];
        Self {
            fixed,
            log,
            nodes,
            partitions,
            folded,
            now: 0,
            steps: 0,
            plant: None,
            seen: Seen::default(),
            records: false,
            record: Vec::new(),
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
    fn step(&mut self, at: usize, fate: &mut impl FnMut(usize) -> Fate) -> Result<bool, String> {
        self.now += 1;
        let now = Tick(Duration::from_millis(self.now));
        if self.nodes[at].worker.is_none() {
            if !self.nodes[at].wanted {
                return Ok(false);
            }
            self.start(at);
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
        let fate = fate(self.steps);
        if self.records {
            let line =
                format!("{:>4} {} {fate:?}: {}", self.steps, self.nodes[at].name, self.brief(at, &step));
            self.record.push(line);
        }
        self.steps += 1;
        self.meet(at, step, fate, now)?;
        self.prefix()?;
        Ok(true)
    }

    fn start(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let settings = Settings {
            topic: TOPIC.into(),
            partitions: self.partitions,
            format: Format::Json,
            decisions: Rendering::Avro,
            alerts: Rendering::Avro,
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
        let (source, ledger) = (self.log.join(node.name), self.log.ledger(node.name));
        let now = Tick(Duration::from_millis(self.now));
        node.store.lies.store(self.plant == Some(Plant::LyingStore), Ordering::Relaxed);
        node.worker = Some(Worker::new(Arc::new(settings), pace, source, ledger, store, now));
    }

    /// A look at what has arrived. Quiet when nothing has, and nothing waits for time to pass.
    fn look(&mut self, at: usize, now: Tick) -> Result<bool, String> {
        let Self { fixed, nodes, seen, .. } = self;
        let Some(worker) = &mut nodes[at].worker else { return Ok(false) };
        let setting = Setting { policy: &fixed.policy, basis: basis(&fixed.policy) };
        let mut arrived = false;
        let polled = worker.poll(&setting, &fixed.tables, now, &mut |told| {
            arrived |= matches!(told, Told::Offered(_) | Told::StoreFailed(..));
            seen.note(&told);
        });
        polled.map_err(|failure| failure.to_string())?;
        let waits = worker.dispatch.partitions().any(|(_, served)| !served) || worker.dispatch.has_open();
        Ok(arrived || waits || self.log.lag() > 0)
    }

    fn meet(&mut self, at: usize, step: Step, fate: Fate, now: Tick) -> Result<(), String> {
        let name = self.nodes[at].name;
        match fate {
            Fate::Succeeds => self.take(at, step, now),
            Fate::Fails => self.fail(at, &step, now),
            Fate::UnknownDone => match step {
                Step::Land => {
                    if let Some(worker) = &mut self.nodes[at].worker {
                        let units =
                            worker.flight.as_ref().map(|(units, _)| units.clone()).unwrap_or_default();
                        let outcome = worker.ledger.publish(&units);
                        // A fenced writer learns that it is, whatever else it does not learn.
                        let told = outcome.and_then(|_| Err(Failure::Unknown("no answer".into())));
                        self.published(at, told, now);
                    }
                    Ok(())
                }
                other => self.take(at, other, now),
            },
            Fate::UnknownNot => match step {
                Step::Land => {
                    self.published(at, Err(Failure::Unknown("no answer".into())), now);
                    Ok(())
                }
                other => self.fail(at, &other, now),
            },
            Fate::DiesBefore => {
                self.die(at);
                Ok(())
            }
            Fate::DiesAfter => {
                self.take(at, step, now)?;
                self.die(at);
                Ok(())
            }
            Fate::PowerLost => {
                self.take(at, step, now)?;
                self.die(at);
                self.nodes[at].store.inside.lose_power();
                Ok(())
            }
            Fate::Moves => {
                self.take(at, step, now)?;
                // Somebody has to stay.
                let stays = self.nodes[at].wanted;
                let other = &mut self.nodes[1 - at];
                other.wanted = !(other.wanted && stays);
                if !other.wanted
                    && let Some(worker) = &mut other.worker
                {
                    worker.dispatch.stop();
                }
                Ok(())
            }
            Fate::Zombie => {
                self.log.evict(name);
                self.nodes[1 - at].wanted = true;
                // Long enough to take over and to write.
                for _ in 0..16 {
                    self.step(1 - at, &mut |_| Fate::Succeeds)?;
                }
                self.take(at, step, now)
            }
            Fate::Lost => {
                self.log.evict(name);
                self.take(at, step, now)
            }
            Fate::StoreFails => {
                self.nodes[at].store.refuses.store(true, Ordering::Relaxed);
                let done = self.take(at, step, now);
                self.nodes[at].store.refuses.store(false, Ordering::Relaxed);
                done
            }
            Fate::Rots | Fate::Vanishes => {
                let store = Arc::clone(&self.nodes[at].store);
                for partition in 0..self.partitions {
                    let key = self.folded[usize::try_from(partition).unwrap()].profiles.keys().next();
                    if let Some(key) = key {
                        store.inside.damage(partition, key, fate == Fate::Vanishes);
                    }
                }
                self.take(at, step, now)
            }
        }
    }

    fn take(&mut self, at: usize, step: Step, now: Tick) -> Result<(), String> {
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
        }
    }

    fn carry_out(&mut self, at: usize, command: Command, now: Tick) -> Result<(), String> {
        let gone = matches!(&command, Command::Release(_));
        let Self { nodes, seen, .. } = self;
        let node = &mut nodes[at];
        let Some(worker) = &mut node.worker else { return Ok(()) };
        let carried = worker.carry_out(command, now, &mut |told| seen.note(&told));
        if gone && !node.wanted && worker.dispatch.is_idle() {
            node.worker = None;
            self.log.leave(self.nodes[at].name);
        }
        carried.map_err(|failure| failure.to_string())
    }

    /// Does a publication wrongly; `false` when this mistake does not show here.
    fn planted(&mut self, at: usize, plant: Plant, now: Tick) -> bool {
        let store = Arc::clone(&self.nodes[at].store);
        let Some(worker) = &mut self.nodes[at].worker else { return false };
        let units = worker.flight.as_ref().map(|(units, _)| units.clone()).unwrap_or_default();
        match plant {
            Plant::OffsetAlone => {
                let bare = |unit: &Arc<Unit>| {
                    let mut bare = Unit::default();
                    bare.reset(unit.partition, unit.number, unit.from);
                    bare.to = unit.to;
                    Arc::new(bare)
                };
                let outcome = worker.ledger.publish(&units.iter().map(bare).collect::<Vec<_>>());
                worker.told_published(outcome, now, &mut |_| ());
            }
            Plant::DecisionAlone => {
                let short = |unit: &Arc<Unit>| {
                    let mut short = Unit::clone(unit);
                    short.to = unit.from;
                    Arc::new(short)
                };
                let outcome = worker.ledger.publish(&units.iter().map(short).collect::<Vec<_>>());
                worker.told_published(outcome, now, &mut |_| ());
            }
            Plant::StoreFirst => {
                for unit in units {
                    let parts = unit.records().filter(|record| record.output == Output::Profiles);
                    let parts = parts.filter(|record| record.key != b"\0mark");
                    let parts = parts.map(|record| (record.key.into(), record.value.map(Into::into)));
                    let mut parts: Vec<_> = parts.collect();
                    parts.sort();
                    let place =
                        store.inside.checkpoint(unit.partition).and_then(|checkpoint| checkpoint.place);
                    store.inside.apply_batch(unit.partition, &Batch { parts, place }).unwrap();
                }
                return false;
            }
            Plant::AbortIsCommit | Plant::UnknownIsAbort | Plant::LyingStore => return false,
        }
        true
    }

    fn fail(&mut self, at: usize, step: &Step, now: Tick) -> Result<(), String> {
        let Some(worker) = &mut self.nodes[at].worker else { return Ok(()) };
        let unreachable = || Failure::Unreachable("no route".into());
        match step {
            Step::Land => self.published(at, Err(Failure::Aborted("refused".into())), now),
            Step::Keep => {
                self.nodes[at].store.refuses.store(true, Ordering::Relaxed);
                return self.take(at, Step::Keep, now);
            }
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

    fn published(&mut self, at: usize, outcome: Result<Vec<Positions>, Failure>, now: Tick) {
        let Self { nodes, seen, plant, .. } = self;
        let Some(worker) = &mut nodes[at].worker else { return };
        let outcome = match (plant, outcome) {
            (Some(Plant::AbortIsCommit), Err(Failure::Aborted(_))) => {
                Ok(vec![Positions::default(); worker.dispatch.publishing()])
            }
            (Some(Plant::UnknownIsAbort), Err(Failure::Unknown(why))) => Err(Failure::Aborted(why)),
            (_, outcome) => outcome,
        };
        worker.told_published(outcome, now, &mut |told| seen.note(&told));
    }

    fn brief(&self, at: usize, step: &Step) -> String {
        match step {
            Step::Command(command) => brief(command),
            Step::Land => {
                let flight = self.nodes[at].worker.as_ref().and_then(|worker| worker.flight.as_ref());
                brief(&Command::Publish(flight.map(|(units, _)| units.clone()).unwrap_or_default()))
            }
            Step::Keep => "checkpoint ends".into(),
        }
    }

    fn die(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.worker = None;
        self.log.leave(node.name);
    }

    fn stop(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            node.wanted = false;
            if let Some(worker) = &mut node.worker {
                worker.dispatch.stop();
            }
        }
        for _ in 0..400 {
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

    /// At every step: what is published is a beginning of what must be published, and no store is
    /// ahead of the broker.
    fn prefix(&self) -> Result<(), String> {
        for (number, folded) in (0i32..).zip(self.folded.iter()) {
            let found = self.values(Output::Decisions, number);
            if !folded.decisions.starts_with(&found) {
                return Err(format!("decisions of partition {number} are not a beginning of the fold"));
            }
            let committed = self.log.committed(number).map_or(0, |committed| committed.offset);
            for node in &self.nodes {
                let place = node.store.inside.checkpoint(number).and_then(|checkpoint| checkpoint.place);
                if place.is_some_and(|Spot { mark, .. }| mark.offset > committed) {
                    return Err(format!("the store of {} is ahead in partition {number}", node.name));
                }
            }
        }
        let broken: u64 = self
            .nodes
            .iter()
            .filter_map(|node| node.worker.as_ref())
            .map(|worker| worker.dispatch.broken())
            .sum();
        if broken > 0 { Err(format!("{broken} invariants broken")) } else { Ok(()) }
    }

    fn values(&self, output: Output, partition: i32) -> Vec<Vec<u8>> {
        let records = self.log.read(output, partition, 0, usize::MAX);
        records.into_iter().map(|record| record.value.unwrap_or_default().to_vec()).collect()
    }

    fn compare(&self) -> Result<(), String> {
        for (number, folded) in (0i32..).zip(self.folded.iter()) {
            for output in [Output::Decisions, Output::Alerts, Output::Revocations] {
                same(output.name(), number, self.values(output, number).as_slice(), folded.of(output))?;
            }
            let rejected = self.log.read(Output::Rejected, number, 0, usize::MAX);
            let rejected: Vec<_> =
                rejected.into_iter().map(|record| record.key.unwrap_or_default().to_vec()).collect();
            same("rejected", number, &rejected, &folded.rejected)?;

            let mut changelog = BTreeMap::new();
            for record in self.log.read(Output::Profiles, number, 0, usize::MAX) {
                changelog.insert(
                    record.key.unwrap_or_default().to_vec(),
                    record.value.map(|value| value.to_vec()),
                );
            }
            changelog.remove(b"\0mark".as_slice());
            let changelog: BTreeMap<_, _> =
                changelog.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            same("changelog", number, &changelog, &folded.profiles)?;

            let committed =
                self.log.committed(number).map(|committed| (committed.offset, committed.metadata));
            let expected = (folded.mark.offset, folded.mark.metadata());
            if folded.mark.offset > 0 {
                same("mark", number, &committed, &Some(expected))?;
            }
            self.compare_stores(number, folded)?;
        }
        Ok(())
    }

    /// A store that says that it is at the mark has the state of the mark.
    fn compare_stores(&self, number: i32, folded: &Folded) -> Result<(), String> {
        for node in &self.nodes {
            let store = &node.store.inside;
            let at_mark = store.checkpoint(number).and_then(|checkpoint| checkpoint.place);
            if at_mark.is_none_or(|spot| spot.mark != folded.mark)
                || store.verify(number, &mut |_| ()).is_err()
            {
                continue;
            }
            let mut parts = BTreeMap::new();
            store
                .scan(number, None, usize::MAX, &mut |key, value| {
                    parts.insert(key.to_vec(), value.to_vec());
                })
                .map_err(|error| error.to_string())?;
            same(&format!("store of {}", node.name), number, &parts, &folded.profiles)?;
        }
        Ok(())
    }
}

/// What is fated.
enum Step {
    Command(Command),
    /// The transaction under way ends.
    Land,
    /// A checkpoint under way ends.
    Keep,
}

/// What the schedules reached.
#[derive(Debug, Default)]
pub struct Seen {
    refused: Vec<String>,
    pub reached: BTreeSet<&'static str>,
}

impl Seen {
    fn note(&mut self, told: &Told<'_>) {
        let what = match told {
            Told::Offered(Offered::Decided { revocations: 1.., .. }) => "revoked",
            Told::Offered(Offered::Decided { alert: true, .. }) => "alert",
            Told::Offered(Offered::Decided { .. }) => "decided",
            Told::Offered(Offered::Duplicate) => "duplicate",
            Told::Offered(Offered::Rejected(reason)) => reason.name(),
            Told::Offered(Offered::Old) => "old",
            Told::NotPublished(Failure::Aborted(_)) => "aborted",
            Told::NotPublished(Failure::Unknown(_)) => "unknown",
            Told::NotPublished(Failure::Fenced(_)) => "fenced",
            Told::NotPublished(_) => "not published otherwise",
            Told::StoreFailed(StoreError::Damaged { .. }) => "store damaged",
            Told::StoreFailed(StoreError::Unusable(_)) => "store unusable",
            Told::TakenOver(taken) => match taken.plan.way {
                Way::Continue => "continue",
                Way::Replay { .. } => "replay",
                Way::Restore(because) => because.name(),
                Way::Fresh => "fresh",
            },
            Told::Trouble(Trouble::Refused { refusal, .. }) => {
                self.refused.push(refusal.to_string());
                "refused"
            }
            Told::Trouble(_) => "trouble",
        };
        self.reached.insert(what);
    }
}

/// A command in a line, for the replay of a seed.
fn brief(command: &Command) -> String {
    match command {
        Command::Publish(units) => {
            let units = units.iter().map(|unit| format!("{}: {}..{}", unit.partition, unit.from, unit.to));
            format!("publish {}", units.collect::<Vec<_>>().join(", "))
        }
        Command::Checkpoint { partition, batch } => {
            let mark = batch.place.map_or_else(String::new, |spot| spot.mark.to_string());
            format!("checkpoint {partition} at {mark}, {} parts", batch.parts.len())
        }
        Command::Close { partition, .. } => format!("close {partition}"),
        other => format!("{other:?}"),
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    partition: i32,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} of partition {partition} are not the fold's"))
    }
}

/// A store on a disk that can refuse, and lie.
#[derive(Debug)]
struct Disk {
    inside: MemoryStore,
    refuses: AtomicBool,
    lies: AtomicBool,
}

impl Disk {
    fn new() -> Self {
        Self {
            inside: MemoryStore::with_power_to_lose(),
            refuses: AtomicBool::new(false),
            lies: AtomicBool::new(false),
        }
    }

    fn ask(&self) -> Result<&MemoryStore, StoreError> {
        if self.refuses.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Unusable("disk full".into()));
        }
        Ok(&self.inside)
    }
}

impl StateStore for Disk {
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError> {
        self.ask()?.open(partition)
    }

    fn get(&self, partition: i32, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.ask()?.get(partition, key, out)
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        self.ask()?.apply_batch(partition, batch)
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask()?.scan(partition, after, limit, visit)
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        if self.lies.load(Ordering::Relaxed) {
            let checkpoint = self.inside.checkpoint(partition).unwrap_or_default();
            self.inside.scan(partition, None, usize::MAX, &mut |key, _| visit(key))?;
            return Ok(checkpoint);
        }
        self.ask()?.verify(partition, visit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.ask()?.flush()
    }

    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError> {
        self.ask()?.close(partition, filter)
    }

    fn drop_partition(&self, partition: i32) -> Result<(), StoreError> {
        self.ask()?.drop_partition(partition)
    }

    fn size(&self) -> u64 {
        self.inside.size()
    }
}

/// A run without faults takes some dozens.
const TURNS_MAX: usize = 5_000;
/// Looks at what arrives before a transaction ends.
const AGE_OF_A_TRANSACTION: u32 = 2;
