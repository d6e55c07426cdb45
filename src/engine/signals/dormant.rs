//! Dormant account: the first activity after a long silence.
//!
//! Counted from what the user was last learned by, or a live session was last used: failed logins
//! are not the user's activity, and whoever tries a password every month must not keep an account
//! awake. The policy says how long a silence is long (`after`).
//!
//! Silent: for a user who was never learned; for events that are not interactive. Known false
//! positives: parental leave, sabbaticals, seasonal work; it adds little and asks for nothing alone.

use std::time::Duration;

use super::{Detector, Finding, Measure, Unit, applies_to_entries};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Dormant;

impl Detector for Dormant {
    fn signal(&self) -> Signal {
        Signal::DormantAccount
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !seen.event.interactive && !seen.event.is_workload() || !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        let Some(silent) = silence(seen, baseline) else { return Finding::Unknown(Why::NoBaseline) };
        if silent < policy.dormant_after {
            return Finding::Quiet;
        }
        Finding::Found {
            severity: Severity::new(SEVERITY + days(silent).saturating_sub(days(policy.dormant_after))),
            centibans: Centibans::new(CENTIBANS),
            evidence: Evidence::Dormant {
                silent_days: days(silent),
                after_days: days(policy.dormant_after),
                logins: baseline.core().baseline().logins,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let silent = silence(seen, baseline)?;
        Some(Measure::up("silence before it", days(silent), days(policy.dormant_after), Unit::Days))
    }
}

/// Since the user was last learned, or seen in a session that nothing speaks against.
fn silence(seen: &Observation<'_>, baseline: &Profile) -> Option<Duration> {
    let core = baseline.core();
    if core.baseline().steps == 0 {
        return None;
    }
    let live = core.sessions().iter().filter(|session| !session.risky && !session.revoked);
    let last = live.map(|session| session.last).fold(core.baseline().newest, Ord::max);
    Some(seen.event.occurred_at.since_or_zero(last))
}

fn days(time: Duration) -> u32 {
    u32::try_from(time.as_secs() / DAY_S).unwrap_or(u32::MAX)
}

const DAY_S: u64 = 86_400;
/// And one more a day beyond what is long.
const SEVERITY: u32 = 600;
const CENTIBANS: i32 = 40;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_a_silence_of_half_a_year() {
        check(&Dormant, LONDON, "2026-07-15 10:00 login london.fibre laptop chrome-mac s2", "600");
        check(&Dormant, LONDON, "2026-07-25 10:00 access london.fibre laptop chrome-mac s2", "610");
    }

    #[test]
    fn is_silent_after_a_holiday_and_in_the_background() {
        check(&Dormant, LONDON, "2026-07-14 10:00 login london.fibre laptop chrome-mac s2", "quiet");
        check(&Dormant, LONDON, "2026-01-10 10:00 login london.fibre laptop chrome-mac s2", "quiet");
        check(&Dormant, LONDON, "2026-12-01 10:00 background london.fibre - - s2", "not applicable");
        check(&Dormant, LONDON, "2026-12-01 10:00 refresh london.fibre - - s2", "not applicable");
        check(&Dormant, "", "2026-12-01 10:00 login london.fibre - - s2", "unknown no_baseline");
    }
}
