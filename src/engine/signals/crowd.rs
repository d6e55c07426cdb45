//! Password spray and credential stuffing: a success from where many other users failed.
//!
//! *Password spraying* (MITRE ATT&CK T1110.003) tries one or a few usual passwords on many accounts;
//! *credential stuffing* (T1110.004, OWASP OAT-008) tries stolen pairs of names and passwords, each about
//! once, and many of the names do not exist here. Either is seen from the origin, the network or the
//! device: users who are not at home there failed, each a few times, and did not come in after it.
//! It is one attack or the other, never both: much that does not exist, and one try each, is stuffing.
//! Where an identity system does not tell unknown users apart, both are told as a spray.
//!
//! Quiet: where fewer than a quarter of all users who were seen there failed for good (a carrier's
//! gateway, a conference), and where each was tried more than ten times (that is `failed_burst`, of each
//! of them). Softened below what counts for a user who is at home at the origin: the victims of an
//! attack from their own network must not pay for it, and the attacker is nowhere at home.
//!
//! Not seen: an attack from a new address with every try, and one from the own network of its victims
//! by a machine that shows no fingerprint.

use super::{Detector, Finding, Measure, Unit, applies_to_attacks};
use crate::engine::baseline::{AtHome, Profile};
use crate::engine::number::{log10, whole};
use crate::engine::policy::Policy;
use crate::model::across::OriginFacts;
use crate::model::event::Body;
use crate::model::evidence::{Evidence, OriginKind};
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

/// Both attacks look at the same facts.
pub(super) struct Crowd(Attack);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attack {
    Spray,
    Stuffing,
}

impl Crowd {
    pub(super) const SPRAY: Self = Self(Attack::Spray);
    pub(super) const STUFFING: Self = Self(Attack::Stuffing);

    fn threshold(&self, policy: &Policy) -> u32 {
        u32::from(match self.0 {
            Attack::Spray => policy.password_spray_threshold,
            Attack::Stuffing => policy.credential_stuffing_threshold,
        })
        .max(1)
    }
}

impl Detector for Crowd {
    fn signal(&self) -> Signal {
        match self.0 {
            Attack::Spray => Signal::PasswordSpray,
            Attack::Stuffing => Signal::CredentialStuffing,
        }
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, policy: &Policy) -> Finding {
        if !applies_to_attacks(&seen.event) {
            return Finding::NotApplicable;
        }
        if seen.keys.prefix.is_none() && seen.keys.device.is_none() {
            // An answer to a prompt rarely says from where.
            let is_login = matches!(seen.event.body, Body::Login { .. });
            return if is_login { Finding::Unknown(Why::NoAddress) } else { Finding::NotApplicable };
        }
        let home = AtHome::of(baseline.core(), &seen.keys);
        let threshold = self.threshold(policy);
        let found = origins(seen)
            .filter(|(_, facts)| attack(facts) == Some(self.0) && facts.stranded() >= threshold)
            .max_by_key(|(kind, facts)| (!is_home(home, *kind), facts.stranded()));
        let Some((origin, facts)) = found else { return Finding::Quiet };
        let at_home = is_home(home, origin);
        let above = facts.stranded().saturating_sub(threshold).min(threshold);
        Finding::Found {
            severity: if at_home { Severity::SOFTENED } else { Severity::new(600 + above * 400 / threshold) },
            centibans: centibans(&facts, at_home),
            evidence: Evidence::Crowd {
                origin,
                stranded: facts.stranded(),
                threshold,
                failed: facts.failed,
                unknown: facts.unknown,
                succeeded: facts.succeeded,
                tries_centi: tries_centi(&facts),
                at_home,
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, _baseline: &Profile, policy: &Policy) -> Option<Measure> {
        let of_this = origins(seen).filter(|(_, facts)| attack(facts) == Some(self.0));
        let stranded = of_this.map(|(_, facts)| facts.stranded()).max().unwrap_or(0);
        Some(Measure::up("other users who failed from there", stranded, self.threshold(policy), Unit::Count))
    }
}

fn origins(seen: &Observation<'_>) -> impl Iterator<Item = (OriginKind, OriginFacts)> {
    let across = seen.facts.across.unwrap_or_default();
    let network = across.network.map(|facts| (OriginKind::Network, facts));
    network.into_iter().chain(across.device.map(|facts| (OriginKind::Device, facts)))
}

fn is_home(home: AtHome, origin: OriginKind) -> bool {
    match origin {
        OriginKind::Network => home.network,
        OriginKind::Device => home.device,
    }
}

/// What the crowd at an origin looks like, however many they are.
fn attack(facts: &OriginFacts) -> Option<Attack> {
    let (failed, stranded) = (u64::from(facts.failed), u64::from(facts.stranded()));
    let all = stranded + u64::from(facts.succeeded);
    if stranded == 0 || stranded * QUARTER < all || tries_centi(facts) > TRIES_CENTI_MAX {
        return None;
    }
    let many_unknown = u64::from(facts.unknown) * QUARTER >= failed;
    let once_each = tries_centi(facts) <= ONCE_CENTI;
    Some(if many_unknown && once_each { Attack::Stuffing } else { Attack::Spray })
}

fn tries_centi(facts: &OriginFacts) -> u32 {
    let tries = u64::from(facts.attempts) * 100 / u64::from(facts.failed.max(1));
    u32::try_from(tries).unwrap_or(u32::MAX)
}

/// Ten times the users, ten times likelier an attack, beside one whom nobody attacks.
fn centibans(facts: &OriginFacts, at_home: bool) -> Centibans {
    if at_home {
        return Centibans::new(0);
    }
    let bans = log10(f64::from(facts.stranded().max(1)));
    Centibans::new(i32::try_from(whole(100.0 * bans)).unwrap_or(1000).min(400))
}

const QUARTER: u64 = 4;
/// More on each user is no longer a few.
const TRIES_CENTI_MAX: u32 = 1000;
/// About once: some clients try again by themselves.
const ONCE_CENTI: u32 = 150;

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, profile, seen};
    use super::*;
    use crate::model::across::Across;

    /// A success on another device, from where `failed unknown recovered succeeded attempts` are known.
    #[track_caller]
    fn check(facts: [u32; 5], spray: Option<u16>, stuffing: Option<u16>) {
        let [failed, unknown, recovered, succeeded, attempts] = facts;
        let facts = OriginFacts { version: 9, failed, unknown, recovered, succeeded, attempts };
        let mut login = seen("2026-01-19 09:00 login london.vpn other chrome-mac s2");
        login.facts.across = Some(Across { network: Some(facts), device: None });
        let (baseline, policy) = (profile(LONDON), Policy::shipped("default").unwrap());
        let said = |crowd: Crowd| match crowd.inspect(&login, &baseline, &policy) {
            Finding::Found { severity, .. } => Some(severity.value()),
            other => {
                assert_eq!(other, Finding::Quiet);
                None
            }
        };
        assert_eq!((said(Crowd::SPRAY), said(Crowd::STUFFING)), (spray, stuffing), "{facts:?}");
    }

    #[test]
    fn few_passwords_on_many_users_are_a_spray() {
        check([19, 0, 0, 0, 19], None, None);
        check([20, 0, 0, 0, 20], Some(600), None);
        check([40, 0, 0, 2, 120], Some(1000), None);
        check([20, 10, 0, 0, 40], Some(600), None);
        check([21, 0, 2, 2, 40], None, None);
    }

    #[test]
    fn many_names_that_do_not_exist_tried_once_are_stuffing() {
        check([20, 5, 0, 0, 20], None, Some(600));
        check([200, 150, 0, 3, 220], None, Some(1000));
        check([20, 4, 0, 0, 20], Some(600), None);
    }

    #[test]
    fn many_tries_on_each_or_many_who_succeed_are_neither() {
        check([20, 0, 0, 0, 201], None, None);
        check([20, 0, 0, 60, 20], Some(600), None);
        check([20, 0, 0, 61, 20], None, None);
    }

    #[test]
    fn whoever_is_at_home_there_is_no_attacker() {
        let facts = OriginFacts { version: 9, failed: 90, attempts: 90, ..OriginFacts::default() };
        let mut login = seen("2026-01-19 09:00 login london.fibre laptop chrome-mac s2");
        let (baseline, policy) = (profile(LONDON), Policy::shipped("default").unwrap());
        let mut severity = |across: Across| {
            login.facts.across = Some(across);
            match Crowd::SPRAY.inspect(&login, &baseline, &policy) {
                Finding::Found { severity, .. } => severity.value(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(severity(Across { network: Some(facts), device: None }), 400);
        assert_eq!(severity(Across { network: None, device: Some(facts) }), 400);
    }

    #[test]
    fn without_an_origin_nothing_can_be_said() {
        let (baseline, policy) = (profile(LONDON), Policy::shipped("default").unwrap());
        let said = |line: &str| Crowd::SPRAY.inspect(&seen(line), &baseline, &policy);
        assert_eq!(said("2026-01-19 09:00 login - - chrome-mac s2"), Finding::Unknown(Why::NoAddress));
        assert_eq!(said("2026-01-19 09:00 approved - - - s2"), Finding::NotApplicable);
        assert_eq!(
            said("2026-01-19 09:00 failure london.fibre laptop chrome-mac s2"),
            Finding::NotApplicable
        );
        assert_eq!(said("2026-01-19 09:00 approved london.fibre laptop - s2"), Finding::Quiet);
    }
}
