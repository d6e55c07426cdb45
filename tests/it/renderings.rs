//! Renderings against the published field lists of OCSF and ECS: every alert and login that the
//! transcripts and the simulator give.

mod ecs;
mod ocsf;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use wardstream::engine::policy::Policy;
use wardstream::engine::transcript::play_watched;

#[test]
fn what_the_transcripts_give_is_ocsf() {
    let lines = transcribed();
    check(&lines, "ocsf", &ocsf::Schema::read());
}

#[test]
fn what_the_transcripts_give_is_ecs() {
    let lines = transcribed();
    check(&lines, "ecs", &ecs::Fields::read());
}

#[test]
fn what_the_simulator_gives_is_both() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (events, decisions, alerts) = (path("events.jsonl"), path("decisions.jsonl"), path("alerts.jsonl"));
    ward(&["simulate", "--users", "30", "--events", "4000", "--seed", "9", "--out", &events], "");
    let geo = ["--geo", "builtin"];
    ward(
        &[&["score", &events, "--decisions-out", &decisions, "--alerts-out", &alerts], &geo[..]].concat(),
        "",
    );
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let found = read(&alerts);
    assert!(found.lines().count() >= 10, "{found}");
    for file in [&found, &read(&decisions), &read(&events)] {
        check(file, "ocsf", &ocsf::Schema::read());
        check(file, "ecs", &ecs::Fields::read());
    }
    // As they were published.
    assert_eq!(ward(&["alerts", "--in", &alerts], ""), found);
}

/// Holds lines of JSON against the published classes of OCSF.
#[track_caller]
pub fn are_ocsf(lines: &str) {
    hold(lines, &ocsf::Schema::read());
}

/// What an analyst would see of one case.
#[test]
fn a_case_is_created_updated_and_closed() {
    let lines: Vec<Value> = rendered(include_str!("../golden/case.txt"), "ocsf");
    let told: Vec<_> = lines
        .iter()
        .filter(|line| line["class_uid"] == 2004)
        .map(|line| {
            let word = |name: &str| line[name].as_str().unwrap().to_owned();
            (word("activity_name"), word("status"), word("severity"))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    assert!(told.contains(&("Create", "New", "High")), "{told:?}");
    assert!(
        told.iter().any(|(activity, status, _)| (*activity, *status) == ("Update", "In Progress")),
        "{told:?}"
    );
    assert!(told.contains(&("Close", "Resolved", "Informational")), "{told:?}");
}

#[test]
fn a_file_is_not_followed() {
    for from in ["-", "alerts.jsonl"] {
        let output = spawn(&["alerts", "--follow", "--in", from], "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--follow: goes with a topic"), "{said}");
    }
}

#[test]
fn what_is_no_record_of_ours_is_told_with_its_place() {
    for (lines, expected) in [
        ("{}\n", "-:1: is no alert, decision or event of ours"),
        ("\n\n{\"alert_id\":1}\n", "-:3: "),
        ("nonsense\n", "-:1: is no alert"),
        ("[1]\n", "-:1: is no alert"),
    ] {
        let output = spawn(&["alerts", "--in", "-", "--format", "ecs"], lines);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

/// What holds a rendering against a list of fields: its mistakes, each with its place.
trait Rules {
    fn mistakes(&self, record: &Value) -> Vec<String>;
}

#[track_caller]
fn check(lines: &str, format: &str, rules: &dyn Rules) {
    hold(&ward(&["alerts", "--in", "-", "--format", format], lines), rules);
}

#[track_caller]
fn hold(rendered: &str, rules: &dyn Rules) {
    let mut count = 0;
    for line in rendered.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let mistakes = rules.mistakes(&record);
        assert!(mistakes.is_empty(), "{mistakes:#?} in {record:#}");
        count += 1;
    }
    assert!(count > 0, "nothing was rendered");
}

fn rendered(transcript: &str, format: &str) -> Vec<Value> {
    let mut lines = String::new();
    let policy = |name: &str| Policy::load(name, &|path| std::fs::read_to_string(path));
    play_watched("case", transcript, &policy, &mut |record| lines.push_str(&format!("{record}\n"))).unwrap();
    let rendered = ward(&["alerts", "--in", "-", "--format", format], &lines);
    rendered.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Events, decisions and alerts of every golden transcript.
fn transcribed() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut lines = String::new();
    let mut alerts = 0;
    for folder in [folder.clone(), folder.join("policy")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let policy = |name: &str| match Policy::shipped(name) {
                Some(policy) => Ok(policy),
                None => Policy::load(path.with_file_name(name).to_str().unwrap(), &|path| {
                    std::fs::read_to_string(path)
                }),
            };
            let watch = &mut |record: &Value| {
                alerts += usize::from(!record["alert_id"].is_null());
                lines.push_str(&format!("{record}\n"));
            };
            play_watched("t", &text, &policy, watch).unwrap();
        }
    }
    assert!(alerts >= 50, "only {alerts} alerts");
    lines
}

#[track_caller]
fn ward(args: &[&str], input: &str) -> String {
    let output = spawn(args, input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn spawn(args: &[&str], input: &str) -> std::process::Output {
    use std::io::Write as _;
    let mut ward = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = ward.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = ward.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}
