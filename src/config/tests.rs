//! What configuration may say, mistake by mistake.

use super::*;
use crate::adapters::kafka::Mechanism;

fn loaded(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let read = |path: &Path| match path.to_str() {
        Some("ward.toml") => Ok(text.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    load(Some(Path::new("ward.toml")), &environment, &read)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check(text: &str, environment: &[(&str, &str)], expected: &[&str]) {
    assert_eq!(loaded(text, environment).err().unwrap_or_default(), expected);
}

#[track_caller]
fn settings(text: &str, environment: &[(&str, &str)]) -> Settings {
    loaded(text, environment).unwrap()
}

/// The shipped file states every default, and every line that it comments out is one that works.
#[test]
fn the_shipped_file_is_the_defaults() {
    let shipped = include_str!("../../config/ward.toml");
    assert_eq!(settings(shipped, &[]), Settings::default());

    let commented = |line: &str| line.strip_prefix("#= ").map(str::to_owned);
    let switched_on: String =
        shipped.lines().map(|line| commented(line).unwrap_or_else(|| line.to_owned()) + "\n").collect();
    let switched_on = settings(&switched_on, &[]);
    assert!(switched_on.kafka.tls.is_some() && switched_on.kafka.sasl.is_some());
    assert!(!switched_on.kafka.extra.is_empty() && !switched_on.tables.geo.is_empty());
}

#[test]
fn a_missing_default_file_is_no_error() {
    let none = |_: &Path| Err(io::ErrorKind::NotFound.into());
    assert_eq!(load(None, &Environment::new(), &none), Ok(Settings::default()));

    let mistakes = load(Some(Path::new("x.toml")), &Environment::new(), &none).unwrap_err();
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].to_string().starts_with("x.toml: cannot be read"), "{mistakes:?}");

    let named = Environment::from([("WARD_CONFIG".into(), "y.toml".into())]);
    let mistakes = load(None, &named, &none).unwrap_err();
    assert!(mistakes[0].to_string().starts_with("y.toml: cannot be read"), "{mistakes:?}");
}

#[test]
fn every_mistake_at_once_and_in_its_place() {
    check(
        "[kafka]\nbootstrap = ''\ngruop = 'g'\n[run]\nworkers = 0\ninstance = 'a/b'\ncommit_interval = '1ms'\nstart = 'earlier'\n[topics.events]\nname = 'a b'\nformat = 'xml'",
        &[("WARD__RUN__ACCEPT_GAP", "perhaps"), ("WARD__RNU__WORKERS", "2")],
        &[
            "ward.toml:2:13: `kafka.bootstrap` is an empty string, expected a name",
            "ward.toml:3:1: unknown field `kafka.gruop`; did you mean `group`?",
            "ward.toml:5:11: `run.workers` is the integer `0`, expected a whole number from 1 to 1024",
            "ward.toml:6:12: `run.instance` is the string `a/b`, expected 1 to 100 letters, digits, `.`, `_` or `-`",
            "ward.toml:7:19: `run.commit_interval` is too short, expected at least 5ms",
            "ward.toml:8:9: `run.start` is `earlier`; did you mean `earliest`?",
            "ward.toml:10:8: `topics.events.name` is the string `a b`, expected a topic's name: letters, digits, `.`, `_` and `-`, at most 249",
            "ward.toml:11:10: `topics.events.format` is `xml`; expected one of json, avro, avro_bare",
            "WARD__RNU__WORKERS: unknown field `rnu`; did you mean `run`?",
            "WARD__RUN__ACCEPT_GAP: `run.accept_gap` is the string `perhaps`, expected true or false",
        ],
    );
}

#[test]
fn the_environment_wins() {
    let text = "[topics.events]\nname = 'a'\n[run]\nworkers = 2\n[tables]\ngeo = ['x']";
    let environment = [
        ("WARD__TOPICS__EVENTS__FORMAT", "json"),
        ("WARD__RUN__WORKERS", "7"),
        ("WARD__RUN__COMMIT_INTERVAL", "50ms"),
        ("WARD__TABLES__GEO", "v4.mmdb, v6.mmdb"),
        ("WARD__KAFKA__GROUP", "12"),
        ("WARD__KAFKA__EXTRA__LINGER_MS", "1"),
        ("WARD__IDENTITY__MAX_AGE", "none"),
        ("WARDEN", "x"),
    ];
    let settings = settings(text, &environment);
    assert_eq!(settings.topics.events, Input { name: "a".into(), format: Format::Json });
    assert_eq!(settings.run.workers, Some(7));
    assert_eq!(settings.run.commit_interval, Duration::from_millis(50));
    assert_eq!(settings.tables.geo, [PathBuf::from("v4.mmdb"), PathBuf::from("v6.mmdb")]);
    assert_eq!(settings.kafka.group, "12");
    assert_eq!(settings.kafka.extra.get("linger.ms").map(String::as_str), Some("1"));
    assert_eq!(settings.identity.max_age, None);
}

#[test]
fn secrets_are_refused_in_the_file_and_never_shown() {
    check(
        "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\npassword = 'hunter2'\n[kafka.tls]\nkey_password = 'hunter2'",
        &[],
        &[
            "ward.toml:4:12: `kafka.sasl.password` is a secret in clear, expected none here; name a file by `password_file`, or set the variable WARD__KAFKA__SASL__PASSWORD",
            "ward.toml:6:16: `kafka.tls.key_password` is a secret in clear, expected none here; name a file by `key_password_file`",
        ],
    );
    let text = "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'";
    let settings = settings(text, &[("WARD__KAFKA__SASL__PASSWORD", "hunter2")]);
    let sasl = settings.kafka.sasl.clone().unwrap();
    assert_eq!(
        (sasl.mechanism, sasl.password_env.as_deref()),
        (Mechanism::Plain, Some("WARD__KAFKA__SASL__PASSWORD"))
    );
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn sasl_states_its_mechanism() {
    check(
        "[kafka.sasl]\nusername = 'ward'",
        &[],
        &[
            "ward.toml:1:1: `kafka.sasl.mechanism` is missing, expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER",
        ],
    );
    check(
        "[kafka.sasl]\nmechanism = 'SCRAM'",
        &[],
        &[
            "ward.toml:2:13: `kafka.sasl.mechanism` is `SCRAM`; expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
        ],
    );
}

#[test]
fn what_the_guarantees_rest_on_is_refused_by_name() {
    check(
        "[kafka.extra]\n'linger.ms' = 1\n'compression.type' = 'zstd'\n'socket.nagle.disable' = true",
        &[],
        &[],
    );
    check(
        "[kafka.extra]\n'acks' = '1'\n'isolation.level' = 'read_uncommitted'\n'linger.ms' = []",
        &[("WARD__KAFKA__EXTRA__ENABLE_IDEMPOTENCE", "false")],
        &[
            "ward.toml:2:1: `kafka.extra` sets `acks`, which the exactly-once guarantee or the connection's safety rests on; remove it",
            "ward.toml:3:1: `kafka.extra` sets `isolation.level`, which the exactly-once guarantee or the connection's safety rests on; remove it",
            "ward.toml:4:15: `kafka.extra.linger.ms` is a list, expected a string",
            "WARD__KAFKA__EXTRA__ENABLE_IDEMPOTENCE: `kafka.extra` sets `enable.idempotence`, which the exactly-once guarantee or the connection's safety rests on; remove it",
        ],
    );
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[\\PC\n]{0,200}", name in "WARD__[A-Z_.]{0,40}", value in "\\PC{0,40}") {
        let environment = [(name.as_str(), value.as_str())];
        proptest::prop_assert!(loaded(&text, &environment).map_or_else(|mistakes| !mistakes.is_empty(), |_| true));
    }
}
