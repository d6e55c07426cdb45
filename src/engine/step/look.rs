//! A step that only looks: what the signals have before them, and what each of them says.
//!
//! For people who ask why. It goes the way that [`super::step`] goes, on a profile of its own, and ends
//! where the signals have spoken: nothing is decided, nothing is learned.

use super::{Ready, Setting, ready};
use crate::engine::baseline::Profile;
use crate::engine::decide::Standpoint;
use crate::engine::policy::Policy;
use crate::engine::signals::{self, Findings};
use crate::model::observation::Observation;

/// What a decision is made of.
#[derive(Clone, Debug)]
pub struct Looked<'a> {
    /// As the signals see it: what waited is settled, and what is over is forgotten.
    pub profile: Profile,
    /// What holds for the event's tenant.
    pub policy: &'a Policy,
    pub standpoint: Standpoint,
    pub findings: Findings,
}

/// What [`super::step`] would decide by. `None` for a repeat, or when a part of the profile is missing.
#[must_use]
pub fn look<'a>(
    mut profile: Profile,
    seen: &'a Observation<'a>,
    setting: &Setting<'a>,
) -> Option<Looked<'a>> {
    let Ready { stage, standpoint, .. } = ready(&mut profile, seen, setting).ok()?;
    let findings = signals::inspect(seen, &profile, stage.policy);
    Some(Looked { policy: stage.policy, standpoint, findings, profile })
}
