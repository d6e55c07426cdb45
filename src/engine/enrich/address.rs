//! Addresses: which of them can be a place at all, and what profiles keep of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::across::Origin;
use crate::model::id::hash64;

/// The address as it is routed: IPv4 mapped into IPv6 is IPv4.
#[must_use]
pub fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whether the address is one of the public internet. Private, shared (CGNAT), loopback,
/// link-local, multicast, documentation, benchmarking, reserved and unspecified ones are no place
/// and no network: everybody has them.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, 64..=127, ..] => true,
        [169, 254, ..] => true,
        [172, 16..=31, ..] => true,
        // Protocol assignments, documentation, 6to4 relays.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] => true,
        [192, 168, ..] => true,
        [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

/// Only 2000::/3 is routed globally, and of it not what stands for something else.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Teredo, benchmarking, ORCHID, ORCHIDv2, documentation.
        [0x2001, 0 | 2, ..] | [0x2001, 0x10..=0x2f, ..] | [0x2001, 0x0db8, ..] => false,
        // 6to4: the address inside is the real one, and it is IPv4.
        [0x2002, ..] => false,
        // Documentation.
        [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// What stands for an address in profiles. IPv4 fits as it is; of IPv6 whoever holds a /64 picks
/// the rest, so that is hashed.
pub(super) fn address_key(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => V4_ADDRESS | u64::from(u32::from(address)),
        IpAddr::V6(address) => hash64("address", &[&address.octets()]),
    }
}

/// What stands for its /24 or /56 in profiles.
pub(super) fn prefix_key(address: IpAddr) -> u64 {
    let origin = match address {
        IpAddr::V4(address) => Origin::network_v4(address),
        IpAddr::V6(address) => Origin::network_v6(address),
    };
    let (Origin::Network(key) | Origin::Device(key)) = origin;
    key
}

/// The first byte tells it from a prefix of either kind.
const V4_ADDRESS: u64 = 0x04 << 56;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], public: bool) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn public_addresses_are() {
        check(
            &["81.2.69.142", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.255"],
            true,
        );
        check(&["2001:4860:4860::8888", "2a00:1450::1", "2600::1", "::ffff:81.2.69.142"], true);
    }

    #[test]
    fn private_and_shared_are_not() {
        check(
            &["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255"],
            false,
        );
        check(&["fc00::1", "fd12::1", "::ffff:10.0.0.1", "::ffff:100.64.0.1"], false);
    }

    #[test]
    fn special_ones_are_not() {
        check(
            &["127.0.0.1", "169.254.1.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
            false,
        );
        check(&["192.0.2.1", "198.51.100.9", "203.0.113.9", "198.18.0.1", "192.88.99.1", "192.0.0.8"], false);
        check(
            &["::", "::1", "fe80::1", "ff02::1", "2001:db8::1", "3fff::1", "2001::1", "2002:5102:458e::1"],
            false,
        );
        check(&["4000::1", "64:ff9b::5102:458e"], false);
    }

    #[test]
    fn keys_are_of_the_prefix() {
        let key = |text: &str| prefix_key(text.parse().unwrap());
        assert_eq!(key("81.2.69.1"), key("81.2.69.255"));
        assert_ne!(key("81.2.69.1"), key("81.2.70.1"));
        assert_eq!(key("2a00:1450:0:100::1"), key("2a00:1450:0:1ff::2"));
        assert_ne!(key("2a00:1450:0:100::1"), key("2a00:1450:0:200::1"));
    }
}
