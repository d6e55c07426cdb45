//! The events of a topic, whatever they are written in.

use std::cell::RefCell;

use super::super::Failure;
use crate::adapters::registry::{Client, Trouble};
use crate::app;
use crate::config::Settings;
use crate::engine::decode::{self, Decoded, Format, How, Limits, Rejected, Writer, Writers};
use crate::ports::source::Record;

/// Decodes records as `ward run` does; schemas that they name are looked up as they come.
pub(crate) struct TopicEvents {
    topic: String,
    format: Format,
    limits: Limits,
    writers: RefCell<Writers>,
    registry: Option<Client>,
}

impl TopicEvents {
    pub(crate) fn new(settings: &Settings, topic: &str) -> Result<Self, Failure> {
        Ok(Self {
            topic: topic.to_owned(),
            format: settings.topics.events.format,
            limits: settings.identity.clone(),
            writers: RefCell::default(),
            registry: app::needed_registry(settings).map_err(Failure::Input)?,
        })
    }

    /// Hands on what a record holds.
    pub(crate) fn decode<T>(
        &self,
        record: &Record<'_>,
        hand_on: impl FnOnce(Result<Decoded<'_>, Rejected>) -> T,
    ) -> Result<T, Failure> {
        let value = record.value.unwrap_or_default();
        self.look_up(value)?;
        let id = format!("{}/{}/{}", self.topic, record.partition, record.offset);
        let writers = self.writers.borrow();
        let how = How { format: self.format, headers: record.headers, writers: &writers };
        Ok(hand_on(decode::decode(value, how, &id, record.recorded_at, &self.limits)))
    }

    /// Asks for the schema that a value names, if it was not asked for yet.
    fn look_up(&self, value: &[u8]) -> Result<(), Failure> {
        let (Format::Confluent, Some((id, _)), Some(client)) =
            (self.format, decode::split_confluent(value), &self.registry)
        else {
            return Ok(());
        };
        if self.writers.borrow().get(id).is_some() {
            return Ok(());
        }
        let writer = match client.schema(id) {
            Ok(json) => Writer::of(&json).map_err(|why| Failure::input(format!("schema id {id}: {why}")))?,
            Err(trouble @ (Trouble::Missing { .. } | Trouble::Invalid { .. })) => {
                Writer::Refuses(trouble.to_string())
            }
            Err(trouble) => return Err(trouble.into()),
        };
        self.writers.borrow_mut().insert(id, writer);
        Ok(())
    }
}
