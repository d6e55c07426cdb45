//! Two processes with one relay each, one log, and somebody who decides what goes wrong.
//!
//! The relay and its fold are the very ones of production. As there, a transaction follows its command; but
//! here the group may change, and records arrive, before it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use wardstream::adapters::embedded::{Log, Retention};
use wardstream::pipeline::relay::{Command, Fold, Pace, Relay};
use wardstream::ports::clock::Tick;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ledger as _, Output, Unit};
use wardstream::ports::source::Source as _;

use super::awaiting::Awaiting;
use super::course::{Course, Written};
use super::moved::Moved;
use crate::sim::faulty::{Faulty, Nothing};
use crate::sim::meet::mistaken;
use crate::sim::script::{Fate, Plant};
use crate::sim::swarm::{Reached, told};

pub struct World<'c, C: Course + 'c> {
    course: &'c C,
    /// Inputs that have come.
    fed: usize,
    pub(super) log: Log,
    pub(super) nodes: [Node<Awaiting<C::Fold<'c>>>; 2],
    /// Every offset that was committed, by partition.
    commits: BTreeMap<i32, BTreeSet<i64>>,
    pub(super) now: u64,
    steps: usize,
    pub(super) nothing: Nothing,
    pub plant: Option<Plant>,
    /// One record in so many cannot be read at once; 0: none.
    pub awaits: u64,
    pub tells: bool,
    pub reached: Reached,
}

pub(super) struct Node<F: Fold> {
    pub(super) name: &'static str,
    pub(super) wanted: bool,
    /// When the transaction that it died in ends, and it begins anew.
    pub(super) back_at: Option<u64>,
    /// `None`: dead, or gone.
    pub(super) running: Option<Running<F>>,
}

pub(super) struct Running<F: Fold> {
    relay: Relay<F>,
    source: Moved,
    pub(super) ledger: Faulty,
    /// The transaction under way, and for how many steps.
    flight: Option<(Vec<Arc<Unit>>, u32)>,
}

pub(super) enum Step {
    Command(Command),
    /// The transaction under way ends.
    Land,
}

impl<'c, C: Course> World<'c, C> {
    pub fn new(course: &'c C, partitions: i32) -> Self {
        let log = Log::new(u16::try_from(partitions).unwrap(), Retention::default());
        let node = |name, wanted| Node { name, wanted, back_at: None, running: None };
        Self {
            course,
            log,
            fed: 0,
            nodes: [node("a", true), node("b", false)],
            commits: (0..partitions).map(|partition| (partition, BTreeSet::new())).collect(),
            now: 0,
            steps: 0,
            nothing: Nothing::default(),
            plant: None,
            awaits: 0,
            tells: false,
            reached: Reached::new(),
        }
    }

    pub fn with_both(mut self) -> Self {
        self.nodes[1].wanted = true;
        self
    }

    /// Runs until everything is committed.
    pub fn run(&mut self, mut fate: impl FnMut(usize) -> Fate) -> Result<(), String> {
        let mut at_rest = 0;
        for _ in 0..TURNS_MAX {
            let rests =
                !self.feed() && self.log.lag() == 0 && self.nodes.iter().all(|node| node.back_at.is_none());
            at_rest = if rests { at_rest + 1 } else { 0 };
            if at_rest == REST {
                return self.check();
            }
            for at in 0..self.nodes.len() {
                self.step(at, &mut fate)?;
            }
        }
        Err(format!("not all is committed after {TURNS_MAX} turns"))
    }

    /// Half of the input is there, the rest comes meanwhile; `false` when all has.
    fn feed(&mut self) -> bool {
        let inputs = self.course.inputs();
        let come = inputs.get(self.fed..(self.fed + 1).max(inputs.len() / 2)).unwrap_or_default();
        for input in come {
            let (key, value) = (input.key.as_deref(), Some(&*input.value));
            self.log.append(input.partition, input.recorded_at, key, value).unwrap();
        }
        self.fed += come.len();
        !come.is_empty()
    }

    pub(super) fn step(&mut self, at: usize, fate: &mut dyn FnMut(usize) -> Fate) -> Result<(), String> {
        self.now += 1;
        let now = self.tick();
        if self.nodes[at].back_at.is_some_and(|back_at| self.now < back_at) {
            return Ok(());
        }
        if self.nodes[at].back_at.take().is_some() {
            self.log.end_open(self.nodes[at].name);
            self.check()?;
        }
        if self.nodes[at].running.is_none() && self.nodes[at].wanted {
            self.start(at);
        }
        let Some(running) = &mut self.nodes[at].running else { return Ok(()) };
        let step = match (running.relay.next(now), &mut running.flight) {
            (Some(Command::Publish(units)), flight) => {
                running.ledger.prepare();
                *flight = Some((units, 0));
                return Ok(());
            }
            (Some(command), _) => Step::Command(command),
            (None, Some((_, age))) if *age < AGE_OF_A_TRANSACTION => {
                *age += 1;
                running.poll();
                return Ok(());
            }
            (None, Some(_)) => Step::Land,
            (None, None) => {
                running.poll();
                return Ok(());
            }
        };
        let fate = fate(self.steps);
        if self.tells {
            let what = match &step {
                Step::Command(command) => format!("{command:?}"),
                Step::Land => {
                    let units = self.flight(at);
                    let units = units
                        .iter()
                        .map(|unit| format!("{}: {}..{}", unit.partition, unit.from.offset, unit.to.offset));
                    format!("publish {}", units.collect::<Vec<_>>().join(", "))
                }
            };
            told(&format!("{:>4} {} {fate:?}: {what}", self.steps, self.nodes[at].name));
        }
        self.steps += 1;
        self.meet(at, &step, fate)?;
        if matches!(step, Step::Land) { self.check() } else { Ok(()) }
    }

    /// Time enough for a pause to be over within some steps.
    const fn tick(&self) -> Tick {
        Tick(Duration::from_millis(100 * self.now))
    }

    fn start(&mut self, at: usize) {
        let name = self.nodes[at].name;
        let pace = Pace { publish_every: Duration::from_millis(200), records_max: 3 };
        self.nodes[at].running = Some(Running {
            relay: Relay::new(Awaiting::new(self.course.fold(), self.awaits, self.plant), pace),
            source: Moved { inside: self.log.join(name), unmoved: BTreeSet::new() },
            ledger: Faulty::new(self.log.ledger(name), self.plant, &self.nothing),
            flight: None,
        });
    }

    pub(super) fn flight(&self, at: usize) -> Vec<Arc<Unit>> {
        let running = self.nodes[at].running.as_ref();
        running.and_then(|running| running.flight.clone()).map(|(units, _)| units).unwrap_or_default()
    }

    pub(super) fn take(&mut self, at: usize, step: &Step) {
        let (now, units) = (self.tick(), self.flight(at));
        let Some(running) = &mut self.nodes[at].running else { return };
        let Running { relay, source, ledger, .. } = running;
        match step {
            Step::Land => {
                if self.plant == Some(Plant::LateAssignment) {
                    ledger.prepare();
                }
                let wrong = self.plant.and_then(|plant| mistaken(plant, &units));
                let outcome = ledger.publish(&wrong.unwrap_or(units)).map(drop);
                self.published(at, outcome);
            }
            Step::Command(Command::Begin(partition)) => {
                if ledger.inside.ground(*partition).is_ok_and(|ground| ground.hanging.is_some()) {
                    self.reached.insert("hangs");
                }
                if relay.begin(*partition, ledger, source, now).is_err() {
                    self.die(at);
                }
            }
            Step::Command(Command::Hold(partition)) => {
                self.reached.insert("held");
                source.hold(*partition).unwrap();
            }
            Step::Command(Command::Release(partitions)) => {
                self.reached.insert("released");
                source.release(partitions).unwrap();
            }
            Step::Command(Command::Publish(_)) => {}
        }
    }

    pub(super) fn published(&mut self, at: usize, outcome: Result<(), Failure>) {
        let (now, units) = (self.tick(), self.flight(at));
        self.reached.insert(match &outcome {
            Ok(()) => "committed",
            Err(Failure::Aborted(_)) => "aborted",
            Err(Failure::Unknown(_)) => "unknown",
            Err(Failure::Fenced(_)) => "fenced",
            Err(_) => "not published otherwise",
        });
        let Some(running) = &mut self.nodes[at].running else { return };
        running.flight = None;
        let outcome = match (self.plant, outcome) {
            (Some(Plant::AbortIsCommit), Err(Failure::Aborted(_))) => Ok(()),
            (Some(Plant::CommitTriedAgain), Err(Failure::Unknown(_))) => {
                running.ledger.publish(&units).map(drop)
            }
            (Some(Plant::UnknownIsAbort), Err(failure @ Failure::Unknown(_))) => {
                let before = units.iter().map(|unit| (unit.partition, unit.from.offset));
                running.ledger.stale.extend(before);
                Err(failure)
            }
            (Some(Plant::NoRewind), Err(failure @ Failure::Aborted(_))) => {
                running.source.unmoved.extend(units.iter().map(|unit| unit.partition));
                Err(failure)
            }
            (_, outcome) => outcome,
        };
        match outcome {
            Err(Failure::Fenced(_)) => self.die(at),
            outcome => running.relay.published(outcome.as_ref().copied(), now),
        }
    }

    pub(super) fn die(&mut self, at: usize) {
        self.nodes[at].running = None;
        self.log.leave(self.nodes[at].name);
    }

    /// What is written is what must be, given what is committed.
    fn check(&mut self) -> Result<(), String> {
        for (partition, commits) in &mut self.commits {
            let committed = self.log.committed(*partition).map_or(0, |committed| committed.offset);
            if commits.last().is_some_and(|last| committed < *last) {
                return Err(format!("partition {partition} went back to {committed}"));
            }
            if committed > 0 {
                commits.insert(committed);
            }
            let read = |output| self.log.read(output, *partition, 0, usize::MAX);
            let mut found = Written::default();
            for record in read(Output::Decisions) {
                let value = record.value.map(|value| value.to_vec());
                self.reached.insert(if value.is_some() { "facts" } else { "ended" });
                found.told.push((record.key.unwrap_or_default().to_vec(), value));
            }
            for record in read(Output::Rejected) {
                self.reached.insert("rejected");
                found.rejected.push(record.key.unwrap_or_default().to_vec());
            }
            for record in read(Output::Profiles) {
                let Some(value) = record.value else { continue };
                found.kept.insert(record.key.unwrap_or_default().to_vec(), value.to_vec());
            }
            let expected = self.course.expected(*partition, commits);
            for (what, is_same) in [
                ("what was told", found.told == expected.told),
                ("what was rejected", found.rejected == expected.rejected),
                ("what is kept", found.kept == expected.kept),
            ] {
                if !is_same {
                    return Err(format!("{what} in partition {partition} is not the fold's, at {committed}"));
                }
            }
        }
        Ok(())
    }
}

impl<F: Fold> Running<F> {
    pub(super) fn poll(&mut self) {
        let Self { relay, source, .. } = self;
        source.poll(Duration::ZERO, &mut |arrival| relay.arrived(arrival)).unwrap();
    }
}

const TURNS_MAX: usize = 2_000;
/// Turns after the last commit in which somebody could still write what nobody wants.
const REST: usize = 12;
/// Looks at what arrives before a transaction ends.
const AGE_OF_A_TRANSACTION: u32 = 2;
