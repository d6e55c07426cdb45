//! Puts the parts together: the only file that knows every adapter.

mod across;
mod anew;
mod check;
mod inputs;
mod observe;
mod reload;
mod renderings;
mod run;
mod schemas;
mod standby;
mod unheld;

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use check::{Finding, Report, check};
pub(crate) use run::{Measures, pace, run};
pub(crate) use schemas::{
    Standing, Subject, event_rendering, needed_registry, register, registry, rendering, standing, subjects,
    written_under,
};

use crate::adapters::geo;
use crate::adapters::kafka::{self, Connection};
use crate::adapters::otlp::Collector;
use crate::config::{self, Flag, Loaded, LogFormat, Settings};
use crate::engine::enrich::builtin::Builtin;
use crate::ports::tables::{Atlas, NoTables};
use crate::telemetry;

/// Everything that a configuration file, the environment and the command line say.
pub(crate) fn load(config: Option<&Path>, flags: &[Flag]) -> Loaded {
    config::load(config, &config::environment(), flags, &read_text)
}

/// A file that a person wrote, and no more than a person writes: neither a device that never ends
/// nor a database that was named by mistake fills the memory.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > TEXT_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {} MiB", TEXT_BYTES_MAX >> 20)));
    }
    Ok(text)
}

/// # Errors
/// One message a mistake.
pub(crate) fn connection(settings: &Settings) -> Result<Connection, Vec<String>> {
    let environment = config::environment();
    settings.kafka.open(&|name| environment.get(OsStr::new(name))?.to_str().map(str::to_owned))
}

/// The collector of spans that the settings name; `None` when they name none.
///
/// # Errors
/// One message a mistake.
pub(crate) fn collector(settings: &Settings) -> Result<Option<Collector>, Vec<String>> {
    let environment = config::environment();
    settings.tracing.open(&|name| environment.get(OsStr::new(name))?.to_str().map(str::to_owned))
}

pub(crate) fn topic_names(settings: &Settings) -> kafka::topics::Names {
    let topics = &settings.topics;
    kafka::topics::Names {
        events: topics.events.name.clone(),
        feedback: topics.feedback.name.clone(),
        decisions: topics.decisions.name.clone(),
        alerts: topics.alerts.name.clone(),
        revocations: topics.revocations.name.clone(),
        profiles: topics.profiles.clone(),
        policies: topics.policies.clone(),
        rejected: topics.rejected.name.clone(),
        inputs: settings.inputs.iter().map(|(name, input)| (name.clone(), input.topic.clone())).collect(),
        sightings: topics.sightings.clone(),
        networks: topics.networks.clone(),
        network_state: topics.network_state.clone(),
    }
}

/// Begins to log as the settings say.
pub(crate) fn log(settings: &Settings) {
    let format = match settings.log.format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    let colours = !config::environment().contains_key(OsStr::new("NO_COLOR"));
    telemetry::start(format, Some(&settings.log.filter), colours);
}

/// Stable over restarts: the host's name, unless one is given.
pub(crate) fn instance(settings: &Settings) -> String {
    settings.run.instance.clone().unwrap_or_else(|| {
        std::fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "ward".into())
    })
}

/// The tables that the settings name. Without any, places and networks are what the events state
/// themselves; the synthetic table serves only where it is asked for by its name, `builtin`.
///
/// # Errors
/// One message a mistake.
pub(crate) fn tables(settings: &Settings) -> Result<Arc<dyn Atlas>, Vec<String>> {
    let config::Tables { geo, asn, networks } = settings.tables.clone();
    if geo.is_empty() && asn.is_empty() && networks.is_empty() {
        return Ok(Arc::new(NoTables));
    }
    if geo == [Path::new("builtin")] && asn.is_empty() && networks.is_empty() {
        return Ok(Arc::new(Builtin::new()));
    }
    let opened = geo::open(&geo::Sources { geo, asn, networks });
    opened
        .map(|tables| Arc::new(tables) as _)
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// How long a command that a person waits for tries to reach a broker.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// The shipped policies have 6 KiB.
const TEXT_BYTES_MAX: u64 = 4 << 20;
