//! Revocations: asked for by a rule or by `compromised`, once while one is open.

use std::borrow::Cow;
use std::time::Duration;

use super::{Outcomes, Stage, borrow};
use crate::engine::baseline::Core;
use crate::engine::baseline::marks::Revoked;
use crate::model::decision::Revocation;
use crate::model::event::{Body, Event};
use crate::model::id::{Id128, digest};
use crate::model::{Action, FeedbackBy, RevocationScope, RevokedBy, Verdict};

pub(super) fn revoke<'a>(
    core: &mut Core,
    stage: &Stage<'a>,
    outcome: &Outcomes<'_, 'a>,
) -> Vec<Revocation<'a>> {
    let Some((scope, reason, by)) = asked(stage, outcome) else { return Vec::new() };
    let event = &stage.seen.event;
    let session = stage.seen.keys.session.filter(|_| scope != RevocationScope::User);
    // Without a session to name, ending all of them is what is left to do.
    let scope = if session.is_none() { RevocationScope::User } else { scope };
    let at = stage.second();
    if core.revoked.iter().any(|open| is_open(open, scope, session, stage)) {
        return Vec::new();
    }
    let id = revocation_id(event, scope, reason);
    core.revoked.push(Revoked { scope, session, id, at });
    for live in core.sessions.iter_mut().filter(|live| session.is_none_or(|key| key == live.key)) {
        live.revoked = true;
    }
    if scope == RevocationScope::User {
        core.standing.not_before = Some(at);
    }
    vec![Revocation {
        revocation_id: id,
        scope,
        tenant: borrow(&event.tenant),
        user_id: borrow(&event.user),
        session_id: event.session_id.as_ref().filter(|_| session.is_some()).map(borrow),
        source: event.source.as_ref().map(borrow),
        source_user_id: event.source_user_id.as_ref().map(borrow),
        source_session_id: event.source_session_id.as_ref().filter(|_| session.is_some()).map(borrow),
        not_before: stage.at,
        reason: Cow::Borrowed(reason),
        decision_id: Some(outcome.decision_id),
        by,
        issued_at: stage.at,
    }]
}

/// Scope, the rule or signal, and who. `None` where the published action is not `revoke`.
fn asked<'a>(stage: &Stage<'a>, outcome: &Outcomes<'_, 'a>) -> Option<(RevocationScope, &'a str, RevokedBy)> {
    if outcome.decided.action != Action::Revoke {
        return None;
    }
    let (scope, reason) = outcome.decided.revoke?;
    let by = match &stage.seen.event.body {
        Body::Feedback { verdict: Verdict::Compromised, by: FeedbackBy::User, .. } => RevokedBy::User,
        Body::Feedback { verdict: Verdict::Compromised, by: FeedbackBy::Analyst, .. } => RevokedBy::Analyst,
        _ => RevokedBy::Policy,
    };
    Some((scope, reason, by))
}

fn is_open(open: &Revoked, scope: RevocationScope, session: Option<u64>, stage: &Stage<'_>) -> bool {
    let covers = match open.scope {
        // A session that began after it is not covered by it, and its events may ask again.
        RevocationScope::User => scope == RevocationScope::User,
        RevocationScope::Session | RevocationScope::TokenFamily => {
            open.scope == scope && open.session == session
        }
    };
    covers && stage.at.since_or_zero(open.at) < OPEN_FOR
}

/// Over user, scope, session and cause; the cause is the reason and the event that gave it, so that
/// the same rule may end a session of the same name again another day.
fn revocation_id(event: &Event<'_>, scope: RevocationScope, reason: &str) -> Id128 {
    let session = event.session_id.as_deref().unwrap_or_default();
    digest(
        "revocation",
        &[
            event.tenant.as_bytes(),
            event.user.as_bytes(),
            scope.name().as_bytes(),
            session.as_bytes(),
            reason.as_bytes(),
            event.source.as_deref().unwrap_or_default().as_bytes(),
            event.id.as_bytes(),
        ],
    )
    .into()
}

/// An identity provider has acted by then, or needs telling again.
const OPEN_FOR: Duration = Duration::from_secs(5 * 60);
