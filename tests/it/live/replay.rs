//! What `ward run` published comes out again of the topics, in both forms; its chains hold.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;

use super::broker::Broker;
use super::foreign;
use super::run::events;
use super::ward::World;

/// 120 events of 12 people, ten of them again, and two that are none.
#[track_caller]
fn check(extra: &str) {
    let world = World::new(Broker::shared(), 3, extra);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1,2");
    let mut input = events(12, 10, "a");
    input.extend_from_within(50..60);
    if extra.is_empty() {
        world.produce(&input);
    } else {
        foreign::produce_raw(&world.broker, &world.topic("events"), &avro(&input));
    }
    let unfit =
        [json!({"key": "acme/user1", "base64": "AAAA"}), json!({"key": "acme/user2", "base64": "/////w=="})];
    foreign::produce_raw(&world.broker, &world.topic("events"), &unfit);
    // The last ones: what comes before them is decided when they are.
    let more = events(12, 1, "b");
    if extra.is_empty() {
        world.produce(&more);
    } else {
        foreign::produce_raw(&world.broker, &world.topic("events"), &avro(&more));
    }
    foreign::read(&world.broker, &world.topic("decisions"), 132);
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    let topic = format!("topic:{}", world.topic("events"));
    let report = said(&world, &["replay", &topic, "--format", "json"], 0);
    assert_eq!(report["reproduction"]["first_difference"], Value::Null);
    let of = |name: &str| report[name].as_u64().unwrap();
    assert_eq!((of("decisions"), of("duplicates"), of("rejected") + of("undecided")), (132, 10, 2));
    assert_eq!(
        (report["reproduction"]["equal"].as_u64(), report["reproduction"]["different"].as_u64()),
        (Some(132 + 10 + of("rejected")), Some(0))
    );

    let report = said(&world, &["replay", &topic, "--format", "json", "--policy", "seed"], 0);
    assert_eq!(
        (report["diff"]["decisions"].as_u64(), report["reproduction"]["different"].as_u64()),
        (Some(132), Some(0))
    );
    let report = said(&world, &["replay", &topic, "--format", "json", "--to", "2001-01-01T00:00:00Z"], 0);
    assert_eq!((&report["compared"], &report["decisions"]), (&json!(0), &json!(132)));

    let decisions = format!("topic:{}", world.topic("decisions"));
    let heads = world.home.path().join("heads.json");
    let heads = heads.to_str().unwrap();
    let found = said(&world, &["verify", "--in", &decisions, "--json", "--export", heads], 0);
    let counts: u64 =
        found["chains"].as_array().unwrap().iter().map(|chain| chain["decisions"].as_u64().unwrap()).sum();
    assert_eq!(counts, 132);
    said(&world, &["verify", "--heads", heads, "--json"], 0);
    let one = said(&world, &["verify", "--partition", "1", "--json"], 0);
    assert_eq!(one["chains"].as_array().map(Vec::len), Some(1));
    let output = world.ward(&["replay", "topic:not.there"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn said(world: &World, args: &[&str], code: i32) -> Value {
    let output = world.ward(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn avro(events: &[Value]) -> Vec<Value> {
    let record = |event: &Value| {
        let text = event.to_string();
        let decoded = decode(text.as_bytes(), Format::Json, "", None, &Limits::default()).unwrap();
        let mut value = Vec::new();
        emit::event_avro(&decoded.event, &mut value);
        json!({"key": format!("acme/{}", event["user_id"].as_str().unwrap()), "base64": BASE64_STANDARD.encode(&value)})
    };
    events.iter().map(record).collect()
}

#[test]
#[ignore = "needs a broker: make test"]
fn json_comes_out_again() {
    check("");
}

#[test]
#[ignore = "needs a broker: make test"]
fn avro_comes_out_again() {
    check("# avro in and out");
}
