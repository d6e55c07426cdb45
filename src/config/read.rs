//! From a document to settings, section by section. What a document does not say stays as it is.

use std::path::PathBuf;
use std::time::Duration;

use super::{Input, LogFormat, Output, OutputFormat, Settings, Start, Tables, Topics};
use crate::adapters::kafka::{self, Mechanism, Sasl, Tls};
use crate::engine::decode::{Format, Limits};
use crate::engine::document::{Table, Value, quoted};

pub(super) fn settings(settings: &mut Settings, mut root: Table<'_>) {
    section(&mut root, "kafka", |table| kafka(&mut settings.kafka, table));
    section(&mut root, "topics", |table| topics(&mut settings.topics, table));
    section(&mut root, "run", |table| run(&mut settings.run, table));
    section(&mut root, "identity", |table| identity(&mut settings.identity, table));
    section(&mut root, "tables", |table| tables(&mut settings.tables, table));
    section(&mut root, "policy", |table| text(&mut settings.policy.file, table, "file"));
    section(&mut root, "log", |table| {
        text(&mut settings.log.filter, table, "filter");
        word(&mut settings.log.format, table, "format", &LOG_FORMATS);
    });
    root.finish();
}

fn section(root: &mut Table<'_>, key: &'static str, read: impl FnOnce(&mut Table<'_>)) {
    if let Some(mut table) = root.table(key) {
        read(&mut table);
        table.finish();
    }
}

fn kafka(kafka: &mut kafka::Settings, table: &mut Table<'_>) {
    text(&mut kafka.bootstrap, table, "bootstrap");
    text(&mut kafka.group, table, "group");
    set(&mut kafka.danger_plaintext, table.take("danger_plaintext").and_then(|value| value.flag()));
    if let Some(timeout) = table.take("connect_timeout").and_then(|value| value.duration_from(SECOND)) {
        kafka.connect_timeout_seconds = Some(timeout.as_secs());
    }
    section(table, "tls", |table| tls(kafka.tls.get_or_insert_default(), table));
    section(table, "sasl", |table| sasl(&mut kafka.sasl, table));
    if let Some(extra) = table.table("extra") {
        for (name, value) in extra.entries() {
            property(kafka, &name, &value);
        }
    }
}

fn tls(tls: &mut Tls, table: &mut Table<'_>) {
    path(&mut tls.ca_file, table, "ca_file");
    path(&mut tls.certificate_file, table, "certificate_file");
    path(&mut tls.key_file, table, "key_file");
    path(&mut tls.key_password_file, table, "key_password_file");
    if let Some(value) = table.take("key_password") {
        value.mistake(secret(&value, "key_password_file", None));
    }
}

fn sasl(slot: &mut Option<Sasl>, table: &mut Table<'_>) {
    let stated = table.take("mechanism");
    let is_from_variable = stated.as_ref().is_some_and(Value::is_from_environment) || table.is_variable();
    let mechanism = stated.and_then(|value| value.word(&MECHANISMS, |(_, name)| name));
    let sasl = slot.get_or_insert_with(|| Sasl {
        // The commonest; a section of a file has to state it all the same.
        mechanism: Mechanism::ScramSha512,
        username: String::new(),
        password_file: None,
        password_env: None,
        token_file: None,
    });
    match mechanism {
        Some((mechanism, _)) => sasl.mechanism = mechanism,
        None if is_from_variable => {}
        None => {
            table.need("mechanism", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER");
        }
    }
    text(&mut sasl.username, table, "username");
    path(&mut sasl.password_file, table, "password_file");
    path(&mut sasl.token_file, table, "token_file");
    if let Some(name) = table.take("password_env").and_then(|value| value.name().map(str::to_owned)) {
        sasl.password_env = Some(name);
    }
    if let Some(value) = table.take("password") {
        if value.is_from_environment() {
            // Whoever makes the connection reads it there: settings hold no secret.
            sasl.password_env = Some(PASSWORD_VARIABLE.to_owned());
            sasl.password_file = None;
        } else {
            value.mistake(secret(&value, "password_file", Some(PASSWORD_VARIABLE)));
        }
    }
}

/// Says that a secret stands where it must not, without showing it.
fn secret(value: &Value<'_>, file: &str, variable: Option<&str>) -> String {
    let or = variable.map(|name| format!(", or set the variable {name}")).unwrap_or_default();
    format!("`{}` is a secret in clear, expected none here; name a file by `{file}`{or}", value.path())
}

/// A librdkafka property, but those that our guarantees rest on.
fn property(kafka: &mut kafka::Settings, name: &Value<'_>, value: &Value<'_>) {
    let Some(key) = name.text() else { return };
    if kafka::is_reserved(key) {
        name.mistake(format!(
            "`kafka.extra` sets {}, which the exactly-once guarantee or the connection's safety rests on; remove it",
            quoted(key)
        ));
    } else if let Some(value) = value.scalar() {
        kafka.extra.insert(key.to_owned(), value);
    }
}

fn topics(topics: &mut Topics, table: &mut Table<'_>) {
    let input = |table: &mut Table<'_>, key, topic: &mut Input| {
        section(table, key, |table| {
            topic_name(&mut topic.name, table);
            word(&mut topic.format, table, "format", &INPUT_FORMATS);
        });
    };
    let output = |table: &mut Table<'_>, key, topic: &mut Output| {
        section(table, key, |table| {
            topic_name(&mut topic.name, table);
            word(&mut topic.format, table, "format", &OUTPUT_FORMATS);
        });
    };
    input(table, "events", &mut topics.events);
    input(table, "feedback", &mut topics.feedback);
    output(table, "decisions", &mut topics.decisions);
    output(table, "alerts", &mut topics.alerts);
    output(table, "revocations", &mut topics.revocations);
    output(table, "rejected", &mut topics.rejected);
    section(table, "profiles", |table| topic_name(&mut topics.profiles, table));
}

/// What Kafka takes as a topic's name.
fn topic_name(slot: &mut String, table: &mut Table<'_>) {
    let Some(value) = table.take("name") else { return };
    let Some(name) = value.text() else { return };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > TOPIC_BYTES_MAX || !name.bytes().all(is_plain) {
        let what = "a topic's name: letters, digits, `.`, `_` and `-`, at most 249";
        return value.expected::<()>(what).unwrap_or_default();
    }
    name.clone_into(slot);
}

fn run(run: &mut super::Run, table: &mut Table<'_>) {
    if let Some(instance) = table.take("instance").and_then(|value| instance(&value)) {
        run.instance = Some(instance);
    }
    if let Some(workers) = table.take("workers").and_then(|value| value.number(1, WORKERS_MAX)) {
        run.workers = Some(workers);
    }
    set(&mut run.state_dir, table.take("state_dir").and_then(|value| value.name().map(PathBuf::from)));
    let mut time = |slot: &mut Duration, key, least| {
        set(slot, table.take(key).and_then(|value| value.duration_from(least)));
    };
    time(&mut run.commit_interval, "commit_interval", COMMIT_INTERVAL_MIN);
    time(&mut run.checkpoint_interval, "checkpoint_interval", SECOND);
    time(&mut run.session_timeout, "session_timeout", SESSION_TIMEOUT_MIN);
    let mut size = |slot: &mut u32, key, least, most| {
        set(slot, table.take(key).and_then(|value| value.number(least, most)));
    };
    size(&mut run.transaction_records, "transaction_records", 1, 100_000);
    size(&mut run.transaction_bytes, "transaction_bytes", 1 << 16, 64 << 20);
    size(&mut run.checkpoint_bytes, "checkpoint_bytes", 1 << 20, 1 << 30);
    set(&mut run.accept_gap, table.take("accept_gap").and_then(|value| value.flag()));
    word(&mut run.start, table, "start", &STARTS);
}

/// It stands in group and transactional ids, in logs and in file names of other tools.
fn instance(value: &Value<'_>) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let name = value.text()?;
    if name.is_empty() || name.len() > INSTANCE_BYTES_MAX || !name.bytes().all(is_plain) {
        return value.expected("1 to 100 letters, digits, `.`, `_` or `-`");
    }
    Some(name.to_owned())
}

fn identity(limits: &mut Limits, table: &mut Table<'_>) {
    if let Some(list) = table.take("placeholders") {
        let lower = |value: &Value<'_>| value.text().map(str::to_lowercase);
        limits.placeholders = list.list().iter().filter_map(lower).collect();
    }
    if let Some(age) = table.take("max_age") {
        let age = if age.is_text("none") { Some(None) } else { age.duration_from(SECOND).map(Some) };
        set(&mut limits.max_age, age);
    }
}

fn tables(tables: &mut Tables, table: &mut Table<'_>) {
    let mut files = |slot: &mut Vec<PathBuf>, key| {
        if let Some(list) = table.take(key) {
            *slot = list.list().iter().filter_map(Value::name).map(PathBuf::from).collect();
        }
    };
    files(&mut tables.geo, "geo");
    files(&mut tables.asn, "asn");
    files(&mut tables.networks, "networks");
}

fn text(slot: &mut String, table: &mut Table<'_>, key: &'static str) {
    set(slot, table.take(key).and_then(|value| value.name().map(str::to_owned)));
}

fn path(slot: &mut Option<PathBuf>, table: &mut Table<'_>, key: &'static str) {
    if let Some(path) = table.take(key).and_then(|value| value.name().map(PathBuf::from)) {
        *slot = Some(path);
    }
}

fn word<T: Copy>(slot: &mut T, table: &mut Table<'_>, key: &'static str, all: &[(T, &'static str)]) {
    if let Some((value, _)) = table.take(key).and_then(|value| value.word(all, |(_, name)| name)) {
        *slot = value;
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

const MECHANISMS: [(Mechanism, &str); 4] = [
    (Mechanism::Plain, "PLAIN"),
    (Mechanism::ScramSha256, "SCRAM-SHA-256"),
    (Mechanism::ScramSha512, "SCRAM-SHA-512"),
    (Mechanism::OauthBearer, "OAUTHBEARER"),
];
const INPUT_FORMATS: [(Format, &str); 3] =
    [(Format::Json, "json"), (Format::Avro, "avro"), (Format::AvroBare, "avro_bare")];
const OUTPUT_FORMATS: [(OutputFormat, &str); 2] =
    [(OutputFormat::Avro, "avro"), (OutputFormat::Json, "json")];
const LOG_FORMATS: [(LogFormat, &str); 2] = [(LogFormat::Text, "text"), (LogFormat::Json, "json")];
const STARTS: [(Start, &str); 2] = [(Start::Earliest, "earliest"), (Start::Latest, "latest")];

const PASSWORD_VARIABLE: &str = "WARD__KAFKA__SASL__PASSWORD";
const SECOND: Duration = Duration::from_secs(1);
/// Below it a transaction is mostly its own overhead.
const COMMIT_INTERVAL_MIN: Duration = Duration::from_millis(5);
/// Brokers refuse less by default.
const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(6);
/// Each worker is a thread with a consumer and a producer.
const WORKERS_MAX: u16 = 1_024;
const INSTANCE_BYTES_MAX: usize = 100;
/// Kafka's own limit.
const TOPIC_BYTES_MAX: usize = 249;
