//! Signals across users on a real broker: many who fail in many partitions are seen at the one who comes
//! in, and no sighting is lost or counted twice, whoever is killed.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wardstream::engine::across::{Crowd, Fold};
use wardstream::model::across::{Sight, Sighting};
use wardstream::model::time::Timestamp;

use super::broker::Broker;
use super::foreign;
use super::ward::{World, ago, login};

/// `users` fail from one machine in one network; `tag` tells events apart.
fn spray(users: usize, tag: &str) -> Vec<Value> {
    let failure = |user: usize| {
        json!({
            "event_id": format!("{tag}-{user}"), "tenant": "acme", "user_id": format!("user{user}"),
            "type": "login", "occurred_at": ago(1), "source": "okta", "outcome": "failure",
            "failure_reason": "bad_credentials", "ip_address": "81.2.70.9", "device_fingerprint": "rented",
        })
    };
    (0..users).map(failure).collect()
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_spray_over_many_partitions_is_seen_where_it_succeeds() {
    let world = World::new(Broker::shared(), 6, "");
    let mut ward = world.run("one", &["--workers", "2"]);
    ward.says(" ready ");
    world.produce(&spray(200, "a"));
    let deadline = Instant::now() + PATIENCE;
    let told = || -> Vec<i64> {
        let facts = foreign::read_all(&world.broker, &world.topic("networks"));
        facts.iter().filter_map(|record| record["value"]["failed"].as_i64()).collect()
    };
    while !told().iter().any(|failed| *failed >= 150) {
        assert!(Instant::now() < deadline, "200 failed, told are {:?}:\n{}", told(), ward.log());
    }

    // Whoever comes in from there is decided by what was told, as soon as this process has read it.
    let mut decisions = Vec::new();
    for victim in 0.. {
        let mut event = login("user7", &format!("in-{victim}"), 0);
        event["ip_address"] = json!("81.2.70.77");
        event["device_fingerprint"] = json!("another");
        event["session_id"] = json!(format!("s-{victim}"));
        world.produce(&[event]);
        decisions = foreign::read(&world.broker, &world.topic("decisions"), 201 + victim);
        let is_seen = |record: &Value| {
            let reasons = record["value"]["reasons"].as_array().unwrap();
            reasons.iter().any(|reason| reason["signal"] == "password_spray" && reason["points"] == 35)
        };
        if decisions.iter().any(is_seen) {
            break;
        }
        assert!(Instant::now() < deadline, "nobody sees it:\n{}", ward.log());
    }
    let seen = decisions.iter().find(|record| !record["value"]["facts"]["across"].is_null()).unwrap();
    let facts = &seen["value"]["facts"]["across"]["network"];
    assert!(facts["failed"].as_i64().unwrap() >= 150 && facts["version"].as_i64().unwrap() > 0, "{seen}");
    // None of it names a user.
    let sightings = foreign::read_all(&world.broker, &world.topic("sightings"));
    assert!(sightings.iter().all(|record| !record.to_string().contains("user1")), "{sightings:?}");
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Killed again and again while sightings come: what is kept is the fold of what was sighted, and what
/// was sighted is what failed, each once.
#[test]
#[ignore = "needs a broker: make test"]
fn killed_in_mid_stream_no_sighting_is_lost_or_counted_twice() {
    let world = World::new(Broker::shared(), 3, "");
    for topic in ["networks", "network_state", "sightings"] {
        world.broker.widen(&world.topic(topic), 3);
    }
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1,2");
    for round in 0..3 {
        world.produce(&spray(150, &round.to_string()));
        // Somewhere in the middle of it.
        foreign::read(&world.broker, &world.topic("sightings"), 300 * round + 40);
        assert_eq!(ward.end("KILL").0.signal(), Some(9));
        ward = world.run("one", &["--workers", "1"]);
    }
    // At the network and at the device.
    let sightings = foreign::read(&world.broker, &world.topic("sightings"), 900);
    assert_eq!(foreign::read_all(&world.broker, &world.topic("sightings")).len(), 900);
    let expected = fold(&sightings);
    assert_eq!(expected.len(), 2, "one network and one device");
    let deadline = Instant::now() + PATIENCE;
    while kept(&world) != expected {
        assert!(
            Instant::now() < deadline,
            "kept are {:#?}, expected {expected:#?}:\n{}",
            kept(&world),
            ward.log()
        );
    }
    // And what is told of them is what they hold.
    let (_, last) = told(&world).pop_last().unwrap();
    assert_eq!(last["attempts"], 448, "450, rounded down to five binary digits");
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// The plain fold of sightings, partition by partition.
fn fold(sightings: &[Value]) -> BTreeMap<Vec<u8>, Crowd> {
    let mut lanes = BTreeMap::<i64, Fold>::new();
    let mut sorted: Vec<&Value> = sightings.iter().collect();
    sorted.sort_by_key(|record| (record["partition"].as_i64(), record["offset"].as_i64()));
    for record in sorted {
        let value = &record["value"];
        let sighting = Sighting {
            sight: Sight::parse(value["sight"].as_str().unwrap()).unwrap(),
            user: value["user"].as_i64().unwrap().cast_unsigned(),
            at: Timestamp::parse(value["occurred_at"].as_str().unwrap()).unwrap(),
        };
        let version = record["offset"].as_i64().unwrap().unsigned_abs() + 1;
        let lane = lanes.entry(record["partition"].as_i64().unwrap()).or_default();
        lane.take(record["key"].as_str().unwrap().as_bytes(), &sighting, version);
    }
    lanes.values().flat_map(Fold::crowds).map(|(key, crowd)| (key.to_vec(), crowd.clone())).collect()
}

/// What the network lanes have in their changelog.
fn kept(world: &World) -> BTreeMap<Vec<u8>, Crowd> {
    let mut fold = Fold::default();
    let mut last = BTreeMap::new();
    for record in foreign::read_all(&world.broker, &world.topic("network_state")) {
        let state = record["value"]["state"].as_str().map(bytes);
        last.insert(record["key"].as_str().unwrap().to_owned(), state);
    }
    for (key, state) in last.iter().filter_map(|(key, state)| Some((key, state.as_ref()?))) {
        fold.restore(key.as_bytes(), state).unwrap();
    }
    fold.crowds().map(|(key, crowd)| (key.to_vec(), crowd.clone())).collect()
}

/// Of hex digits.
fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What is told last of each origin.
fn told(world: &World) -> BTreeMap<String, Value> {
    let records = foreign::read_all(&world.broker, &world.topic("networks"));
    records.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), one["value"].clone())).collect()
}

const PATIENCE: Duration = Duration::from_secs(120);
