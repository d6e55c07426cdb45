//! `ward explain` and `ward score --explain`, from outside, and what they calculate against what the
//! engine decides.

use std::path::Path;

use serde_json::Value;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit::Stored;
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::explain::Explanation;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting};
use wardstream::model::decision::Basis;
use wardstream::pipeline::file::FileLane;
use wardstream::ports::tables::Tables as _;

use crate::folder::Folder;
use crate::replay::container;

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
    /// A folder with the events of ada and their decisions.
    fn new() -> Self {
        let world = Self { folder: Folder::new() };
        world.write("ada.jsonl", ADA);
        world.ward(&["score", "ada.jsonl", "--decisions-out", "decisions.jsonl"], 0);
        world
    }

    #[track_caller]
    fn explain(&self, args: &[&str]) -> String {
        String::from_utf8(self.ward(&[&["explain"], args].concat(), 0).stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.explain(&[args, &["--json"]].concat())).unwrap()
    }

    #[track_caller]
    fn refused(&self, args: &[&str], code: i32, expected: &str) {
        let output = self.ward(&[&["explain"], args].concat(), code);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{args:?}: {said}");
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
    }
}

/// What depends on the revision and on the policy's comments is left out.
fn masked(text: &str) -> String {
    let mask = |line: &str| match line.trim_start() {
        rest if rest.starts_with("decision ") => "decision …\n".to_owned(),
        rest if rest.starts_with("policy ") => "  policy …\n".to_owned(),
        rest if rest.starts_with("engine ") => "  engine …\n".to_owned(),
        _ => format!("{line}\n"),
    };
    text.lines().map(mask).collect()
}

/// `BLESS=1` writes what came out; read the difference before you keep it.
#[track_caller]
pub(crate) fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain").join(name);
    let text = masked(text);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
        assert!(!line.contains('\x1b'), "coloured: {line}");
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, written, "{name} differs; BLESS=1 writes what came out");
}

#[test]
fn a_decision_is_explained_in_words_and_numbers() {
    let world = World::new();
    golden("record.txt", &world.explain(&["e12", "--in", "decisions.jsonl"]));
    golden("events.txt", &world.explain(&["e12", "--in", "decisions.jsonl", "--events", "ada.jsonl"]));
    let score = world.ward(&["score", "ada.jsonl", "--explain"], 0);
    golden("score.txt", &String::from_utf8(score.stderr).unwrap());
}

#[test]
fn the_page_shows_what_comes_out() {
    let world = World::new();
    let page = include_str!("../../docs/explain.md");
    let shown: Vec<String> =
        page.split("```text\n").skip(1).map(|rest| masked(rest.split("\n```").next().unwrap())).collect();
    let out = masked(&world.explain(&["e12", "--in", "decisions.jsonl", "--events", "ada.jsonl"]));
    assert!(shown.contains(&out), "not on docs/explain.md as it is:\n{out}");
}

#[test]
fn the_lines_of_a_score_stay_as_they_are() {
    let world = World::new();
    let explained = world.ward(&["score", "ada.jsonl", "--explain", "--decisions-out", "again.jsonl"], 0);
    let lines = world.read("decisions.jsonl");
    assert_eq!(String::from_utf8(explained.stdout).unwrap(), lines);
    assert_eq!(world.read("again.jsonl"), lines);
    world.write("mixed.jsonl", format!("nonsense\n{ADA}{ADA}"));
    let mixed = world.ward(&["score", "mixed.jsonl", "--explain"], 0);
    assert_eq!(mixed.stdout.iter().filter(|byte| **byte == b'\n').count(), 25);
    // What gives no decision has nothing to explain.
    let said = String::from_utf8(mixed.stderr).unwrap();
    assert_eq!(said.matches("acme/ada").count(), 12, "{said}");
}

#[test]
fn machines_get_one_object() {
    let world = World::new();
    let it = world.json(&["e12", "--in", "decisions.jsonl", "--events", "ada.jsonl"]);
    let points: i64 =
        it["reasons"].as_array().unwrap().iter().map(|one| one["points"].as_i64().unwrap()).sum();
    assert_eq!((it["risk_score"].as_i64(), it["sum"].as_i64()), (Some(points), Some(points)));
    assert_eq!(it["levels"]["down"]["level"], "medium");
    assert_eq!(it["before"]["hours"]["workday"].as_array().map(Vec::len), Some(48));
    assert_eq!(it["before"]["places"][0]["near"], "London");
    assert_eq!(it["before"]["places"][0]["distance_km"], 16_994);
    assert_eq!(it["reasons"][0]["before"]["elapsed_s"], 8700);
    assert_eq!(it["not_shown"].as_array().map(Vec::len), Some(0));
    let states: Vec<&str> =
        it["silent"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states.iter().filter(|state| **state == "unknown").count(), 4, "{states:?}");

    let record = world.json(&["e12", "--in", "decisions.jsonl"]);
    assert_eq!(record["without"], it["without"]);
    assert_eq!((&record["before"], record["not_shown"].as_array().map(Vec::len)), (&Value::Null, Some(1)));
}

#[test]
fn a_decision_is_found_by_either_id_and_in_either_form() {
    let world = World::new();
    let text = world.explain(&["e12", "--in", "decisions.jsonl"]);
    let lines = world.read("decisions.jsonl");
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let id = last["decision_id"].as_str().unwrap();
    assert_eq!(world.explain(&[id, "--in", "decisions.jsonl"]), text);
    let all: Vec<&str> = lines.lines().collect();
    world.write("decisions.avro", container(&all));
    assert_eq!(world.explain(&["e12", "--in", "decisions.avro"]), text);
    let rebuilt = world.explain(&["e12", "--in", "decisions.jsonl", "--events", "ada.jsonl"]);
    assert_eq!(world.explain(&["e12", "--in", "decisions.avro", "--events", "ada.jsonl"]), rebuilt);
}

#[test]
fn what_cannot_be_found_is_told() {
    let world = World::new();
    let of = |id| [id, "--in", "decisions.jsonl"];
    let long = "x".repeat(300);
    world.refused(&of("e13"), 1, "decisions.jsonl: none of 12 decisions has the decision or event id `e13`");
    world.refused(&[&of("e12")[..], &["--user", "globex/ada"]].concat(), 1, "is of `globex/ada`");
    world.refused(&of(""), 2, "ID: found 0 bytes, expected 1 to 256");
    world.refused(&of(&long), 2, "ID: found 300 bytes");
    world.refused(&["e12", "--in", "nowhere"], 2, "nowhere: ");
    world.refused(&["e12", "--in", "ada.jsonl"], 2, "ada.jsonl:1: ");
    world.refused(&[&of("e12")[..], &["--events", "nowhere"]].concat(), 2, "nowhere: ");
    world.refused(&[&of("e12")[..], &["--user", "acme/"]].concat(), 2, "--user: found a user of 0 bytes");
    world.refused(&[&of("e12")[..], &["--policy", "nowhere"]].concat(), 2, "nowhere: cannot be read");
    world.write("few.jsonl", ADA.lines().take(5).collect::<Vec<_>>().join("\n"));
    world.refused(
        &[&of("e12")[..], &["--events", "few.jsonl"]].concat(),
        2,
        "few.jsonl: the event `e12` of `acme/ada`",
    );
}

#[test]
fn an_id_of_several_events_is_asked_about() {
    let world = World::new();
    world.write("two.jsonl", format!("{ADA}{}", ADA.replace("\"ada\"", "\"bob\"")));
    world.ward(&["score", "two.jsonl", "--decisions-out", "two-decisions.jsonl"], 0);
    let of = ["e12", "--in", "two-decisions.jsonl"];
    world.refused(&of, 2, "event `e12` has 2 decisions");
    let text = world.explain(&[&of[..], &["--user", "acme/bob", "--events", "two.jsonl"]].concat());
    assert!(text.starts_with("acme/bob  login") && text.contains("USUAL HOURS"), "{text}");
}

#[test]
fn events_that_lead_elsewhere_explain_nothing() {
    let world = World::new();
    world.write("tail.jsonl", ADA.lines().skip(10).collect::<Vec<_>>().join("\n"));
    let text = world.explain(&["e12", "--in", "decisions.jsonl", "--events", "tail.jsonl"]);
    assert!(!text.contains("USUAL HOURS") && text.contains("not shown: "), "{text}");
    assert!(text.replace("\n   ", "").contains("lead to another decision"), "{text}");
}

#[test]
fn a_policy_that_is_not_at_hand_is_asked_for() {
    let world = World::new();
    world.write("mine.toml", "version = 1\nextends = \"default\"\n[levels]\nhigh = 70\n");
    world.ward(&["score", "ada.jsonl", "--policy", "mine.toml", "--decisions-out", "mine.jsonl"], 0);
    let of = ["e12", "--in", "mine.jsonl"];
    let without = world.explain(&of);
    assert!(without.contains("name its file with --policy") && !without.contains("HOW FAR"), "{without}");
    let with = world.explain(&[&of[..], &["--policy", "mine.toml"]].concat());
    assert!(with.contains("5 points more would have been high."), "{with}");
    world.refused(&[&of[..], &["--events", "ada.jsonl"]].concat(), 2, "name its file with --policy");
}

/// `ward score` takes no such ids; whoever writes a file of decisions may put anything into it.
#[test]
fn an_id_moves_no_cursor() {
    let world = World::new();
    let id = r"e\u001b[2J\u202e\u009b";
    let lines = world.read("decisions.jsonl").replace("\"e12\"", &format!("\"{id}\""));
    world.write("bad.jsonl", lines.replace("s-12", r"\u001b]0;x\u0007").replace("\"default\"", "\"\\r\""));
    let harmful = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    let given: String = serde_json::from_str(&format!("\"{id}\"")).unwrap();
    let text = world.explain(&[&given, "--in", "bad.jsonl"]);
    assert!(text.contains("65 high") && !text.contains(harmful), "{text:?}");
    let refused = world.ward(&["explain", "\u{1b}[2J", "--in", "bad.jsonl"], 1);
    assert!(!String::from_utf8(refused.stderr).unwrap().contains('\x1b'));
}

/// What is calculated from a record is what the engine decides with the profile at hand.
#[test]
fn a_record_says_what_the_engine_would_have_decided() {
    let world = World { folder: Folder::new() };
    let args = ["simulate", "--users", "12", "--events", "3000", "--seed", "11", "--out", "events.jsonl"];
    world.ward(&args, 0);
    let policy = Policy::shipped("default").unwrap();
    let tables = Builtin::new();
    let basis = Basis { policy: policy.digest, engine: "test", tables: tables.digest(), model: None };
    let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
    let (mut lane, mut compared) = (FileLane::new(1), 0);
    for (number, line) in world.read("events.jsonl").lines().enumerate() {
        let decoded = decode(line.as_bytes(), Format::Json, "", None, &Limits::default());
        let mut out = Vec::new();
        let (_, context) =
            lane.explain(number as u64, decoded, &tables, &setting, &mut out, &mut |_| ()).unwrap();
        let decision = Stored::from_json(&out).unwrap();
        let exact = Explanation::of(&decision, Some(&policy), context);
        let record = Explanation::of(&decision, Some(&policy), None);
        assert_eq!(exact.without, record.without, "{line}");
        assert_eq!(exact.sum, exact.risk_score.max(exact.sum), "{line}");
        compared += exact.without.len();
        for one in record.silent {
            let told = exact.silent.iter().find(|it| it.signal == one.signal).unwrap();
            assert!(told.why.iter().all(|why| one.why.contains(why)), "{line}: {told:?} but {one:?}");
        }
    }
    assert!(compared > 50, "{compared}");
}
