//! Puts the parts together: the only file that knows every adapter.

use std::ffi::OsStr;
use std::path::Path;

use crate::adapters::kafka::{self, Connection};
use crate::config::{self, Settings};

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
#[expect(clippy::disallowed_methods, reason = "until config reads the environment once")]
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
