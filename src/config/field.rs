//! How one setting is read from a document, and shown again: by the type of where it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::adapters::kafka::{self, Sasl, Tls};
use crate::adapters::registry::Variable;
use crate::engine::decode::limit::NAME_BYTES_MAX;
use crate::engine::document::{Value, quoted};

/// What a setting may be. The bounds stand here and nowhere else: they are what a document is held
/// against, and what the reference and the schema say.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A table that means something by being there, empty or not.
    Section,
    Text(Form),
    Flag,
    /// One of the words of its type.
    Word,
    Whole {
        least: u64,
        most: u64,
        unit: &'static str,
    },
    Time {
        least: Duration,
    },
    /// A time, or `"none"`.
    TimeOrNone {
        least: Duration,
    },
    /// A time of whole days.
    Days {
        least: u16,
        most: u16,
    },
    File,
    Files,
    /// Compared in lower case.
    Texts,
    /// Never in the file: `file` is the setting that names one that holds it, `variable` what may hold
    /// it itself.
    Secret {
        file: &'static str,
        variable: &'static str,
    },
    /// Properties of librdkafka.
    Properties,
    /// A table for each source that events state.
    Sources,
    /// A table for each topic that is keyed anew.
    Inputs,
}

/// What a text must look like.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub what: &'static str,
    /// The same as a regular expression, for the schema.
    pub pattern: &'static str,
    pub bytes_max: usize,
    pub is_allowed: fn(u8) -> bool,
}

impl Form {
    pub(super) fn fits(&self, text: &str) -> bool {
        !text.is_empty() && text.len() <= self.bytes_max && text.bytes().all(self.is_allowed)
    }
}

/// Where a setting is kept.
pub(super) trait Field {
    /// Takes a value; what is wrong with it is noted, and then it stays as it was.
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()>;

    /// As JSON; `None` when it is not set. A secret never shows itself.
    fn shown(&self) -> Option<Json>;

    /// Of a [`Kind::Word`].
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// A closed set of words.
pub(super) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];
}

impl<W: Word> Field for W {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = value.word(W::WORDS, |(_, name)| name)?.0;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        W::WORDS.iter().find(|(word, _)| word == self).map(|(_, name)| json!(name))
    }

    fn words(&self) -> Vec<&'static str> {
        W::WORDS.iter().map(|(_, name)| *name).collect()
    }
}

impl Field for bool {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = value.flag()?;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self))
    }
}

impl Field for u32 {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        *self = whole(value, kind)?;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self))
    }
}

impl Field for Option<u16> {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        *self = Some(whole(value, kind)?);
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.map(|number| json!(number))
    }
}

fn whole<T: TryFrom<u64>>(value: &Value<'_>, kind: &Kind) -> Option<T> {
    let Kind::Whole { least, most, .. } = *kind else { return None };
    T::try_from(value.whole(least, most)?).ok()
}

impl Field for Duration {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        *self = time(value, kind)?;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(written(*self)))
    }
}

impl Field for Option<Duration> {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        let is_none = matches!(kind, Kind::TimeOrNone { .. }) && value.is_text("none");
        *self = if is_none { None } else { Some(time(value, kind)?) };
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.map(|time| json!(written(time)))
    }
}

fn time(value: &Value<'_>, kind: &Kind) -> Option<Duration> {
    if let Kind::Days { least, most } = *kind {
        return value.days(least, most);
    }
    let (Kind::Time { least } | Kind::TimeOrNone { least }) = *kind else { return None };
    value.duration_from(least)
}

/// As a document writes it, in the largest unit that loses nothing.
pub(super) fn written(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fits = units.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{millis}ms"), |(unit, name)| format!("{}{name}", millis / unit))
}

impl Field for String {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        text(value, kind)?.clone_into(self);
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self))
    }
}

impl Field for Option<String> {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        *self = Some(text(value, kind)?.to_owned());
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.as_ref().map(|text| json!(text))
    }
}

fn text<'d>(value: &Value<'d>, kind: &Kind) -> Option<&'d str> {
    let Kind::Text(form) = kind else { return None };
    let text = value.text()?;
    if form.fits(text) { Some(text) } else { value.expected(form.what) }
}

impl Field for PathBuf {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = value.name()?.into();
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self.display().to_string()))
    }
}

impl Field for Option<PathBuf> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = Some(value.name()?.into());
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.as_ref().map(|path| json!(path.display().to_string()))
    }
}

impl Field for Option<SocketAddr> {
    fn read(&mut self, value: &Value<'_>, kind: &Kind) -> Option<()> {
        match super::listen_address(text(value, kind)?) {
            Ok(address) => *self = Some(address),
            Err(what) => return value.expected(what),
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.map(|address| json!(address.to_string()))
    }
}

impl Field for Vec<PathBuf> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = value.list().iter().map(|path| path.name().map(PathBuf::from)).collect::<Option<_>>()?;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()))
    }
}

impl Field for Vec<String> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        *self = value.list().iter().map(|text| text.text().map(str::to_lowercase)).collect::<Option<_>>()?;
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(json!(self))
    }
}

/// Properties of librdkafka, but those that our guarantees rest on.
impl Field for BTreeMap<String, String> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        for (name, value) in value.table()?.entries() {
            let Some(key) = name.text() else { continue };
            if kafka::is_reserved(key) {
                name.mistake(format!(
                    "`kafka.extra` sets {}, which the exactly-once guarantee or the connection's safety rests on; remove it",
                    quoted(key)
                ));
            } else if let Some(value) = value.scalar() {
                self.insert(key.to_owned(), value);
            }
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        // Names only by what they are: a property may hold a secret that we do not know of.
        let shown = |(name, value): (&String, &String)| {
            let is_secret =
                ["password", "secret", "token", "pem", "jaas"].iter().any(|word| name.contains(word));
            (name.clone(), json!(if is_secret { HIDDEN } else { value }))
        };
        Some(Json::Object(self.iter().map(shown).collect()))
    }
}

/// Sources with `creates = true`.
impl Field for BTreeSet<String> {
    fn read(&mut self, value: &Value<'_>, _: &Kind) -> Option<()> {
        for (name, entry) in value.table()?.entries() {
            let (Some(source), Some(mut entry)) = (source(&name), entry.table()) else { continue };
            match entry.take("creates").and_then(|value| value.flag()) {
                Some(true) => drop(self.insert(source.to_owned())),
                Some(false) => drop(self.remove(source)),
                None => {}
            }
            entry.finish();
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        Some(Json::Object(self.iter().map(|source| (source.clone(), json!({ "creates": true }))).collect()))
    }
}

/// What an event can state as its source.
fn source<'d>(name: &Value<'d>) -> Option<&'d str> {
    let text = name.text()?;
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        name.mistake(format!(
            "`{}` has an entry {}, expected the `source` of events: 1 to {NAME_BYTES_MAX} bytes, no control characters",
            name.path(),
            quoted(text)
        ));
        return None;
    }
    Some(text)
}

/// The section `[kafka.tls]`; as a place of its own, `key_password`.
impl Field for Option<Tls> {
    fn read(&mut self, _: &Value<'_>, kind: &Kind) -> Option<()> {
        let tls = self.get_or_insert_default();
        if let Kind::Secret { variable, .. } = kind {
            tls.key_password_env = Some((*variable).to_owned());
            tls.key_password_file = None;
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.as_ref().map(|_| json!({}))
    }
}

/// The section `[kafka.sasl]`; as a place of its own, `password`.
impl Field for Option<Sasl> {
    fn read(&mut self, _: &Value<'_>, kind: &Kind) -> Option<()> {
        let sasl = self.get_or_insert_default();
        if let Kind::Secret { variable, .. } = kind {
            // Whoever makes the connection reads it there: settings hold no secret.
            sasl.password_env = Some((*variable).to_owned());
            sasl.password_file = None;
        }
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        self.as_ref().map(|_| json!({}))
    }
}

/// A secret of a section that is always there.
impl Field for Variable {
    fn read(&mut self, _: &Value<'_>, kind: &Kind) -> Option<()> {
        let Kind::Secret { variable, .. } = kind else { return None };
        self.0 = Some((*variable).to_owned());
        Some(())
    }

    fn shown(&self) -> Option<Json> {
        None
    }
}

/// Stands where a secret would.
pub(super) const HIDDEN: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(millis: u64, expected: &str) {
        assert_eq!(written(Duration::from_millis(millis)), expected);
    }

    #[test]
    fn writes_times_as_they_are_read() {
        check(20, "20ms");
        check(1_500, "1500ms");
        check(10_000, "10s");
        check(90_000, "90s");
        check(1_800_000, "30m");
        check(7_200_000, "2h");
        check(2_592_000_000, "30d");
        check(0, "0ms");
    }
}
