//! A log of before goes into a real topic, teaches, and comes out again of it.
#![expect(clippy::disallowed_methods, reason = "a broker's own time is now")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wardstream::model::time::Timestamp;

use super::broker::Broker;
use super::foreign;
use super::ward::World;

/// A login of one of three people, so many days ago.
fn login(user: &str, days_ago: u64, place: &str, more: &Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = Timestamp::EPOCH.plus(now - Duration::from_secs(days_ago * 86_400));
    let mut event = json!({
        "tenant": "acme", "user_id": user, "type": "login", "outcome": "success", "factors": ["password"],
        "occurred_at": at.to_string(), "device_fingerprint": format!("d-{user}-{place}"),
        "session_id": format!("s-{user}-{days_ago}-{place}"), "place_hint": {"country": place},
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_log_of_before_teaches_and_comes_out_again() {
    let world = World::new(Broker::shared(), 3, "[identity]\nbackfill = ['log']\n");
    let people = ["ada", "bob", "eve"];
    // The newest first, and two files that overlap: the command has to sort them.
    let mut files = [String::new(), String::new()];
    for days_ago in 40..80 {
        for user in people {
            let place = if days_ago == 41 { "AU" } else { "GB" };
            let event = login(user, days_ago, place, &json!({}));
            files[usize::from(days_ago % 2 == 0)].push_str(&format!("{event}\n"));
        }
    }
    let path = |name: &str| world.home.path().join(name).to_str().unwrap().to_owned();
    for (name, lines) in ["a.jsonl", "b.jsonl"].iter().zip(&files) {
        std::fs::write(path(name), lines).unwrap();
    }
    let (a, b, spill) = (path("a.jsonl"), path("b.jsonl"), path(""));
    let output = world.ward(&["backfill", &a, &b, "--source", "log", "--spill", &spill]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("120 events published"), "{said}{}", String::from_utf8_lossy(&output.stderr));

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1,2");
    foreign::read(&world.broker, &world.topic("decisions"), 120);
    let live: Vec<_> =
        people.map(|user| login(user, 0, "GB", &json!({"source": "okta", "event_id": user}))).into();
    world.produce(&live);
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 123);
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    let marked = |record: &Value| record["value"]["basis"]["engine"].as_str().unwrap().ends_with("+backfill");
    let (learned, live): (Vec<_>, Vec<_>) = decisions.iter().partition(|record| marked(record));
    assert_eq!((learned.len(), live.len()), (120, 3));
    for user in people {
        let mut times: Vec<_> = learned
            .iter()
            .filter(|record| record["value"]["user_id"] == user)
            .map(|record| record["value"]["occurred_at"].as_str().unwrap())
            .collect();
        assert_eq!(times.len(), 40);
        assert!(times.is_sorted(), "{times:?}");
        times.dedup();
        assert_eq!(times.len(), 40);
    }
    assert!(learned.iter().all(|record| record["value"]["action"] == "allow"), "{learned:?}");
    assert!(learned.iter().any(|record| record["value"]["would"] != "allow"), "the journey is seen");
    assert!(live.iter().all(|record| record["value"]["history"] == "mature"), "{live:?}");
    assert_eq!(foreign::read_all(&world.broker, &world.topic("alerts")), Vec::<Value>::new());
    assert_eq!(foreign::read_all(&world.broker, &world.topic("rejected")), Vec::<Value>::new());

    let output = world.ward(&["replay", &format!("topic:{}", world.topic("events")), "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["reproduction"]["equal"], &report["reproduction"]["different"]),
        (&json!(123), &json!(0))
    );

    // And one of them is a case that can be handed on.
    let case = path("case");
    let topic = format!("topic:{}", world.topic("events"));
    let output = world.ward(&["export", "acme/ada", &topic, "--out", &case, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let about: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&about["counts"]["events"], &about["counts"]["decisions"]), (&json!(41), &json!(41)));
    let output = world.ward(&["replay", &case]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
