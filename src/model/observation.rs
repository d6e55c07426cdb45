//! An event together with what was looked up for it. Detectors see this and the baseline, no more.

use super::across::{Across, Origin};
use super::event::Event;
use super::place::{Coordinates, Country};
use super::words::{Browser, DeviceKind, NetworkClass, Os, PlaceSource};

/// An event and its facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation<'a> {
    pub event: Event<'a>,
    pub facts: Facts,
    pub keys: Keys,
}

/// What was looked up. Recorded in the decision, so that a replay needs no tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub country: Option<Country>,
    pub coordinates: Option<Coordinates>,
    pub place_source: Option<PlaceSource>,
    pub asn: Option<u32>,
    pub network_class: Option<NetworkClass>,
    /// Of the event's place at that moment, daylight saving included.
    pub utc_offset_minutes: Option<i16>,
    pub browser: Option<Browser>,
    pub os: Option<Os>,
    pub device: Option<DeviceKind>,
    /// What was known of the event's origins, of all users who were seen there.
    pub across: Option<Across>,
}

/// Fixed-size stand-ins for the event's texts, hashed once: what profiles keep and compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Of source and event id, 48 bits, 20 of them (from [`EVENT_ID_SHIFT`] on) of the id alone: with 32
    /// remembered a user, two events in 10^13 collide.
    pub event: u64,
    pub device: Option<u64>,
    /// 48 bits: only a user's own few are compared.
    pub session: Option<u64>,
    pub address: Option<u64>,
    /// The /24 of IPv4, the /56 of IPv6.
    pub prefix: Option<u64>,
}

impl Keys {
    /// The network that the event came from.
    #[must_use]
    pub fn network_origin(&self) -> Option<Origin> {
        self.prefix.map(Origin::Network)
    }

    #[must_use]
    pub fn device_origin(&self) -> Option<Origin> {
        self.device.map(Origin::Device)
    }
}

/// Where the bits of the id alone begin in [`Keys::event`].
pub const EVENT_ID_SHIFT: u32 = 20;
