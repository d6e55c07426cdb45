//! One record through a [`Mapping`].

use serde_json::{Map, Value};

use super::{Case, Field, From, LISTS, Lookup, Mapping, Pattern, Rule, Then, Time, Unmatched};
use crate::engine::decode::{Rejected, limit};
use crate::model::Reject;
use crate::model::time::Timestamp;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// An event; its JSON was appended.
    Event,
    /// None, by the mapping's own word.
    Skipped,
}

impl Mapping {
    /// Appends the event that `record` is, as JSON, to `out`. Where neither the record nor the mapping
    /// names a source, it is `source`.
    ///
    /// # Errors
    /// Why the record cannot be an event. Then nothing was appended.
    pub fn apply(&self, record: &[u8], source: &str, out: &mut Vec<u8>) -> Result<Mapped, Rejected> {
        if record.len() > limit::EVENT_BYTES_MAX {
            let most = limit::EVENT_BYTES_MAX;
            let detail = format!("a record of {} bytes, at most {most} are taken", record.len());
            return Err(Rejected { reason: Reject::TooLarge, detail });
        }
        let record: Value = serde_json::from_slice(record)
            .map_err(|error| Rejected { reason: Reject::Malformed, detail: error.to_string() })?;
        let own = match self.cases.iter().find(|case| case.holds(&record)) {
            None if self.cases.is_empty() => [].as_slice(),
            None if self.unmatched == Unmatched::Skip => return Ok(Mapped::Skipped),
            None => return Err(self.nobodys(&record)),
            Some(Case { then: Then::Skip, .. }) => return Ok(Mapped::Skipped),
            Some(Case { then: Then::Event(rules), .. }) => rules,
        };
        let mut event = Map::new();
        for rule in self.shared.iter().filter(|rule| !own.iter().any(|other| other.field == rule.field)) {
            rule.fill(&record, &mut event)?;
        }
        for rule in own {
            rule.fill(&record, &mut event)?;
        }
        event.entry("source").or_insert_with(|| source.into());
        // Neither values of JSON nor a growing buffer can fail.
        let _written = serde_json::to_writer(out, &event);
        Ok(Mapped::Event)
    }

    /// Says what stands where the cases look.
    fn nobodys(&self, record: &Value) -> Rejected {
        let mut found: Vec<String> = Vec::new();
        for (path, _) in self.cases.iter().flat_map(|case| &case.when) {
            let text = record.pointer(&path.0).map_or_else(|| "absent".into(), short);
            let said = format!("`{}` is {text}", path.0);
            if !found.contains(&said) && found.len() < SAID_MAX {
                found.push(said);
            }
        }
        let detail = format!(
            "no case of the mapping is for it: {}; add a `[[case]]`, or `unmatched = \"skip\"`",
            found.join(", ")
        );
        Rejected { reason: Reject::UnknownType, detail }
    }
}

impl Case {
    fn holds(&self, record: &Value) -> bool {
        self.when.iter().all(|(path, patterns)| {
            let text = record.pointer(&path.0).and_then(text);
            text.is_some_and(|text| patterns.iter().any(|pattern| pattern.fits(&text)))
        })
    }
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        if self.is_prefix { text.starts_with(&self.text) } else { text == self.text }
    }
}

impl Rule {
    fn fill(&self, record: &Value, event: &mut Map<String, Value>) -> Result<(), Rejected> {
        let value = match &self.from {
            From::Always(text) => Some(self.field.fit(Value::String(text.clone()))),
            From::Record(lookup) => lookup.find(record, self.field)?,
        };
        let Some(value) = value else { return Ok(()) };
        let Field { outer, inner } = self.field;
        match inner {
            None => drop(event.insert(outer.to_owned(), value)),
            Some(inner) => {
                let entry = event.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(entry) = entry {
                    entry.insert(inner.to_owned(), value);
                }
            }
        }
        Ok(())
    }
}

impl Lookup {
    fn find(&self, record: &Value, field: Field) -> Result<Option<Value>, Rejected> {
        let there = self.paths.iter().find_map(|path| {
            let value = record.pointer(&path.0).filter(|value| !is_absent(value))?;
            Some((path, value))
        });
        let Some((path, value)) = there else { return Ok(None) };
        let bad = |what: String| Rejected {
            reason: Reject::BadValue,
            detail: format!("`{}` is {}, {what} for `{}`", path.0, short(value), field.name()),
        };
        if let Some(tick) = self.time.micros() {
            let read = match value {
                Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            let at = read.and_then(|number| number.checked_mul(tick)).and_then(Timestamp::from_micros);
            let at = at.ok_or_else(|| bad("expected a time in numbers since 1970".into()))?;
            return Ok(Some(at.to_string().into()));
        }
        let one = |value: &Value| -> Result<Value, Rejected> {
            if self.words.is_empty() && !self.lower {
                return Ok(value.clone());
            }
            let mut text = text(value).ok_or_else(|| bad("expected one text or number".into()))?;
            if self.lower {
                text = text.to_lowercase();
            }
            if self.words.is_empty() {
                return Ok(text.into());
            }
            let word = self.words.get(&text).or(self.otherwise.as_ref());
            word.map(|word| word.as_str().into())
                .ok_or_else(|| bad("which is none of the mapping's `words`".into()))
        };
        let mapped = match value {
            Value::Array(items) if field.is_list() => items.iter().map(one).collect::<Result<_, _>>()?,
            value => one(value)?,
        };
        Ok(Some(field.fit(mapped)))
    }
}

impl Field {
    fn is_list(self) -> bool {
        self.inner.is_none() && LISTS.contains(&self.outer)
    }

    /// In the form that the decoder expects of the field, as far as that is a matter of form.
    fn fit(self, value: Value) -> Value {
        match value {
            Value::Array(_) => value,
            value if self.is_list() => Value::Array(vec![value]),
            Value::String(text) if FLAGS.contains(&self.outer) && (text == "true" || text == "false") => {
                Value::Bool(text == "true")
            }
            Value::String(text) if self.is_number() => {
                text.parse().map_or(Value::String(text), Value::Number)
            }
            // An id is a text, whatever its digits.
            Value::Number(number) if !self.is_number() && self.is_text() => number.to_string().into(),
            value => value,
        }
    }

    fn is_number(self) -> bool {
        NUMBERS.contains(&self.inner.unwrap_or(self.outer))
    }

    fn is_text(self) -> bool {
        !FLAGS.contains(&self.outer) && !self.outer.ends_with("_events")
    }

    fn name(self) -> String {
        self.inner.map_or_else(|| self.outer.to_owned(), |inner| format!("{}.{inner}", self.outer))
    }
}

impl Time {
    const fn micros(self) -> Option<i64> {
        match self {
            Self::Rfc3339 => None,
            Self::Seconds => Some(1_000_000),
            Self::Millis => Some(1_000),
            Self::Micros => Some(1),
        }
    }
}

/// Of a number that was written with a point.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9e15;
    #[expect(clippy::cast_possible_truncation, reason = "within what a double holds exactly")]
    (number.abs() < EXACT).then_some(number as i64)
}

/// An empty text says nothing, as in an event.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// What a person would write for it: a text, a number, true or false.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        other => {
            let text = other.to_string();
            let cut: String = text.chars().take(SHOWN_CHARS).collect();
            if cut.len() < text.len() { format!("`{cut}…`") } else { format!("`{cut}`") }
        }
    }
}

const FLAGS: &[&str] = &["device_managed", "interactive", "backfill"];
const NUMBERS: &[&str] = &["rtt_ms", "latitude", "longitude", "radius_km", "asn"];
const SHOWN_CHARS: usize = 80;
/// Paths that a rejection names.
const SAID_MAX: usize = 5;
