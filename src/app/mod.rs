//! Puts the parts together: the only file that knows every adapter.

mod run;

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

pub(crate) use run::run;

use crate::adapters::geo;
use crate::adapters::kafka::{self, Connection};
use crate::config::{self, LogFormat, Settings};
use crate::engine::enrich::builtin::Builtin;
use crate::ports::tables::{NoTables, Tables};
use crate::telemetry;

/// Everything that a configuration file, the environment and the command line say.
///
/// # Errors
/// One message a mistake.
pub(crate) fn settings(config: Option<&Path>, bootstrap: Option<&str>) -> Result<Settings, Vec<String>> {
    let read = |path: &Path| std::fs::read_to_string(path);
    let loaded = config::load(config, &config::environment(), &read);
    let mut settings =
        loaded.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    if let Some(bootstrap) = bootstrap {
        settings.kafka.bootstrap = bootstrap.to_owned();
    }
    Ok(settings)
}

/// # Errors
/// One message a mistake.
pub(crate) fn connection(settings: &Settings) -> Result<Connection, Vec<String>> {
    let environment = config::environment();
    settings.kafka.open(&|name| environment.get(OsStr::new(name))?.to_str().map(str::to_owned))
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
        rejected: topics.rejected.name.clone(),
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

/// The tables that the settings name. Without any, places and networks are what the events state
/// themselves; the synthetic table serves only where it is asked for by its name, `builtin`.
///
/// # Errors
/// One message a mistake.
pub(crate) fn tables(settings: &Settings) -> Result<Arc<dyn Tables>, Vec<String>> {
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
