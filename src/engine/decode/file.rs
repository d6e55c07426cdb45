//! Events from an Avro container file, by the schema that its header carries.
//!
//! It reads what the caller gives it and opens nothing. Codecs: null and deflate.

use std::borrow::Cow;
use std::io::BufRead;

use super::wire::{Fields, Meter, Wire};
use super::{Decoded, Limits, Rejected, check};
use crate::engine::avro::Blocks;
use crate::model::time::Timestamp;

/// What ends the reading of a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("no Avro container file of events: {0}")]
    Header(String),
    #[error("damaged at {place}: {error}")]
    Damaged { place: String, error: String },
}

/// The events of a container file, one after the other.
pub struct Records<R: BufRead> {
    blocks: Blocks<R>,
    tick_micros: i64,
}

impl<R: BufRead> std::fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

impl<R: BufRead> Records<R> {
    /// Reads the header.
    pub fn open(from: R) -> Result<Self, FileError> {
        let blocks = Blocks::open(from).map_err(FileError::Header)?;
        let tick_micros = tick_micros(blocks.schema().json()).map_err(FileError::Header)?;
        Ok(Self { blocks, tick_micros })
    }

    /// The next event, or why it is none; `None` at the end of the file. After an error of the
    /// file there is no next one: the length of what could not be read is unknown.
    pub fn next<'a>(
        &'a mut self,
        fallback_id: &'a str,
        limits: &Limits,
    ) -> Result<Option<Result<Decoded<'a>, Rejected>>, FileError> {
        let mut wire = Wire::default();
        let mut meter = Meter { tick_micros: self.tick_micros, ..Meter::default() };
        let into = Fields { into: &mut wire, meter: &mut meter, outer: true };
        match self.blocks.next(into) {
            Ok(None) => Ok(None),
            Ok(Some(())) => {
                Ok(Some(check::check(wire, meter, Cow::Borrowed(fallback_id), None::<Timestamp>, limits)))
            }
            Err(damage) => Err(FileError::Damaged { place: meter.place(), error: damage.to_string() }),
        }
    }
}

/// What one tick of `occurred_at` is in microseconds, by its logical type. Read from the schema's
/// JSON: the decoder sees numbers only.
pub(super) fn tick_micros(schema: &str) -> Result<i64, String> {
    let schema: serde_json::Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    let fields = schema.get("fields").and_then(serde_json::Value::as_array);
    let field = fields
        .and_then(|fields| {
            fields.iter().find(|field| field.get("name").is_some_and(|name| name == "occurred_at"))
        })
        .ok_or("its schema is no record with a field `occurred_at`")?;
    match logical_type(field.get("type")) {
        Some("timestamp-micros") => Ok(1),
        Some("timestamp-millis") => Ok(1_000),
        Some("string") => Ok(0),
        _ => {
            Err("`occurred_at` is neither timestamp-micros, nor timestamp-millis, nor a string in its schema"
                .into())
        }
    }
}

fn logical_type(of: Option<&serde_json::Value>) -> Option<&str> {
    match of? {
        serde_json::Value::Array(union) => union.iter().find_map(|branch| logical_type(Some(branch))),
        serde_json::Value::Object(named) => named
            .get("logicalType")
            .and_then(serde_json::Value::as_str)
            .or_else(|| logical_type(named.get("type"))),
        serde_json::Value::String(name) => (name == "string").then_some("string"),
        _ => None,
    }
}
