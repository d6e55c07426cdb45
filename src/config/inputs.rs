//! `[inputs.NAME]`: topics whose records are not keyed as a lane needs them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::field::{Field, Kind, Word as _};
use super::forms::{INPUT, TOPIC};
use crate::engine::decode::Format;
use crate::engine::document::{Table, Value, quoted};

/// A topic that is copied into the input, keyed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unkeyed {
    pub topic: String,
    pub format: Format,
    /// A file that says how its records become events; without one they are events.
    pub mapping: Option<PathBuf>,
}

impl Field for BTreeMap<String, Unkeyed> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        for (name, entry) in value.table()?.entries() {
            let Some(text) = name.text() else { continue };
            if !INPUT.fits(text) || matches!(text, "feedback" | "networks") {
                name.mistake(format!(
                    "`{}` has an entry {}, expected {}",
                    name.path(),
                    quoted(text),
                    INPUT.what
                ));
            } else if let Some(input) = entry.table().and_then(|entry| unkeyed(entry, self.get(text))) {
                self.insert(text.to_owned(), input);
            }
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        let shown = |(name, input): (&String, &Unkeyed)| {
            let format = Format::WORDS.iter().find(|(word, _)| *word == input.format).map(|(_, word)| *word);
            let mut entry = json!({ "topic": input.topic, "keyed": false, "format": format });
            if let (Some(mapping), Some(entry)) = (&input.mapping, entry.as_object_mut()) {
                entry.insert("mapping".into(), mapping.display().to_string().into());
            }
            (name.clone(), entry)
        };
        Some(Json::Object(self.iter().map(shown).collect()))
    }
}

/// Reads one; what a variable of the environment does not say stays as `before` has it.
fn unkeyed(mut table: Table<'_>, before: Option<&Unkeyed>) -> Option<Unkeyed> {
    let topic = match before {
        None => table.need("topic", TOPIC.what),
        Some(_) => table.take("topic"),
    };
    let topic = match topic {
        Some(value) => {
            let text = value.text()?;
            if TOPIC.fits(text) { Some(text.to_owned()) } else { value.expected(TOPIC.what) }
        }
        None => before.map(|before| before.topic.clone()),
    };
    if let Some(keyed) = table.take("keyed")
        && keyed.flag() == Some(true)
    {
        keyed.mistake(format!(
            "`{}` is `true`, expected false; a lane has one keyed input, which is [topics.events]",
            keyed.path()
        ));
    }
    let format = match table.take("format") {
        Some(value) => value.word(Format::WORDS, |(_, name)| name).map(|(format, _)| format),
        None => Some(before.map_or(Format::Json, |before| before.format)),
    };
    let mapping = match table.take("mapping") {
        Some(value) => {
            if format.is_some_and(|format| format != Format::Json) {
                value.mistake(format!("`{}` is stated, expected it of `format = \"json\"`", value.path()));
            }
            value.name().map(PathBuf::from)
        }
        None => before.and_then(|before| before.mapping.clone()),
    };
    table.finish();
    Some(Unkeyed { topic: topic?, format: format?, mapping })
}
