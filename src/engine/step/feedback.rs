//! Feedback: what a user or an analyst said of an event, a session or a time.

use super::Stage;
use crate::engine::baseline::Core;
use crate::engine::baseline::codec::whole_second;
use crate::engine::baseline::marks::{Held, Reported};
use crate::engine::baseline::recent::Whose;
use crate::engine::enrich::{event_id_key, session_key};
use crate::model::Verdict;
use crate::model::event::{About, Body};

/// Whether `about` means `held`. All that is stated must hold.
pub(super) fn is_about(about: &About<'_>, held: &Held, tenant: &str) -> bool {
    about.event_id.as_deref().is_none_or(|id| event_id_key(id) == held.id)
        && about.session_id.as_deref().is_none_or(|id| Some(session_key(tenant, id)) == held.session)
        && about.since.is_none_or(|since| held.step.at >= whole_second(since))
}

/// Device and session of the event that this feedback names, so far as they are known.
pub(super) fn whose(core: &Core, stage: &Stage<'_>) -> Whose {
    let Body::Feedback { about, .. } = &stage.seen.event.body else { return Whose::default() };
    let named = about.event_id.as_deref().and_then(|id| core.whose(event_id_key(id)));
    named.unwrap_or_default()
}

/// Remembers what `compromised` speaks about, until the user's risk falls.
pub(super) fn note(core: &mut Core, stage: &Stage<'_>, whose: Whose) {
    let Body::Feedback { verdict: Verdict::Compromised, about, .. } = &stage.seen.event.body else { return };
    let session = about.session_id.as_deref().map(|id| session_key(&stage.seen.event.tenant, id));
    let session = session.or(whose.session).or(stage.seen.keys.session);
    let device = session.and_then(|key| core.sessions().find(key)).and_then(|session| session.device);
    core.reported = Some(Reported {
        device: whose.device.or(device).or(stage.seen.keys.device),
        session,
        since: whole_second(about.since.unwrap_or(stage.at)),
    });
}
