//! Shared device: many accounts that are new to one device come in on it within a day.
//!
//! Whoever has taken over many accounts tries them from few machines. Only users who were not known on
//! the device are counted, and only such a user is asked about: a call centre, a family or a reading
//! room is counted on its first day, and no more once its users are learned there. That first day is why
//! the default policy shows the signal and gives it no points.
//!
//! Silent: for a user who is known on the device; when the event names no device.

use super::{Detector, Finding, Measure, Unit, applies_to_entries};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Shared;

impl Detector for Shared {
    fn signal(&self) -> Signal {
        Signal::SharedDevice
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        let Some(key) = seen.keys.device else { return Finding::Unknown(Why::NoDevice) };
        let (users, threshold) = (users(seen), u32::from(policy.shared_device_threshold).max(1));
        if users < threshold || baseline.core().baseline().devices.find(key).is_some() {
            return Finding::Quiet;
        }
        let above = (users - threshold).min(threshold);
        Finding::Found {
            severity: Severity::new(600 + above * 400 / threshold),
            centibans: Centibans::new(i32::try_from(above * 100 / threshold).unwrap_or(0) + 50),
            evidence: Evidence::Shared { users, threshold },
        }
    }

    fn measure(&self, seen: &Observation<'_>, _baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let threshold = u32::from(policy.shared_device_threshold).max(1);
        Some(Measure::up("users who were new to the device", users(seen), threshold, Unit::Count))
    }
}

fn users(seen: &Observation<'_>) -> u32 {
    seen.facts.across.and_then(|across| across.device).map_or(0, |facts| facts.succeeded)
}

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, profile, seen};
    use super::*;
    use crate::model::across::{Across, OriginFacts};

    #[track_caller]
    fn check(line: &str, succeeded: u32, expected: Option<u16>) {
        let mut login = seen(line);
        let facts = OriginFacts { version: 1, succeeded, ..OriginFacts::default() };
        login.facts.across = Some(Across { network: None, device: Some(facts) });
        let said = match Shared.inspect(&login, &profile(LONDON), &Policy::shipped("default").unwrap()) {
            Finding::Found { severity, .. } => Some(severity.value()),
            _ => None,
        };
        assert_eq!(said, expected, "{line}, {succeeded}");
    }

    #[test]
    fn counts_who_is_new_there() {
        check("2026-01-19 09:00 login london.fibre other chrome-mac s2", 9, None);
        check("2026-01-19 09:00 login london.fibre other chrome-mac s2", 10, Some(600));
        check("2026-01-19 09:00 access london.fibre other chrome-mac s2", 20, Some(1000));
    }

    #[test]
    fn is_silent_for_who_is_known_there() {
        check("2026-01-19 09:00 login london.fibre laptop chrome-mac s2", 90, None);
        check("2026-01-19 09:00 login london.fibre - chrome-mac s2", 90, None);
        check("2026-01-19 09:00 failure london.fibre other chrome-mac s2", 90, None);
    }
}
