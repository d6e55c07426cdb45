//! Topics in the Confluent wire format, by the ids of a real registry: in and out, read back by
//! Avro's own library, through a registry that hangs and comes back.
#![expect(clippy::disallowed_methods, reason = "a test asks the time, as a producer does")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wardstream::adapters::registry::{Client, Settings};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;

use super::broker::{Broker, said};
use super::foreign;
use super::run::events;
use super::ward::World;
use crate::registry::fake::{Fake, Reply};

/// A registry of the test's own, stopped when the value is dropped.
struct Registry {
    home: tempfile::TempDir,
    url: String,
}

impl Registry {
    #[track_caller]
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let printed = said(Self::script("start", &home).output());
        let url = printed.trim().strip_prefix("WARD_REGISTRY=").unwrap().to_owned();
        Self { home, url }
    }

    fn script(command: &str, home: &tempfile::TempDir) -> Command {
        let mut run = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/registry/registry"));
        run.arg(command).arg("--dir").arg(home.path().join("registry"));
        run
    }

    fn client(&self) -> Client {
        let settings = Settings { url: Some(self.url.clone()), ..Settings::default() };
        settings.open(&|_| None).unwrap().unwrap()
    }

    /// Of its address, what follows the port.
    fn path(&self) -> &str {
        let after = self.url.strip_prefix("http://").unwrap();
        after.find('/').map_or("", |at| &after[at..])
    }

    /// The same behind TLS: what is asked there is asked here. Its authority's certificate is `ca.pem` in
    /// the registry's home.
    fn over_tls(&self) -> Fake {
        let address = self.url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Fake::start_tls(self.home.path(), move |asked| {
            let last = asked.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
            let pass_on = || {
                let (mut to, mut answer) = (TcpStream::connect(&address)?, Vec::new());
                to.write_all(last.as_bytes())?;
                to.read_to_end(&mut answer).map(|_| answer)
            };
            // Who is cut off by the registry cuts off whoever asked.
            pass_on().map_or(Reply::HangUp, Reply::Raw)
        })
    }

    /// STOP makes it hang, CONT lets it go on.
    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.home.path().join("registry/registry.pid")).unwrap();
        said(Command::new("kill").args([&format!("-{signal}"), pid.trim()]).output());
    }

    /// The schema and the value of a record, as who only knows Avro and the registry reads it.
    #[track_caller]
    fn read(&self, record: &Value) -> (u32, Value) {
        let bytes = BASE64_STANDARD.decode(record["base64"].as_str().unwrap()).unwrap();
        assert_eq!(bytes[0], 0, "the magic byte");
        let id = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
        let schema = Schema::parse_str(&self.client().schema(id).unwrap()).unwrap();
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
        let mut rest = &bytes[5..];
        let value = reader.read_value(&mut rest).unwrap();
        assert!(rest.is_empty(), "{} bytes follow the datum", rest.len());
        (id, Value::try_from(value).unwrap())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.signal("CONT");
        drop(Self::script("stop", &self.home).output());
    }
}

/// What others publish: their own record, under a name of their own.
fn theirs(name: &str) -> String {
    json!({"type": "record", "name": name, "namespace": "their", "fields": [
        {"name": "user_id", "type": "string"},
        {"name": "tenant", "type": "string"},
        {"name": "shoe_size", "type": ["null", "int"]},
        {"name": "outcome", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "type", "type": "string"},
    ]})
    .to_string()
}

fn record(user: &str, id: u32, datum: &[u8]) -> Value {
    let value = [&[0], id.to_be_bytes().as_slice(), datum].concat();
    json!({"key": format!("acme/{user}"), "base64": BASE64_STANDARD.encode(value)})
}

/// A login, as they write it.
fn login(user: &str, id: u32, schema: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let value = Avro::Record(vec![
        ("user_id".into(), Avro::String(user.into())),
        ("tenant".into(), Avro::String("acme".into())),
        ("shoe_size".into(), Avro::Union(1, Box::new(Avro::Int(38)))),
        ("outcome".into(), Avro::String("success".into())),
        ("occurred_at".into(), Avro::TimestampMillis(now.as_millis().try_into().unwrap())),
        ("type".into(), Avro::String("login".into())),
    ]);
    let schema = Schema::parse_str(schema).unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
    record(user, id, &writer.write_value_to_vec(value).unwrap())
}

/// The same events as we write them.
fn ours(events: &[Value], id: u32) -> Vec<Value> {
    let record_of = |event: &Value| {
        let text = event.to_string();
        let event = decode(text.as_bytes(), Format::Json, "", None, &Limits::default()).unwrap().event;
        let mut value = Vec::new();
        emit::confluent(id, &mut value, |out| emit::event_avro(&event, out));
        record(&event.user, id, &value[5..])
    };
    events.iter().map(record_of).collect()
}

#[track_caller]
fn json_of(world: &World, args: &[&str], code: i32) -> Value {
    let output = world.ward(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs a broker: make test"]
fn the_wire_format_of_a_registry_goes_in_and_out() {
    let registry = Registry::start();
    let front = registry.over_tls();
    let extra = format!(
        "# confluent in and out\n[registry]\nurl = '{}{}'\nca_file = '{}'\ntimeout = '5s'\n",
        front.url(),
        registry.path(),
        registry.home.path().join("ca.pem").display()
    );
    let world = World::new(Broker::shared(), 2, &extra);
    let (input, output) = (world.topic("events"), world.topic("decisions"));

    assert_eq!(json_of(&world, &["schemas", "check", "--json"], 1)["subjects"][0]["state"], "missing");
    json_of(&world, &["schemas", "register", "--json"], 0);
    let listed = json_of(&world, &["schemas", "check", "--json"], 0);
    let id_of = |schema: &str| {
        let all = listed["subjects"].as_array().unwrap();
        let found = all.iter().find(|one| one["schema"] == schema).unwrap();
        u32::try_from(found["id"].as_u64().unwrap()).unwrap()
    };
    assert_eq!(json_of(&world, &["check", "--json"], 0)["ok"], true);
    let client = registry.client();
    let (early, late) = (theirs("Early"), theirs("Late"));
    let (early_id, late_id) =
        (client.register("early-value", &early).unwrap(), client.register("late-value", &late).unwrap());

    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    foreign::produce_raw(&world.broker, &input, &ours(&events(6, 5, "a"), id_of("event")));
    let logins: Vec<_> = (0..6).map(|user| login(&format!("user{user}"), early_id, &early)).collect();
    foreign::produce_raw(&world.broker, &input, &logins);
    foreign::produce_raw(&world.broker, &input, &[record("user1", 999_999, b"whatever")]);
    let decided = foreign::read(&world.broker, &output, 36);
    for record in &decided {
        let (id, decision) = registry.read(record);
        assert_eq!((id, &decision["tenant"]), (id_of("decision"), &json!("acme")));
        assert_eq!(record["key"], format!("acme/{}", decision["user_id"].as_str().unwrap()));
    }
    let (id, rejected) = registry.read(&foreign::read(&world.broker, &world.topic("rejected"), 1)[0]);
    assert_eq!((id, &rejected["reason"]), (id_of("rejected"), &json!("unknown_schema")));
    assert!(rejected["detail"].as_str().unwrap().contains("schema id 999999"), "{rejected}");

    // The registry hangs: who needs it waits, and nobody else.
    registry.signal("STOP");
    foreign::produce_raw(&world.broker, &input, &[login("user0", late_id, &late)]);
    ward.says("no schema from the registry");
    let others: Vec<_> = (0..6).map(|user| login(&format!("user{user}"), early_id, &early)).collect();
    foreign::produce_raw(&world.broker, &input, &others);
    let partition_of =
        |user: &str| wardstream::pipeline::intake::partition_of(format!("acme/{user}").as_bytes(), 2);
    let behind = (0..6).filter(|user| partition_of(&format!("user{user}")) == partition_of("user0")).count();
    let held = |decided: &[Value]| {
        decided.iter().filter(|record| record["partition"] == partition_of("user0")).count()
    };
    let later = foreign::read(&world.broker, &output, 36 + 6 - behind);
    assert_eq!((held(&later), behind < 6), (held(&decided), true), "{behind} are behind the one that waits");
    registry.signal("CONT");
    foreign::read(&world.broker, &output, 36 + 6 + 1);
    ward.says("the registry answers");

    // Feedback comes, and is copied, in the same form.
    let about = ["--user", "user1", "--tenant", "acme", "--since", "2026-01-01T00:00:00Z"];
    let output_of = world.ward(&[&["feedback", "safe"], about.as_slice()].concat());
    assert_eq!(output_of.status.code(), Some(0), "{}", String::from_utf8_lossy(&output_of.stderr));
    let copied = foreign::read(&world.broker, &input, 30 + 6 + 1 + 1 + 6 + 1);
    let is_feedback = |record: &&Value| {
        let bytes = BASE64_STANDARD.decode(record["base64"].as_str().unwrap()).unwrap();
        bytes[1..5] == id_of("event").to_be_bytes() && registry.read(record).1["type"] == "feedback"
    };
    assert_eq!(copied.iter().filter(is_feedback).count(), 1);
    foreign::read(&world.broker, &output, 36 + 6 + 1 + 1);
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    let report = json_of(&world, &["replay", &format!("topic:{input}"), "--format", "json"], 0);
    assert_eq!((&report["decisions"], &report["reproduction"]["different"]), (&json!(44), &json!(0)));
    let verified = json_of(&world, &["verify", "--json"], 0);
    let counts =
        verified["chains"].as_array().unwrap().iter().map(|chain| chain["decisions"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 44);
    let (_, decision) = registry.read(decided.last().unwrap());
    let (id, events) = (decision["decision_id"].as_str().unwrap(), format!("topic:{input}"));
    let explained = json_of(&world, &["explain", id, "--events", &events, "--json"], 0);
    assert_eq!((&explained["event_id"], &explained["not_shown"]), (&decision["event_id"], &json!([])));

    // A restart reads its own mark, and goes on.
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    foreign::produce_raw(&world.broker, &input, &[login("user0", late_id, &late)]);
    foreign::read(&world.broker, &output, 45);
    let (status, took, _) = ward.end("TERM");
    assert!(status.code() == Some(0) && took < Duration::from_secs(20), "{status} after {took:?}");
}
