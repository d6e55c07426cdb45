//! Challenges: what an answer releases, and prompts that were refused or ignored.

use std::time::Duration;

use super::{Outcomes, Stage, held};
use crate::engine::baseline::Core;
use crate::engine::baseline::marks::{Held, Reported};
use crate::model::event::Body;
use crate::model::signal::Signal;
use crate::model::{ChallengeOutcome, FailureReason, Outcome};

/// Whether an approval is worth anything: one that ends a series of refused prompts is what the
/// attacker waited for.
pub(super) fn is_trusted(outcome: &Outcomes<'_, '_>) -> bool {
    ![Signal::ChallengeFatigue, Signal::Reported].iter().any(|signal| outcome.reason(*signal).is_some())
}

/// Whether this approval answers `held`.
pub(super) fn is_answered(held: &Held, stage: &Stage<'_>) -> bool {
    held::is_about(held, &stage.seen.keys)
        && stage.at.since(held.step.at).is_some_and(|elapsed| elapsed <= ANSWER_WITHIN)
}

/// Counts failed logins and refused or ignored prompts; a report is remembered.
pub(super) fn note(core: &mut Core, stage: &Stage<'_>) {
    match &stage.seen.event.body {
        // A lock or a policy refuses whoever comes; it is no guess at a secret.
        Body::Login {
            outcome: Outcome::Failure,
            failure_reason: Some(FailureReason::Locked | FailureReason::Policy),
            ..
        } => {}
        Body::Login { outcome: Outcome::Failure, .. } if !stage.late => {
            core.failures.count(stage.second(), stage.policy.failed_burst_half_life);
        }
        Body::Challenge { outcome: ChallengeOutcome::Reported, .. } => {
            core.reported = Some(Reported {
                device: stage.seen.keys.device,
                session: stage.seen.keys.session,
                since: stage.second(),
            });
            core.refused.push(stage.second());
        }
        Body::Challenge { outcome: ChallengeOutcome::Denied | ChallengeOutcome::Expired, .. }
            if !stage.late =>
        {
            core.refused.push(stage.second());
        }
        _ => {}
    }
}

/// A challenge is answered within this, or it was for something else.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(15 * 60);
