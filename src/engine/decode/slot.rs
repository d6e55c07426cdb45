//! How one value is read into its place: a text, a word, a number, a time, an address, a list.
//!
//! Null and the empty text are the same as absent. All read through `deserialize_option`, which
//! ends at once where there is nothing, and then `deserialize_any`: JSON knows what it holds,
//! Avro's schema too, and a CSV cell is a text that numbers and lists are read from.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::wire::{AboutWire, Fields, Meter, NetworkWire, PlaceWire, Record};
use super::{limit, shown};
use crate::model::event::{KeyPress, MousePoint, TouchPoint};
use crate::model::time::Timestamp;
use crate::model::{
    Assurance, ChallengeOutcome, CredentialChange, EventType, Factor, Factors, FailureReason, FeedbackBy,
    MouseKind, NetworkClass, Outcome, Privilege, Reject, SessionChange, SubjectKind, TouchPhase, Verdict,
};

/// A place for one value.
pub(super) trait Slot<'a> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error>;
}

/// The part of a visitor that all slots share: null is absent.
macro_rules! absent {
    ($a:lifetime, $value:ty, $expecting:literal) => {
        type Value = $value;

        fn visit_some<D: Deserializer<$a>>(self, from: D) -> Result<$value, D::Error> {
            from.deserialize_any(self)
        }

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str($expecting)
        }

        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok(Default::default())
        }

        fn visit_none<E>(self) -> Result<$value, E> {
            Ok(Default::default())
        }
    };
}

struct TextVisitor;

impl<'a> Visitor<'a> for TextVisitor {
    absent!('a, Option<Cow<'a, str>>, "a text");

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then_some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then(|| Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok((!text.is_empty()).then_some(Cow::Owned(text)))
    }
}

impl<'a> Slot<'a> for Option<Cow<'a, str>> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, _: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(TextVisitor)?;
        Ok(())
    }
}

/// A word of a closed set, as this version knows it.
trait Closed: Sized {
    /// What the word means; a word that nobody knows is `other`.
    fn read(word: &str) -> Self;
}

macro_rules! closed {
    ($($set:ident)+) => {$(
        impl Closed for $set {
            fn read(word: &str) -> Self {
                Self::parse(word).unwrap_or(Self::Other)
            }
        }
        word!($set);
    )+};
}

macro_rules! word {
    ($set:ident) => {
        impl<'a> Slot<'a> for Option<$set> {
            fn fill<D: Deserializer<'a>>(&mut self, from: D, _: &mut Meter) -> Result<(), D::Error> {
                *self = from.deserialize_option(WordVisitor(std::marker::PhantomData))?;
                Ok(())
            }
        }
    };
}

struct WordVisitor<T>(std::marker::PhantomData<T>);

impl<'a, T: Closed> Visitor<'a> for WordVisitor<T> {
    absent!('a, Option<T>, "a word");

    fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
        Ok((!word.is_empty()).then(|| T::read(word)))
    }
}

closed!(SubjectKind Privilege FailureReason Factor MouseKind TouchPhase Verdict FeedbackBy Assurance NetworkClass);

/// `outcome` means one thing in a login or an access and another in a challenge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenged {
    pub(super) outcome: Outcome,
    pub(super) answer: ChallengeOutcome,
}

impl Closed for Challenged {
    fn read(word: &str) -> Self {
        Self {
            outcome: Outcome::parse(word).unwrap_or(Outcome::Other),
            answer: ChallengeOutcome::parse(word).unwrap_or(ChallengeOutcome::Other),
        }
    }
}
word!(Challenged);

/// `change` means one thing in a session and another in a credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changed {
    pub(super) session: SessionChange,
    pub(super) credential: CredentialChange,
}

impl Closed for Changed {
    fn read(word: &str) -> Self {
        Self {
            session: SessionChange::parse(word).unwrap_or(SessionChange::Other),
            credential: CredentialChange::parse(word).unwrap_or(CredentialChange::Other),
        }
    }
}
word!(Changed);

/// The field `type`. A word that this version does not know is kept for the message.
#[derive(Debug, Default)]
pub(super) enum TypeWord {
    #[default]
    Absent,
    Known(EventType),
    Unknown(String),
}

struct TypeVisitor;

impl<'a> Visitor<'a> for TypeVisitor {
    absent!('a, TypeWord, "the type of an event");

    fn visit_str<E>(self, word: &str) -> Result<TypeWord, E> {
        Ok(match EventType::parse(word) {
            Some(known) => TypeWord::Known(known),
            None if word.is_empty() => TypeWord::Absent,
            None => TypeWord::Unknown(shown(word)),
        })
    }
}

impl<'a> Slot<'a> for TypeWord {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, _: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(TypeVisitor)?;
        Ok(())
    }
}

struct NumberVisitor<'m>(&'m mut Meter);

impl<'a> Visitor<'a> for NumberVisitor<'_> {
    absent!('a, Option<f64>, "a number");

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        if !number.is_finite() {
            self.0.refuse(Reject::BadValue, "is not a finite number");
            return Ok(None);
        }
        Ok(Some(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "every limit on a number lies far below 2^53")]
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "every limit on a number lies far below 2^53")]
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if !self.0.texts {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        match text.parse::<f64>() {
            Ok(number) => self.visit_f64(number),
            Err(_) if text.is_empty() => Ok(None),
            Err(_) => {
                self.0.refuse(Reject::BadValue, &format!("is {}, expected a number", shown(text)));
                Ok(None)
            }
        }
    }
}

impl<'a> Slot<'a> for Option<f64> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(NumberVisitor(meter))?;
        Ok(())
    }
}

struct BoolVisitor<'m>(&'m mut Meter);

impl<'a> Visitor<'a> for BoolVisitor<'_> {
    absent!('a, Option<bool>, "true or false");

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if !self.0.texts {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        match text {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            "" => Ok(None),
            other => {
                self.0.refuse(Reject::BadValue, &format!("is {}, expected true or false", shown(other)));
                Ok(None)
            }
        }
    }
}

impl<'a> Slot<'a> for Option<bool> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(BoolVisitor(meter))?;
        Ok(())
    }
}

struct TimeVisitor<'m>(&'m mut Meter);

impl<'a> Visitor<'a> for TimeVisitor<'_> {
    absent!('a, Option<Timestamp>, "a time in RFC 3339, like `2026-01-05T09:00:00Z`");

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let time = Timestamp::parse(text);
        if time.is_none() && !text.is_empty() {
            let expected = match Timestamp::is_beyond_range(text) {
                true => format!("a time from {} to {}", Timestamp::MIN, Timestamp::MAX),
                false => "a time in RFC 3339, like `2026-01-05T09:00:00Z`".to_owned(),
            };
            self.0.refuse(Reject::BadValue, &format!("is {}, expected {expected}", shown(text)));
        }
        Ok(time)
    }

    fn visit_i64<E: Error>(self, ticks: i64) -> Result<Self::Value, E> {
        if self.0.tick_micros == 0 {
            return Err(E::invalid_type(serde::de::Unexpected::Signed(ticks), &self));
        }
        let time = ticks.checked_mul(self.0.tick_micros).and_then(Timestamp::from_micros);
        if time.is_none() {
            let (first, last) = (Timestamp::MIN, Timestamp::MAX);
            self.0.refuse(Reject::BadValue, &format!("is `{ticks}`, expected a time from {first} to {last}"));
        }
        Ok(time)
    }

    fn visit_u64<E: Error>(self, ticks: u64) -> Result<Self::Value, E> {
        self.visit_i64(i64::try_from(ticks).unwrap_or(i64::MAX))
    }
}

impl<'a> Slot<'a> for Option<Timestamp> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(TimeVisitor(meter))?;
        Ok(())
    }
}

struct AddressVisitor<'m>(&'m mut Meter);

impl<'a> Visitor<'a> for AddressVisitor<'_> {
    absent!('a, Option<IpAddr>, "an IP address");

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        match text.parse::<IpAddr>() {
            // An IPv4 address that an IPv6 socket saw is that IPv4 address.
            Ok(address) => Ok(Some(address.to_canonical())),
            Err(_) if text.is_empty() => Ok(None),
            Err(_) => {
                let what = format!("is {}, expected an IPv4 or IPv6 address without a port", shown(text));
                self.0.refuse(Reject::BadValue, &what);
                Ok(None)
            }
        }
    }
}

impl<'a> Slot<'a> for Option<IpAddr> {
    fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        *self = from.deserialize_option(AddressVisitor(meter))?;
        Ok(())
    }
}

/// An element of a list, pushed where it belongs.
trait Item<'a>: Sized {
    type List: Default;
    /// How the list is called in a message.
    const EXPECTED: &'static str;
    fn push<D: Deserializer<'a>>(list: &mut Self::List, from: D, meter: &mut Meter) -> Result<(), D::Error>;
}

struct ListVisitor<'m, 'a, T: Item<'a>> {
    list: &'m mut T::List,
    meter: &'m mut Meter,
}

impl<'a, T: Item<'a>> Visitor<'a> for ListVisitor<'_, 'a, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<(), A::Error> {
        let ListVisitor { list, meter } = self;
        while items.next_element_seed(Push::<T> { list: &mut *list, meter: &mut *meter })?.is_some() {}
        Ok(())
    }

    /// A CSV cell: a list of words joined with `|`, or a list of points as JSON.
    fn visit_borrowed_str<E: Error>(self, cell: &'a str) -> Result<(), E> {
        if !self.meter.texts {
            return Err(E::invalid_type(serde::de::Unexpected::Str(cell), &self));
        }
        if cell.starts_with('[') {
            let mut json = serde_json::Deserializer::from_str(cell);
            return json.deserialize_any(self).and_then(|()| json.end()).map_err(E::custom);
        }
        for part in cell.split('|').filter(|part| !part.is_empty()) {
            let from = serde::de::value::BorrowedStrDeserializer::<E>::new(part);
            T::push(&mut *self.list, from, &mut *self.meter)?;
        }
        Ok(())
    }
}

struct Push<'m, 'a, T: Item<'a>> {
    list: &'m mut T::List,
    meter: &'m mut Meter,
}

impl<'a, T: Item<'a>> DeserializeSeed<'a> for Push<'_, 'a, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        T::push(self.list, from, self.meter)
    }
}

macro_rules! list {
    ($list:ty, $item:ty) => {
        impl<'a> Slot<'a> for $list {
            fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
                from.deserialize_any(ListVisitor::<'_, 'a, $item> { list: self, meter })
            }
        }
    };
}

impl<'a> Item<'a> for Cow<'a, str> {
    type List = Vec<Self>;
    const EXPECTED: &'static str = "a list of texts";

    fn push<D: Deserializer<'a>>(list: &mut Vec<Self>, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        if let Some(text) = from.deserialize_any(TextVisitor)? {
            if list.len() < limit::GROUPS_MAX {
                list.push(text);
            } else {
                meter.refuse(Reject::BadValue, &format!("has more than {} entries", limit::GROUPS_MAX));
            }
        }
        Ok(())
    }
}
list!(Vec<Cow<'a, str>>, Cow<'a, str>);

impl<'a> Item<'a> for IpAddr {
    type List = Vec<Self>;
    const EXPECTED: &'static str = "a list of IP addresses";

    fn push<D: Deserializer<'a>>(list: &mut Vec<Self>, from: D, meter: &mut Meter) -> Result<(), D::Error> {
        if let Some(address) = from.deserialize_any(AddressVisitor(meter))? {
            if list.len() < limit::CHAIN_MAX {
                list.push(address);
            } else {
                meter.refuse(Reject::BadValue, &format!("has more than {} addresses", limit::CHAIN_MAX));
            }
        }
        Ok(())
    }
}
list!(Vec<IpAddr>, IpAddr);

impl<'a> Item<'a> for Factor {
    type List = Factors;
    const EXPECTED: &'static str = "a list of factors";

    fn push<D: Deserializer<'a>>(list: &mut Factors, from: D, _: &mut Meter) -> Result<(), D::Error> {
        if let Some(factor) = from.deserialize_any(WordVisitor::<Self>(std::marker::PhantomData))? {
            *list = list.with(factor);
        }
        Ok(())
    }
}
list!(Factors, Factor);

/// A nested record, or nothing.
struct Maybe<'m, T> {
    into: &'m mut Option<T>,
    meter: &'m mut Meter,
}

impl<'a, T: Record<'a> + Default> Visitor<'a> for Maybe<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }

    fn visit_map<A: serde::de::MapAccess<'a>>(self, map: A) -> Result<(), A::Error> {
        let into = self.into.get_or_insert_default();
        Fields { into, meter: self.meter, outer: false }.visit_map(map)
    }
}

macro_rules! nested {
    ($($record:ident)+) => {$(
        impl<'a> Slot<'a> for Option<$record<'a>> {
            fn fill<D: Deserializer<'a>>(&mut self, from: D, meter: &mut Meter) -> Result<(), D::Error> {
                from.deserialize_option(Maybe { into: self, meter })
            }
        }
    )+};
}
nested!(PlaceWire NetworkWire AboutWire);

mod points;
