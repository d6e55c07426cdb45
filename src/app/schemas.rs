//! The schemas of the topics, held against what a registry has of them.
//!
//! A topic's subject is `TOPIC-value`. Topics of state have none: their values are in single-object
//! encoding, whatever the others are.

use std::ffi::OsStr;

use crate::adapters::registry::{Client, Registered, Trouble};
use crate::cli::Failure;
use crate::config::{self, AlertFormat, OutputFormat, Settings};
use crate::engine::decode::{Decoder, Format};
use crate::engine::emit::Ids;
use crate::engine::schema;
use crate::pipeline::lane::{AlertRendering, Rendering};

/// A topic whose values have a schema that a registry may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) topic: String,
    /// As in `schemas/`.
    pub(crate) schema: &'static str,
    /// Others write it, too.
    pub(crate) is_input: bool,
    /// Its topic is in the Confluent wire format.
    pub(crate) is_confluent: bool,
}

impl Subject {
    pub(crate) fn name(&self) -> String {
        format!("{}-value", self.topic)
    }

    pub(crate) fn text(&self) -> &'static str {
        schema::current(self.schema)
    }
}

/// How a schema stands in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is registered.
    Same {
        id: u32,
        version: u32,
    },
    /// It is not, and would be taken as the next version after `newest`.
    Compatible {
        newest: u32,
    },
    Incompatible {
        newest: u32,
        why: String,
    },
    /// Of an input: others publish with the newest version, which this build cannot read.
    Unreadable {
        newest: u32,
        why: String,
    },
    /// There is no such subject.
    Missing,
}

impl Standing {
    /// What was found, what was expected, what to do; `None` when all is well.
    pub(crate) fn mistake(&self) -> Option<[String; 3]> {
        Some(match self {
            Self::Same { .. } | Self::Compatible { .. } => return None,
            Self::Missing => [
                "no such subject".to_owned(),
                "the schema of this topic's values".to_owned(),
                "run `ward schemas register`".to_owned(),
            ],
            Self::Incompatible { why, .. } => [
                format!("the registry does not take it: {why}"),
                "a schema that may follow what is registered".to_owned(),
                "give the topic another name, or have the subject's compatibility or versions changed"
                    .to_owned(),
            ],
            Self::Unreadable { newest, why } => [
                format!("version {newest} is no event of ours: {why}"),
                "a record with the fields of schemas/event.avsc".to_owned(),
                "have its owner correct it, or give the topic another name".to_owned(),
            ],
        })
    }
}

/// The subjects of the topics that are not JSON.
pub(crate) fn subjects(settings: &Settings) -> Vec<Subject> {
    let topics = &settings.topics;
    let mut subjects = Vec::new();
    let mut add = |topic: &str, schema, has_schema, is_input, is_confluent| {
        let subject = Subject { topic: topic.to_owned(), schema, is_input, is_confluent };
        if has_schema && !subjects.contains(&subject) {
            subjects.push(subject);
        }
    };
    for input in [&topics.events, &topics.feedback] {
        let has_schema = !matches!(input.format, Format::Json | Format::CloudEvents);
        add(&input.name, "event", has_schema, true, input.format == Format::Confluent);
    }
    for (output, schema) in
        [(&topics.decisions, "decision"), (&topics.revocations, "revocation"), (&topics.rejected, "rejected")]
    {
        let is_confluent = output.format == OutputFormat::Confluent;
        add(&output.name, schema, output.format != OutputFormat::Json, false, is_confluent);
    }
    let has_schema = matches!(topics.alerts.format, AlertFormat::Avro | AlertFormat::Confluent);
    add(&topics.alerts.name, "alert", has_schema, false, topics.alerts.format == AlertFormat::Confluent);
    subjects
}

/// The client of the registry that the settings name; `None` when they name none.
///
/// # Errors
/// One message a mistake.
pub(crate) fn registry(settings: &Settings) -> Result<Option<Client>, Vec<String>> {
    let environment = config::environment();
    settings.registry.open(&|name| environment.get(OsStr::new(name))?.to_str().map(str::to_owned))
}

/// The client of the registry, if a topic's format needs one.
///
/// # Errors
/// One message a mistake; that none is configured is one.
pub(crate) fn needed_registry(settings: &Settings) -> Result<Option<Client>, Vec<String>> {
    let topics = &settings.topics;
    let inputs = [("events", topics.events.format), ("feedback", topics.feedback.format)];
    let outputs = [
        ("decisions", topics.decisions.format),
        ("revocations", topics.revocations.format),
        ("rejected", topics.rejected.format),
    ];
    let inputs = inputs.iter().filter(|(_, format)| *format == Format::Confluent).map(|(name, _)| *name);
    let outputs =
        outputs.iter().filter(|(_, format)| *format == OutputFormat::Confluent).map(|(name, _)| *name);
    let alerts = (topics.alerts.format == AlertFormat::Confluent).then_some("alerts");
    let Some(name) = inputs.chain(outputs).chain(alerts).next() else { return Ok(None) };
    match registry(settings)? {
        Some(client) => Ok(Some(client)),
        None => Err(vec![format!(
            "topics.{name}.format is `confluent` and there is no registry, expected one; set [registry] url, or another format"
        )]),
    }
}

/// How the values of an output are written. An id is found, or registered.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn rendering(
    client: Option<&Client>,
    format: OutputFormat,
    topic: &str,
    schema: &'static str,
) -> Result<Rendering, Trouble> {
    Ok(match (format, client) {
        (OutputFormat::Json, _) => Rendering::Json,
        (OutputFormat::Confluent, Some(client)) => {
            let subject = Subject { topic: topic.to_owned(), schema, is_input: false, is_confluent: true };
            Rendering::Confluent(register(client, &subject)?)
        }
        (OutputFormat::Avro | OutputFormat::Confluent, _) => Rendering::Avro,
    })
}

/// How alerts are written, likewise.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn alert_rendering(
    client: Option<&Client>,
    format: AlertFormat,
    topic: &str,
) -> Result<AlertRendering, Trouble> {
    let format = match format {
        AlertFormat::Ocsf => return Ok(AlertRendering::Ocsf),
        AlertFormat::Ecs => return Ok(AlertRendering::Ecs),
        AlertFormat::Avro => OutputFormat::Avro,
        AlertFormat::Json => OutputFormat::Json,
        AlertFormat::Confluent => OutputFormat::Confluent,
    };
    Ok(match rendering(client, format, topic, "alert")? {
        Rendering::Avro => AlertRendering::Avro,
        Rendering::Json => AlertRendering::Json,
        Rendering::Confluent(id) => AlertRendering::Confluent(id),
    })
}

/// How events are written by ourselves: a bare datum is nobody's to write, and an event needs no
/// envelope.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn event_rendering(
    client: Option<&Client>,
    format: Format,
    topic: &str,
) -> Result<Rendering, Trouble> {
    let format = match format {
        Format::Json | Format::CloudEvents => OutputFormat::Json,
        Format::Confluent => OutputFormat::Confluent,
        Format::Avro | Format::AvroBare => OutputFormat::Avro,
    };
    rendering(client, format, topic, "event")
}

/// Under which ids the registry has what of these schemas was ever written to a topic; without one,
/// under none.
///
/// # Errors
/// When there ought to be a registry and is none, or it gives no sound answer.
pub(crate) fn written_under(settings: &Settings, topic: &str, schemas: &[&str]) -> Result<Ids, Failure> {
    let mut ids = Ids::default();
    let Some(client) = needed_registry(settings).map_err(Failure::Input)? else { return Ok(ids) };
    for text in schemas.iter().flat_map(|schema| schema::texts(schema)) {
        if let Some(found) = client.find(&format!("{topic}-value"), text)? {
            ids.note(found.id, &found.schema);
        }
    }
    Ok(ids)
}

/// How the schema of a subject stands.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn standing(client: &Client, subject: &Subject) -> Result<Standing, Trouble> {
    let (name, text) = (subject.name(), subject.text());
    let Some(newest) = client.latest(&name)? else { return Ok(Standing::Missing) };
    if subject.is_input
        && let Err(why) = Decoder::with_schema(&newest.schema)
    {
        return Ok(Standing::Unreadable { newest: newest.version, why });
    }
    if let Some(Registered { id, version, .. }) = found(client, subject, &newest)? {
        return Ok(Standing::Same { id, version });
    }
    Ok(match client.objection(&name, text)? {
        None => Standing::Compatible { newest: newest.version },
        Some(why) => Standing::Incompatible { newest: newest.version, why },
    })
}

/// How our schema is registered, if it is: as the newest version, or as one before.
fn found(client: &Client, subject: &Subject, newest: &Registered) -> Result<Option<Registered>, Trouble> {
    let ours = schema::fingerprint(subject.text());
    if schema::fingerprint(&newest.schema) == ours {
        return Ok(Some(newest.clone()));
    }
    let Some(found) = client.find(&subject.name(), subject.text())? else { return Ok(None) };
    if schema::fingerprint(&found.schema) == ours {
        return Ok(Some(found));
    }
    let why = format!("asked for `{}` as it is here, it answers with another schema", subject.name());
    Err(Trouble::Unsound { url: client.url().to_owned(), why })
}

/// The id of a subject's schema, which is registered if it is not yet.
///
/// # Errors
/// See [`Trouble`].
pub(crate) fn register(client: &Client, subject: &Subject) -> Result<u32, Trouble> {
    let name = subject.name();
    if let Some(newest) = client.latest(&name)?
        && let Some(found) = found(client, subject, &newest)?
    {
        return Ok(found.id);
    }
    let id = client.register(&name, subject.text())?;
    // What others will read by this id had better be it.
    if schema::fingerprint(&client.schema(id)?) == schema::fingerprint(subject.text()) {
        return Ok(id);
    }
    let why = format!("it registers `{name}` as {id}, and has another schema under {id}");
    Err(Trouble::Unsound { url: client.url().to_owned(), why })
}
