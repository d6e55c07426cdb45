//! An event from named texts: a line of CSV with its header.
//!
//! The header has the JSON names; a nested one is written with a dot (`place_hint.country`), a list
//! of words is joined with `|`, a list of points is the JSON array itself.

use std::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, Error as TextError};

use super::wire::{AboutWire, Meter, NetworkWire, PlaceWire, Record, Wire};
use super::{Decoded, Limits, Rejected, check, limit, too_large};
use crate::model::Reject;
use crate::model::time::Timestamp;

/// Decodes and checks one line; otherwise as [`super::decode`]. Empty cells are absent.
pub fn from_fields<'a>(
    fields: impl Iterator<Item = (&'a str, &'a str)>,
    fallback_id: &'a str,
    recorded_at: Option<Timestamp>,
    limits: &Limits,
) -> Result<Decoded<'a>, Rejected> {
    let mut wire = Wire::default();
    let mut meter = Meter { texts: true, ..Meter::default() };
    let mut bytes = 0;
    for (name, text) in fields.filter(|(_, text)| !text.is_empty()) {
        bytes += name.len() + text.len();
        if bytes > limit::EVENT_BYTES_MAX {
            return Err(too_large(bytes));
        }
        let known = match name.split_once('.') {
            None => put(&mut wire, name, text, &mut meter),
            Some(("place_hint", part)) => {
                put(wire.place_hint.get_or_insert_with(PlaceWire::default), part, text, &mut meter)
            }
            Some(("network_hint", part)) => {
                put(wire.network_hint.get_or_insert_with(NetworkWire::default), part, text, &mut meter)
            }
            Some(("about", part)) => {
                put(wire.about.get_or_insert_with(AboutWire::default), part, text, &mut meter)
            }
            Some(_) => Ok(false),
        };
        match known {
            Ok(true) => {}
            Ok(false) => meter.unknown_fields = meter.unknown_fields.saturating_add(1),
            Err(error) => return Err(Rejected::new(Reject::BadValue, format!("`{name}`: {error}"))),
        }
    }
    check::check(wire, meter, Cow::Borrowed(fallback_id), recorded_at, limits)
}

/// Reads one cell into the field of that name; false when there is none.
fn put<'a, T: Record<'a>>(
    into: &mut T,
    name: &str,
    text: &'a str,
    meter: &mut Meter,
) -> Result<bool, TextError> {
    let Some((index, key)) = T::NAMES.find(name) else {
        return Ok(false);
    };
    meter.outer = key;
    meter.inner = "";
    into.fill(index, BorrowedStrDeserializer::new(text), meter).map(|()| true)
}
