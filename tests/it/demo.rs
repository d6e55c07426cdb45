//! `ward demo --json`: what a machine reads adds up.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn the_summary_counts_the_lines() {
    let output = ward(&["demo", "--json", "--seconds", "4"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().expect("a summary");

    let summary = &last["summary"];
    assert_eq!(summary["decisions"], lines.len(), "a line each, and nothing rejected");
    assert!(summary["events"].as_u64() >= summary["decisions"].as_u64(), "{summary}");
    assert!(summary["events_per_second"].as_f64() > Some(0.0), "{summary}");
    for field in ["alerts", "revocations"] {
        assert!(summary[field].is_u64(), "{field} of {summary}");
    }
    for field in ["p50", "p99"] {
        assert!(summary["latency_ms"][field].is_number(), "{field} of {summary}");
    }
    for line in &lines {
        assert!(line["action"].is_string() && line["reasons"].is_array(), "{line}");
    }
}

/// The readme's first event: eleven mornings in London, then Sydney.
#[test]
fn the_example_of_the_readme_steps_up() {
    let output = ward(&["score", "docs/examples/ada.jsonl"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let decisions: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<_> = decisions.iter().map(|decision| decision["action"].as_str().unwrap()).collect();
    assert_eq!(actions, [vec!["allow"; 11], vec!["step_up"]].concat());

    let last = &decisions[11];
    let points: u64 =
        last["reasons"].as_array().unwrap().iter().map(|reason| reason["points"].as_u64().unwrap()).sum();
    assert_eq!((last["risk_score"].as_u64(), points), (Some(65), 65));
    let told = std::fs::read_to_string("README.md").unwrap();
    for reason in last["reasons"].as_array().unwrap() {
        let text = reason["text"].as_str().unwrap();
        assert!(told.contains(text), "the readme says something else than `{text}`");
    }
}

#[test]
fn a_reader_may_leave() {
    let mut child = ward(&["demo", "--json", "--seconds", "600"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with('{'), "{first}");
    assert!(child.wait().unwrap().success(), "whoever read has had enough, which is no failure");
}

fn ward(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
