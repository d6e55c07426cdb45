//! Held observations: seen, asked about, and not yet answered.
//!
//! One entry stands for a device at a place, however often it comes, so that a week of it does not
//! push itself out. It is learned when a challenge is approved or feedback says so, or, since many
//! identity systems never report challenges, after some days without a word against it.

use std::time::Duration;

use super::Stage;
use super::learn::assurance;
use crate::engine::baseline::core::HELD_MAX;
use crate::engine::baseline::journal::LearnStep;
use crate::engine::baseline::marks::Held;
use crate::engine::baseline::places::REACH_M;
use crate::engine::baseline::{Core, Profile};
use crate::engine::enrich::event_id_key;
use crate::engine::number::distance_m;
use crate::model::Factors;
use crate::model::observation::Keys;
use crate::model::time::Timestamp;

/// Learns what has waited for `unanswered` and came on three days; forgets what waited in vain.
pub(super) fn settle(profile: &mut Profile, at: Timestamp, unanswered: Option<Duration>) {
    // What nobody spoke of for so long will not be spoken of; it would wait for ever.
    profile.core_mut().held.retain(|held| at.since_or_zero(held.step.at) <= FORGOTTEN_AFTER);
    let Some(unanswered) = unanswered else { return };
    let waited = |held: &Held| {
        held.days >= DAYS_UNANSWERED && at.since(held.first).is_some_and(|waited| waited >= unanswered)
    };
    release(profile, Factors::NONE, Weigh::Least, waited);
}

/// Holds what `stage` would teach.
pub(super) fn hold(core: &mut Core, stage: &Stage<'_>, step: LearnStep, presented: Factors) {
    let day = step.local().day;
    let mut days = 1;
    for held in &mut core.held {
        if same_device(&held.step, &step) || same_place(&held.step, &step) {
            if day > held.last_day {
                held.days = held.days.saturating_add(1);
                held.last_day = day;
            }
            days = days.max(held.days);
        }
    }
    let id = event_id_key(&stage.seen.event.id);
    let session = stage.seen.keys.session;
    let same = |held: &&mut Held| held.step.device == step.device && same_place(&held.step, &step);
    if let Some(held) = core.held.iter_mut().find(same) {
        held.step = step;
        held.session = session.or(held.session);
        (held.presented, held.id) = (presented, id);
        return;
    }
    if core.held.len() >= HELD_MAX {
        core.drop_oldest_held();
    }
    core.held.push(Held { step, session, id, presented, first: step.at, days, last_day: day });
}

/// How an answer weighs what it releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weigh {
    /// By what was presented, the answer included.
    Assurance,
    /// Nobody answered.
    Least,
}

/// Learns those that `which` names, the oldest first, and says whether there was one.
pub(super) fn release(
    profile: &mut Profile,
    answered: Factors,
    weigh: Weigh,
    which: impl Fn(&Held) -> bool,
) -> bool {
    if profile.core().held.is_empty() {
        return false;
    }
    let mut released = profile.core().held.iter().copied().filter(|held| which(held)).collect::<Vec<_>>();
    released.sort_by_key(|held| held.step.at);
    drop(&mut profile.core_mut().held, which);
    for held in &released {
        let weight = match weigh {
            Weigh::Assurance => assurance(held.presented.union(answered)),
            Weigh::Least => 1,
        };
        profile.learn(LearnStep { weight, ..held.step });
    }
    !released.is_empty()
}

/// Forgets those that `which` names.
pub(super) fn drop(held: &mut Vec<Held>, which: impl Fn(&Held) -> bool) {
    held.retain(|held| !which(held));
}

/// Whether an answer for these keys is about `held`.
pub(super) fn is_about(held: &Held, keys: &Keys) -> bool {
    let same = |one: Option<u64>, other: Option<u64>| one.is_some() && one == other;
    same(held.session, keys.session) || same(held.step.device, keys.device)
}

fn same_device(one: &LearnStep, other: &LearnStep) -> bool {
    one.device.is_some() && one.device == other.device
}

fn same_place(one: &LearnStep, other: &LearnStep) -> bool {
    match (one.place, other.place) {
        (Some(one), Some(other)) => distance_m(one, other) <= REACH_M,
        (None, None) => one.country == other.country,
        _ => false,
    }
}

const DAYS_UNANSWERED: u8 = 3;
/// A trip that is made every month is still learned.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(45 * 86_400);
