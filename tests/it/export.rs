//! `ward export` from outside: a case is the user's part of the log, and comes out again.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::folder::{Folder, ended};

struct World(Folder);

impl std::ops::Deref for World {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.0
    }
}

impl World {
    /// Some weeks of simulated people, and a policy of their own.
    fn new() -> Self {
        let world = Self(Folder::new());
        world.write("base.toml", "version = 1\nextends = \"default\"\n[levels]\nmedium = 21\n");
        world.write("own.toml", "version = 1\nextends = \"base\"\n[levels]\nhigh = 51\n");
        let args = ["simulate", "--users", "8", "--events", "900", "--seed", "5", "--out", "events.jsonl"];
        world.ward(&args, 0);
        let args = ["score", "events.jsonl", "--geo", "builtin", "--policy", "own.toml"];
        world.ward(&[&args[..], &["--decisions-out", "decisions.jsonl"]].concat(), 0);
        world
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn ward(&self, args: &[&str], code: i32) -> Output {
        let mut command = self.command(args);
        command
            .env("WARD__KAFKA__SASL__PASSWORD", SECRET)
            .env("WARD__KAFKA__SASL__MECHANISM", "PLAIN")
            .env("WARD__KAFKA__SASL__USERNAME", "ward");
        ended(&mut command, args, code)
    }

    /// The user with the most events, and the time in the middle of them.
    fn busiest(&self) -> (String, String) {
        let events = self.lines("events.jsonl");
        let of = |event: &Value| {
            format!("{}/{}", event["tenant"].as_str().unwrap(), event["user_id"].as_str().unwrap())
        };
        let mut users: Vec<_> = events.iter().map(of).collect();
        users.sort();
        let user = users.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len()).unwrap()[0].clone();
        let own: Vec<_> = events.iter().filter(|event| of(event) == user).collect();
        (user, own[own.len() / 2]["occurred_at"].as_str().unwrap().to_owned())
    }

    fn export(&self, user: &str, more: &[&str], code: i32) -> Output {
        let args = ["export", user, "decisions.jsonl", "events.jsonl", "--policy", "own.toml"];
        self.ward(&[&args[..], more].concat(), code)
    }
}

#[test]
fn a_case_is_the_users_part_of_the_log_and_comes_out_again() {
    let world = World::new();
    let (user, middle) = world.busiest();
    world.export(&user, &["--out", "case", "--from", &middle], 0);

    let all: Vec<_> = world.read("decisions.jsonl").lines().map(str::to_owned).collect();
    let (tenant, id) = user.split_once('/').unwrap();
    let mine = format!("\"tenant\":\"{tenant}\",\"user_id\":\"{id}\",");
    let own: Vec<_> = all.iter().filter(|line| line.contains(&mine)).cloned().collect();
    let exported = world.read("case/history-decisions.jsonl") + &world.read("case/decisions.jsonl");
    assert_eq!(exported.lines().collect::<Vec<_>>(), own, "as they were published");
    let about: Value = serde_json::from_str(&world.read("case/case.json")).unwrap();
    assert_eq!(about["different"], 0);
    assert!(about["counts"]["history_events"].as_u64() > Some(10), "{about}");
    assert!(about["counts"]["events"].as_u64() > Some(10), "{about}");
    for event in world.lines("case/events.jsonl") {
        assert!(event["occurred_at"].as_str() >= Some(middle.as_str()), "{event}");
    }

    // Nothing but the folder: neither the log nor the policy's own file.
    for file in ["events.jsonl", "decisions.jsonl", "own.toml", "base.toml"] {
        std::fs::remove_file(world.path(file)).unwrap();
    }
    let again = world.ward(&["replay", "case", "--format", "json"], 0);
    let report: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["reproduction"]["different"], 0, "{report}");
    assert_eq!(report["reproduction"]["equal"], own.len(), "{report}");

    // A case of the case is the case.
    world.ward(
        &["export", &user, "case", "--out", "again", "--from", &middle, "--policy", &policy(&world)],
        0,
    );
    for file in [
        "history.jsonl",
        "events.jsonl",
        "decisions.jsonl",
        "chains.txt",
        "profile-before.json",
        "profile-after.json",
    ] {
        assert_eq!(world.read(&format!("case/{file}")), world.read(&format!("again/{file}")), "{file}");
    }

    // Whoever changes one is found out.
    let changed = world.read("case/decisions.jsonl").replacen("\"risk_score\":0", "\"risk_score\":1", 1);
    world.write("case/decisions.jsonl", &changed);
    world.ward(&["replay", "case"], 1);
}

fn policy(world: &World) -> String {
    let about: Value = serde_json::from_str(&world.read("case/case.json")).unwrap();
    format!("case/{}", about["policies"][0]["file"].as_str().unwrap())
}

#[test]
fn the_profile_after_one_time_is_the_one_before_the_next() {
    let world = World::new();
    let (user, middle) = world.busiest();
    world.export(&user, &["--out", "first", "--to", &middle], 0);
    world.export(&user, &["--out", "second", "--from", &middle], 0);
    let profile = world.read("first/profile-after.json");
    assert_eq!(profile, world.read("second/profile-before.json"));
    let profile: Value = serde_json::from_str(&profile).unwrap();
    assert_eq!((&profile["known"], &profile["parts"][0]["part"]), (&true.into(), &"core".into()));
    assert!(world.read("first/profile-before.json").contains("\"known\": false"));
}

#[test]
fn no_secret_is_in_it_and_mistakes_are_told_at_once() {
    let world = World::new();
    let (user, middle) = world.busiest();
    world.export(&user, &["--out", "case"], 0);
    let mut left = vec![world.path("case")];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert!(!holds(&path, SECRET), "{}", path.display());
        }
    }
    let told = world.export("nobody", &["--out", "x", "--from", &middle, "--to", &middle], 2);
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("expected a tenant and a user id") && told.contains("is not before"), "{told}");
    assert!(!world.path("x").exists());
    let told = world.export(&user, &["--out", "case"], 2);
    assert!(String::from_utf8(told.stderr).unwrap().contains("the folder is not empty"));
    let told = world.export("acme/nobody", &["--out", "y"], 1);
    assert!(String::from_utf8(told.stderr).unwrap().contains("no decided event of `acme/nobody`"));
}

fn holds(path: &Path, text: &str) -> bool {
    std::fs::read(path).unwrap().windows(text.len()).any(|found| found == text.as_bytes())
}

const SECRET: &str = "correct-horse-battery";
