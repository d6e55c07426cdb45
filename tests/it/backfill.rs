//! Backfill from outside: a log of before teaches, and nobody hears of it.

use std::process::{Command, Output};

use serde_json::Value;

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        world.write("ward.toml", "[identity]\nbackfill = [\"log\"]\n");
        let args = ["simulate", "--users", "12", "--events", "3000", "--seed", "9", "--out", "live.jsonl"];
        world.ward(&args, 0);
        world
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.0.path().join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The simulated events as a log of before: all of them, or the first so many.
    fn log(&self, marked: usize) {
        let mut events = self.lines("live.jsonl");
        for event in &mut events[..marked] {
            event["source"] = "log".into();
            event["backfill"] = true.into();
        }
        let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
        self.write("events.jsonl", &lines);
    }

    #[track_caller]
    fn ward(&self, args: &[&str], code: i32) -> Output {
        let output =
            Command::new(env!("CARGO_BIN_EXE_ward")).args(args).current_dir(&self.0).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        output
    }

    fn score(&self) -> Vec<Value> {
        let args = ["score", "events.jsonl", "--config", "ward.toml", "--geo", "builtin"];
        let out = ["--decisions-out", "decisions.jsonl", "--alerts-out", "alerts.jsonl"];
        self.ward(&[&args[..], &out].concat(), 0);
        self.lines("decisions.jsonl")
    }
}

#[test]
fn a_log_of_before_teaches_and_nobody_hears_of_it() {
    let world = World::new();
    world.log(0);
    let live = world.score();
    assert!(world.lines("alerts.jsonl").len() >= 5);
    let strict = |decision: &Value| decision["action"] != "allow";
    assert!(live.iter().any(strict));

    world.log(world.lines("live.jsonl").len());
    let decisions = world.score();
    assert_eq!(world.lines("alerts.jsonl"), Vec::<Value>::new());
    assert!(!decisions.iter().any(strict));
    for (live, decision) in live.iter().zip(&decisions) {
        assert_eq!(decision["mode"], "report_only");
        assert!(decision["basis"]["engine"].as_str().unwrap().ends_with("+backfill"), "{decision}");
        assert_eq!(decision["user_risk"]["level"], "low", "{decision}");
        assert_ne!(decision["decision_id"], live["decision_id"]);
    }
    let learned = |decisions: &[Value]| decisions.iter().filter(|one| one["learned"] == "now").count();
    assert!(learned(&decisions) * 10 >= learned(&live) * 9, "{} {}", learned(&decisions), learned(&live));
    world.ward(&["verify", "--in", "decisions.jsonl"], 0);
}

#[test]
fn half_a_log_and_half_a_life_come_out_again() {
    let world = World::new();
    world.log(1500);
    let decisions = world.score();
    let marked = |decision: &Value| decision["basis"]["engine"].as_str().unwrap().ends_with("+backfill");
    assert_eq!(decisions.iter().filter(|one| marked(one)).count(), 1500);
    // Who was learned from the log is no stranger.
    assert!(decisions[1500..].iter().filter(|one| one["history"] == "mature").count() > 1000);
    let args = ["replay", "events.jsonl", "decisions.jsonl", "--config", "ward.toml", "--format", "json"];
    let report: Value = serde_json::from_slice(&world.ward(&args, 0).stdout).unwrap();
    assert_eq!(report["reproduction"]["different"], 0, "{report}");
    assert_eq!(report["reproduction"]["equal"], 3000, "{report}");
}

#[test]
fn only_who_is_named_may_mark() {
    let world = World::new();
    world.log(10);
    world.write("ward.toml", "");
    let refused = world.score();
    for line in &refused[..10] {
        assert_eq!(line["rejected"], "bad_value");
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains("is true from `log`, which `[identity] backfill` does not name"), "{detail}");
    }
    assert!(refused[10]["rejected"].is_null());
}

/// What the command says before it publishes anything.
#[test]
fn mistakes_are_told_before_anything_is_published() {
    let world = World::new();
    let good = r#"{"user_id":"ada","type":"login","occurred_at":"2025-01-05T09:00:00Z","outcome":"success"}"#;
    world.write("a.jsonl", &format!("{good}\nnonsense\n"));
    world.write("b.jsonl", &good.replace("2025", "2999").replace("\"ada\"", "\"bob\",\"source\":\"log\""));
    let told = world.ward(&["backfill", "a.jsonl", "b.jsonl", "--config", "ward.toml"], 2);
    let told = String::from_utf8(told.stderr).unwrap();
    for expected in [
        "a.jsonl:1: has no source; say who saw it with --source NAME",
        "a.jsonl:2: malformed: ",
        "b.jsonl:1: `occurred_at` is 2999-01-05T09:00:00Z, which is yet to come",
        "nothing was published",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let args = ["backfill", "a.jsonl", "--source", "else", "--config", "ward.toml"];
    let told = String::from_utf8(world.ward(&args, 2).stderr).unwrap();
    assert!(told.contains("comes from `else`, which `[identity] backfill` does not name"), "{told}");
    let args =
        ["backfill", "a.jsonl", "--source", "log", "--config", "ward.toml", "--skip-rejected", "--dry-run"];
    let told = String::from_utf8(world.ward(&args, 0).stdout).unwrap();
    assert_eq!(told, "1 events would be published, 1 left out\n");
}
