//! The schemas of the topics, held against what a registry has of them.
//!
//! A topic's subject is `TOPIC-value`. Topics of state have none: their values are in single-object
//! encoding, whatever the others are.

use std::ffi::OsStr;

use crate::adapters::registry::{Client, Registered, Trouble};
use crate::config::{self, AlertFormat, Output, OutputFormat, Settings};
use crate::engine::decode::{Decoder, Format};
use crate::engine::schema;

/// A topic whose values have a schema that a registry may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) topic: String,
    /// As in `schemas/`.
    pub(crate) schema: &'static str,
    /// Others write it, too.
    pub(crate) is_input: bool,
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

/// The subjects of the topics that are not JSON.
pub(crate) fn subjects(settings: &Settings) -> Vec<Subject> {
    let topics = &settings.topics;
    let mut subjects = Vec::new();
    let mut add = |topic: &str, schema, has_schema, is_input| {
        let subject = Subject { topic: topic.to_owned(), schema, is_input };
        if has_schema && !subjects.contains(&subject) {
            subjects.push(subject);
        }
    };
    for input in [&topics.events, &topics.feedback] {
        add(&input.name, "event", input.format != Format::Json, true);
    }
    let is_avro = |output: &Output| output.format == OutputFormat::Avro;
    add(&topics.decisions.name, "decision", is_avro(&topics.decisions), false);
    add(&topics.alerts.name, "alert", topics.alerts.format == AlertFormat::Avro, false);
    add(&topics.revocations.name, "revocation", is_avro(&topics.revocations), false);
    add(&topics.rejected.name, "rejected", is_avro(&topics.rejected), false);
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
