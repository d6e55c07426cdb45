//! Rare access: an app, or an administrator's privilege, that this user never touches.
//!
//! Compares with the apps of `baseline/apps`: 32 of them, decayed by half in 90 days. An app that is
//! new and used with a privilege that the user never had anywhere says most.
//!
//! Silent: before the policy's number of learned accesses (`threshold`, 20); when the event names no
//! app. Softened below what counts for users of more apps than are remembered. Known false
//! positives: a new duty, the yearly tax form; it adds little and asks for nothing alone.

use super::{Detector, Finding};
use crate::engine::baseline::Profile;
use crate::engine::baseline::apps::rank;
use crate::engine::baseline::hours::Local;
use crate::engine::enrich::app_key;
use crate::engine::policy::Policy;
use crate::model::Outcome;
use crate::model::event::Body;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct RareAccess;

impl Detector for RareAccess {
    fn signal(&self) -> Signal {
        Signal::RareAccess
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        let event = &seen.event;
        if !matches!(event.body, Body::Access { outcome: Outcome::Success }) {
            return Finding::NotApplicable;
        }
        let Some(name) = event.app.as_deref() else { return Finding::Unknown(Why::NoApp) };
        let apps = baseline.apps.as_deref();
        let Some(apps) = apps.filter(|apps| apps.accesses() >= policy.rare_access_threshold) else {
            return Finding::Unknown(Why::NoBaseline);
        };
        let privilege = rank(event.privilege);
        let known = apps.find(app_key(&event.tenant, name));
        // Below an administrator's, privileges say nothing that the app does not.
        let privilege_seen =
            privilege < ADMIN || known.map_or_else(|| apps.highest_rank(), |app| app.rank) >= privilege;
        let severity = match (known.is_some(), privilege_seen) {
            (true, true) => return Finding::Quiet,
            (true, false) => 700,
            (false, true) => 600,
            (false, false) => 1000,
        };
        let severity = Severity::new(severity);
        let day = Local::of(event.occurred_at, 0).day;
        let is_soft = known.is_none() && apps.overflows(day);
        Finding::Found {
            severity: if is_soft { severity.min(Severity::SOFTENED) } else { severity },
            centibans: Centibans::new(if is_soft { 0 } else { i32::from(severity.value()) / 10 }),
            evidence: Evidence::Rare {
                apps: u16::try_from(apps.len()).unwrap_or(u16::MAX),
                accesses: apps.accesses().into(),
                app_seen: known.is_some(),
                privilege: event.privilege,
                privilege_seen,
            },
        }
    }
}

const ADMIN: u8 = rank(crate::model::Privilege::Admin);

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, profile, seen};
    use super::*;
    use crate::engine::baseline::apps::Apps;
    use crate::model::Privilege;

    /// The user who learned `accesses` of two apps, one of them as an administrator, asks for `app`.
    #[track_caller]
    fn check(accesses: u16, more: u64, app: &'static str, privilege: Privilege, expected: Option<u16>) {
        let mut access = seen("2026-01-19 09:00 access london.fibre laptop chrome-mac s1");
        let tenant = access.event.tenant.clone();
        let day = Local::of(access.event.occurred_at, 0).day;
        let mut apps = Apps::default();
        for number in 0..accesses {
            let (name, used) = if number % 2 == 0 { ("mail", 0) } else { ("payroll", 1) };
            apps.learn(app_key(&tenant, name), used, day - 20 + i32::from(number / 2));
        }
        for other in 0..more {
            apps.learn(other, 2, day - 1);
        }
        let mut profile = profile(LONDON);
        profile.apps = Some(Box::new(apps));
        (access.event.app, access.event.privilege) = (Some(app.into()), privilege);
        let said = match RareAccess.inspect(&access, &profile, &Policy::shipped("default").unwrap()) {
            Finding::Found { severity, .. } => Some(severity.value()),
            Finding::Unknown(why) => panic!("unknown {why}"),
            _ => None,
        };
        assert_eq!(said, expected, "{app} as {privilege}");
    }

    #[test]
    fn counts_what_was_never_touched() {
        check(20, 0, "source", Privilege::User, Some(600));
        check(20, 0, "source", Privilege::Admin, Some(1000));
        check(20, 0, "payroll", Privilege::Admin, Some(700));
    }

    #[test]
    fn is_silent_about_the_usual_and_softens_what_it_cannot_know() {
        check(20, 0, "payroll", Privilege::User, None);
        check(20, 0, "mail", Privilege::User, None);
        check(20, 31, "source", Privilege::User, Some(400));
    }

    #[test]
    #[should_panic(expected = "unknown no_baseline")]
    fn does_not_know_before_twenty() {
        check(19, 0, "source", Privilege::User, None);
    }
}
