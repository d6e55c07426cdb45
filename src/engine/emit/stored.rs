//! A decision as it was published, with all that it says: read from JSON or from Avro, and written
//! as the datum that its chain was taken over.
//!
//! Nothing decides on it. It is what lies on a disk or in a topic, words as words: for whoever walks
//! a chain or looks at decisions one by one.

mod across;

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{
    Error as _, Serialize, SerializeMap as _, SerializeSeq as _, SerializeStruct as _, Serializer,
};

use across::{Stated, WITHOUT_ACROSS};
pub use across::{StoredAcross, StoredOrigin};

use super::datum;
use super::recorded::without_header;
use crate::engine::schema::DECISION;
use crate::model::id::Digest;
use crate::model::time::Timestamp;
use crate::model::{
    Action, DeviceKind, EventType, Factor, History, Learned, Level, Mode, NetworkClass, PlaceSource,
};

/// A word of a closed set, to be written as its number.
macro_rules! word {
    ($set:ident, $word:expr) => {
        Word(&$word, |word| $set::parse(word).map($set::code))
    };
}

type Text<'a> = Cow<'a, str>;

/// One decision. The fields are those of `schemas/decision.avsc`.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct Stored<'a> {
    #[serde(borrow)]
    pub decision_id: Text<'a>,
    #[serde(borrow)]
    pub event_id: Text<'a>,
    #[serde(borrow)]
    pub tenant: Text<'a>,
    #[serde(borrow)]
    pub user_id: Text<'a>,
    #[serde(borrow, default)]
    pub session_id: Option<Text<'a>>,
    #[serde(deserialize_with = "time")]
    pub occurred_at: Timestamp,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    pub risk_score: i64,
    #[serde(borrow)]
    pub risk_level: Text<'a>,
    #[serde(borrow)]
    pub required_auth_factors: Vec<Text<'a>>,
    #[serde(borrow)]
    pub missing_auth_factors: Vec<Text<'a>>,
    #[serde(borrow)]
    pub action: Text<'a>,
    #[serde(borrow, default)]
    pub would: Option<Text<'a>>,
    #[serde(borrow)]
    pub mode: Text<'a>,
    pub confidence: f64,
    #[serde(borrow)]
    pub history: Text<'a>,
    #[serde(borrow)]
    pub learned: Text<'a>,
    #[serde(borrow)]
    pub unknown: Vec<Text<'a>>,
    #[serde(borrow)]
    pub reasons: Vec<StoredReason<'a>>,
    #[serde(borrow)]
    pub rules: Vec<StoredRule<'a>>,
    #[serde(borrow)]
    pub exceptions: Vec<Text<'a>>,
    #[serde(borrow)]
    pub shadow: Vec<StoredShadow<'a>>,
    #[serde(borrow)]
    pub user_risk: StoredRisk<'a>,
    #[serde(borrow, default)]
    pub behavior: Option<StoredBehavior<'a>>,
    #[serde(borrow, default)]
    pub evaluation_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub facts: StoredFacts<'a>,
    #[serde(borrow)]
    pub basis: StoredBasis<'a>,
    #[serde(borrow)]
    pub position: StoredPosition<'a>,
    #[serde(borrow)]
    pub chain: Text<'a>,
}

/// One reason of the score.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct StoredReason<'a> {
    #[serde(borrow)]
    pub signal: Text<'a>,
    #[serde(borrow)]
    pub group: Text<'a>,
    pub points: i64,
    pub severity: i64,
    pub centibans: i64,
    #[serde(borrow)]
    pub before: Side<'a>,
    #[serde(borrow)]
    pub now: Side<'a>,
    #[serde(borrow)]
    pub text: Text<'a>,
    pub report_only: bool,
}

/// A rule that matched.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredRule<'a> {
    #[serde(borrow)]
    pub id: Text<'a>,
    #[serde(borrow)]
    pub action: Text<'a>,
    pub report_only: bool,
}

/// The verdict of another way to add up.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredShadow<'a> {
    #[serde(borrow)]
    pub by: Text<'a>,
    pub risk_score: i64,
    #[serde(borrow)]
    pub risk_level: Text<'a>,
    #[serde(borrow)]
    pub action: Text<'a>,
}

/// The user's standing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredRisk<'a> {
    #[serde(borrow)]
    pub level: Text<'a>,
    #[serde(borrow)]
    pub previous: Text<'a>,
}

/// A batch's own analysis.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredBehavior<'a> {
    pub risk_score: i64,
    pub anomaly_detected: bool,
    #[serde(borrow)]
    pub recommended_action: Text<'a>,
}

/// What was looked up.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct StoredFacts<'a> {
    #[serde(borrow, default)]
    pub country: Option<Text<'a>>,
    #[serde(default)]
    pub latitude: Option<f64>,
    #[serde(default)]
    pub longitude: Option<f64>,
    #[serde(default)]
    pub radius_km: Option<i64>,
    #[serde(borrow, default)]
    pub place_source: Option<Text<'a>>,
    #[serde(default)]
    pub asn: Option<i64>,
    #[serde(borrow, default)]
    pub network_class: Option<Text<'a>>,
    #[serde(default)]
    pub utc_offset_minutes: Option<i64>,
    #[serde(borrow, default)]
    pub browser: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub os: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub device: Option<Text<'a>>,
    /// `None` of a decision from before there was such a field: its chain was taken without it.
    #[serde(default, deserialize_with = "across::stated")]
    pub across: Option<Option<StoredAcross>>,
}

/// What it rests on beside the event and the profile.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredBasis<'a> {
    #[serde(borrow)]
    pub policy: Text<'a>,
    #[serde(borrow)]
    pub engine: Text<'a>,
    #[serde(borrow)]
    pub tables: Text<'a>,
    #[serde(borrow, default)]
    pub model: Option<Text<'a>>,
}

/// Where the event stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredPosition<'a> {
    #[serde(borrow, default)]
    pub topic: Option<Text<'a>>,
    pub partition: i32,
    pub offset: i64,
}

/// One side of an evidence: names and values, in the order in which they were said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side<'a>(pub Vec<(Text<'a>, Value<'a>)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Number(i64),
    Word(Text<'a>),
    List(Vec<Text<'a>>),
}

impl<'a> Stored<'a> {
    /// Reads one line of JSON.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Reads single-object Avro of any version of the schema.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_avro(value: &'a [u8]) -> Result<Self, String> {
        DECISION.read(value)
    }

    /// The chain that it carries.
    #[must_use]
    pub fn chain(&self) -> Option<Digest> {
        Digest::parse(&self.chain)
    }

    /// Appends it in single-object encoding, in the version of the schema that it was written with.
    ///
    /// # Errors
    /// When it holds a word that this version does not know.
    pub fn to_avro(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let is_of_before = self.facts.across.is_none();
        out.extend_from_slice(if is_of_before { WITHOUT_ACROSS } else { DECISION.header() });
        datum::write(self, out).map_err(|error| error.to_string())
    }

    /// Appends what its chain was taken over, for [`next_chain`](super::next_chain).
    ///
    /// # Errors
    /// As [`Self::to_avro`].
    pub fn body(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let mut record = Vec::new();
        self.to_avro(&mut record)?;
        let (body, _) = super::split_chain(&record).ok_or("`chain` is not 64 hex digits")?;
        debug_assert!(without_header(&record).starts_with(body), "the chain is last");
        out.extend_from_slice(body);
        Ok(())
    }
}

pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    struct Time;
    impl Visitor<'_> for Time {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time in RFC 3339, or microseconds")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
            Timestamp::parse(text)
                .ok_or_else(|| E::custom(format_args!("`{text:.40}` is no time in RFC 3339")))
        }

        fn visit_i64<E: serde::de::Error>(self, micros: i64) -> Result<Timestamp, E> {
            Timestamp::from_micros(micros).ok_or_else(|| E::custom("a time outside of years 1 to 9999"))
        }

        fn visit_u64<E: serde::de::Error>(self, micros: u64) -> Result<Timestamp, E> {
            self.visit_i64(i64::try_from(micros).unwrap_or(i64::MAX))
        }
    }
    from.deserialize_any(Time)
}

impl<'de: 'a, 'a> Deserialize<'de> for Side<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Side<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Side<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value<'de>>()? {
                    pairs.push((name.into(), value));
                }
                Ok(Side(pairs))
            }
        }
        from.deserialize_map(Pairs)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Said;
        impl<'de> Visitor<'de> for Said {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, a text or a list of texts")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
                Ok(Value::Number(number))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value<'de>, E> {
                i64::try_from(number).map(Value::Number).map_err(|_range| E::custom("a number beyond a long"))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Word(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Word(Cow::Owned(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
                let mut words = Vec::new();
                while let Some(word) = list.next_element::<String>()? {
                    words.push(word.into());
                }
                Ok(Value::List(words))
            }
        }
        from.deserialize_any(Said)
    }
}

/// By the convention of `datum`: fields in order, words as their numbers.
impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Decision", 0)?;
        out.serialize_field("decision_id", &self.decision_id)?;
        out.serialize_field("event_id", &self.event_id)?;
        out.serialize_field("tenant", &self.tenant)?;
        out.serialize_field("user_id", &self.user_id)?;
        out.serialize_field("session_id", &self.session_id)?;
        out.serialize_field("occurred_at", &self.occurred_at.micros())?;
        out.serialize_field("type", &word!(EventType, self.kind))?;
        out.serialize_field("risk_score", &self.risk_score)?;
        out.serialize_field("risk_level", &word!(Level, self.risk_level))?;
        out.serialize_field("required_auth_factors", &Factors(&self.required_auth_factors))?;
        out.serialize_field("missing_auth_factors", &Factors(&self.missing_auth_factors))?;
        out.serialize_field("action", &word!(Action, self.action))?;
        out.serialize_field("would", &self.would.as_ref().map(|word| word!(Action, word)))?;
        out.serialize_field("mode", &word!(Mode, self.mode))?;
        out.serialize_field("confidence", &self.confidence)?;
        out.serialize_field("history", &word!(History, self.history))?;
        out.serialize_field("learned", &word!(Learned, self.learned))?;
        out.serialize_field("unknown", &self.unknown)?;
        out.serialize_field("reasons", &self.reasons)?;
        out.serialize_field("rules", &self.rules)?;
        out.serialize_field("exceptions", &self.exceptions)?;
        out.serialize_field("shadow", &self.shadow)?;
        out.serialize_field("user_risk", &self.user_risk)?;
        out.serialize_field("behavior", &self.behavior)?;
        out.serialize_field("evaluation_id", &self.evaluation_id)?;
        out.serialize_field("facts", &self.facts)?;
        out.serialize_field("basis", &self.basis)?;
        out.serialize_field("position", &self.position)?;
        out.serialize_field("chain", &self.chain)?;
        out.end()
    }
}

/// Writes a struct from a list of its fields.
macro_rules! record {
    ($($name:ident($this:ident) { $($field:expr),+ $(,)? })+) => {$(
        impl Serialize for $name<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                let mut out = serializer.serialize_struct(stringify!($name), 0)?;
                $(out.serialize_field("", &$field)?;)+
                out.end()
            }
        }
    )+};
}
record! {
    StoredReason(it) {
        it.signal, it.group, it.points, it.severity, it.centibans, it.before, it.now, it.text, it.report_only
    }
    StoredRule(it) { it.id, word!(Action, it.action), it.report_only }
    StoredShadow(it) { it.by, it.risk_score, word!(Level, it.risk_level), word!(Action, it.action) }
    StoredRisk(it) { word!(Level, it.level), word!(Level, it.previous) }
    StoredBehavior(it) { it.risk_score, it.anomaly_detected, word!(Action, it.recommended_action) }
    StoredFacts(it) {
        it.country, it.latitude, it.longitude, it.radius_km,
        it.place_source.as_ref().map(|word| word!(PlaceSource, word)),
        it.asn,
        it.network_class.as_ref().map(|word| word!(NetworkClass, word)),
        it.utc_offset_minutes, it.browser, it.os,
        it.device.as_ref().map(|word| word!(DeviceKind, word)),
        Stated(&it.across),
    }
    StoredBasis(it) { it.policy, it.engine, it.tables, it.model }
    StoredPosition(it) { it.topic, it.partition, it.offset }
}

impl Serialize for Side<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_newtype_variant("Said", 0, "Long", number),
            Self::Word(word) => serializer.serialize_newtype_variant("Said", 1, "String", word),
            Self::List(words) => serializer.serialize_newtype_variant("Said", 2, "Array", words),
        }
    }
}

struct Factors<'s>(&'s [Text<'s>]);

impl Serialize for Factors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|factor| list.serialize_element(&word!(Factor, factor)))?;
        list.end()
    }
}

/// A word of a closed set as its number.
struct Word<'s>(&'s str, fn(&str) -> Option<u8>);

impl Serialize for Word<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(word, code) = self;
        let code = code(word).ok_or_else(|| {
            S::Error::custom(format_args!("`{word:.40}` is a word that this version of ward does not know"))
        })?;
        serializer.serialize_u32(code.into())
    }
}
