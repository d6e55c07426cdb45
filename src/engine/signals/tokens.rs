//! Token reuse: a refresh token that was rotated away is presented again, or one session is live in
//! two places.
//!
//! **A token.** A refresh names the token that it presents (`previous_token_id`) and the one that it
//! gets (`token_id`); the one presented is spent. Of two who hold the same token one has stolen it.
//! A device that presents a token again within the policy's `grace` of spending it lost the answer
//! and tries again: that is no theft.
//!
//! **A session.** Its last fix and this event's place are farther apart than an airliner flies in
//! the time between, counted as `impossible_travel` counts. Weaker than a token, and weaker still
//! from the session's own device: a VPN that no table knows looks the same.
//!
//! Silent: for events without session and token; for networks whose place is not the user's, and
//! between two settled places, as `impossible_travel` is; the form with two places for a workload.
//! Producers that name no tokens have the second form only.

use super::travel::{here, is_egress, leg};
use super::{Detector, Finding, applies_to_sessions};
use crate::engine::baseline::Profile;
use crate::engine::baseline::session::Session;
use crate::engine::enrich::token_key;
use crate::engine::policy::Policy;
use crate::model::SessionChange;
use crate::model::event::{Body, Event};
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct TokenReuse;

impl Detector for TokenReuse {
    fn signal(&self) -> Signal {
        Signal::TokenReuse
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_sessions(&seen.event) {
            return Finding::NotApplicable;
        }
        let token = presented(&seen.event);
        if token.is_none() && seen.keys.session.is_none() {
            return Finding::Unknown(Why::NoSession);
        }
        let session = seen.keys.session.and_then(|key| baseline.core().sessions().find(key));
        let spent = token.and_then(|token| spent_before(token, session, seen, baseline, policy));
        spent.or_else(|| two_places(session?, seen, baseline)).unwrap_or(Finding::Quiet)
    }
}

/// The token that the event's sender holds.
pub(crate) fn presented<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    match &event.body {
        // One that it was given.
        Body::Session { change: SessionChange::Start | SessionChange::End, .. } => None,
        Body::Session { token_id, previous_token_id, .. } => {
            previous_token_id.as_deref().or(token_id.as_deref())
        }
        _ => None,
    }
}

fn spent_before(
    token: &str,
    session: Option<&Session>,
    seen: &Observation<'_>,
    baseline: &Profile,
    policy: &Policy,
) -> Option<Finding> {
    let (family, spent) = baseline.tokens.as_deref()?.find(token_key(&seen.event.tenant, token))?;
    // One from before it was spent has been overtaken on its way here.
    let elapsed = seen.event.occurred_at.since(spent.at)?;
    let device_same = is_device_same(session, seen);
    if elapsed <= policy.token_reuse_grace && device_same {
        return None;
    }
    Some(Finding::Found {
        severity: Severity::FULL,
        centibans: Centibans::new(if device_same { 200 } else { 300 }),
        evidence: Evidence::TokenReuse {
            spent_s: elapsed.as_secs(),
            grace_s: u32::try_from(policy.token_reuse_grace.as_secs()).unwrap_or(u32::MAX),
            rotations: u16::try_from(family.spent.len()).unwrap_or(u16::MAX),
            device_same,
        },
    })
}

fn two_places(session: &Session, seen: &Observation<'_>, baseline: &Profile) -> Option<Finding> {
    if seen.event.is_workload() {
        return None;
    }
    let (fix, here) = (session.fix?, here(seen)?);
    let leg = leg(fix, here, seen).filter(|leg| leg.is_impossible())?;
    if is_egress(fix.coordinates, here, seen, baseline) {
        return None;
    }
    let device_same = session.device.is_some() && is_device_same(Some(session), seen);
    Some(Finding::Found {
        severity: Severity::new(if device_same { SAME_DEVICE } else { OTHER_DEVICE }),
        centibans: Centibans::new(if device_same { 100 } else { 180 }),
        evidence: Evidence::TwoPlaces {
            distance_km: leg.distance_km,
            elapsed_s: leg.elapsed.as_secs(),
            least_kmh: leg.least_kmh,
            radii_km: leg.radii_km,
            device_same,
        },
    })
}

/// Whether nothing says that it is another: many events of a session name no device.
fn is_device_same(session: Option<&Session>, seen: &Observation<'_>) -> bool {
    let known = session.and_then(|session| session.device);
    known.zip(seen.keys.device).is_none_or(|(was, is)| was == is)
}

const SAME_DEVICE: u32 = 600;
const OTHER_DEVICE: u32 = 900;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check as says, profile, seen};
    use super::*;
    use crate::engine::baseline::tokens::Tokens;

    /// `t1` was spent at nine; `token` is presented `seconds` later.
    #[track_caller]
    fn check(token: &'static str, device: &str, seconds: u64, expected: Option<u16>) {
        let nine = seen("2026-01-19 09:00 refresh london.fibre laptop chrome-mac s1").event.occurred_at;
        let mut refresh = seen(&format!("2026-01-19 09:00 refresh london.fibre {device} chrome-mac s1"));
        refresh.event.occurred_at = nine.plus(std::time::Duration::from_secs(seconds));
        refresh.event.body = Body::Session {
            change: SessionChange::Refresh,
            token_id: Some("next".into()),
            previous_token_id: Some(token.into()),
        };
        let mut profile = profile(LONDON);
        let mut tokens = Tokens::default();
        tokens.spend(refresh.keys.session.unwrap(), token_key(&refresh.event.tenant, "t1"), nine);
        profile.tokens = Some(Box::new(tokens));
        let said = match TokenReuse.inspect(&refresh, &profile, &Policy::shipped("default").unwrap()) {
            Finding::Found { severity, .. } => Some(severity.value()),
            _ => None,
        };
        assert_eq!(said, expected, "{token} by {device} after {seconds} s");
    }

    #[test]
    fn counts_a_spent_token() {
        check("t1", "laptop", 61, Some(1000));
        check("t1", "other", 5, Some(1000));
    }

    #[test]
    fn is_silent_about_retries_and_fresh_tokens() {
        check("t1", "laptop", 60, None);
        check("t1", "-", 60, None);
        check("t2", "other", 3600, None);
    }

    #[test]
    fn counts_a_session_in_two_places() {
        says(&TokenReuse, LONDON, "2026-01-16 10:00 refresh sydney.fibre laptop chrome-mac s1", "600");
        says(&TokenReuse, LONDON, "2026-01-16 10:00 access sydney.fibre other chrome-mac s1", "900");
        says(&TokenReuse, LONDON, "2026-01-16 10:00 access sydney.fibre - chrome-mac s1", "600");
    }

    #[test]
    fn is_silent_about_networks_without_a_place_and_about_journeys() {
        says(&TokenReuse, LONDON, "2026-01-16 10:00 refresh sydney.vpn laptop chrome-mac s1", "quiet");
        says(&TokenReuse, LONDON, "2026-01-16 09:05 refresh paris.carrier laptop chrome-mac s1", "quiet");
        says(&TokenReuse, LONDON, "2026-01-18 10:00 refresh sydney.fibre laptop chrome-mac s1", "quiet");
        says(&TokenReuse, LONDON, "2026-01-16 10:00 refresh sydney.fibre laptop chrome-mac s9", "quiet");
        says(&TokenReuse, LONDON, "2026-01-16 10:00 login london.fibre laptop - -", "unknown no_session");
        says(&TokenReuse, LONDON, "2026-01-16 10:00 failure london.fibre laptop - s1", "not applicable");
    }
}
