//! The ceiling: the same input read, the same bytes written in transactions that are closed as the
//! pipeline's are, nothing decided.

mod member;

use std::sync::Arc;
use std::thread::JoinHandle;

use super::ground::{Ground, pass_group};
use super::latency;
use super::load::{Load, withheld};
use super::pipeline::{Course, broker, report};
use super::recorded::Recorded;
use super::report::Report;
use super::stages::Told;
use super::{Failure, Interrupt, Options};
use crate::adapters::kafka::{Connection, Follower, KafkaLog, Withheld};
use crate::app;
use crate::runtime::stages::Stages;
use crate::runtime::stop::{ProcessClock, Stop};
use member::{Shared, work};

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
    let measured = copy_input(ground, load, interrupt)?;

    let members = Members::start(ground, &connection, recorded)?;
    let course = Course {
        connection: &connection,
        topic: &ground.copies.events,
        partitions: ground.partitions,
        warm: options.warm().into(),
        total: load.bulk_size(),
        process: std::process::id(),
        alive: &|| members.alive(),
    };
    let show = || Ok(measured.show(&ground.copies.events)?);
    let covered = course.cover(broker(ground), show, interrupt)?;
    let input = Follower::new(&connection, &ground.copies.events, ground.partitions)?.ends()?;
    let latency = latency::measure(&connection, &ground.copies.decisions, &input, load.rated(), || {
        load.again(&ground.copies.events, ground.partitions, &input, interrupt)
    })?;
    let told = members.finish()?;
    report("pass", options, ground, &ground.copies, &covered, &told, latency)
}

/// The workers of the pass, which end with it, whatever it ends with: a group with members cannot be
/// removed.
struct Members {
    stop: Stop,
    threads: Vec<JoinHandle<Result<Told, String>>>,
}

impl Members {
    fn start(ground: &Ground, connection: &Connection, recorded: Recorded) -> Result<Self, Failure> {
        let mut members = Self { stop: Stop::default(), threads: Vec::new() };
        let shared = Shared {
            connection: connection.clone(),
            names: ground.copies.clone(),
            recorded: Arc::new(recorded),
            pace: app::pace(&ground.settings),
            stages: Stages::default(),
            clock: ProcessClock::default(),
            stop: members.stop.clone(),
        };
        for number in 0..ground.workers {
            let shared = shared.clone();
            let work = move || work(number, &shared);
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

    fn finish(mut self) -> Result<Told, Failure> {
        self.stop.set();
        let mut all = Told::default();
        for thread in self.threads.drain(..) {
            let told = thread.join().unwrap_or_else(|_| Err("it panicked".into()));
            all.append(told.map_err(|why| Failure::Internal(format!("a worker of the pass: {why}")))?);
        }
        Ok(all)
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

/// The bulk of the input, of which what is measured is withheld; the keys put each record where it was.
fn copy_input(ground: &Ground, load: &Load, interrupt: &Interrupt) -> Result<Withheld, Failure> {
    let topic = &ground.copies.events;
    let withheld = withheld(ground, topic)?;
    for (partition, (warm, end)) in (0..).zip(load.placed().iter().copied()) {
        let mut log = KafkaLog::open(&ground.connection, &ground.names.events, partition)?;
        loop {
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            let sent = log.next(|record| {
                let (Some(key), Some(value)) = (record.key, record.value) else { return Ok(false) };
                // Behind the bulk stands what was sent at the rate.
                if record.offset < end {
                    if record.offset == warm {
                        load.publisher().finish(topic)?;
                    }
                    let publisher =
                        if record.offset < warm { load.publisher() } else { withheld.publisher() };
                    publisher.send(topic, key, value)?;
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
    withheld.publisher().finish(topic)?;
    load.publisher().finish(topic)?;
    Ok(withheld)
}
