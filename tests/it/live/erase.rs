//! Everything of one user goes: from the changelog with its compaction, from the store, and from whatever
//! is restored after it.
#![expect(clippy::disallowed_methods, reason = "a test waits for the broker's cleaner, with a deadline")]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::Broker;
use super::foreign;
use super::ward::{World, login};

/// A changelog that is compacted in seconds instead of days.
const SOON: &str =
    "segment.ms=500,max.compaction.lag.ms=500,delete.retention.ms=500,min.cleanable.dirty.ratio=0.01";

#[track_caller]
fn said(world: &World, args: &[&str], code: i32) -> String {
    let output = world.ward(args);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

/// What a foreign reader finds in the changelog of a user: values, and ends.
fn left_of(world: &World, user: &str) -> (usize, usize) {
    let prefix = format!("{user}\0");
    let found = foreign::read_all(&world.broker, &world.topic("profiles"));
    let own = found.iter().filter(|record| record["key"].as_str().unwrap_or_default().starts_with(&prefix));
    let (ends, values): (Vec<_>, Vec<_>) =
        own.partition(|record| record["value"].is_null() && record["base64"].is_null());
    (values.len(), ends.len())
}

fn decision_of(world: &World, count: usize, event: &str) -> Value {
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), count);
    let found = decisions.iter().find(|record| record["value"]["event_id"] == event);
    found.unwrap_or_else(|| panic!("no decision of `{event}`"))["value"].clone()
}

#[test]
#[ignore = "needs a broker: make test"]
fn whoever_is_erased_is_gone_with_the_next_compaction_and_stays_gone() {
    let broker = Broker::own(&["--set", "log.cleaner.backoff.ms=200"]);
    let world = World::new(broker, 1, "");
    world.broker.configure(&world.topic("profiles"), SOON);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");
    world.produce(&[login("ada", "a1", 5), login("bob", "b1", 5), login("ada", "a2", 4)]);
    assert_eq!(decision_of(&world, 3, "a2")["history"], "new");
    assert!(left_of(&world, "acme/ada").0 > 0);

    let asked = said(&world, &["erase", "acme/ada", "--by", "user", "--wait", "60s", "--json"], 0);
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!((&asked["erased"]["parts"], &asked["event"]["by"]), (&16.into(), &"user".into()));
    let decision = decision_of(&world, 4, asked["event"]["event_id"].as_str().unwrap());
    assert_eq!(decision["decision_id"], asked["erased"]["decision_id"]);
    assert_eq!((&decision["history"], &decision["user_risk"]["previous"]), (&"none".into(), &"low".into()));
    assert!(said(&world, &["profile", "acme/ada"], 1).contains("nothing is known of `acme/ada`"));

    assert_eq!(left_of(&world, "acme/ada").1, 16, "ended, and not yet compacted");

    // The active segment is never compacted: somebody has to go on writing.
    let deadline = Instant::now() + Duration::from_secs(90);
    let mut others = 4;
    while left_of(&world, "acme/ada") != (0, 0) {
        assert!(Instant::now() < deadline, "still there: {:?}", left_of(&world, "acme/ada"));
        world.produce(&[login("bob", &format!("b{others}"), 3)]);
        others += 1;
        foreign::read(&world.broker, &world.topic("decisions"), others);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(left_of(&world, "acme/bob").0 > 0, "bob stays");
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    // The store of the process that did it.
    let state = world.state("one");
    assert!(
        said(&world, &["profile", "acme/ada", "--state", state.to_str().unwrap()], 1).contains("nothing")
    );
    said(&world, &["profile", "acme/bob", "--state", state.to_str().unwrap()], 0);
    // One that knows nothing yet.
    std::fs::remove_dir_all(&state).unwrap();
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");
    assert!(ward.log().contains("no_store"), "{}", ward.log());
    world.produce(&[login("ada", "a3", 1), login("bob", "b-last", 1)]);
    assert_eq!(decision_of(&world, others + 2, "a3")["history"], "none");
    assert_ne!(decision_of(&world, others + 2, "b-last")["history"], "none");
    assert_eq!(ward.end("TERM").0.code(), Some(0));
    world.decisions_are_the_fold();
}

#[test]
#[ignore = "needs a broker: make test"]
fn an_erasure_that_nobody_carries_out_is_told() {
    let world = World::new(Broker::shared(), 2, "# avro in and out");
    let told = said(&world, &["erase", "acme/ada", "--wait", "2s"], 3);
    assert!(told.contains("not erased within 2s") && told.contains("`ward run`"), "{told}");
    let told = said(&world, &["erase", "acme/bob"], 0);
    assert!(told.contains("to erase acme/bob, as event"), "{told}");
    // Both are carried out as soon as somebody comes to them; whoever was never known is no trouble.
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    foreign::read(&world.broker, &world.topic("decisions"), 2);
    assert!(said(&world, &["erase", "acme/cem", "--wait", "60s"], 0).contains("erased acme/cem: 16 parts"));
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}
