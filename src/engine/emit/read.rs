//! Reading back what was emitted: the mark of a decision, and any record as JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::engine::avro::from_datum;
use crate::engine::schema::{ALL, DECISION, Opened};
use crate::model::id::Digest;
use crate::model::time::Timestamp;

/// What a published decision says of its lane: recovery reads one back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionMark {
    /// Of the event that it decides; the lane's mark is the one after.
    pub offset: i64,
    pub chain: Digest,
}

/// The mark of a decision in single-object encoding; `None` when it is none.
#[must_use]
pub fn read_mark(decision: &[u8]) -> Option<DecisionMark> {
    #[derive(serde::Deserialize)]
    struct Wire<'a> {
        position: Place,
        chain: &'a str,
    }
    #[derive(serde::Deserialize)]
    struct Place {
        offset: i64,
    }
    let Opened::Datum(schema, datum) = DECISION.open(decision) else { return None };
    let wire: Wire<'_> = from_datum(datum, schema).ok()?;
    Some(DecisionMark { offset: wire.position.offset, chain: Digest::parse(wire.chain)? })
}

/// A record in single-object encoding, of any schema that this version knows, as the JSON of the
/// same record: for tools and tests. Not for the hot path.
#[must_use]
pub fn to_value(record: &[u8]) -> Option<Value> {
    let (schema, datum) = ALL.iter().find_map(|subject| match subject.open(record) {
        Opened::Datum(schema, datum) => Some((schema, datum)),
        _ => None,
    })?;
    let Any(mut value) = from_datum(datum, schema).ok()?;
    times(&mut value);
    Some(value)
}

/// A JSON value that bytes are read into as well: one character a byte, as Avro's JSON has them.
pub(crate) struct Any(pub(crate) Value);

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyVisitor).map(Self)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.iter().copied().map(char::from).collect::<String>().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Any(value)) = seq.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((key, Any(value))) = map.next_entry::<String, Any>()? {
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// Writes times as JSON has them. They are the fields whose names end in `_at`, and three more.
fn times(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        let time = name.ends_with("_at") || matches!(name.as_str(), "not_before" | "since");
        if let (true, Some(time)) = (time, value.as_i64().and_then(Timestamp::from_micros)) {
            *value = Value::String(time.to_string());
        } else {
            times(value);
        }
    }
}
