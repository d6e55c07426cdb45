//! Writers: what others wrote their records with, by the ids that a registry gave their schemas.
//!
//! The Confluent wire format is a zero byte, the id of the writer's schema in four bytes, and the
//! datum. The ids are looked up by the runtime before a record comes here; here they are a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::wire::{Meter, Wire};
use super::{Decoder, Rejected, file, open, read_datum};
use crate::engine::avro::{Schema, Unfit};
use crate::model::Reject;

/// What is known of the ids.
#[derive(Clone, Debug, Default)]
pub struct Writers {
    known: BTreeMap<u32, Arc<Writer>>,
}

/// What an id led to.
#[derive(Debug)]
pub enum Writer {
    Reads(Decoder),
    /// What is written with it is rejected as `unknown_schema`, with this.
    Refuses(String),
}

/// No id is known: there is no registry.
pub static NO_WRITERS: Writers = Writers { known: BTreeMap::new() };

impl Writers {
    pub fn insert(&mut self, id: u32, writer: Writer) {
        self.known.insert(id, Arc::new(writer));
    }

    pub fn remove(&mut self, id: u32) {
        self.known.remove(&id);
    }

    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Writer> {
        self.known.get(&id).map(|writer| &**writer)
    }
}

impl Writer {
    /// Of a schema as the registry gave it.
    ///
    /// # Errors
    /// When that is no Avro schema at all: registries parse what they take, so whatever gave it is
    /// none that works.
    pub fn of(json: &str) -> Result<Self, String> {
        let schema = match json.parse::<Schema>() {
            Ok(schema) => schema,
            // The registry has answered; no other answer is to be waited for.
            Err(Unfit::Beyond(why)) => return Ok(Self::Refuses(format!("it is more than is taken: {why}"))),
            Err(Unfit::Broken(why)) => return Err(format!("the schema does not parse: {why}")),
        };
        Ok(match file::tick_micros(json) {
            Ok(tick_micros) => Self::Reads(Decoder { schema, tick_micros }),
            Err(why) => Self::Refuses(format!("it is no event's schema: {why}")),
        })
    }
}

/// The id and the datum of a value in the Confluent wire format.
#[must_use]
pub fn split_confluent(value: &[u8]) -> Option<(u32, &[u8])> {
    let (head, datum) = value.split_first_chunk::<5>()?;
    let [0, id @ ..] = *head else { return None };
    Some((u32::from_be_bytes(id), datum))
}

/// Reads a value in the Confluent wire format. One in single-object encoding is read all the same:
/// the first byte tells, and producers do not change over all at once.
pub(super) fn read<'a>(
    value: &'a [u8],
    writers: &Writers,
    wire: &mut Wire<'a>,
    meter: &mut Meter,
) -> Result<(), Rejected> {
    let Some((id, datum)) = split_confluent(value) else {
        let (schema, datum) = open(value)?;
        return read_datum(datum, schema, wire, meter);
    };
    let unknown = |detail: String| Rejected::new(Reject::UnknownSchema, detail);
    match writers.get(id) {
        Some(Writer::Reads(decoder)) => {
            meter.tick_micros = decoder.tick_micros;
            read_datum(datum, &decoder.schema, wire, meter)
        }
        Some(Writer::Refuses(why)) => Err(unknown(format!("schema id {id}: {why}"))),
        None => Err(unknown(format!("schema id {id} was not looked up; name a registry in [registry]"))),
    }
}
