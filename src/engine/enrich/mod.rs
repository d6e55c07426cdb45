//! Enrich: an event, and what is known of its address, its browser and its keys.
//!
//! Everything is looked up once, here; detectors never look up. Tables come first; what the vendor
//! states (`place_hint`, `network_hint`) is used where they are silent. An address that is not of
//! the public internet gives no place, no network and no keys, whatever anyone says about it.

pub mod address;
pub mod agent;
mod answers;
pub mod builtin;

use std::net::IpAddr;

use agent::{Agent, Agents};
use answers::Answers;

use crate::engine::memory::Memory;
use crate::engine::number::whole;
use crate::model::PlaceSource;
use crate::model::event::{Event, PlaceHint};
use crate::model::id::hash64;
use crate::model::observation::{EVENT_ID_SHIFT, Facts, Keys, Observation};
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;
use crate::ports::tables::{Found, Tables};

/// Looks everything up once. Detectors never look up.
pub fn enrich<'a>(event: Event<'a>, tables: &dyn Tables) -> Observation<'a> {
    let look_up = |address, at| tables.look_up(address, at);
    observe(event, look_up, agent::parse, &mut KnownKeys::default())
}

/// An event with facts that were looked up before: those that a decision records.
pub fn with_facts(event: Event<'_>, facts: Facts) -> Observation<'_> {
    Enricher::default().with_facts(event, facts)
}

/// [`enrich`] and [`with_facts`] for many events in a row: remembers user agents, keys, and what the
/// tables said.
#[derive(Debug, Default)]
pub struct Enricher {
    agents: Agents,
    answers: Answers,
    keys: KnownKeys,
}

impl Enricher {
    pub fn enrich<'a>(&mut self, event: Event<'a>, tables: &dyn Tables) -> Observation<'a> {
        let Self { agents, answers, keys } = self;
        let look_up = |address, at| answers.look_up(tables, address, at);
        observe(event, look_up, |text| agents.parse(text), keys)
    }

    pub fn with_facts<'a>(&mut self, event: Event<'a>, facts: Facts) -> Observation<'a> {
        let public = address_of(&event).filter(|address| address::is_public(*address));
        let keys = keys(&event, public, &mut self.keys);
        Observation { event, facts, keys }
    }
}

fn observe<'a>(
    event: Event<'a>,
    look_up: impl FnOnce(IpAddr, Timestamp) -> Found,
    parse: impl FnOnce(&str) -> Agent,
    known: &mut KnownKeys,
) -> Observation<'a> {
    let stated = address_of(&event);
    let public = stated.filter(|address| address::is_public(*address));

    let mut facts = Facts::default();
    if let Some(agent) = event.user_agent.as_deref().map(parse) {
        facts.browser = Some(agent.browser);
        facts.os = Some(agent.os);
        facts.device = Some(agent.device);
    }
    if let Some(address) = public {
        let found = look_up(address, event.occurred_at);
        facts.country = found.country;
        facts.coordinates = found.coordinates;
        facts.utc_offset_minutes = found.utc_offset_minutes;
        facts.asn = found.asn;
        facts.network_class = found.class;
        if found.country.is_some() || found.coordinates.is_some() {
            facts.place_source = Some(PlaceSource::Mmdb);
        }
    }
    if public.is_some() || stated.is_none() {
        take_hints(&mut facts, &event);
    }
    if facts.utc_offset_minutes.is_none() {
        facts.utc_offset_minutes = facts.coordinates.map(offset_by_longitude);
    }

    let keys = keys(&event, public, known);
    Observation { event, facts, keys }
}

/// `ip_address`, else the first public one of `ip_chain`, else its first.
fn address_of(event: &Event<'_>) -> Option<IpAddr> {
    let mut chain = event.ip_chain.iter();
    let of_chain = || {
        let public = chain.clone().find(|address| address::is_public(**address));
        public.or_else(|| chain.next()).copied()
    };
    event.ip_address.or_else(of_chain).map(address::unmapped)
}

/// What the vendor states, where the tables are silent.
fn take_hints(facts: &mut Facts, event: &Event<'_>) {
    if let Some(hint) = &event.place_hint
        && facts.place_source.is_none()
    {
        facts.country = hint.country.as_deref().and_then(Country::parse);
        facts.coordinates = hinted_coordinates(hint);
        if facts.country.is_some() || facts.coordinates.is_some() {
            facts.place_source = Some(PlaceSource::Hint);
        }
    }
    if let Some(hint) = event.network_hint {
        facts.asn = facts.asn.or(hint.asn);
        facts.network_class = facts.network_class.or(hint.class);
    }
}

fn hinted_coordinates(hint: &PlaceHint<'_>) -> Option<Coordinates> {
    let radius_km = match hint.radius_km {
        Some(radius_km) => u16::try_from(whole(radius_km.min(20_000.0))).unwrap_or(0),
        None if hint.city.is_some() => CITY_RADIUS_KM,
        None if hint.region.is_some() => REGION_RADIUS_KM,
        // Coordinates and no country, region or city: precise, as a device states them.
        None if hint.country.is_none() => CITY_RADIUS_KM,
        // Coordinates of a country alone are its centroid.
        None => COUNTRY_RADIUS_KM,
    };
    Coordinates::new(hint.latitude?, hint.longitude?, radius_km)
}

/// The sun's time: an hour each 15 degrees.
fn offset_by_longitude(place: Coordinates) -> i16 {
    let half = if place.longitude_e4() < 0 { -HOUR_E4 / 2 } else { HOUR_E4 / 2 };
    i16::try_from((place.longitude_e4() + half) / HOUR_E4 * 60).unwrap_or(0)
}

/// Keys of devices and sessions, which stand in many events: by domain, tenant and text.
#[derive(Debug, Default)]
struct KnownKeys {
    keys: Memory<u64, KNOWN_KEYS>,
    name: Vec<u8>,
}

impl KnownKeys {
    fn of(&mut self, domain: &str, tenant: &str, text: &str) -> u64 {
        self.name.clear();
        for part in [domain, tenant, text] {
            self.name.extend_from_slice(&(part.len() as u64).to_le_bytes());
            self.name.extend_from_slice(part.as_bytes());
        }
        self.keys.get_or(&self.name, || tenant_key(domain, tenant, text))
    }
}

fn keys(event: &Event<'_>, public: Option<IpAddr>, known: &mut KnownKeys) -> Keys {
    let mut of = |domain, text: &Option<std::borrow::Cow<'_, str>>| {
        text.as_deref().map(|text| known.of(domain, &event.tenant, text))
    };
    let source = event.source.as_deref().unwrap_or_default();
    let parts = [&*event.tenant, &*event.user, source, &*event.id].map(str::as_bytes);
    Keys {
        event: (hash64("event", &parts) & !EVENT_ID_BITS
            | event_id_key(&event.id) << EVENT_ID_SHIFT & EVENT_ID_BITS)
            & EVENT_KEY_MASK,
        device: of("device", &event.device_fingerprint),
        session: of("session", &event.session_id).map(|key| key & SESSION_KEY_MASK),
        address: public.map(address::address_key),
        prefix: public.map(address::prefix_key),
    }
}

/// The key of an event's id alone, 48 bits: feedback names the id and not the source. Its low 20 are in
/// [`Keys::event`].
#[must_use]
pub fn event_id_key(id: &str) -> u64 {
    hash64("event id", &[id.as_bytes()]) & EVENT_KEY_MASK
}

/// The key of a session, 48 bits, that a text names, e.g. what a feedback speaks about.
#[must_use]
pub fn session_key(tenant: &str, session_id: &str) -> u64 {
    tenant_key("session", tenant, session_id) & SESSION_KEY_MASK
}

/// The key of an app.
#[must_use]
pub fn app_key(tenant: &str, app: &str) -> u64 {
    tenant_key("app", tenant, app)
}

/// The key of a token, by the handle that events name.
#[must_use]
pub fn token_key(tenant: &str, token_id: &str) -> u64 {
    tenant_key("token", tenant, token_id)
}

fn tenant_key(domain: &str, tenant: &str, text: &str) -> u64 {
    hash64(domain, &[tenant.as_bytes(), text.as_bytes()])
}

/// Radii where a source states none: a city, a region, a country.
pub const CITY_RADIUS_KM: u16 = 50;
const REGION_RADIUS_KM: u16 = 200;
const COUNTRY_RADIUS_KM: u16 = Coordinates::COUNTRY_RADIUS_KM;

/// Twice as many: a MiB or two.
const KNOWN_KEYS: usize = 4096;
const HOUR_E4: i32 = 150_000;
/// A user has four of them at once.
const SESSION_KEY_MASK: u64 = (1 << 48) - 1;
const EVENT_KEY_MASK: u64 = (1 << 48) - 1;
const EVENT_ID_BITS: u64 = ((1 << 20) - 1) << EVENT_ID_SHIFT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Body, NetworkHint};
    use crate::model::id::Digest;
    use crate::model::{Factors, NetworkClass, Outcome, Privilege, SubjectKind};

    /// Knows 81.2.69.0/24 as London, 82.0.0.0/8 as a system and a class without a place.
    #[derive(Debug)]
    struct Small;

    impl Tables for Small {
        fn look_up(&self, address: IpAddr, _at: Timestamp) -> Found {
            match address.to_string() {
                text if text.starts_with("81.2.69.") => Found {
                    country: Country::parse("GB"),
                    coordinates: Coordinates::new(51.5, -0.12, 20),
                    utc_offset_minutes: Some(60),
                    ..Found::default()
                },
                text if text.starts_with("82.") => {
                    Found { asn: Some(3), class: Some(NetworkClass::Vpn), ..Found::default() }
                }
                text if text.starts_with("83.") => {
                    Found { coordinates: Coordinates::new(35.7, 139.7, 20), ..Found::default() }
                }
                _ => Found::default(),
            }
        }

        fn digest(&self) -> Digest {
            Digest::ZERO
        }
    }

    fn event(address: &str, chain: &[&str]) -> Event<'static> {
        Event {
            id: "e1".into(),
            has_own_id: true,
            tenant: "acme".into(),
            user: "ada".into(),
            occurred_at: Timestamp::EPOCH,
            source: None,
            source_user_id: None,
            source_session_id: None,
            subject_kind: SubjectKind::Person,
            groups: Vec::new(),
            actor_id: None,
            app: None,
            resource: None,
            privilege: Privilege::None,
            session_id: None,
            ip_address: address.parse().ok(),
            ip_chain: chain.iter().map(|text| text.parse().unwrap()).collect(),
            user_agent: None,
            device_fingerprint: None,
            device_managed: None,
            tls_fingerprint: None,
            rtt_ms: None,
            place_hint: Some(PlaceHint {
                country: Some("AU".into()),
                latitude: Some(-33.9),
                longitude: Some(151.2),
                ..PlaceHint::default()
            }),
            network_hint: Some(NetworkHint { asn: Some(1221), class: Some(NetworkClass::Carrier) }),
            interactive: true,
            evaluation_id: None,
            backfill: false,
            body: Body::Login { outcome: Outcome::Success, failure_reason: None, factors: Factors::NONE },
        }
    }

    /// Facts in a line: country, radius, source, offset, system, class, whether there is a key.
    #[track_caller]
    fn check(address: &str, chain: &[&str], expected: &str) {
        let seen = enrich(event(address, chain), &Small);
        assert_eq!(Enricher::default().enrich(event(address, chain), &Small), seen);
        let facts = seen.facts;
        let word = |word: Option<String>| word.unwrap_or_else(|| "-".into());
        let told = [
            word(facts.country.map(|country| country.as_str().into())),
            word(facts.coordinates.map(|place| place.radius_km.to_string())),
            word(facts.place_source.map(|source| source.to_string())),
            word(facts.utc_offset_minutes.map(|minutes| minutes.to_string())),
            word(facts.asn.map(|asn| asn.to_string())),
            word(facts.network_class.map(|class| class.to_string())),
            if seen.keys.address.is_some() && seen.keys.prefix.is_some() { "keyed" } else { "-" }.into(),
        ];
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn tables_come_before_hints() {
        check("81.2.69.142", &[], "GB 20 mmdb 60 1221 carrier keyed");
        check("82.1.1.1", &[], "AU 1000 hint 600 3 vpn keyed");
        check("9.9.9.9", &[], "AU 1000 hint 600 1221 carrier keyed");
        check("", &[], "AU 1000 hint 600 1221 carrier -");
    }

    #[test]
    fn without_a_zone_the_sun_tells() {
        check("83.1.1.1", &[], "- 20 mmdb 540 1221 carrier keyed");
    }

    #[test]
    fn what_is_not_public_is_no_place_whoever_says_so() {
        for address in ["10.0.0.1", "100.64.0.9", "127.0.0.1", "203.0.113.9", "fe80::1", "::ffff:192.168.0.1"]
        {
            check(address, &[], "- - - - - - -");
        }
        check("10.0.0.1", &["81.2.69.142"], "- - - - - - -");
        check("", &["10.0.0.1"], "- - - - - - -");
    }

    #[test]
    fn the_chain_speaks_when_the_address_is_absent() {
        check("", &["10.0.0.1", "81.2.69.142", "82.1.1.1"], "GB 20 mmdb 60 1221 carrier keyed");
        check("::ffff:81.2.69.142", &[], "GB 20 mmdb 60 1221 carrier keyed");
    }

    #[test]
    fn keys_keep_apart_what_is_apart() {
        let keys = |change: fn(&mut Event<'_>)| {
            let mut event = event("81.2.69.142", &[]);
            event.device_fingerprint = Some("x".into());
            event.session_id = Some("x".into());
            change(&mut event);
            enrich(event, &Small).keys
        };
        let plain = keys(|_| ());
        assert_eq!(plain, keys(|_| ()));
        assert_ne!(plain.device, plain.session);
        assert!(plain.event < 1 << 48);
        assert_ne!(plain.event, keys(|event| event.id = "e2".into()).event);
        assert_ne!(plain.event, keys(|event| event.source = Some("okta".into())).event);
        assert_ne!(plain.device, keys(|event| event.tenant = "other".into()).device);
    }
}
