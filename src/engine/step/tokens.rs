//! Tokens: what a refresh presents is spent, and what a session had is forgotten when it ends.

use super::Stage;
use crate::engine::baseline::{Part, Profile};
use crate::engine::enrich::token_key;
use crate::model::SessionChange;
use crate::model::event::Body;

pub(super) fn note(profile: &mut Profile, stage: &Stage<'_>) {
    let (tenant, keys) = (&stage.seen.event.tenant, &stage.seen.keys);
    match &stage.seen.event.body {
        Body::Session { change: SessionChange::End, .. } => {
            let tokens = profile.tokens.as_deref_mut().zip(keys.session);
            if tokens.is_some_and(|(tokens, session)| tokens.end(session)) {
                profile.touch(Part::Tokens);
            }
        }
        // A producer that names the same token twice does not rotate it.
        Body::Session { token_id, previous_token_id: Some(spent), .. }
            if token_id.as_ref() != Some(spent) =>
        {
            let tokens = profile.tokens.get_or_insert_default();
            if tokens.spend(keys.session.unwrap_or_default(), token_key(tenant, spent), stage.second()) {
                profile.touch(Part::Tokens);
            }
        }
        _ => {}
    }
}
