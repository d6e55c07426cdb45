//! Renderings: what was published, in the words of other systems. OCSF 1.5.0 (Detection Finding 2004,
//! Authentication 3002) and ECS 8.11.
//!
//! A rendering is made of the record's published form and of nothing else, so that a topic of
//! renderings and a rendering of the topic are the same bytes. It is one way: nothing reads it back.
//!
//! Whatever the other system has a field for stands there and in its own words; the rest stands under
//! `unmapped.wardstream` (OCSF) or `wardstream` (ECS), in ours. What is absent is left out.
//!
//! The tests hold every record that the transcripts and the simulator give against the published
//! field lists in `tests/data`.

mod attack;
mod ecs;
mod ocsf;
mod record;

use serde_json::Value;

pub use self::record::{Rendered, StoredAlert};
use super::stored::{Side, StoredReason, Value as Said};
use super::{Alert, alert_avro};

/// Appends the OCSF of `alert`, without a line feed.
pub fn alert_ocsf(alert: &Alert<'_>, out: &mut Vec<u8>) {
    published(alert, as_ocsf, out);
}

/// Appends the ECS of `alert`, without a line feed.
pub fn alert_ecs(alert: &Alert<'_>, out: &mut Vec<u8>) {
    published(alert, as_ecs, out);
}

/// Appends the OCSF of a record; `false`, and nothing, where OCSF has no class for it: events and
/// decisions that are no login.
pub fn as_ocsf(record: &Rendered<'_>, out: &mut Vec<u8>) -> bool {
    append(ocsf::render(record), out)
}

/// Appends the ECS of a record; `false`, and nothing, as [`as_ocsf`].
pub fn as_ecs(record: &Rendered<'_>, out: &mut Vec<u8>) -> bool {
    append(ecs::render(record), out)
}

/// An alert is rare, and goes the way that a reader of the topic would take.
fn published(alert: &Alert<'_>, render: fn(&Rendered<'_>, &mut Vec<u8>) -> bool, out: &mut Vec<u8>) {
    let mut value = Vec::new();
    alert_avro(alert, &mut value);
    match StoredAlert::from_avro(&value) {
        Ok(stored) => drop(render(&Rendered::Alert(Box::new(stored)), out)),
        Err(what) => super::broken("alert", &what),
    }
}

fn append(rendered: Option<Value>, out: &mut Vec<u8>) -> bool {
    let Some(value) = rendered else { return false };
    // A tree of texts and numbers into a growing buffer cannot fail.
    serde_json::to_writer(out, &value).is_ok()
}

/// An object without what is absent: null, and empty lists, objects and texts.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let is_absent = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let there = members.into_iter().filter(|(_, value)| !is_absent(value));
    Value::Object(there.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A list of texts, each once, in order.
fn once<'t>(texts: impl IntoIterator<Item = &'t str>) -> Value {
    let mut seen: Vec<Value> = Vec::new();
    for text in texts {
        if !text.is_empty() && !seen.iter().any(|known| known == text) {
            seen.push(text.into());
        }
    }
    Value::Array(seen)
}

/// A reason in our own words: the numbers of both sides with it.
fn reason(reason: &StoredReason<'_>) -> Value {
    object([
        ("signal", reason.signal.as_ref().into()),
        ("group", reason.group.as_ref().into()),
        ("points", reason.points.into()),
        ("severity", reason.severity.into()),
        ("centibans", reason.centibans.into()),
        ("before", side(&reason.before)),
        ("now", side(&reason.now)),
        ("text", reason.text.as_ref().into()),
        ("report_only", reason.report_only.into()),
    ])
}

fn side(side: &Side<'_>) -> Value {
    let value = |said: &Said<'_>| match said {
        Said::Number(number) => Value::from(*number),
        Said::Word(word) => word.as_ref().into(),
        Said::List(words) => words.iter().map(AsRef::as_ref).collect::<Value>(),
    };
    Value::Object(side.0.iter().map(|(name, said)| (name.to_string(), value(said))).collect())
}
