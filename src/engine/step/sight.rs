//! What an event shows to the lanes that look across users: see [`crate::engine::across`].
//!
//! Only where the user is not at home tells something. A typing error at a network and on a device that
//! the user was learned with is no attack on the user, and a login there is no news; so a campus, a head
//! office or a password manager that is down are not seen at all, and a plain login costs nothing.
//! One exception: where an origin is notable already, those who are at home there are counted too,
//! because a few who fail among many who do not are no attack.
//!
//! Silent: for programs (a host full of service accounts looks like an attack and is none), for logs of
//! before, and for refusals that say nothing of a secret: a wrong second factor, a policy.

use super::Stage;
use crate::engine::baseline::{AtHome, Core};
use crate::model::across::{Sight, Sightings};
use crate::model::event::Body;
use crate::model::{FailureReason, Outcome};

pub(super) fn sightings(core: &Core, stage: &Stage<'_>) -> Sightings {
    let seen = stage.seen;
    let Body::Login { outcome, failure_reason, .. } = seen.event.body else { return Sightings::default() };
    if seen.event.backfill || seen.event.is_workload() {
        return Sightings::default();
    }
    let home = AtHome::of(core, &seen.keys);
    let sight = match (outcome, failure_reason) {
        (Outcome::Success, _) if home.network && home.device && seen.facts.across.is_none() => {
            return Sightings::default();
        }
        (Outcome::Success, _) => {
            let left = core.failures().centi_at(stage.at, stage.policy.failed_burst_half_life);
            if left > 0 { Sight::Recovered } else { Sight::Succeeded }
        }
        (_, Some(FailureReason::FactorFailed | FailureReason::Policy)) => return Sightings::default(),
        (_, Some(FailureReason::UnknownUser)) => Sight::UnknownUser,
        _ => Sight::Failed,
    };
    let is_notable = seen.facts.across.is_some_and(|across| across.network.is_some());
    // On a device that is not the user's own nobody is at home in a network either: a colleague's
    // infected machine stands in the same one.
    let network = if !(home.network && home.device) {
        Some(sight)
    } else if is_notable && outcome == Outcome::Success {
        Some(Sight::AtHome)
    } else {
        None
    };
    let device = (!home.device).then_some(sight);
    Sightings { network: seen.keys.prefix.and(network), device: seen.keys.device.and(device) }
}
