//! Canaries: for each detector a short life of a synthetic subject that must make it speak.
//!
//! A detector that has gone silent looks like a quiet day: a table that lost its places, a policy
//! whose exception is too wide. So somebody whose last event is beyond doubt is folded through the
//! same engine, with the tables and the policy in force, on a profile of its own. Nothing of it
//! reaches a topic or a store, and nothing comes in: an event that names the canaries' tenant is one
//! of a tenant of that name, with a profile that no canary sees.
//!
//! *When it is silent of a fault*: what no table is configured for, events bring along as hints, as
//! the producers of such an installation do; a fault of the producers themselves shows in
//! `ward_unknown_total`, not here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use crate::engine::across::Local;
use crate::engine::baseline::Profile;
use crate::engine::decode::{Format, Limits, decode};
use crate::engine::enrich::address::is_public;
use crate::engine::enrich::enrich;
use crate::engine::number::distance_m;
use crate::engine::policy::Policy;
use crate::engine::signals;
use crate::engine::step::{LIFETIME, Setting, Stepped, step};
use crate::model::NetworkClass;
use crate::model::decision::Basis;
use crate::model::id::Position;
use crate::model::signal::Signal;
use crate::model::time::Timestamp;
use crate::ports::tables::{Atlas, AtlasPlace, Tables};

/// The tenant of canaries, and the source that exceptions see.
pub const TENANT: &str = "ward-canary";

/// Which tables are configured: what they should know is not hinted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub places: bool,
    pub networks: bool,
}

/// Where canaries come from, found in the tables once.
#[derive(Clone, Debug)]
pub struct Aviary {
    home: Option<Whence>,
    away: Option<Whence>,
    hidden: Option<Whence>,
}

/// How an event shows where it comes from: members of a JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Whence(String);

impl Whence {
    fn address(address: IpAddr) -> Self {
        Self(format!(r#""ip_address":"{address}""#))
    }
}

impl Aviary {
    /// Looks for two places far apart, and for a network that hides places. What is expected of the
    /// tables and is not there makes its canaries silent.
    #[must_use]
    pub fn build(atlas: &dyn Atlas, expected: Expected) -> Self {
        let (home, away) = if expected.places {
            far_apart(&atlas.places())
        } else {
            (Some(Whence(HOME.into())), Some(Whence(AWAY.into())))
        };
        let hidden = if expected.networks {
            let hides = |class: NetworkClass| HIDING.contains(&class);
            let mut classed = atlas.classed().into_iter();
            classed.find_map(|(class, net)| {
                (hides(class) && is_public(net.network())).then(|| Whence::address(net.network()))
            })
        } else {
            Some(Whence(HIDDEN.into()))
        };
        Self { home, away, hidden }
    }

    /// Runs the canary of every detector at the day of `now`: what each said, or why not.
    #[must_use]
    pub fn sing(
        &self,
        now: Timestamp,
        tables: &dyn Tables,
        policy: &Policy,
    ) -> Vec<(Signal, Result<(), String>)> {
        let signals: BTreeSet<_> = signals::spoken().collect();
        signals.into_iter().map(|signal| (signal, self.one(signal, now, tables, policy))).collect()
    }

    fn one(
        &self,
        signal: Signal,
        now: Timestamp,
        tables: &dyn Tables,
        policy: &Policy,
    ) -> Result<(), String> {
        // Only canaries of places need a home that has one.
        let nowhere = Whence::address(IpAddr::from([81, 2, 69, 142]));
        let home = self.home.as_ref().unwrap_or(&nowhere);
        let away = || match (&self.home, &self.away) {
            (Some(_), Some(away)) => Ok(away),
            _ => Err("the tables know no two places far apart".to_owned()),
        };
        let mut life = Life::new(signal, now, home);
        match signal {
            Signal::UnusualLocation | Signal::NewNetwork => life.login(DAY, away()?, "home"),
            Signal::ImpossibleTravel => life.login(10 * MINUTE, away()?, "home"),
            Signal::AnonymousNetwork => {
                let hidden = self.hidden.as_ref().ok_or("the tables know no network that hides places")?;
                life.login(DAY, hidden, "home");
            }
            Signal::NewDevice => life.login(DAY, home, "other"),
            Signal::SessionMismatch => {
                let member =
                    format!(r#""outcome":"success","app":"canary","device_fingerprint":"other",{}"#, home.0);
                life.event(MINUTE, "access", &member);
            }
            Signal::UnusualTime => life.login(10 * HOUR, home, "home"),
            Signal::AnomalousBehavior => {
                (0..8).for_each(|batch| life.typing(90 + batch, 180 + 2 * batch));
                (0..4).for_each(|_| life.typing(20, 700));
            }
            Signal::FailedBurst => {
                life.after(DAY);
                for _ in 0..(policy.failed_burst_threshold.saturating_add(2)).min(REPEATS_MAX) {
                    let member =
                        format!(r#""outcome":"failure","failure_reason":"bad_credentials",{}"#, home.0);
                    life.event(1, "login", &member);
                }
                life.login(1, home, "home");
            }
            Signal::ChallengeFatigue => {
                life.after(DAY);
                for _ in 0..policy.challenge_fatigue_threshold.saturating_add(1).min(REPEATS_MAX) {
                    life.event(1, "challenge", r#""factor":"push","outcome":"denied""#);
                }
                life.event(1, "challenge", r#""factor":"push","outcome":"approved""#);
            }
            Signal::PasswordSpray => life.crowd(
                policy.password_spray_threshold,
                r#""outcome":"failure","failure_reason":"bad_credentials""#,
                home,
            ),
            Signal::CredentialStuffing => life.crowd(
                policy.credential_stuffing_threshold,
                r#""outcome":"failure","failure_reason":"unknown_user""#,
                home,
            ),
            Signal::SharedDevice => {
                life.crowd(policy.shared_device_threshold, r#""outcome":"success""#, home);
            }
            Signal::Reported => {
                let member =
                    format!(r#""verdict":"compromised","by":"user","about":{{"session_id":"s{DAYS}"}}"#);
                life.event(MINUTE, "feedback", &member);
            }
            Signal::TokenReuse => {
                for (after, device) in [(HOUR, "home"), (HOUR, "other")] {
                    let member = format!(
                        r#""change":"refresh","token_id":"after {device}","previous_token_id":"first","device_fingerprint":"{device}",{}"#,
                        home.0
                    );
                    life.event(after, "session", &member);
                }
            }
            Signal::DormantAccount => {
                life.login(policy.dormant_after.as_secs().min(SILENCE_MAX) + DAY, home, "home");
            }
            Signal::CredentialChange => {
                let member =
                    format!(r#""verdict":"compromised","by":"user","about":{{"session_id":"s{DAYS}"}}"#);
                life.event(MINUTE, "feedback", &member);
                life.event(MINUTE, "credential", r#""factor":"totp","change":"create""#);
            }
            Signal::RareAccess => {
                for _ in 0..policy.rare_access_threshold.saturating_add(10).min(REPEATS_MAX) {
                    life.login(DAY, home, "home");
                    life.access(home, "mail", "user");
                }
                life.access(home, "payroll", "admin");
            }
            Signal::ServiceIdentity => {
                life = Life::of("service", signal, now, home);
                life.login(DAY, away()?, "home");
            }
        }
        life.fold(tables, policy)
    }
}

/// The first place, and the one that is farthest from it, in another country if there is one.
fn far_apart(places: &[AtlasPlace]) -> (Option<Whence>, Option<Whence>) {
    let plain = |place: &AtlasPlace| {
        let plain = place.networks.iter().find(|one| one.class.is_none() && is_public(one.net.network()));
        plain.map(|one| one.net.network())
    };
    let usable: Vec<_> = places.iter().filter_map(|place| Some((place, plain(place)?))).collect();
    let Some((home, address)) = usable.first() else { return (None, None) };
    let km = |place: &AtlasPlace| distance_m(home.coordinates, place.coordinates) / 1000;
    let far = usable.iter().filter(|(place, _)| km(place) >= AWAY_KM_MIN);
    let away = far.max_by_key(|(place, _)| (place.country != home.country, km(place)));
    (Some(Whence::address(*address)), away.map(|(_, address)| Whence::address(*address)))
}

/// One subject's events, oldest first.
struct Life {
    subject: &'static str,
    signal: Signal,
    at: Timestamp,
    session: u32,
    events: Vec<String>,
}

impl Life {
    /// Two weeks of logins at nine from `home`, the last at the day of `now`.
    fn new(signal: Signal, now: Timestamp, home: &Whence) -> Self {
        Self::of("person", signal, now, home)
    }

    fn of(subject: &'static str, signal: Signal, now: Timestamp, home: &Whence) -> Self {
        let midnight = now.seconds() - now.seconds().rem_euclid(DAY.cast_signed());
        let first = midnight + 9 * HOUR.cast_signed() - i64::from(DAYS) * DAY.cast_signed();
        let at = Timestamp::from_seconds(first).unwrap_or(Timestamp::EPOCH);
        let mut life = Self { subject, signal, at, session: 0, events: Vec::new() };
        for _ in 0..DAYS {
            life.login(DAY, home, "home");
        }
        life
    }

    fn after(&mut self, seconds: u64) {
        self.at = self.at.plus(Duration::from_secs(seconds));
    }

    fn login(&mut self, after: u64, whence: &Whence, device: &str) {
        self.session += 1;
        let member = format!(
            r#""outcome":"success","factors":{FACTORS},"device_fingerprint":"{device}","user_agent":"{AGENT}",{}"#,
            whence.0
        );
        self.event(after, "login", &member);
    }

    fn access(&mut self, whence: &Whence, app: &str, privilege: &str) {
        let member = format!(
            r#""outcome":"success","app":"{app}","privilege":"{privilege}","device_fingerprint":"home",{}"#,
            whence.0
        );
        self.event(MINUTE, "access", &member);
    }

    /// Sixteen keys, each held for `held_ms`, one every `gap_ms`.
    fn typing(&mut self, held_ms: u32, gap_ms: u32) {
        let mut keys = String::new();
        for key in 0..16_u32 {
            let down = key * gap_ms + key % 3;
            let up = down + held_ms + key % 5;
            let comma = if key == 0 { "" } else { "," };
            write!(keys, r#"{comma}{{"key":"k{}","down_ms":{down},"up_ms":{up}}}"#, key % 4)
                .unwrap_or_default();
        }
        self.event(MINUTE, "behavior", &format!(r#""device_fingerprint":"home","keyboard_events":[{keys}]"#));
    }

    /// Others, each once on a device of nobody's; then the subject comes in on it.
    fn crowd(&mut self, threshold: u16, members: &str, home: &Whence) {
        self.after(DAY);
        // Numbers of many users are estimates, and rounded down.
        let others = (threshold.saturating_add(threshold / 4)).saturating_add(2).min(REPEATS_MAX);
        for other in 0..others {
            self.event_of(
                &format!("other{other}"),
                1,
                "login",
                &format!(r#""device_fingerprint":"other",{members}"#),
            );
        }
        self.login(1, home, "other");
    }

    fn event(&mut self, after: u64, kind: &str, members: &str) {
        self.event_of(self.signal.name(), after, kind, members);
    }

    fn event_of(&mut self, user: &str, after: u64, kind: &str, members: &str) {
        self.after(after);
        let (number, session, at) = (self.events.len(), self.session, self.at);
        let subject = self.subject;
        self.events.push(format!(
            r#"{{"event_id":"{number}","tenant":"{TENANT}","user_id":"{user}","type":"{kind}","occurred_at":"{at}","source":"{TENANT}","subject_kind":"{subject}","session_id":"s{session}",{members}}}"#
        ));
    }

    /// Whether the last event makes the detector speak.
    fn fold(&self, tables: &dyn Tables, policy: &Policy) -> Result<(), String> {
        let basis = Basis {
            policy: policy.digest,
            engine: crate::engine::REVISION,
            tables: tables.digest(),
            model: None,
        };
        let setting = Setting { policy, basis, shadow: None, lifetime: &LIFETIME };
        let limits = Limits::default();
        let (mut subject, mut across) = (Profile::absent(), Local::default());
        let mut said = Err("nothing was decided".to_owned());
        for (offset, text) in (0..).zip(&self.events) {
            let decoded = decode(text.as_bytes(), Format::Json, "", None, &limits)
                .map_err(|rejected| format!("its event is rejected: {}", rejected.detail))?;
            let mut seen = enrich(decoded.event, tables);
            seen.facts.across = across.look_up(&seen);
            // Nothing is known of the others, and nobody asks.
            let mut other = Profile::absent();
            let profile = if seen.event.user == self.signal.name() { &mut subject } else { &mut other };
            for part in profile.needs(seen.event.kind()).iter() {
                profile.load(part, None).map_err(|error| error.to_string())?;
            }
            let position = Position { topic: None, partition: 0, offset };
            said = match step(profile, &seen, position, &setting) {
                Stepped::Decided(ruling) => {
                    across.take(&seen, ruling.sightings, offset.unsigned_abs());
                    self.heard(&ruling.decision)
                }
                Stepped::Duplicate => Err("its event is taken for a duplicate".into()),
                Stepped::Missing(part) => Err(format!("part {part} is missing")),
            };
        }
        said
    }

    fn heard(&self, decision: &crate::model::decision::Decision<'_>) -> Result<(), String> {
        if decision.reasons.iter().any(|reason| reason.signal == self.signal) {
            Ok(())
        } else if decision.unknown.contains(&self.signal) {
            Err("the detector lacks what it compares: see the tables".into())
        } else if let Some(exception) = decision.exceptions.first() {
            Err(format!("nothing is found; exception `{exception}` of the policy holds for it"))
        } else {
            Err("the detector looks and finds nothing".into())
        }
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
/// A baseline is mature after ten logins on five days.
const DAYS: u32 = 14;
/// Beyond it a profile has expired, and nobody is dormant.
const SILENCE_MAX: u64 = 398 * DAY;
/// Beyond every radius that a table states.
const AWAY_KM_MIN: u32 = 2_500;
/// Thresholds are the policy's; a canary is not longer than this whatever they are.
const REPEATS_MAX: u16 = 1_000;
const HIDING: [NetworkClass; 4] =
    [NetworkClass::Tor, NetworkClass::Vpn, NetworkClass::Proxy, NetworkClass::Hosting];

const HOME: &str = r#""ip_address":"81.2.69.142","place_hint":{"country":"GB","city":"London","latitude":51.5,"longitude":-0.12,"radius_km":20},"network_hint":{"asn":64500}"#;
const AWAY: &str = r#""ip_address":"175.16.199.1","place_hint":{"country":"AU","city":"Sydney","latitude":-33.9,"longitude":151.2,"radius_km":20},"network_hint":{"asn":64501}"#;
const HIDDEN: &str = r#""ip_address":"185.220.101.1","network_hint":{"asn":64502,"class":"tor"}"#;
/// All that a policy may ask for: what is not allowed teaches nothing.
const FACTORS: &str =
    r#"["password","totp","push","webauthn_platform","webauthn_roaming","biometric","hardware_key"]"#;
const AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::enrich::builtin::Builtin;
    use crate::ports::tables::NoTables;

    fn silent(tables: &dyn Atlas, expected: Expected, policy: &Policy) -> Vec<(Signal, String)> {
        let now = Timestamp::parse("2026-03-04T12:34:56Z").unwrap();
        let sung = Aviary::build(tables, expected).sing(now, tables, policy);
        sung.into_iter().filter_map(|(signal, said)| Some((signal, said.err()?))).collect()
    }

    const ALL: Expected = Expected { places: true, networks: true };
    const NONE: Expected = Expected { places: false, networks: false };

    #[test]
    fn every_detector_has_a_canary_that_sings_under_the_shipped_policies() {
        for name in ["seed", "default"] {
            let policy = Policy::shipped(name).unwrap();
            assert_eq!(silent(&Builtin::new(), ALL, &policy), [], "{name}, by the tables");
            assert_eq!(silent(&NoTables, NONE, &policy), [], "{name}, by hints");
        }
    }

    /// Tables that are configured and know nothing: what a broken download looks like.
    #[test]
    fn an_empty_table_silences_what_rests_on_it() {
        let policy = Policy::shipped("default").unwrap();
        let signals = |expected| -> Vec<_> {
            silent(&NoTables, expected, &policy).into_iter().map(|(signal, _)| signal).collect()
        };
        let places =
            [Signal::UnusualLocation, Signal::ImpossibleTravel, Signal::NewNetwork, Signal::ServiceIdentity];
        assert_eq!(signals(Expected { places: true, networks: false }), places);
        assert_eq!(signals(Expected { places: false, networks: true }), [Signal::AnonymousNetwork]);
    }

    /// Places are still listed, and look-ups find nothing.
    #[test]
    fn a_table_that_stops_answering_silences_what_rests_on_it() {
        let policy = Policy::shipped("default").unwrap();
        let now = Timestamp::parse("2026-03-04T12:34:56Z").unwrap();
        let sung = Aviary::build(&Builtin::new(), ALL).sing(now, &NoTables, &policy);
        let location = sung.iter().find(|(signal, _)| *signal == Signal::UnusualLocation).unwrap();
        assert_eq!(location.1.as_ref().unwrap_err(), "the detector lacks what it compares: see the tables");
    }

    #[test]
    fn an_exception_that_is_too_wide_is_named() {
        let text = "version = 1\nextends = 'default'\n[[exception]]\nid = 'all'\nwhen = { source = 'ward-canary' }\nsilence = 'new_device'\nowner = 'it'\nexpires = 2099-01-31";
        let policy = Policy::load("p", &|path: &std::path::Path| match path.to_str() {
            Some("p") => Ok(text.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        });
        let policy = policy.unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let silent = silent(&Builtin::new(), ALL, &policy);
        assert_eq!(silent.len(), 1, "{silent:?}");
        assert!(silent[0].1.contains("exception `all`"), "{silent:?}");
    }
}
