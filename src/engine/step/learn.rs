//! What teaches. `allow` on a success teaches at once; `challenge` and `step_up` are held until
//! answered; refused and failed events teach nothing. In report-only mode what would have been done
//! decides: a policy on trial must not teach itself the attacker.
//!
//! Inside a session the same device at the same address teaches once a day: a request a second says
//! nothing that the first did not.

use super::behavior::{self, Watched};
use super::held::{self, Weigh};
use super::{Outcomes, Stage, challenge, feedback, workload};
use crate::engine::baseline::journal::LearnStep;
use crate::engine::baseline::{Core, Profile};
use crate::model::event::Body;
use crate::model::signal::Signal;
use crate::model::{Action, ChallengeOutcome, Factor, Factors, Learned, SessionChange, Verdict};

/// Learns, holds, releases or drops, and says what became of the observation.
pub(super) fn learn(
    profile: &mut Profile,
    stage: &Stage<'_>,
    outcome: &Outcomes<'_, '_>,
    watched: Option<&Watched>,
) -> Learned {
    // What speaks against the user is heard however late it comes.
    match &stage.seen.event.body {
        Body::Challenge { outcome: ChallengeOutcome::Denied | ChallengeOutcome::Reported, .. } => {
            held::drop(&mut profile.core_mut().held, |held| held::is_about(held, &stage.seen.keys));
        }
        Body::Feedback { verdict: Verdict::Compromised, .. } => profile.core_mut().held.clear(),
        _ => {}
    }
    let taught = match &stage.seen.event.body {
        Body::Feedback { verdict: Verdict::Safe | Verdict::Dismissed, about, .. } => {
            held::release(profile, Factors::NONE, Weigh::Assurance, |held| {
                feedback::is_about(about, held, &stage.seen.event.tenant)
            })
        }
        _ if stage.late => return Learned::Late,
        Body::Challenge { outcome: ChallengeOutcome::Approved, factor, .. } => {
            let answered = factor.map_or(Factors::NONE, Factors::of);
            challenge::is_trusted(outcome)
                && held::release(profile, answered, Weigh::Assurance, |held| {
                    challenge::is_answered(held, stage)
                })
        }
        Body::Behavior(_) => watched.is_some_and(|watched| behavior::learn(profile, stage, outcome, watched)),
        _ => return observe(profile, stage, outcome),
    };
    if taught { Learned::Now } else { Learned::No }
}

/// Logins, sessions and accesses.
fn observe(profile: &mut Profile, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) -> Learned {
    let core = profile.core();
    let (is_login, teaches) = match &stage.seen.event.body {
        Body::Login { .. } => (true, stage.success),
        // A source that publishes sessions and no logins teaches by those.
        Body::Session { change: SessionChange::Start, .. } => (session(core, stage).is_none(), true),
        Body::Access { .. } => (false, stage.success),
        _ => (false, false),
    };
    if !teaches {
        return Learned::No;
    }
    let weight = assurance(outcome.presented);
    let step = lesson(stage, outcome, is_login, weight, core.home_offset_minutes());
    match outcome.decided.effective() {
        Action::Allow => {
            let inside = session(core, stage).filter(|_| !is_login);
            if inside.is_some_and(|session| session.risky || session.revoked || session.taught == mark(&step))
            {
                return Learned::No;
            }
            if stage.seen.event.is_workload() && !workload::teaches(profile, &step) {
                return Learned::No;
            }
            profile.learn(step);
            Learned::Now
        }
        // It has been spoken against before anybody could answer.
        Action::Challenge | Action::StepUp
            if outcome.reason(Signal::Reported).is_some()
                || session(core, stage).is_some_and(|session| session.revoked) =>
        {
            Learned::No
        }
        Action::Challenge | Action::StepUp => {
            held::hold(profile.core_mut(), stage, step, outcome.presented);
            Learned::Held
        }
        Action::Deny | Action::Revoke => Learned::No,
    }
}

/// What `stage` would teach. Where nobody can have come from is no fix, whatever was presented there:
/// the next to be measured by it would be the user. A program has no place, and its day is that of
/// UTC, busy or not.
pub(super) fn lesson(
    stage: &Stage<'_>,
    outcome: &Outcomes<'_, '_>,
    login: bool,
    weight: u8,
    home_offset_minutes: i16,
) -> LearnStep {
    let step = LearnStep::of(stage.seen, login, weight, home_offset_minutes);
    if stage.seen.event.is_workload() {
        return LearnStep { place: None, fix: false, interactive: true, utc_offset_minutes: 0, ..step };
    }
    let is_elsewhere = |signal| matches!(signal, Signal::ImpossibleTravel | Signal::TokenReuse);
    if outcome.scored.reasons.iter().any(|reason| is_elsewhere(reason.signal)) {
        return LearnStep { fix: false, utc_offset_minutes: home_offset_minutes, ..step };
    }
    step
}

/// What a login is worth: nobody types a stolen security key.
pub(super) fn assurance(presented: Factors) -> u8 {
    use Factor::{
        BackupCode, Biometric, Email, HardwareKey, Push, Sms, Totp, WebauthnPlatform, WebauthnRoaming,
    };
    let any = |factors: &[Factor]| factors.iter().any(|factor| presented.has(*factor));
    if any(&[WebauthnPlatform, WebauthnRoaming, HardwareKey, Biometric]) {
        4
    } else if any(&[Totp, Push, Sms, Email, BackupCode]) {
        2
    } else {
        1
    }
}

/// Stands for day, address and device. A collision costs one lesson that the next day repeats.
pub(super) fn mark(step: &LearnStep) -> u16 {
    mark_of(step, u64::from(step.local().day.cast_unsigned()))
}

/// Stands for a span of time, address and device.
pub(super) fn mark_of(step: &LearnStep, span: u64) -> u16 {
    let mixed = span.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ step.address.unwrap_or_default()
        ^ step.device.unwrap_or_default().rotate_left(17);
    let [a, b, c, d, e, f, g, h] = mixed.to_le_bytes();
    // Never 0, which is "has not taught".
    u16::from_le_bytes([a ^ c ^ e ^ g, b ^ d ^ f ^ h]) | 1
}

fn session<'c>(core: &'c Core, stage: &Stage<'_>) -> Option<&'c crate::engine::baseline::session::Session> {
    stage.seen.keys.session.and_then(|key| core.sessions().find(key))
}
