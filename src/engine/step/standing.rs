//! The user's risk: rises at once, falls on proof.

use super::{Outcomes, Stage, challenge, own_factors};
use crate::engine::baseline::Core;
use crate::engine::baseline::marks::{Cause, Standing};
use crate::model::decision::UserRisk;
use crate::model::event::Body;
use crate::model::evidence::Evidence;
use crate::model::signal::Signal;
use crate::model::{Action, ChallengeOutcome, CredentialChange, Factors, Level, Verdict};

/// Takes over what this event changes and says from what to what.
pub(super) fn change(
    core: &mut Core,
    standing: Standing,
    stage: &Stage<'_>,
    outcome: &Outcomes<'_, '_>,
) -> UserRisk {
    let previous = core.standing.level;
    let next = match rise(stage, outcome) {
        Some((level, cause)) if level > standing.level => {
            Standing { level, since: stage.second(), cause, not_before: standing.not_before }
        }
        // Bad news again: what the user presented before it no longer proves anything.
        Some((level, cause)) if level == standing.level => {
            Standing { since: standing.since.max(stage.second()), cause, ..standing }
        }
        Some(_) => standing,
        None if standing.level > Level::Low && falls(core, &standing, stage, outcome) => standing.lowered(),
        None => standing,
    };
    core.standing = next;
    if next.level == Level::Low && previous > Level::Low {
        core.reported = None;
    }
    UserRisk { level: next.level, previous }
}

fn rise(stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) -> Option<(Level, Cause)> {
    let reported = matches!(
        stage.seen.event.body,
        Body::Feedback { verdict: Verdict::Compromised, .. }
            | Body::Challenge { outcome: ChallengeOutcome::Reported, .. }
    );
    if reported {
        return Some((Level::High, Cause::Reported));
    }
    if outcome.reason(Signal::TokenReuse).is_some() {
        return Some((Level::High, Cause::TokenReuse));
    }
    let mismatch = outcome.reason(Signal::SessionMismatch).map(|reason| &reason.evidence);
    if matches!(mismatch, Some(Evidence::Session { device: true, .. })) {
        return Some((Level::High, Cause::SessionDevice));
    }
    // What nothing can be asked of misses nothing.
    let missing = outcome.decided.effective() != Action::Allow
        && !outcome.decided.missing.is_empty()
        && outcome.scored.level > Level::Low;
    missing.then_some((outcome.scored.level, Cause::Missing))
}

fn falls(core: &Core, standing: &Standing, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) -> bool {
    let after = stage.at >= standing.since;
    match &stage.seen.event.body {
        Body::Feedback { verdict: Verdict::Safe | Verdict::Dismissed, .. } => true,
        Body::Credential { change: CredentialChange::Reset, .. } => after,
        Body::Challenge { .. } if !challenge::is_trusted(outcome) => false,
        _ if stage.success && !stage.late && after => {
            let asked = stage.policy.factors.get(usize::from(standing.level.code()));
            let asked = asked.copied().unwrap_or_default();
            asked.without(presented_since(core, standing, stage).satisfied()).is_empty()
        }
        _ => false,
    }
}

/// What was presented since the risk rose: what a session presented before it proves nothing, it
/// may be the session that was stolen.
fn presented_since(core: &Core, standing: &Standing, stage: &Stage<'_>) -> Factors {
    let session = stage.seen.keys.session.and_then(|key| core.sessions().find(key));
    let since = session.filter(|session| !session.revoked && session.started >= standing.since);
    own_factors(&stage.seen.event).union(since.map(|session| session.presented).unwrap_or_default())
}
