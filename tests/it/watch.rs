//! A transaction that never ends: the worker goes on polling, and its pulse does not.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wardstream::adapters::embedded::{Log, Retention};
use wardstream::adapters::store::MemoryStore;
use wardstream::engine::decode::{Format, Limits};
use wardstream::engine::policy::Policy;
use wardstream::pipeline::dispatch::Pace;
use wardstream::pipeline::lane::{AlertRendering, Rendering, Settings};
use wardstream::pipeline::recover::Wishes;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Change, Enclosed, Ground, Ledger, Output, Positions, ReadBack, Unit};
use wardstream::ports::tables::NoTables;
use wardstream::runtime::custody::Custody;
use wardstream::runtime::facts::Facts;
use wardstream::runtime::footing::{Current, Footing};
use wardstream::runtime::lookup::Lookup;
use wardstream::runtime::registry::Registry;
use wardstream::runtime::status::Status;
use wardstream::runtime::stop::{ProcessClock, Pulse, Stop};
use wardstream::runtime::worker::{self, Shared};

/// Says when it is asked to publish, and does so when it is told to.
#[derive(Debug)]
struct Held {
    inside: Box<dyn Ledger + Send>,
    asked: Sender<()>,
    told: Arc<Mutex<Receiver<()>>>,
}

impl Ledger for Held {
    fn enclose(&mut self, policy: Enclosed) {
        self.inside.enclose(policy);
    }

    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        self.asked.send(()).unwrap_or(());
        // Whoever has ended tells nothing any more.
        self.told.lock().unwrap().recv().unwrap_or(());
        self.inside.publish(units)
    }

    fn ground(&mut self, partition: i32) -> Result<Ground, Failure> {
        self.inside.ground(partition)
    }

    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        self.inside.read_back(partition, offset)
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        self.inside.decided_before(partition, offset)
    }

    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure> {
        self.inside.changes(partition, from, visit)
    }
}

fn shared(log: &Log, stop: &Stop, clock: ProcessClock) -> Shared {
    let settings = Settings {
        topic: "identity.events".into(),
        partitions: log.partitions(),
        format: Format::Json,
        decisions: Rendering::Json,
        alerts: AlertRendering::Avro,
        revocations: Rendering::Json,
        rejected: Rendering::Json,
        limits: Limits::default(),
        profiles_cached: 10,
        record_bytes_max: 1_000_000,
        hash_seed: 7,
    };
    Shared {
        group: "ward".into(),
        instance: "one".into(),
        settings: Arc::new(settings),
        pace: Pace::default(),
        wishes: Wishes::default(),
        store: Arc::new(MemoryStore::new()),
        custody: Custody::default(),
        footing: Current::new(Footing {
            policy: Arc::new(Policy::shipped("default").unwrap()),
            shadow: None,
            tables: Arc::new(NoTables),
        }),
        lifetime: Arc::default(),
        policies: Registry::default(),
        max_action_change: 5,
        stop: stop.clone(),
        clock,
        status: Status::new(clock),
        lookup: Lookup::default(),
        spans: None,
        stages: None,
        facts: Facts::default(),
    }
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_transaction_that_does_not_end_is_noticed_and_one_that_does_is_a_beat() {
    let log = Log::new(1, Retention::default());
    let (stop, clock) = (Stop::default(), ProcessClock::default());
    let shared = shared(&log, &stop, clock);
    let (asked, was_asked) = channel();
    let (tell, told) = channel();
    let held = Held { inside: Box::new(log.ledger("one")), asked, told: Arc::new(Mutex::new(told)) };
    let pulse = Pulse::new(clock);
    let worker = std::thread::spawn({
        let (source, pulse) = (Box::new(log.join("one")), pulse.clone());
        move || worker::run(0, shared, source, Box::new(held), pulse)
    });

    let event = br#"{"event_id":"1","tenant":"acme","user_id":"ada","type":"login","outcome":"success","occurred_at":"2026-01-05T09:00:00Z"}"#;
    log.append(0, None, Some(b"acme/ada"), Some(event)).unwrap();
    was_asked.recv_timeout(Duration::from_secs(60)).unwrap();
    // Many times what it takes to come round once.
    until("the pulse is silent", || pulse.silent() >= Duration::from_millis(500));
    tell.send(()).unwrap();
    until("it beats again", || pulse.silent() < Duration::from_millis(500));
    until("it is decided", || log.read(Output::Decisions, 0, 0, 2).len() == 1);
    drop(tell);
    stop.set();
    assert_eq!(worker.join().unwrap(), Ok(()));
}
