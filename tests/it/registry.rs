//! The registry's client and `ward schemas`, against registries that are away, slow, or lie.

pub mod fake;

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use fake::{Fake, Reply};
use serde_json::{Value, json};
use wardstream::adapters::registry::{Client, Settings, Trouble, Variable};
use wardstream::engine::decode::{Format, How, Limits, decode};
use wardstream::model::Reject;
use wardstream::ports::schemas::WhenAway;
use wardstream::runtime::lookup::Lookup;
use wardstream::runtime::stop::{ProcessClock, Stop};

const ALERT: &str = include_str!("../../schemas/alert.avsc");

fn client(url: &str) -> Client {
    let settings =
        Settings { url: Some(url.into()), timeout: Duration::from_millis(700), ..Settings::default() };
    settings.open(&|_| None).unwrap().unwrap()
}

/// What the client says of schema 7, of a registry that gives this answer; always in bounded time.
#[track_caller]
fn check(reply: Reply, expected: &str) {
    let fake = Fake::start(move |_| reply.clone());
    let began = Instant::now();
    let told = match client(&fake.url()).schema(7) {
        Ok(schema) => format!("schema of {} bytes", schema.len()),
        Err(trouble) => trouble.to_string(),
    };
    assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
    assert!(told.contains(expected), "`{told}` does not say `{expected}`");
    assert!(told.len() < 700 && !told.contains('\n'), "{told}");
}

#[test]
fn an_answer_is_taken() {
    check(Reply::json(200, &json!({ "schema": ALERT })), "schema of");
    check(
        Reply::json(200, &json!({ "schema": ALERT, "id": 7, "schemaType": "AVRO", "references": [] })),
        "schema of",
    );
}

#[test]
fn lies_are_told() {
    check(Reply::json(200, &json!({ "schema": ALERT, "id": 8 })), "it answers with schema 8");
    check(Reply::json(200, &json!({ "schema": 7 })), "what is not expected");
    check(Reply::json(200, &json!([])), "what is not expected");
    check(Reply::whole(200, b"<html>hello"), "what is not expected");
    check(Reply::whole(200, b""), "what is not expected");
    check(Reply::json(200, &json!({ "schema": "x", "schemaType": "PROTOBUF" })), "it is `PROTOBUF`");
    check(Reply::json(200, &json!({ "schema": "x", "references": [{}] })), "refers to other schemas");
    check(Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "does not speak HTTP");
    check(Reply::Raw(vec![0; 1 << 17]), "does not speak HTTP");
    check(Reply::Redirect("http://127.0.0.1:1/elsewhere"), "redirects to `http://127.0.0.1:1/elsewhere`");
    check(Reply::EndlessBody, "goes beyond 4194304 bytes");
    check(Reply::EndlessHead, "registry `");
}

#[test]
fn the_slow_and_the_absent_cost_a_bounded_wait() {
    check(Reply::Silence, "no whole answer within 700ms");
    check(Reply::Drip, "no whole answer within 700ms");
    check(Reply::HangUp, "does not answer");
    check(Reply::Cut, "broke off");
    let told = client("http://127.0.0.1:1").schema(7).unwrap_err();
    assert!(matches!(told, Trouble::Away { .. }), "{told}");
}

#[test]
fn errors_say_whose_they_are() {
    let error = |code: u32| json!({ "error_code": code, "message": "because\nof that" });
    check(Reply::json(404, &error(40403)), "does not know schema 7 (status 404: because\\nof that)");
    check(Reply::whole(404, b"nothing here"), "no sound answer (status 404)");
    check(Reply::json(401, &error(40101)), "refuses schema 7");
    check(Reply::json(403, &error(40301)), "give credentials that may do that");
    check(Reply::json(422, &error(42201)), "does not take schema 7");
    check(Reply::json(500, &error(50001)), "does not answer (status 500");
    check(Reply::json(429, &error(42901)), "does not answer (status 429");
}

#[test]
fn credentials_go_with_each_question_and_nowhere_else() {
    let fake = Fake::start(|_| Reply::json(200, &json!({ "schema": "\"int\"" })));
    let mut settings = Settings { url: Some(fake.url()), ..Settings::default() };
    settings.username = Some("ward".into());
    settings.password = Variable(Some("P".into()));
    settings.open(&|_| Some("hunter2".into())).unwrap().unwrap().schema(1).unwrap();
    settings.username = None;
    settings.password = Variable(None);
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    std::fs::write(&token, "one\n").unwrap();
    settings.token_file = Some(token.clone());
    let client = settings.open(&|_| None).unwrap().unwrap();
    client.schema(1).unwrap();
    std::fs::write(&token, "two\n").unwrap();
    client.schema(1).unwrap();
    let asked = fake.asked();
    let authorization = |number: usize| {
        let lines = asked[number].lines();
        lines.filter_map(|line| line.strip_prefix("authorization: ")).next().unwrap().to_owned()
    };
    assert_eq!(authorization(0), "Basic d2FyZDpodW50ZXIy");
    assert_eq!((authorization(1), authorization(2)), ("Bearer one".into(), "Bearer two".into()));
}

/// A certificate of our own authority's is believed when that is named, and no other is.
#[test]
fn tls_believes_whom_it_is_told_to() {
    let home = tempfile::tempdir().unwrap();
    let fake = Fake::start_tls(home.path(), |_| Reply::json(200, &json!({ "schema": "\"int\"" })));
    let mut settings = Settings { url: Some(fake.url()), ..Settings::default() };
    settings.ca_file = Some(home.path().join("ca.pem"));
    assert_eq!(settings.open(&|_| None).unwrap().unwrap().schema(1).as_deref(), Ok("\"int\""));

    settings.ca_file = Some(home.path().join("other.pem"));
    let told = settings.open(&|_| None).unwrap().unwrap().schema(1).unwrap_err();
    assert!(matches!(&told, Trouble::Away { why, .. } if why.contains("TLS")), "{told}");
}

/// What is beyond our limits is an answer: nobody waits for another.
#[test]
fn records_of_a_schema_beyond_our_limits_are_rejected() {
    let fields: String =
        (0..10_001).map(|number| format!(r#"{{"name":"f{number}","type":"int"}},"#)).collect();
    let many = format!(r#"{{"type":"record","name":"A","fields":[{}]}}"#, fields.trim_end_matches(','));
    let deep = format!(r#"{}"int"{}"#, r#"{"type":"array","items":"#.repeat(200), "}".repeat(200));
    let long = format!(r#"{{"type":"record","name":"A","doc":"{}","fields":[]}}"#, "x".repeat(1 << 20));
    for (schema, expected) in [(many, "10000 types"), (deep, "127 deep"), (long, "at most 1048576")] {
        let fake = Fake::start(move |_| Reply::json(200, &json!({ "schema": schema })));
        let (stop, clock) = (Stop::default(), ProcessClock::default());
        let asking = Box::new(client(&fake.url()));
        let lookup = Lookup::start(asking, WhenAway::Wait, clock, stop.clone()).unwrap();
        lookup.want(7);
        let until = Instant::now() + Duration::from_secs(20);
        while lookup.writers().get(7).is_none() {
            assert!(Instant::now() < until, "{expected}: the record would still wait");
            std::thread::sleep(Duration::from_millis(20));
        }
        let writers = lookup.writers();
        let how = How { format: Format::Confluent, headers: &[], writers: &writers };
        let told = decode(&[0, 0, 0, 0, 7, 1], how, "", None, &Limits::default()).unwrap_err();
        assert_eq!(told.reason, Reject::UnknownSchema);
        assert!(told.detail.contains("schema id 7") && told.detail.contains(expected), "{}", told.detail);
        stop.set();
    }
}

fn ward(args: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_ward")).args(args).current_dir(home.path()).env_clear().output().unwrap()
}

/// Exit code, standard output, standard error.
#[track_caller]
fn schemas(command: &str, url: &str) -> (i32, Value, String) {
    let output = ward(&["schemas", command, "--json", "--registry", url]);
    let said = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), said, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn schemas_come_into_a_registry_and_stay_the_same() {
    let fake = Fake::registry();
    let (code, said, _) = schemas("check", &fake.url());
    assert_eq!((code, &said["subjects"][0]["state"]), (1, &json!("missing")));
    assert_eq!(said["subjects"].as_array().unwrap().len(), 6);
    assert_eq!(schemas("list", &fake.url()).0, 0, "a list finds nothing");

    let (code, first, _) = schemas("register", &fake.url());
    assert_eq!((code, &first["subjects"][2]["state"]), (0, &json!("registered")));
    let (code, again, _) = schemas("register", &fake.url());
    assert_eq!((code, &again["subjects"][2]["state"]), (0, &json!("same")));
    assert_eq!(first["subjects"][2]["id"], again["subjects"][2]["id"]);
    assert_eq!(schemas("check", &fake.url()).0, 0);
    let registered = fake.asked().iter().filter(|asked| asked.contains("/versions HTTP")).count();
    assert_eq!(registered, 6, "each is registered once");
}

#[test]
fn what_does_not_go_with_the_registry_is_found() {
    let fake = Fake::registry();
    fake.put("risk.alerts-value", r#"{"type":"record","name":"Other","fields":[]}"#);
    fake.put("identity.events-value", r#"{"type":"record","name":"Other","fields":[]}"#);
    let (code, said, _) = schemas("register", &fake.url());
    assert_eq!(code, 1);
    let state = |subject: &str| {
        let all = said["subjects"].as_array().unwrap();
        let found = all.iter().find(|one| one["subject"] == subject).unwrap();
        (
            found["state"].as_str().unwrap().to_owned(),
            found["mistake"]["found"].as_str().unwrap_or("").to_owned(),
        )
    };
    assert_eq!(
        state("risk.alerts-value"),
        ("incompatible".into(), "the registry does not take it: names differ".into())
    );
    assert_eq!(state("identity.events-value").0, "unreadable");
    assert_eq!(state("risk.decisions-value"), ("registered".into(), String::new()));
}

#[test]
fn a_registry_that_is_away_or_lies_ends_with_3() {
    assert_eq!(schemas("check", "http://127.0.0.1:1").0, 3);
    let fake = Fake::start(|_| Reply::json(200, &json!({ "id": 1 })));
    let (code, _, told) = schemas("register", &fake.url());
    assert_eq!(code, 3, "{told}");
    let fake = Fake::start(|_| Reply::json(403, &json!({ "error_code": 40301, "message": "no" })));
    assert_eq!(schemas("check", &fake.url()).0, 2);
    let output = ward(&["schemas", "check"]);
    assert_eq!(output.status.code(), Some(2), "without a registry there is nothing to compare with");
}
