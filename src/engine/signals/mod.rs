//! Signals: one detector a file, one entry a detector in the static table.

mod anonymous;
mod behavior;
mod credential;
mod crowd;
mod device;
mod dormant;
mod failures;
mod fatigue;
mod hour;
mod location;
mod measure;
mod network;
#[cfg(test)]
pub(crate) mod planted;
mod rare;
mod reported;
mod session;
mod shared;
mod tokens;
mod travel;
mod workload;
#[cfg(test)]
mod world;

pub(in crate::engine) use failures::counts_from;
pub use measure::{Measure, Unit};

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::event::{Body, Event};
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Signal};
use crate::model::{ChallengeOutcome, Outcome, SessionChange};

/// One way to look at an observation.
pub(crate) trait Detector: Sync {
    fn signal(&self) -> Signal;

    /// Compares, and looks nothing up.
    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding;

    /// The number that decides whether the finding counts, for people who ask how far it was from that;
    /// `None` where no number decides, or there is nothing to take it of.
    fn measure(&self, _seen: &Observation<'_>, _baseline: &Profile, _policy: &Policy) -> Option<Measure> {
        None
    }
}

/// What every detector said, by [`Signal::index`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Findings(pub [Finding; Signal::COUNT]);

impl Findings {
    #[must_use]
    pub fn of(&self, signal: Signal) -> &Finding {
        self.0.get(signal.index()).unwrap_or(&Finding::NotApplicable)
    }
}

/// What a detector's panic goes on as: with the detector's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorPanic {
    pub signal: Signal,
    pub message: String,
}

/// Asks every detector. One that panics goes on panicking, as a [`DetectorPanic`].
#[must_use]
pub fn inspect(seen: &Observation<'_>, profile: &Profile, policy: &Policy) -> Findings {
    let mut findings = Findings([const { Finding::NotApplicable }; Signal::COUNT]);
    // One catch for all of them: an event pays for it once.
    let asked = Cell::new(None);
    let done = catch_unwind(AssertUnwindSafe(|| {
        for detector in DETECTORS {
            let signal = detector.signal();
            asked.set(Some(signal));
            if let Some(finding) = findings.0.get_mut(signal.index()) {
                *finding = ask(*detector, seen, profile, policy);
            }
        }
    }));
    match (done, asked.get()) {
        (Ok(()), _) => findings,
        (Err(panic), None) => resume_unwind(panic),
        (Err(panic), Some(signal)) => {
            let message = panic_message(panic.as_ref()).to_owned();
            resume_unwind(Box::new(DetectorPanic { signal, message }))
        }
    }
}

/// What a panic says.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Makes the findings under `live` those under `other`: asks the detectors again that would compare
/// otherwise.
pub fn inspect_again(
    findings: &mut Findings,
    seen: &Observation<'_>,
    profile: &Profile,
    live: &Policy,
    other: &Policy,
) {
    for detector in DETECTORS.iter().filter(|one| !live.detects_alike(other, one.signal())) {
        if let Some(finding) = findings.0.get_mut(detector.signal().index()) {
            *finding = ask(*detector, seen, profile, other);
        }
    }
}

fn ask(detector: &dyn Detector, seen: &Observation<'_>, profile: &Profile, policy: &Policy) -> Finding {
    if seen.event.is_workload() && OF_PEOPLE.contains(&detector.signal()) {
        return Finding::NotApplicable;
    }
    detector.inspect(seen, profile, policy)
}

/// What the detector of `signal` measures, whatever it found.
#[must_use]
pub fn measure(
    signal: Signal,
    seen: &Observation<'_>,
    profile: &Profile,
    policy: &Policy,
) -> Option<Measure> {
    DETECTORS.iter().find(|one| one.signal() == signal)?.measure(seen, profile, policy)
}

/// What only people have: places, devices, waking hours, a way to type, patience, and a password that
/// they share with nobody. A program is compared by `service_identity` instead.
const OF_PEOPLE: [Signal; 10] = [
    Signal::UnusualLocation,
    Signal::ImpossibleTravel,
    Signal::NewNetwork,
    Signal::NewDevice,
    Signal::UnusualTime,
    Signal::AnomalousBehavior,
    Signal::ChallengeFatigue,
    Signal::PasswordSpray,
    Signal::CredentialStuffing,
    Signal::SharedDevice,
];

/// Signals that have a detector.
pub fn spoken() -> impl Iterator<Item = Signal> {
    DETECTORS.iter().map(|detector| detector.signal())
}

static DETECTORS: &[&dyn Detector] = &[
    #[cfg(test)]
    &planted::Planted,
    &location::Location,
    &travel::Travel,
    &network::Network,
    &anonymous::Anonymous,
    &device::Device,
    &shared::Shared,
    &session::Session,
    &tokens::TokenReuse,
    &hour::Hour,
    &dormant::Dormant,
    &behavior::Behavior,
    &failures::FailedBurst,
    &fatigue::Fatigue,
    &crowd::Crowd::SPRAY,
    &crowd::Crowd::STUFFING,
    &credential::Credential,
    &rare::RareAccess,
    &workload::ServiceIdentity,
    &reported::Reported,
];

/// Successful logins, session starts and accesses: someone comes in.
fn applies_to_entries(event: &Event<'_>) -> bool {
    is_success(event) || matches!(event.body, Body::Session { change: SessionChange::Start, .. })
}

/// Entries, and what goes on inside a session.
fn applies_to_sessions(event: &Event<'_>) -> bool {
    applies_to_entries(event)
        || matches!(event.body, Body::Session { change: SessionChange::Refresh | SessionChange::Context, .. })
}

/// Successful logins and approved challenges: where an attack that took many tries succeeds.
fn applies_to_attacks(event: &Event<'_>) -> bool {
    match event.body {
        Body::Login { outcome, .. } => outcome == Outcome::Success,
        Body::Challenge { outcome, .. } => outcome == ChallengeOutcome::Approved,
        _ => false,
    }
}

/// A login or an access that succeeded.
fn is_success(event: &Event<'_>) -> bool {
    matches!(
        event.body,
        Body::Login { outcome: Outcome::Success, .. } | Body::Access { outcome: Outcome::Success }
    )
}
