//! Challenge fatigue: many prompts refused or ignored, then one approved.
//!
//! Who holds the password asks for the second factor until the user gives in. Prompts that were
//! denied, failed or ran out within the policy's window are counted at the approval, and at a
//! successful login that follows.
//!
//! Silent: never; without refused prompts it is quiet.

use super::{Detector, Finding, Measure, Unit, applies_to_attacks};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal};

pub(super) struct Fatigue;

impl Detector for Fatigue {
    fn signal(&self) -> Signal {
        Signal::ChallengeFatigue
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_attacks(&seen.event) {
            return Finding::NotApplicable;
        }
        let within = policy.challenge_fatigue_within;
        let refused = baseline.core().refused_within(within, seen.event.occurred_at);
        let threshold = policy.challenge_fatigue_threshold.max(1);
        if refused < threshold {
            return Finding::Quiet;
        }
        let above = u32::from(refused - threshold);
        Finding::Found {
            severity: Severity::new(700 + above * 100),
            centibans: Centibans::new(150 + i32::from(refused - threshold) * 20),
            evidence: Evidence::Fatigue {
                refused,
                within_s: u32::try_from(within.as_secs()).unwrap_or(u32::MAX),
                threshold,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let refused = baseline.core().refused_within(policy.challenge_fatigue_within, seen.event.occurred_at);
        let threshold = policy.challenge_fatigue_threshold.max(1);
        Some(Measure::up("prompts refused before it", refused.into(), threshold.into(), Unit::Count))
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check, profile, seen};
    use super::*;

    #[test]
    fn is_silent_without_refused_prompts() {
        check(&Fatigue, LONDON, "2026-01-19 09:00 approved - laptop - s1", "quiet");
        check(
            &Fatigue,
            LONDON,
            "2026-01-19 09:00 refresh london.fibre laptop chrome-mac s1",
            "not applicable",
        );
    }

    #[test]
    fn counts_from_the_threshold_on() {
        let mut worn = profile(LONDON);
        let policy = Policy::shipped("default").unwrap();
        let at = seen("2026-01-19 09:00 approved - laptop - s1");
        for prompt in 0..policy.challenge_fatigue_threshold {
            assert_eq!(Fatigue.inspect(&at, &worn, &policy), Finding::Quiet, "{prompt} prompts");
            worn.core_mut().refused.push(at.event.occurred_at);
        }
        assert!(matches!(Fatigue.inspect(&at, &worn, &policy), Finding::Found { .. }));
    }
}
