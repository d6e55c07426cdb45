//! Topics under `[inputs]`: copied into the input, keyed anew, each record once whatever dies.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use serde_json::{Value, json};

use super::broker::Broker;
use super::foreign;
use super::ward::{World, ago, login};

/// Records of a log of sign-ins as its shipper writes it, under keys of its own: `count` logins of
/// seven users, and for each a record that is no sign-in.
fn sign_ins(round: usize, count: usize) -> Vec<Value> {
    let record = |number: usize| {
        let value = json!({
            "uuid": format!("okta-{round}-{number}"), "eventType": "user.session.start", "published": ago(1),
            "actor": {"alternateId": format!("User{}@Example.com", number % 7)},
            "client": {"ipAddress": "81.2.69.142"}, "outcome": {"result": "SUCCESS"},
        });
        let other = json!({"eventType": "system.import.complete", "published": ago(1)});
        [json!({"key": format!("k{number}"), "value": value}), json!({"key": "k", "value": other})]
    };
    (0..count).flat_map(record).collect()
}

#[test]
#[ignore = "needs a broker: make test"]
fn each_record_is_copied_once_whatever_dies() {
    let broker = Broker::shared();
    // More partitions than anything of ours has.
    let (raw, plain) = (broker.topic("raw", 5), broker.topic("plain", 1));
    let mapping = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/okta.toml");
    let extra = format!(
        "[inputs.okta]\ntopic = '{raw}'\nkeyed = false\nmapping = '{mapping}'\n[inputs.portal]\ntopic = '{plain}'\n"
    );
    let world = World::new(broker, 2, &extra);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");

    let mut expected = 0;
    for round in 0..3 {
        foreign::produce_raw(&world.broker, &raw, &sign_ins(round, 300));
        expected += 300;
        // Somewhere in the middle of it.
        foreign::read(&world.broker, &world.topic("events"), 300 * round + 20);
        assert_eq!(ward.end("KILL").0.signal(), Some(9));
        ward = world.run("one", &["--workers", "1"]);
    }
    // What comes as an event already, without the key that it needs.
    let mut feedback = login("ada", "said", 0);
    feedback["type"] = json!("feedback");
    feedback["verdict"] = json!("safe");
    feedback["about"] = json!({"event_id": "1"});
    let mut anonymous = login("bob", "", 0);
    anonymous.as_object_mut().unwrap().remove("event_id");
    let records = [
        json!({"key": "x", "value": login("ada", "1", 1)}),
        json!({"key": "x", "value": anonymous}),
        json!({"key": "x", "value": feedback}),
        json!({"key": "x", "value": "no json"}),
    ];
    foreign::produce_raw(&world.broker, &plain, &records);
    expected += 2;

    let decisions = foreign::read(&world.broker, &world.topic("decisions"), expected);
    let events = foreign::read_all(&world.broker, &world.topic("events"));
    let mut ids = BTreeMap::<&str, usize>::new();
    for event in &events {
        *ids.entry(event["value"]["event_id"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!((events.len(), ids.len()), (expected, expected), "a record was lost, or copied twice");
    let mapped = events.iter().find(|event| event["value"]["event_id"] == "okta-0-3").unwrap();
    assert_eq!(mapped["key"], "default/user3@example.com");
    assert_eq!(mapped["value"]["source"], "okta");
    assert!(ids.keys().any(|id| id.starts_with(&format!("{plain}:0:"))), "{ids:?}");
    let rejected = foreign::read(&world.broker, &world.topic("rejected"), 2);
    assert_eq!((rejected.len(), decisions.len()), (2, expected));
    let about: Vec<_> = rejected.iter().map(|record| record["value"]["detail"].as_str().unwrap()).collect();
    assert!(about.iter().any(|detail| detail.contains("feedback has a topic of its own")), "{about:?}");
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// A mapping with mistakes keeps a run from starting, and says all of them.
#[test]
#[ignore = "needs a broker: make test"]
fn a_mapping_with_mistakes_is_no_start() {
    let home = tempfile::tempdir().unwrap();
    let mapping = home.path().join("m.toml");
    std::fs::write(&mapping, "version = 1\n[event]\nuser_id = 'u'\n").unwrap();
    let extra = format!("[inputs.okta]\ntopic = 'nowhere'\nmapping = '{}'\n", mapping.display());
    let world = World::bare(Broker::shared(), &extra);
    let mut ward = world.run("one", &[]);
    assert_eq!(ward.wait().code(), Some(2));
    let log = ward.log();
    assert!(log.contains("m.toml:3:11: `event.user_id` is the string `u`, expected a JSON pointer"), "{log}");
    assert!(log.contains("`event.occurred_at` is missing"), "{log}");
}
