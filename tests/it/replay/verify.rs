//! `ward verify`: chains that hold, chains that do not, and heads that were signed.

use serde_json::Value;

use super::World;

/// What `ward verify` says of a changed file: where the first break is, if there is one.
#[track_caller]
fn check(change: impl Fn(&mut Vec<String>), expected: Option<u64>) {
    let world = World::new();
    let mut lines: Vec<_> = world.read("decisions.jsonl").lines().map(str::to_owned).collect();
    change(&mut lines);
    world.write("changed.jsonl", lines.join("\n"));
    let output = world.ward(&["verify", "--in", "changed.jsonl", "--json"], i32::from(expected.is_some()));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.pointer("/chains/0/first_break/place").and_then(Value::as_u64), expected, "{found}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.contains("the chain breaks at line"), expected.is_some(), "{said}");
}

#[test]
fn a_break_is_named_where_it_is() {
    check(|_| (), None);
    check(
        |lines| lines[10] = lines[10].replacen("\"mode\":\"enforce\"", "\"mode\":\"report_only\"", 1),
        Some(11),
    );
    check(|lines| drop(lines.remove(20)), Some(21));
    check(|lines| drop(lines.remove(0)), Some(1));
    check(|lines| lines.swap(3, 7), Some(4));
    check(|lines| lines.insert(5, lines[5].clone()), Some(7));
    // What was rejected is in no chain, and a chain does not know its own end.
    check(|lines| lines.retain(|line| line.contains("decision_id")), None);
    check(|lines| lines.truncate(100), None);
}

#[test]
fn a_part_of_a_run_is_taken_up_where_it_begins() {
    let world = World::new();
    let decisions = world.read("decisions.jsonl");
    world.write("part.jsonl", decisions.lines().skip(50).collect::<Vec<_>>().join("\n"));
    world.ward(&["verify", "--in", "part.jsonl"], 1);
    world.ward(&["verify", "--in", "part.jsonl", "--partial"], 0);
}

/// As a version before facts across users published it: its chain is over a datum of that schema.
#[test]
fn a_decision_of_an_older_schema_holds() {
    const LINE: &str = include_str!("../../data/decision-d8b514efd95a9b24.jsonl");
    let world = World::new();
    world.write("old.jsonl", LINE);
    world.ward(&["verify", "--in", "old.jsonl"], 0);
    for (from, to) in [("\"asn\":1221", "\"asn\":1222"), ("\"device\":\"desktop\"}", "\"device\":null}")] {
        assert!(LINE.contains(from));
        world.write("changed.jsonl", LINE.replacen(from, to, 1));
        world.ward(&["verify", "--in", "changed.jsonl"], 1);
    }
}

#[test]
fn a_log_that_was_emptied_does_not_hold() {
    let world = World::new();
    world.write("emptied.jsonl", String::new());
    let output = world.ward(&["verify", "--in", "emptied.jsonl"], 1);
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing was verified"));
    let output = world.ward(&["verify", "--in", "emptied.jsonl", "--export", "heads.json"], 1);
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing was verified"));
    assert!(!world.path("heads.json").exists());
}

#[test]
fn heads_show_what_a_chain_cannot() {
    let world = World::new();
    world.ward(&["verify", "--new-key", "k"], 0);
    world.ward(&["verify", "--new-key", "other"], 0);
    world.refused(&["verify", "--new-key", "k"]);
    let decisions = world.read("decisions.jsonl");
    let first: Vec<_> = decisions.lines().take(200).collect();
    world.write("first.jsonl", first.join("\n"));
    let export = ["verify", "--in", "first.jsonl", "--export", "heads.json"];
    world.ward(&[export.as_slice(), &["--signing-key", "k"]].concat(), 0);
    let with = |file: &str, heads: &str, key: &str, code: i32| {
        let output = world.ward(&["verify", "--in", file, "--heads", heads, "--key", key], code);
        String::from_utf8(output.stderr).unwrap()
    };

    // It has gone on since; and it must have come as far.
    with("decisions.jsonl", "heads.json", "k.pub", 0);
    with("first.jsonl", "heads.json", "k.pub", 0);
    world.write("cut.jsonl", first[..150].join("\n"));
    assert!(with("cut.jsonl", "heads.json", "k.pub", 1).contains("cut off"));
    world.write("none.jsonl", "");
    assert!(with("none.jsonl", "heads.json", "k.pub", 1).contains("no decision at all"));
    // All of it written anew, with a chain that holds.
    world.ward(&["score", "events.jsonl", "--policy", "seed", "--decisions-out", "anew.jsonl"], 0);
    world.ward(&["verify", "--in", "anew.jsonl"], 0);
    assert!(with("anew.jsonl", "heads.json", "k.pub", 1).contains("written anew"));

    // Heads that somebody else signed, changed, or did not sign. The key in the file is no reason to trust.
    assert!(with("first.jsonl", "heads.json", "other.pub", 1).contains("valid signature"));
    world.write("changed.json", world.read("heads.json").replace("\"decisions\": 200", "\"decisions\": 100"));
    assert!(with("first.jsonl", "changed.json", "k.pub", 1).contains("valid signature"));
    world.ward(&["verify", "--in", "first.jsonl", "--heads", "changed.json"], 1);
    world.ward(&["verify", "--in", "first.jsonl", "--heads", "heads.json"], 0);
    world.ward(&export, 0);
    world.ward(&["verify", "--in", "first.jsonl", "--heads", "heads.json"], 0);
    assert!(with("first.jsonl", "heads.json", "k.pub", 1).contains("not signed"));
    for unfit in ["", "{}", r#"{"version":2,"heads":[],"public_key":null,"signature":null}"#] {
        world.write("unfit.json", unfit);
        assert!(
            world.refused(&["verify", "--in", "first.jsonl", "--heads", "unfit.json"]).contains("unfit.json")
        );
    }
    // A chain that breaks gets no head.
    world.write("broken.jsonl", first[1..].join("\n"));
    world.ward(&["verify", "--in", "broken.jsonl", "--export", "never.json"], 1);
    assert!(!world.path("never.json").exists());
}
