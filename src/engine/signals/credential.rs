//! Credential change: a factor or a password changed soon after a risky login.
//!
//! Who has got in once makes sure to get in again: registers a telephone, changes the password,
//! removes the factor that stood in the way. Risky means that the user's standing is above low, or
//! that an alert was raised within the policy's time (`within`): every decision at `step_up` or
//! stricter on something that succeeded raises one.
//!
//! Softened below what counts: a reset, and a change that somebody else made (a help desk); both are
//! what one does about a risky login.
//!
//! Silent: while nothing was risky. Known false positives: a new telephone abroad, registered after
//! the login that it was challenged for.

use std::time::Duration;

use super::{Detector, Finding};
use crate::engine::baseline::{Core, Profile};
use crate::engine::policy::Policy;
use crate::model::event::Body;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal};
use crate::model::time::Timestamp;
use crate::model::{CredentialChange, Level};

pub(super) struct Credential;

impl Detector for Credential {
    fn signal(&self) -> Signal {
        Signal::CredentialChange
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        let Body::Credential { factor, change } = seen.event.body else { return Finding::NotApplicable };
        let (core, at, within) = (baseline.core(), seen.event.occurred_at, policy.credential_change_within);
        let user_risk = core.standing().as_of(at).level;
        let Some(risky) = risky_for(core, at, within) else { return Finding::Quiet };
        let by_other = seen.event.actor_id.as_deref().is_some_and(|actor| actor != seen.event.user);
        let is_soft = by_other || change == CredentialChange::Reset;
        Finding::Found {
            severity: match (is_soft, user_risk) {
                (true, _) => Severity::SOFTENED,
                (false, Level::High) => Severity::FULL,
                (false, Level::Low | Level::Medium) => Severity::new(AFTER_AN_ALERT),
            },
            centibans: Centibans::new(if is_soft { 0 } else { CENTIBANS }),
            evidence: Evidence::Credential {
                factor,
                change,
                by_other,
                user_risk,
                risky_s: risky.as_secs(),
                within_s: u32::try_from(within.as_secs()).unwrap_or(u32::MAX),
            },
        }
    }
}

/// How long ago something was risky about the user, if it still matters.
fn risky_for(core: &Core, at: Timestamp, within: Duration) -> Option<Duration> {
    let standing = core.standing().as_of(at);
    let risen = (standing.level > Level::Low).then(|| at.since_or_zero(standing.since));
    let case = core.case().filter(|case| at >= case.opened).map(|case| at.since_or_zero(case.last));
    let told = case.filter(|elapsed| *elapsed <= within);
    risen.into_iter().chain(told).min()
}

const AFTER_AN_ALERT: u32 = 700;
const CENTIBANS: i32 = 100;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, profile, seen};
    use super::*;
    use crate::engine::baseline::marks::{Case, Cause, Standing};
    use crate::model::id::Id128;

    /// The change comes `minutes` after what `mark` left behind at nine.
    #[track_caller]
    fn check(mark: impl Fn(&mut Core, Timestamp), line: &str, minutes: u64, expected: Option<u16>) {
        let mut profile = profile(LONDON);
        let nine = seen("2026-01-19 09:00 login london.fibre laptop chrome-mac s1").event.occurred_at;
        mark(profile.core_mut(), nine);
        let mut change = seen(line);
        change.event.occurred_at = nine.plus(Duration::from_secs(60 * minutes));
        let said = match Credential.inspect(&change, &profile, &Policy::shipped("default").unwrap()) {
            Finding::Found { severity, .. } => Some(severity.value()),
            _ => None,
        };
        assert_eq!(said, expected, "{line}, {minutes} min");
    }

    fn stands(level: Level) -> impl Fn(&mut Core, Timestamp) {
        move |core, since| core.standing = Standing { level, since, cause: Cause::Missing, not_before: None }
    }

    fn was_told(core: &mut Core, at: Timestamp) {
        core.case = Some(Case { id: Id128([1; 16]), opened: at, last: at, update: 0 });
    }

    const CREATED: &str = "2026-01-19 09:00 created london.fibre laptop chrome-mac s1";
    const RESET: &str = "2026-01-19 09:00 reset london.fibre laptop chrome-mac s1";

    #[test]
    fn counts_while_the_user_is_at_risk() {
        check(stands(Level::High), CREATED, 10, Some(1000));
        check(stands(Level::High), CREATED, 3 * 1440, Some(1000));
        check(stands(Level::Medium), CREATED, 10, Some(700));
        check(stands(Level::Medium), CREATED, 1440, None);
    }

    #[test]
    fn counts_within_a_day_of_an_alert() {
        check(was_told, CREATED, 10, Some(700));
        check(was_told, CREATED, 1440, Some(700));
        check(was_told, CREATED, 1441, None);
    }

    #[test]
    fn softens_the_remedy_and_is_silent_without_a_cause() {
        check(stands(Level::High), RESET, 10, Some(400));
        check(|_, _| (), CREATED, 10, None);
    }
}
