//! An erasure in files: an event among others, and `ward erase --state`.

use serde_json::Value;
use wardstream::adapters::store::SledStore;

use crate::folder::Folder;

fn event(number: u32, user: &str, what: &str) -> String {
    format!(
        r#"{{"event_id":"{number}","tenant":"acme","user_id":"{user}","occurred_at":"2026-01-05T09:{number:02}:00Z",{what}}}"#
    )
}

fn login(number: u32, user: &str) -> String {
    let what = format!(
        r#""type":"login","outcome":"success","ip_address":"81.2.69.142","device_fingerprint":"d-{user}""#
    );
    event(number, user, &what)
}

fn score(folder: &Folder, events: &[String]) -> Vec<Value> {
    folder.write("events.jsonl", events.join("\n"));
    let output = folder.ward(&["score", "events.jsonl", "--state", "state"], 0);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn said(folder: &Folder, args: &[&str], code: i32) -> String {
    let output = folder.ward(args, code);
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn state(folder: &Folder) -> Vec<u8> {
    std::fs::read(folder.path("state/lane")).unwrap()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|found| found == text.as_bytes())
}

#[test]
fn an_erasure_among_events_makes_a_stranger_and_leaves_the_others() {
    let folder = Folder::new();
    let erasure = event(3, "ada", r#""type":"feedback","verdict":"erase","by":"user""#);
    let decided = score(&folder, &[login(1, "ada"), login(2, "bob"), erasure]);
    assert_eq!((&decided[2]["history"], &decided[2]["action"]), (&"none".into(), &"allow".into()));
    assert_eq!(decided[2]["reasons"], Value::Array(vec![]));
    assert!(said(&folder, &["profile", "acme/ada", "--state", "state"], 1).contains("nothing is known"));
    assert!(!holds(&state(&folder), "acme/ada"));
    assert!(holds(&state(&folder), "acme/bob"));

    let decided = score(&folder, &[login(4, "ada"), login(5, "bob")]);
    assert_eq!((&decided[0]["history"], &decided[1]["history"]), (&"none".into(), &"new".into()));
}

#[test]
fn what_is_published_of_an_erasure_is_made_again() {
    let folder = Folder::new();
    let erasure = event(2, "ada", r#""type":"feedback","verdict":"erase""#);
    folder.write("events.jsonl", [login(1, "ada"), erasure, login(3, "ada")].join("\n"));
    folder.ward(&["score", "events.jsonl", "--decisions-out", "decisions.jsonl"], 0);
    folder.ward(&["replay", "events.jsonl", "decisions.jsonl"], 0);
    folder.ward(&["verify", "--in", "decisions.jsonl"], 0);
    let text = said(&folder, &["explain", "2", "--in", "decisions.jsonl", "--events", "events.jsonl"], 0);
    assert!(text.contains("This event had the user erased: whatever was known is gone."), "{text}");
    let text = said(&folder, &["explain", "3", "--in", "decisions.jsonl", "--events", "events.jsonl"], 0);
    assert!(text.contains("Nothing is known of the user."), "{text}");
}

#[test]
fn a_user_is_taken_out_of_a_state() {
    let folder = Folder::new();
    score(&folder, &[login(1, "ada"), login(2, "bob")]);
    let erase = |user, code| said(&folder, &["erase", user, "--state", "state"], code);
    assert!(erase("ada", 1).contains("there is `acme/ada`: give it so"));
    assert!(erase("acme/ada", 0).contains("erased acme/ada: 2 parts taken out of state"));
    assert!(!holds(&state(&folder), "acme/ada"));
    assert!(erase("acme/ada", 1).contains("nothing is known of `acme/ada`"));

    // Who is left goes on where the run ended.
    let decided = score(&folder, &[login(3, "ada"), login(4, "bob")]);
    assert_eq!((&decided[0]["history"], &decided[1]["history"]), (&"none".into(), &"new".into()));
    assert_eq!(decided[0]["position"]["offset"], 2);

    let told = said(&folder, &["erase", "acme/bob", "--state", "state", "--json"], 0);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["user_id"], &told["parts"]), (&"bob".into(), &2.into()));
}

#[test]
fn what_cannot_be_erased_is_told_with_a_remedy() {
    let folder = Folder::new();
    let told = |args: &[&str]| said(&folder, &[&["erase"], args].concat(), 2);
    assert!(told(&["ada", "--state", "none"]).contains("none: found no state"));
    assert!(told(&["acme/", "--state", "none"]).contains("found a user of 0 bytes"));
    assert!(told(&["ada", "--wait", "soon"]).contains("expected a time such as `30s` or `2m`"));
    assert!(told(&["ada", "--wait", "1s", "--state", "none"]).contains("cannot be used with"));

    drop(SledStore::open(&folder.path("run"), 1 << 20, "now").unwrap());
    assert!(told(&["ada", "--state", "run"]).contains("holds the copy of `ward run`"));

    score(&folder, &[login(1, "ada")]);
    let mut bytes = state(&folder);
    bytes[30] ^= 1;
    std::fs::write(folder.path("state/lane"), &bytes).unwrap();
    assert!(told(&["acme/ada", "--state", "state"]).contains("expected the state of a run"));
    assert_eq!(state(&folder), bytes, "what is damaged is not written over");
}
