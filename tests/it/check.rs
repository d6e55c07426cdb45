//! `ward check` and its sisters from the outside: every mistake at once, each with a remedy, whatever
//! stands where a file was expected.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn ward(home: &Path, args: &[&str]) -> Output {
    // Nothing of the caller's environment: what is in force is what the test says.
    Command::new(env!("CARGO_BIN_EXE_ward")).args(args).current_dir(home).env_clear().output().unwrap()
}

/// Area and place of each mistake. All of them have to say what was found, expected, and to be done.
#[track_caller]
fn mistakes(home: &Path, args: &[&str]) -> Vec<(String, String)> {
    let output = ward(home, &[&["check", "--json"], args].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mistakes = report["mistakes"].as_array().unwrap();
    assert_eq!(report["ok"], mistakes.is_empty());
    assert_eq!(output.status.code(), Some(i32::from(!mistakes.is_empty())));
    let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
    for one in mistakes {
        for key in ["area", "severity", "place", "found", "expected", "remedy"] {
            assert!(!text(one, key).is_empty(), "no {key} in {one}");
        }
    }
    mistakes.iter().map(|one| (text(one, "area"), text(one, "place"))).collect()
}

#[test]
fn nothing_is_wrong_with_nothing() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(mistakes(home.path(), &["--offline"]), []);
    assert_eq!(mistakes(home.path(), &[]), [], "without a broker configured none is asked");
    let output = ward(home.path(), &["check", "--offline"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("configuration ok") && text.contains("not looked at: topics and permissions"),
        "{text}"
    );
}

#[test]
fn the_shipped_configuration_is_right() {
    assert_eq!(mistakes(Path::new(env!("CARGO_MANIFEST_DIR")), &["--offline"]), []);
}

#[test]
fn every_mistake_of_every_area_at_once() {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    let bad = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/geo/bad/metadata-is-an-uint128.mmdb");
    write("file", "no folder");
    write("networks.csv", "not a network,tor\n");
    write("policy.toml", "version = 1\nextends = 'default'\nmodee = 'enforce'\n[levels]\nmedium = 'low'\n");
    write(
        "ward.toml",
        &format!(
            "[kafka]\nbootstrap = '127.0.0.1:9'\nconnect_timeout = '1s'\ngruop = 'x'\n[run]\nstate_dir = 'file'\nworkers = 0\n\
             [tables]\ngeo = ['{bad}', 'missing.mmdb']\nnetworks = ['networks.csv']\n[policy]\nfile = 'policy.toml'\n[log]\nfilter = '=='\n"
        ),
    );
    let found = mistakes(home.path(), &["--config", "ward.toml"]);
    let found: Vec<_> = found.iter().map(|(area, place)| (area.as_str(), place.as_str())).collect();
    assert_eq!(
        found,
        [
            ("configuration", "ward.toml:4:1"),
            ("configuration", "ward.toml:7:11"),
            ("configuration", "ward.toml:6"),
            ("configuration", "ward.toml:14"),
            ("policy", "policy.toml:3:1"),
            ("policy", "policy.toml:5:10"),
            ("tables", bad),
            ("tables", "missing.mmdb"),
            ("tables", "networks.csv:1:7"),
            ("broker", "broker 127.0.0.1:9"),
        ]
    );
}

#[test]
fn the_connection_is_checked_where_it_was_said() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(
        home.path().join("ward.toml"),
        "[kafka]\nbootstrap = 'kafka.example:9092'\n[kafka.tls]\nca_file = 'none.pem'\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\npassword_file = 'none'\n",
    )
    .unwrap();
    let found = mistakes(home.path(), &["--config", "ward.toml"]);
    let places: Vec<_> = found.iter().map(|(_, place)| place.as_str()).collect();
    assert_eq!(places, ["ward.toml:4", "ward.toml:8"]);
    assert_eq!(mistakes(home.path(), &["--bootstrap", "kafka.example:9092"])[0].1, "--bootstrap");
}

/// What stands where a file was expected. Each is one mistake or more, and never a crash.
#[test]
fn hostile_files() {
    let home = tempfile::tempdir().unwrap();
    let check = |what: &str, bytes: &[u8]| {
        let file = home.path().join("it");
        std::fs::write(&file, bytes).unwrap();
        let found = mistakes(home.path(), &["--offline", "--config", "it"]);
        assert!(!found.is_empty(), "{what} as configuration");
        assert!(found.iter().all(|(area, _)| area == "configuration"), "{what}: {found:?}");
        for option in ["--policy", "--geo", "--asn", "--networks"] {
            let found = mistakes(home.path(), &["--offline", option, "./it"]);
            assert!(!found.is_empty(), "{what} as {option}");
        }
    };
    check("bytes that are no text", b"\xff\xfe[run]\n");
    check("a line of a megabyte", format!("x = '{}'", "y".repeat(1 << 20)).as_bytes());
    check("a key of a megabyte", format!("{} = 1", "y".repeat(1 << 20)).as_bytes());
    check("a key twice", b"[run]\nworkers = 1\nworkers = 2\n");
    check("a section twice", b"[run]\nworkers = 1\n[run]\nstart = 'latest'\n");
    check("NUL", b"\0\0\0\0");
    check("nested deeply", format!("x = {}{}", "[".repeat(20_000), "]".repeat(20_000)).as_bytes());
    check("half a table", b"[run");
    check("text", b"this is not the file that you look for\n");
    check("types", b"run = 1\nkafka = 'x'\ntopics = []\ntables = 2026-01-01\npolicy = true\nlog = 1.5\n");

    std::fs::create_dir(home.path().join("folder")).unwrap();
    for name in ["folder", "missing", "/dev/zero"] {
        for option in ["--config", "--policy"] {
            assert_eq!(mistakes(home.path(), &["--offline", option, name]).len(), 1, "{option} {name}");
        }
    }
    for option in ["--geo", "--asn", "--networks"] {
        assert_eq!(mistakes(home.path(), &["--offline", option, "folder"]).len(), 1, "{option} folder");
    }
}

#[test]
fn nothing_that_is_piped_is_coloured() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["--help"][..],
        &["check", "--offline"],
        &["check", "--config", "x"],
        &["nonsense"],
        &["topics", "acls"],
    ] {
        let output = ward(home.path(), args);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
    }
}

#[test]
fn the_version_says_which_engine() {
    let output = ward(Path::new("."), &["--version"]);
    let expected = format!("ward {} (engine {})\n", env!("CARGO_PKG_VERSION"), wardstream::engine::REVISION);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn shells_and_man_know_every_command() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = ward(home.path(), &["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("simulate") && script.contains("principal-prefix"), "{shell}: {script}");
    }
    let bash = ward(home.path(), &["completions", "bash"]).stdout;
    std::fs::write(home.path().join("ward.bash"), bash).unwrap();
    let read = Command::new("bash").args(["-n", "ward.bash"]).current_dir(home.path()).output().unwrap();
    assert!(read.status.success(), "{read:?}");

    assert_eq!(ward(home.path(), &["man", "pages/ward"]).status.code(), Some(0));
    for page in ["ward.1", "ward-score.1", "ward-topics-create.1", "ward-config-show.1"] {
        let page = std::fs::read_to_string(home.path().join("pages/ward").join(page)).unwrap();
        assert!(page.contains(".SH NAME"), "{page}");
    }
    std::fs::write(home.path().join("file"), "").unwrap();
    assert_eq!(ward(home.path(), &["man", "file"]).status.code(), Some(2));
}

#[test]
fn acls_are_told_for_people_and_for_machines() {
    let home = tempfile::tempdir().unwrap();
    let output = ward(home.path(), &["topics", "acls", "--principal-prefix", "User:CN=x "]);
    let text = String::from_utf8(output.stdout).unwrap();
    for role in ["admin", "worker", "publisher", "portal", "analyst", "responder", "soc", "auditor"] {
        assert!(
            text.contains(&format!("\n# {role}: ")) || text.starts_with(&format!("# {role}: ")),
            "{text}"
        );
        assert!(text.contains(&format!("--allow-principal 'User:CN=x {role}'")), "{text}");
    }
    let output = ward(home.path(), &["topics", "acls", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let publisher: Vec<_> =
        told["acls"].as_array().unwrap().iter().filter(|acl| acl["role"] == "publisher").collect();
    assert_eq!(
        *publisher[0],
        serde_json::json!({
            "role": "publisher", "principal": "User:ward-publisher", "resource": "topic", "pattern": "literal",
            "name": "identity.events", "operation": "Write",
        })
    );
    assert_eq!(publisher.len(), 1);
}
