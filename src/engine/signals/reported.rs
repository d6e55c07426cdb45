//! Reported: the user or an analyst said "not me".
//!
//! Fires on the feedback itself, and on what the reported device or session does until the user's
//! standing falls.
//!
//! Silent: when nothing is reported.

use super::{Detector, Finding};
use crate::engine::baseline::Profile;
use crate::engine::baseline::recent::Whose;
use crate::engine::enrich::event_id_key;
use crate::engine::policy::Policy;
use crate::model::event::Body;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal};
use crate::model::{ChallengeOutcome, Verdict};

pub(super) struct Reported;

impl Detector for Reported {
    fn signal(&self) -> Signal {
        Signal::Reported
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        match &seen.event.body {
            Body::Feedback { verdict: Verdict::Compromised, about, .. } => {
                let named = about.event_id.as_deref().map(|id| baseline.core().whose(event_id_key(id)));
                return said(named);
            }
            Body::Challenge { outcome: ChallengeOutcome::Reported, .. } => return said(None),
            Body::Feedback { .. } => return Finding::NotApplicable,
            _ => {}
        }
        let Some(reported) = baseline.core().reported() else { return Finding::Quiet };
        let by_device = reported.device.is_some() && reported.device == seen.keys.device;
        let by_session = reported.session.is_some() && reported.session == seen.keys.session;
        if !by_device && !by_session {
            return Finding::Quiet;
        }
        let since_s = seen.event.occurred_at.since_or_zero(reported.since).as_secs();
        found(Evidence::Reported { since_s, by_device, by_session, event_known: None })
    }
}

/// By the event at hand; `named` is whose the event was that it names, if it names one.
fn said(named: Option<Option<Whose>>) -> Finding {
    let whose = named.flatten().unwrap_or_default();
    found(Evidence::Reported {
        since_s: 0,
        by_device: whose.device.is_some(),
        by_session: whose.session.is_some(),
        event_known: named.map(|whose| whose.is_some()),
    })
}

fn found(evidence: Evidence) -> Finding {
    Finding::Found { severity: Severity::FULL, centibans: Centibans::new(300), evidence }
}

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_what_was_said() {
        check(&Reported, LONDON, "2026-01-19 09:00 compromised - - - -", "1000");
        check(&Reported, LONDON, "2026-01-19 09:00 login london.fibre laptop chrome-mac s1", "quiet");
    }
}
