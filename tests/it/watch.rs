//! What is to be noticed of a worker from outside: a transaction that never ends while it goes on polling, and
//! how many observations its store holds.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wardstream::adapters::embedded::{Log, Retention};
use wardstream::adapters::store::MemoryStore;
use wardstream::pipeline::dispatch::Pace;
use wardstream::pipeline::wire::held_in;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Change, Enclosed, Ground, Ledger, Output, Positions, ReadBack, Unit};
use wardstream::runtime::stop::{ProcessClock, Pulse, Stop};
use wardstream::runtime::worker::{self, Shared};

use crate::working::{self, MEMBER};

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
    let shared = working::shared(working::settings(&log), Arc::new(MemoryStore::new()), &stop, clock);
    let (asked, was_asked) = channel();
    let (tell, told) = channel();
    let held = Held { inside: Box::new(log.ledger(MEMBER)), asked, told: Arc::new(Mutex::new(told)) };
    let pulse = Pulse::new(clock);
    let worker = std::thread::spawn({
        let (source, pulse) = (Box::new(log.join(MEMBER)), pulse.clone());
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

/// Eleven mornings in London, and then a login from Sydney that teaches nothing until somebody answers.
#[test]
fn observations_that_wait_for_an_answer_are_counted_in_the_store() {
    let log = Log::new(1, Retention::default());
    let (stop, clock) = (Stop::default(), ProcessClock::default());
    let store = Arc::new(MemoryStore::new().counting(held_in));
    let shared = Shared {
        pace: Pace { checkpoint_interval: Duration::from_millis(20), ..Pace::default() },
        ..working::shared(working::settings(&log), Arc::clone(&store) as _, &stop, clock)
    };
    let worker = std::thread::spawn({
        let (source, ledger) = (Box::new(log.join(MEMBER)), Box::new(log.ledger(MEMBER)));
        move || worker::run(0, shared, source, ledger, Pulse::new(clock))
    });
    let held = || store.checkpoint(0).map_or(0, |checkpoint| checkpoint.held);
    for line in include_str!("../../docs/examples/ada.jsonl").lines() {
        assert_eq!(held(), 0, "before {line}");
        log.append(0, None, Some(b"acme/ada"), Some(line.as_bytes())).unwrap();
    }
    until("the last login is held", || held() == 1);
    stop.set();
    assert_eq!(worker.join().unwrap(), Ok(()));
}
