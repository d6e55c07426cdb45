//! Behaviour: judged before the signals look, so that they find it in `core`; learned after.

use std::time::Duration;

use super::{Outcomes, Stage};
use crate::engine::baseline::marks::Glance;
use crate::engine::baseline::{Part, Profile};
use crate::engine::biometrics::{self, Features, Parts};
use crate::model::decision::BehaviorVerdict;
use crate::model::event::{Behavior, Body};
use crate::model::signal::Signal;
use crate::model::{Action, Level};

/// One batch, measured and judged.
pub(super) struct Watched {
    features: Features,
    pub(super) verdict: BehaviorVerdict,
}

/// Measures a batch and leaves in `core` how far it is from the user's own. Late batches are
/// measured and leave nothing.
pub(super) fn watch(profile: &mut Profile, stage: &Stage<'_>) -> Option<Watched> {
    let Body::Behavior(behavior) = &stage.seen.event.body else { return None };
    let features = biometrics::features(behavior);
    let mut parts = parts(profile);
    let verdict = biometrics::verdict(&features, &parts);
    if !stage.late {
        let judged = biometrics::judge(&features, stage.second(), &mut parts);
        let (session, device) = (stage.seen.keys.session, stage.seen.keys.device);
        let glances = &mut profile.core_mut().glances;
        glances.retain(|glance| {
            let same = match session {
                Some(_) => glance.session == session,
                None => glance.session.is_none() && glance.device == device,
            };
            !same && stage.at.since_or_zero(glance.at) <= REMEMBERED
        });
        glances.push(Glance { session, device, at: stage.second(), judged });
        touch(profile, behavior);
    }
    Some(Watched { features, verdict })
}

/// Learns the batch if its session may teach, and says whether it did.
pub(super) fn learn(
    profile: &mut Profile,
    stage: &Stage<'_>,
    outcome: &Outcomes<'_, '_>,
    watched: &Watched,
) -> bool {
    let Body::Behavior(behavior) = &stage.seen.event.body else { return false };
    let (core, keys) = (profile.core(), &stage.seen.keys);
    let trusted = match keys.session.and_then(|key| core.sessions().find(key)) {
        Some(session) => !session.risky && !session.revoked,
        // Typed before the login that it belongs to: the device has to vouch for it.
        None => keys.device.is_some_and(|key| core.baseline().devices.find(key).is_some()),
    };
    if !stage.known
        || !trusted
        || core.standing().level != Level::Low
        || outcome.decided.effective() != Action::Allow
        || outcome.reason(Signal::AnomalousBehavior).is_some()
        || (behavior.keyboard.is_empty() && behavior.mouse.is_empty() && behavior.touch.is_empty())
    {
        return false;
    }
    biometrics::learn(&watched.features, stage.second(), &mut parts(profile));
    touch(profile, behavior);
    let core = profile.core_mut();
    core.batches = core.batches.saturating_add(1);
    true
}

const fn parts(profile: &mut Profile) -> Parts<'_> {
    Parts { keystroke: &mut profile.keystroke, mouse: &mut profile.mouse, touch: &mut profile.touch }
}

fn touch(profile: &mut Profile, behavior: &Behavior<'_>) {
    let changed = [
        (Part::Keystroke, profile.keystroke.is_some() && !behavior.keyboard.is_empty()),
        (Part::Mouse, profile.mouse.is_some() && !behavior.mouse.is_empty()),
        (Part::Touch, profile.touch.is_some() && !behavior.touch.is_empty()),
    ];
    for (part, _) in changed.into_iter().filter(|(_, changed)| *changed) {
        profile.touch(part);
    }
}

/// A login comes soon after what was typed for it, or not at all.
const REMEMBERED: Duration = Duration::from_secs(3600);
