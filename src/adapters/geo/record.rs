//! One record of a database, whatever its layout: the few fields that enrichment wants.
//!
//! Nested (`country.iso_code`, `location.latitude`, `traits.is_tor_exit_node`) and flat
//! (`country_code`, `latitude`, `timezone`, `asn = "AS1221"`) records are told apart by the shape of
//! what is found, key by key, so there is nothing to configure. Unknown keys are skipped without
//! being expanded; a field of an unexpected type counts as absent.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::model::NetworkClass;
use crate::model::place::Country;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Record<'d> {
    pub country: Option<Country>,
    /// A city, or a region, is named: coordinates are not those of the country.
    pub has_city: bool,
    pub has_region: bool,
    /// The city's name, in English where there are several.
    pub city: Option<&'d str>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub radius_km: Option<u16>,
    pub zone: Option<&'d str>,
    pub asn: Option<u32>,
    pub class: Option<NetworkClass>,
}

impl Record<'_> {
    fn add_class(&mut self, class: NetworkClass) {
        self.class = Some(self.class.map_or(class, |known| known.min(class)));
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut record = Self::default();
        deserializer.deserialize_any(Fields { record: &mut record, within: Within::Top })?;
        Ok(record)
    }
}

/// Which map is being read: a key means something only in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Top,
    Country,
    City,
    Names,
    Location,
    Traits,
}

/// Reads a map into the record; anything but a map is skipped.
struct Fields<'r, 'de> {
    record: &'r mut Record<'de>,
    within: Within,
}

impl<'de> DeserializeSeed<'de> for Fields<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let record = self.record;
        while let Some(key) = map.next_key::<Key>()? {
            match (self.within, key) {
                (Within::Top, Key::Country) => {
                    map.next_value_seed(Fields { record: &mut *record, within: Within::Country })?;
                }
                (Within::Top, Key::CountryCode) | (Within::Country, Key::IsoCode) => {
                    record.country = map.next_value::<Value<'_>>()?.text().and_then(Country::parse);
                }
                (Within::Top, Key::City) => {
                    map.next_value_seed(Fields { record: &mut *record, within: Within::City })?;
                }
                (Within::City, Key::Names) => {
                    map.next_value_seed(Fields { record: &mut *record, within: Within::Names })?;
                }
                (Within::Names, Key::English) => record.city = map.next_value::<Value<'_>>()?.text(),
                (Within::Top, Key::Region) => {
                    let value = map.next_value::<Value<'_>>()?;
                    record.has_region |= matches!(value, Value::Group) || value.text().is_some();
                }
                (Within::Top, Key::Location) => {
                    map.next_value_seed(Fields { record: &mut *record, within: Within::Location })?;
                }
                (Within::Top, Key::Traits) => {
                    map.next_value_seed(Fields { record: &mut *record, within: Within::Traits })?;
                }
                (Within::Top | Within::Location, Key::Latitude) => {
                    record.latitude = map.next_value::<Value<'_>>()?.number();
                }
                (Within::Top | Within::Location, Key::Longitude) => {
                    record.longitude = map.next_value::<Value<'_>>()?.number();
                }
                (Within::Top | Within::Location, Key::Radius) => {
                    record.radius_km = map.next_value::<Value<'_>>()?.number().and_then(radius_km);
                }
                (Within::Top | Within::Location, Key::Zone) => {
                    record.zone = map.next_value::<Value<'_>>()?.text();
                }
                (Within::Top | Within::Traits, Key::System) => {
                    record.asn = map.next_value::<Value<'_>>()?.system();
                }
                (Within::Top | Within::Traits, Key::Flag(class)) => {
                    if map.next_value::<Value<'_>>()?.holds() {
                        record.add_class(class);
                    }
                }
                (Within::Top | Within::Traits, Key::Connection) => {
                    let class = map.next_value::<Value<'_>>()?.text().and_then(connection_class);
                    class.into_iter().for_each(|class| record.add_class(class));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Whatever a nested city is called, there is one: an empty map names none.
        if self.within == Within::City {
            record.has_city = true;
        }
        Ok(())
    }

    // The flat layouts have a text where the nested ones have a map.
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        match self.within {
            Within::Country => self.record.country = Country::parse(text),
            Within::City if !text.is_empty() => {
                self.record.has_city = true;
                self.record.city = Some(text);
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }
}

/// A value of whatever type, as far as a field can use it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value<'d> {
    Text(&'d str),
    Number(f64),
    Bool(bool),
    /// A list or a map that is not empty.
    Group,
    Nothing,
}

impl<'d> Value<'d> {
    fn text(self) -> Option<&'d str> {
        match self {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The number of an autonomous system: `1221`, `"1221"` or `"AS1221"`.
    fn system(self) -> Option<u32> {
        match self {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
            Value::Number(number) if (1.0..=f64::from(u32::MAX)).contains(&number) => Some(number as u32),
            Value::Text(text) => {
                let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
                digits.parse().ok().filter(|number| *number != 0)
            }
            _ => None,
        }
    }

    fn holds(self) -> bool {
        match self {
            Value::Bool(holds) => holds,
            Value::Number(number) => number > 0.0,
            Value::Text(text) => text.eq_ignore_ascii_case("true") || text == "1",
            Value::Group | Value::Nothing => false,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "what we read as numbers is small")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "what we read as numbers is small")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value as f64))
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Value<'de>, E> {
        Ok(Value::Nothing)
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Value<'de>, E> {
        Ok(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let mut value = Value::Nothing;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            value = Value::Group;
        }
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let mut value = Value::Nothing;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            value = Value::Group;
        }
        Ok(value)
    }
}

fn radius_km(km: f64) -> Option<u16> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped on the same line")]
    (km >= 0.0).then(|| km.min(20_000.0).ceil() as u16)
}

/// `user_type`, `connection_type`, `usage_type` and their like, in the spellings of several vendors.
fn connection_class(word: &str) -> Option<NetworkClass> {
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["cellular", "mobile", "cellular/mobile"]) {
        Some(NetworkClass::Carrier)
    } else if is(&["satellite", "consumer_satellite"]) {
        Some(NetworkClass::Satellite)
    } else if is(&["hosting", "datacenter", "content_delivery_network"]) {
        Some(NetworkClass::Hosting)
    } else {
        None
    }
}

/// The keys that mean something, over all layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Country,
    CountryCode,
    IsoCode,
    City,
    Names,
    English,
    Region,
    Location,
    Traits,
    Latitude,
    Longitude,
    Radius,
    Zone,
    System,
    Connection,
    Flag(NetworkClass),
    Other,
}

impl Key {
    fn parse(key: &[u8]) -> Self {
        match key {
            b"country" => Self::Country,
            b"country_code" => Self::CountryCode,
            b"iso_code" => Self::IsoCode,
            b"city" => Self::City,
            b"names" => Self::Names,
            b"en" => Self::English,
            b"subdivisions" | b"state1" | b"region" | b"state" => Self::Region,
            b"location" => Self::Location,
            b"traits" | b"anonymizer" => Self::Traits,
            b"latitude" | b"lat" => Self::Latitude,
            b"longitude" | b"lng" | b"lon" => Self::Longitude,
            b"accuracy_radius" | b"radius" => Self::Radius,
            b"time_zone" | b"timezone" => Self::Zone,
            b"autonomous_system_number" | b"asn" | b"as_number" => Self::System,
            b"connection_type" | b"user_type" | b"usage_type" => Self::Connection,
            b"is_tor_exit_node" | b"is_tor" | b"tor" => Self::Flag(NetworkClass::Tor),
            b"is_anonymous_vpn" | b"is_vpn" | b"vpn" => Self::Flag(NetworkClass::Vpn),
            b"is_public_proxy" | b"is_residential_proxy" | b"is_proxy" | b"proxy" => {
                Self::Flag(NetworkClass::Proxy)
            }
            b"is_relay" | b"relay" => Self::Flag(NetworkClass::Relay),
            b"is_hosting_provider" | b"is_hosting" | b"hosting" => Self::Flag(NetworkClass::Hosting),
            b"is_mobile" => Self::Flag(NetworkClass::Carrier),
            b"is_satellite_provider" | b"is_satellite" | b"satellite" => Self::Flag(NetworkClass::Satellite),
            // Stated beside a finer flag as a rule; alone it says that something hides there.
            b"is_anonymous" => Self::Flag(NetworkClass::Other),
            _ => Self::Other,
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Key, E> {
                Ok(Key::parse(key))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key::parse(key.as_bytes()))
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}
