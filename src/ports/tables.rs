//! Tables: what is known of addresses. Read between two transactions, never written by a lane.
//!
//! [`Tables`] answers what is known of an address; [`Atlas`] answers the other way round, which
//! networks there are at a place: synthetic people need addresses that resolve.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::NetworkClass;
use crate::model::id::{self, Digest};
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;

/// Look-ups by address. In memory, cheap, and the same for the same digest.
pub trait Tables: std::fmt::Debug + Send + Sync {
    /// Everything known of a public address. The caller has already dropped the others.
    fn look_up(&self, address: IpAddr, at: Timestamp) -> Found;

    /// The same, and the end of its validity: every moment from `at` to before that one has the same
    /// answer. `at` itself where nothing is promised.
    fn look_up_until(&self, address: IpAddr, at: Timestamp) -> (Found, Timestamp) {
        (self.look_up(address, at), at)
    }

    /// Over the digests of every file in use, in order: it stands in a decision's basis.
    fn digest(&self) -> Digest;

    /// Look-ups that met a damaged record and were answered as unknown.
    fn broken(&self) -> u64 {
        0
    }
}

impl dyn Tables {
    /// Tables that know nothing.
    #[must_use]
    pub fn none() -> &'static Self {
        &NoTables
    }
}

/// What the tables know of one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub country: Option<Country>,
    pub coordinates: Option<Coordinates>,
    /// Of the place's time zone at that moment. Without a zone `None`: enrichment falls back to the
    /// longitude.
    pub utc_offset_minutes: Option<i16>,
    pub asn: Option<u32>,
    pub class: Option<NetworkClass>,
}

/// No table at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTables;

impl Tables for NoTables {
    fn look_up(&self, _address: IpAddr, _at: Timestamp) -> Found {
        Found::default()
    }

    fn digest(&self) -> Digest {
        digest_of(std::iter::empty())
    }
}

impl Atlas for NoTables {
    fn places(&self) -> Vec<AtlasPlace> {
        Vec::new()
    }

    fn classed(&self) -> Vec<(NetworkClass, IpNet)> {
        Vec::new()
    }
}

/// The digest of tables made of files: over role and digest of each, in order.
pub fn digest_of<'f>(files: impl Iterator<Item = (&'f str, Digest)>) -> Digest {
    let mut parts = Vec::new();
    for (role, Digest(bytes)) in files {
        parts.extend_from_slice(role.as_bytes());
        parts.push(0);
        parts.extend_from_slice(&bytes);
    }
    id::sha256(&[&parts])
}

/// Tables that can be travelled: which places they know, and which networks resolve there.
pub trait Atlas: Tables {
    /// The best-known places, most addresses first: at most [`PLACES_MAX`], each with at least one
    /// network and at most [`PLACE_NETWORKS_MAX`]. The same for the same digest.
    fn places(&self) -> Vec<AtlasPlace>;

    /// Networks whose class the tables know, strongest class first; a bounded number of each.
    fn classed(&self) -> Vec<(NetworkClass, IpNet)>;
}

/// A place, and networks whose addresses resolve to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtlasPlace {
    /// Of the city, empty where the tables do not say.
    pub name: String,
    pub country: Country,
    pub coordinates: Coordinates,
    /// IANA name, empty where the tables do not say.
    pub zone: String,
    pub networks: Vec<AtlasNetwork>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtlasNetwork {
    pub net: IpNet,
    pub asn: Option<u32>,
    pub class: Option<NetworkClass>,
}

pub const PLACES_MAX: usize = 200;
pub const PLACE_NETWORKS_MAX: usize = 32;
