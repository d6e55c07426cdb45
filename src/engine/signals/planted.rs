//! A detector with a fault, in tests only: it panics at accesses to [`APP`], and is silent otherwise.

use super::Detector;
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Signal};

pub(super) struct Planted;

/// What it cannot bear.
pub(crate) const APP: &str = "what the planted detector cannot bear";

impl Detector for Planted {
    /// Somebody else's, whose finding overwrites ours.
    fn signal(&self) -> Signal {
        Signal::ImpossibleTravel
    }

    fn inspect(&self, seen: &Observation<'_>, _baseline: &Profile, _policy: &Policy) -> Finding {
        assert!(seen.event.app.as_deref() != Some(APP), "planted");
        Finding::NotApplicable
    }
}
