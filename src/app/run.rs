//! Puts `ward run` together: tables, policy, store, topics, workers, and the end of all of them.

#![expect(clippy::disallowed_methods, reason = "the edge waits for a broker, for signals and for threads")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::across;
use super::anew::again;
use super::inputs::inputs;
use super::renderings::{self, Renderings};
use super::standby::Keeping;
use super::{collector, connection, instance, needed_registry, observe, reload, tables, topic_names, unheld};
use crate::adapters::kafka::topics::{self, Names, Severity, There};
use crate::adapters::kafka::{
    Admin, Connection, Failure as KafkaFailure, KafkaLedger, KafkaSource, decisions, policies,
};
use crate::adapters::store::SledStore;
use crate::cli::{Failure, hash_seed};
use crate::config::{OutputFormat, Settings, Start as ConfiguredStart};
use crate::engine::document::Mistake;
use crate::engine::step::Lifetime;
use crate::pipeline::dispatch::Pace;
use crate::pipeline::lane;
use crate::pipeline::recover::{Start, Wishes};
use crate::pipeline::wire::held_in;
use crate::runtime::custody::Custody;
use crate::runtime::facts::Facts;
use crate::runtime::footing::{Current, Footing};
use crate::runtime::registry::Registry;
use crate::runtime::stages::Stages;
use crate::runtime::status::Status;
use crate::runtime::stop::{ProcessClock, Pulse, Request, Stop};
use crate::runtime::worker::{self, Ended, Shared};
use crate::telemetry::Happened;

/// Whether the log tells what each stage of an event's way costs: for `ward bench`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measures {
    Nothing,
    Stages,
}

/// Runs until a signal, or until something needs a person.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn run(settings: &Settings, measures: Measures) -> Result<(), Failure> {
    // First: tables take seconds, and who ends the process meanwhile is to hear of an end in order.
    let stop = Stop::default();
    let look = Request::default();
    let signals = Signals::listen(stop.clone(), look.clone())?;
    let mut mistakes = Vec::new();
    let connection = keep(connection(settings), &mut mistakes);
    let tables = keep(tables(settings), &mut mistakes);
    let read = keep(reload::policies(settings).map_err(|found| found.read), &mut mistakes);
    let registry = keep(needed_registry(settings), &mut mistakes);
    let collector = keep(collector(settings), &mut mistakes);
    let told = |found: Vec<Mistake>| found.iter().map(ToString::to_string).collect();
    let inputs = keep(inputs(settings).map_err(told), &mut mistakes);
    let (Some(connection), Some(tables), Some(read), Some(registry), Some(collector), Some(inputs)) =
        (connection, tables, read, registry, collector, inputs)
    else {
        return Err(Failure::Input(mistakes));
    };
    let files = reload::Files::new(settings, &read.files);
    let (policy, shadow) = read.read;
    let connection = connection.with_session_timeout(settings.run.session_timeout);

    let clock = ProcessClock::default();
    let status = Status::new(clock);
    observe::begin(settings, &status)?;
    let (names, profile_ttl) = (topic_names(settings), settings.remembering.profile_ttl);
    let Some((admin, there)) = reach(&connection, &names, profile_ttl, &stop)? else {
        return signals.ended();
    };
    let (input, networks) = check(&names, profile_ttl, &there)?;

    let Some((written, lookup)) = renderings::settle(settings, registry, clock, &stop)? else {
        return signals.ended();
    };

    let Some(told) = across::told(&connection, &names.networks, networks.partitions, &stop)? else {
        return signals.ended();
    };
    let facts = Facts::default();
    facts.replace(told.0.clone());
    let instance = instance(settings);
    let (spans, exporter) = observe::spans(settings, collector, connection.group(), &instance, clock)?;
    let store = open_store(settings)?;
    let shared = Shared {
        group: connection.group().into(),
        instance: instance.as_str().into(),
        settings: Arc::new(lane_settings(settings, &written, input.partitions)),
        pace: pace(settings),
        wishes: Wishes {
            start: match settings.run.start {
                ConfiguredStart::Earliest => Start::Earliest,
                ConfiguredStart::Latest => Start::Latest,
            },
            accept_gap: settings.run.accept_gap,
        },
        store,
        custody: Custody::default(),
        facts,
        footing: Current::new(Footing { policy: Arc::clone(&policy), shadow, tables }),
        lifetime: Arc::new(Lifetime::of(settings.remembering.clone())),
        policies: Registry::new(policies::known(&connection, &names.policies)?),
        max_action_change: settings.policy.max_action_change,
        stop: stop.clone(),
        clock,
        status: status.clone(),
        lookup,
        spans,
        stages: (measures == Measures::Stages).then(Stages::default),
    };
    let workers = settings.run.workers.unwrap_or_else(cores).max(1);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        bootstrap = connection.bootstrap(),
        group = connection.group(),
        instance,
        workers,
        partitions = input.partitions,
        policy = %policy.digest,
        "starting"
    );

    let mut threads: Vec<Thread> = Vec::new();
    for number in 0..workers {
        let pulse = Pulse::new(clock);
        let run = worker_thread(number, &shared, &connection, &names, settings, pulse.clone());
        let name = format!("worker-{number}");
        status.watch(&name, pulse.clone());
        threads.push(Thread::start(&name, pulse, run)?);
    }
    for input in inputs {
        let (pulse, name) = (Pulse::new(clock), input.name.clone());
        let run = input.thread(&shared, &connection, &names, settings, written.copies, pulse.clone());
        status.watch(&name, pulse.clone());
        threads.push(Thread::start(&name, pulse, run)?);
    }
    let pulse = Pulse::new(clock);
    let run = across::lanes(&shared, &connection, &names, pulse.clone());
    status.watch("networks", pulse.clone());
    threads.push(Thread::start("networks", pulse, run)?);
    let pulse = Pulse::new(clock);
    let run = across::follow(&shared, &connection, &names.networks, told, pulse.clone());
    status.watch("facts", pulse.clone());
    threads.push(Thread::start("facts", pulse, run)?);
    reload::begin(settings, files, shared.footing.clone(), status.clone(), look, stop.clone())?;
    observe::canaries(settings, &shared)?;
    let copies = Keeping::begin(settings, &shared, &connection, &names, read_mark(settings))?;
    unheld::begin(&connection, &names, &instance, stop.clone())?;
    if settings.metrics.listen.is_some() {
        observe::survey(&connection, &names, &shared)?;
    }

    let ended = watch(&threads, &stop, &admin, &names, input.partitions);
    stop.set();
    status.stopping();
    let until = Instant::now() + LEAVE_TIMEOUT;
    let left = leave(threads, until);
    copies.finish(until);
    // The store's last handle: what the lanes closed is on disk.
    drop(shared);
    if let Some(exporter) = exporter {
        exporter.finish(SPANS_PATIENCE);
    }
    match ended.and(left) {
        Ok(()) => signals.ended(),
        Err(failure) => Err(failure),
    }
}

fn keep<T>(found: Result<T, Vec<String>>, mistakes: &mut Vec<String>) -> Option<T> {
    found.map_err(|found| mistakes.extend(found)).ok()
}

/// Topics as the broker describes them, by name.
type Topics = BTreeMap<String, There>;

/// Waits for the broker, saying so once; `None` when told to stop meanwhile.
fn reach(
    connection: &Connection,
    names: &Names,
    profile_ttl: Duration,
    stop: &Stop,
) -> Result<Option<(Admin, Topics)>, Failure> {
    let admin = Admin::new(connection)?;
    let wanted = topics::wanted(names, profile_ttl);
    let topics: Vec<_> = wanted.iter().map(|topic| topic.name).collect();
    let began = Instant::now();
    let mut told = false;
    while !stop.is_set() {
        let patience = connection
            .connect_timeout()
            .map_or(REACH_SLICE, |limit| limit.saturating_sub(began.elapsed()).min(REACH_SLICE));
        match admin.describe(&topics, patience) {
            Ok(there) => {
                if told {
                    Happened::BrokerBack { bootstrap: connection.bootstrap(), after: began.elapsed() }.emit();
                }
                return Ok(Some((admin, there)));
            }
            Err(KafkaFailure::Unreachable { reason, .. }) => {
                if connection.connect_timeout().is_some_and(|limit| began.elapsed() >= limit) {
                    let waited = connection.connect_timeout().unwrap_or_default();
                    let bootstrap = connection.bootstrap().to_owned();
                    return Err(KafkaFailure::Unreachable { bootstrap, waited, reason }.into());
                }
                if !told {
                    Happened::BrokerAway { bootstrap: connection.bootstrap(), why: &reason }.emit();
                    told = true;
                }
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(None)
}

/// Topics that cannot work end the command with every mistake; weak ones are said. Otherwise those of events
/// and of facts across users.
fn check(names: &Names, profile_ttl: Duration, there: &Topics) -> Result<(There, There), Failure> {
    let wanted = topics::wanted(names, profile_ttl);
    let (wrong, weak): (Vec<_>, Vec<_>) = topics::compare(&wanted, there, None)
        .into_iter()
        .partition(|mistake| mistake.severity == Severity::Wrong);
    for mistake in weak {
        warn!(
            topic = mistake.topic,
            found = mistake.found,
            expected = mistake.expected,
            remedy = mistake.remedy,
            "topic"
        );
    }
    match (there.get(&names.events), there.get(&names.networks)) {
        (Some(input), Some(networks)) if wrong.is_empty() => Ok((input.clone(), networks.clone())),
        _ => Err(Failure::Input(wrong.iter().map(ToString::to_string).collect())),
    }
}

fn lane_settings(settings: &Settings, written: &Renderings, partitions: i32) -> lane::Settings {
    lane::Settings {
        topic: settings.topics.events.name.clone(),
        partitions,
        format: settings.topics.events.format,
        decisions: written.decisions,
        alerts: written.alerts,
        revocations: written.revocations,
        rejected: written.rejected,
        limits: settings.identity.clone(),
        profiles_cached: PROFILES_CACHED / usize::try_from(partitions).unwrap_or(1).max(1),
        record_bytes_max: RECORD_BYTES_MAX,
        hash_seed: hash_seed(),
    }
}

pub(crate) fn pace(settings: &Settings) -> Pace {
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Pace {
        commit_interval: settings.run.commit_interval,
        unit_records_max: size(settings.run.transaction_records),
        unit_bytes_max: size(settings.run.transaction_bytes),
        checkpoint_interval: settings.run.checkpoint_interval,
        checkpoint_bytes: size(settings.run.checkpoint_bytes),
        hanging_patience: settings.run.session_timeout + HANGING_MARGIN,
    }
}

fn open_store(settings: &Settings) -> Result<Arc<SledStore>, Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let opened = SledStore::open(&settings.run.state_dir, STORE_CACHE_BYTES, &now.as_secs().to_string())
        .map_err(|error| Failure::input(error.to_string()))?;
    if let Some((folder, why)) = &opened.quarantined {
        Happened::StoreFailed {
            why: &format!(
                "the store did not open and was put aside as `{}`; it comes back from the changelog: {why}",
                folder.display()
            ),
        }
        .emit();
    }
    Ok(Arc::new(opened.store.counting(held_in)))
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

fn read_mark(settings: &Settings) -> decisions::ReadMark {
    match settings.topics.decisions.format {
        OutputFormat::Avro | OutputFormat::Confluent => decisions::avro,
        OutputFormat::Json => decisions::json,
    }
}

/// A worker that begins anew when it was fenced or its client wore out.
fn worker_thread(
    number: u16,
    shared: &Shared,
    connection: &Connection,
    names: &Names,
    settings: &Settings,
    pulse: Pulse,
) -> impl FnOnce() -> Result<(), Ended> + Send + 'static {
    let (shared, connection, names) = (shared.clone(), connection.clone(), names.clone());
    let read_mark = read_mark(settings);
    move || {
        let member = format!("{}-{number}", shared.instance);
        let id = format!("{}-{member}", shared.group);
        again(&shared.stop, &format!("worker {number}"), || {
            let source = KafkaSource::join(&connection, connection.group(), &member, &names.events)
                .map_err(|failure| Ended::Refused(failure.to_string()))?;
            let mut ledger =
                KafkaLedger::new(connection.clone(), names.clone(), &source, id.clone(), read_mark)
                    .watched(pulse.call());
            if let Some(stages) = &shared.stages {
                ledger = ledger.timed(Box::new(stages.hand()));
            }
            worker::run(number, shared.clone(), Box::new(source), Box::new(ledger), pulse.clone())
        })
    }
}

struct Thread {
    name: String,
    pulse: Pulse,
    handle: JoinHandle<Result<(), Ended>>,
}

impl Thread {
    fn start(
        name: &str,
        pulse: Pulse,
        run: impl FnOnce() -> Result<(), Ended> + Send + 'static,
    ) -> Result<Self, Failure> {
        let handle = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(|error| Failure::Internal(format!("thread {name}: {error}")))?;
        Ok(Self { name: name.to_owned(), pulse, handle })
    }
}

/// Until a signal, or until a thread ends, hangs, or the input changes its shape.
fn watch(
    threads: &[Thread],
    stop: &Stop,
    admin: &Admin,
    names: &Names,
    partitions: i32,
) -> Result<(), Failure> {
    let mut looked = Instant::now();
    while !stop.is_set() && threads.iter().all(|thread| !thread.handle.is_finished()) {
        std::thread::sleep(WATCH_PAUSE);
        if let Some(thread) = threads.iter().find(|thread| thread.pulse.silent() >= SILENCE_MAX) {
            // Nothing can be waited for any more. What it had open is decided again after the restart.
            let (silent, call) = (thread.pulse.silent(), thread.pulse.call().name());
            error!(thread = thread.name, ?silent, call, "thread hangs; ending the process");
            std::process::exit(4);
        }
        if looked.elapsed() >= LOOK_EVERY {
            looked = Instant::now();
            if let Ok(Some(found)) = admin.partitions(&names.events, LOOK_PATIENCE)
                && found != partitions
            {
                return Err(Failure::input(worker::changed(&names.events, partitions, found)));
            }
        }
    }
    Ok(())
}

/// Joins every thread, until the end of what a stop may take.
fn leave(threads: Vec<Thread>, deadline: Instant) -> Result<(), Failure> {
    let mut outcome = Ok(());
    for thread in threads {
        while !thread.handle.is_finished() {
            if Instant::now() >= deadline {
                error!(thread = thread.name, "did not end in time; its open transaction is left to time out");
                // The broker aborts it, and the next owner decides those events again.
                std::process::exit(i32::from(outcome.is_err()));
            }
            std::thread::sleep(LEAVE_PAUSE);
        }
        let ended = match thread.handle.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Ended::Refused(why))) => Err(Failure::input(why)),
            Ok(Err(Ended::Again(why) | Ended::Displaced(why) | Ended::Broken(why))) => {
                Err(Failure::Internal(why))
            }
            Err(_) => Err(Failure::Internal(format!("thread {} panicked", thread.name))),
        };
        if outcome.is_ok() {
            outcome = ended;
        }
    }
    outcome
}

/// SIGTERM and SIGINT: both end in order, the second is told by the exit code. SIGHUP has changed files
/// looked for at once.
struct Signals {
    interrupted: Stop,
}

impl Signals {
    fn listen(stop: Stop, look: Request) -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupted = Stop::default();
        let told = interrupted.clone();
        let broken = |error: std::io::Error| Failure::Internal(format!("signals: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(broken)?;
        // From here on they are caught, whenever the thread gets to look.
        let caught = |kind| {
            let _runtime = runtime.enter();
            signal(kind).map_err(broken)
        };
        let mut term = caught(SignalKind::terminate())?;
        let mut interrupt = caught(SignalKind::interrupt())?;
        let mut hangup = caught(SignalKind::hangup())?;
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || {
                runtime.block_on(async move {
                    loop {
                        tokio::select! {
                            _ = term.recv() => break,
                            _ = interrupt.recv() => {
                                told.set();
                                break;
                            }
                            _ = hangup.recv() => look.make(),
                        }
                    }
                    info!("stopping");
                    stop.set();
                });
            })
            .map_err(broken)?;
        Ok(Self { interrupted })
    }

    fn ended(&self) -> Result<(), Failure> {
        if self.interrupted.is_set() { Err(Failure::Interrupted) } else { Ok(()) }
    }
}

/// How long one question to a broker that may not be there is waited for: how soon a stop is noticed.
const REACH_SLICE: Duration = Duration::from_secs(1);
const WATCH_PAUSE: Duration = Duration::from_millis(50);
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
/// Longer than every time limit of one transaction and of the renewal after it.
const SILENCE_MAX: Duration = Duration::from_secs(75);
/// "Leaves within 5 s", with the time that the process itself needs to end.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(4_500);
/// What is left of the 5 s.
const SPANS_PATIENCE: Duration = Duration::from_millis(400);
const LEAVE_PAUSE: Duration = Duration::from_millis(5);
/// Decoded profiles that a process keeps at hand if it has all partitions: 3 KiB each, and up to 10 with a
/// journal and models of behaviour. What was read costs a look-up, what was not a read of the store.
const PROFILES_CACHED: usize = 120_000;
/// What brokers take unless told otherwise, less what a batch adds.
const RECORD_BYTES_MAX: usize = 900_000;
/// Brokers look for transactions that have timed out every 10 s.
const HANGING_MARGIN: Duration = Duration::from_secs(10);
const STORE_CACHE_BYTES: u64 = 128 << 20;
