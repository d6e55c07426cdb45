//! Unusual location: a place far from every place that the user was learned at.
//!
//! Distance counts in units of what is known: the cluster's spread and both radii, and never less
//! than 50 km, so jitter of a geo table, suburbs and a wide radius stay quiet. Country and network
//! bend the result: a country never seen before raises it, a network that the user was learned on
//! lowers it below what counts (a carrier's gateway in another city is not a journey).
//!
//! Coordinates that are right to 1000 km only are those of a country: all that is compared is whether
//! the country is new.
//!
//! Silent: without a learned place, without a place of the event, for a relay or a satellite (their
//! place is the operator's, not the user's).

use super::{Detector, Finding, Measure, Unit, applies_to_entries};
use crate::engine::baseline::journal::is_place;
use crate::engine::baseline::places::Nearest;
use crate::engine::baseline::{Baseline, Profile};
use crate::engine::policy::Policy;
use crate::model::NetworkClass;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::place::{Coordinates, Country};
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Location;

impl Detector for Location {
    fn signal(&self) -> Signal {
        Signal::UnusualLocation
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        if !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        if !is_place(seen.facts.network_class) {
            return Finding::Unknown(Why::NoPlace);
        }
        let habits = baseline.core().baseline();
        let country_seen = seen.facts.country.is_some_and(|country| knows_country(habits, country));
        let network_seen = habits.networks.is_known(&seen.keys, &seen.facts);
        let places = u16::try_from(habits.places.len()).unwrap_or(u16::MAX);

        let Some(here) = seen.facts.coordinates.filter(|at| at.is_point()) else {
            return without_coordinates(seen, baseline, country_seen, places);
        };
        let Some(nearest) = habits.places.nearest(here) else { return Finding::Unknown(Why::NoBaseline) };

        let spread_km = u32::from(nearest.place.spread_hm / 10);
        let unit_km = unit_km(nearest, here);
        let nearest_km = nearest.distance_m / 1000;
        if nearest_km <= unit_km {
            return Finding::Quiet;
        }
        // In tenths of a unit: 10 is its edge.
        let units_tenths = nearest_km.saturating_mul(10) / unit_km;
        let mut severity = severity(units_tenths);
        if seen.facts.country.is_some() && !country_seen {
            severity = Severity::new(
                u32::from(severity.value()).max(u32::from(Severity::COUNTS.value())) + NEW_COUNTRY,
            );
        } else if country_seen && (network_seen || is_carrier(seen)) && nearest_km <= GATEWAY_KM_MAX {
            severity = severity.min(Severity::SOFTENED);
        }
        Finding::Found {
            severity,
            centibans: Centibans::new(i32::from(severity.value()) / 5),
            evidence: Evidence::Location {
                places,
                nearest_km,
                spread_km,
                country: seen.facts.country,
                country_seen,
                radius_km: here.radius_km,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Option<Measure> {
        let habits = baseline.core().baseline();
        let here = seen.facts.coordinates.filter(|at| at.is_point() && is_place(seen.facts.network_class))?;
        let nearest = habits.places.nearest(here)?;
        let unit_km = unit_km(nearest, here);
        let is_new = seen.facts.country.is_some_and(|country| !knows_country(habits, country));
        let counts_from = if is_new { unit_km + 1 } else { unit_km.saturating_mul(2) };
        Some(Measure::up(
            "distance to the nearest usual place",
            nearest.distance_m / 1000,
            counts_from,
            Unit::Km,
        ))
    }
}

/// A table that knows the country and no more: all that can be said is whether the country is new.
fn without_coordinates(
    seen: &Observation<'_>,
    baseline: &Profile,
    country_seen: bool,
    places: u16,
) -> Finding {
    let Some(country) = seen.facts.country else { return Finding::Unknown(Why::NoPlace) };
    if baseline.core().baseline().places.is_empty()
        && baseline.core().baseline().networks.countries().next().is_none()
    {
        return Finding::Unknown(Why::NoBaseline);
    }
    if country_seen {
        return Finding::Quiet;
    }
    Finding::Found {
        severity: Severity::new(COUNTRY_ONLY),
        centibans: Centibans::new(i32::from(COUNTRY_ONLY_CENTIBANS)),
        evidence: Evidence::Location {
            places,
            nearest_km: 0,
            spread_km: 0,
            country: Some(country),
            country_seen,
            radius_km: 0,
        },
    }
}

fn knows_country(habits: &Baseline, country: Country) -> bool {
    habits.places.knows_country(country) || habits.networks.country(country).is_some()
}

/// How far two fixes of one place may lie apart.
fn unit_km(nearest: Nearest<'_>, here: Coordinates) -> u32 {
    let spread_km = u32::from(nearest.place.spread_hm / 10);
    let blur_km = spread_km + u32::from(nearest.place.radius_km) + u32::from(here.radius_km);
    blur_km.max(UNIT_KM_MIN)
}

fn is_carrier(seen: &Observation<'_>) -> bool {
    seen.facts.network_class == Some(NetworkClass::Carrier)
}

/// 500 at two units, 1000 at eight: beyond that more distance is no better evidence.
fn severity(units_tenths: u32) -> Severity {
    let (first, rest) = (units_tenths.saturating_sub(10).min(10), units_tenths.saturating_sub(20).min(60));
    Severity::new(first * 50 + rest * 500 / 60)
}

/// The smallest unit: what city tables err by.
const UNIT_KM_MIN: u32 = 50;
/// How far from home a usual network may come out without being a journey.
const GATEWAY_KM_MAX: u32 = 700;
const NEW_COUNTRY: u32 = 200;
const COUNTRY_ONLY: u32 = 700;
const COUNTRY_ONLY_CENTIBANS: i16 = 120;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check as says};
    use super::*;

    #[track_caller]
    fn check(units_tenths: u32, expected: u16) {
        assert_eq!(severity(units_tenths).value(), expected);
    }

    #[test]
    fn counts_from_two_units_on() {
        check(10, 0);
        check(19, 450);
        check(20, 500);
        check(50, 750);
        check(80, 1000);
        check(u32::MAX, 1000);
    }

    #[test]
    fn counts_places_far_from_home() {
        says(&Location, LONDON, "2026-01-19 09:00 login sydney.fibre laptop chrome-mac s2", "1000");
        says(&Location, LONDON, "2026-01-19 09:00 access sydney.fibre laptop chrome-mac s2", "1000");
        says(&Location, LONDON, "2026-01-19 09:00 login paris.fibre laptop chrome-mac s2", "816");
    }

    #[test]
    fn is_silent_at_home_and_where_nobody_is() {
        says(&Location, LONDON, "2026-01-19 09:00 login london.cable laptop chrome-mac s2", "quiet");
        says(
            &Location,
            LONDON,
            "2026-01-19 09:00 login sydney.relay laptop chrome-mac s2",
            "unknown no_place",
        );
        says(
            &Location,
            LONDON,
            "2026-01-19 09:00 login sydney.satellite laptop chrome-mac s2",
            "unknown no_place",
        );
        says(&Location, LONDON, "2026-01-19 09:00 login 10.0.0.1 laptop chrome-mac s2", "unknown no_place");
        says(
            &Location,
            "",
            "2026-01-19 09:00 login sydney.fibre laptop chrome-mac s2",
            "unknown no_baseline",
        );
        says(
            &Location,
            LONDON,
            "2026-01-19 09:00 failure sydney.fibre laptop chrome-mac s2",
            "not applicable",
        );
        says(
            &Location,
            LONDON,
            "2026-01-19 09:00 refresh sydney.fibre laptop chrome-mac s1",
            "not applicable",
        );
    }
}
