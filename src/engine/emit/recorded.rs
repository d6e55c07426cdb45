//! What a replay takes from a decision that was published: the facts, what it rested on, where it
//! stands in its lane, and its chain.
//!
//! Everything else of it is made anew and compared, so nothing else is read: of a line only the end,
//! from the facts on. A line that somebody has written anew in another form is read as a whole.

use std::borrow::Cow;

use super::chain;
use crate::engine::schema::{DECISION, HEADER_BYTES, Opened};
use crate::model::id::Digest;
use crate::model::observation::Facts;
use crate::model::place::{Coordinates, Country};
use crate::model::{Browser, DeviceKind, NetworkClass, Os, PlaceSource};

/// The end of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub facts: Facts,
    pub basis: RecordedBasis,
    /// Of the event; a file has none.
    pub topic: Option<String>,
    pub partition: i32,
    /// Of the event that it decides.
    pub offset: i64,
    pub chain: Digest,
}

/// A [`Basis`](crate::model::decision::Basis) that owns its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBasis {
    pub policy: Digest,
    pub engine: String,
    pub tables: Digest,
    pub model: Option<Digest>,
}

impl Recorded {
    /// Reads one line of JSON.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(line: &[u8]) -> Result<Self, String> {
        if let Some(end) = line.windows(FACTS.len()).rposition(|found| found == FACTS) {
            let mut text = Vec::with_capacity(line.len().saturating_sub(end));
            text.push(b'{');
            text.extend_from_slice(line.get(end + 1..).unwrap_or_default());
            if let Ok(wire) = serde_json::from_slice::<Wire<'_>>(&text) {
                return wire.read();
            }
        }
        serde_json::from_slice::<Wire<'_>>(line).map_err(|error| error.to_string())?.read()
    }

    /// Reads single-object Avro.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_avro(value: &[u8]) -> Result<Self, String> {
        DECISION.read::<Wire<'_>>(value)?.read()
    }
}

/// The datum of a decision in single-object Avro whose chain is taken out, and that chain.
#[must_use]
pub fn split_chain(value: &[u8]) -> Option<(&[u8], Digest)> {
    let Opened::Datum(_, datum) = DECISION.open(value) else { return None };
    let (rest, digits) = datum.split_at_checked(datum.len().checked_sub(chain::DIGITS)?)?;
    let chain = Digest::parse(std::str::from_utf8(digits).ok()?)?;
    Some((rest.strip_suffix(&chain::LENGTH)?, chain))
}

/// Takes the bytes before the datum off.
pub(super) fn without_header(value: &[u8]) -> &[u8] {
    value.get(HEADER_BYTES..).unwrap_or_default()
}

#[derive(serde::Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    facts: WireFacts<'a>,
    #[serde(borrow)]
    basis: WireBasis<'a>,
    #[serde(borrow)]
    position: WirePosition<'a>,
    #[serde(borrow)]
    chain: Cow<'a, str>,
}

#[derive(serde::Deserialize)]
struct WireFacts<'a> {
    #[serde(borrow, default)]
    country: Option<Cow<'a, str>>,
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
    #[serde(default)]
    radius_km: Option<i64>,
    #[serde(borrow, default)]
    place_source: Option<Cow<'a, str>>,
    #[serde(default)]
    asn: Option<i64>,
    #[serde(borrow, default)]
    network_class: Option<Cow<'a, str>>,
    #[serde(default)]
    utc_offset_minutes: Option<i64>,
    #[serde(borrow, default)]
    browser: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    os: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    device: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct WireBasis<'a> {
    #[serde(borrow)]
    policy: Cow<'a, str>,
    #[serde(borrow)]
    engine: Cow<'a, str>,
    #[serde(borrow)]
    tables: Cow<'a, str>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
}

#[derive(serde::Deserialize)]
struct WirePosition<'a> {
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    partition: i32,
    offset: i64,
}

impl Wire<'_> {
    fn read(self) -> Result<Recorded, String> {
        Ok(Recorded {
            facts: self.facts.read()?,
            basis: self.basis.read()?,
            topic: self.position.topic.map(Cow::into_owned),
            partition: self.position.partition,
            offset: self.position.offset,
            chain: Digest::parse(&self.chain).ok_or_else(|| unfit("chain", &self.chain, "64 hex digits"))?,
        })
    }
}

impl WireFacts<'_> {
    fn read(self) -> Result<Facts, String> {
        let coordinates = match (self.latitude, self.longitude, self.radius_km) {
            (None, None, _) => None,
            (Some(latitude), Some(longitude), Some(radius_km)) => {
                let read = u16::try_from(radius_km).ok();
                let read = read.and_then(|radius_km| Coordinates::new(latitude, longitude, radius_km));
                Some(read.ok_or_else(|| {
                    let found = format!("{latitude}, {longitude}, {radius_km} km");
                    unfit("facts.latitude", &found, "a point on the earth, and its radius up to 65535")
                })?)
            }
            _ => {
                return Err(unfit("facts.latitude", "a place in parts", "latitude, longitude and radius_km"));
            }
        };
        Ok(Facts {
            country: word("facts.country", self.country, Country::parse)?,
            coordinates,
            place_source: word("facts.place_source", self.place_source, PlaceSource::parse)?,
            asn: number("facts.asn", self.asn)?,
            network_class: word("facts.network_class", self.network_class, NetworkClass::parse)?,
            utc_offset_minutes: number("facts.utc_offset_minutes", self.utc_offset_minutes)?,
            browser: word("facts.browser", self.browser, Browser::parse)?,
            os: word("facts.os", self.os, Os::parse)?,
            device: word("facts.device", self.device, DeviceKind::parse)?,
        })
    }
}

impl WireBasis<'_> {
    fn read(self) -> Result<RecordedBasis, String> {
        let digest = |name: &str, text: &str| {
            let digits = text.strip_prefix("sha256:");
            digits.and_then(Digest::parse).ok_or_else(|| unfit(name, text, "`sha256:` and 64 hex digits"))
        };
        Ok(RecordedBasis {
            policy: digest("basis.policy", &self.policy)?,
            tables: digest("basis.tables", &self.tables)?,
            model: self.model.map(|model| digest("basis.model", &model)).transpose()?,
            engine: self.engine.into_owned(),
        })
    }
}

fn word<T>(
    name: &str,
    text: Option<Cow<'_, str>>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(text) = text else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| unfit(name, &text, "a word that this version of ward knows"))
}

fn number<T: TryFrom<i64>>(name: &str, number: Option<i64>) -> Result<Option<T>, String> {
    let Some(number) = number else { return Ok(None) };
    let read = T::try_from(number).map_err(|_range| unfit(name, &number.to_string(), "a smaller number"));
    read.map(Some)
}

fn unfit(name: &str, found: &str, expected: &str) -> String {
    let found: String = found.chars().take(80).collect();
    format!("`{name}` is `{found}`, expected {expected}")
}

/// What only the field itself looks like: inside a text a quote has a backslash before it.
const FACTS: &[u8] = b",\"facts\":{";
