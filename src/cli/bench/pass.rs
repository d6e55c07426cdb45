//! The ceiling: the same input read, the same bytes written, nothing decided.
#![expect(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
use crate::ports::ledger::{Ledger, Unit};
use crate::ports::source::{Arrival, Source as _};
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

    let stop = Stop::default();
    let recorded = Arc::new(recorded);
    let mut workers = Vec::new();
    for number in 0..ground.workers {
        let (connection, names) = (connection.clone(), ground.copies.clone());
        let (recorded, stop) = (Arc::clone(&recorded), stop.clone());
        let work = move || work(number, connection, names, &recorded, &stop);
        let started = std::thread::Builder::new().name(format!("worker-{number}")).spawn(work);
        workers.push(started.map_err(|error| Failure::Internal(format!("a thread did not start: {error}")))?);
    }
    let course = Course {
        connection: &connection,
        topic: &ground.copies.events,
        partitions: ground.partitions,
        warm: options.warm().into(),
        total: load.bulk_size(),
        process: std::process::id(),
        alive: &|| ended(&workers),
    };
    let covered = course.cover(&broker(ground), interrupt)?;
    let input = Follower::new(&connection, &ground.copies.events, ground.partitions)?.ends()?;
    let latency =
        latency::measure(&connection, &ground.copies.decisions, ground.partitions, load.rated(), || {
            load.again(&ground.copies.events, ground.partitions, &input)
        })?;
    stop.set();
    let mut commits = Vec::new();
    for worker in workers {
        let told = worker.join().unwrap_or_else(|_| Err("it panicked".into()));
        commits.extend(told.map_err(|why| Failure::Internal(format!("a worker of the pass: {why}")))?);
    }
    report("pass", options, ground, &ground.copies, &covered, &commits, latency)
}

fn ended<T>(workers: &[JoinHandle<T>]) -> Result<(), Failure> {
    if workers.iter().any(JoinHandle::is_finished) {
        return Err(Failure::Internal("a worker of the pass ended early".into()));
    }
    Ok(())
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
    let mut writer = Writer::start(KafkaLedger::new(connection, names, &source, id, decisions::avro))?;
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
            writer.wait()?;
            for partition in &partitions {
                if ours {
                    let ground = writer.ledger().ground(*partition).map_err(told)?;
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
        if writer.is_free()? {
            writer.write(next(recorded, &reached))?;
        }
    }
    writer.wait()?;
    Ok(std::mem::take(&mut writer.commits))
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

/// A ledger on a thread of its own, as the pipeline has it.
struct Writer {
    ledger: Arc<Mutex<KafkaLedger>>,
    to: SyncSender<Vec<Arc<Unit>>>,
    from: Receiver<Result<Commit, Refused>>,
    busy: bool,
    commits: Vec<Commit>,
}

impl Writer {
    fn start(ledger: KafkaLedger) -> Result<Self, String> {
        let ledger = Arc::new(Mutex::new(ledger));
        let (to, units) = sync_channel::<Vec<Arc<Unit>>>(1);
        let (outcomes, from) = sync_channel(1);
        let publish = {
            let ledger = Arc::clone(&ledger);
            move || {
                for units in units {
                    let began = Instant::now();
                    let outcome = lock(&ledger).publish(&units).map(|_| (Instant::now(), began.elapsed()));
                    drop(units);
                    if outcomes.send(outcome).is_err() {
                        return;
                    }
                }
            }
        };
        let started = std::thread::Builder::new().name("publisher".into()).spawn(publish);
        started.map_err(|error| format!("a thread did not start: {error}"))?;
        Ok(Self { ledger, to, from, busy: false, commits: Vec::new() })
    }

    fn ledger(&self) -> MutexGuard<'_, KafkaLedger> {
        lock(&self.ledger)
    }

    fn write(&mut self, units: Vec<Arc<Unit>>) -> Result<(), String> {
        if units.is_empty() {
            return Ok(());
        }
        self.ledger().prepare();
        self.busy = true;
        self.to.send(units).map_err(|_ended| "its publishing thread has ended".to_owned())
    }

    fn is_free(&mut self) -> Result<bool, String> {
        if self.busy {
            match self.from.try_recv() {
                Ok(outcome) => self.note(outcome)?,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return Err("its publishing thread has ended".into()),
            }
        }
        Ok(!self.busy)
    }

    fn wait(&mut self) -> Result<(), String> {
        if self.busy {
            let outcome = self.from.recv().map_err(|_ended| "its publishing thread has ended".to_owned())?;
            self.note(outcome)?;
        }
        Ok(())
    }

    /// An aborted unit would have to be written again; here nothing but the measurement is lost.
    fn note(&mut self, outcome: Result<Commit, Refused>) -> Result<(), String> {
        self.busy = false;
        self.commits.push(outcome.map_err(|failure| failure.to_string())?);
        Ok(())
    }
}

fn lock(ledger: &Mutex<KafkaLedger>) -> MutexGuard<'_, KafkaLedger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How soon a finished commit is noticed.
const POLL_MAX: Duration = Duration::from_millis(1);
