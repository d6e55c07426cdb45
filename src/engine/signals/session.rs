//! Session mismatch: inside one session the device, the browser family or the system changed.
//!
//! The seed's `SessionCompromisedError`. A changed device fingerprint is the strong form, and has a
//! rule that revokes; a changed browser family or system is a weaker one. Address, ASN and country
//! alone are never this: Wi-Fi to LTE inside a session is how telephones live.
//!
//! Silent: for a session that was not seen to start, and where the event or the session's start
//! names no device and no user agent.

use super::{Detector, Finding, applies_to_sessions};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::Browser;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Session;

impl Detector for Session {
    fn signal(&self) -> Signal {
        Signal::SessionMismatch
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        if !applies_to_sessions(&seen.event) {
            return Finding::NotApplicable;
        }
        let Some(session) = seen.keys.session.and_then(|key| baseline.core().sessions().find(key)) else {
            return Finding::Unknown(Why::NoSession);
        };
        let device = changed(session.device, seen.keys.device).is_some();
        // A tool beside the browser (a CLI that borrows the session) says nothing of the browser.
        let browser = changed(session.client.browser, seen.facts.browser).filter(|(was, is)| {
            !matches!(
                (was, is),
                (Browser::Other | Browser::WebView, _) | (_, Browser::Other | Browser::WebView)
            )
        });
        let os = changed(session.client.os, seen.facts.os);
        if !device && browser.is_none() && os.is_none() {
            let compared = (session.device.is_some() && seen.keys.device.is_some())
                || (session.client.browser.is_some() && seen.facts.browser.is_some());
            return if compared { Finding::Quiet } else { Finding::Unknown(Why::NoDevice) };
        }
        Finding::Found {
            severity: if device { Severity::FULL } else { Severity::new(CLIENT_ONLY) },
            centibans: Centibans::new(if device { 250 } else { 120 }),
            evidence: Evidence::Session {
                device,
                browser,
                os,
                age_s: seen.event.occurred_at.since_or_zero(session.started).as_secs(),
            },
        }
    }
}

/// Both, when both are known and differ.
fn changed<T: PartialEq>(was: Option<T>, is: Option<T>) -> Option<(T, T)> {
    was.zip(is).filter(|(was, is)| was != is)
}

const CLIENT_ONLY: u32 = 700;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_a_session_that_changes_hands() {
        check(&Session, LONDON, "2026-01-19 09:00 refresh london.fibre other chrome-mac s1", "1000");
        check(&Session, LONDON, "2026-01-19 09:00 access london.fibre laptop firefox-linux s1", "700");
        check(&Session, LONDON, "2026-01-19 09:00 access london.fibre - firefox-linux s1", "700");
    }

    #[test]
    fn is_silent_when_only_the_network_changes() {
        check(&Session, LONDON, "2026-01-19 09:00 refresh sydney.carrier laptop chrome-mac s1", "quiet");
        check(
            &Session,
            LONDON,
            "2026-01-19 09:00 refresh london.fibre other firefox-linux s9",
            "unknown no_session",
        );
        check(&Session, LONDON, "2026-01-19 09:00 refresh london.fibre - - s1", "unknown no_device");
        check(&Session, LONDON, "2026-01-19 09:00 approved london.fibre other - s1", "not applicable");
    }
}
