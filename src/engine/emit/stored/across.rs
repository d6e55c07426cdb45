//! What was known of the event's origins, in a decision as it was published; and decisions from before
//! there was such a field, whose chains were taken without it.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::engine::emit::shape::fields;
use crate::engine::schema::HEADER_BYTES;

/// What was known of the event's origins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredAcross {
    #[serde(default)]
    pub network: Option<StoredOrigin>,
    #[serde(default)]
    pub device: Option<StoredOrigin>,
}

/// Users who were seen at one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct StoredOrigin {
    pub version: i64,
    pub failed: i64,
    pub unknown: i64,
    pub recovered: i64,
    pub succeeded: i64,
    pub attempts: i64,
}

/// A field that is there, be it null.
pub(super) fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Nothing at all where there was no such field.
pub(super) struct Stated<'s>(pub(super) &'s Option<Option<StoredAcross>>);

impl Serialize for Stated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(across) => across.serialize(serializer),
            None => serializer.serialize_unit(),
        }
    }
}

impl Serialize for StoredAcross {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Across" { "network": &self.network, "device": &self.device })
    }
}

impl Serialize for StoredOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "OriginFacts" {
            "version": &self.version,
            "failed": &self.failed,
            "unknown": &self.unknown,
            "recovered": &self.recovered,
            "succeeded": &self.succeeded,
            "attempts": &self.attempts,
        })
    }
}

/// The version of `decision.avsc` whose facts end with the device: fc62acc28c3d0f22.
pub(super) const WITHOUT_ACROSS: &[u8; HEADER_BYTES] =
    &[0xC3, 0x01, 0xFC, 0x62, 0xAC, 0xC2, 0x8C, 0x3D, 0x0F, 0x22];
