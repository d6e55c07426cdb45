//! `ward profile`: what the engine believes about a user, from the state of `ward score` and of `ward run`.

use serde_json::Value;
use wardstream::adapters::files::saved::{ORIGIN, Saved};
use wardstream::adapters::store::SledStore;
use wardstream::engine::baseline::Part;
use wardstream::engine::emit::{ProfilePart, profile_avro};
use wardstream::ports::store::{Batch, StateStore as _, by_user};

use crate::explain::golden;
use crate::folder::Folder;

const ADA: &str = include_str!("../../docs/examples/ada.jsonl");

struct World {
    folder: Folder,
}

impl std::ops::Deref for World {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl World {
    /// A folder with the state that the events of ada leave.
    fn new() -> Self {
        let world = Self { folder: Folder::new() };
        world.score("ada.jsonl", ADA);
        world
    }

    fn score(&self, name: &str, events: &str) {
        self.write(name, events);
        self.ward(&["score", name, "--state", "state", "--geo", "builtin"], 0);
    }

    #[track_caller]
    fn shown(&self, args: &[&str]) -> String {
        String::from_utf8(self.ward(&[&["profile"], args].concat(), 0).stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, args: &[&str], code: i32, expected: &str) {
        let said = String::from_utf8(self.ward(&[&["profile"], args].concat(), code).stderr).unwrap();
        assert!(said.contains(expected), "{args:?}: {said}");
    }

    /// Puts the state of `ward score` into a store of `ward run`.
    fn run_state(&self, folder: &str) -> SledStore {
        let saved = Saved::open(&self.path("state")).unwrap();
        let mut batch = Batch::default();
        let progress = saved.load(|entry| {
            // Networks and devices are no profiles.
            if entry.part == ORIGIN {
                return Ok(());
            }
            let mut key = Vec::new();
            Part::parse(entry.part).unwrap().write_key(entry.user, &mut key);
            let mut stored = Vec::new();
            let part = ProfilePart { part: entry.part.into(), format: 1, state: entry.state };
            profile_avro(&part, &mut stored);
            batch.parts.push((key.into(), Some(stored.into())));
            Ok(())
        });
        assert!(progress.unwrap().is_some());
        batch.parts.sort_by(|(a, _), (b, _)| by_user(a, b));
        let store = SledStore::open(&self.path(folder), 1 << 20, "now").unwrap().store;
        store.apply_batch(3, &batch).unwrap();
        store.close(3, b"").unwrap();
        store
    }
}

#[test]
fn a_profile_is_readable() {
    let world = World::new();
    golden("profile.txt", &world.shown(&["acme/ada", "--state", "state"]));
}

#[test]
fn machines_get_names_and_units() {
    let world = World::new();
    let it: Value = serde_json::from_str(&world.shown(&["acme/ada", "--state", "state", "--json"])).unwrap();
    assert_eq!((&it["tenant"], &it["user_id"]), (&"acme".into(), &"ada".into()));
    assert_eq!((&it["logins"], &it["days"], &it["history"]), (&11.into(), &11.into(), &"mature".into()));
    assert_eq!(it["places"][0]["country"], "GB");
    assert_eq!(it["devices"][0]["share_permille"], 1000);
    assert_eq!((&it["standing"]["level"], &it["held"]), (&"high".into(), &1.into()));
    assert_eq!(it["hours"]["weekend"].as_array().map(Vec::len), Some(48));
    assert_eq!(it["sessions"].as_array().map(Vec::len), Some(4));
    assert_eq!(it["workload"], Value::Null);
}

#[test]
fn a_workload_has_a_rate_and_an_app() {
    let world = World::new();
    let event = |hour: usize, number: usize, kind: &str| {
        format!(
            r#"{{"event_id":"{kind}{hour}-{number}","user_id":"spiffe://acme/builder","type":"{kind}","occurred_at":"2026-01-{:02}T{:02}:{number:02}:00Z","outcome":"success","subject_kind":"service","ip_address":"5.0.1.1","app":"registry"}}"#,
            6 + hour / 24,
            hour % 24
        ) + "\n"
    };
    let events: String =
        (0..60).flat_map(|hour| (0..3).map(move |number| event(hour, number, "access"))).collect();
    world.score("builder.jsonl", &events);
    let text = world.shown(&["spiffe://acme/builder", "--state", "state"]);
    assert!(text.contains("USUAL RATE\n  at most 3 an hour"), "{text}");
    assert!(text.contains("APPS\n  1 known"), "{text}");
}

#[test]
fn the_state_of_a_run_says_the_same_and_stays_as_it_is() {
    let world = World::new();
    let body = |text: &str| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    let of_score = world.shown(&["acme/ada", "--state", "state"]);
    let store = world.run_state("run");
    world.refused(&["acme/ada", "--state", "run"], 3, "another process uses it");
    drop(store);
    let of_run = world.shown(&["acme/ada", "--state", "run"]);
    assert_eq!(body(&of_run), body(&of_score));
    assert!(of_run.contains("run (of ward run, partition 3)"), "{of_run}");
    world.refused(&["acme/bob", "--state", "run"], 1, "nothing is known of `acme/bob`");
    // The sign of the clean stop is still there.
    let store = SledStore::open(&world.path("run"), 1 << 20, "now").unwrap().store;
    assert_eq!(store.open(3).unwrap().and_then(|found| found.filter), Some(Vec::new()));
}

#[test]
fn who_is_not_known_is_told_where_to_look() {
    let world = World::new();
    world.refused(
        &["ada", "--state", "state"],
        1,
        "nothing is known of `default/ada`; there is `acme/ada`: give it so",
    );
    world.refused(&["acme/eve", "--state", "state"], 1, "give TENANT/USER");
    world.refused(&["", "--state", "state"], 2, "USER: found a user of 0 bytes");
    world.refused(&["acme/ada", "--state", "nowhere"], 2, "nowhere: found no state; expected the folder of");
    assert!(!world.path("nowhere").exists(), "nothing is made");
    std::fs::write(world.path("state/lane"), "WARDLN01 and nonsense").unwrap();
    world.refused(&["acme/ada", "--state", "state"], 2, "remove the file to begin anew");
    world.refused(&["acme/ada", "--state", "state", "--bootstrap", "localhost:1"], 2, "cannot be used with");
}
