//! The records of network lanes: a sighting, facts of an origin, and what a lane keeps of it.

use serde::ser::{Serialize, Serializer};

use super::avro;
use super::borrowed::Borrowed;
use super::shape::{Shape, fields};
use crate::engine::across::Told;
use crate::engine::schema::{NETWORK, NETWORK_STATE, SIGHTING};
use crate::model::across::{OriginFacts, Sight, Sighting};
use crate::model::time::Timestamp;

/// Appends the single-object Avro of a sighting.
pub fn sighting_avro(sighting: &Sighting, out: &mut Vec<u8>) {
    avro(&SIGHTING, &Shape::<_, false>(sighting), out);
}

/// Reads a sighting. A word of a newer version is [`Sight::Other`].
///
/// # Errors
/// What is wrong with it.
pub fn sighting_read(value: &[u8]) -> Result<Sighting, String> {
    #[derive(serde::Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        sight: Borrowed<'a>,
        user: i64,
        occurred_at: i64,
    }
    let wire: Wire<'_> = SIGHTING.read(value)?;
    Ok(Sighting {
        sight: Sight::parse(&wire.sight.0).unwrap_or(Sight::Other),
        user: wire.user.cast_unsigned(),
        at: time(wire.occurred_at)?,
    })
}

/// Appends the single-object Avro of what is told of an origin.
pub fn network_avro(told: &Told, out: &mut Vec<u8>) {
    avro(&NETWORK, &Shape::<_, false>(told), out);
}

/// Reads what is told of an origin.
///
/// # Errors
/// What is wrong with it.
pub fn network_read(value: &[u8]) -> Result<Told, String> {
    #[derive(serde::Deserialize)]
    struct Wire {
        version: i64,
        failed: i64,
        unknown: i64,
        recovered: i64,
        succeeded: i64,
        attempts: i64,
        until: i64,
    }
    let wire: Wire = NETWORK.read(value)?;
    let users = |number: i64| u32::try_from(number).map_err(|_range| format!("{number} users"));
    Ok(Told {
        facts: OriginFacts {
            version: u64::try_from(wire.version).map_err(|_range| format!("version {}", wire.version))?,
            failed: users(wire.failed)?,
            unknown: users(wire.unknown)?,
            recovered: users(wire.recovered)?,
            succeeded: users(wire.succeeded)?,
            attempts: users(wire.attempts)?,
        },
        until: time(wire.until)?,
    })
}

/// Appends the single-object Avro of what a network lane keeps of an origin.
pub fn network_state_avro(state: &[u8], out: &mut Vec<u8>) {
    avro(&NETWORK_STATE, &Kept(state), out);
}

/// Reads what a network lane keeps of an origin.
///
/// # Errors
/// What is wrong with it.
pub fn network_state_read(value: &[u8]) -> Result<&[u8], String> {
    #[derive(serde::Deserialize)]
    struct Wire<'a> {
        state: &'a [u8],
    }
    NETWORK_STATE.read::<Wire<'_>>(value).map(|wire| wire.state)
}

fn time(micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_micros(micros).ok_or_else(|| format!("{micros} is no time"))
}

struct Kept<'s>(&'s [u8]);

impl Serialize for Kept<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "NetworkState" { "state": &Shape::<_, false>(&self.0) })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Sighting, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Sighting" {
            "sight": &Shape::<_, JSON>(&self.0.sight),
            "user": &self.0.user.cast_signed(),
            "occurred_at": &Shape::<_, JSON>(&self.0.at),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Told, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = &self.0.facts;
        fields!(serializer, "Network" {
            "version": &facts.version,
            "failed": &facts.failed,
            "unknown": &facts.unknown,
            "recovered": &facts.recovered,
            "succeeded": &facts.succeeded,
            "attempts": &facts.attempts,
            "until": &Shape::<_, JSON>(&self.0.until),
        })
    }
}
