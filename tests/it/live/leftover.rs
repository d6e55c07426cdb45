//! What a dead process leaves in the output: transactions that were aborted, and one that hangs.

use serde_json::json;

use super::broker::Broker;
use super::foreign::{self, Open};
use super::ward::{World, login};

/// Some people's logins, by their partition of two.
fn logins(world: &World, tag: &str) -> usize {
    let events: Vec<_> =
        (0..12).map(|user| login(&format!("user{user}"), &format!("{tag}-{user}"), 1)).collect();
    world.produce(&events);
    events.len()
}

/// Killed before its first commit, a worker leaves offsets that nobody can read: aborted records and a
/// marker. They are no trace of anything committed, and the lane begins as if nobody had been there.
#[test]
#[ignore = "needs a broker: make test"]
fn a_first_transaction_that_came_to_nothing_is_no_trace() {
    let world = World::new(Broker::shared(), 2, "");
    let outputs = ["decisions", "profiles"].map(|name| world.topic(name));
    Open::begin(&world.broker, &world.topic("id"), &outputs).abort();
    logins(&world, "a");

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.decisions_are_the_fold();
    let (status, _, log) = ward.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(log.matches("way=\"fresh\"").count(), 2, "{log}");
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_lane_whose_output_hangs_stops_and_the_others_go_on() {
    let world = World::new(Broker::shared(), 2, "");
    let decisions = world.topic("decisions");
    let hanging = Open::begin(&world.broker, &world.topic("id"), std::slice::from_ref(&decisions));
    logins(&world, "a");

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.says("waiting for an open transaction in the output");
    // Meanwhile the other lane decides.
    let of_the_other = |record: &serde_json::Value| record["partition"] == json!(1);
    let input = foreign::read_all(&world.broker, &world.topic("events"));
    let expected = input.iter().filter(|record| of_the_other(record)).count();
    assert!(expected > 0 && expected < input.len(), "both partitions have events");
    let decided = foreign::read(&world.broker, &decisions, expected);
    assert!(decided.iter().all(of_the_other), "{decided:?}");
    ward.says("lane stopped");
    ward.is_ready("1");
    let log = ward.log();
    for told in [
        format!("a transaction hangs in `{decisions}` partition 0 at offset 0"),
        format!("abort --topic {decisions} --partition 0 --start-offset 0"),
    ] {
        assert!(log.contains(&told), "no `{told}` in:\n{log}");
    }
    let (status, _, log) = ward.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");

    // With every lane stopped, there is nothing to run for.
    let alone = World::new(Broker::shared(), 1, "");
    let its = [alone.topic("profiles")];
    let other = Open::begin(&alone.broker, &alone.topic("id"), &its);
    let mut ward = alone.run("one", &["--workers", "1"]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert!(ward.log().contains("a transaction hangs in"), "{}", ward.log());
    other.abort();

    hanging.abort();
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    logins(&world, "b");
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// Where the group's offsets hang as well, the broker does not tell them to anybody: that must not pass for
/// a broker that is away.
#[test]
#[ignore = "needs a broker: make test"]
fn offsets_that_hang_are_told_of_too() {
    let world = World::new(Broker::shared(), 1, "");
    let (decisions, events) = (world.topic("decisions"), world.topic("events"));
    let stops = |hangs: &str| {
        let mut ward = world.run("one", &["--workers", "1"]);
        assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
        let told = format!("a transaction hangs in `{hangs}`");
        assert!(ward.log().contains(&told), "no `{told}` in:\n{}", ward.log());
    };
    let hanging = Open::begin(&world.broker, &world.topic("id"), std::slice::from_ref(&decisions))
        .with_offsets(&world.broker, &world.group(), &events);
    stops(&decisions);
    hanging.abort();
    let hanging = Open::begin(&world.broker, &world.topic("other"), &[]).with_offsets(
        &world.broker,
        &world.group(),
        &events,
    );
    stops("__consumer_offsets");
    hanging.abort();
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// The broker has ended a transaction where offsets lie, and left it open in the output: Kafka 4.3.1 on one node
/// does so when it is stopped at the wrong moment. What the offsets count as done is decided again.
#[test]
#[ignore = "needs a broker: make test"]
fn what_only_the_offsets_count_is_decided_again() {
    let world = World::new(Broker::shared(), 1, "");
    let (profiles, events) = (world.topic("profiles"), world.topic("events"));
    logins(&world, "a");
    let ward = world.run("one", &["--workers", "1"]);
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    world.produce(&[login("late", "b-0", 1)]);
    foreign::until_empty(&world.broker, &world.group());
    let (offset, chain) = foreign::move_on(&world.broker, &world.group(), &events);
    let hanging = Open::begin(&world.broker, &world.topic("id"), &[]).with_mark(&profiles, offset, &chain);
    let mut ward = world.run("one", &["--workers", "1"]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    let log = ward.log();
    for told in [
        format!("a transaction hangs in `{profiles}` partition 0"),
        format!("--group {} --topic {events}:0 --delete-offsets", world.group()),
    ] {
        assert!(log.contains(&told), "no `{told}` in:\n{log}");
    }

    hanging.abort();
    foreign::until_empty(&world.broker, &world.group());
    world.broker.delete_offset(&world.group(), &events);
    let ward = world.run("one", &["--workers", "1"]);
    world.decisions_are_the_fold();
    assert!(ward.log().contains("way=\"offsets_lost\""), "{}", ward.log());
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}
