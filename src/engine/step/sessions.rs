//! Live sessions: begun by the first success that names them, ended by their end or by silence.

use std::time::Duration;

use super::learn::{lesson, mark};
use super::{Outcomes, Stage, challenge, own_factors};
use crate::engine::baseline::codec::whole_second;
use crate::engine::baseline::devices::Client;
use crate::engine::baseline::session::Session;
use crate::engine::baseline::{Core, Fix};
use crate::model::event::Body;
use crate::model::{Action, ChallengeOutcome, EventType, Learned, SessionChange};

/// Whether the event is one of a session that was told to end.
pub(super) fn is_revoked(core: &Core, stage: &Stage<'_>) -> bool {
    let uses = stage.success || stage.seen.event.kind() == EventType::Behavior;
    let session = stage.seen.keys.session.filter(|_| uses).and_then(|key| core.sessions().find(key));
    session.is_some_and(|session| session.revoked)
}

pub(super) fn note(core: &mut Core, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>, learned: Learned) {
    if let (Body::Session { change: SessionChange::End, .. }, Some(key)) =
        (&stage.seen.event.body, stage.seen.keys.session)
    {
        core.sessions.end(key);
        core.revoked.retain(|revoked| revoked.session != Some(key));
        return;
    }
    if stage.late {
        return;
    }
    let at = stage.second();
    core.sessions.retain(|session| at.since_or_zero(session.last) <= IDLE_MAX);
    match &stage.seen.event.body {
        Body::Challenge { outcome: ChallengeOutcome::Approved, .. } => answer(core, stage, outcome),
        _ if stage.asked => enter(core, stage, outcome, learned),
        Body::Behavior(_) => {
            if let Some(session) = stage.seen.keys.session.and_then(|key| core.sessions.find_mut(key)) {
                session.last = session.last.max(at);
            }
        }
        _ => {}
    }
}

/// A success inside a session, or the one that begins it.
fn enter(core: &mut Core, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>, learned: Learned) {
    let Some(key) = stage.seen.keys.session else { return };
    let (at, facts) = (stage.second(), &stage.seen.facts);
    let home_offset = core.home_offset_minutes();
    if core.sessions.find(key).is_none() {
        core.sessions.start(Session {
            key,
            started: at,
            last: at,
            device: stage.seen.keys.device,
            client: Client { browser: facts.browser, os: facts.os, kind: facts.device },
            ..Session::default()
        });
    }
    let Some(session) = core.sessions.find_mut(key) else { return };
    session.last = session.last.max(at);
    session.device = session.device.or(stage.seen.keys.device);
    session.presented = session.presented.union(own_factors(&stage.seen.event));
    match outcome.decided.effective() {
        // A new login that nothing is asked of answers for the session.
        Action::Allow if stage.seen.event.kind() == EventType::Login => session.risky = false,
        Action::Allow => {}
        _ => session.risky = true,
    }
    let step = lesson(stage, outcome, false, 1, home_offset);
    if learned == Learned::Now {
        session.taught = mark(&step);
    }
    // What a session does in between teaches no habit, and shows where it is.
    let is_trusted = !session.risky
        && !session.revoked
        && stage.seen.event.kind() == EventType::Session
        && outcome.decided.effective() == Action::Allow;
    if let Some(coordinates) = step.place.filter(|_| step.fix && (learned == Learned::Now || is_trusted)) {
        session.fix = Some(Fix { coordinates, at });
    }
}

/// An approved challenge: its factor counts for the session from now on.
fn answer(core: &mut Core, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) {
    if !challenge::is_trusted(outcome) {
        return;
    }
    let keys = &stage.seen.keys;
    let at = whole_second(stage.at);
    let factors = own_factors(&stage.seen.event);
    for session in core.sessions.iter_mut() {
        let named = keys
            .session
            .map_or_else(|| keys.device.is_some() && keys.device == session.device, |key| key == session.key);
        if named {
            session.presented = session.presented.union(factors);
            session.last = session.last.max(at);
            session.risky = session.risky && outcome.decided.effective() != Action::Allow;
        }
    }
}

/// Refresh tokens live about a week.
const IDLE_MAX: Duration = Duration::from_secs(7 * 86_400);
