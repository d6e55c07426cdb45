//! `ward replay` and `ward verify`: what was decided comes out again, and what was tampered with shows.

mod fold;
mod verify;

use serde_json::Value;
use wardstream::engine::emit::Stored;

use crate::folder::Folder;

/// A folder with some days of simulated events, among them repeats and what is no event, and their
/// decisions under the default policy.
pub(super) struct World {
    folder: Folder,
}

impl std::ops::Deref for World {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl World {
    pub(super) fn new() -> Self {
        let world = Self { folder: Folder::new() };
        let args = ["simulate", "--users", "8", "--events", "600", "--seed", "5", "--out", "clean.jsonl"];
        world.ward(&args, 0);
        world.ward(&[args.as_slice(), &["--labels", "labels.jsonl"]].concat(), 0);
        let clean = world.read("clean.jsonl");
        let mut lines: Vec<&str> = clean.lines().collect();
        lines.insert(300, "no event at all");
        lines.insert(301, "");
        lines.insert(400, lines[399]);
        lines.push(r#"{"user_id":"anonymous","type":"login","occurred_at":"2026-01-05T09:00:00Z","outcome":"success"}"#);
        world.write("events.jsonl", lines.join("\n"));
        world.score("events.jsonl");
        world
    }

    fn score(&self, events: &str) {
        self.ward(&["score", events, "--geo", "builtin", "--decisions-out", "decisions.jsonl"], 0);
    }

    /// What `ward replay` reports as JSON.
    #[track_caller]
    fn replay(&self, args: &[&str], code: i32) -> Value {
        let output = self.ward(&[&["replay", "--format", "json"], args].concat(), code);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a run that must be refused says.
    #[track_caller]
    pub(super) fn refused(&self, args: &[&str]) -> String {
        String::from_utf8(self.ward(args, 2).stderr).unwrap()
    }
}

fn numbers(report: &Value, pointers: &[&str]) -> Vec<u64> {
    pointers.iter().map(|pointer| report.pointer(pointer).and_then(Value::as_u64).unwrap()).collect()
}

const REPRODUCED: [&str; 3] = ["/reproduction/published", "/reproduction/equal", "/reproduction/different"];

#[test]
fn what_was_decided_comes_out_again() {
    let world = World::new();
    for files in [["events.jsonl", "decisions.jsonl"], ["decisions.jsonl", "events.jsonl"]] {
        let report = world.replay(&files, 0);
        assert_eq!(numbers(&report, &REPRODUCED), [603, 603, 0]);
        assert_eq!(
            numbers(&report, &["/records", "/decisions", "/duplicates", "/rejected", "/undecided"]),
            [603, 600, 1, 2, 0]
        );
        assert!(report["summary"].as_str().unwrap().contains("bit for bit"), "{report}");
    }
    // An export has no lines for what was rejected (so nothing says that the last record was), may have
    // been written anew, and may be Avro.
    let decisions = world.read("decisions.jsonl");
    let only: Vec<_> = decisions.lines().filter(|line| line.contains("decision_id")).collect();
    let spaced: Vec<_> =
        only.iter().map(|line| serde_json::from_str::<Value>(line).unwrap().to_string()).collect();
    assert_ne!(only, spaced);
    world.write("spaced.jsonl", spaced.join("\n"));
    assert_eq!(numbers(&world.replay(&["events.jsonl", "spaced.jsonl"], 0), &REPRODUCED), [602, 602, 0]);
    world.write("decisions.avro", container(&only));
    assert_eq!(numbers(&world.replay(&["decisions.avro", "events.jsonl"], 0), &REPRODUCED), [602, 602, 0]);
    // Events in another form: the same events, the same records.
    world.ward(
        &[
            "simulate", "--users", "8", "--events", "600", "--seed", "5", "--format", "avro", "--out",
            "e.avro",
        ],
        0,
    );
    world.score("e.avro");
    assert_eq!(numbers(&world.replay(&["e.avro", "decisions.jsonl"], 0), &REPRODUCED), [600, 600, 0]);
}

#[test]
fn other_terms_of_profiles_are_named() {
    let world = World::new();
    world.write("terms.toml", "[identity]\nprofile_ttl = '30d'\n[sources.hr]\ncreates = true\n");
    let args = ["score", "events.jsonl", "--geo", "builtin", "--decisions-out", "decisions.jsonl"];
    world.ward(&[&args[..], &["--config", "terms.toml"]].concat(), 0);
    let decisions = world.read("decisions.jsonl");
    let name = format!("\"engine\":\"{}+lifetime.", wardstream::engine::REVISION);
    assert!(decisions.lines().filter(|line| line.contains("decision_id")).all(|line| line.contains(&name)));
    let files = ["events.jsonl", "decisions.jsonl"];
    let report = world.replay(&[&files[..], &["--config", "terms.toml"]].concat(), 0);
    assert_eq!(report["reproduction"]["other_engines"], serde_json::json!([]));
    // These people are never silent for a month: nothing differs, but the names.
    let summary = world.replay(&files, 0)["summary"].as_str().unwrap().to_owned();
    assert!(summary.contains("had other settings of `[identity] profile_ttl`"), "{summary}");
}

/// An Avro container file of decisions, written by hand.
pub(super) fn container(decisions: &[&str]) -> Vec<u8> {
    fn long(value: usize, out: &mut Vec<u8>) {
        let mut rest = (value as u64) << 1;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    let mut file = b"Obj\x01".to_vec();
    long(1, &mut file);
    let schema = include_str!("../../schemas/decision.avsc");
    for text in ["avro.schema", schema] {
        long(text.len(), &mut file);
        file.extend_from_slice(text.as_bytes());
    }
    file.push(0);
    let sync = [7; 16];
    file.extend_from_slice(&sync);
    for block in decisions.chunks(100) {
        let mut data = Vec::new();
        for line in block {
            let mut record = Vec::new();
            Stored::from_json(line.as_bytes()).unwrap().to_avro(&mut record).unwrap();
            data.extend_from_slice(&record[10..]);
        }
        long(block.len(), &mut file);
        long(data.len(), &mut file);
        file.extend_from_slice(&data);
        file.extend_from_slice(&sync);
    }
    file
}

/// What a changed file of decisions gives: the published, equal and different, and the first difference.
#[track_caller]
fn check(change: impl Fn(&mut Vec<String>), expected: [u64; 3], line: u64, words: &[&str]) {
    let world = World::new();
    let mut lines: Vec<_> = world.read("decisions.jsonl").lines().map(str::to_owned).collect();
    change(&mut lines);
    world.write("changed.jsonl", lines.join("\n"));
    let report = world.replay(&["events.jsonl", "changed.jsonl"], 1);
    assert_eq!(numbers(&report, &REPRODUCED), expected);
    let first = &report["reproduction"]["first_difference"];
    assert_eq!(first["line"].as_u64().unwrap_or(0), line, "{first}");
    let text = first.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[test]
fn a_changed_decision_is_named_field_by_field() {
    let change = |lines: &mut Vec<String>, from: &str, to: &str| {
        assert!(lines[100].contains(from), "{}", lines[100]);
        lines[100] = lines[100].replacen(from, to, 1);
    };
    check(
        |lines| change(lines, "\"mode\":\"enforce\"", "\"mode\":\"report_only\""),
        [603, 602, 1],
        101,
        &[r#""name":"mode""#, r#""published":"\"report_only\"""#, r#""recomputed":"\"enforce\"""#],
    );
    check(|lines| change(lines, "\"would\":null", "\"would\":\"deny\""), [603, 602, 1], 101, &["would"]);
}

#[test]
fn missing_and_additional_decisions_are_named() {
    // Its event is decided again, and the next one's chain follows from nothing that is there.
    check(
        |lines| drop(lines.remove(50)),
        [603, 601, 2],
        51,
        &["a decision comes out, and none was published"],
    );
    check(|lines| lines.insert(50, lines[49].clone()), [604, 603, 1], 0, &["its event is not there"]);
    let refused = r#"{"rejected":"malformed","line":1,"detail":"x"}"#;
    check(|lines| lines[0] = refused.into(), [603, 601, 2], 1, &["none was published", "malformed"]);
}

#[test]
fn another_engine_is_named_whether_or_not_it_decides_the_same() {
    let world = World::new();
    let other = world.read("decisions.jsonl").replace("\"engine\":\"", "\"engine\":\"9.");
    world.write("other.jsonl", other);
    let report = world.replay(&["events.jsonl", "other.jsonl"], 1);
    // Ids and chains were made with the other name.
    assert_eq!(numbers(&report, &["/reproduction/equal"]), [3], "what was rejected names no engine");
    let summary = report["summary"].as_str().unwrap();
    assert!(summary.contains("decided by engine 9."), "{summary}");
}

#[test]
fn a_policy_that_is_not_at_hand_is_asked_for_by_its_digest() {
    let world = World::new();
    world.write("mine.toml", "version = 1\nextends = 'default'\n[levels]\nmedium = 25\n");
    world.ward(
        &[
            "score",
            "events.jsonl",
            "--geo",
            "builtin",
            "--policy",
            "mine.toml",
            "--decisions-out",
            "mine.jsonl",
        ],
        0,
    );
    let mine = world.read("mine.jsonl");
    let digest = mine.split("\"policy\":\"").nth(1).unwrap().split('"').next().unwrap();
    let said = world.refused(&["replay", "events.jsonl", "mine.jsonl"]);
    assert!(said.contains(digest) && said.contains("--policy"), "{said}");
    let report = world.replay(&["events.jsonl", "mine.jsonl", "--policy", "mine.toml"], 0);
    assert_eq!(numbers(&report, &REPRODUCED), [603, 603, 0]);
    assert_eq!(report["diff"], Value::Null);
}

#[test]
fn another_policy_shows_what_it_would_change() {
    let world = World::new();
    world.write("strict.toml", "version = 1\nextends = 'default'\n[signals.new_network]\npoints = 25\n");
    let args = ["events.jsonl", "decisions.jsonl", "--policy", "strict.toml", "--labels", "labels.jsonl"];
    let report = world.replay(&args, 1);
    assert_eq!(numbers(&report, &REPRODUCED), [603, 603, 0]);
    let diff = &report["diff"];
    let cells: Vec<Vec<u64>> = serde_json::from_value(diff["actions"].clone()).unwrap();
    let all: u64 = cells.iter().flatten().sum();
    let kept: u64 = (0..cells.len()).map(|at| cells[at][at]).sum();
    assert_eq!([all, all - kept], [600, diff["changed_action"].as_u64().unwrap()]);
    assert!(diff["stricter"].as_u64() > Some(0) && diff["changed"].as_u64() > diff["stricter"].as_u64());
    let group = &diff["by_signal"]["new_network"];
    assert!(group["changed"].as_u64() > Some(0), "{diff}");
    let example = &group["examples"][0];
    assert_eq!(
        example["after"]["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["signal"] == "new_network")
            .count(),
        1
    );
    assert_eq!(diff["confirmed"]["by"], "labels");
    let text = String::from_utf8(world.ward(&[&["replay"], args.as_slice()].concat(), 1).stdout).unwrap();
    assert!(text.starts_with("Of ") && text.contains("new_network"), "{text}");

    // The same with the sides changed says the opposite.
    let back = world
        .replay(&["events.jsonl", "decisions.jsonl", "--policy", "strict.toml", "--policy", "default"], 1);
    assert_eq!(back["diff"]["milder"], diff["stricter"]);
    assert_eq!(back["diff"]["actions"][1][0], diff["actions"][0][1]);
    // Nothing changes under the same policy by another name, and nothing is decided outside of the time.
    world.write("same.toml", "version = 1\nextends = 'default'\n");
    let same = world.replay(&["events.jsonl", "decisions.jsonl", "--policy", "same.toml"], 0);
    assert_eq!(numbers(&same, &["/diff/changed", "/diff/decisions"]), [0, 600]);
    let never = world.replay(&["events.jsonl", "decisions.jsonl", "--to", "2001-01-01T00:00:00Z"], 0);
    assert_eq!(numbers(&never, &["/compared", "/decisions"]), [0, 600]);
}

#[test]
fn the_page_stands_alone_and_is_escaped() {
    let world = World::new();
    let events = world.read("events.jsonl").replace("\"user_id\":\"", "\"user_id\":\"<b>&\\\"");
    world.write("events.jsonl", events);
    world.score("events.jsonl");
    world.ward(&["replay", "events.jsonl", "decisions.jsonl", "--policy", "seed", "--out", "page.html"], 1);
    let page = world.read("page.html");
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    assert!(page.contains("&lt;b&gt;&amp;&quot;") && !page.contains("<b>&"), "user ids are escaped");
    for word in ["http:", "https:", "src=", "<script", "<link", "url("] {
        assert!(!page.contains(word), "{word}");
    }
}

#[test]
fn facts_are_looked_up_where_that_is_asked_for() {
    let world = World::new();
    let report =
        world.replay(&["events.jsonl", "decisions.jsonl", "--facts", "lookup", "--geo", "builtin"], 0);
    assert_eq!(numbers(&report, &REPRODUCED), [603, 603, 0]);
    let report = world.replay(&["events.jsonl", "decisions.jsonl", "--facts", "lookup"], 1);
    let first = report["reproduction"]["first_difference"].to_string();
    assert!(first.contains("basis.tables"), "{first}");
    // Without decisions two policies can still be compared.
    let args =
        ["events.jsonl", "--facts", "lookup", "--geo", "builtin", "--policy", "default", "--policy", "seed"];
    let with = world.replay(&["events.jsonl", "decisions.jsonl", "--policy", "seed"], 1);
    assert_eq!(world.replay(&args, 1)["diff"], with["diff"]);
    for (args, word) in [
        (["replay", "events.jsonl"].as_slice(), "no decisions"),
        (&["replay", "decisions.jsonl"], "no events"),
        (&["replay", "events.jsonl", "decisions.jsonl", "--geo", "builtin"], "--facts lookup"),
        (&["replay", "events.jsonl", "--facts", "lookup"], "two policies"),
        (&["replay", "events.jsonl", "topic:x"], "expected it alone"),
        (&["replay", "gone.jsonl"], "gone.jsonl"),
    ] {
        let said = world.refused(args);
        assert!(said.contains(word), "{said}");
    }
}
