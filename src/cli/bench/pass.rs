//! The ceiling: the same input read, the same bytes written, nothing decided.
#![expect(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ground::{Ground, pass_group};
use super::latency;
use super::load::Load;
use super::pipeline::{Commit, Course, broker, report};
use super::recorded::Recorded;
use super::report::Report;
use super::{Failure, Interrupt, Options};
use crate::adapters::kafka::{Connection, Follower, KafkaLedger, KafkaLog, KafkaSource, decisions};
use crate::app;
use crate::ports::failure::Failure as Refused;
use crate::ports::ledger::Unit;
use crate::ports::source::{Arrival, Source as _};
use crate::runtime::publisher::Publisher;
use crate::runtime::stop::Stop;

pub(super) fn run(
    options: &Options,
    ground: &Ground,
    load: &Load,
    recorded: Recorded,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let mut settings = ground.settings.clone();
    settings.kafka.group = pass_group(&settings.kafka.group);
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let connection = connection.with_session_timeout(settings.run.session_timeout);
    copy_input(ground, load, interrupt)?;

    let members = Members::start(ground, &connection, &Arc::new(recorded))?;
    let course = Course {
        connection: &connection,
        topic: &ground.copies.events,
        partitions: ground.partitions,
        warm: options.warm().into(),
        total: load.bulk_size(),
        process: std::process::id(),
        alive: &|| members.alive(),
    };
    let covered = course.cover(&broker(ground), interrupt)?;
    let input = Follower::new(&connection, &ground.copies.events, ground.partitions)?.ends()?;
    let latency =
        latency::measure(&connection, &ground.copies.decisions, ground.partitions, load.rated(), || {
            load.again(&ground.copies.events, ground.partitions, &input, interrupt)
        })?;
    let commits = members.finish()?;
    report("pass", options, ground, &ground.copies, &covered, &commits, latency)
}

/// The workers of the pass, which end with it, whatever it ends with: a group with members cannot be
/// removed.
struct Members {
    stop: Stop,
    threads: Vec<JoinHandle<Result<Vec<Commit>, String>>>,
}

impl Members {
    fn start(ground: &Ground, connection: &Connection, recorded: &Arc<Recorded>) -> Result<Self, Failure> {
        let mut members = Self { stop: Stop::default(), threads: Vec::new() };
        for number in 0..ground.workers {
            let (connection, names) = (connection.clone(), ground.copies.clone());
            let (recorded, stop) = (Arc::clone(recorded), members.stop.clone());
            let work = move || work(number, connection, names, &recorded, &stop);
            let started = std::thread::Builder::new().name(format!("worker-{number}")).spawn(work);
            let started =
                started.map_err(|error| Failure::Internal(format!("a thread did not start: {error}")));
            members.threads.push(started?);
        }
        Ok(members)
    }

    fn alive(&self) -> Result<(), Failure> {
        if self.threads.iter().any(JoinHandle::is_finished) {
            return Err(Failure::Internal("a worker of the pass ended early".into()));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Commit>, Failure> {
        self.stop.set();
        let mut commits = Vec::new();
        for thread in self.threads.drain(..) {
            let told = thread.join().unwrap_or_else(|_| Err("it panicked".into()));
            commits.extend(told.map_err(|why| Failure::Internal(format!("a worker of the pass: {why}")))?);
        }
        Ok(commits)
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.stop.set();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// The bulk of the input; the keys put each record where it was.
fn copy_input(ground: &Ground, load: &Load, interrupt: &Interrupt) -> Result<(), Failure> {
    // Behind the bulk stands what was sent at the rate.
    let mut rated = BTreeMap::new();
    for partition in load.rated_partitions(ground.partitions) {
        *rated.entry(partition).or_insert(0_i64) += 1;
    }
    let ends = Follower::new(&ground.connection, &ground.names.events, ground.partitions)?.ends()?;
    for (partition, end) in (0..).zip(ends) {
        let end = end - rated.get(&partition).copied().unwrap_or(0);
        let mut log = KafkaLog::open(&ground.connection, &ground.names.events, partition)?;
        loop {
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            let sent = log.next(|record| {
                let (Some(key), Some(value)) = (record.key, record.value) else { return Ok(false) };
                if record.offset < end {
                    load.publisher().send(&ground.copies.events, key, value)?;
                }
                Ok::<_, Failure>(record.offset + 1 < end)
            })?;
            match sent {
                Some(Ok(true)) => {}
                Some(Err(failure)) => return Err(failure),
                Some(Ok(false)) | None => break,
            }
        }
    }
    Ok(load.publisher().finish(&ground.copies.events)?)
}

/// One member of the group. Units are written when all their input has been read.
fn work(
    number: u16,
    connection: Connection,
    names: crate::adapters::kafka::topics::Names,
    recorded: &Recorded,
    stop: &Stop,
) -> Result<Vec<Commit>, String> {
    let told = |failure: Refused| failure.to_string();
    let member = format!("bench-pass-{number}");
    let group = connection.group().to_owned();
    let mut source = KafkaSource::join(&connection, &group, &member, &names.events).map_err(told)?;
    let id = format!("{group}-{member}");
    let ledger = KafkaLedger::new(connection, names, &source, id, decisions::avro);
    let publisher = Publisher::start(Box::new(ledger), None)
        .map_err(|error| format!("a thread did not start: {error}"))?;
    let mut writer = Writer { publisher, busy: false, commits: Vec::new() };
    let mut reached: BTreeMap<i32, i64> = BTreeMap::new();
    while !stop.is_set() {
        let mut changes = Vec::new();
        source
            .poll(POLL_MAX, &mut |arrival| match arrival {
                Arrival::Record(record) => {
                    if let Some(reached) = reached.get_mut(&record.partition) {
                        *reached = record.offset + 1;
                    }
                    true
                }
                Arrival::Assigned(partitions) => {
                    changes.push((partitions, true));
                    false
                }
                Arrival::Revoked(partitions) | Arrival::Lost(partitions) => {
                    changes.push((partitions, false));
                    false
                }
            })
            .map_err(told)?;
        for (partitions, ours) in changes {
            writer.settle(Duration::MAX)?;
            for partition in &partitions {
                if ours {
                    let ground = writer.publisher.ledger().ground(*partition).map_err(told)?;
                    let from = ground.committed.map_or(0, |committed| committed.offset);
                    source.start(*partition, from).map_err(told)?;
                    reached.insert(*partition, from);
                } else {
                    reached.remove(partition);
                }
            }
            if !ours {
                source.release(&partitions).map_err(told)?;
            }
        }
        if writer.settle(Duration::ZERO)? {
            writer.write(next(recorded, &reached));
        }
    }
    writer.settle(Duration::MAX)?;
    Ok(writer.commits)
}

/// The next unit of every partition that has come so far.
fn next(recorded: &Recorded, reached: &BTreeMap<i32, i64>) -> Vec<Arc<Unit>> {
    let next = |(partition, reached): (&i32, &i64)| {
        let units = recorded.partitions.get(usize::try_from(*partition).ok()?)?;
        let mut units = units.lock().unwrap_or_else(PoisonError::into_inner);
        if units.front()?.to.offset > *reached {
            return None;
        }
        units.pop_front()
    };
    reached.iter().filter_map(next).collect()
}

/// One transaction at a time, as the pipeline has it.
struct Writer {
    publisher: Publisher,
    busy: bool,
    commits: Vec<Commit>,
}

impl Writer {
    fn write(&mut self, units: Vec<Arc<Unit>>) {
        if !units.is_empty() {
            self.busy = true;
            self.publisher.publish(units);
        }
    }

    /// Whether nothing is under way, waiting for that at most `wait`. An aborted unit would have to be
    /// written again; here nothing but the measurement is lost.
    fn settle(&mut self, wait: Duration) -> Result<bool, String> {
        if self.busy
            && let Some(outcome) = self.publisher.outcome(wait)
        {
            self.busy = false;
            outcome.map_err(|failure| failure.to_string())?;
            self.commits.push((Instant::now(), self.publisher.took()));
        }
        Ok(!self.busy)
    }
}

/// How soon a finished commit is noticed.
const POLL_MAX: Duration = Duration::from_millis(1);
