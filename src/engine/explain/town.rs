//! A name for a place: a large town that it is near.
//!
//! Profiles and decisions keep coordinates and no names. What is named here is meant for people who
//! know the towns of the world; a place near none of them is shown by its coordinates alone.

use crate::engine::enrich::builtin::cities;
use crate::engine::number::distance_m;
use crate::model::place::Coordinates;

/// The nearest large town within 50 km.
#[must_use]
pub(super) fn near(at: Coordinates) -> Option<&'static str> {
    let towns = cities().iter().filter_map(|city| Some((city.name, distance_m(city.coordinates()?, at))));
    towns
        .filter(|(_, distance_m)| *distance_m <= REACH_M)
        .min_by_key(|(_, distance_m)| *distance_m)
        .map(|(name, _)| name)
}

const REACH_M: u32 = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(latitude: f64, longitude: f64, expected: Option<&str>) {
        assert_eq!(near(Coordinates::new(latitude, longitude, 10).unwrap()), expected);
    }

    #[test]
    fn names_large_towns_only() {
        check(51.5, -0.1, Some("London"));
        check(51.75, -0.4, Some("London"));
        check(51.45, -0.97, None);
        check(-80.0, 10.0, None);
    }
}
