//! What an analyst's commands share: whom they are about, and how one record goes out.

use super::Failure;
use super::flags::Source;
use crate::adapters::kafka::{Admin, Connection, Publisher};
use crate::app::{self, PATIENCE};
use crate::config::Settings;
use crate::engine::decode::{self, Format, Limits};
use crate::engine::emit;
use crate::model::event::Event;
use crate::model::id::{DEFAULT_TENANT, USER_BYTES_MAX, UserKey, is_tenant};

/// Whom it is about, and where the log is.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// The user's id, as events state it.
    #[arg(long, value_name = "U")]
    pub(super) user: String,
    /// The user's tenant.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TENANT)]
    pub(super) tenant: String,
    #[command(flatten)]
    pub(super) source: Source,
    /// For machines: one JSON object.
    #[arg(long)]
    pub(super) json: bool,
}

impl Whom {
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        app::load(self.source.config.as_deref(), &self.source.said()).sound().map_err(Failure::mistakes)
    }

    /// # Errors
    /// One message a mistake: what cannot be a key would be refused where it is read.
    pub(super) fn key(&self) -> Result<UserKey, Failure> {
        let mut mistakes = Vec::new();
        if self.user.is_empty() || self.user.len() > USER_BYTES_MAX {
            let found = self.user.len();
            mistakes.push(format!(
                "--user: found {found} bytes, expected 1 to {USER_BYTES_MAX}; give the id that events state"
            ));
        }
        if !is_tenant(&self.tenant) {
            mistakes.push(format!(
                "--tenant: found `{}`, expected at most 63 of a-z, 0-9, `.`, `_`, `-`, the first a letter or a digit",
                self.tenant.chars().take(64).collect::<String>()
            ));
        }
        if mistakes.is_empty() {
            Ok(UserKey::new(&self.tenant, &self.user))
        } else {
            Err(Failure::Input(mistakes))
        }
    }
}

/// A feedback, as anybody could write it, as the engine will take it.
///
/// # Errors
/// When it would be refused where it is read.
pub(super) fn taken<'t>(settings: &Settings, text: &'t str) -> Result<Event<'t>, Failure> {
    let limits = Limits { max_age: None, ..settings.identity.clone() };
    decode::decode(text.as_bytes(), Format::Json, "", None, &limits)
        .map(|decoded| decoded.event)
        .map_err(|refused| Failure::input(format!("this feedback would be refused: {}", refused.detail)))
}

/// Writes a feedback to its topic, and says which that is.
pub(super) fn say(
    settings: &Settings,
    connection: &Connection,
    key: &UserKey,
    event: &Event<'_>,
) -> Result<String, Failure> {
    let topic = app::topic_names(settings).feedback;
    let registry = app::needed_registry(settings).map_err(Failure::Input)?;
    let written = app::event_rendering(registry.as_ref(), settings.topics.feedback.format, &topic)?;
    let mut value = Vec::new();
    written.write(&mut value, |out| emit::event_avro(event, out), |out| emit::event_json(event, out));
    publish(connection, &topic, key, &value)?;
    Ok(topic)
}

/// Writes one record and waits until the broker has it.
pub(super) fn publish(
    connection: &Connection,
    topic: &str,
    key: &UserKey,
    value: &[u8],
) -> Result<(), Failure> {
    let patience = connection.connect_timeout().unwrap_or(PATIENCE);
    let there = Admin::new(connection)?.describe(&[topic], patience)?;
    if there.get(topic).is_none_or(|topic| topic.partitions == 0) {
        return Err(Failure::input(format!(
            "found no topic `{topic}` at `{}`; make it with `ward topics create`",
            connection.bootstrap()
        )));
    }
    let publisher = Publisher::new(connection)?;
    publisher.send(topic, key.as_bytes(), value)?;
    Ok(publisher.finish(topic)?)
}
