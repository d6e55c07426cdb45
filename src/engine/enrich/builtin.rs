//! A city table without a database: for demonstrations and simulations, and for nothing else.
//!
//! **Synthetic.** The cities are real, their networks are made up: blocks inside the public unicast
//! space, cut by arithmetic. Whoever really holds such an address is not where this table says. It
//! therefore serves only when it is asked for by name, and never stands in for a database in silence.
//!
//! ```text
//! 5.(4i).0.0/16     city i, fibre         45.(4i).0.0/16       city i, hosting
//! 5.(4i+1).0.0/16   city i, cable         45.(4i+1).0.0/16     city i, vpn
//! 5.(4i+2).0.0/16   city i, business      45.(4i+2).0.0/17     city i, tor     .128.0/17 proxy
//! 5.(4i+3).0.0/16   city i, carrier       45.(4i+3).0.0/17     city i, relay   .128.0/17 satellite
//! 2a10:i::/32       city i, fibre
//! ```
//!
//! Autonomous systems are private-use numbers; fibre, cable and carrier are those of the country, so
//! two cities of a country share them, as in life.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::CITY_RADIUS_KM;
use crate::model::NetworkClass;
use crate::model::id::{self, Digest};
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;
use crate::ports::tables::{Atlas, AtlasNetwork, AtlasPlace, Found, Tables};

/// A city of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct City {
    pub name: &'static str,
    country: [u8; 2],
    latitude_e4: i32,
    longitude_e4: i32,
    /// IANA name.
    pub zone: &'static str,
}

impl City {
    #[must_use]
    pub fn country(&self) -> Option<Country> {
        Country::parse(std::str::from_utf8(&self.country).ok()?)
    }

    #[must_use]
    pub fn coordinates(&self) -> Option<Coordinates> {
        Coordinates::from_e4(self.latitude_e4, self.longitude_e4, CITY_RADIUS_KM)
    }

    /// Number of the country's autonomous systems, by its letters.
    fn country_code(&self) -> u32 {
        let [a, b] = self.country.map(u32::from);
        a * 256 + b
    }
}

/// Every city, by number.
#[must_use]
pub const fn cities() -> &'static [City] {
    &CITIES
}

/// What kind of access a network of a city is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Fibre,
    Cable,
    Business,
    Classed(NetworkClass),
}

/// The networks of city number `city`: each with its access, its class and its system.
#[must_use]
pub fn networks(city: usize) -> Vec<(Access, AtlasNetwork)> {
    let Some((number, found)) = u8::try_from(city).ok().zip(CITIES.get(city)) else { return Vec::new() };
    let v4 = |first, step, third, length| {
        let second = number.wrapping_mul(4).wrapping_add(step);
        Ipv4Net::new(Ipv4Addr::new(first, second, third, 0), length).ok().map(IpNet::V4)
    };
    let v6 = Ipv6Net::new(Ipv6Addr::new(V6_FIRST, number.into(), 0, 0, 0, 0, 0, 0), 32).ok().map(IpNet::V6);
    let classed = |class, net| (Access::Classed(class), net);
    let all = [
        (Access::Fibre, v4(HOMES, 0, 0, 16)),
        (Access::Cable, v4(HOMES, 1, 0, 16)),
        (Access::Business, v4(HOMES, 2, 0, 16)),
        classed(NetworkClass::Carrier, v4(HOMES, 3, 0, 16)),
        (Access::Fibre, v6),
        classed(NetworkClass::Hosting, v4(HOSTS, 0, 0, 16)),
        classed(NetworkClass::Vpn, v4(HOSTS, 1, 0, 16)),
        classed(NetworkClass::Tor, v4(HOSTS, 2, 0, 17)),
        classed(NetworkClass::Proxy, v4(HOSTS, 2, 128, 17)),
        classed(NetworkClass::Relay, v4(HOSTS, 3, 0, 17)),
        classed(NetworkClass::Satellite, v4(HOSTS, 3, 128, 17)),
    ];
    let network = |(access, net): (Access, Option<IpNet>)| {
        let class = match access {
            Access::Classed(class) => Some(class),
            Access::Fibre | Access::Cable | Access::Business => None,
        };
        Some((access, AtlasNetwork { net: net?, asn: Some(asn(number, found, access)), class }))
    };
    all.into_iter().filter_map(network).collect()
}

fn asn(number: u8, city: &City, access: Access) -> u32 {
    let of_country = |kind: u32| PRIVATE_ASN + city.country_code() * 16 + kind;
    match access {
        Access::Fibre => of_country(0),
        Access::Cable => of_country(1),
        Access::Classed(NetworkClass::Carrier) => of_country(2),
        Access::Business => PRIVATE_ASN + 1_000_000 + u32::from(number),
        // Those who rent out egress do so world-wide.
        Access::Classed(class) => PRIVATE_ASN + 2_000_000 + u32::from(class.code()),
    }
}

/// The city and the access that an address belongs to.
fn locate(address: IpAddr) -> Option<(u8, Access)> {
    use NetworkClass as N;
    match address {
        IpAddr::V4(address) => match address.octets() {
            [HOMES, second, ..] => {
                let kinds = [Access::Fibre, Access::Cable, Access::Business, Access::Classed(N::Carrier)];
                Some((second / 4, *kinds.get(usize::from(second % 4))?))
            }
            [HOSTS, second, third, _] => {
                let low = third < 128;
                let class = match second % 4 {
                    0 => N::Hosting,
                    1 => N::Vpn,
                    2 => {
                        if low {
                            N::Tor
                        } else {
                            N::Proxy
                        }
                    }
                    _ => {
                        if low {
                            N::Relay
                        } else {
                            N::Satellite
                        }
                    }
                };
                Some((second / 4, Access::Classed(class)))
            }
            _ => None,
        },
        IpAddr::V6(address) => match address.segments() {
            [V6_FIRST, number, ..] => Some((u8::try_from(number).ok()?, Access::Fibre)),
            _ => None,
        },
    }
}

/// The table, with the time zones of its cities at hand.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// By city.
    zones: Vec<Option<TimeZone>>,
    digest: Digest,
}

impl Default for Builtin {
    fn default() -> Self {
        Self::new()
    }
}

impl Builtin {
    #[must_use]
    pub fn new() -> Self {
        let known = TimeZoneDatabase::bundled();
        let row = |city: &City| {
            let position = [city.latitude_e4, city.longitude_e4].map(i32::to_le_bytes).concat();
            [city.name.as_bytes(), &city.country, &position, city.zone.as_bytes()].concat()
        };
        let rows: Vec<_> = CITIES.iter().map(row).collect();
        let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
        Self {
            zones: CITIES.iter().map(|city| known.get(city.zone).ok()).collect(),
            digest: id::sha256(&rows),
        }
    }
}

impl Tables for Builtin {
    fn look_up(&self, address: IpAddr, at: Timestamp) -> Found {
        let Some((number, access)) = locate(address) else { return Found::default() };
        let Some(city) = CITIES.get(usize::from(number)) else { return Found::default() };
        let zone = self.zones.get(usize::from(number)).and_then(Option::as_ref);
        Found {
            country: city.country(),
            coordinates: city.coordinates(),
            utc_offset_minutes: zone.and_then(|zone| offset_at(zone, at)),
            asn: Some(asn(number, city, access)),
            class: match access {
                Access::Classed(class) => Some(class),
                Access::Fibre | Access::Cable | Access::Business => None,
            },
        }
    }

    fn digest(&self) -> Digest {
        self.digest
    }
}

impl Atlas for Builtin {
    fn places(&self) -> Vec<AtlasPlace> {
        let place = |(number, city): (usize, &City)| {
            Some(AtlasPlace {
                name: city.name.into(),
                country: city.country()?,
                coordinates: city.coordinates()?,
                zone: city.zone.into(),
                networks: networks(number).into_iter().map(|(_, network)| network).collect(),
            })
        };
        CITIES.iter().enumerate().filter_map(place).collect()
    }

    fn classed(&self) -> Vec<(NetworkClass, IpNet)> {
        let all = (0..CITIES.len()).flat_map(networks);
        let mut classed: Vec<_> =
            all.filter_map(|(_, network)| Some((network.class?, network.net))).collect();
        classed.sort_unstable();
        classed
    }
}

/// Minutes that a zone is ahead of UTC at a moment.
fn offset_at(zone: &TimeZone, at: Timestamp) -> Option<i16> {
    let moment = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
    i16::try_from(zone.to_offset(moment).seconds() / 60).ok()
}

const fn city(
    name: &'static str,
    country: [u8; 2],
    latitude_e4: i32,
    longitude_e4: i32,
    zone: &'static str,
) -> City {
    City { name, country, latitude_e4, longitude_e4, zone }
}

const HOMES: u8 = 5;
const HOSTS: u8 = 45;
const V6_FIRST: u16 = 0x2a10;
/// RFC 6996.
const PRIVATE_ASN: u32 = 4_200_000_000;

#[rustfmt::skip]
static CITIES: [City; 64] = [
    city("Amsterdam", *b"NL", 523676, 49041, "Europe/Amsterdam"),
    city("Athens", *b"GR", 379838, 237275, "Europe/Athens"),
    city("Atlanta", *b"US", 337490, -843880, "America/New_York"),
    city("Auckland", *b"NZ", -368485, 1747633, "Pacific/Auckland"),
    city("Bangalore", *b"IN", 129716, 775946, "Asia/Kolkata"),
    city("Bangkok", *b"TH", 137563, 1005018, "Asia/Bangkok"),
    city("Barcelona", *b"ES", 413874, 21686, "Europe/Madrid"),
    city("Beijing", *b"CN", 399042, 1164074, "Asia/Shanghai"),
    city("Berlin", *b"DE", 525200, 134050, "Europe/Berlin"),
    city("Bogota", *b"CO", 47110, -740721, "America/Bogota"),
    city("Boston", *b"US", 423601, -710589, "America/New_York"),
    city("Brussels", *b"BE", 508503, 43517, "Europe/Brussels"),
    city("Bucharest", *b"RO", 444268, 261025, "Europe/Bucharest"),
    city("Budapest", *b"HU", 474979, 190402, "Europe/Budapest"),
    city("Buenos Aires", *b"AR", -346037, -583816, "America/Argentina/Buenos_Aires"),
    city("Cairo", *b"EG", 300444, 312357, "Africa/Cairo"),
    city("Cape Town", *b"ZA", -339249, 184241, "Africa/Johannesburg"),
    city("Chicago", *b"US", 418781, -876298, "America/Chicago"),
    city("Copenhagen", *b"DK", 556761, 125683, "Europe/Copenhagen"),
    city("Dallas", *b"US", 327767, -967970, "America/Chicago"),
    city("Delhi", *b"IN", 286139, 772090, "Asia/Kolkata"),
    city("Denver", *b"US", 397392, -1049903, "America/Denver"),
    city("Dubai", *b"AE", 252048, 552708, "Asia/Dubai"),
    city("Dublin", *b"IE", 533498, -62603, "Europe/Dublin"),
    city("Frankfurt", *b"DE", 501109, 86821, "Europe/Berlin"),
    city("Hamburg", *b"DE", 535511, 99937, "Europe/Berlin"),
    city("Helsinki", *b"FI", 601699, 249384, "Europe/Helsinki"),
    city("Hong Kong", *b"HK", 223193, 1141694, "Asia/Hong_Kong"),
    city("Istanbul", *b"TR", 410082, 289784, "Europe/Istanbul"),
    city("Jakarta", *b"ID", -62088, 1068456, "Asia/Jakarta"),
    city("Johannesburg", *b"ZA", -262041, 280473, "Africa/Johannesburg"),
    city("Kyiv", *b"UA", 504501, 305234, "Europe/Kyiv"),
    city("Lagos", *b"NG", 65244, 33792, "Africa/Lagos"),
    city("Lima", *b"PE", -120464, -770428, "America/Lima"),
    city("Lisbon", *b"PT", 387223, -91393, "Europe/Lisbon"),
    city("London", *b"GB", 515072, -1276, "Europe/London"),
    city("Los Angeles", *b"US", 340522, -1182437, "America/Los_Angeles"),
    city("Madrid", *b"ES", 404168, -37038, "Europe/Madrid"),
    city("Manchester", *b"GB", 534808, -22426, "Europe/London"),
    city("Manila", *b"PH", 145995, 1209842, "Asia/Manila"),
    city("Melbourne", *b"AU", -378136, 1449631, "Australia/Melbourne"),
    city("Mexico City", *b"MX", 194326, -991332, "America/Mexico_City"),
    city("Milan", *b"IT", 454642, 91900, "Europe/Rome"),
    city("Montreal", *b"CA", 455019, -735674, "America/Toronto"),
    city("Moscow", *b"RU", 557558, 376173, "Europe/Moscow"),
    city("Mumbai", *b"IN", 190760, 728777, "Asia/Kolkata"),
    city("Munich", *b"DE", 481351, 115820, "Europe/Berlin"),
    city("Nairobi", *b"KE", -12921, 368219, "Africa/Nairobi"),
    city("New York", *b"US", 407128, -740060, "America/New_York"),
    city("Oslo", *b"NO", 599139, 107522, "Europe/Oslo"),
    city("Paris", *b"FR", 488566, 23522, "Europe/Paris"),
    city("Prague", *b"CZ", 500755, 144378, "Europe/Prague"),
    city("San Francisco", *b"US", 377749, -1224194, "America/Los_Angeles"),
    city("Santiago", *b"CL", -334489, -706693, "America/Santiago"),
    city("Sao Paulo", *b"BR", -235558, -466396, "America/Sao_Paulo"),
    city("Seattle", *b"US", 476062, -1223321, "America/Los_Angeles"),
    city("Seoul", *b"KR", 375665, 1269780, "Asia/Seoul"),
    city("Singapore", *b"SG", 13521, 1038198, "Asia/Singapore"),
    city("Stockholm", *b"SE", 593293, 180686, "Europe/Stockholm"),
    city("Sydney", *b"AU", -338688, 1512093, "Australia/Sydney"),
    city("Tokyo", *b"JP", 356762, 1396503, "Asia/Tokyo"),
    city("Toronto", *b"CA", 436532, -793832, "America/Toronto"),
    city("Warsaw", *b"PL", 522297, 210122, "Europe/Warsaw"),
    city("Zurich", *b"CH", 473769, 85417, "Europe/Zurich"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::enrich::address::is_public;

    #[track_caller]
    fn check(address: &str, at: &str, country: &str, utc_offset_minutes: i16, class: Option<NetworkClass>) {
        let found = Builtin::new().look_up(address.parse().unwrap(), Timestamp::parse(at).unwrap());
        assert_eq!(found.country, Country::parse(country));
        assert_eq!((found.utc_offset_minutes, found.class), (Some(utc_offset_minutes), class));
        assert!(found.coordinates.is_some() && found.asn.is_some());
    }

    #[test]
    fn resolves_a_city_and_its_time() {
        let london = CITIES.iter().position(|city| city.name == "London").unwrap();
        check(&format!("5.{}.1.1", 4 * london), "2026-01-05T09:00:00Z", "GB", 0, None);
        check(&format!("5.{}.1.1", 4 * london), "2026-07-05T09:00:00Z", "GB", 60, None);
        check(
            &format!("5.{}.1.1", 4 * london + 3),
            "2026-07-05T09:00:00Z",
            "GB",
            60,
            Some(NetworkClass::Carrier),
        );
        check(
            &format!("45.{}.200.1", 4 * london + 2),
            "2026-07-05T09:00:00Z",
            "GB",
            60,
            Some(NetworkClass::Proxy),
        );
        check(&format!("2a10:{london:x}::1"), "2026-01-05T09:00:00Z", "GB", 0, None);
    }

    #[test]
    fn every_network_resolves_to_its_city() {
        let tables = Builtin::new();
        for place in tables.places() {
            assert!(place.networks.len() > 5);
            for network in place.networks {
                for address in [network.net.network(), network.net.broadcast()] {
                    let found = tables.look_up(address, Timestamp::EPOCH);
                    assert!(is_public(address), "{address}");
                    assert_eq!(
                        (found.country, found.coordinates),
                        (Some(place.country), Some(place.coordinates))
                    );
                    assert_eq!((found.asn, found.class), (network.asn, network.class), "{address}");
                    assert!(found.utc_offset_minutes.is_some(), "{}", place.zone);
                }
            }
        }
    }

    #[test]
    fn knows_nothing_else() {
        let found = Builtin::new().look_up("81.2.69.142".parse().unwrap(), Timestamp::EPOCH);
        assert_eq!(found, Found::default());
    }
}
