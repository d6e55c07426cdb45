//! The world that people live in: towns with their networks, and networks that are no place.
//!
//! Built by the caller from the tables in use, so that every simulated address resolves to the town
//! that it was taken from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::engine::number;
use crate::model::NetworkClass;
use crate::model::place::{Coordinates, Country};
use crate::ports::tables::Atlas;

/// A town, and networks that the tables place there.
#[derive(Clone, Debug)]
pub struct Town {
    pub name: String,
    pub country: Country,
    pub at: Coordinates,
    pub zone: TimeZone,
    /// Homes and offices.
    pub networks: Vec<IpNet>,
    /// Gateways of mobile carriers, where the tables tell them apart.
    pub carriers: Vec<IpNet>,
}

/// Networks of a class that the tables know: VPN exits, relays, data centres.
#[derive(Clone, Debug)]
pub struct Special {
    pub class: NetworkClass,
    /// Where the tables put them, if they do.
    pub country: Option<Country>,
    pub networks: Vec<IpNet>,
}

/// Towns and special networks; at least two countries, so that there is an abroad.
#[derive(Clone, Debug)]
pub struct World {
    /// What an id that names no town stands for.
    first: Town,
    towns: Vec<Town>,
    special: Vec<Special>,
}

/// Index of a town.
pub(super) type TownId = u16;

impl World {
    /// The world of the tables in use. `None` as for [`Self::new`].
    #[must_use]
    pub fn of(atlas: &(impl Atlas + ?Sized)) -> Option<Self> {
        let known = TimeZoneDatabase::bundled();
        let mut special = Vec::new();
        let mut towns = Vec::new();
        for place in atlas.places() {
            let of = |class| {
                let networks = place.networks.iter().filter(move |network| network.class == class);
                networks.map(|network| network.net).collect::<Vec<_>>()
            };
            for class in [NetworkClass::Vpn, NetworkClass::Relay, NetworkClass::Hosting] {
                special.push(Special { class, country: Some(place.country), networks: of(Some(class)) });
            }
            towns.push(Town {
                name: place.name,
                country: place.country,
                at: place.coordinates,
                zone: known.get(&place.zone).unwrap_or_else(|_| zone_of(place.coordinates)),
                networks: of(None),
                carriers: of(Some(NetworkClass::Carrier)),
            });
        }
        for (class, network) in atlas.classed() {
            special.push(Special { class, country: None, networks: vec![network] });
        }
        Self::new(towns, special)
    }

    /// `None` when there are not towns with networks in two countries at least.
    #[must_use]
    pub fn new(mut towns: Vec<Town>, mut special: Vec<Special>) -> Option<Self> {
        towns.retain(|town| !town.networks.is_empty());
        towns.truncate(TOWNS_MAX);
        special.retain(|special| !special.networks.is_empty());
        let first = towns.first()?.clone();
        towns.iter().any(|town| town.country != first.country).then_some(Self { first, towns, special })
    }

    pub(super) fn town(&self, id: TownId) -> &Town {
        self.towns.get(usize::from(id)).unwrap_or(&self.first)
    }

    /// Towns for which `fits` holds.
    pub(super) fn towns(&self, fits: impl Fn(TownId, &Town) -> bool) -> Vec<TownId> {
        (0..).zip(&self.towns).filter(|(id, town)| fits(*id, town)).map(|(id, _)| id).collect()
    }

    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.towns.len()).unwrap_or(u32::MAX)
    }

    /// Networks of a class, those of `country` where the tables know some; which one by `salt`.
    pub(super) fn special(&self, class: NetworkClass, country: Option<Country>, salt: u64) -> Option<IpNet> {
        let of_class = || self.special.iter().filter(|special| special.class == class);
        let here = || of_class().filter(|special| country.is_some() && special.country == country);
        pick(here().flat_map(|special| &special.networks), salt)
            .or_else(|| pick(of_class().flat_map(|special| &special.networks), salt))
    }

    /// The same, in that country or not at all.
    pub(super) fn special_in(&self, class: NetworkClass, country: Country, salt: u64) -> Option<IpNet> {
        let here = self.special.iter().filter(|special| special.class == class);
        let here = here.filter(|special| special.country == Some(country));
        pick(here.flat_map(|special| &special.networks), salt)
    }

    pub(super) fn distance_km(&self, from: TownId, to: TownId) -> u32 {
        distance_km(self.town(from).at, self.town(to).at)
    }
}

/// The zone that the sun would give: 15° an hour.
fn zone_of(at: Coordinates) -> TimeZone {
    let hours = i8::try_from((at.longitude_e4() + 75_000).div_euclid(150_000)).unwrap_or(0);
    TimeZone::fixed(jiff::tz::offset(hours))
}

fn pick<'a>(networks: impl Iterator<Item = &'a IpNet> + Clone, salt: u64) -> Option<IpNet> {
    let count = u64::try_from(networks.clone().count()).unwrap_or(0);
    let at = usize::try_from(salt.checked_rem(count)?).ok()?;
    networks.copied().nth(at)
}

impl Town {
    pub(super) fn network(&self, salt: u64) -> IpNet {
        pick(self.networks.iter(), salt).unwrap_or_default()
    }

    pub(super) fn carrier(&self, salt: u64) -> IpNet {
        pick(self.carriers.iter(), salt).unwrap_or_else(|| self.network(salt))
    }

    /// The first microsecond of local day `day` (days since 1970-01-01).
    pub(super) fn midnight(&self, day: i32) -> i64 {
        let noon = i64::from(day) * DAY_SECONDS + DAY_SECONDS / 2;
        let offset = jiff::Timestamp::from_second(noon)
            .map_or(0, |noon| i64::from(self.zone.to_offset(noon).seconds()));
        (i64::from(day) * DAY_SECONDS - offset) * 1_000_000
    }
}

/// A pool inside `network` that an access provider hands out: at most 4,096 neighbours.
pub(super) fn pool(network: IpNet, salt: u64) -> IpNet {
    let longest = match network {
        IpNet::V4(_) => 20,
        IpNet::V6(_) => 48,
    };
    if network.prefix_len() >= longest {
        return network;
    }
    IpNet::new(address(network, salt), longest).map_or(network, |pool| pool.trunc())
}

/// One address of `network`, by `salt`; of an IPv4 network neither the first nor the last.
pub(super) fn address(network: IpNet, salt: u64) -> IpAddr {
    match network {
        IpNet::V4(network) => {
            let size = 1_u64 << (32 - u32::from(network.prefix_len()));
            let host = if size > 2 { 1 + salt % (size - 2) } else { salt % size };
            let first = u32::from(network.network());
            Ipv4Addr::from(first | u32::try_from(host).unwrap_or(0)).into()
        }
        IpNet::V6(network) => {
            let hosts = u128::MAX.checked_shr(u32::from(network.prefix_len())).unwrap_or(0);
            // The high bits choose the household's /64, the low ones the device in it.
            let host = u128::from(salt) << 64 | u128::from(salt.rotate_left(23) | 1);
            Ipv6Addr::from(u128::from(network.network()) | (host & hosts)).into()
        }
    }
}

pub(super) fn distance_km(from: Coordinates, to: Coordinates) -> u32 {
    let half = |a: f64, b: f64| number::sin((b - a).to_radians() / 2.0);
    let (lat, lon) = (half(from.latitude(), to.latitude()), half(from.longitude(), to.longitude()));
    let across = number::cos(from.latitude().to_radians()) * number::cos(to.latitude().to_radians());
    let part = (lat * lat + across * lon * lon).clamp(0.0, 1.0);
    number::whole(2.0 * EARTH_KM * number::asin(number::sqrt(part)))
}

/// Spreads a number over 64 bits, one to one (the finalizer of splitmix64): names of things.
pub(super) const fn spread(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

pub(super) const DAY_SECONDS: i64 = 86_400;
const EARTH_KM: f64 = 6_371.0;
/// Town ids are 16 bits.
const TOWNS_MAX: usize = 60_000;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Country, town, latitude, longitude, zone, network.
    const TOWNS: &str = "
        GB London     51.51   -0.13  Europe/London     81.2.64.0/20
        GB Reading    51.45   -0.97  Europe/London     82.30.16.0/20
        GB Leeds      53.80   -1.55  Europe/London     86.20.32.0/20
        DE Berlin     52.52   13.40  Europe/Berlin     91.64.0.0/18
        DE Munich     48.14   11.58  Europe/Berlin     93.104.0.0/18
        US Boston     42.36  -71.06  America/New_York  73.4.0.0/16
        US Denver     39.74 -104.98  America/Denver    75.70.0.0/16
        AU Sydney    -33.87  151.21  Australia/Sydney  1.128.0.0/16
        NG Lagos       6.52    3.38  Africa/Lagos      105.112.0.0/16
    ";

    pub(in super::super) fn world() -> World {
        let towns = TOWNS.lines().filter(|line| !line.trim().is_empty()).map(|line| {
            let [country, name, latitude, longitude, zone, network] =
                line.split_whitespace().collect::<Vec<_>>()[..]
            else {
                panic!("six words a line: {line}")
            };
            Town {
                name: name.to_owned(),
                country: Country::parse(country).unwrap(),
                at: Coordinates::new(latitude.parse().unwrap(), longitude.parse().unwrap(), 20).unwrap(),
                zone: TimeZoneDatabase::bundled().get(zone).unwrap(),
                networks: vec![network.parse().unwrap()],
                carriers: Vec::new(),
            }
        });
        let special = |class, country: Option<&str>, network: &str| Special {
            class,
            country: country.and_then(Country::parse),
            networks: vec![network.parse().unwrap()],
        };
        let special = vec![
            special(NetworkClass::Vpn, None, "185.220.0.0/22"),
            special(NetworkClass::Hosting, Some("US"), "52.0.0.0/16"),
        ];
        World::new(towns.collect(), special).unwrap()
    }

    #[track_caller]
    fn check_address(network: &str, salt: u64, expected: &str) {
        assert_eq!(address(network.parse().unwrap(), salt).to_string(), expected);
    }

    #[test]
    fn addresses_stay_inside() {
        check_address("81.2.64.0/24", 0, "81.2.64.1");
        check_address("81.2.64.0/24", 253, "81.2.64.254");
        check_address("81.2.64.0/24", 254, "81.2.64.1");
        check_address("81.2.64.9/32", 7, "81.2.64.9");
        for salt in 0..500_u64 {
            let network: IpNet = "2a00:23c5:1000::/36".parse().unwrap();
            let pool = pool(network, spread(salt));
            assert!(network.contains(&pool));
            assert!(pool.contains(&address(pool, spread(salt + 9))));
        }
    }

    #[test]
    fn days_begin_at_local_midnight() {
        let world = world();
        let berlin = world.town(3);
        let at = |day| jiff::Timestamp::from_microsecond(berlin.midnight(day)).unwrap().to_string();
        assert_eq!(at(20_458), "2026-01-04T23:00:00Z");
        assert_eq!(at(20_600), "2026-05-26T22:00:00Z");
    }

    #[test]
    fn distances_are_great_circles() {
        assert!((930..=934).contains(&world().distance_km(0, 3)), "{}", world().distance_km(0, 3));
        assert_eq!(world().distance_km(2, 2), 0);
    }

    #[test]
    fn a_world_needs_an_abroad() {
        let mut towns = world().towns;
        towns.truncate(3);
        assert!(World::new(towns, Vec::new()).is_none());
        assert!(World::new(Vec::new(), Vec::new()).is_none());
    }
}
