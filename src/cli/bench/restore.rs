//! How long it is until a process serves: with an empty store, after a stop, after a kill; and what it does
//! then, with so many users.
//!
//! The changelog is that of many users, drawn from simulated people after a year. Each start is measured
//! from the process's first moment until a decision of every partition can be read by others: to decide,
//! it must have the profile.
#![expect(clippy::disallowed_methods, reason = "measures how long something takes")]

mod drawn;
mod load;
mod report;
mod traffic;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::cpu::Cpu;
use super::ground::{Ground, Wanted};
use super::process::Worker;
use super::{Failure, Interrupt, Progress};
use crate::adapters::kafka::{Follower, Publisher, decisions};
use crate::cli::flags::Source;
use crate::cli::simulate::sink::keyed;
use crate::cli::simulate::world;
use crate::cli::{now, print};
use crate::model::event::Event;
use crate::pipeline::intake::partition_of;
use crate::pipeline::lane::Rendering;
use crate::simulate::{Plan, Stream, World};
use report::{Report, Start};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    source: Source,
    /// Users whose profiles are restored.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    users: u32,
    /// Simulated people whose profiles after a year they are given.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    people: u32,
    /// Events of these users that are decided in the end, most by few (Zipf, exponent 1); 0: none.
    #[arg(long, default_value_t = 300_000, value_parser = clap::value_parser!(u32).range(0..=50_000_000))]
    events: u32,
    /// Workers, each a thread (default: one a core).
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,
    /// Partitions of the input.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// City database; without one the built-in synthetic table.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(options: &Options, interrupt: &Interrupt) -> Result<(), Failure> {
    let world = world(&options.geo)?;
    let ground = Ground::prepare(&Wanted {
        source: &options.source,
        commit_interval: None,
        workers: options.workers,
        partitions: options.partitions,
    })?;
    let progress = Progress::new();
    progress.says("people live through a year");
    let people = drawn::people(options.people, options.seed, &world, now(), interrupt)?;
    progress.says("loading the changelog");
    let mut bell = Bell::new(options, &ground, world)?;
    bell.ring()?;
    let loaded = load::changelog(&ground, &people, options.users, interrupt)?;

    progress.says("restoring");
    let (worker, restore) = started(options, &ground, &mut bell, interrupt)?;
    let stop = worker.end()?;
    let disk = size(&ground.state);
    progress.says("after a stop");
    let (worker, after_stop) = started(options, &ground, &mut bell, interrupt)?;
    worker.kill();
    progress.says("after a kill");
    let (worker, after_kill) = started(options, &ground, &mut bell, interrupt)?;
    worker.end()?;
    let traffic = match options.events {
        0 => None,
        _ => {
            progress.says("users at work");
            Some(traffic::measure(options, &ground, &people, &bell, interrupt)?)
        }
    };
    drop(progress);

    let report = Report {
        bench: "restore",
        users: options.users,
        people: options.people,
        partitions: ground.partitions,
        workers: ground.workers,
        parts: loaded.parts,
        live_bytes: loaded.bytes,
        disk_bytes: disk,
        stop_seconds: seconds(stop),
        restore,
        after_stop,
        after_kill,
        traffic,
    };
    ground.remove()?;
    print(&if options.json { report.as_json() } else { report.as_table() });
    Ok(())
}

/// Starts `ward run` with an event in every partition, and waits for their decisions.
fn started(
    options: &Options,
    ground: &Ground,
    bell: &mut Bell,
    interrupt: &Interrupt,
) -> Result<(Worker, Start), Failure> {
    let follower = Follower::new(&ground.connection, &ground.names.decisions, ground.partitions)?;
    follower.begin()?;
    bell.ring()?;
    let began = Instant::now();
    let worker = Worker::start(options.source.config.as_deref(), &options.geo, ground)?;
    let (mut served, mut first) = (BTreeSet::new(), None);
    while served.len() < bell.partitions() {
        if interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        worker.alive()?;
        if began.elapsed() >= PATIENCE {
            return Err(Failure::Unreachable(format!(
                "{} of {} partitions are served {PATIENCE:?} after the start",
                served.len(),
                bell.partitions()
            )));
        }
        let one =
            follower.next(WAIT, |record| record.value.and_then(decisions::avro).map(|_| record.partition));
        if let Some(partition) = one.flatten() {
            served.insert(partition);
            first.get_or_insert_with(|| began.elapsed());
        }
    }
    let (serving, (ways, changes)) = (began.elapsed(), worker.taken_over());
    let cpu = Cpu::of(worker.id()).since(&Cpu::default()).values().sum();
    let (resident, most) = memory(worker.id());
    Ok((
        worker,
        Start {
            first_seconds: seconds(first.unwrap_or(serving)),
            serving_seconds: seconds(serving),
            cpu_seconds: seconds(Duration::from_nanos(cpu)),
            ways,
            changes,
            resident_bytes: resident,
            resident_bytes_max: most,
        },
    ))
}

/// Sends an event to every partition, of somebody whose profile is there.
struct Bell {
    publisher: Publisher,
    topic: String,
    event: Event<'static>,
    /// One user of each partition that has any.
    users: Vec<u32>,
    written: Rendering,
    rung: u32,
}

impl Bell {
    fn new(options: &Options, ground: &Ground, world: World) -> Result<Self, Failure> {
        let partition = |number| partition_of(load::user(number).as_bytes(), ground.partitions);
        let mut found = BTreeSet::new();
        let users: Vec<_> = (0..options.users).filter(|number| found.insert(partition(*number))).collect();
        let start = now().minus(Duration::from_secs(86_400));
        let plan = Plan { users: 1, seed: options.seed, attacks: Vec::new(), start, days: 1 };
        let made = Stream::new(&plan, world).next();
        let made = made.ok_or_else(|| Failure::Internal("nothing was simulated".into()))?;
        Ok(Self {
            publisher: Publisher::prompt(&ground.connection)?,
            topic: ground.names.events.clone(),
            event: made.event,
            users,
            written: ground.written(),
            rung: 0,
        })
    }

    const fn partitions(&self) -> usize {
        self.users.len()
    }

    /// Records so far.
    fn sent(&self) -> i64 {
        i64::from(self.rung) * i64::try_from(self.users.len()).unwrap_or(0)
    }

    fn ring(&mut self) -> Result<(), Failure> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        self.rung += 1;
        for number in &self.users {
            self.event.id = Cow::Owned(format!("bench-{number}-{}", self.rung));
            self.event.tenant = Cow::Borrowed(load::TENANT);
            self.event.user = Cow::Owned(load::name(*number));
            self.event.occurred_at = now();
            keyed(&self.event, self.written, &mut key, &mut value);
            self.publisher.send(&self.topic, &key, &value)?;
        }
        Ok(self.publisher.finish(&self.topic)?)
    }
}

/// Bytes of every file below.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Bytes of a process in memory, now and at most; nothing where there is no `/proc`.
fn memory(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.map_or(0, |kib| kib * 1024)
    };
    (bytes("VmRSS"), bytes("VmHWM"))
}

fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100.0).round() / 100.0
}

const WAIT: Duration = Duration::from_millis(20);
/// Of a start; a restore of tens of millions is one.
const PATIENCE: Duration = Duration::from_secs(3_600);
