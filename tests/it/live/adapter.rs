//! The source and the ledger against a real broker, with no lane between: what they promise to the
//! pipeline.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wardstream::adapters::kafka::topics::Names;
use wardstream::adapters::kafka::{Connection, KafkaLedger, KafkaSource, Settings, decisions};
use wardstream::model::id::Digest;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Committed, Ground, Ledger, Mark, Output, Positions, Unit, Witness};
use wardstream::ports::source::{Arrival, Source};

use super::broker::Broker;
use super::foreign;

/// Topics and a group of this test's own.
struct World {
    broker: Broker,
    names: Names,
    group: String,
}

impl World {
    fn new() -> Self {
        let broker = Broker::shared();
        let topic = |name| broker.topic(name, 1);
        let names = Names {
            events: topic("events"),
            feedback: topic("feedback"),
            decisions: topic("decisions"),
            alerts: topic("alerts"),
            revocations: topic("revocations"),
            profiles: topic("profiles"),
            policies: topic("policies"),
            rejected: topic("rejected"),
            inputs: std::collections::BTreeMap::new(),
            sightings: topic("sightings"),
            networks: topic("networks"),
            network_state: topic("network-state"),
        };
        let group = format!("group-{}", names.events);
        Self { broker, names, group }
    }

    fn connection(&self) -> Connection {
        let settings = Settings {
            bootstrap: self.broker.bootstrap().to_owned(),
            group: self.group.clone(),
            ..Settings::default()
        };
        settings.open(&|_| None).unwrap()
    }

    fn member(&self, name: &str) -> (KafkaSource, KafkaLedger) {
        let connection = self.connection();
        let source = KafkaSource::join(&connection, &self.group, name, &self.names.events).unwrap();
        let id = format!("{}-{name}", self.group);
        let ledger = KafkaLedger::new(connection, self.names.clone(), &source, id, decisions::json);
        (source, ledger)
    }

    fn produce(&self, users: &[&str]) {
        let events: Vec<_> = users.iter().map(|user| format!(r#"{{"user_id":"{user}"}}"#)).collect();
        let events: Vec<_> = events.iter().map(String::as_str).collect();
        foreign::produce(&self.broker, &self.names.events, &events);
    }
}

/// Polls until `count` things have come, and says what they were.
#[track_caller]
fn heard(source: &mut KafkaSource, count: usize) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut heard = Vec::new();
    while heard.len() < count {
        assert!(Instant::now() < deadline, "heard only {heard:?}");
        source
            .poll(Duration::from_millis(100), &mut |arrival| {
                heard.push(match arrival {
                    Arrival::Record(record) => {
                        format!(
                            "{} {}",
                            record.offset,
                            String::from_utf8_lossy(record.key.unwrap_or_default())
                        )
                    }
                    Arrival::Assigned(partitions) => format!("assigned {partitions:?}"),
                    Arrival::Revoked(partitions) => format!("revoked {partitions:?}"),
                    Arrival::Lost(partitions) => format!("lost {partitions:?}"),
                });
                heard.len() < count
            })
            .unwrap();
    }
    heard
}

fn mark(offset: i64, byte: u8) -> Mark {
    Mark { offset, chain: Digest([byte; 32]) }
}

/// What a lane begins on: a commit is answered before the broker has written its marks into the
/// partitions, and until then the lane waits.
#[track_caller]
fn settled(ledger: &mut KafkaLedger) -> Ground {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let ground = ledger.ground(0).unwrap();
        if ground.hanging.is_none() {
            return ground;
        }
        assert!(Instant::now() < deadline, "still open: {:?}", ground.hanging);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A decision and a change for each of `offsets`, up to `to`.
fn unit(offsets: std::ops::Range<i64>, to: Mark) -> Arc<Unit> {
    let mut unit = Unit::default();
    unit.reset(0, 1, mark(offsets.start, 0));
    unit.to = to;
    for offset in offsets {
        let key = unit.key(b"default/ada");
        unit.push(Output::Decisions, offset, key.clone(), |bytes| {
            bytes.extend_from_slice(
                format!(r#"{{"position":{{"offset":{offset}}},"chain":"{}"}}"#, to.chain).as_bytes(),
            );
        });
        unit.push(Output::Profiles, offset, key, |bytes| bytes.extend_from_slice(b"state"));
    }
    Arc::new(unit)
}

#[test]
#[ignore = "needs a broker: make test"]
fn what_is_published_is_the_next_owners_ground() {
    let world = World::new();
    world.produce(&["a", "b", "c"]);
    let (mut source, mut ledger) = world.member("one");
    assert_eq!(heard(&mut source, 1), ["assigned [0]"]);

    let ground = ledger.ground(0).unwrap();
    assert_eq!((ground.committed, ground.input, ground.witness), (None, 0..3, Witness::Never));
    source.start(0, 1).unwrap();
    assert_eq!(heard(&mut source, 2), ["1 default/b", "2 default/c"]);

    let positions = ledger.publish(&[unit(1..3, mark(3, 7))]).unwrap();
    assert_eq!(positions, [Positions { decision: Some(1), profiles: Some(2) }]);
    let ground = settled(&mut ledger);
    assert_eq!(ground.committed, Some(Committed { offset: 3, metadata: "07".repeat(32) }));
    assert_eq!(ground.profiles, 0..3, "two records and the mark of their transaction");
    let decision = ledger.read_back(0, 1).unwrap().unwrap();
    assert_eq!(decision.chain, Digest([7; 32]));
    assert!(decision.age < Duration::from_secs(300), "it was written just now: {:?}", decision.age);
    assert_eq!(ledger.read_back(0, 2).unwrap(), None, "the transaction's own mark is no decision");
    assert_eq!(ledger.read_back(0, 9).unwrap(), None);

    let mut changes = Vec::new();
    let end = ledger
        .changes(0, 0, &mut |change| {
            changes.push((change.offset, change.mark));
            true
        })
        .unwrap();
    assert_eq!((end, changes), (3, vec![(0, Some(mark(3, 7))), (1, Some(mark(3, 7)))]));
    assert_eq!(foreign::read_all(&world.broker, &world.names.decisions).len(), 2);
}

#[test]
#[ignore = "needs a broker: make test"]
fn without_offsets_the_last_decision_is_the_witness() {
    let world = World::new();
    world.produce(&["a", "b", "c"]);
    let (mut source, mut ledger) = world.member("one");
    heard(&mut source, 1);
    ledger.ground(0).unwrap();
    ledger.publish(&[unit(0..2, mark(2, 7))]).unwrap();

    let other = World {
        broker: Broker::shared(),
        names: world.names.clone(),
        group: format!("{}-other", world.group),
    };
    let (mut source, mut ledger) = other.member("two");
    heard(&mut source, 1);
    let ground = settled(&mut ledger);
    assert_eq!(ground.committed, None);
    assert_eq!(ground.witness, Witness::Last(mark(2, 7), Positions { decision: Some(1), profiles: None }));
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_later_self_fences_an_earlier_one() {
    let world = World::new();
    world.produce(&["a", "b"]);
    let (mut source, mut old) = world.member("one");
    heard(&mut source, 1);
    old.ground(0).unwrap();
    old.publish(&[unit(0..1, mark(1, 1))]).unwrap();

    // Another member, so that only the transactional id is contested.
    let connection = world.connection();
    let mut new = KafkaLedger::new(
        connection,
        world.names.clone(),
        &source,
        format!("{}-one", world.group),
        decisions::json,
    );
    new.ground(0).unwrap();
    let refused = old.publish(&[unit(1..2, mark(2, 2))]).unwrap_err();
    assert!(matches!(refused, Failure::Fenced(_)), "{refused:?}");
    assert_eq!(foreign::read_all(&world.broker, &world.names.decisions).len(), 1);
}

#[test]
#[ignore = "needs a broker: make test"]
fn reads_again_from_where_it_is_told() {
    let world = World::new();
    world.produce(&["a", "b", "c", "d"]);
    let (mut source, _ledger) = world.member("one");
    assert_eq!(heard(&mut source, 1), ["assigned [0]"]);
    source.start(0, 0).unwrap();
    assert_eq!(heard(&mut source, 2), ["0 default/a", "1 default/b"]);
    source.start(0, 1).unwrap();
    assert_eq!(heard(&mut source, 3), ["1 default/b", "2 default/c", "3 default/d"]);
    source.pause(true).unwrap();
    world.produce(&["e"]);
    source.poll(Duration::from_millis(500), &mut |arrival| panic!("{arrival:?} while paused")).unwrap();
    source.pause(false).unwrap();
    assert_eq!(heard(&mut source, 1), ["4 default/e"]);
}

#[test]
#[ignore = "needs a broker: make test"]
fn an_oversized_record_is_named_and_nothing_of_its_transaction_counts() {
    let world = World::new();
    world.produce(&["a", "b"]);
    let (mut source, mut ledger) = world.member("one");
    heard(&mut source, 1);
    ledger.ground(0).unwrap();

    let mut big = Unit::default();
    big.reset(0, 1, mark(0, 0));
    big.to = mark(2, 1);
    let key = big.key(b"default/a");
    big.push(Output::Decisions, 0, key.clone(), |bytes| bytes.extend_from_slice(b"{}"));
    big.push(Output::Alerts, 1, key, |bytes| bytes.resize(2_000_000, b' '));
    let refused = ledger.publish(&[Arc::new(big)]).unwrap_err();
    let Failure::TooLarge(what) = &refused else { panic!("{refused:?}") };
    assert_eq!((what.partition, what.offset, what.output), (0, 1, Output::Alerts));

    ledger.publish(&[unit(0..1, mark(1, 1))]).unwrap();
    settled(&mut ledger);
    assert_eq!(foreign::read_all(&world.broker, &world.names.decisions).len(), 1);
}

/// A reader that is used again tells its old position until the new reading has begun; whoever
/// believes it has read everything before anything came.
#[test]
#[ignore = "needs a broker: make test"]
fn a_changelog_is_read_whole_however_often() {
    let world = World::new();
    world.produce(&["a", "b", "c"]);
    let (mut source, mut ledger) = world.member("one");
    heard(&mut source, 1);
    ledger.ground(0).unwrap();
    ledger.publish(&[unit(0..3, mark(3, 7))]).unwrap();
    settled(&mut ledger);
    for round in 0..40 {
        let mut seen = 0;
        let end = ledger
            .changes(0, 0, &mut |_| {
                seen += 1;
                true
            })
            .unwrap();
        assert_eq!((end, seen), (4, 3), "round {round}");
    }
}
