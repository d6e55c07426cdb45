//! The records that leave, field by field, in the order of their schemas.
//!
//! `JSON` switches the three things that the forms write differently: a time is RFC 3339 or
//! microseconds, a word of a closed set is itself or its place in the schema's enum, and bytes are
//! characters or bytes.

use std::fmt::{self, Write as _};

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::event::Address;
use super::reason::sentence;
use crate::model::across::{Across, OriginFacts, Sight};
use crate::model::decision::{
    Alert, Basis, BehaviorVerdict, Decision, Reason, Revocation, RuleHit, Shadow, UserRisk,
};
use crate::model::evidence::{Evidence, Said};
use crate::model::id::{Digest, Position};
use crate::model::observation::Facts;
use crate::model::time::{TEXT_BYTES, Timestamp};
use crate::model::{
    Action, AlertKind, DeviceKind, EventType, Factors, History, Learned, Level, Mode, NetworkClass,
    PlaceSource, Reject, RevocationScope, RevokedBy,
};

/// A value in one of its two forms.
pub(super) struct Shape<'s, T, const JSON: bool>(pub(super) &'s T);

/// A decision with its chain; without one it is encoded to be hashed.
pub(super) struct Chained<'s, const JSON: bool> {
    pub(super) decision: &'s Decision<'s>,
    pub(super) chain: Option<Digest>,
}

/// Writes a struct from a list of fields.
macro_rules! fields {
    ($serializer:ident, $name:literal { $($field:literal : $value:expr),+ $(,)? }) => {{
        use serde::ser::SerializeStruct as _;
        const COUNT: usize = [$($field),+].len();
        let mut out = $serializer.serialize_struct($name, COUNT)?;
        $(out.serialize_field($field, $value)?;)+
        out.end()
    }};
}

impl<const JSON: bool> Serialize for Chained<'_, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let decision = self.decision;
        fields!(serializer, "Decision" {
            "decision_id": &decision.decision_id,
            "event_id": &decision.event_id,
            "tenant": &decision.tenant,
            "user_id": &decision.user_id,
            "session_id": &decision.session_id,
            "occurred_at": &Shape::<_, JSON>(&decision.occurred_at),
            "type": &Shape::<_, JSON>(&decision.kind),
            "risk_score": &decision.risk_score,
            "risk_level": &Shape::<_, JSON>(&decision.risk_level),
            "required_auth_factors": &Shape::<_, JSON>(&decision.required),
            "missing_auth_factors": &Shape::<_, JSON>(&decision.missing),
            "action": &Shape::<_, JSON>(&decision.action),
            "would": &maybe::<_, JSON>(&decision.would),
            "mode": &Shape::<_, JSON>(&decision.mode),
            "confidence": &(f64::from(decision.confidence_permille) / 1000.0),
            "history": &Shape::<_, JSON>(&decision.history),
            "learned": &Shape::<_, JSON>(&decision.learned),
            "unknown": &decision.unknown,
            "reasons": &List::<_, JSON>(&decision.reasons),
            "rules": &List::<_, JSON>(&decision.rules),
            "exceptions": &decision.exceptions,
            "shadow": &List::<_, JSON>(&decision.shadow),
            "user_risk": &Shape::<_, JSON>(&decision.user_risk),
            "behavior": &maybe::<_, JSON>(&decision.behavior),
            "evaluation_id": &decision.evaluation_id,
            "facts": &Shape::<_, JSON>(&decision.facts),
            "basis": &Shape::<_, JSON>(&decision.basis),
            "position": &Shape::<_, JSON>(&decision.position),
            "chain": &Hex(self.chain),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Alert<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alert = self.0;
        fields!(serializer, "Alert" {
            "alert_id": &alert.alert_id,
            "kind": &Shape::<_, JSON>(&alert.kind),
            "update": &alert.update.min(UPDATES_MAX),
            "tenant": &alert.tenant,
            "user_id": &alert.user_id,
            "session_id": &alert.session_id,
            "opened_at": &Shape::<_, JSON>(&alert.opened_at),
            "occurred_at": &Shape::<_, JSON>(&alert.occurred_at),
            "decision_id": &alert.decision_id,
            "event_id": &alert.event_id,
            "risk_score": &alert.risk_score,
            "risk_level": &Shape::<_, JSON>(&alert.risk_level),
            "action": &Shape::<_, JSON>(&alert.action),
            "user_risk": &Shape::<_, JSON>(&alert.user_risk),
            "cause": &alert.cause,
            "reasons": &List::<_, JSON>(&alert.reasons),
            "type": &Some(Shape::<_, JSON>(&alert.event_type)),
            "source": &alert.source,
            "ip_address": &alert.ip_address.map(Address),
            "facts": &Some(Shape::<_, JSON>(&alert.facts)),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Revocation<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let revocation = self.0;
        fields!(serializer, "Revocation" {
            "revocation_id": &revocation.revocation_id,
            "scope": &Shape::<_, JSON>(&revocation.scope),
            "tenant": &revocation.tenant,
            "user_id": &revocation.user_id,
            "session_id": &revocation.session_id,
            "source": &revocation.source,
            "source_user_id": &revocation.source_user_id,
            "source_session_id": &revocation.source_session_id,
            "not_before": &Shape::<_, JSON>(&revocation.not_before),
            "reason": &revocation.reason,
            "decision_id": &revocation.decision_id,
            "by": &Shape::<_, JSON>(&revocation.by),
            "issued_at": &Shape::<_, JSON>(&revocation.issued_at),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Reason<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reason = self.0;
        fields!(serializer, "Reason" {
            "signal": &reason.signal,
            "group": &reason.group,
            "points": &reason.points,
            "severity": &reason.severity,
            "centibans": &reason.centibans,
            "before": &Side::<JSON>(Evidence::before, &reason.evidence),
            "now": &Side::<JSON>(Evidence::now, &reason.evidence),
            "text": sentence(&reason.evidence).as_str(),
            "report_only": &reason.report_only,
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, RuleHit<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "RuleHit" {
            "id": &self.0.id,
            "action": &Shape::<_, JSON>(&self.0.action),
            "report_only": &self.0.report_only,
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Shadow<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Shadow" {
            "by": &self.0.by,
            "risk_score": &self.0.risk_score,
            "risk_level": &Shape::<_, JSON>(&self.0.risk_level),
            "action": &Shape::<_, JSON>(&self.0.action),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, UserRisk, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "UserRisk" {
            "level": &Shape::<_, JSON>(&self.0.level),
            "previous": &Shape::<_, JSON>(&self.0.previous),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, BehaviorVerdict, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "BehaviorVerdict" {
            "risk_score": &self.0.risk_score,
            "anomaly_detected": &self.0.anomaly_detected,
            "recommended_action": &Shape::<_, JSON>(&self.0.recommended_action),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Facts, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let facts = self.0;
        fields!(serializer, "Facts" {
            "country": &facts.country,
            "latitude": &facts.coordinates.map(|at| at.latitude()),
            "longitude": &facts.coordinates.map(|at| at.longitude()),
            "radius_km": &facts.coordinates.map(|at| at.radius_km),
            "place_source": &maybe::<_, JSON>(&facts.place_source),
            "asn": &facts.asn,
            "network_class": &maybe::<_, JSON>(&facts.network_class),
            "utc_offset_minutes": &facts.utc_offset_minutes,
            "browser": &facts.browser,
            "os": &facts.os,
            "device": &maybe::<_, JSON>(&facts.device),
            "across": &maybe::<_, JSON>(&facts.across),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Across, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Across" {
            "network": &maybe::<_, JSON>(&self.0.network),
            "device": &maybe::<_, JSON>(&self.0.device),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, OriginFacts, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "OriginFacts" {
            "version": &self.0.version,
            "failed": &self.0.failed,
            "unknown": &self.0.unknown,
            "recovered": &self.0.recovered,
            "succeeded": &self.0.succeeded,
            "attempts": &self.0.attempts,
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Basis<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Basis" {
            "policy": &Prefixed(self.0.policy),
            "engine": &self.0.engine,
            "tables": &Prefixed(self.0.tables),
            "model": &self.0.model.map(Prefixed),
        })
    }
}

impl<const JSON: bool> Serialize for Shape<'_, Position<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Position" {
            "topic": &self.0.topic,
            "partition": &self.0.partition,
            "offset": &self.0.offset,
        })
    }
}

/// A digest with the name of its algorithm before it.
struct Prefixed(Digest);

impl Serialize for Prefixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut hex, mut text) = ([0; 64], [0; ALGORITHM.len() + 64]);
        let (name, digits) = text.split_at_mut(ALGORITHM.len());
        name.copy_from_slice(ALGORITHM);
        digits.copy_from_slice(self.0.hex(&mut hex).as_bytes());
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

const ALGORITHM: &[u8] = b"sha256:";

/// One side of an evidence, as a map.
struct Side<'e, const JSON: bool>(Walk, &'e Evidence);

/// `Evidence::before` or `Evidence::now`.
type Walk = fn(&Evidence, &mut dyn FnMut(&'static str, Said<'_>));

impl<const JSON: bool> Serialize for Side<'_, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Side(walk, evidence) = self;
        let mut count = 0;
        walk(evidence, &mut |_, _| count += 1);
        let mut map = serializer.serialize_map(Some(count))?;
        let mut result = Ok(());
        walk(evidence, &mut |key, said| {
            if result.is_ok() {
                result = map.serialize_entry(key, &Shape::<_, JSON>(&said));
            }
        });
        result?;
        map.end()
    }
}

/// In Avro a union of long, string and a list of strings.
impl<const JSON: bool> Serialize for Shape<'_, Said<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0, JSON) {
            (Said::Number(number), true) => number.serialize(serializer),
            (Said::Word(word), true) => word.serialize(serializer),
            (Said::List(words), true) => words.serialize(serializer),
            (Said::Number(number), false) => serializer.serialize_newtype_variant("Said", 0, "Long", number),
            (Said::Word(word), false) => serializer.serialize_newtype_variant("Said", 1, "String", word),
            (Said::List(words), false) => serializer.serialize_newtype_variant("Said", 2, "Array", words),
        }
    }
}

struct List<'s, T, const JSON: bool>(&'s [T]);

impl<'s, T, const JSON: bool> Serialize for List<'s, T, JSON>
where
    Shape<'s, T, JSON>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shape::<T, JSON>))
    }
}

pub(super) fn maybe<T, const JSON: bool>(value: &Option<T>) -> Option<Shape<'_, T, JSON>> {
    value.as_ref().map(Shape)
}

impl<const JSON: bool> Serialize for Shape<'_, Timestamp, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if JSON {
            serializer.serialize_str(self.0.text(&mut [0; TEXT_BYTES]))
        } else {
            serializer.serialize_i64(self.0.micros())
        }
    }
}

/// A word of a closed set. The symbols of every enum stand in the order of `ALL`; a test holds it.
macro_rules! word {
    ($($set:ty)+) => {$(
        impl<const JSON: bool> Serialize for Shape<'_, $set, JSON> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if JSON { serializer.serialize_str(self.0.name()) } else { serializer.serialize_u32(self.0.code().into()) }
            }
        }
    )+};
}
word!(Action AlertKind DeviceKind EventType History Learned Level Mode NetworkClass PlaceSource Reject
    RevocationScope RevokedBy Sight);

impl<const JSON: bool> Serialize for Shape<'_, Factors, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut list = serializer.serialize_seq(Some(self.0.bits().count_ones() as usize))?;
        for factor in self.0.iter() {
            if JSON {
                list.serialize_element(factor.name())?;
            } else {
                list.serialize_element(&u32::from(factor.code()))?;
            }
        }
        list.end()
    }
}

/// Bytes; in JSON one character a byte, as Avro's own JSON encoding has it.
impl<const JSON: bool> Serialize for Shape<'_, &[u8], JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if JSON { serializer.collect_str(&Latin(self.0)) } else { serializer.serialize_bytes(self.0) }
    }
}

struct Latin<'s>(&'s [u8]);

impl fmt::Display for Latin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| f.write_char(char::from(*byte)))
    }
}

/// A digest, or the empty text in its place.
struct Hex(Option<Digest>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(digest) => digest.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// The schema has an int.
const UPDATES_MAX: u32 = i32::MAX.unsigned_abs();

pub(super) use fields;
