//! Avro, as far as the engine reads it: schemas, datums by their writer's schema, container files.
//!
//! Our own, because every event and every profile comes through here and each byte of it may be an
//! attack: a datum is read where it lies, straight into serde's visitors, with nothing in between to
//! build. A number, a text, a list and the depth of a record have bounds; whatever does not fit ends
//! in [`Damage`]. `apache-avro`, which shares no code with this, is what the tests compare with.
//!
//! Logical types are what they are made of: whoever asks for a time knows what its number counts.

mod file;
mod fingerprint;
mod read;
mod schema;

pub(crate) use file::Blocks;
pub(crate) use read::{Datum, from_datum};
pub(crate) use schema::{Schema, Unfit};

use std::borrow::Cow;
use std::fmt::{self, Display};

/// Why bytes are not what their schema says.
#[derive(Debug)]
pub(crate) struct Damage(Cow<'static, str>);

impl Damage {
    #[cold]
    const fn new(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }
}

impl Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Damage {}

impl serde::de::Error for Damage {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self(Cow::Owned(message.to_string()))
    }
}

/// A value of apache-avro's as [`emit::Any`](super::emit) has ours.
#[cfg(test)]
pub(crate) fn shown(value: &apache_avro::types::Value) -> serde_json::Value {
    use apache_avro::types::Value as Avro;
    use serde_json::{Value, json};
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(value) => json!(value),
        Avro::Int(value) => json!(value),
        Avro::Long(value) | Avro::TimestampMicros(value) => json!(value),
        Avro::Float(value) => json!(f64::from(*value)),
        Avro::Double(value) => json!(value),
        Avro::Bytes(bytes) | Avro::Fixed(_, bytes) => {
            json!(bytes.iter().copied().map(char::from).collect::<String>())
        }
        Avro::String(text) => json!(text),
        Avro::Enum(_, symbol) => json!(symbol),
        Avro::Union(_, value) => shown(value),
        Avro::Array(list) => list.iter().map(shown).collect(),
        Avro::Map(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), shown(value))).collect()),
        Avro::Record(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), shown(value))).collect())
        }
        other => panic!("{other:?}"),
    }
}
