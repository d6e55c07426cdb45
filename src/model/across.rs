//! What can be seen only across users: from where they come together, what was seen of each there, and
//! what is known of a place from which many came.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::time::Timestamp;

/// What many users can have in common: a network of addresses, or one device.
///
/// The order is that of stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// [`Keys::prefix`](super::observation::Keys::prefix): it holds the /24 or /56 itself.
    Network(u64),
    /// [`Keys::device`](super::observation::Keys::device): a hash within the tenant.
    Device(u64),
}

impl Origin {
    /// Appends the key of a record about it: `tenant/net:81.2.69.0/24`, `tenant/dev:0f…` in 16 digits.
    pub fn write_key(self, tenant: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(tenant.as_bytes());
        let mut text = String::new();
        let written = match self {
            Self::Network(prefix) => match prefix.to_be_bytes() {
                [V4_PREFIX, _, _, _, _, a, b, c] => write!(text, "/net:{}/24", Ipv4Addr::new(a, b, c, 0)),
                [_, a, b, c, d, e, f, g] => {
                    let address = [a, b, c, d, e, f, g, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                    write!(text, "/net:{}/56", Ipv6Addr::from(address))
                }
            },
            Self::Device(hash) => write!(text, "/dev:{hash:016x}"),
        };
        debug_assert!(written.is_ok(), "a string takes what is written");
        out.extend_from_slice(text.as_bytes());
    }

    /// Splits such a key. `None` when this version would not have written it.
    #[must_use]
    pub fn parse_key(key: &[u8]) -> Option<(&str, Self)> {
        let text = std::str::from_utf8(key).ok()?;
        let (tenant, rest) = text.split_once('/')?;
        let origin = match rest.split_once(':')? {
            ("net", net) => {
                let (address, bits) = net.split_once('/')?;
                match (address.parse().ok()?, bits) {
                    (IpAddr::V4(address), "24") => Self::network_v4(address),
                    (IpAddr::V6(address), "56") => Self::network_v6(address),
                    _ => return None,
                }
            }
            ("dev", hash) => Self::Device(u64::from_str_radix(hash, 16).ok()?),
            _ => return None,
        };
        let mut again = Vec::with_capacity(key.len());
        origin.write_key(tenant, &mut again);
        (super::id::is_tenant(tenant) && again == key).then_some((tenant, origin))
    }

    /// The /24 of an address.
    #[must_use]
    pub fn network_v4(address: Ipv4Addr) -> Self {
        Self::Network(u64::from(V4_PREFIX) << 56 | u64::from(u32::from(address) >> 8))
    }

    /// The /56 of an address.
    #[must_use]
    pub fn network_v6(address: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, ..] = address.octets();
        Self::Network(u64::from_be_bytes([V6_PREFIX, a, b, c, d, e, f, g]))
    }
}

// The first byte tells the kinds apart; of a device's hash it says nothing.
const V4_PREFIX: u8 = 0x24;
const V6_PREFIX: u8 = 0x56;

words! {
    /// What was seen of a user at an origin that the user is not at home at.
    Sight {
        /// A login failed.
        Failed = "failed",
        /// A login failed because there is no such user.
        UnknownUser = "unknown_user",
        /// A login succeeded.
        Succeeded = "succeeded",
        /// A login succeeded, and failures of the same user came before it.
        Recovered = "recovered",
        /// A login of a user who is at home there, seen because something is known of the origin.
        AtHome = "at_home",
        /// A word of a newer version: it counts as nothing.
        Other = "other",
    }
}

/// One thing that was seen, at an origin that its record's key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub sight: Sight,
    /// Stands for the user at this origin, and at no other.
    pub user: u64,
    pub at: Timestamp,
}

/// What one event shows of its two origins; most show nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    pub network: Option<Sight>,
    pub device: Option<Sight>,
}

/// What is known of an origin: distinct users within the last 12 to 24 hours. Numbers above 31 are
/// rounded down to five binary digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OriginFacts {
    /// Offset after the last sighting that it is made of.
    pub version: u64,
    /// Users who failed, and were not at home there.
    pub failed: u32,
    /// Of them: who does not exist.
    pub unknown: u32,
    /// Of them: who succeeded after it.
    pub recovered: u32,
    /// Users who succeeded.
    pub succeeded: u32,
    /// Failures of all of them.
    pub attempts: u32,
}

impl OriginFacts {
    /// Users who failed and have not succeeded since.
    #[must_use]
    pub const fn stranded(&self) -> u32 {
        self.failed.saturating_sub(self.recovered)
    }
}

/// What was known of an event's origins when it was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Across {
    pub network: Option<OriginFacts>,
    pub device: Option<OriginFacts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(origin: Origin, expected: &str) {
        let mut key = Vec::new();
        origin.write_key("acme", &mut key);
        assert_eq!(String::from_utf8(key.clone()).unwrap(), expected);
        assert_eq!(Origin::parse_key(&key), Some(("acme", origin)));
    }

    #[test]
    fn keys_say_what_they_are_of() {
        check(Origin::network_v4([81, 2, 69, 142].into()), "acme/net:81.2.69.0/24");
        check(Origin::network_v6("2a02:c7f:5e1:ab12::9".parse().unwrap()), "acme/net:2a02:c7f:5e1:ab00::/56");
        check(Origin::Device(0xab), "acme/dev:00000000000000ab");
    }

    #[test]
    fn other_keys_are_none() {
        for key in [
            "acme",
            "acme/ada",
            "acme/net:81.2.69.1/24",
            "acme/net:81.2.69.0/25",
            "acme/net:081.2.69.0/24",
            "acme/net:::ffff:1.2.3.0/24",
            "acme/dev:ab",
            "acme/dev:00000000000000AB",
            "ACME/dev:00000000000000ab",
            "/dev:00000000000000ab",
        ] {
            assert_eq!(Origin::parse_key(key.as_bytes()), None, "{key}");
        }
        assert_eq!(Origin::parse_key(b"acme/dev:\xff"), None);
    }
}
