//! Settings: one TOML file, the environment over it, and every mistake of both at once.
//!
//! The file is the one given, else the one that `WARD_CONFIG` names, else `config/ward.toml`, which
//! may be missing. `WARD__SECTION__KEY` in the environment sets what `key` under `[section]` does.
//! Secrets come from files or from the environment; one that is written into the file is refused.
//! The options of a command line come on top of all.
//!
//! `fields` is the one list of what there is: documents are read by it, and what describes them (the
//! reference, the schema, `ward config show`) is made from it.

mod describe;
mod field;
mod fields;
mod forms;
mod inputs;
mod read;
mod schema;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::{kafka, otlp, registry};
use crate::engine::decode::{Format, Limits};
use crate::engine::document::{self, Mistake};
use crate::engine::step::Remembering;

pub use describe::{reference, shown};
pub use field::{Form, Kind};
pub use fields::{Row, rows};
pub use inputs::Unkeyed;
pub use schema::schema;

/// Everything that a file and the environment say. The defaults are those of `config/ward.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub kafka: kafka::Settings,
    pub topics: Topics,
    /// `[inputs.NAME]`: topics that are keyed anew, by name.
    pub inputs: BTreeMap<String, Unkeyed>,
    pub registry: registry::Settings,
    pub run: Run,
    /// `[identity]`: who is nobody, and how old an event may be.
    pub identity: Limits,
    /// `[identity] profile_ttl` and `[sources.NAME] creates`.
    pub remembering: Remembering,
    pub tables: Tables,
    /// `[policy]`: files, or the names of shipped policies, and what happens when they change.
    pub policy: Policy,
    pub metrics: Metrics,
    pub tracing: otlp::Settings,
    pub canary: Canary,
    pub log: Log,
}

/// `[topics.*]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    pub events: Input,
    pub feedback: Input,
    pub decisions: Output,
    pub alerts: AlertOutput,
    pub revocations: Output,
    /// Always Avro, as every state topic.
    pub profiles: String,
    /// Always Avro.
    pub policies: String,
    pub rejected: Output,
    /// Always Avro, as are the two that network lanes write.
    pub sightings: String,
    pub networks: String,
    pub network_state: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub name: String,
    pub format: Format,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub format: OutputFormat,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertOutput {
    pub name: String,
    pub format: AlertFormat,
}

/// How `[topics.alerts]` is written: also in the words of other systems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertFormat {
    #[default]
    Avro,
    Json,
    Ocsf,
    Ecs,
    /// The Confluent wire format; the registry gives the ids.
    Confluent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// Single-object encoding.
    #[default]
    Avro,
    Json,
    /// The Confluent wire format; the registry gives the ids.
    Confluent,
}

/// `[run]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Stable over restarts and unique in the group; `None`: the host's name.
    pub instance: Option<String>,
    /// `None`: one a core.
    pub workers: Option<u16>,
    pub state_dir: PathBuf,
    /// How long a transaction stays open.
    pub commit_interval: Duration,
    pub transaction_records: u32,
    pub transaction_bytes: u32,
    /// How often, and after how many bytes, committed profiles are written to the store.
    pub checkpoint_interval: Duration,
    pub checkpoint_bytes: u32,
    /// Of which partitions that others serve a copy is kept.
    pub standby: Standby,
    /// After how long without a sign the group gives a worker's partitions away. A transaction times
    /// out before that.
    pub session_timeout: Duration,
    /// Goes on where records were deleted before they were read, and says so in `risk.rejected`.
    pub accept_gap: bool,
    pub start: Start,
}

/// Copies of what other processes serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    #[default]
    None,
    All,
}

/// Where a group that never committed begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
}

/// `[tables]`: files of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    pub geo: Vec<PathBuf>,
    pub asn: Vec<PathBuf>,
    pub networks: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub file: String,
    /// Another, judged beside it.
    pub shadow: Option<String>,
    /// How often policy and tables are looked at for changes.
    pub look_interval: Duration,
    /// How many times the share of `step_up` or stricter before is worth an operator's alert.
    pub max_action_change: u32,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Where `/metrics`, `/health` and `/ready` are answered; `None`: nowhere, and nothing is counted.
    pub listen: Option<SocketAddr>,
}

/// `[canary]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// How often every detector is shown what must make it speak; `None`: never.
    pub interval: Option<Duration>,
}

impl Default for Canary {
    fn default() -> Self {
        Self { interval: Some(Duration::from_secs(60)) }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// A list like `info,librdkafka=debug`.
    pub filter: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Topics {
    fn default() -> Self {
        let input = |name: &str| Input { name: name.into(), format: Format::Avro };
        let output = |name: &str| Output { name: name.into(), format: OutputFormat::Avro };
        Self {
            events: input("identity.events"),
            feedback: input("identity.feedback"),
            decisions: output("risk.decisions"),
            alerts: AlertOutput { name: "risk.alerts".into(), format: AlertFormat::Avro },
            revocations: output("risk.revocations"),
            profiles: "risk.profiles".into(),
            policies: "risk.policies".into(),
            rejected: output("risk.rejected"),
            sightings: "risk.sightings".into(),
            networks: "risk.networks".into(),
            network_state: "risk.network-state".into(),
        }
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            instance: None,
            workers: None,
            state_dir: "ward-state".into(),
            commit_interval: Duration::from_millis(20),
            transaction_records: 5_000,
            transaction_bytes: 8 << 20,
            checkpoint_interval: Duration::from_secs(10),
            checkpoint_bytes: 64 << 20,
            standby: Standby::None,
            session_timeout: Duration::from_secs(10),
            accept_gap: false,
            start: Start::Earliest,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            file: "default".into(),
            shadow: None,
            look_interval: Duration::from_secs(2),
            max_action_change: 5,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

/// `ADDR:PORT`; a port alone is one of loopback. Names are not resolved: what is listened at must be
/// seen in the file.
///
/// # Errors
/// What is expected.
fn listen_address(text: &str) -> Result<SocketAddr, &'static str> {
    if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    text.parse().map_err(|_no_address| "an address and a port such as 127.0.0.1:9464, or a port of loopback")
}

/// Variables of the environment, by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// The process's own: read once, by whoever starts it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// An option of the command line, which says what a setting says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// `--workers`
    pub name: &'static str,
    /// `run.workers`
    pub path: &'static str,
    /// As the file would have it.
    pub value: String,
}

/// Who said what a setting is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    File { name: String, line: Option<usize> },
    Environment { name: String },
    Flag { name: String },
}

/// What was said of each setting last, by its path; of the others nobody said anything.
pub type Origins = BTreeMap<&'static str, Origin>;

/// Everything that was read, and what was wrong with it.
#[derive(Debug, PartialEq)]
pub struct Loaded {
    /// What is wrong stays at its default.
    pub settings: Settings,
    pub origins: Origins,
    pub mistakes: Vec<Mistake>,
}

impl Loaded {
    /// # Errors
    /// Every mistake, if there is one.
    pub fn sound(self) -> Result<Settings, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(self.settings) } else { Err(self.mistakes) }
    }
}

/// Reads the file, the environment over it, and the options of the command line over both.
#[must_use]
pub fn load(
    config: Option<&Path>,
    environment: &Environment,
    flags: &[Flag],
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Loaded {
    let (mut settings, mut origins, mut mistakes) = (Settings::default(), Origins::new(), Vec::new());
    let named = environment.get(&OsString::from(CONFIG_VARIABLE)).filter(|name| !name.is_empty());
    let path = config.or_else(|| named.map(Path::new)).unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let must_exist = config.is_some() || named.is_some();
    let file = path.display().to_string();
    match read(path) {
        Ok(text) => document::read(&file, &text, &mut mistakes, |root| {
            read::settings(&mut settings, root, &mut |path, place| {
                origins
                    .insert(path, Origin::File { name: file.clone(), line: place.map(|place| place.line) });
            });
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {}
        Err(error) => {
            let text =
                format!("cannot be read ({error}), expected a TOML file; name a configuration file, or none");
            mistakes.push(Mistake::of_file(&file, text));
        }
    }
    for (name, value) in environment {
        let Some(keys) = name.to_str().and_then(keys) else { continue };
        let variable = name.to_string_lossy();
        let Some(value) = value.to_str() else {
            mistakes
                .push(Mistake::of_file(&variable, "is not UTF-8, expected text; set it anew, or unset it"));
            continue;
        };
        document::read_variable(&variable, &keys, value, &mut mistakes, |root| {
            read::settings(&mut settings, root, &mut |path, _| {
                origins.insert(path, Origin::Environment { name: variable.clone().into_owned() });
            });
        });
    }
    for Flag { name, path, value } in flags {
        let keys: Vec<String> = path.split('.').map(str::to_owned).collect();
        document::read_variable(name, &keys, value, &mut mistakes, |root| {
            read::settings(&mut settings, root, &mut |path, _| {
                origins.insert(path, Origin::Flag { name: (*name).to_owned() });
            });
        });
    }
    Loaded { settings, origins, mistakes }
}

/// `WARD__TOPICS__EVENTS__FORMAT` to `topics`, `events`, `format`.
fn keys(variable: &str) -> Option<Vec<String>> {
    let path = variable.strip_prefix(VARIABLE_PREFIX)?.to_lowercase();
    let mut keys: Vec<String> = path.split("__").map(str::to_owned).collect();
    // Properties of librdkafka have dots, which a shell cannot write.
    if let [kafka, extra, property @ ..] = keys.as_mut_slice()
        && kafka == "kafka"
        && extra == "extra"
    {
        property.iter_mut().for_each(|name| *name = name.replace('_', "."));
    }
    Some(keys)
}

const CONFIG_VARIABLE: &str = "WARD_CONFIG";
const VARIABLE_PREFIX: &str = "WARD__";
const DEFAULT_FILE: &str = "config/ward.toml";

#[cfg(test)]
mod tests;
