//! Settings: one TOML file, the environment over it, and every mistake of both at once.
//!
//! The file is the one given, else the one that `WARD_CONFIG` names, else `config/ward.toml`, which
//! may be missing. `WARD__SECTION__KEY` in the environment sets what `key` under `[section]` does.
//! Secrets come from files or from the environment; one that is written into the file is refused.
//! The command line comes on top of all, and is the caller's.

mod read;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::adapters::kafka;
use crate::engine::decode::{Format, Limits};
use crate::engine::document::{self, Mistake};

/// Everything that a file and the environment say. The defaults are those of `config/ward.toml`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub kafka: kafka::Settings,
    pub topics: Topics,
    pub run: Run,
    /// `[identity]`: who is nobody, and how old an event may be.
    pub identity: Limits,
    pub tables: Tables,
    /// `[policy] file`: a file, or the name of a shipped policy.
    pub policy: Policy,
    pub log: Log,
}

/// `[topics.*]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    pub events: Input,
    pub feedback: Input,
    pub decisions: Output,
    pub alerts: Output,
    pub revocations: Output,
    /// Always Avro, as every state topic.
    pub profiles: String,
    pub rejected: Output,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// Single-object encoding.
    #[default]
    Avro,
    Json,
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
    /// After how long without a sign the group gives a worker's partitions away. A transaction times
    /// out before that.
    pub session_timeout: Duration,
    /// Goes on where records were deleted before they were read, and says so in `risk.rejected`.
    pub accept_gap: bool,
    pub start: Start,
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
            alerts: output("risk.alerts"),
            revocations: output("risk.revocations"),
            profiles: "risk.profiles".into(),
            rejected: output("risk.rejected"),
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
            session_timeout: Duration::from_secs(10),
            accept_gap: false,
            start: Start::Earliest,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { file: "default".into() }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { filter: "info".into(), format: LogFormat::Text }
    }
}

/// Variables of the environment, by name.
pub type Environment = BTreeMap<OsString, OsString>;

/// The process's own: read once, by whoever starts it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// Reads the file, then the environment over it.
///
/// # Errors
/// Every mistake of both.
pub fn load(
    config: Option<&Path>,
    environment: &Environment,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Settings, Vec<Mistake>> {
    let (mut settings, mut mistakes) = (Settings::default(), Vec::new());
    let named = environment.get(&OsString::from(CONFIG_VARIABLE)).filter(|name| !name.is_empty());
    let path = config.or_else(|| named.map(Path::new)).unwrap_or_else(|| Path::new(DEFAULT_FILE));
    let must_exist = config.is_some() || named.is_some();
    let file = path.display().to_string();
    match read(path) {
        Ok(text) => {
            document::read(&file, &text, &mut mistakes, |root| read::settings(&mut settings, root));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {}
        Err(error) => {
            let text = format!("cannot be read ({error}); name a configuration file, or none");
            mistakes.push(Mistake::of_file(&file, text));
        }
    }
    for (name, value) in environment {
        let Some(keys) = name.to_str().and_then(keys) else { continue };
        let variable = name.to_string_lossy();
        match value.to_str() {
            Some(value) => document::read_variable(&variable, &keys, value, &mut mistakes, |root| {
                read::settings(&mut settings, root);
            }),
            None => mistakes.push(Mistake::of_file(&variable, "is not UTF-8, expected text")),
        }
    }
    if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
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
