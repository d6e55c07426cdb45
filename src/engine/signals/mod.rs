//! Signals: one detector a file, one entry a detector in the static table.

use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Signal};

/// One way to look at an observation.
pub(crate) trait Detector: Sync {
    fn signal(&self) -> Signal;

    /// Compares, and looks nothing up.
    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile) -> Finding;
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
pub fn inspect(seen: &Observation<'_>, profile: &Profile, _policy: &Policy) -> Findings {
    let mut findings = Findings([const { Finding::NotApplicable }; Signal::COUNT]);
    for detector in DETECTORS {
        if let Some(finding) = findings.0.get_mut(detector.signal().index()) {
            *finding = detector.inspect(seen, profile);
        }
    }
    findings
}

static DETECTORS: &[&dyn Detector] = &[];
