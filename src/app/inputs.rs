//! The topics that are copied into the input: feedback, and those under `[inputs]`.

use std::sync::Arc;

use super::anew::again;
use super::read_text;
use crate::adapters::kafka::acls::input_group;
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Connection, KafkaLedger, KafkaSource, Placement};
use crate::config::Settings;
use crate::engine::decode::Format;
use crate::engine::document::Mistake;
use crate::engine::mapping::{self, Mapping};
use crate::runtime::normaliser::{Form, Lets, Stage};
use crate::runtime::relay;
use crate::runtime::stop::Pulse;
use crate::runtime::worker::{Ended, Shared};

/// One of them, its mapping read.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) topic: String,
    pub(super) format: Format,
    pub(super) mapping: Option<Arc<Mapping>>,
    pub(super) lets: Lets,
}

/// # Errors
/// Every mistake of every mapping.
pub(super) fn inputs(settings: &Settings) -> Result<Vec<Input>, Vec<Mistake>> {
    let feedback = &settings.topics.feedback;
    let mut inputs = vec![Input {
        name: "feedback".to_owned(),
        topic: feedback.name.clone(),
        format: feedback.format,
        mapping: None,
        lets: Lets::Feedback,
    }];
    let mut mistakes = Vec::new();
    for (name, unkeyed) in &settings.inputs {
        let mapping = unkeyed.mapping.as_ref().map(|file| {
            let name = file.display().to_string();
            let text = read_text(file).map_err(|error| {
                let text = format!("cannot be read ({error}); name a mapping under [inputs]");
                vec![Mistake { file: name.clone(), place: None, text }]
            })?;
            mapping::parse(&name, &text)
        });
        match mapping.transpose() {
            Ok(mapping) => inputs.push(Input {
                name: name.clone(),
                topic: unkeyed.topic.clone(),
                format: unkeyed.format,
                mapping: mapping.map(Arc::new),
                lets: Lets::Events,
            }),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(inputs) } else { Err(mistakes) }
}

impl Input {
    /// The stage that copies it.
    pub(super) fn thread(
        self,
        shared: &Shared,
        connection: &Connection,
        names: &Names,
        settings: &Settings,
        copies: Form,
        pulse: Pulse,
    ) -> impl FnOnce() -> Result<(), Ended> + Send + 'static {
        let connection = connection.clone();
        let stage = Stage {
            name: self.name,
            topic: self.topic,
            from: self.format,
            mapping: self.mapping,
            lets: self.lets,
            to: copies,
            limits: settings.identity.clone(),
            rejected: shared.settings.rejected,
            lookup: shared.lookup.clone(),
            traces: shared.spans.is_some(),
        };
        let (instance, stop, clock) = (Arc::clone(&shared.instance), shared.stop.clone(), shared.clock);
        // The same ledger, one topic further up: what it calls decisions are events, placed by their key.
        let copied = Names { events: stage.topic.clone(), decisions: names.events.clone(), ..names.clone() };
        move || {
            let group = input_group(connection.group(), &stage.name);
            let member = format!("{instance}-{}", stage.name);
            let id = format!("{}-{member}", connection.group());
            again(&stop, &stage.name, || {
                let source = KafkaSource::join(&connection, &group, &member, &stage.topic)
                    .map_err(|failure| Ended::Refused(failure.to_string()))?;
                let ledger =
                    KafkaLedger::new(connection.clone(), copied.clone(), &source, id.clone(), |_| None)
                        .placed(Placement::ByKey)
                        .watched(pulse.call());
                relay::run(stage.copies(), (&stop, clock), Box::new(source), Box::new(ledger), &pulse)
            })
        }
    }
}
