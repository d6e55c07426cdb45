//! A shadow policy: what another policy makes of the same findings, beside the live one's verdict.
//!
//! It sees what the live policy sees: the profile that the live one taught, the user's standing that
//! the live one raised. Detectors speak once; only those that read a threshold which the two policies
//! state differently are asked again.

use crate::engine::baseline::Profile;
use crate::engine::decide::{Standpoint, decide};
use crate::engine::policy::Policy;
use crate::engine::score::score;
use crate::engine::signals::{Findings, inspect_again};
use crate::model::decision::Shadow;
use crate::model::observation::Observation;

pub(super) fn judge<'a>(
    shadow: &'a Policy,
    live: &Policy,
    findings: &Findings,
    profile: &Profile,
    seen: &Observation<'_>,
    standpoint: Standpoint,
) -> Shadow<'a> {
    let policy = shadow.of_tenant(&seen.event.tenant);
    let mut findings = *findings;
    inspect_again(&mut findings, seen, profile, live, policy);
    let scored = score(&findings, seen, policy);
    let decided = decide(&scored, seen, standpoint, policy);
    Shadow {
        by: &shadow.name,
        risk_score: scored.risk_score,
        risk_level: scored.level,
        action: decided.effective(),
    }
}
