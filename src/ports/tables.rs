//! Tables: what is known of addresses. Read between two transactions, never written by a lane.

use std::net::IpAddr;

use crate::model::NetworkClass;
use crate::model::id::Digest;
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;

/// Look-ups by address. In memory, cheap, and the same for the same digest.
pub trait Tables: std::fmt::Debug + Send + Sync {
    /// Everything known of a public address. The caller has already dropped the others.
    fn look_up(&self, address: IpAddr, at: Timestamp) -> Found;

    /// Over the digests of every file in use, in order: it stands in a decision's basis.
    fn digest(&self) -> Digest;
}

/// What the tables know of one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub country: Option<Country>,
    pub coordinates: Option<Coordinates>,
    pub utc_offset_minutes: Option<i16>,
    pub asn: Option<u32>,
    pub class: Option<NetworkClass>,
}
