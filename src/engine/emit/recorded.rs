//! What a replay takes from a decision that was published: the facts, what it rested on, where it
//! stands in its lane, and its chain.
//!
//! Everything else of it is made anew and compared, so nothing else is read: of a line only the end,
//! from the facts on. A line that somebody has written anew in another form is read as a whole.

use std::sync::Arc;

use serde::Deserialize as _;

use super::borrowed::Borrowed;
use super::chain;
use crate::engine::memory::Memory;
use crate::engine::quick::Quick;
use crate::engine::schema::{DECISION, HEADER_BYTES, Opened};
use crate::model::across::{Across, OriginFacts};
use crate::model::id::Digest;
use crate::model::observation::Facts;
use crate::model::place::{Coordinates, Country};
use crate::model::{Browser, DeviceKind, NetworkClass, Os, PlaceSource};

/// The end of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub facts: Facts,
    pub basis: Arc<RecordedBasis>,
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
        RecordedLines::default().read(line)
    }

    /// Reads single-object Avro.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_avro(value: &[u8]) -> Result<Self, String> {
        DECISION.read::<Wire<'_>>(value)?.read()
    }
}

/// Reads lines one after the other. What decisions rest on is the same for long, and people come back
/// from where they were with what they had: both are read once.
#[derive(Debug, Default)]
pub struct RecordedLines {
    /// The last basis, as it is written and as it is read.
    text: Vec<u8>,
    basis: Option<Arc<RecordedBasis>>,
    known: Memory<Facts, KNOWN_FACTS>,
}

impl RecordedLines {
    /// # Errors
    /// What is wrong with the line, and where.
    pub fn read(&mut self, line: &[u8]) -> Result<Recorded, String> {
        match self.quickly(line) {
            Some(recorded) => Ok(recorded),
            None => serde_json::from_slice::<Wire<'_>>(line).map_err(|error| error.to_string())?.read(),
        }
    }

    /// The end of a line, as we write it; of what is not so, somebody more careful must say what it is.
    fn quickly(&mut self, line: &[u8]) -> Option<Recorded> {
        let is_of_facts = |at: &usize| line.get(..*at).is_some_and(|before| before.ends_with(FACTS));
        let facts = memchr::memrchr_iter(b'{', line).find(is_of_facts)?;
        let mut quick = Quick::new(std::str::from_utf8(line.get(facts..)?).ok()?);
        let facts = self.facts(&mut quick)?;
        quick.word(b",\"basis\":").ok()?;
        let basis = self.basis(&mut quick)?;
        quick.word(b",\"position\":").ok()?;
        let position = WirePosition::deserialize(&mut quick).ok()?;
        quick.word(b",\"chain\":").ok()?;
        let chain = Borrowed::deserialize(&mut quick).ok()?;
        quick.word(b"}").ok()?;
        quick.end().ok()?;
        recorded(facts, basis, position, &chain).ok()
    }

    fn facts(&mut self, quick: &mut Quick<'_>) -> Option<Facts> {
        let before = quick.rest();
        // Nothing that may stand in them has a brace; if it has, they are read as any other text.
        let text = before.get(..=memchr::memchr(b'}', before)?)?;
        if let Some(facts) = self.known.get(text) {
            quick.word(text).ok()?;
            return Some(facts);
        }
        let read = WireFacts::deserialize(&mut *quick).ok()?.read().ok()?;
        if before.strip_suffix(quick.rest()) == Some(text) {
            self.known.put(text, read);
        }
        Some(read)
    }

    fn basis(&mut self, quick: &mut Quick<'_>) -> Option<Arc<RecordedBasis>> {
        if let Some(basis) = &self.basis
            && quick.word(&self.text).is_ok()
        {
            return Some(Arc::clone(basis));
        }
        let before = quick.rest();
        let basis = Arc::new(WireBasis::deserialize(&mut *quick).ok()?.read().ok()?);
        let text = before.strip_suffix(quick.rest())?;
        self.text.clear();
        self.text.extend_from_slice(text);
        self.basis = Some(Arc::clone(&basis));
        Some(basis)
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
    chain: Borrowed<'a>,
}

#[derive(serde::Deserialize)]
struct WireFacts<'a> {
    #[serde(borrow, default)]
    country: Option<Borrowed<'a>>,
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
    #[serde(default)]
    radius_km: Option<i64>,
    #[serde(borrow, default)]
    place_source: Option<Borrowed<'a>>,
    #[serde(default)]
    asn: Option<i64>,
    #[serde(borrow, default)]
    network_class: Option<Borrowed<'a>>,
    #[serde(default)]
    utc_offset_minutes: Option<i64>,
    #[serde(borrow, default)]
    browser: Option<Borrowed<'a>>,
    #[serde(borrow, default)]
    os: Option<Borrowed<'a>>,
    #[serde(borrow, default)]
    device: Option<Borrowed<'a>>,
    #[serde(default)]
    across: Option<WireAcross>,
}

#[derive(Clone, Copy, serde::Deserialize)]
struct WireAcross {
    #[serde(default)]
    network: Option<WireOrigin>,
    #[serde(default)]
    device: Option<WireOrigin>,
}

#[derive(Clone, Copy, serde::Deserialize)]
struct WireOrigin {
    version: i64,
    failed: i64,
    unknown: i64,
    recovered: i64,
    succeeded: i64,
    attempts: i64,
}

#[derive(serde::Deserialize)]
struct WireBasis<'a> {
    #[serde(borrow)]
    policy: Borrowed<'a>,
    #[serde(borrow)]
    engine: Borrowed<'a>,
    #[serde(borrow)]
    tables: Borrowed<'a>,
    #[serde(borrow, default)]
    model: Option<Borrowed<'a>>,
}

#[derive(serde::Deserialize)]
struct WirePosition<'a> {
    #[serde(borrow, default)]
    topic: Option<Borrowed<'a>>,
    partition: i32,
    offset: i64,
}

impl Wire<'_> {
    fn read(self) -> Result<Recorded, String> {
        recorded(self.facts.read()?, Arc::new(self.basis.read()?), self.position, &self.chain)
    }
}

fn recorded(
    facts: Facts,
    basis: Arc<RecordedBasis>,
    position: WirePosition<'_>,
    chain: &Borrowed<'_>,
) -> Result<Recorded, String> {
    Ok(Recorded {
        facts,
        basis,
        topic: position.topic.map(|topic| topic.0.into_owned()),
        partition: position.partition,
        offset: position.offset,
        chain: Digest::parse(&chain.0).ok_or_else(|| unfit("chain", &chain.0, "64 hex digits"))?,
    })
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
            across: self.across.map(WireAcross::read).transpose()?,
        })
    }
}

impl WireAcross {
    fn read(self) -> Result<Across, String> {
        let read =
            |name: &str, origin: Option<WireOrigin>| origin.map(|origin| origin.read(name)).transpose();
        Ok(Across {
            network: read("facts.across.network", self.network)?,
            device: read("facts.across.device", self.device)?,
        })
    }
}

impl WireOrigin {
    fn read(self, name: &str) -> Result<OriginFacts, String> {
        let users =
            |number: i64| u32::try_from(number).map_err(|_range| unfit(name, &number.to_string(), "a count"));
        Ok(OriginFacts {
            version: u64::try_from(self.version)
                .map_err(|_range| unfit(name, &self.version.to_string(), "an offset"))?,
            failed: users(self.failed)?,
            unknown: users(self.unknown)?,
            recovered: users(self.recovered)?,
            succeeded: users(self.succeeded)?,
            attempts: users(self.attempts)?,
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
            policy: digest("basis.policy", &self.policy.0)?,
            tables: digest("basis.tables", &self.tables.0)?,
            model: self.model.map(|model| digest("basis.model", &model.0)).transpose()?,
            engine: self.engine.0.into_owned(),
        })
    }
}

fn word<T>(
    name: &str,
    text: Option<Borrowed<'_>>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(Borrowed(text)) = text else { return Ok(None) };
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

/// Twice as many: a few MiB with their texts.
const KNOWN_FACTS: usize = 4096;
/// What only the field itself looks like: inside a text a quote has a backslash before it.
const FACTS: &[u8] = b",\"facts\":";
