//! On a broker that denies by default every role does its work with exactly the permissions that
//! `ward topics acls` prints, and is told what it lacks without them.

use serde_json::{Value, json};

use super::broker::Broker;
use super::foreign;
use super::ward::{World, ago, login};

#[test]
#[ignore = "needs a broker: make test"]
fn each_role_works_with_its_least_acls() {
    let broker = Broker::own(&["--tls-scram", "--set", "allow.everyone.if.no.acl.found=false"]);
    let settings = broker.settings().clone();
    for role in ["admin", "worker", "publisher", "portal", "analyst", "responder", "soc", "auditor"] {
        broker.user(&format!("ward-{role}"));
    }
    let extra = format!(
        "[kafka.tls]\nca_file = '{}'\n[kafka.sasl]\nmechanism = '{}'\nusername = 'ward-worker'\npassword_file = '{}'\n",
        settings["WARD_KAFKA_CA"], settings["WARD_KAFKA_MECHANISM"], settings["WARD_KAFKA_PASSWORD_FILE"]
    );
    let world = World::bare(broker, &extra);
    let group = world.group();
    let as_role = |role: &str, group: &str| world.broker.as_user(&format!("ward-{role}"), group);

    // Nobody may do anything yet: said of every topic, of the id and of both groups, each with its remedy.
    let lacking = lacking(&world, "ward-worker");
    assert!(lacking.contains(&format!("topic {}", world.topic("events"))), "{lacking:?}");
    assert!(lacking.contains(&format!("transactional id {group}-")), "{lacking:?}");
    assert_eq!(lacking.len(), 12, "eleven topics and the transactional id: {lacking:?}");

    let printed = world.ward(&["topics", "acls"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    for line in printed.lines().filter(|line| !line.starts_with('#')) {
        world.broker.grant(line);
    }

    let made = world.ward_as("ward-admin", &["topics", "create", "--partitions", "2"]);
    assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
    let plan = world.ward_as("ward-admin", &["topics", "plan"]);
    assert_eq!(
        (plan.status.code(), String::from_utf8(plan.stdout).unwrap().trim()),
        (Some(0), "nothing to do")
    );
    let check = world.ward(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    let events: Vec<Value> =
        (0..6).map(|user| login(&format!("user{user}"), &format!("e{user}"), 1)).collect();
    let events: Vec<_> = events.iter().map(Value::to_string).collect();
    let events: Vec<_> = events.iter().map(String::as_str).collect();
    foreign::produce(&as_role("publisher", "none"), &world.topic("events"), &events);
    let feedback = json!({
        "tenant": "acme", "user_id": "user3", "type": "feedback", "occurred_at": ago(0), "verdict": "compromised",
        "about": {"event_id": "e3"}, "by": "user", "source": "portal", "event_id": "f",
    });
    let auditor = as_role("auditor", &group);
    foreign::read(&auditor, &world.topic("decisions"), 6);
    let record = json!({"key": "anything", "value": feedback});
    foreign::produce_raw(&as_role("portal", "none"), &world.topic("feedback"), &[record]);

    let decisions = foreign::read(&auditor, &world.topic("decisions"), 7);
    let told = decisions.iter().find(|record| record["value"]["type"] == "feedback").unwrap();
    assert_eq!(told["value"]["action"], "revoke");
    let revoked = foreign::read(&as_role("soc", "soc-1"), &world.topic("revocations"), 1);
    assert_eq!(revoked[0]["key"], "acme/user3");
    an_analyst_works(&world);
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    // Settings that may not be read are not mistaken for wrong ones.
    let decisions = world.topic("decisions");
    world.broker.revoke("ward-worker", &["--topic", &decisions], "DescribeConfigs");
    let check = world.ward_as("ward-worker", &["topics", "check", "--json"]);
    assert_eq!(check.status.code(), Some(1));
    let check: Value = serde_json::from_slice(&check.stdout).unwrap();
    let mistakes = check["mistakes"].as_array().unwrap();
    let found: Vec<_> = mistakes.iter().map(|one| [&one["topic"], &one["found"]]).collect();
    assert_eq!(found, [[&json!(decisions), &json!("settings may not be read")]]);
    printed.lines().filter(|line| !line.starts_with('#')).for_each(|line| world.broker.grant(line));

    // A role that is not a worker's is told what it lacks for that: all of it, and how to allow it.
    let expected = [
        format!("group {group}"),
        format!("group {group}-feedback"),
        format!("topic {}", world.topic("events")),
        format!("topic {}", world.topic("feedback")),
    ];
    world.broker.revoke("ward-worker", &["--group", &group, "--group", &format!("{group}-feedback")], "Read");
    world.broker.revoke(
        "ward-worker",
        &["--topic", &world.topic("events"), "--topic", &world.topic("feedback")],
        "Read",
    );
    let mut lacking = self::lacking(&world, "ward-worker");
    lacking.sort();
    assert_eq!(lacking, expected);
}

/// Every command of an analyst's, as the role has it and no more.
#[track_caller]
fn an_analyst_works(world: &World) {
    let run = |arguments: &[&str], code: i32| {
        let output = world.ward_as("ward-analyst", arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap() + &said
    };
    let events = format!("topic:{}", world.topic("events"));
    let case = world.home.path().join("case");
    assert!(run(&["profile", "acme/user2"], 0).contains("acme/user2"));
    assert!(run(&["explain", "e2", "--user", "acme/user2", "--events", &events], 0).contains("user2"));
    assert!(run(&["alerts"], 0).contains("user3"));
    run(&["export", "acme/user2", &events, "--out", case.to_str().unwrap()], 0);
    run(&["feedback", "safe", "--tenant", "acme", "--user", "user2", "--event", "e2"], 0);
    run(&["revoke", "--tenant", "acme", "--user", "user2"], 0);
    assert!(run(&["erase", "acme/user2", "--wait", "60s"], 0).contains("16 parts ended"));
    assert!(run(&["profile", "acme/user2"], 1).contains("nothing is known of `acme/user2`"));
    // What others do it is not let do.
    assert!(run(&["topics", "create"], 2).contains("refuses"));
}

/// The places of the permissions that `ward check` misses as `user`; it may find nothing else but what
/// follows from them.
#[track_caller]
fn lacking(world: &World, user: &str) -> Vec<String> {
    let output = world.ward_as(user, &["check", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mistakes = report["mistakes"].as_array().unwrap();
    assert!(mistakes.iter().all(|one| one["area"] == "permissions"), "{report}");
    assert!(mistakes.iter().all(|one| one["remedy"].as_str().unwrap().contains("acls")), "{report}");
    mistakes.iter().map(|one| one["place"].as_str().unwrap().to_owned()).collect()
}
