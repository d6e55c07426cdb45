//! The reference pages against the contracts: every field, word and limit that they name, and every
//! example in them, is the code's.

use serde_json::Value;
use wardstream::engine::decode::{Format, Limits, decode, limit};
use wardstream::model::{EventType, Reject};

const EVENTS: &str = include_str!("../../docs/events.md");
const DECISIONS: &str = include_str!("../../docs/decisions.md");

fn fields(schema: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).unwrap();
    let fields = schema["fields"].as_array().unwrap();
    fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// The JSON examples of a page.
fn examples(page: &str) -> impl Iterator<Item = &str> {
    page.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap())
}

#[track_caller]
fn names(page: &str, word: &str) {
    assert!(page.contains(&format!("`{word}`")), "`{word}` is not on the page");
}

#[test]
fn every_field_of_an_event_is_explained() {
    for field in fields(include_str!("../../schemas/event.avsc")) {
        names(EVENTS, &field);
    }
}

#[test]
fn every_field_of_a_decision_is_explained() {
    let example: Value = serde_json::from_str(examples(DECISIONS).next().unwrap()).unwrap();
    let example = example.as_object().unwrap();
    let all = fields(include_str!("../../schemas/decision.avsc"));
    assert_eq!(example.len(), all.len());
    for field in all {
        assert!(example.contains_key(&field), "{field} is not in the example");
    }
    for field in fields(include_str!("../../schemas/revocation.avsc")) {
        assert!(DECISIONS.contains(&field), "{field}");
    }
}

#[test]
fn every_type_has_an_example_that_is_taken() {
    let mut types = Vec::new();
    for example in examples(EVENTS) {
        let decoded = decode(example.as_bytes(), Format::Json, "0", None, &Limits::default()).unwrap();
        assert_eq!(decoded.unknown_fields, 0, "{example}");
        types.push(decoded.event.kind());
    }
    assert_eq!(types, EventType::ALL);
}

#[test]
fn every_reason_is_explained() {
    for reason in Reject::ALL {
        assert!(EVENTS.contains(&format!("\n| `{reason}` |")), "`{reason}` has no row");
    }
}

#[test]
fn every_limit_is_stated() {
    let limits = EVENTS.split("\n## ").find(|part| part.starts_with("Limits")).unwrap();
    for (what, limit) in [
        ("a record", limit::EVENT_BYTES_MAX),
        ("`user_id`, ids and handles", limit::ID_BYTES_MAX),
        ("names", limit::NAME_BYTES_MAX),
        ("`user_agent`", limit::FREE_BYTES_MAX),
        ("`groups`", limit::GROUPS_MAX),
        ("`ip_chain`", limit::CHAIN_MAX),
        ("keyboard, mouse and touch events together", limit::POINTS_MAX),
    ] {
        let row = limits.lines().find(|line| line.starts_with(&format!("| {what}")));
        let row = row.unwrap_or_else(|| panic!("{what} has no row"));
        assert!(row.contains(&thousands(limit)), "{row} does not say {limit}");
    }
    for id in limit::PLACEHOLDERS {
        names(EVENTS, id);
    }
    let minutes = limit::FUTURE_MAX.as_secs() / 60;
    assert!(EVENTS.contains(&format!("more than {minutes} minutes after")));
    let days = limit::AGE_MAX.as_secs() / 86_400;
    assert!(EVENTS.contains(&format!("`max_age` ({days} days)")));
}

/// `BLESS=1 cargo test reference` writes it anew.
#[test]
fn the_page_of_the_configuration_is_made_from_its_types() {
    made("docs/configuration.md", &wardstream::config::reference());
}

#[test]
fn the_page_of_the_commands_is_made_from_them() {
    made("docs/cli.md", &wardstream::cli::reference());
}

/// What a page must be, to the byte.
#[track_caller]
fn made(path: &str, expected: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let at = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    assert!(
        found == expected,
        "{path} is stale from line {}: BLESS=1 cargo test reference, and read the difference",
        at.unwrap_or(0) + 1
    );
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
