//! Anonymous network: the address belongs to Tor, a VPN, a proxy or a hosting provider.
//!
//! Typed, not one bit: a privacy relay, a mobile carrier and a satellite hide the place of an
//! honest user and are never found here. A network that the user was learned on during 3 days is
//! found too weakly to count: the company's VPN is where its people come from.
//!
//! Silent: for a class that is unknown, without an address, and for a workload in a data centre.

use super::{Detector, Finding, applies_to_entries};
use crate::engine::baseline::Profile;
use crate::engine::policy::Policy;
use crate::model::NetworkClass;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Anonymous;

impl Detector for Anonymous {
    fn signal(&self) -> Signal {
        Signal::AnonymousNetwork
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        if !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        if seen.keys.address.is_none() && seen.facts.network_class.is_none() {
            return Finding::Unknown(Why::NoAddress);
        }
        let Some(class) = seen.facts.network_class else { return Finding::Quiet };
        let (severity, centibans) = match class {
            NetworkClass::Tor => (1000, 150),
            NetworkClass::Proxy => (800, 100),
            // That is where programs run.
            NetworkClass::Hosting if seen.event.is_workload() => return Finding::Quiet,
            NetworkClass::Vpn | NetworkClass::Hosting => (700, 80),
            NetworkClass::Relay | NetworkClass::Carrier | NetworkClass::Satellite | NetworkClass::Other => {
                return Finding::Quiet;
            }
        };
        let networks = &baseline.core().baseline().networks;
        let is_usual =
            seen.facts.asn.and_then(|asn| networks.asn(asn)).is_some_and(|known| known.days >= DAYS_USUAL)
                || seen
                    .keys
                    .prefix
                    .and_then(|key| networks.prefix(key))
                    .is_some_and(|known| known.days >= DAYS_USUAL);
        let severity = Severity::new(severity);
        Finding::Found {
            severity: if is_usual { severity.min(Severity::SOFTENED) } else { severity },
            centibans: Centibans::new(if is_usual { 0 } else { centibans }),
            evidence: Evidence::Anonymous { class, asn: seen.facts.asn },
        }
    }
}

const DAYS_USUAL: u8 = 3;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check};
    use super::*;

    #[test]
    fn counts_what_hides_on_purpose() {
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.tor laptop chrome-mac s2", "1000");
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.proxy laptop chrome-mac s2", "800");
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.vpn laptop chrome-mac s2", "700");
        check(&Anonymous, "", "2026-01-19 09:00 login london.hosting laptop chrome-mac s2", "700");
    }

    #[test]
    fn is_silent_for_relays_carriers_satellites() {
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.relay laptop chrome-mac s2", "quiet");
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.carrier laptop chrome-mac s2", "quiet");
        check(&Anonymous, LONDON, "2026-01-19 09:00 login london.satellite laptop chrome-mac s2", "quiet");
        check(&Anonymous, LONDON, "2026-01-19 09:00 login - laptop chrome-mac s2", "unknown no_address");
    }

    #[test]
    fn a_vpn_of_three_days_is_usual() {
        let world = "
            2026-01-05 09:00 login london.vpn laptop chrome-mac s1
            2026-01-06 09:00 login london.vpn laptop chrome-mac s1
            2026-01-07 09:00 login london.vpn laptop chrome-mac s1
        ";
        check(&Anonymous, world, "2026-01-19 09:00 login london.vpn laptop chrome-mac s2", "400");
    }
}
