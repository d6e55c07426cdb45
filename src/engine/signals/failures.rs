//! Failed burst: a success that follows many failures.
//!
//! Failures of the user decay by half every half-life; what remains of them at the moment of a
//! successful login or an approved challenge is compared with the policy's threshold. How unlikely
//! so many are beside the typing errors of an honest user is a Poisson tail.
//!
//! Silent: never; without failures it is quiet.

use statrs::distribution::{DiscreteCDF as _, Poisson};

use super::{Detector, Finding, Measure, Unit, applies_to_attacks};
use crate::engine::baseline::Profile;
use crate::engine::number::{log10, whole};
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal};

pub(super) struct FailedBurst;

impl Detector for FailedBurst {
    fn signal(&self) -> Signal {
        Signal::FailedBurst
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_attacks(&seen.event) {
            return Finding::NotApplicable;
        }
        let (failures_centi, threshold_centi) = failures(seen, baseline, policy);
        if failures_centi < counts_from(threshold_centi) {
            return Finding::Quiet;
        }
        let above = failures_centi.saturating_sub(threshold_centi).min(threshold_centi);
        Finding::Found {
            severity: Severity::new(500 + above * 500 / threshold_centi),
            centibans: centibans(failures_centi),
            evidence: Evidence::FailedBurst {
                failures_centi,
                threshold_centi,
                half_life_s: u32::try_from(policy.failed_burst_half_life.as_secs()).unwrap_or(u32::MAX),
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let (failures_centi, threshold_centi) = failures(seen, baseline, policy);
        let from = counts_from(threshold_centi);
        Some(Measure::up("failures that weigh on it", failures_centi, from, Unit::Hundredths))
    }
}

/// How much is left of the failures before, and how much is a burst.
fn failures(seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> (u32, u32) {
    let at = seen.event.occurred_at;
    let failures_centi = baseline.core().failures().centi_at(at, policy.failed_burst_half_life);
    (failures_centi, u32::from(policy.failed_burst_threshold).max(1) * 100)
}

/// What has to be left of them: decay has taken a little of each by the time that the last one comes.
pub(in crate::engine) const fn counts_from(threshold_centi: u32) -> u32 {
    threshold_centi - threshold_centi / 10
}

/// Against an honest user's typing errors: one per half-life is a clumsy hour.
fn centibans(failures_centi: u32) -> Centibans {
    let at_least = u64::from(failures_centi / 100);
    let tail = match (Poisson::new(TYPING_ERRORS), at_least.checked_sub(1)) {
        (Ok(typing), Some(below)) => typing.sf(below),
        _ => 1.0,
    };
    let bans = -log10(tail.max(1e-4));
    Centibans::new(i32::try_from(whole(100.0 * bans)).unwrap_or(400))
}

const TYPING_ERRORS: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(failures_centi: u32, expected: i16) {
        assert_eq!(centibans(failures_centi).value(), expected);
    }

    #[test]
    fn weighs_as_a_poisson_tail() {
        check(0, 0);
        check(100, 20);
        check(500, 244);
        check(5_000, 400);
    }
}
