//! `ward map` from the outside.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What `ward map` says of `records` under the example mapping, or another: exit code, output, errors.
fn map(records: &str, mapping: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["map", "-", "--mapping", mapping])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have left for the mapping's sake.
    drop(child.stdin.take().unwrap().write_all(records.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

const EXAMPLE: &str = "docs/examples/okta.toml";

#[test]
fn every_record_is_an_event_skipped_or_told() {
    let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(2 << 20));
    let records = format!(
        "{}\n\n{{\"eventType\":\"else\"}}\nno json\n{long}\n",
        r#"{"eventType":"user.session.end","published":"2026-01-05T09:00:00Z","actor":{"alternateId":"ADA"}}"#
    );
    let (code, out, told) = map(&records, EXAMPLE);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!((&lines[0]["user_id"], &lines[0]["event_id"]), (&"ada".into(), &Value::Null));
    assert_eq!((&lines[1]["rejected"], &lines[1]["line"]), (&"malformed".into(), &4.into()));
    assert_eq!((&lines[2]["rejected"], &lines[2]["line"]), (&"too_large".into(), &5.into()));
    assert_eq!(told, "4 records: 1 event, 1 skipped, 2 rejected\n");
}

#[test]
fn what_cannot_be_read_is_told() {
    let (code, _, told) = map("", "docs/nowhere.toml");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("docs/nowhere.toml: cannot be read"), "{told}");
    let (code, _, told) = map("", "docs/examples/ada.jsonl");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("docs/examples/ada.jsonl:1:"), "{told}");
}
