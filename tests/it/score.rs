//! `ward score`, from outside: a file in, one line a record out.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::mmdb;

const ADA: &str = r#"{"event_id":"1","tenant":"acme","user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z","source":"okta","outcome":"success","factors":["password","totp"],"ip_address":"81.2.69.142","device_fingerprint":"d-1","session_id":"s-1","app":"payroll"}"#;

/// An event of a user at a minute, with an id of its own.
fn event(id: &str, user: &str, minute: u32) -> String {
    let (day, hour, minute) = (5 + minute / 1440, minute / 60 % 24, minute % 60);
    format!(
        r#"{{"event_id":"{id}","user_id":"{user}","type":"login","occurred_at":"2026-01-{day:02}T{hour:02}:{minute:02}:00Z","outcome":"success","factors":["password"],"ip_address":"81.2.69.{}","device_fingerprint":"d-{user}"}}"#,
        user.len()
    )
}

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn ward(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ward"))
            .arg("score")
            .args(args)
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// The lines of a run that must succeed, and say nothing beside them.
    #[track_caller]
    fn lines(&self, args: &[&str]) -> Vec<String> {
        let output = self.ward(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn values(&self, args: &[&str]) -> Vec<Value> {
        self.lines(args).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// What became of each line: the action, or why not.
fn told(values: &[Value]) -> Vec<String> {
    let word = |value: &Value| match (&value["rejected"], &value["duplicate"]) {
        (Value::String(reason), _) => format!("{reason} {}", value["line"]),
        (_, Value::Bool(true)) => format!("duplicate {}", value["line"]),
        _ => value["action"].as_str().unwrap().to_owned(),
    };
    values.iter().map(word).collect()
}

#[track_caller]
fn check(content: impl AsRef<[u8]>, expected: &[&str]) {
    let world = World::new();
    world.write("events.jsonl", content);
    assert_eq!(told(&world.values(&["events.jsonl"])), expected);
}

#[test]
fn a_first_event_is_decided() {
    let world = World::new();
    world.write("events.jsonl", ADA);
    let cities = [("81.2.69.0/24", mmdb::flat("GB", "London", (51.5, -0.12), "Europe/London"))];
    world.write("city.mmdb", mmdb::write(4, &cities));
    world.write("nets.txt", "81.2.69.142 vpn\n");
    let values = world.values(&["events.jsonl", "--geo", "city.mmdb", "--networks", "nets.txt"]);
    let [decision] = values.as_slice() else { panic!("{} lines", values.len()) };
    let word = |pointer: &str| decision.pointer(pointer).unwrap().to_string();
    assert_eq!(word("/tenant") + &word("/user_id") + &word("/event_id"), r#""acme""ada""1""#);
    assert_eq!((word("/action"), word("/history")), (r#""allow""#.into(), r#""none""#.into()));
    assert_eq!((word("/facts/country"), word("/facts/network_class")), (r#""GB""#.into(), r#""vpn""#.into()));
    assert_eq!(word("/position"), r#"{"offset":0,"partition":0,"topic":null}"#);
    assert_eq!(word("/chain").len(), 66);
}

#[test]
fn every_record_has_its_line_and_blank_ones_have_none() {
    let good = |id: &str| event(id, "bob", 1);
    check(
        format!(
            "\n{}\nnonsense\n   \t\r\n{{\"user_id\":\"bob\"}}\n{}\r\n{}\n{}",
            good("1"),
            good("1"),
            good("2").replace("login", "logon"),
            good("3").replace("\"bob\"", "\"anonymous\""),
        ),
        &["allow", "malformed 3", "missing_field 5", "duplicate 6", "unknown_type 7", "placeholder_user 8"],
    );
    check("", &[]);
    check("\n\n", &[]);
    check([b"\xef\xbb\xbf".as_slice(), ADA.as_bytes()].concat(), &["allow"]);
}

#[test]
fn what_is_no_utf_8_is_malformed() {
    let mut content = ADA.replace("ada", "a\u{1}da").into_bytes();
    let at = content.iter().position(|byte| *byte == 1).unwrap();
    content[at] = 0xff;
    check([content, b"\n\xff\xfe\n".to_vec(), ADA.into()].concat(), &["malformed 1", "malformed 2", "allow"]);
}

#[test]
fn a_huge_line_is_one_rejected_record() {
    let huge = "x".repeat(5 << 20);
    check(format!("{huge}\n{ADA}\n{huge}"), &["too_large 1", "allow", "too_large 3"]);
}

#[test]
fn events_without_an_id_are_never_duplicates() {
    let event = ADA.replace(r#""event_id":"1","#, "");
    let world = World::new();
    world.write("events.jsonl", format!("{event}\n{event}\n"));
    let values = world.values(&["events.jsonl"]);
    assert_eq!(told(&values), ["allow", "allow"]);
    assert_ne!(values[0]["decision_id"], values[1]["decision_id"]);
}

#[test]
fn csv_and_avro_say_what_json_says() {
    let world = World::new();
    world.write("events.jsonl", format!("{ADA}\n{}\nx\n", ADA.replace("\"1\"", "\"2\"")));
    let header = "event_id,tenant,user_id,type,occurred_at,source,outcome,factors,ip_address,device_fingerprint,session_id,app";
    let row = |id| {
        format!(
            "{id},acme,ada,login,2026-01-05T09:00:00Z,okta,success,password|totp,81.2.69.142,d-1,\"s-1\",payroll"
        )
    };
    world.write("events.csv", format!("{header}\r\n{}\r\n\n{}\nx,y\n", row("1"), row("2")));
    world.write("events.bin", container(&["1", "2"]));
    let json = world.lines(&["events.jsonl"]);
    let csv = world.lines(&["events.csv"]);
    let avro = world.lines(&["events.bin"]);
    assert_eq!(csv[..2], json[..2]);
    assert_eq!(avro[..], json[..2]);
    assert!(csv[2].starts_with(r#"{"rejected":"malformed","line":5,"#), "{}", csv[2]);
    assert!(json[2].starts_with(r#"{"rejected":"malformed","line":3,"#), "{}", json[2]);
}

/// A container file of logins of ada, as another implementation writes it.
fn container(ids: &[&str]) -> Vec<u8> {
    use apache_avro::types::Value as Avro;
    let schema = include_str!("../../schemas/event.avsc");
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let apache_avro::Schema::Record(record) = &schema else { panic!("no record") };
    let mut writer = apache_avro::Writer::with_codec(&schema, Vec::new(), apache_avro::Codec::Null).unwrap();
    for id in ids {
        let json: Value = serde_json::from_str(&ADA.replace("\"1\"", &format!("\"{id}\""))).unwrap();
        let field = |field: &apache_avro::schema::RecordField| {
            let value = match field.name.as_str() {
                "occurred_at" => Avro::TimestampMicros(1_767_603_600_000_000),
                name => match json.get(name).or(field.default.as_ref()) {
                    Some(value) => Avro::try_from(value.clone()).unwrap(),
                    None => panic!("no value for {name}"),
                },
            };
            (field.name.clone(), value)
        };
        let value = Avro::Record(record.fields.iter().map(field).collect()).resolve(&schema).unwrap();
        writer.append_value(value).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn a_run_in_two_parts_gives_the_same_bytes_as_one() {
    let users = ["ada", "bob", "carol", "dan"];
    let line = |number: usize| match number % 17 {
        5 => "nonsense".to_owned(),
        7 => String::new(),
        // Without an id, and a repeat.
        9 => event("x", users[number % 4], 10 * number as u32).replace(r#""event_id":"x","#, ""),
        11 => event(&format!("e{}", number - 1), users[(number - 1) % 4], 10 * (number as u32 - 1)),
        _ => event(&format!("e{number}"), users[number % 4], 10 * number as u32),
    };
    let all: Vec<String> = (0..400).map(|number| line(number) + "\n").collect();
    let world = World::new();
    world.write("all.jsonl", all.concat());
    let whole = world.lines(&["all.jsonl", "--state", "whole"]);
    assert_eq!(whole, world.lines(&["all.jsonl"]));
    for cut in [0, 1, 6, 8, 131, 399] {
        world.write("first.jsonl", all[..cut].concat());
        world.write("second.jsonl", all[cut..].concat());
        let state = format!("state-{cut}");
        let mut parts = world.lines(&["first.jsonl", "--state", &state]);
        parts.append(&mut world.lines(&["second.jsonl", "--state", &state]));
        assert_eq!(parts, whole, "cut at {cut}");
        let kept = |state: &str| std::fs::read(world.path(state).join("lane")).unwrap();
        assert!(kept(&state) == kept("whole"), "state after a cut at {cut}");
    }
}

#[test]
fn csv_in_two_parts_has_two_headers_and_the_same_lines() {
    let header = "user_id,type,occurred_at,outcome\n";
    let row = |number: u32| match number % 3 {
        0 => "broken\n".to_owned(),
        _ => format!("ada,login,2026-01-05T09:{number:02}:00Z,success\n"),
    };
    let rows: Vec<String> = (0..20).map(row).collect();
    let world = World::new();
    world.write("all.csv", header.to_owned() + &rows.concat());
    world.write("first.csv", header.to_owned() + &rows[..7].concat());
    world.write("second.csv", header.to_owned() + &rows[7..].concat());
    let mut parts = world.lines(&["first.csv", "--state", "s"]);
    parts.append(&mut world.lines(&["second.csv", "--state", "s"]));
    assert_eq!(parts, world.lines(&["all.csv"]));
}

#[test]
fn standard_input_and_a_copy_into_a_file() {
    let world = World::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["score", "-", "--decisions-out", "copy.jsonl"])
        .current_dir(&world.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    // An answer comes before the input ends.
    let mut first = String::new();
    writeln!(input, "{ADA}").unwrap();
    std::io::BufRead::read_line(&mut output, &mut first).unwrap();
    assert!(first.contains("\"event_id\":\"1\""), "{first}");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_to_string(world.path("copy.jsonl")).unwrap(), first);
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let world = World::new();
    let many: String = (0..4000).map(|number| event(&number.to_string(), "ada", number) + "\n").collect();
    world.write("events.jsonl", many);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["score", "events.jsonl"])
        .current_dir(&world.folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

/// The exit code, and how each message begins.
#[track_caller]
fn refuses(world: &World, args: &[&str], expected: &[&str]) {
    let output = world.ward(args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(output.stdout, b"");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn what_cannot_be_read_is_told_at_once() {
    let world = World::new();
    world.write("events.jsonl", ADA);
    world.write("own.toml", "version = 1\nextends = 'seed'\nmod = 'enforce'\n[levels]\nmedium = 'x'\n");
    world.write("nets.txt", "1.2.3.4 vpm\n");
    world.write("broken.mmdb", "nothing");
    refuses(&world, &["none.jsonl"], &["none.jsonl: No such file or directory"]);
    refuses(&world, &["."], &[".: it is a folder"]);
    refuses(&world, &["events.jsonl", "--policy", "none.toml"], &["none.toml"]);
    refuses(
        &world,
        &[
            "none.jsonl",
            "--policy",
            "own.toml",
            "--geo",
            "broken.mmdb",
            "--asn",
            "none.mmdb",
            "--networks",
            "nets.txt",
        ],
        &[
            "own.toml:",
            "own.toml:",
            "broken.mmdb: found no MaxMind DB",
            "none.mmdb: found",
            "nets.txt:1:9: found `vpm`",
            "none.jsonl:",
        ],
    );
    world.write("bare.csv", "a,b\n1,2\n");
    refuses(&world, &["bare.csv"], &["the header lacks `user_id`, `type`, `occurred_at`"]);
    world.write("not.avro", "nothing of that kind");
    refuses(&world, &["not.avro"], &["not.avro: no Avro container file"]);
}

#[test]
fn a_damaged_state_is_refused() {
    let world = World::new();
    world.write("events.jsonl", ADA);
    world.lines(&["events.jsonl", "--state", "kept"]);
    let lane: &Path = &world.path("kept/lane");
    let mut bytes = std::fs::read(lane).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(lane, bytes).unwrap();
    refuses(&world, &["events.jsonl", "--state", "kept"], &["expected the state of a run of `ward score`"]);
}

#[test]
fn policies_by_name_and_by_file() {
    let world = World::new();
    world.write("events.jsonl", ADA);
    world.write("own.toml", "version = 1\nextends = \"seed\"\nmode = \"report_only\"\n");
    let policy = |args: &[&str]| world.values(args)[0]["basis"]["policy"].clone();
    let (default, named) = (policy(&["events.jsonl"]), policy(&["events.jsonl", "--policy", "default"]));
    let seed = policy(&["events.jsonl", "--policy", "seed"]);
    assert_eq!(default, named);
    assert_ne!(default, seed);
    let own = world.values(&["events.jsonl", "--policy", "own.toml"]);
    assert_eq!(own[0]["mode"], "report_only");
    assert_ne!(own[0]["basis"]["policy"], seed);
}

#[test]
fn an_interrupt_ends_it_with_130() {
    let world = World::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["score", "-"])
        .current_dir(&world.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut first = String::new();
    writeln!(input, "{ADA}").unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut first)
        .unwrap();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
