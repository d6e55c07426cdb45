//! A `ward run` of the test's own, with topics, group and store that nobody else has; and the
//! yardstick: the plain fold of the input through the engine, with no lane and no store in sight.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::engine::enrich::{builtin::Builtin, enrich};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::model::time::Timestamp;
use wardstream::ports::tables::Tables as _;

use super::broker::{Broker, said};
use super::foreign;

/// Topics, a group, a folder.
#[derive(Debug)]
pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) home: tempfile::TempDir,
    suffix: String,
    extra: String,
}

impl World {
    /// Makes the topics with `ward topics create`. `extra` is TOML for the end of the configuration;
    /// what stands before its first section is of `[kafka]`.
    #[track_caller]
    pub(super) fn new(broker: Broker, partitions: u32, extra: &str) -> Self {
        let world = Self::bare(broker, extra);
        let made = world.ward(&["topics", "create", "--partitions", &partitions.to_string()]);
        said(Ok(made));
        world
    }

    /// The same without topics.
    pub(super) fn bare(broker: Broker, extra: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let suffix = format!("{}-w{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let world = Self { broker, home: tempfile::tempdir().unwrap(), suffix, extra: extra.to_owned() };
        std::fs::write(world.config(), world.configuration()).unwrap();
        world
    }

    pub(super) fn topic(&self, name: &str) -> String {
        format!("{name}-{}", self.suffix)
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("ward.toml")
    }

    fn configuration(&self) -> String {
        let (kafka, extra) = self.extra.split_at(self.extra.find('[').unwrap_or(self.extra.len()));
        let mut text = format!(
            "[kafka]\nbootstrap = '{}'\ngroup = 'ward-{}'\n{kafka}\n[run]\ncheckpoint_interval = '1s'\nsession_timeout = '6s'\n",
            self.broker.bootstrap(),
            self.suffix
        );
        for name in ["events", "feedback", "decisions", "alerts", "revocations", "rejected"] {
            let format = if matches!(name, "alerts" | "revocations" | "rejected") { "avro" } else { "json" };
            let format =
                if name == "alerts" && self.extra.contains("alerts as ocsf") { "ocsf" } else { format };
            let format = if self.extra.contains("avro in and out") { "avro" } else { format };
            let format = if self.extra.contains("confluent in and out") { "confluent" } else { format };
            writeln!(text, "[topics.{name}]\nname = '{}'\nformat = '{format}'", self.topic(name)).unwrap();
        }
        for name in ["policies", "sightings", "networks", "network_state"] {
            writeln!(text, "[topics.{name}]\nname = '{}'", self.topic(name)).unwrap();
        }
        writeln!(text, "[topics.profiles]\nname = '{}'\n{}", self.topic("profiles"), extra).unwrap();
        text
    }

    /// The workers' group.
    pub(super) fn group(&self) -> String {
        format!("ward-{}", self.suffix)
    }

    /// Runs a command of `ward` to its end, as another user than the configuration says.
    pub(super) fn ward_as(&self, user: &str, arguments: &[&str]) -> std::process::Output {
        self.ward_with(arguments, "WARD__KAFKA__SASL__USERNAME", user)
    }

    /// Runs a command of `ward` to its end, with something else in its environment.
    pub(super) fn ward_with(&self, arguments: &[&str], name: &str, value: &str) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
        command.args(arguments).arg("--config").arg(self.config());
        command.env(name, value).output().expect("ward starts")
    }

    /// Runs a command of `ward` to its end.
    pub(super) fn ward(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
        command.args(arguments).arg("--config").arg(self.config());
        command.output().expect("ward starts")
    }

    /// Starts a command of `ward` that somebody reads.
    #[track_caller]
    pub(super) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
        command.args(arguments).arg("--config").arg(self.config());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ward starts")
    }

    /// Starts `ward run`.
    #[track_caller]
    pub(super) fn run(&self, instance: &str, more: &[&str]) -> Ward {
        self.run_without_geo(instance, &[&["--geo", "builtin"], more].concat())
    }

    /// The same with the tables that the configuration names.
    #[track_caller]
    pub(super) fn run_without_geo(&self, instance: &str, more: &[&str]) -> Ward {
        self.run_inside(&[], instance, more)
    }

    /// The same inside of another command, which ends as `ward`: what stands before its name.
    #[track_caller]
    pub(super) fn run_inside(&self, outer: &[&str], instance: &str, more: &[&str]) -> Ward {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = self.home.path().join(format!("{instance}-{count}.log"));
        let file = std::fs::File::create(&log).unwrap();
        let line = [outer, &[env!("CARGO_BIN_EXE_ward")]].concat();
        let child = Command::new(line[0])
            .args(&line[1..])
            .args(["run", "--instance", instance, "--config"])
            .arg(self.config())
            .arg("--state")
            .arg(self.state(instance))
            .args(more)
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("ward starts");
        Ward { child, log }
    }

    pub(super) fn state(&self, instance: &str) -> PathBuf {
        self.home.path().join(format!("state-{instance}"))
    }

    #[track_caller]
    pub(super) fn produce(&self, events: &[Value]) {
        let lines: Vec<_> = events.iter().map(Value::to_string).collect();
        foreign::produce(
            &self.broker,
            &self.topic("events"),
            &lines.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }

    /// Waits until as many decisions can be read as the input calls for, and compares every one of
    /// them with the fold: which, in which order, with which chain, exactly once.
    #[track_caller]
    pub(super) fn decisions_are_the_fold(&self) -> Vec<Value> {
        let input = foreign::read_all(&self.broker, &self.topic("events"));
        let expected = fold(&self.topic("events"), &input);
        let count = expected.values().map(Vec::len).sum();
        foreign::read(&self.broker, &self.topic("decisions"), count);
        // Once more, to the end: a duplicate would come after the last.
        let found = foreign::read_all(&self.broker, &self.topic("decisions"));
        let mut by_partition = BTreeMap::<i64, Vec<Value>>::new();
        for record in &found {
            let decision = record["value"].clone();
            by_partition.entry(record["partition"].as_i64().unwrap()).or_default().push(decision);
        }
        for (partition, expected) in &expected {
            let found = by_partition.remove(partition).unwrap_or_default();
            assert_eq!(found.len(), expected.len(), "decisions of partition {partition}");
            for (found, expected) in found.iter().zip(expected) {
                assert_same(found, expected);
            }
        }
        assert!(by_partition.is_empty(), "decisions that no input called for: {by_partition:?}");
        found
    }
}

/// An Avro reader spells times in its own way and has no `text`less enums; what must match is
/// everything that the chain does not already hold, and the chain.
#[track_caller]
fn assert_same(found: &Value, expected: &Value) {
    for key in ["chain", "decision_id", "event_id", "user_id", "risk_score", "action", "position"] {
        assert_eq!(found[key], expected[key], "{key} of {found} and {expected}");
    }
}

/// The decisions that an input calls for, by partition.
#[track_caller]
fn fold(topic: &str, input: &[Value]) -> BTreeMap<i64, Vec<Value>> {
    let policy = Policy::shipped("default").unwrap();
    let tables = Builtin::new();
    let basis = Basis {
        policy: policy.digest,
        engine: wardstream::engine::REVISION,
        tables: tables.digest(),
        model: None,
    };
    let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
    let mut profiles = BTreeMap::<String, BTreeMap<Part, Vec<u8>>>::new();
    let mut chains = BTreeMap::<i64, Digest>::new();
    let mut decisions = BTreeMap::<i64, Vec<Value>>::new();
    for record in input {
        let (partition, offset) = (record["partition"].as_i64().unwrap(), record["offset"].as_i64().unwrap());
        if record["value"].get("user_id").is_none() {
            continue;
        }
        let key = record["key"].as_str().unwrap_or_default().to_owned();
        let recorded_at = record["timestamp"].as_i64().and_then(|ms| Timestamp::from_micros(ms * 1000));
        let text = plain(&record["value"]).to_string();
        let id = format!("{topic}:{partition}:{offset}");
        let Ok(decoded) = decode(text.as_bytes(), Format::Json, &id, recorded_at, &Limits::default()) else {
            continue;
        };
        if key != format!("{}/{}", decoded.event.tenant, decoded.event.user)
            || partition != placed(&key, input)
        {
            continue;
        }
        let seen = enrich(decoded.event, &tables);
        let parts = profiles.entry(key).or_default();
        let mut profile = match parts.get(&Part::Core) {
            Some(core) => Profile::from_core(core).unwrap(),
            None => Profile::absent(),
        };
        for part in profile.needs(seen.event.kind()).iter() {
            profile.load(part, parts.get(&part).map(Vec::as_slice)).unwrap();
        }
        let at = Position { topic: Some(topic.into()), partition: i32::try_from(partition).unwrap(), offset };
        match step(&mut profile, &seen, at, &setting) {
            Stepped::Duplicate => continue,
            Stepped::Missing(part) => panic!("part {part} was not loaded"),
            Stepped::Decided(ruling) => {
                let mut text = Vec::new();
                let chain = chains.entry(partition).or_default();
                *chain = emit::decision_json(&ruling.decision, *chain, &mut text);
                decisions.entry(partition).or_default().push(serde_json::from_slice(&text).unwrap());
            }
        }
        profile.take_changes(&mut Vec::new(), |part, bytes| match bytes {
            Some(bytes) => drop(parts.insert(part, bytes.to_vec())),
            None => drop(parts.remove(&part)),
        });
    }
    decisions
}

/// Where a key belongs: as many partitions as the input shows, by the pipeline's own rule, which has
/// Kafka's published vectors as its test.
fn placed(key: &str, input: &[Value]) -> i64 {
    let partitions = input[0]["partitions"].as_i64().unwrap_or_else(|| {
        input.iter().filter_map(|record| record["partition"].as_i64()).max().unwrap_or(0) + 1
    });
    wardstream::pipeline::intake::partition_of(key.as_bytes(), i32::try_from(partitions).unwrap()).into()
}

/// A value as it was written: an Avro reader shows absent fields as null.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), plain(v))).collect()
        }
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// A running `ward run`; killed when dropped.
#[derive(Debug)]
pub(super) struct Ward {
    child: Child,
    log: PathBuf,
}

impl Ward {
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until the log says `what`.
    #[track_caller]
    pub(super) fn says(&mut self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(what) {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() || self.log().contains(what),
                "ended with {ended:?}, not `{what}`:\n{}",
                self.log()
            );
            assert!(Instant::now() < deadline, "does not say `{what}`:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it holds exactly these partitions, one worker a list.
    #[track_caller]
    pub(super) fn is_ready(&mut self, partitions: &str) {
        self.says(&format!("partitions=\"{partitions}\""));
    }

    /// Sends a signal by its name.
    #[track_caller]
    pub(super) fn signal(&self, signal: &str) {
        said(Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).output());
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub(super) fn end(mut self, signal: &str) -> (ExitStatus, Duration, String) {
        let began = Instant::now();
        self.signal(signal);
        let status = self.wait();
        (status, began.elapsed(), self.log())
    }

    #[track_caller]
    pub(super) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A successful login at home, `minute` minutes ago.
pub(super) fn login(user: &str, id: &str, minute: i64) -> Value {
    serde_json::json!({
        "event_id": id, "tenant": "acme", "user_id": user, "type": "login", "occurred_at": ago(minute),
        "source": "okta", "outcome": "success", "factors": ["password", "totp"], "ip_address": "81.2.69.142",
        "device_fingerprint": format!("d-{user}"), "session_id": format!("s-{user}"),
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    })
}

/// RFC 3339, so many minutes before now.
pub(super) fn ago(minutes: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_seconds(i64::try_from(now).unwrap() - minutes * 60).unwrap().to_string()
}

/// Overwrites the middle of every file of a store.
pub(super) fn corrupt(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            corrupt(&path);
        } else {
            let mut bytes = std::fs::read(&path).unwrap();
            let (from, to) = (bytes.len() / 4, bytes.len() / 2);
            bytes[from..to].iter_mut().for_each(|byte| *byte ^= 0x5a);
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

/// A debug build on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);
