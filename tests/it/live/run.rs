//! `ward run` from the outside: what goes in, what comes out, and what happens when something is
//! not as it should be.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;

use super::broker::Broker;
use super::foreign;
use super::ward::{World, ago, corrupt, login};

/// `users` people who log in `times` times, a minute apart, up to now; then one of them from a stolen
/// device inside a session.
pub(super) fn events(users: usize, times: usize, tag: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for round in 0..times {
        for user in 0..users {
            let minute = i64::try_from(times - round).unwrap();
            events.push(login(&format!("user{user}"), &format!("{tag}-{round}-{user}"), minute));
        }
    }
    events
}

#[test]
#[ignore = "needs a broker: make test"]
fn json_in_and_every_output_out() {
    let world = World::new(Broker::shared(), 3, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1,2");
    let mut input = events(7, 3, "a");
    // The same session on another device: revoked, and an alert.
    let mut thief = login("user3", "stolen", 0);
    thief["type"] = json!("access");
    thief["app"] = json!("payroll");
    thief["device_fingerprint"] = json!("d-thief");
    input.push(thief);
    input.push(login("user1", "a-2-1", 1)); // a duplicate
    world.produce(&input);

    let decisions = world.decisions_are_the_fold();
    assert_eq!(decisions.len(), 22);
    let revocations = foreign::read(&world.broker, &world.topic("revocations"), 1);
    assert_eq!(revocations[0]["value"]["session_id"], "s-user3");
    assert!(of_schema(&revocations[0], "revocation"), "{revocations:?}");
    let alerts = foreign::read(&world.broker, &world.topic("alerts"), 1);
    assert_eq!((&alerts[0]["key"], &alerts[0]["left_over"]), (&json!("acme/user3"), &json!(0)));
    let profiles = foreign::read_all(&world.broker, &world.topic("profiles"));
    assert!(profiles.iter().all(|record| record["headers"]["chain"].as_str().unwrap().len() == 64));

    let (status, took, log) = ward.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// A SIEM that reads the topic gets its own words.
#[test]
#[ignore = "needs a broker: make test"]
fn alerts_leave_as_ocsf_where_that_is_asked() {
    let world = World::new(Broker::shared(), 2, "# alerts as ocsf");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    let mut input = events(3, 3, "a");
    let mut thief = login("user2", "stolen", 0);
    thief["type"] = json!("access");
    thief["app"] = json!("payroll");
    thief["device_fingerprint"] = json!("d-thief");
    input.push(thief);
    world.produce(&input);

    let alerts = foreign::read(&world.broker, &world.topic("alerts"), 1);
    let finding = &alerts[0]["value"];
    assert_eq!((&alerts[0]["key"], &finding["class_uid"]), (&json!("acme/user2"), &json!(2004)), "{finding}");
    crate::renderings::are_ocsf(&finding.to_string());
    let revocations = foreign::read(&world.broker, &world.topic("revocations"), 1);
    assert!(of_schema(&revocations[0], "revocation"), "{revocations:?}");
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn avro_in_and_out() {
    let world = World::new(Broker::shared(), 2, "# avro in and out");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    let records: Vec<_> = events(5, 3, "a")
        .iter()
        .map(|event| {
            let text = event.to_string();
            let decoded = decode(text.as_bytes(), Format::Json, "", None, &Limits::default()).unwrap();
            let mut datum = Vec::new();
            emit::event_avro(&decoded.event, &mut datum);
            let key = format!("acme/{}", event["user_id"].as_str().unwrap());
            json!({"key": key, "base64": BASE64_STANDARD.encode(&datum)})
        })
        .collect();
    foreign::produce_raw(&world.broker, &world.topic("events"), &records);

    let found = foreign::read(&world.broker, &world.topic("decisions"), 15);
    assert!(found.iter().all(|record| of_schema(record, "decision")), "{found:?}");
    assert_eq!(foreign::read_all(&world.broker, &world.topic("rejected")).len(), 0);
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_restart_continues_and_a_lost_store_comes_back() {
    let world = World::new(Broker::shared(), 3, "");
    let workers = ["--workers", "1"];
    let again = |tag: &str, way: &str| {
        let mut ward = world.run("one", &workers);
        ward.is_ready("0,1,2");
        world.produce(&events(7, 2, tag));
        world.decisions_are_the_fold();
        let (status, _, log) = ward.end("TERM");
        assert_eq!(status.code(), Some(0), "{log}");
        assert_eq!(log.matches(&format!("way=\"{way}\"")).count(), 3, "{way}:\n{log}");
    };
    again("a", "fresh");
    again("b", "continue");
    std::fs::remove_dir_all(world.state("one")).unwrap();
    again("c", "no_store");
    corrupt(&world.state("one"));
    again("d", "no_store");
    again("e", "continue");
}

#[test]
#[ignore = "needs a broker: make test"]
fn two_processes_share_the_partitions_and_one_survives() {
    let world = World::new(Broker::shared(), 4, "");
    let mut one = world.run("one", &["--workers", "1"]);
    one.is_ready("0,1,2,3");
    let mut two = world.run("two", &["--workers", "1"]);
    two.says(" ready ");
    world.produce(&events(16, 2, "a"));
    world.decisions_are_the_fold();

    let (status, ..) = two.end("KILL");
    assert_eq!(status.signal(), Some(9));
    world.produce(&events(16, 2, "b"));
    world.decisions_are_the_fold();
    assert_eq!(one.end("TERM").0.code(), Some(0));
}

/// Only what moves is given up: who stays never lets go of what it keeps.
#[test]
#[ignore = "needs a broker: make test"]
fn two_processes_share_the_partitions_cooperatively() {
    let world = World::new(Broker::shared(), 4, "assignment = 'cooperative-sticky'");
    let mut one = world.run("one", &["--workers", "1"]);
    one.is_ready("0,1,2,3");
    world.produce(&events(16, 5, "a"));
    let mut two = world.run("two", &["--workers", "1"]);
    two.says(" ready ");
    world.produce(&events(16, 5, "b"));
    world.decisions_are_the_fold();
    let log = one.log();
    assert_eq!(log.matches("partitions given up").count(), 1, "{log}");
    assert!(log.contains("partitions=2 lost=false"), "{log}");

    let (status, _, log) = two.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    one.is_ready("0,1,2,3");
    world.produce(&events(16, 2, "c"));
    world.decisions_are_the_fold();

    let mut two = world.run("two", &["--workers", "1"]);
    two.says(" ready ");
    world.produce(&events(16, 2, "d"));
    assert_eq!(two.end("KILL").0.signal(), Some(9));
    world.produce(&events(16, 2, "e"));
    world.decisions_are_the_fold();
    assert_eq!(one.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn two_workers_in_one_process_share_the_partitions() {
    let world = World::new(Broker::shared(), 4, "");
    let mut ward = world.run("one", &["--workers", "2"]);
    ward.is_ready("0,1");
    ward.is_ready("2,3");
    world.produce(&events(16, 2, "a"));
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Killed again and again while events come: every event decided once, in order, chain unbroken.
#[test]
#[ignore = "needs a broker: make test"]
fn killed_in_mid_stream() {
    let world = World::new(Broker::shared(), 3, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1,2");
    for round in 0..3 {
        world.produce(&events(200, 2, &round.to_string()));
        // Somewhere in the middle of it.
        foreign::read(&world.broker, &world.topic("decisions"), 400 * round + 50);
        assert_eq!(ward.end("KILL").0.signal(), Some(9));
        ward = world.run("one", &["--workers", "1"]);
    }
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Stopped beyond its session and woken as a zombie: what it had open counts for nothing, and it
/// comes back as an ordinary member.
#[test]
#[ignore = "needs a broker: make test"]
fn a_zombie_is_fenced() {
    let world = World::new(Broker::shared(), 2, "");
    let mut one = world.run("one", &["--workers", "1"]);
    one.is_ready("0,1");
    world.produce(&events(10, 2, "a"));
    world.decisions_are_the_fold();
    one.signal("STOP");
    world.produce(&events(10, 2, "b"));
    let mut two = world.run("two", &["--workers", "1"]);
    two.is_ready("0,1");
    world.produce(&events(10, 2, "c"));
    world.decisions_are_the_fold();

    one.signal("CONT");
    one.says("lost=true");
    world.produce(&events(10, 2, "d"));
    world.decisions_are_the_fold();
    assert_eq!(one.end("TERM").0.code(), Some(0));
    assert_eq!(two.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_retention_gap_stops_it_until_it_is_accepted() {
    let world = World::new(Broker::shared(), 1, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");
    world.produce(&events(1, 3, "a"));
    foreign::read(&world.broker, &world.topic("decisions"), 3);
    assert_eq!(ward.end("TERM").0.code(), Some(0));
    world.produce(&events(1, 3, "b"));
    world.broker.delete_records(&world.topic("events"), 0, 5);

    let mut ward = world.run("one", &["--workers", "1"]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    let log = ward.log();
    assert!(log.contains("from offset 3 to 5 was deleted") && log.contains("--accept-gap"), "{log}");

    let mut ward = world.run("one", &["--workers", "1", "--accept-gap"]);
    ward.is_ready("0");
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 4);
    assert_eq!(decisions[3]["value"]["position"]["offset"], 5);
    let rejected = foreign::read(&world.broker, &world.topic("rejected"), 1);
    assert_eq!(
        (&rejected[0]["value"]["reason"], &rejected[0]["value"]["until_offset"]),
        (&json!("gap"), &json!(5))
    );
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_changed_partition_count_ends_it() {
    let world = World::new(Broker::shared(), 2, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.broker.widen(&world.topic("events"), 3);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert!(ward.log().contains("had 2 partitions when this process began and has 3 now"), "{}", ward.log());
}

#[test]
#[ignore = "needs a broker: make test"]
fn bad_input_is_rejected_and_stalls_nothing() {
    let world = World::new(Broker::shared(), 2, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    let good = |id: &str| login("ada", id, 1);
    let belongs = wardstream::pipeline::intake::partition_of(b"acme/ada", 2);
    let mut future = good("future");
    future["occurred_at"] = json!(ago(-60));
    let mut ancient = good("ancient");
    ancient["occurred_at"] = json!(ago(60 * 24 * 40));
    let records = [
        json!({"key": "acme/ada", "value": good("1")}),
        json!({"key": "acme/ada", "base64": "/////w=="}),
        json!({"value": good("unkeyed"), "partition": belongs}),
        json!({"key": "acme/bob", "value": good("wrong key"), "partition": belongs}),
        json!({"key": "acme/ada", "value": good("wrong partition"), "partition": 1 - belongs}),
        json!({"key": "acme/ada", "value": future}),
        json!({"key": "acme/ada", "value": ancient}),
        json!({"key": "acme/ada", "value": good("2")}),
    ];
    foreign::produce_raw(&world.broker, &world.topic("events"), &records);
    produce_oversized(&world, "acme/ada");
    world.produce(&[good("3")]);

    let rejected = foreign::read(&world.broker, &world.topic("rejected"), 7);
    let mut reasons: Vec<_> =
        rejected.iter().map(|record| record["value"]["reason"].as_str().unwrap_or("?").to_owned()).collect();
    reasons.sort();
    let expected = ["ancient", "future", "malformed", "too_large", "unkeyed", "wrong_key", "wrong_partition"];
    assert_eq!(reasons, expected);
    assert!(rejected.iter().all(|record| of_schema(record, "rejected")));
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 3);
    let ids: Vec<_> = decisions.iter().map(|record| record["value"]["event_id"].clone()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Larger than an event may be, on a topic that takes it.
#[track_caller]
fn produce_oversized(world: &World, key: &str) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    let topic = world.topic("events");
    world.broker.configure(&topic, "max.message.bytes=3000000");
    let producer: BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", world.broker.bootstrap())
        .set("message.max.bytes", "3000000")
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    let value = vec![b' '; 2_000_000];
    producer.send(BaseRecord::to(&topic).key(key).payload(&value)).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

#[test]
#[ignore = "needs a broker: make test"]
fn feedback_becomes_an_event_of_its_user() {
    let world = World::new(Broker::shared(), 2, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.produce(&[login("ada", "1", 2)]);
    foreign::read(&world.broker, &world.topic("decisions"), 1);
    let feedback = json!({
        "tenant": "acme", "user_id": "ada", "type": "feedback", "occurred_at": ago(0), "verdict": "compromised",
        "about": {"event_id": "1"}, "by": "user", "source": "portal", "event_id": "f-1",
    });
    let records = [
        json!({"key": "anything", "value": feedback}),
        json!({"key": "x", "value": login("ada", "sneaked in", 0)}),
        json!({"key": "x", "value": "no json"}),
    ];
    foreign::produce_raw(&world.broker, &world.topic("feedback"), &records);

    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 2);
    let told = decisions.iter().find(|record| record["value"]["type"] == "feedback").unwrap();
    assert_eq!(told["value"]["action"], "revoke");
    assert_eq!(told["key"], "acme/ada");
    foreign::read(&world.broker, &world.topic("revocations"), 1);
    assert_eq!(foreign::read(&world.broker, &world.topic("rejected"), 2).len(), 2);
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn an_analyst_says_and_revokes() {
    let world = World::new(Broker::shared(), 2, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.produce(&[login("ada", "1", 2)]);
    foreign::read(&world.broker, &world.topic("decisions"), 1);

    let about = ["--user", "ada", "--tenant", "acme", "--session", "s-ada"];
    let said = world.ward(&[&["feedback", "compromised"], about.as_slice()].concat());
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 2);
    let told = decisions.iter().find(|record| record["value"]["type"] == "feedback").unwrap();
    assert_eq!(told["value"]["action"], "revoke");
    foreign::read(&world.broker, &world.topic("revocations"), 1);

    let said = world.ward(&[&["revoke", "--json"], about.as_slice()].concat());
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let revoked = foreign::read(&world.broker, &world.topic("revocations"), 2);
    let by_hand =
        revoked.iter().find(|record| record["value"]["revocation_id"] == said["revocation_id"]).unwrap();
    assert_eq!(by_hand["key"], "acme/ada");
    assert_eq!(by_hand["partition"], told["partition"], "where the user's lane is");
    assert_eq!(by_hand["value"]["scope"], "session");
    assert_eq!(by_hand["value"]["by"], "analyst");
    assert_eq!(by_hand["value"]["decision_id"], Value::Null);

    let nobody = world.ward(&["feedback", "safe", "--user", "null", "--event", "1"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("would be refused"));
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_missing_topic_and_a_wrong_partition_count_end_it_with_a_remedy() {
    let world = World::bare(Broker::shared(), "");
    let mut ward = world.run("one", &[]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert_eq!(
        ward.log().matches("missing, expected a topic; run `ward topics create`").count(),
        11,
        "{}",
        ward.log()
    );

    said_create(&world, "2");
    // One topic that another hand had made, with another number.
    let odd = World::bare(Broker::shared(), "");
    odd.broker.named_topic(&odd.topic("alerts"), 3);
    let output = odd.ward(&["topics", "create", "--partitions", "2"]);
    assert_eq!(output.status.code(), Some(1), "what is there is not changed, and said");
    let mut ward = odd.run("one", &[]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert!(ward.log().contains("3 partitions, expected 2 like"), "{}", ward.log());
}

#[track_caller]
fn said_create(world: &World, partitions: &str) {
    let output = world.ward(&["topics", "create", "--partitions", partitions]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let output = world.ward(&["topics", "check"]);
    assert_eq!(output.status.code(), Some(0));
    let output = world.ward(&["topics", "check", "--partitions", "5", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["mistakes"].as_array().unwrap().len(), 6, "{told}");
}

#[test]
#[ignore = "needs a broker: make test"]
fn interrupted_it_ends_in_order_and_says_so() {
    let world = World::new(Broker::shared(), 1, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");
    let (status, took, log) = ward.end("INT");
    assert_eq!(status.code(), Some(130), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_broker_that_comes_later_and_one_that_goes_away() {
    let mut broker = Broker::own(&[]);
    let world = World::new(broker.address(), 2, "");
    broker.kill();
    let output = world.ward(&["topics", "check", "--bootstrap", "127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.says("no broker; trying until there is one");
    broker.start();
    ward.says("broker reached");
    ward.is_ready("0,1");
    world.produce(&events(5, 2, "a"));
    world.decisions_are_the_fold();

    broker.kill();
    std::thread::sleep(Duration::from_secs(2));
    broker.start();
    world.produce(&events(5, 2, "b"));
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Read to its last byte by somebody else's Avro with that schema, in the version now or an older one.
fn of_schema(record: &Value, name: &str) -> bool {
    record["left_over"] == 0 && record["schema"].as_str().is_some_and(|schema| schema.starts_with(name))
}
