//! A worker whose input names schemas of a registry that is away, slow or lying: its records wait or
//! are rejected, as configured; none is lost, and none is decided out of order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use wardstream::adapters::embedded::{Log, Retention};
use wardstream::adapters::registry::Settings as Registry;
use wardstream::adapters::store::MemoryStore;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::pipeline::lane::{AlertRendering, Rendering, Settings};
use wardstream::ports::ledger::Output;
use wardstream::ports::schemas::WhenAway;
use wardstream::runtime::lookup::Lookup;
use wardstream::runtime::stop::{ProcessClock, Pulse, Stop};
use wardstream::runtime::worker::{self, Shared};

use crate::registry::fake::{Fake, Reply};
use crate::working;

const EVENT: &str = include_str!("../../schemas/event.avsc");

/// One event of a user in the Confluent wire format.
fn append(log: &Log, partition: i32, user: &str, minute: u32, id: u32) {
    let json = format!(
        r#"{{"event_id":"{user}-{minute}","tenant":"acme","user_id":"{user}","type":"login","outcome":"success",
            "occurred_at":"2026-01-05T09:{minute:02}:00Z"}}"#
    );
    let event = decode(json.as_bytes(), Format::Json, "", None, &Limits::default()).unwrap().event;
    let mut value = Vec::new();
    emit::confluent(id, &mut value, |out| emit::event_avro(&event, out));
    log.append(partition, None, Some(format!("acme/{user}").as_bytes()), Some(&value)).unwrap();
}

struct World {
    log: Log,
    stop: Stop,
    worker: std::thread::JoinHandle<Result<(), worker::Ended>>,
}

fn world(url: &str, when_away: WhenAway, partitions: u16) -> World {
    let log = Log::new(partitions, Retention::default());
    let (stop, clock) = (Stop::default(), ProcessClock::default());
    let client =
        Registry { url: Some(url.into()), timeout: Duration::from_millis(300), ..Registry::default() };
    let client = client.open(&|_| None).unwrap().unwrap();
    let settings = Settings {
        format: Format::Confluent,
        decisions: Rendering::Confluent(4),
        alerts: AlertRendering::Confluent(3),
        revocations: Rendering::Json,
        rejected: Rendering::Json,
        ..working::settings(&log)
    };
    let shared = Shared {
        lookup: Lookup::start(Box::new(client), when_away, clock, stop.clone()).unwrap(),
        ..working::shared(settings, Arc::new(MemoryStore::new()), &stop, clock)
    };
    let (source, ledger) = (Box::new(log.join("one")), Box::new(log.ledger("one")));
    let worker = std::thread::spawn(move || worker::run(0, shared, source, ledger, Pulse::new(clock)));
    World { log, stop, worker }
}

impl World {
    fn count(&self, output: Output, partition: i32) -> usize {
        self.log.read(output, partition, 0, usize::MAX).len()
    }

    #[track_caller]
    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline && !self.worker.is_finished(), "never: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn end(self) {
        self.stop.set();
        assert_eq!(self.worker.join().unwrap(), Ok(()));
    }
}

/// Which of two users lies where.
fn users() -> [String; 2] {
    let of = |partition: i32| {
        let mut names = (0..).map(|number| format!("user{number}"));
        names.find(|name| {
            wardstream::pipeline::intake::partition_of(format!("acme/{name}").as_bytes(), 2) == partition
        })
    };
    [of(0).unwrap(), of(1).unwrap()]
}

#[test]
fn a_partition_waits_for_its_schema_and_the_others_go_on() {
    for bad in
        [Reply::Silence, Reply::EndlessBody, Reply::HangUp, Reply::whole(503, b""), schema(r#"{"type":"rec"#)]
    {
        let is_back = Arc::new(AtomicBool::new(false));
        let back = Arc::clone(&is_back);
        let fake =
            Fake::start(move |asked| match (asked.contains("/ids/1 "), back.load(Ordering::Relaxed)) {
                (false, false) => bad.clone(),
                _ => schema(EVENT),
            });
        let world = world(&fake.url(), WhenAway::Wait, 2);
        let [here, there] = users();
        for minute in 0..10 {
            append(&world.log, 0, &here, minute, if minute < 3 { 1 } else { 2 });
            append(&world.log, 1, &there, minute, 1);
        }
        world.until("the other partition is decided", || world.count(Output::Decisions, 1) == 10);
        world.until("the first three are decided", || world.count(Output::Decisions, 0) == 3);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!((world.count(Output::Decisions, 0), world.count(Output::Rejected, 0)), (3, 0), "it waits");
        is_back.store(true, Ordering::Relaxed);
        world.until("all are decided", || world.count(Output::Decisions, 0) == 10);
        assert_eq!((world.log.lag(), world.count(Output::Rejected, 0)), (0, 0));
        for record in world.log.read(Output::Decisions, 0, 0, usize::MAX) {
            assert!(record.value.unwrap().starts_with(&[0, 0, 0, 0, 4]), "written under our id");
        }
        world.end();
    }
}

#[test]
fn or_its_records_are_rejected_with_the_reason() {
    let fake = Fake::start(|asked| if asked.contains("/ids/1 ") { schema(EVENT) } else { Reply::Drip });
    let world = world(&fake.url(), WhenAway::Reject, 1);
    append(&world.log, 0, "ada", 0, 1);
    append(&world.log, 0, "ada", 1, 2);
    append(&world.log, 0, "ada", 2, 1);
    world.until("everything is settled", || world.log.lag() == 0);
    assert_eq!((world.count(Output::Decisions, 0), world.count(Output::Rejected, 0)), (2, 1));
    let rejected = world.log.read(Output::Rejected, 0, 0, 1).remove(0).value.unwrap();
    let rejected = String::from_utf8_lossy(&rejected).into_owned();
    assert!(rejected.contains("unknown_schema") && rejected.contains("no whole answer within"), "{rejected}");
    world.end();
}

/// What the registry says plainly rejects, whatever is configured; and it is asked once for an id.
#[test]
fn a_plain_no_stops_nobody() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let fake = Fake::start(move |question| {
        count.fetch_add(1, Ordering::Relaxed);
        match () {
            () if question.contains("/ids/1 ") => schema(EVENT),
            () if question.contains("/ids/2 ") => schema("\"int\""),
            () => Reply::json(404, &serde_json::json!({ "error_code": 40403, "message": "not found" })),
        }
    });
    let world = world(&fake.url(), WhenAway::Wait, 1);
    for minute in 0..30 {
        append(&world.log, 0, "ada", minute, 1 + minute % 3);
    }
    world.until("everything is settled", || world.log.lag() == 0);
    assert_eq!((world.count(Output::Decisions, 0), world.count(Output::Rejected, 0)), (10, 20));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    world.end();
}

fn schema(text: &str) -> Reply {
    Reply::json(200, &serde_json::json!({ "schema": text }))
}
