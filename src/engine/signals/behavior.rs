//! Anomalous behaviour: typing, pointing and touching unlike the user's own.
//!
//! Reads the judgement that `engine/biometrics` made when the batch came (see [`Judged`]): the mean
//! of |x − median| ÷ MAD over the features of the last 3 batches. Above 2 deviations it fires. At a
//! login it speaks of the same session, or of the same device in the 10 minutes before.
//!
//! Silent: before 5 learned batches; at a login that no behaviour came before.

use std::time::Duration;

use super::{Detector, Finding, Measure, Unit, is_success};
use crate::engine::baseline::Profile;
use crate::engine::baseline::marks::Judged;
use crate::engine::policy::Policy;
use crate::model::EventType;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Behavior;

impl Detector for Behavior {
    fn signal(&self) -> Signal {
        Signal::AnomalousBehavior
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        let applies = match seen.event.kind() {
            EventType::Behavior => true,
            EventType::Login => is_success(&seen.event),
            _ => false,
        };
        if !applies {
            return Finding::NotApplicable;
        }
        let glance = baseline.core().glance(&seen.keys, SAME_DEVICE, seen.event.occurred_at);
        let Some(judged) = glance.map(|glance| glance.judged) else {
            return Finding::Unknown(Why::NoBehavior);
        };
        judge(judged)
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Option<Measure> {
        let glance = baseline.core().glance(&seen.keys, SAME_DEVICE, seen.event.occurred_at)?;
        let deviation_centi = glance.judged.deviation_centi;
        Some(Measure::up(
            "spread that it is away from usual",
            deviation_centi,
            DEVIATION_CENTI + 1,
            Unit::Hundredths,
        ))
    }
}

fn judge(judged: Judged) -> Finding {
    if judged.learned < BATCHES_MIN {
        return Finding::Unknown(Why::NoBaseline);
    }
    if judged.features == 0 {
        return Finding::Unknown(Why::NoBehavior);
    }
    if judged.deviation_centi <= DEVIATION_CENTI {
        return Finding::Quiet;
    }
    let above = judged.deviation_centi - DEVIATION_CENTI;
    Finding::Found {
        severity: Severity::new(500 + above * 5),
        centibans: Centibans::new(i32::try_from(above).unwrap_or(100).min(100) + 40),
        evidence: Evidence::Behavior {
            batches: judged.batches,
            learned: judged.learned,
            deviation_centi: judged.deviation_centi,
            features: judged.features,
        },
    }
}

const BATCHES_MIN: u32 = 5;
const DEVIATION_CENTI: u32 = 200;
const SAME_DEVICE: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(learned: u32, deviation_centi: u32, expected: Option<u16>) {
        let found = judge(Judged { batches: 3, learned, deviation_centi, features: 12 });
        let severity =
            if let Finding::Found { severity, .. } = found { Some(severity.value()) } else { None };
        assert_eq!(severity, expected);
    }

    #[test]
    fn fires_above_two_deviations_once_it_knows_the_user() {
        check(5, 200, None);
        check(5, 201, Some(505));
        check(5, 300, Some(1000));
        check(4, 300, None);
    }
}
