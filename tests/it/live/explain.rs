//! `ward explain` and `ward profile` against topics: what was published is found there, and what is known
//! of a user is the same in the changelog and in the store.

use serde_json::{Value, json};

use super::broker::Broker;
use super::foreign;
use super::run::events;
use super::ward::World;

#[track_caller]
fn said(world: &World, args: &[&str], code: i32) -> String {
    let output = world.ward(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(if code == 0 { output.stdout } else { output.stderr }).unwrap()
}

#[track_caller]
fn object(world: &World, args: &[&str]) -> Value {
    serde_json::from_str(&said(world, &[args, &["--json"]].concat(), 0)).unwrap()
}

/// 120 events of 12 people under a policy that is not shipped: it is found where it was published.
#[track_caller]
fn check(extra: &str) {
    let world = World::new(Broker::shared(), 3, extra);
    let policy = world.home.path().join("mine.toml");
    std::fs::write(&policy, "version = 1\nextends = \"default\"\n[levels]\nhigh = 61\n").unwrap();
    let mut ward = world.run("one", &["--workers", "1", "--policy", policy.to_str().unwrap()]);
    ward.is_ready("0,1,2");
    world.produce(&events(12, 10, "a"));
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 120);
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    let of_ward = |decision: &&Value| decision["key"] == "acme/user7";
    let last = decisions.iter().filter(of_ward).max_by_key(|decision| decision["offset"].as_i64()).unwrap();
    let (id, event) =
        (last["value"]["decision_id"].as_str().unwrap(), last["value"]["event_id"].as_str().unwrap());
    let topic = format!("topic:{}", world.topic("events"));
    let with = object(&world, &["explain", id, "--events", &topic]);
    assert_eq!((&with["event_id"], &with["risk_score"]), (&json!(event), &last["value"]["risk_score"]));
    assert_eq!((&with["basis"]["policy_name"], &with["levels"]["high"]), (&json!("mine"), &json!(61)));
    assert_eq!(with["not_shown"], json!([]), "{with}");
    assert_eq!(with["before"]["is_known"], true);

    let decisions = format!("topic:{}", world.topic("decisions"));
    let found = object(&world, &["explain", event, "--in", &decisions, "--user", "acme/user7"]);
    assert_eq!((&found["decision_id"], &found["before"]), (&json!(id), &Value::Null));
    assert!(said(&world, &["explain", "not-there"], 1).contains("none of 120 decisions"));
    assert!(said(&world, &["explain", id, "--in", "topic:not.there"], 2).contains("is not there"));

    let state = world.state("one");
    let mut of_topic = object(&world, &["profile", "acme/user7"]);
    let mut of_store = object(&world, &["profile", "acme/user7", "--state", state.to_str().unwrap()]);
    for one in [&mut of_topic, &mut of_store] {
        assert!(one["logins"].as_u64().unwrap() > 0, "{one}");
        one["read_from"] = Value::Null;
    }
    assert_eq!(of_topic, of_store);
    assert!(said(&world, &["profile", "acme/nobody"], 1).contains("nothing is known of `acme/nobody`"));
}

#[test]
#[ignore = "needs a broker: make test"]
fn topics_are_explained() {
    check("");
}
