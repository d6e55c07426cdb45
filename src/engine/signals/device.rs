//! New device: a fingerprint that the user was never learned with.
//!
//! Softened below what counts when browser, system and network are all usual and the policy lets it
//! (`soften`): a fingerprint that changes with every browser update must not ask a user for a second
//! factor every month.
//!
//! Silent: before one learned device; when the event names no device.

use super::{Detector, Finding, applies_to_sessions};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Device;

impl Detector for Device {
    fn signal(&self) -> Signal {
        Signal::NewDevice
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_sessions(&seen.event) {
            return Finding::NotApplicable;
        }
        let Some(key) = seen.keys.device else { return Finding::Unknown(Why::NoDevice) };
        let habits = baseline.core().baseline();
        if habits.devices.is_empty() {
            return Finding::Unknown(Why::NoBaseline);
        }
        if habits.devices.find(key).is_some() {
            return Finding::Quiet;
        }
        let browser_seen = seen.facts.browser.is_some_and(|browser| habits.devices.knows_browser(browser));
        let os_seen = seen.facts.os.is_some_and(|os| habits.devices.knows_os(os));
        // The prefix, not the ASN: a neighbour of the same provider is not the same network.
        let network_seen = seen.keys.prefix.is_some_and(|key| habits.networks.prefix(key).is_some());
        let is_soft = policy.soften && browser_seen && os_seen && network_seen;
        Finding::Found {
            severity: if is_soft { Severity::SOFTENED } else { Severity::FULL },
            centibans: Centibans::new(if is_soft { 20 } else { 110 }),
            evidence: Evidence::Device {
                devices: u16::try_from(habits.devices.len()).unwrap_or(u16::MAX),
                browser: seen.facts.browser,
                os: seen.facts.os,
                browser_seen,
                os_seen,
                network_seen,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_a_device_that_was_never_learned() {
        check(&Device, LONDON, "2026-01-19 09:00 login london.fibre other firefox-linux s2", "1000");
        check(&Device, LONDON, "2026-01-19 09:00 login sydney.fibre other chrome-mac s2", "1000");
        check(&Device, LONDON, "2026-01-19 09:00 refresh london.cable other chrome-mac s1", "1000");
    }

    #[test]
    fn softens_what_is_usual_all_around() {
        check(&Device, LONDON, "2026-01-19 09:00 login london.fibre other chrome-mac s2", "400");
    }

    #[test]
    fn is_silent_for_learned_devices_and_without_one() {
        check(&Device, LONDON, "2026-01-19 09:00 login sydney.fibre laptop firefox-linux s2", "quiet");
        check(&Device, LONDON, "2026-01-19 09:00 login london.fibre - chrome-mac s2", "unknown no_device");
        check(&Device, "", "2026-01-19 09:00 login london.fibre laptop chrome-mac s2", "unknown no_baseline");
        check(&Device, LONDON, "2026-01-19 09:00 failure london.fibre other chrome-mac s2", "not applicable");
    }
}
