//! What configuration may say, mistake by mistake.

use std::collections::BTreeSet;

use super::*;
use crate::adapters::kafka::{Assignment, Mechanism};

fn loaded(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let read = |path: &Path| match path.to_str() {
        Some("ward.toml") => Ok(text.to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    load(Some(Path::new("ward.toml")), &environment, &[], &read)
        .sound()
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
    assert!(switched_on.remembering.creators.contains("workday"));
}

/// Every setting that a file may state is in it, with its default or commented out.
#[test]
fn the_shipped_file_names_every_setting() {
    let shipped = include_str!("../../config/ward.toml").replace("#= ", "");
    let document: toml::Table = shipped.parse().unwrap();
    for row in rows().filter(|row| !matches!(row.kind, Kind::Secret { .. })) {
        let found =
            row.path.split('.').try_fold(toml::Value::from(document.clone()), |at, key| at.get(key).cloned());
        assert!(found.is_some(), "`{}` is not in config/ward.toml", row.path);
    }
}

/// A row whose section comes later would be read as unknown.
#[test]
fn rows_of_a_section_stand_together_and_each_once() {
    let paths: Vec<_> = rows().map(|row| row.path).collect();
    let mut seen = BTreeSet::new();
    assert!(paths.iter().all(|path| seen.insert(path)), "a path stands twice");
    for depth in 0..2 {
        let prefix = |path: &&str| path.split('.').take(depth + 1).collect::<Vec<_>>().join(".");
        let mut prefixes: Vec<_> = paths.iter().map(prefix).collect();
        prefixes.dedup();
        let mut sorted = prefixes.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(prefixes.len(), sorted.len(), "a section stands in two places: {prefixes:?}");
    }
}

/// The schema and the reader agree on the shipped file, and on every way to be wrong that both see.
#[test]
fn the_schema_says_what_the_reader_does() {
    let schema = schema();
    let shipped = include_str!("../../config/ward.toml").replace("#= ", "");
    let check = |text: &str| {
        let document: toml::Table = text.parse().unwrap();
        assert_eq!(
            loaded(text, &[]).is_ok(),
            fits(&serde_json::to_value(document).unwrap(), &schema),
            "{text}"
        );
    };
    check("");
    check(&shipped);
    check("[kafka]\ngruop = 'g'");
    check("[kafka]\nbootstrap = ''");
    check("[kafka]\ntls = 3");
    check("[kafka.tls]");
    check("[kafka.tls]\nkey_password = 'x'");
    check("[kafka.sasl]");
    check("[kafka.sasl]\nmechanism = 'SCRAM'");
    check("[kafka.sasl]\nmechanism = 'PLAIN'");
    check("[run]\nworkers = 0");
    check("[run]\nworkers = 1025");
    check("[run]\nworkers = 1024\naccept_gap = 'yes'");
    check("[run]\nstart = 'earliest'");
    check("[run]\nstart = 'Earliest'");
    check("[identity]\nmax_age = 'none'");
    check("[identity]\nmax_age = 3");
    check("[tables]\ngeo = 'one'");
    check("[tables]\ngeo = ['']");
    check("[tables]\ngeo = [3]");
    check("[kafka.extra]\n'linger.ms' = 1");
    check("[kafka.extra]\n'linger.ms' = []");
    check("nothing = 1");
}

/// As much of JSON Schema as ours uses, but patterns.
fn fits(value: &serde_json::Value, schema: &serde_json::Value) -> bool {
    use serde_json::Value as Json;

    let of_type = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("type {other}"),
    };
    let number = |key: &str| schema[key].as_u64();
    let has_type = match &schema["type"] {
        Json::Null => true,
        Json::String(name) => of_type(name),
        Json::Array(names) => names.iter().any(|name| of_type(name.as_str().unwrap())),
        other => panic!("{other}"),
    };
    let is_in_range = value.as_u64().is_none_or(|found| {
        number("minimum").is_none_or(|least| found >= least)
            && number("maximum").is_none_or(|most| found <= most)
    });
    let is_long = value.as_str().is_none_or(|text| {
        // Every pattern of ours asks for something.
        !text.is_empty() || (schema["pattern"].is_null() && number("minLength").is_none())
    });
    let is_word = schema["enum"].as_array().is_none_or(|words| words.contains(value));
    let is_const = schema["const"].is_null() || schema["const"] == *value;
    let is_any = schema["anyOf"].as_array().is_none_or(|any| any.iter().any(|one| fits(value, one)));
    let items = value.as_array().is_none_or(|all| all.iter().all(|one| fits(one, &schema["items"])));
    let needed = schema["required"]
        .as_array()
        .is_none_or(|all| all.iter().all(|key| !value[key.as_str().unwrap()].is_null()));
    let properties = value.as_object().is_none_or(|fields| {
        fields.iter().all(|(key, inner)| {
            match (&schema["properties"][key], &schema["additionalProperties"]) {
                (Json::Null, Json::Bool(more)) => *more,
                (Json::Null, more) => fits(inner, more),
                (known, _) => fits(inner, known),
            }
        })
    });
    has_type && is_in_range && is_long && is_word && is_const && is_any && items && needed && properties
}

#[test]
fn says_who_said_what() {
    let read = |_: &Path| {
        Ok("[run]\nworkers = 2\ncommit_interval = '90s'\n[kafka.sasl]\nmechanism = 'PLAIN'".to_owned())
    };
    let environment = Environment::from([
        ("WARD__KAFKA__GROUP".into(), "g".into()),
        ("WARD__KAFKA__SASL__PASSWORD".into(), "hunter2".into()),
        ("WARD__KAFKA__EXTRA__SSL_KEY_PASSWORD_X".into(), "hunter2".into()),
    ]);
    let flags = [Flag { name: "--workers", path: "run.workers", value: "7".into() }];
    let loaded = load(Some(Path::new("w.toml")), &environment, &flags, &read);
    let text = shown(&loaded.settings, &loaded.origins, false);
    for line in [
        "run.workers = 7  # --workers",
        "run.commit_interval = \"90s\"  # w.toml:3",
        "kafka.group = \"g\"  # WARD__KAFKA__GROUP",
        "kafka.sasl.password = \"***\"  # WARD__KAFKA__SASL__PASSWORD",
        "kafka.sasl.mechanism = \"PLAIN\"  # w.toml:5",
        "run.start = \"earliest\"  # default",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
    }
    assert!(!text.contains("kafka.tls"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&shown(&loaded.settings, &loaded.origins, true)).unwrap();
    let workers =
        json["settings"].as_array().unwrap().iter().find(|row| row["path"] == "run.workers").unwrap();
    assert_eq!(
        *workers,
        serde_json::json!({"path": "run.workers", "value": 7, "origin": {"from": "flag", "name": "--workers"}})
    );
    assert!(!(text + &json.to_string()).contains("hunter2"));
}

#[test]
fn an_option_is_held_to_the_same() {
    let read = |_: &Path| Ok(String::new());
    let flags = [
        Flag { name: "--workers", path: "run.workers", value: "many".into() },
        Flag { name: "--instance", path: "run.instance", value: "\"a b\"".into() },
    ];
    let found = load(Some(Path::new("w.toml")), &Environment::new(), &flags, &read).mistakes;
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "--workers: `run.workers` is the string `many`, expected a whole number from 1 to 1024",
            "--instance: `run.instance` is the string `a b`, expected 1 to 100 letters, digits, `.`, `_` or `-`",
        ]
    );
}

#[test]
fn a_port_alone_is_one_of_loopback() {
    let listen = |text: &str| settings(text, &[]).metrics.listen.map(|address| address.to_string());
    assert_eq!(listen("[metrics]\nlisten = '9464'").as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(listen("[metrics]\nlisten = ':9464'").as_deref(), Some("127.0.0.1:9464"));
    assert_eq!(listen("[metrics]\nlisten = '[::]:1'").as_deref(), Some("[::]:1"));
    assert_eq!(listen("").as_deref(), None);
    assert_eq!(settings("[canary]\ninterval = 'none'", &[]).canary.interval, None);
    let mistakes = loaded("[metrics]\nlisten = 'localhost:9464'", &[]).unwrap_err();
    assert!(mistakes[0].contains("127.0.0.1:9464, or a port of loopback"), "{mistakes:?}");
    assert!(loaded("[canary]\ninterval = '10ms'", &[]).is_err());
}

#[test]
fn a_missing_default_file_is_no_error() {
    let none = |_: &Path| Err(io::ErrorKind::NotFound.into());
    assert_eq!(load(None, &Environment::new(), &[], &none).sound(), Ok(Settings::default()));

    let mistakes = load(Some(Path::new("x.toml")), &Environment::new(), &[], &none).mistakes;
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].to_string().starts_with("x.toml: cannot be read"), "{mistakes:?}");

    let named = Environment::from([("WARD_CONFIG".into(), "y.toml".into())]);
    let mistakes = load(None, &named, &[], &none).mistakes;
    assert!(mistakes[0].to_string().starts_with("y.toml: cannot be read"), "{mistakes:?}");
}

#[test]
fn every_mistake_at_once_and_in_its_place() {
    check(
        "[kafka]\nbootstrap = ''\ngruop = 'g'\n[run]\nworkers = 0\ninstance = 'a/b'\ncommit_interval = '1ms'\nstart = 'earlier'\n[topics.events]\nname = 'a b'\nformat = 'xml'",
        &[("WARD__RUN__ACCEPT_GAP", "perhaps"), ("WARD__RNU__WORKERS", "2")],
        &[
            "ward.toml:2:13: `kafka.bootstrap` is an empty string, expected a text that is not empty",
            "ward.toml:3:1: unknown field `kafka.gruop`; did you mean `group`?",
            "ward.toml:5:11: `run.workers` is the integer `0`, expected a whole number from 1 to 1024",
            "ward.toml:6:12: `run.instance` is the string `a/b`, expected 1 to 100 letters, digits, `.`, `_` or `-`",
            "ward.toml:7:19: `run.commit_interval` is too short, expected at least 5ms",
            "ward.toml:8:9: `run.start` is `earlier`; did you mean `earliest`?",
            "ward.toml:10:8: `topics.events.name` is the string `a b`, expected a topic's name: letters, digits, `.`, `_` and `-`, at most 249",
            "ward.toml:11:10: `topics.events.format` is `xml`; expected one of json, avro, avro_bare, confluent, cloudevents",
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
        ("WARD__KAFKA__ASSIGNMENT", "cooperative-sticky"),
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
    assert_eq!(settings.kafka.assignment, Assignment::CooperativeSticky);
    assert_eq!(settings.kafka.extra.get("linger.ms").map(String::as_str), Some("1"));
    assert_eq!(settings.identity.max_age, None);
}

#[test]
fn profiles_begin_and_end_as_configured() {
    let text = "[identity]\nprofile_ttl = '90d'\n[sources.hr]\ncreates = true\n[sources.okta]\ncreates = false\n[sources.ad]";
    let remembering = settings(text, &[("WARD__SOURCES__SCIM__CREATES", "true")]).remembering;
    assert_eq!(
        (remembering.profile_ttl.as_secs(), remembering.creators),
        (90 * 86_400, BTreeSet::from(["hr".to_owned(), "scim".to_owned()]))
    );
    assert!(settings(text, &[("WARD__SOURCES__HR__CREATES", "false")]).remembering.creators.is_empty());
    check(
        "[identity]\nprofile_ttl = '29d'\n[sources]\n'' = { creates = true }\nhr = { creates = 1 }\nad = { create = true }",
        &[("WARD__IDENTITY__PROFILE_TTL", "3651d")],
        &[
            "ward.toml:2:15: `identity.profile_ttl` is the string `29d`, expected a time from 30d to 3650d",
            "ward.toml:4:1: `sources` has an entry ``, expected the `source` of events: 1 to 256 bytes, no control characters",
            "ward.toml:5:18: `sources.hr.creates` is the integer `1`, expected true or false",
            "ward.toml:6:8: unknown field `sources.ad.create`; did you mean `creates`?",
            "WARD__IDENTITY__PROFILE_TTL: `identity.profile_ttl` is the string `3651d`, expected a time from 30d to 3650d",
        ],
    );
}

#[test]
fn secrets_are_refused_in_the_file_and_never_shown() {
    check(
        "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\npassword = 'hunter2'\n[kafka.tls]\nkey_password = 'hunter2'",
        &[],
        &[
            "ward.toml:4:12: `kafka.sasl.password` is a secret in clear, expected none here; name a file by `password_file`, or set the variable WARD__KAFKA__SASL__PASSWORD",
            "ward.toml:6:16: `kafka.tls.key_password` is a secret in clear, expected none here; name a file by `key_password_file`, or set the variable WARD__KAFKA__TLS__KEY_PASSWORD",
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
            "ward.toml:1:1: `kafka.sasl.mechanism` is missing, expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER",
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
