//! `ward demo`: the whole engine on synthetic people, with no broker.
//!
//! One process: the simulator's script is played into an embedded log, a worker of the same kind as
//! `ward run` has decides what is in it, and what the worker commits is shown. It begins with weeks
//! of history, which go by in a moment, so that there is something to be unusual against.

#![expect(clippy::disallowed_methods, reason = "the demo is a matter of the viewer's time")]

mod board;
mod latency;
mod lines;
mod patient;
mod play;
mod screen;
mod view;

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use board::Board;
use patient::Patient;
use play::Player;
use screen::{Left, Stage};

use super::interrupt::Interrupt;
use super::{Failure, tables};
use crate::adapters::embedded::{Log, Retention};
use crate::adapters::store::MemoryStore;
use crate::config;
use crate::engine::decode::{Format, Limits};
use crate::engine::enrich::builtin::Builtin;
use crate::engine::policy::Policy;
use crate::pipeline::dispatch::Pace;
use crate::pipeline::lane::{AlertRendering, Rendering, Settings};
use crate::pipeline::recover::{Start, Wishes};
use crate::ports::tables::Atlas;
use crate::runtime::custody::Custody;
use crate::runtime::facts::Facts;
use crate::runtime::footing::{Current, Footing};
use crate::runtime::lookup::Lookup;
use crate::runtime::registry::Registry;
use crate::runtime::status::Status;
use crate::runtime::stop::{ProcessClock, Pulse, Stop};
use crate::runtime::worker::{self, Ended, Shared};
use crate::simulate::World;
use crate::simulate::demo::{CAST, script};

/// Watch the engine decide about synthetic people; needs no broker and no configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long it runs.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// Decisions as JSON lines, then a summary.
    #[arg(long)]
    json: bool,
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// City database in which the people live (else a small built-in table); repeat for two files.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
}

#[expect(clippy::needless_pass_by_value, reason = "a command takes its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let began = Instant::now();
    let length = Duration::from_secs(args.seconds);
    let (atlas, places): (Arc<dyn Atlas>, _) = if args.geo.is_empty() {
        (Arc::new(Builtin::new()), "built-in places")
    } else {
        (tables::open(&args.geo, &[], &[])?, "real places")
    };
    let world = World::of(&*atlas).ok_or_else(|| {
        Failure::input("found city databases with towns of fewer than two countries; expected a full one: give another, or none")
    })?;
    let script = script(args.seed, world, args.seconds);

    let interrupt = Interrupt::listen();
    let log = Log::new(PARTITIONS, Retention::default());
    let stop = Stop::default();
    let worker = start_worker(&log, atlas, &stop)?;
    let (tell, told) = sync_channel(TOLD_MAX);
    let player = Player::new(log, tell, stop.clone(), began, length);
    let player = thread("player", move || player.play(script))?;

    let mut board = Board::default();
    let left = if args.json {
        lines::json(&told, &mut board, began, &interrupt)
    } else if std::io::stdout().is_terminal() {
        let coloured = !config::environment().contains_key(OsStr::new("NO_COLOR"));
        let stage = Stage { coloured, places, people: CAST, length, interrupt: &interrupt };
        screen::show(&told, &mut board, &stage, began)
    } else {
        lines::plain(&told, &mut board, began, &interrupt, places)
    };
    drop(told);
    stop.set();
    let died = || Failure::Internal("a thread of the demo died".into());
    let events = player.join().map_err(|_panic| died())?;
    worker.join().map_err(|_panic| died())?.map_err(ended)?;
    match left.map_err(|error| Failure::Internal(format!("cannot write to standard output: {error}")))? {
        Left::Interrupted => Err(Failure::Interrupted),
        Left::Done => lines::summary(&board, events, began.elapsed(), args.json),
    }
}

/// The worker that decides, on a thread of its own.
fn start_worker(
    log: &Log,
    tables: Arc<dyn Atlas>,
    stop: &Stop,
) -> Result<JoinHandle<Result<(), Ended>>, Failure> {
    let policy = Policy::shipped("default").ok_or_else(|| Failure::Internal("no default policy".into()))?;
    let clock = ProcessClock::default();
    let settings = Settings {
        topic: "identity.events".into(),
        partitions: log.partitions(),
        format: Format::Avro,
        decisions: Rendering::Json,
        alerts: AlertRendering::Json,
        revocations: Rendering::Json,
        rejected: Rendering::Json,
        limits: Limits::default(),
        profiles_cached: 1_000,
        record_bytes_max: 1 << 20,
        // Its people are our own: nobody picks their names against us.
        hash_seed: 0,
    };
    let shared = Shared {
        facts: Facts::default(),
        group: "ward-demo".into(),
        instance: MEMBER.into(),
        settings: Arc::new(settings),
        pace: Pace::default(),
        wishes: Wishes { start: Start::Earliest, accept_gap: false },
        store: Arc::new(MemoryStore::new()),
        footing: Current::new(Footing { policy: Arc::new(policy), shadow: None, tables }),
        lifetime: Arc::default(),
        policies: Registry::default(),
        max_action_change: config::Settings::default().policy.max_action_change,
        stop: stop.clone(),
        clock,
        custody: Custody::default(),
        status: Status::new(clock),
        lookup: Lookup::default(),
        spans: None,
        stages: None,
    };
    let source = Box::new(Patient { inner: log.join(MEMBER) });
    let ledger = Box::new(log.ledger(MEMBER));
    thread("worker", move || worker::run(0, shared, source, ledger, Pulse::new(clock)))
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let started = std::thread::Builder::new().name(name.into()).spawn(work);
    started.map_err(|error| Failure::Internal(format!("a thread could not be started: {error}")))
}

fn ended(ended: Ended) -> Failure {
    let (Ended::Refused(why) | Ended::Again(why) | Ended::Displaced(why) | Ended::Broken(why)) = ended;
    Failure::Internal(format!("the demo's worker ended: {why}"))
}

const MEMBER: &str = "demo";
/// As many as make the partitions visible, and no more.
const PARTITIONS: u16 = 4;
/// What may wait to be shown.
const TOLD_MAX: usize = 1_000;
/// A day; the scenes are in the first minute.
const SECONDS_MAX: u64 = 86_400;
