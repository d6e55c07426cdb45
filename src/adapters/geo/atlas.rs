//! The tables as an atlas: the places that hold most of a sample of addresses.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{Classes, Geo, coordinates};
use crate::model::NetworkClass;
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;
use crate::ports::tables::{Atlas, AtlasNetwork, AtlasPlace, PLACE_NETWORKS_MAX, PLACES_MAX, Tables as _};

impl Atlas for Geo {
    fn places(&self) -> Vec<AtlasPlace> {
        let mut places = BTreeMap::<_, Gathered>::new();
        let sampled = self.places.iter().flat_map(|database| database.sample(SCATTERED));
        for (net, record) in sampled.flatten() {
            let (Some(country), Some(at)) = (record.country, coordinates(&record)) else { continue };
            // Only a city: the centre of a country is nobody's home.
            if !record.has_city {
                continue;
            }
            let place =
                places.entry((country, at.latitude_e4(), at.longitude_e4())).or_insert_with(|| Gathered {
                    country,
                    at,
                    name: record.city.unwrap_or_default().into(),
                    zone: record.zone.unwrap_or_default().into(),
                    seen: 0,
                    nets: Vec::new(),
                });
            place.seen += 1;
            if place.nets.len() < PLACE_NETWORKS_MAX && !place.nets.contains(&net) {
                place.nets.push(net);
            }
        }

        let mut places: Vec<_> = places.into_values().collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.seen));
        places.truncate(PLACES_MAX);
        places.into_iter().map(|place| self.describe(place)).collect()
    }

    fn classed(&self) -> Vec<(NetworkClass, IpNet)> {
        let mut counts = BTreeMap::<NetworkClass, usize>::new();
        let mut classed = Vec::new();
        let mut take = |class, net| {
            let count = counts.entry(class).or_default();
            if *count < CLASS_NETWORKS_MAX {
                *count += 1;
                classed.push((class, net));
            }
        };
        for classes in &self.classes {
            match classes {
                Classes::List(list) => list.nets.iter().for_each(|(class, net)| take(*class, *net)),
                Classes::Database(database) => {
                    for (net, record) in database.sample(SCATTERED).flatten() {
                        record.class.into_iter().for_each(|class| take(class, net));
                    }
                }
            }
        }
        classed.sort_unstable();
        classed.dedup();
        classed
    }
}

struct Gathered {
    country: Country,
    at: Coordinates,
    name: String,
    zone: String,
    /// Addresses of the sample that fell here: a measure of size.
    seen: u32,
    nets: Vec<IpNet>,
}

impl Geo {
    fn describe(&self, mut place: Gathered) -> AtlasPlace {
        place.nets.sort_unstable();
        let network = |net: IpNet| {
            let found = self.look_up(net.network(), Timestamp::EPOCH);
            AtlasNetwork { net, asn: found.asn, class: found.class }
        };
        AtlasPlace {
            name: place.name,
            country: place.country,
            coordinates: place.at,
            zone: place.zone,
            networks: place.nets.into_iter().map(network).collect(),
        }
    }
}

/// Enough to find the two hundred largest cities of a full database in a fraction of a second.
const SCATTERED: u32 = 200_000;
const CLASS_NETWORKS_MAX: usize = 64;
