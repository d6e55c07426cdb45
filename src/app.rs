//! Puts the parts together: the only file that knows every adapter.

use std::path::Path;

use crate::adapters::kafka::{self, Connection};

/// Everything that a configuration file, the environment and the command line say.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) kafka: kafka::Settings,
}

/// # Errors
/// One message a mistake.
pub(crate) fn settings(config: Option<&Path>, bootstrap: Option<&str>) -> Result<Settings, Vec<String>> {
    let mut settings = match config {
        Some(file) => read(file)?,
        None => Settings::default(),
    };
    if let Some(bootstrap) = bootstrap {
        settings.kafka.bootstrap = bootstrap.to_owned();
    }
    Ok(settings)
}

fn read(file: &Path) -> Result<Settings, Vec<String>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| vec![format!("`{}`: {error}", file.display())])?;
    toml::from_str(&text).map_err(|error| vec![format!("`{}`: {error}", file.display())])
}

/// # Errors
/// One message a mistake.
pub(crate) fn connection(settings: &Settings) -> Result<Connection, Vec<String>> {
    settings.kafka.open(&|name| std::env::var(name).ok())
}

pub(crate) fn topic_names(_settings: &Settings) -> kafka::topics::Names {
    kafka::topics::Names::default()
}
