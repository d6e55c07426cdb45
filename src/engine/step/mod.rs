//! The fold: one observation and a profile to a ruling and the next profile.
//!
//! ```text
//! repeat? ─▶ expired? ─▶ late? ─▶ settle what waited ─▶ judge behaviour ─▶ signals ─▶ score ─▶ decide
//!                                                                                                │
//!     remember the event ◀─ revocation, alert ◀─ standing ◀─ sessions, bursts ◀─ learn or hold ◀─┘
//! ```
//!
//! A repeat gives no decision. A late event (older than the user's newest by more than ten minutes)
//! is scored, and what it says against the user counts; it teaches nothing and is no fix. A user of
//! whom nothing is known begins with a success, or with an event of a source that may begin one:
//! anything else is decided on an empty profile, and nothing of it is stored. A backfilled event is
//! decided as in report-only mode: it teaches what it would, and raises no risk, alert or revocation.
//! An erasure is decided on the empty profile that it leaves: the decision says that it was carried out,
//! and nothing of the user but the name.

mod alert;
mod apps;
mod backfill;
mod behavior;
mod challenge;
mod feedback;
mod held;
mod learn;
mod lifetime;
mod look;
mod revoke;
mod sessions;
mod shadow;
mod sight;
mod standing;
mod tokens;
mod workload;

use std::borrow::Cow;
use std::time::Duration;

use behavior::Watched;
pub use lifetime::{BACKFILL, LIFETIME, Lifetime, Remembering};
pub use look::{Looked, look};

use crate::engine::baseline::codec::whole_second;
use crate::engine::baseline::marks::Standing;
use crate::engine::baseline::recent::Whose;
use crate::engine::baseline::{Core, Part, Profile};
use crate::engine::decide::{Decided, Standpoint, decide};
use crate::engine::policy::Policy;
use crate::engine::score::{Scored, score};
use crate::engine::signals;
use crate::model::decision::{Basis, Decision, Reason, Ruling, UserRisk};
use crate::model::event::{Body, Event};
use crate::model::id::{Id128, Position, digest};
use crate::model::observation::Observation;
use crate::model::signal::{Severity, Signal};
use crate::model::time::Timestamp;
use crate::model::{ChallengeOutcome, Factors, History, Mode, Outcome, SessionChange};

/// What a step rests on beside the event and the profile; the same for a whole unit.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'p> {
    pub policy: &'p Policy,
    /// A policy whose verdict is recorded beside the live one's, and which teaches nothing.
    pub shadow: Option<&'p Policy>,
    pub basis: Basis<'p>,
    pub lifetime: &'p Lifetime,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stepped<'a> {
    /// Seen before: no decision, nothing learned; only the mark moves.
    Duplicate,
    /// Nothing was done: this part must be loaded first, see [`Profile::needs`].
    Missing(Part),
    Decided(Box<Ruling<'a>>),
}

/// Decides `seen` on `profile` and learns what may be learned, in place.
pub fn step<'a>(
    profile: &mut Profile,
    seen: &'a Observation<'a>,
    position: Position<'a>,
    setting: &Setting<'a>,
) -> Stepped<'a> {
    let Ready { stage, watched, standing, standpoint } = match ready(profile, seen, setting) {
        Ok(ready) => ready,
        Err(stepped) => return stepped,
    };
    let (event, at, policy, history) = (&seen.event, stage.at, stage.policy, standpoint.history);
    let presented = standpoint.presented;

    let findings = signals::inspect(seen, profile, policy);
    let shadow =
        setting.shadow.map(|other| shadow::judge(other, policy, &findings, profile, seen, standpoint));
    let scored = score(&findings, seen, policy);
    let decided = decide(&scored, seen, standpoint, policy);
    let decided = if event.backfill { decided.on_trial() } else { decided };
    let basis = backfill::basis(event, setting);
    let decision_id = decision_id(event, &basis);
    let outcome = Outcomes { scored: &scored, decided: &decided, presented, decision_id };

    let used_after_revocation = sessions::is_revoked(profile.core(), &stage);
    // Before what is held is dropped.
    let whose = feedback::whose(profile.core(), &stage);
    let sightings = sight::sightings(profile.core(), &stage);
    let learned = learn::learn(profile, &stage, &outcome, watched.as_ref());
    sessions::note(profile.core_mut(), &stage, &outcome, learned);
    challenge::note(profile.core_mut(), &stage);
    if !event.backfill {
        feedback::note(profile.core_mut(), &stage, whose);
    }
    apps::note(profile, &stage, &outcome);
    tokens::note(profile, &stage);
    workload::note(profile, &stage);
    let (user_risk, revocations, alert) = if event.backfill {
        // Nobody is told today of what happened then, and nobody answers for it.
        (UserRisk { level: standing.level, previous: standing.level }, Vec::new(), None)
    } else {
        let user_risk = standing::change(profile.core_mut(), standing, &stage, &outcome);
        let revocations = revoke::revoke(profile.core_mut(), &stage, &outcome);
        let alert = alert::alert(profile.core_mut(), &stage, &outcome, user_risk, used_after_revocation);
        (user_risk, revocations, alert)
    };
    remember(profile, &stage, setting.lifetime);

    Stepped::Decided(Box::new(Ruling {
        alert,
        revocations,
        sightings,
        decision: Decision {
            decision_id,
            event_id: borrow(&event.id),
            tenant: borrow(&event.tenant),
            user_id: borrow(&event.user),
            session_id: event.session_id.as_ref().map(borrow),
            occurred_at: at,
            kind: event.kind(),
            risk_score: scored.risk_score,
            risk_level: scored.level,
            required: decided.required,
            missing: decided.missing,
            action: decided.action,
            would: decided.would,
            mode: if event.backfill { Mode::ReportOnly } else { policy.mode },
            // Of somebody of whom nothing is known nothing could be compared.
            confidence_permille: if history == History::None && stage.asked {
                0
            } else {
                scored.confidence_permille
            },
            history,
            learned,
            unknown: scored.unknown,
            reasons: scored.reasons,
            rules: decided.rules,
            exceptions: scored.exceptions,
            shadow: shadow.into_iter().collect(),
            user_risk,
            behavior: watched.map(|watched| watched.verdict),
            evaluation_id: event.evaluation_id.as_ref().map(borrow),
            facts: seen.facts,
            basis,
            position,
        },
    }))
}

/// The profile as the signals look at it, and what is known before they do.
struct Ready<'a> {
    stage: Stage<'a>,
    watched: Option<Watched>,
    standing: Standing,
    standpoint: Standpoint,
}

/// Everything before the signals; what ends here gives no decision.
fn ready<'a>(
    profile: &mut Profile,
    seen: &'a Observation<'a>,
    setting: &Setting<'a>,
) -> Result<Ready<'a>, Stepped<'a>> {
    let event = &seen.event;
    let at = event.occurred_at;
    if let Some(part) = profile.needs(event.kind()).iter().next() {
        return Err(Stepped::Missing(part));
    }
    if event.has_own_id && profile.core().recent().has(seen.keys.event) {
        return Err(Stepped::Duplicate);
    }
    if event.is_erasure() {
        profile.erase();
    }
    if profile.exists()
        && at.since(profile.core().newest()).is_some_and(|silent| silent > setting.lifetime.profile_ttl())
    {
        profile.forget();
    }
    let known = profile.exists();
    let policy = setting.policy.of_tenant(&event.tenant);
    let stage = Stage {
        seen,
        at,
        known,
        late: known && profile.core().newest().since(at).is_some_and(|behind| behind > LATE_AFTER),
        success: is_success(event),
        asked: is_asked(event),
        policy,
    };

    if !stage.late {
        held::settle(profile, at, policy.unanswered);
    }
    let watched = behavior::watch(profile, &stage);
    let standing = profile.core().standing().as_of(at);
    let standpoint = Standpoint {
        history: profile.core().history(),
        user_risk: standing.level,
        presented: presented(profile.core(), seen),
    };
    Ok(Ready { stage, watched, standing, standpoint })
}

/// What every stage after the first looks at.
struct Stage<'a> {
    seen: &'a Observation<'a>,
    at: Timestamp,
    /// The user was known before this event.
    known: bool,
    late: bool,
    success: bool,
    asked: bool,
    policy: &'a Policy,
}

impl Stage<'_> {
    /// What a profile keeps of the event's time.
    fn second(&self) -> Timestamp {
        whole_second(self.at)
    }
}

/// What the stages before learning found.
struct Outcomes<'o, 'p> {
    scored: &'o Scored<'p>,
    decided: &'o Decided<'p>,
    presented: Factors,
    decision_id: Id128,
}

impl Outcomes<'_, '_> {
    /// The reason that this signal is, where it was found, is strong enough to count and is in force.
    fn reason(&self, signal: Signal) -> Option<&Reason<'_>> {
        let mut reasons = self.scored.reasons.iter();
        reasons.find(|one| one.signal == signal && !one.report_only && one.severity >= Severity::COUNTS)
    }
}

/// Something that only whoever holds the credentials or the session can do.
fn is_success(event: &Event<'_>) -> bool {
    match &event.body {
        Body::Login { outcome, .. } | Body::Access { outcome } => *outcome == Outcome::Success,
        Body::Session { change, .. } => *change != SessionChange::End,
        Body::Challenge { outcome, .. } => *outcome == ChallengeOutcome::Approved,
        Body::Credential { .. } | Body::Behavior(_) | Body::Feedback { .. } => false,
    }
}

/// A successful login, session or access: what factors are asked of, and what begins a profile.
fn is_asked(event: &Event<'_>) -> bool {
    is_success(event) && !matches!(event.body, Body::Challenge { .. })
}

/// What the event, its session's login and its approved challenges presented.
fn presented(core: &Core, seen: &Observation<'_>) -> Factors {
    let session = seen.keys.session.and_then(|key| core.sessions().find(key));
    let before = session.filter(|session| !session.revoked).map(|session| session.presented);
    own_factors(&seen.event).union(before.unwrap_or_default())
}

fn own_factors(event: &Event<'_>) -> Factors {
    match &event.body {
        Body::Login { factors, outcome: Outcome::Success, .. } => *factors,
        Body::Challenge { factor: Some(factor), outcome: ChallengeOutcome::Approved, .. } => {
            Factors::of(*factor)
        }
        _ => Factors::NONE,
    }
}

fn remember(profile: &mut Profile, stage: &Stage<'_>, lifetime: &Lifetime) {
    if !stage.known && !lifetime.begins(stage) {
        return profile.forget();
    }
    let core = profile.core_mut();
    if !stage.known {
        (core.first_seen, core.newest) = (stage.second(), stage.second());
    }
    core.newest = core.newest.max(stage.second());
    if stage.seen.event.has_own_id {
        let keys = &stage.seen.keys;
        let whose = Whose { device: keys.device, session: keys.session };
        core.recent.push(keys.event, whose, &core.sessions, &core.baseline.devices);
    }
    core.recent.forget_gone(&core.sessions, &core.baseline.devices);
    profile.touch(Part::Core);
}

fn decision_id(event: &Event<'_>, basis: &Basis<'_>) -> Id128 {
    let model = basis.model.map(|model| model.0);
    digest(
        "decision",
        &[
            event.tenant.as_bytes(),
            event.user.as_bytes(),
            event.source.as_deref().unwrap_or_default().as_bytes(),
            event.id.as_bytes(),
            &basis.policy.0,
            basis.engine.as_bytes(),
            &basis.tables.0,
            model.as_ref().map_or(&[], |model| model.as_slice()),
        ],
    )
    .into()
}

fn borrow<'a>(text: &'a Cow<'a, str>) -> Cow<'a, str> {
    Cow::Borrowed(text.as_ref())
}

/// Producers deliver out of order by minutes; more is a replayed log.
const LATE_AFTER: Duration = Duration::from_secs(10 * 60);
