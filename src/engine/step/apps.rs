//! Apps: learned from accesses that were allowed, forgotten when their user was compromised.

use super::{Outcomes, Stage};
use crate::engine::baseline::apps::rank;
use crate::engine::baseline::hours::Local;
use crate::engine::baseline::{Part, Profile};
use crate::engine::enrich::{app_key, session_key};
use crate::model::event::{About, Body};
use crate::model::{Action, Level, Verdict};

pub(super) fn note(profile: &mut Profile, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) {
    match &stage.seen.event.body {
        Body::Access { .. } if stage.success && !stage.late => learn(profile, stage, outcome),
        Body::Feedback { verdict: Verdict::Compromised, about, .. } => forget(profile, stage, about),
        _ => {}
    }
}

fn learn(profile: &mut Profile, stage: &Stage<'_>, outcome: &Outcomes<'_, '_>) {
    let event = &stage.seen.event;
    let Some(app) = event.app.as_deref() else { return };
    let core = profile.core();
    let session = stage.seen.keys.session.and_then(|key| core.sessions().find(key));
    if session.is_some_and(|session| session.risky || session.revoked)
        || core.standing().level > Level::Low
        || outcome.decided.effective() != Action::Allow
    {
        return;
    }
    let day = Local::of(stage.at, 0).day;
    let apps = profile.apps.get_or_insert_default();
    if apps.learn(app_key(&event.tenant, app), rank(event.privilege), day) {
        profile.touch(Part::Apps);
    }
}

/// What came first since the compromise began is the attacker's.
fn forget(profile: &mut Profile, stage: &Stage<'_>, about: &About<'_>) {
    let session = about.session_id.as_deref().map(|id| session_key(&stage.seen.event.tenant, id));
    let started = session.and_then(|key| profile.core().sessions().find(key)).map(|session| session.started);
    let since = [about.since, started, Some(stage.at)].into_iter().flatten().min().unwrap_or(stage.at);
    let day = Local::of(since, 0).day;
    if profile.apps.as_deref_mut().is_some_and(|apps| apps.forget_since(day)) {
        profile.touch(Part::Apps);
    }
}
