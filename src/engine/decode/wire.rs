//! The record as it is written, field by field: one shape for JSON, Avro and CSV.
//!
//! A field is parsed where it lies: texts stay borrowed, words become enums, times and addresses
//! are read at once. What is wrong with a value is noted in the [`Meter`] and reading goes on, so
//! that a container file can be read past a bad event. Only what the syntax forbids ends it.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::slot::{Challenged, Changed, TypeWord};
use super::{Rejected, limit};
use crate::model::event::{KeyPress, MousePoint, TouchPoint};
use crate::model::time::Timestamp;
use crate::model::{
    Assurance, Factor, Factors, FailureReason, FeedbackBy, NetworkClass, Privilege, Reject, SubjectKind,
    Verdict,
};

/// A record with named fields, filled in place: moving a kilobyte about costs more than reading it.
pub(super) trait Record<'a> {
    const NAMES: &'static Names;
    fn fill<D: Deserializer<'a>>(&mut self, index: usize, from: D, meter: &mut Meter)
    -> Result<(), D::Error>;
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident<$a:lifetime> { $($field:ident : $type:ty = $key:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(super) struct $name<$a> {
            $(pub(super) $field: $type,)+
            _borrows: std::marker::PhantomData<&$a ()>,
        }

        impl<$a> $crate::engine::decode::wire::Record<$a> for $name<$a> {
            const NAMES: &'static $crate::engine::decode::wire::Names =
                &$crate::engine::decode::wire::Names::of(&[$($key),+]);

            fn fill<D: serde::Deserializer<$a>>(
                &mut self,
                index: usize,
                from: D,
                meter: &mut $crate::engine::decode::wire::Meter,
            ) -> Result<(), D::Error> {
                #[expect(non_camel_case_types, reason = "one constant a field, by the field's name")]
                enum At { $($field),+ }
                $(if index == At::$field as usize {
                    return $crate::engine::decode::slot::Slot::fill(&mut self.$field, from, meter);
                })+
                from.deserialize_ignored_any(serde::de::IgnoredAny).map(|_| ())
            }
        }
    };
}

pub(super) type Text<'a> = Option<Cow<'a, str>>;

record! {
    /// An event, in the order of `event.avsc`.
    Wire<'a> {
        event_id: Text<'a> = "event_id",
        tenant: Text<'a> = "tenant",
        user_id: Text<'a> = "user_id",
        kind: TypeWord = "type",
        occurred_at: Option<Timestamp> = "occurred_at",
        source: Text<'a> = "source",
        source_user_id: Text<'a> = "source_user_id",
        source_session_id: Text<'a> = "source_session_id",
        subject_kind: Option<SubjectKind> = "subject_kind",
        groups: Vec<Cow<'a, str>> = "groups",
        actor_id: Text<'a> = "actor_id",
        app: Text<'a> = "app",
        resource: Text<'a> = "resource",
        privilege: Option<Privilege> = "privilege",
        session_id: Text<'a> = "session_id",
        ip_address: Option<IpAddr> = "ip_address",
        ip_chain: Vec<IpAddr> = "ip_chain",
        user_agent: Text<'a> = "user_agent",
        device_fingerprint: Text<'a> = "device_fingerprint",
        device_managed: Option<bool> = "device_managed",
        tls_fingerprint: Text<'a> = "tls_fingerprint",
        rtt_ms: Option<f64> = "rtt_ms",
        place_hint: Option<PlaceWire<'a>> = "place_hint",
        network_hint: Option<NetworkWire<'a>> = "network_hint",
        interactive: Option<bool> = "interactive",
        evaluation_id: Text<'a> = "evaluation_id",
        outcome: Option<Challenged> = "outcome",
        failure_reason: Option<FailureReason> = "failure_reason",
        factors: Factors = "factors",
        challenge_id: Text<'a> = "challenge_id",
        factor: Option<Factor> = "factor",
        change: Option<Changed> = "change",
        token_id: Text<'a> = "token_id",
        previous_token_id: Text<'a> = "previous_token_id",
        context: Text<'a> = "context",
        keyboard: Vec<KeyPress<'a>> = "keyboard_events",
        mouse: Vec<MousePoint> = "mouse_events",
        touch: Vec<TouchPoint> = "touch_events",
        verdict: Option<Verdict> = "verdict",
        about: Option<AboutWire<'a>> = "about",
        by: Option<FeedbackBy> = "by",
        assurance: Option<Assurance> = "assurance",
        backfill: Option<bool> = "backfill",
    }
}

record! {
    PlaceWire<'a> {
        country: Text<'a> = "country",
        region: Text<'a> = "region",
        city: Text<'a> = "city",
        latitude: Option<f64> = "latitude",
        longitude: Option<f64> = "longitude",
        radius_km: Option<f64> = "radius_km",
    }
}

record! {
    NetworkWire<'a> {
        asn: Option<f64> = "asn",
        class: Option<NetworkClass> = "class",
    }
}

record! {
    AboutWire<'a> {
        event_id: Text<'a> = "event_id",
        session_id: Text<'a> = "session_id",
        since: Option<Timestamp> = "since",
    }
}

/// What reading noticed besides the values.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Where it is: a field, and a field of that.
    pub(super) outer: &'static str,
    pub(super) inner: &'static str,
    /// What numbers mean in a field of time, in microseconds; 0 where a time is a text.
    pub(super) tick_micros: i64,
    /// Numbers, booleans and lists are texts: CSV.
    pub(super) texts: bool,
    pub(super) points: usize,
    pub(super) unknown_fields: u16,
    /// The first thing that is wrong with a value.
    pub(super) fault: Option<Rejected>,
    /// A field stands twice.
    pub(super) repeated: bool,
}

impl Meter {
    /// Notes what is wrong with the value at hand; `what` follows the field's name.
    #[cold]
    pub(super) fn refuse(&mut self, reason: Reject, what: &str) {
        if self.fault.is_none() {
            self.fault = Some(Rejected::new(reason, format!("{} {what}", self.place())));
        }
    }

    /// The field at hand, in backticks.
    pub(super) fn place(&self) -> String {
        match (self.outer, self.inner) {
            ("", _) => "the record".to_owned(),
            (outer, "") => format!("`{outer}`"),
            (outer, inner) => format!("`{outer}.{inner}`"),
        }
    }

    /// Counts one more of a batch's points; false when that is one too many.
    pub(super) fn point(&mut self) -> bool {
        self.points += 1;
        if self.points > limit::POINTS_MAX {
            self.refuse(
                Reject::TooManyPoints,
                &format!("goes beyond {} points of a batch; send it in parts", limit::POINTS_MAX),
            );
        }
        self.points <= limit::POINTS_MAX
    }
}

/// Reads a map into a record. `outer` says whether it is the event itself.
pub(super) struct Fields<'m, T> {
    pub(super) into: &'m mut T,
    pub(super) meter: &'m mut Meter,
    pub(super) outer: bool,
}

impl<'a, T: Record<'a>> Visitor<'a> for Fields<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Fields { into, meter, outer } = self;
        let mut seen = 0_u64;
        while let Some(key) = map.next_key_seed(KeyOf(T::NAMES))? {
            let Some((index, name)) = key else {
                meter.unknown_fields = meter.unknown_fields.saturating_add(1);
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if outer {
                meter.outer = name;
            } else {
                meter.inner = name;
            }
            let bit = 1 << index;
            if seen & bit != 0 {
                meter.repeated = true;
                return Err(serde::de::Error::custom("is stated twice"));
            }
            seen |= bit;
            map.next_value_seed(Fill { into: &mut *into, index, meter: &mut *meter })?;
        }
        if outer {
            meter.outer = "";
        } else {
            meter.inner = "";
        }
        Ok(())
    }
}

impl<'a, T: Record<'a>> serde::de::DeserializeSeed<'a> for Fields<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

struct Fill<'m, T> {
    into: &'m mut T,
    index: usize,
    meter: &'m mut Meter,
}

impl<'a, T: Record<'a>> serde::de::DeserializeSeed<'a> for Fill<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        self.into.fill(self.index, from, self.meter)
    }
}

/// The names of a record's fields, and where each is found: made when this is compiled.
pub(super) struct Names {
    names: &'static [&'static str],
    places: [u8; PLACES],
}

impl Names {
    #[expect(clippy::indexing_slicing, reason = "whatever is out of bounds here does not compile")]
    pub(super) const fn of(names: &'static [&'static str]) -> Self {
        assert!(names.len() < PLACES);
        let mut places = [NOBODY; PLACES];
        let mut index = 0;
        while index < names.len() {
            let mut at = place(names[index]);
            while places[at] != NOBODY {
                at = (at + 1) % PLACES;
            }
            #[expect(clippy::cast_possible_truncation, reason = "less than the number of places")]
            let own = index as u8;
            places[at] = own;
            index += 1;
        }
        Self { names, places }
    }

    /// The number of the field, and its name for as long as one likes.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &'static str)> {
        let mut at = place(name);
        loop {
            // One that stands for nobody ends it.
            let index = usize::from(*self.places.get(at)?);
            let known = *self.names.get(index)?;
            if known == name {
                return Some((index, known));
            }
            at = (at + 1) % PLACES;
        }
    }
}

/// Tells the names of a record apart, mostly, by a look at three bytes.
const fn place(name: &str) -> usize {
    let [first, middle @ .., last] = name.as_bytes() else { return 0 };
    let mid = match middle.split_at_checked(name.len() / 2) {
        Some((_, [mid, ..])) => *mid,
        _ => 0,
    };
    // Factors under which one of an event's 43 names stands beside its place, and all others in theirs.
    (*first as usize * 5 + mid as usize * 5 + *last as usize * 11 + name.len() * 7) % PLACES
}

/// Thrice as many as the largest record has fields, so that hardly two want the same.
const PLACES: usize = 128;
/// No record has so many fields.
const NOBODY: u8 = u8::MAX;

/// Finds a name.
struct KeyOf(&'static Names);

impl<'a> serde::de::DeserializeSeed<'a> for KeyOf {
    type Value = Option<(usize, &'static str)>;

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Option<(usize, &'static str)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(key))
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(std::str::from_utf8(key).ok().and_then(|key| self.0.find(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        for names in [Wire::NAMES, PlaceWire::NAMES, NetworkWire::NAMES, AboutWire::NAMES] {
            for (index, name) in names.names.iter().enumerate() {
                assert_eq!(names.find(name), Some((index, *name)));
                for other in [
                    "",
                    name.get(1..).unwrap(),
                    &format!("{name}x"),
                    &name.to_uppercase(),
                    &name.replace('_', "é"),
                ] {
                    assert_eq!(names.find(other).is_some(), names.names.contains(&other), "{other}");
                }
            }
        }
    }
}
