//! Impossible travel: two fixes too far apart for the time between them.
//!
//! Compares with the last trusted fix, and with that of every live session, so that A→B→A is seen
//! too. Counts on the *least* speed that both fixes allow: the distance less both radii, over the
//! time elapsed. Two fixes whose radii overlap therefore never fire.
//!
//! A carrier's address is compared with 700 km to spare and is never a fix itself: a telephone that
//! leaves the Wi-Fi comes out wherever its carrier has a gateway.
//!
//! Silent: for networks whose place is not the user's (relay, VPN, proxy, Tor, hosting, satellite:
//! enrichment's class); between two places that were each learned on 3 days, with a learned device
//! (a head office hundreds of kilometres away is an egress, not a journey); for an event older than
//! the fix.

use std::time::Duration;

use super::{Detector, Finding, Measure, Unit, applies_to_entries};
use crate::engine::baseline::journal::is_fix;
use crate::engine::baseline::places::Place;
use crate::engine::baseline::{Fix, Profile};
use crate::engine::number::{distance_m, log10, whole};
use crate::engine::policy::Policy;
use crate::model::NetworkClass;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::place::Coordinates;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Travel;

impl Detector for Travel {
    fn signal(&self) -> Signal {
        Signal::ImpossibleTravel
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        let Some(here) = here(seen) else { return Finding::Unknown(Why::NoPlace) };
        if fixes(baseline).next().is_none() {
            return Finding::Unknown(Why::NoFix);
        }
        let fastest = fastest(here, seen, baseline);
        let Some(leg) = fastest.filter(Leg::is_impossible) else { return Finding::Quiet };
        if is_egress(leg.from, here, seen, baseline) {
            return Finding::Quiet;
        }
        // One cause counts once: inside the session that shows it, `token_reuse` has the points.
        let told = policy.setting(Signal::TokenReuse).counted() > 0 && is_of_session(seen, baseline, here);
        let severity = severity(leg.least_kmh);
        Finding::Found {
            severity: if told { severity.min(Severity::SOFTENED) } else { severity },
            centibans: centibans(leg.least_kmh),
            evidence: Evidence::Travel {
                distance_km: leg.distance_km,
                elapsed_s: leg.elapsed.as_secs(),
                least_kmh: leg.least_kmh,
                radii_km: leg.radii_km,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Option<Measure> {
        let here = here(seen)?;
        let least_kmh = fastest(here, seen, baseline)?.least_kmh;
        Some(Measure::up("least speed from the last places", least_kmh, AIRLINER_KMH + 1, Unit::Kmh))
    }
}

/// The last trusted fix, and those of the live sessions.
fn fixes(baseline: &Profile) -> impl Iterator<Item = Fix> {
    let core = baseline.core();
    let sessions = core.sessions().iter().filter_map(|session| session.fix);
    core.trusted_fix().into_iter().chain(sessions)
}

fn fastest(here: Coordinates, seen: &Observation<'_>, baseline: &Profile) -> Option<Leg> {
    fixes(baseline).filter_map(|fix| leg(fix, here, seen)).max_by_key(|leg| leg.least_kmh)
}

/// The way from one fix to the event.
pub(super) struct Leg {
    from: Coordinates,
    pub(super) distance_km: u32,
    pub(super) radii_km: u32,
    pub(super) elapsed: Duration,
    pub(super) least_kmh: u32,
}

impl Leg {
    pub(super) const fn is_impossible(&self) -> bool {
        self.least_kmh > AIRLINER_KMH
    }
}

/// Where the event's own address says the user is, so far as it says that at all.
pub(super) fn here(seen: &Observation<'_>) -> Option<Coordinates> {
    let class = seen.facts.network_class;
    let comparable = is_fix(class) || class == Some(NetworkClass::Carrier);
    seen.facts.coordinates.filter(|at| comparable && at.is_point())
}

pub(super) fn leg(fix: Fix, here: Coordinates, seen: &Observation<'_>) -> Option<Leg> {
    let elapsed = seen.event.occurred_at.since(fix.at)?;
    let distance_km = distance_m(fix.coordinates, here) / 1000;
    let radii_km = u32::from(fix.coordinates.radius_km) + u32::from(here.radius_km);
    // City tables err by tens of kilometres whatever radius they state; a telephone comes out where
    // its carrier has a gateway.
    let is_carrier = seen.facts.network_class == Some(NetworkClass::Carrier);
    let blur_km = if is_carrier { GATEWAY_KM } else { BLUR_KM_MIN };
    let least_km = distance_km.saturating_sub(radii_km.max(blur_km));
    // Clocks of identity providers disagree by seconds; a floor keeps that from looking like speed.
    let hours = elapsed.max(CLOCK_SKEW).as_secs_f64() / 3600.0;
    Some(Leg {
        from: fix.coordinates,
        distance_km,
        radii_km,
        elapsed,
        least_kmh: whole(f64::from(least_km) / hours),
    })
}

/// Whether the event is one of a live session whose own fix is too far away.
fn is_of_session(seen: &Observation<'_>, baseline: &Profile, here: Coordinates) -> bool {
    let session = seen.keys.session.and_then(|key| baseline.core().sessions().find(key));
    let fix = session.and_then(|session| session.fix);
    fix.and_then(|fix| leg(fix, here, seen)).is_some_and(|leg| leg.is_impossible())
}

/// Whether the way between two places is that of the address and not of the user.
pub(super) fn is_egress(
    from: Coordinates,
    here: Coordinates,
    seen: &Observation<'_>,
    baseline: &Profile,
) -> bool {
    let habits = baseline.core().baseline();
    let is_settled =
        |at: Coordinates| habits.places.at(at).is_some_and(|place: &Place| place.days >= DAYS_SETTLED);
    let device_known = seen.keys.device.is_some_and(|device| habits.devices.find(device).is_some());
    device_known && is_settled(from) && is_settled(here)
}

/// Grows with the excess over an airliner and levels off: beyond four times its speed, more is no
/// better evidence.
fn severity(least_kmh: u32) -> Severity {
    Severity::new(500 + (least_kmh - AIRLINER_KMH.min(least_kmh)).saturating_mul(500) / (3 * AIRLINER_KMH))
}

fn centibans(least_kmh: u32) -> Centibans {
    let airliners = f64::from(least_kmh) / f64::from(AIRLINER_KMH);
    Centibans::new(i32::try_from(whole(100.0 + 100.0 * log10(airliners.max(1.0)))).unwrap_or(1000).min(250))
}

const AIRLINER_KMH: u32 = 950;
const CLOCK_SKEW: Duration = Duration::from_secs(60);
const BLUR_KM_MIN: u32 = 100;
/// How far from a telephone the gateway of its carrier may be.
const GATEWAY_KM: u32 = 700;
const DAYS_SETTLED: u8 = 3;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check as says};
    use super::*;

    #[track_caller]
    fn check(least_kmh: u32, expected: u16) {
        assert_eq!(severity(least_kmh).value(), expected);
    }

    #[test]
    fn severity_levels_off_at_four_airliners() {
        check(950, 500);
        check(951, 500);
        check(2 * 950, 666);
        check(4 * 950, 1000);
        check(u32::MAX, 1000);
    }

    #[test]
    fn fires_beyond_airliner_speed() {
        says(&Travel, LONDON, "2026-01-16 11:00 login sydney.fibre laptop chrome-mac s2", "1000");
        says(&Travel, LONDON, "2026-01-17 02:30 login sydney.fibre laptop chrome-mac s2", "502");
    }

    #[test]
    fn is_silent_on_a_long_haul_flight_and_behind_a_vpn() {
        says(&Travel, LONDON, "2026-01-17 09:00 login sydney.fibre laptop chrome-mac s2", "quiet");
        says(&Travel, LONDON, "2026-01-16 09:01 login london.cable laptop chrome-mac s2", "quiet");
        says(&Travel, LONDON, "2026-01-16 08:59 login sydney.fibre laptop chrome-mac s2", "quiet");
        says(&Travel, LONDON, "2026-01-16 09:30 login sydney.vpn laptop chrome-mac s2", "unknown no_place");
        // Half an hour, 344 km: a gateway. Sydney is none.
        says(&Travel, LONDON, "2026-01-16 09:30 login paris.carrier laptop chrome-mac s2", "quiet");
        says(&Travel, LONDON, "2026-01-16 09:30 login sydney.carrier laptop chrome-mac s2", "1000");
        says(&Travel, "", "2026-01-16 09:30 login sydney.fibre laptop chrome-mac s2", "unknown no_fix");
    }
}
