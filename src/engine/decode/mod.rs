//! Decode: bytes to a checked [`Event`], or a reason why not.
//!
//! JSON, Avro and CSV fill one wire shape (`wire`), each value parsed where it lies (`slot`); what
//! a type of event needs, and every limit, is checked once (`check`). The event borrows from the
//! record; only texts with escapes, and what comes from a compressed file, are copied.
//!
//! It does nothing about keys, partitions and duplicates: those are the lane's.

#[macro_use]
mod wire;
mod check;
mod envelope;
mod fields;
mod file;
pub mod limit;
mod slot;
mod writers;

use std::borrow::Cow;

use serde::de::DeserializeSeed as _;

pub use envelope::{Header, is_structured};
pub use fields::from_fields;
pub use file::{FileError, Records};
pub use writers::{NO_WRITERS, Writer, Writers, split_confluent};

use self::envelope::Mode;
use self::wire::{Fields, Meter, Record, Wire};
use super::quick::Quick;
use crate::engine::avro::{Datum, Schema};
use crate::engine::schema::{EVENT, Opened};
use crate::model::Reject;
use crate::model::event::Event;
use crate::model::time::Timestamp;

/// How a topic's or a file's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    /// Single-object encoding: C3 01, fingerprint, datum.
    Avro,
    /// A bare datum of the current `event.avsc`.
    AvroBare,
    /// A zero byte, the id of the writer's schema at a registry, datum.
    Confluent,
    /// JSON with the event as `data` of a structured CloudEvent, or by itself.
    CloudEvents,
}

/// How a record is to be read.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// That of its topic.
    pub format: Format,
    /// Those that a CloudEvent may have; others do no harm.
    pub headers: &'a [Header<'a>],
    pub writers: &'a Writers,
}

impl From<Format> for How<'_> {
    fn from(format: Format) -> Self {
        Self { format, headers: &[], writers: &NO_WRITERS }
    }
}

/// Why a record was not taken, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub reason: Reject,
    /// What was found and what was expected; user input in backticks, bounded.
    pub detail: String,
}

impl Rejected {
    pub(crate) fn new(reason: Reject, detail: impl Into<String>) -> Self {
        Self { reason, detail: cut(detail.into(), DETAIL_BYTES_MAX) }
    }
}

/// A decoded event, and how many of its fields this version does not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<'a> {
    pub event: Event<'a>,
    pub unknown_fields: u16,
}

/// Limits that configuration may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How far before the record's own time an event may lie; `None` for backfill.
    pub max_age: Option<std::time::Duration>,
    /// Ids that vendors send for "nobody", lower case.
    pub placeholders: Vec<String>,
    /// The sources that may mark events as a backfill: none, unless configured.
    pub backfill: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_age: Some(limit::AGE_MAX),
            placeholders: limit::PLACEHOLDERS.iter().map(|id| (*id).to_owned()).collect(),
            backfill: Vec::new(),
        }
    }
}

/// Decodes and checks one value. `fallback_id` names an event whose producer gave it no id;
/// `recorded_at` is the record's own time (files have none, and skip the tests of age).
pub fn decode<'a>(
    value: &'a [u8],
    how: impl Into<How<'a>>,
    fallback_id: &'a str,
    recorded_at: Option<Timestamp>,
    limits: &Limits,
) -> Result<Decoded<'a>, Rejected> {
    if value.len() > limit::EVENT_BYTES_MAX {
        return Err(too_large(value.len()));
    }
    let How { format, headers, writers } = how.into();
    let mut wire = Wire::default();
    let mut meter = Meter::default();
    match envelope::mode(headers)? {
        Mode::Plain => read_value(value, format, writers, &mut wire, &mut meter)?,
        Mode::Structured => envelope::read(value, true, &mut wire, &mut meter)?,
        Mode::Binary(attributes, is_json) => {
            let format = envelope::format_of(format, is_json);
            read_value(value, format, writers, &mut wire, &mut meter)?;
            attributes.fill(&mut wire)?;
        }
    }
    check::check(wire, meter, Cow::Borrowed(fallback_id), recorded_at, limits)
}

fn read_value<'a>(
    value: &'a [u8],
    format: Format,
    writers: &Writers,
    wire: &mut Wire<'a>,
    meter: &mut Meter,
) -> Result<(), Rejected> {
    match format {
        Format::Json => read_json(value, wire, meter),
        Format::CloudEvents => envelope::read(value, false, wire, meter),
        Format::Confluent => writers::read(value, writers, wire, meter),
        Format::Avro => {
            let (schema, datum) = open(value)?;
            read_datum(datum, schema, wire, meter)
        }
        Format::AvroBare => {
            let schema = EVENT.current().ok_or_else(no_schema)?;
            read_datum(value, schema, wire, meter)
        }
    }
}

/// Reads datums of one writer's schema, e.g. of a registry's.
pub struct Decoder {
    schema: Schema,
    tick_micros: i64,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("schema", &self.schema.json()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder for what was written with this schema, given as JSON. Fields are found by name;
    /// the error says what is wrong with the schema.
    pub fn with_schema(json: &str) -> Result<Self, String> {
        let schema = json.parse::<Schema>().map_err(|error| format!("the schema cannot be read: {error}"))?;
        Ok(Self { schema, tick_micros: file::tick_micros(json)? })
    }

    /// Decodes and checks one bare datum; otherwise as [`decode`].
    pub fn decode<'a>(
        &self,
        datum: &'a [u8],
        fallback_id: &'a str,
        recorded_at: Option<Timestamp>,
        limits: &Limits,
    ) -> Result<Decoded<'a>, Rejected> {
        if datum.len() > limit::EVENT_BYTES_MAX {
            return Err(too_large(datum.len()));
        }
        let mut wire = Wire::default();
        let mut meter = Meter { tick_micros: self.tick_micros, ..Meter::default() };
        read_datum(datum, &self.schema, &mut wire, &mut meter)?;
        check::check(wire, meter, Cow::Borrowed(fallback_id), recorded_at, limits)
    }
}

fn read_json<'a, T: Record<'a> + Default>(
    value: &'a [u8],
    into: &mut T,
    meter: &mut Meter,
) -> Result<(), Rejected> {
    // Once for all of it: the reader would check every text by itself.
    let Ok(value) = std::str::from_utf8(value) else {
        return Err(Rejected::new(Reject::Malformed, "is not UTF-8; JSON is"));
    };
    let mut quick = Quick::new(value);
    let fields = Fields { into: &mut *into, meter: &mut *meter, outer: true };
    if fields.deserialize(&mut quick).and_then(|()| quick.end()).is_ok() {
        return Ok(());
    }
    (*into, *meter) = (T::default(), Meter::default());
    let mut json = serde_json::Deserializer::from_str(value);
    let fields = Fields { into, meter: &mut *meter, outer: true };
    fields.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        // A value of the wrong type is a bad value; anything else is no JSON object of ours.
        let data = error.is_data() && !meter.repeated && !meter.outer.is_empty();
        let reason = if data { Reject::BadValue } else { Reject::Malformed };
        Rejected::new(reason, format!("{}: {error}", meter.place()))
    })
}

fn read_datum<'a>(
    datum: &'a [u8],
    schema: &Schema,
    wire: &mut Wire<'a>,
    meter: &mut Meter,
) -> Result<(), Rejected> {
    if meter.tick_micros == 0 {
        meter.tick_micros = 1;
    }
    let mut datum = Datum::new(datum, schema).without_nulls();
    datum
        .read(Fields { into: wire, meter: &mut *meter, outer: true })
        .map_err(|damage| Rejected::new(Reject::Malformed, format!("{}: {damage}", meter.place())))?;
    match datum.rest() {
        [] => Ok(()),
        rest => {
            let detail = format!("{} bytes follow the datum; it was written with another schema", rest.len());
            Err(Rejected::new(Reject::Malformed, detail))
        }
    }
}

/// The writer's schema and the datum of a value in single-object encoding.
fn open(value: &[u8]) -> Result<(&'static Schema, &[u8]), Rejected> {
    let (reason, detail) = match (EVENT.open(value), value) {
        (Opened::Datum(schema, datum), _) => return Ok((schema, datum)),
        (Opened::Newer(version), _) => (
            Reject::UnsupportedVersion,
            format!("single-object encoding of version {version}, expected version 1 (C3 01)"),
        ),
        (Opened::Unknown(fingerprint), _) => (
            Reject::UnknownSchema,
            format!(
                "no schema of an event has the fingerprint {fingerprint}; publish with a schema of schemas/history"
            ),
        ),
        (Opened::Unmarked, [0, a, b, c, d, _, ..]) => (
            Reject::UnknownSchema,
            format!(
                "looks like the Confluent wire format, schema id {}, and no registry is configured; set the topic's format to `confluent` and [registry] url, or publish in single-object encoding (C3 01)",
                u32::from_be_bytes([*a, *b, *c, *d])
            ),
        ),
        (Opened::Unmarked, [b'{', ..]) => (
            Reject::Malformed,
            "looks like JSON where Avro is expected; set the topic's format to `json`".to_owned(),
        ),
        (Opened::Unmarked, _) => {
            (Reject::Malformed, "does not begin with C3 01 and a fingerprint of 8 bytes".to_owned())
        }
    };
    Err(Rejected::new(reason, detail))
}

#[cold]
fn no_schema() -> Rejected {
    Rejected::new(Reject::UnknownSchema, "this build has no readable event schema")
}

#[cold]
fn too_large(bytes: usize) -> Rejected {
    let detail = format!("{bytes} bytes, at most {} are taken", limit::EVENT_BYTES_MAX);
    Rejected::new(Reject::TooLarge, detail)
}

/// A user's text in backticks, short and without control characters.
pub(crate) fn shown(text: &str) -> String {
    let short = start_of(text, SHOWN_BYTES_MAX);
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", short.escape_debug())
}

/// The longest start of `text` of at most `bytes` that ends between characters.
pub(crate) fn start_of(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        text.truncate(text.floor_char_boundary(bytes));
        text.push('…');
    }
    text
}

const SHOWN_BYTES_MAX: usize = 64;
const DETAIL_BYTES_MAX: usize = 400;

#[cfg(test)]
mod tests;
