//! Service identity: a workload from a new network, or at a new rate.
//!
//! A program is what a source calls `service` or `agent`, and whoever is named by a SPIFFE id. It
//! has no home, no waking hours and no hands, so none of the detectors of people speaks of it; it
//! has networks, a rate and a timetable:
//!
//! * **network**: an ASN that it was never learned on; a new prefix of a known ASN is found too
//!   weakly to count, since clouds move programs about; without an ASN table a new prefix counts.
//! * **rate**: more successes in this clock hour than `times` the busiest hour learned.
//! * **hour**: under 0.5 % of its weight near this time of day (UTC). Too weak to count alone; it
//!   raises the others.
//!
//! Silent: for people; networks before 3 learned logins, rates before 24 learned hours, hours
//! before 20 learned logins on 14 days; of private addresses the network is not known. Known false positives: a
//! deployment to another cloud, a backfill. What was held is learned as with people, a rate on its
//! third day.

use super::hour::mass_near;
use super::{Detector, Finding, Measure, Unit, applies_to_sessions};
use crate::engine::baseline::Profile;
use crate::engine::baseline::hours::{DayKind, Local};
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct ServiceIdentity;

impl Detector for ServiceIdentity {
    fn signal(&self) -> Signal {
        Signal::ServiceIdentity
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !seen.event.is_workload() || !applies_to_sessions(&seen.event) {
            return Finding::NotApplicable;
        }
        let network = network(seen, baseline);
        let rate = rate(seen, baseline, policy);
        if network.is_none() && rate.is_none() {
            return Finding::Unknown(Why::NoBaseline);
        }
        let network = network.unwrap_or(Network { severity: 0, prefix_seen: true, asn_seen: true });
        let rate = rate.unwrap_or(0);
        let hour_seen = !is_new_hour(seen, baseline);
        let severity = match (network.severity.max(rate), hour_seen) {
            (0, true) => return Finding::Quiet,
            (0, false) => HOUR_ALONE,
            (severity, true) => severity,
            (severity, false) => severity + HOUR,
        };
        let known = baseline.workload.unwrap_or_default();
        let severity = Severity::new(severity);
        Finding::Found {
            severity,
            centibans: Centibans::new(i32::from(severity.value()) / 5),
            evidence: Evidence::Workload {
                networks: u16::try_from(baseline.core().baseline().networks.prefixes()).unwrap_or(u16::MAX),
                asn: seen.facts.asn,
                network_seen: network.prefix_seen,
                asn_seen: network.asn_seen,
                per_hour: known.with_this(seen.event.occurred_at),
                peak_per_hour: known.peak(),
                hours: known.hours(),
                rate_seen: rate == 0,
                hour_seen,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let known = baseline.workload.as_ref()?;
        let limit = known.limit(policy.service_identity_times)?;
        let per_hour = known.with_this(seen.event.occurred_at);
        Some(Measure::up("events of this hour", per_hour, limit.saturating_add(1), Unit::Count))
    }
}

struct Network {
    severity: u32,
    prefix_seen: bool,
    asn_seen: bool,
}

fn network(seen: &Observation<'_>, baseline: &Profile) -> Option<Network> {
    let habits = baseline.core().baseline();
    let prefix = seen.keys.prefix.filter(|_| habits.logins >= LOGINS_MIN)?;
    let prefix_seen = habits.networks.prefix(prefix).is_some();
    let asn_seen = seen.facts.asn.map(|asn| habits.networks.asn(asn).is_some());
    let severity = match (prefix_seen, asn_seen) {
        (true, _) => 0,
        (false, Some(true)) => NEIGHBOUR,
        (false, Some(false)) => NEW_ASN,
        (false, None) => NEW_PREFIX,
    };
    Some(Network { severity, prefix_seen, asn_seen: asn_seen.unwrap_or(prefix_seen) })
}

fn rate(seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Option<u32> {
    let known = baseline.workload.as_ref()?;
    let limit = known.limit(policy.service_identity_times)?;
    let per_hour = known.with_this(seen.event.occurred_at);
    if per_hour <= limit {
        return Some(0);
    }
    Some(NEW_RATE + (per_hour / limit.max(1)).min(4) * 50)
}

/// Whether the timetable has next to nothing near this time of day, whatever the day.
fn is_new_hour(seen: &Observation<'_>, baseline: &Profile) -> bool {
    let habits = baseline.core().baseline();
    if habits.days < DAYS_MIN || habits.logins < HOUR_LOGINS_MIN {
        return false;
    }
    let kinds = [DayKind::Workday, DayKind::Weekend];
    let local = Local::of(seen.event.occurred_at, 0);
    let near: u64 = kinds.map(|kind| mass_near(&habits.hours, Local { kind, ..local })).iter().sum();
    let all: u64 = kinds.map(|kind| u64::from(habits.hours.total(kind))).iter().sum();
    all > 0 && near / all < SHARE_MILLIONTHS_MIN
}

const LOGINS_MIN: u32 = 3;
const NEIGHBOUR: u32 = 300;
const NEW_PREFIX: u32 = 600;
const NEW_ASN: u32 = 800;
const NEW_RATE: u32 = 650;
const HOUR: u32 = 100;
const HOUR_ALONE: u32 = 400;
const DAYS_MIN: u16 = 14;
const HOUR_LOGINS_MIN: u32 = 20;
const SHARE_MILLIONTHS_MIN: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check as says, profile, seen};
    use super::*;
    use crate::engine::baseline::workload::Workload;
    use crate::model::time::Timestamp;

    #[test]
    fn counts_a_cloud_that_it_never_ran_in() {
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 service london.hosting - - s2", "800");
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 service paris.fibre - - s2", "800");
    }

    #[test]
    fn is_silent_where_it_runs_and_about_people() {
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 service london.fibre - - s2", "quiet");
        says(&ServiceIdentity, LONDON, "2026-01-19 03:00 service london.fibre - - s2", "quiet");
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 service 10.0.0.1 - - s2", "unknown no_baseline");
        says(&ServiceIdentity, "", "2026-01-19 09:00 service london.fibre - - s2", "unknown no_baseline");
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 login sydney.fibre - - s2", "not applicable");
    }

    #[test]
    fn clouds_move_programs_about() {
        // Another city of the same provider.
        says(&ServiceIdentity, LONDON, "2026-01-19 09:00 service manchester.fibre - - s2", "300");
    }

    /// After two days of 20 an hour, `count` come in this one.
    #[track_caller]
    fn check(count: u32, expected: &str) {
        let mut profile = profile(LONDON);
        let last = seen("2026-01-19 09:00 service london.fibre - - s2");
        let at = last.event.occurred_at.seconds();
        let mut known = Workload::default();
        for hour in (1..=48).rev() {
            for _ in 0..20 {
                known.count(Timestamp::from_seconds(at - hour * 3600).unwrap(), 3);
            }
        }
        for _ in 1..count {
            known.count(last.event.occurred_at, 3);
        }
        profile.workload = Some(known);
        let said = match ServiceIdentity.inspect(&last, &profile, &Policy::shipped("default").unwrap()) {
            Finding::Found { severity, .. } => severity.value().to_string(),
            Finding::Quiet => "quiet".to_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(said, expected, "{count} an hour");
    }

    #[test]
    fn counts_a_rate_that_it_never_had() {
        check(20, "quiet");
        check(60, "quiet");
        check(61, "700");
        check(600, "850");
    }
}
