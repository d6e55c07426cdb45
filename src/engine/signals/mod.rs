//! Signals: one detector a file, one entry a detector in the static table.

mod anonymous;
mod behavior;
mod device;
mod failures;
mod fatigue;
mod hour;
mod location;
mod network;
mod reported;
mod session;
mod travel;
#[cfg(test)]
mod world;

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
}

/// What every detector said, by [`Signal::index`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings(pub [Finding; Signal::COUNT]);

impl Findings {
    #[must_use]
    pub fn of(&self, signal: Signal) -> &Finding {
        self.0.get(signal.index()).unwrap_or(&Finding::NotApplicable)
    }
}

/// Asks every detector.
#[must_use]
pub fn inspect(seen: &Observation<'_>, profile: &Profile, policy: &Policy) -> Findings {
    let mut findings = Findings([const { Finding::NotApplicable }; Signal::COUNT]);
    for detector in DETECTORS {
        if let Some(finding) = findings.0.get_mut(detector.signal().index()) {
            *finding = detector.inspect(seen, profile, policy);
        }
    }
    findings
}

static DETECTORS: &[&dyn Detector] = &[
    &location::Location,
    &travel::Travel,
    &network::Network,
    &anonymous::Anonymous,
    &device::Device,
    &session::Session,
    &hour::Hour,
    &behavior::Behavior,
    &failures::FailedBurst,
    &fatigue::Fatigue,
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
