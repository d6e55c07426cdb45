//! New network: address, its prefix, ASN and country, backed off until one was learned.
//!
//! A known address or prefix is quiet. A known ASN is found too weakly to count: carriers and
//! providers rotate addresses inside it. Only an ASN that the user was never learned on counts, and
//! more so in a new country.
//!
//! Silent: before 3 learned logins; without an address or anything known of it. Without an ASN
//! table a new prefix in a known country does not count.

use super::{Detector, Finding, applies_to_entries};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Network;

impl Detector for Network {
    fn signal(&self) -> Signal {
        Signal::NewNetwork
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        if !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        let core = baseline.core();
        if core.baseline().logins < LOGINS_MIN {
            return Finding::Unknown(Why::NoBaseline);
        }
        let Some(prefix) = seen.keys.prefix else {
            return Finding::Unknown(Why::NoAddress);
        };
        let networks = &core.baseline().networks;
        if networks.prefix(prefix).is_some() {
            return Finding::Quiet;
        }
        let asn_seen = seen.facts.asn.map(|asn| networks.asn(asn).is_some());
        let country_seen = seen.facts.country.map(|country| networks.country(country).is_some());
        let severity = match (asn_seen, country_seen) {
            (None, None) => return Finding::Unknown(Why::NoNetwork),
            (Some(true), Some(false)) => 450,
            (Some(true), _) => 250,
            (None, Some(true)) => 400,
            (Some(false), Some(true) | None) => 600,
            (None | Some(false), Some(false)) => 900,
        };
        Finding::Found {
            severity: Severity::new(severity),
            centibans: Centibans::new(i32::try_from(severity).unwrap_or(0) / 10),
            evidence: Evidence::Network {
                networks: u16::try_from(networks.prefixes()).unwrap_or(u16::MAX),
                asn: seen.facts.asn,
                asn_seen: asn_seen.unwrap_or(false),
                country_seen: country_seen.unwrap_or(false),
            },
        }
    }
}

const LOGINS_MIN: u32 = 3;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_a_provider_that_was_never_learned() {
        check(&Network, LONDON, "2026-01-19 09:00 login london.cable laptop chrome-mac s2", "600");
        check(&Network, LONDON, "2026-01-19 09:00 login sydney.fibre laptop chrome-mac s2", "900");
    }

    #[test]
    fn is_silent_on_known_prefixes_and_before_three_logins() {
        check(&Network, LONDON, "2026-01-19 09:00 login london.fibre laptop chrome-mac s2", "quiet");
        check(&Network, LONDON, "2026-01-19 09:00 login - laptop chrome-mac s2", "unknown no_address");
        check(&Network, LONDON, "2026-01-19 09:00 login 9.9.9.9 laptop chrome-mac s2", "unknown no_network");
        check(
            &Network,
            "",
            "2026-01-19 09:00 login london.fibre laptop chrome-mac s2",
            "unknown no_baseline",
        );
    }
}
