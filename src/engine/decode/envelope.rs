//! CloudEvents 1.0: the envelope around an event.
//!
//! *Structured*: a JSON object whose `data` is the event. A record is one when its header
//! `content-type` begins with `application/cloudevents`, or when its topic's format is `cloudevents`
//! and it states a `specversion`. *Binary*: the attributes are headers `ce_…`, the value is the event
//! in the topic's format, or in JSON when `content-type` says so.
//!
//! `id`, `time` and `source` stand in where the event states no `event_id`, `occurred_at` and
//! `source` of its own, and the last part of `type` where it has no `type`. All else is skipped.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeSeed as _;

use super::slot::{Slot, TypeWord};
use super::wire::{Fields, Meter, Text, Wire};
use super::{Format, Rejected, limit, read_json, shown, too_large};
use crate::model::time::Timestamp;
use crate::model::{EventType, Reject};

/// A record's header: its name, and its value as it lies.
pub type Header<'a> = (&'a str, &'a [u8]);

/// What the headers say of a record.
#[derive(Debug, PartialEq)]
pub(super) enum Mode<'a> {
    /// No CloudEvent.
    Plain,
    Structured,
    /// With its attributes, and whether its value is JSON whatever the topic says.
    Binary(Attributes<'a>, bool),
}

/// The attributes that mean something here.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Attributes<'a> {
    version: Text<'a>,
    id: Text<'a>,
    source: Text<'a>,
    kind: Text<'a>,
    time: Text<'a>,
}

record! {
    /// The envelope in JSON.
    Envelope<'a> {
        version: Text<'a> = "specversion",
        id: Text<'a> = "id",
        source: Text<'a> = "source",
        kind: Text<'a> = "type",
        time: Text<'a> = "time",
        content: Text<'a> = "datacontenttype",
        schema: Text<'a> = "dataschema",
        subject: Text<'a> = "subject",
        data: Option<Box<Wire<'a>>> = "data",
        data_base64: Text<'a> = "data_base64",
    }
}

impl<'a> Slot<'a> for Option<Box<Wire<'a>>> {
    fn fill<D: serde::Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        let mut wire = Box::new(Wire::default());
        Fields { into: &mut *wire, meter: &mut *meter, outer: true }.deserialize(from)?;
        *self = Some(wire);
        Ok(())
    }
}

/// What kind of CloudEvent a record is, if it is one.
pub(super) fn mode<'a>(headers: &[Header<'a>]) -> Result<Mode<'a>, Rejected> {
    if headers.is_empty() {
        return Ok(Mode::Plain);
    }
    let mut attributes = Attributes::default();
    let mut is_json = false;
    for (name, value) in headers.iter().take(HEADERS_MAX) {
        let slot = match *name {
            "ce_specversion" => &mut attributes.version,
            "ce_id" => &mut attributes.id,
            "ce_source" => &mut attributes.source,
            "ce_type" => &mut attributes.kind,
            "ce_time" => &mut attributes.time,
            name if name.eq_ignore_ascii_case("content-type") => {
                let content = std::str::from_utf8(value).unwrap_or_default();
                if begins(content, STRUCTURED) {
                    return structured(content).map(|()| Mode::Structured);
                }
                is_json = is_json_type(content);
                continue;
            }
            _ => continue,
        };
        let Ok(text) = std::str::from_utf8(value) else {
            return Err(Rejected::new(Reject::BadValue, format!("header `{name}` is not UTF-8")));
        };
        *slot = (!text.is_empty()).then_some(Cow::Borrowed(text));
    }
    if attributes.version.is_none() {
        return Ok(Mode::Plain);
    }
    attributes.check("header `ce_", "`")?;
    Ok(Mode::Binary(attributes, is_json))
}

/// Whether the headers say that the record is a structured CloudEvent.
#[must_use]
pub fn is_structured(headers: &[Header<'_>]) -> bool {
    headers.iter().take(HEADERS_MAX).any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type")
            && std::str::from_utf8(value).is_ok_and(|content| begins(content, STRUCTURED))
    })
}

/// Of all structured forms this one is read.
fn structured(content: &str) -> Result<(), Rejected> {
    let end = content.find([';', ' ']).unwrap_or(content.len());
    let form = content.get(STRUCTURED.len()..end).unwrap_or_default();
    if form.is_empty() || form.eq_ignore_ascii_case("+json") {
        return Ok(());
    }
    let detail = format!(
        "is a CloudEvent as {}, expected application/cloudevents+json; publish it so, or in binary mode",
        shown(content)
    );
    Err(Rejected::new(Reject::Malformed, detail))
}

/// Reads a structured CloudEvent. `is_sure` says that it must be one; else a record that states no
/// `specversion` is an event by itself.
pub(super) fn read<'a>(
    value: &'a [u8],
    is_sure: bool,
    wire: &mut Wire<'a>,
    meter: &mut Meter,
) -> Result<(), Rejected> {
    let mut envelope = Envelope::default();
    let read = read_json(value, &mut envelope, meter);
    // What broke off may have broken before it came to the version.
    if !is_sure && envelope.version.is_none() && (read.is_ok() || !states_a_version(value)) {
        *meter = Meter::default();
        return read_json(value, wire, meter);
    }
    read?;
    let attributes = Attributes {
        version: envelope.version,
        id: envelope.id,
        source: envelope.source,
        kind: envelope.kind,
        time: envelope.time,
    };
    attributes.check("`", "` of the CloudEvent")?;
    match (envelope.data, envelope.data_base64) {
        (Some(data), None) => *wire = *data,
        (None, Some(text)) => {
            if let Some(content) = &envelope.content
                && !is_json_type(content)
            {
                let detail = format!("`datacontenttype` is {}, expected application/json", shown(content));
                return Err(Rejected::new(Reject::BadValue, detail));
            }
            base64(&text, wire, meter)?;
        }
        (None, None) => {
            return Err(Rejected::new(
                Reject::MissingField,
                "`data` of the CloudEvent is missing; it is the event",
            ));
        }
        (Some(_), Some(_)) => {
            let detail = "both `data` and `data_base64` are stated, expected one of them";
            return Err(Rejected::new(Reject::Malformed, detail));
        }
    }
    attributes.fill(wire)
}

fn states_a_version(value: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Only {
        #[serde(rename = "specversion")]
        _version: serde::de::IgnoredAny,
    }
    serde_json::from_slice::<Only>(value).is_ok()
}

fn base64(text: &str, wire: &mut Wire<'_>, meter: &mut Meter) -> Result<(), Rejected> {
    let bytes = BASE64_STANDARD
        .decode(text)
        .map_err(|error| Rejected::new(Reject::BadValue, format!("`data_base64` is no base64: {error}")))?;
    if bytes.len() > limit::EVENT_BYTES_MAX {
        return Err(too_large(bytes.len()));
    }
    // Read as from a stream, so that what is kept of it is copied: nobody else holds these bytes.
    let mut json = serde_json::Deserializer::from_reader(bytes.as_slice());
    let into = Fields { into: wire, meter: &mut *meter, outer: true };
    into.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        Rejected::new(Reject::Malformed, format!("`data_base64`, {}: {error}", meter.place()))
    })
}

impl<'a> Attributes<'a> {
    /// What every CloudEvent must have. `before` and `after` stand around an attribute's name.
    fn check(&self, before: &str, after: &str) -> Result<(), Rejected> {
        if let Some(version) = self.version.as_deref().filter(|version| *version != "1.0") {
            let detail = format!("{before}specversion{after} is {}, expected `1.0`", shown(version));
            return Err(Rejected::new(Reject::UnsupportedVersion, detail));
        }
        let needed = [
            ("specversion", &self.version),
            ("id", &self.id),
            ("source", &self.source),
            ("type", &self.kind),
        ];
        match needed.iter().find(|(_, value)| value.is_none()) {
            Some((name, _)) => {
                let detail = format!("{before}{name}{after} is missing; CloudEvents 1.0 needs it");
                Err(Rejected::new(Reject::MissingField, detail))
            }
            None => Ok(()),
        }
    }

    /// Stands in for what the event does not state.
    pub(super) fn fill(self, wire: &mut Wire<'a>) -> Result<(), Rejected> {
        wire.event_id = wire.event_id.take().or(self.id);
        wire.source = wire.source.take().or(self.source);
        if wire.occurred_at.is_none()
            && let Some(time) = &self.time
        {
            let read = Timestamp::parse(time);
            wire.occurred_at = Some(read.ok_or_else(|| {
                let detail =
                    format!("`time` of the CloudEvent is {}, expected a time in RFC 3339", shown(time));
                Rejected::new(Reject::BadValue, detail)
            })?);
        }
        if matches!(wire.kind, TypeWord::Absent)
            && let Some(kind) = &self.kind
        {
            let last = kind.rsplit('.').next().unwrap_or(kind);
            wire.kind =
                EventType::parse(last).map_or_else(|| TypeWord::Unknown(shown(kind)), TypeWord::Known);
        }
        Ok(())
    }
}

/// The format of a binary CloudEvent's value.
pub(super) const fn format_of(topic: Format, is_json: bool) -> Format {
    match topic {
        // There it is the event itself that is JSON.
        Format::CloudEvents => Format::Json,
        _ if is_json => Format::Json,
        other => other,
    }
}

fn is_json_type(content: &str) -> bool {
    let end = content.find([';', ' ']).unwrap_or(content.len());
    let kind = content.get(..end).unwrap_or_default().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

fn begins(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

const STRUCTURED: &str = "application/cloudevents";
/// Senders state six; tracing adds some.
const HEADERS_MAX: usize = 64;
