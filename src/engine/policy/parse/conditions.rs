//! The conditions of a rule or an exception, from their table.

use ipnet::IpNet;

use super::terms::TENANT;
use crate::engine::document::{Table, Value, quoted};
use crate::engine::policy::{Condition, When};
use crate::model::id::is_tenant;
use crate::model::place::Country;
use crate::model::signal::Signal;
use crate::model::{EventType, Factor, History, Level, NetworkClass, Privilege, SubjectKind};

/// What conditions may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The event and what was looked up: an exception silences signals before a score exists.
    Event,
    /// That, and what came of it.
    Outcome,
}

/// Reads a `when`. `None` after a mistake.
pub(super) fn when(value: &Value<'_>, asks: Asks) -> Option<When> {
    nested(value, asks, 0)
}

fn nested(value: &Value<'_>, asks: Asks, depth: usize) -> Option<When> {
    let mut table = value.table()?;
    if table.is_empty() {
        value.mistake(format!("`{}` is empty, expected at least one condition", value.path()));
        return None;
    }
    if depth > DEPTH_MAX {
        value.mistake(format!("`{}` is nested deeper than {DEPTH_MAX} times; simplify it", value.path()));
        return None;
    }
    let mut reading = Conditions { table: &mut table, all: Vec::new(), is_sound: true };
    reading.event_fields();
    reading.outcome_fields(asks);
    reading.one("not", |value| nested(value, asks, depth + 1).map(Condition::Not));
    let Conditions { all, is_sound, .. } = reading;
    let known = all.len();
    table.finish();
    (is_sound && known > 0).then_some(When { all })
}

struct Conditions<'t, 'd> {
    table: &'t mut Table<'d>,
    all: Vec<Condition>,
    is_sound: bool,
}

impl<'d> Conditions<'_, 'd> {
    fn event_fields(&mut self) {
        self.any("tenant", tenant, Condition::Tenant);
        self.any("user", text, Condition::User);
        self.any("group", text, Condition::Group);
        self.any("app", text, Condition::App);
        self.any("resource", text, Condition::Resource);
        self.any("source", text, Condition::Source);
        self.any("privilege", |value| value.word(Privilege::ALL, Privilege::name), Condition::Privilege);
        self.any("type", |value| value.word(EventType::ALL, EventType::name), Condition::Type);
        self.any(
            "subject_kind",
            |value| value.word(SubjectKind::ALL, SubjectKind::name),
            Condition::SubjectKind,
        );
        self.one("interactive", |value| value.flag().map(Condition::Interactive));
        self.one("device_managed", |value| value.flag().map(Condition::DeviceManaged));
        self.any("network", network, Condition::Network);
        self.any(
            "network_class",
            |value| value.word(NetworkClass::ALL, NetworkClass::name),
            Condition::NetworkClass,
        );
        self.any("asn", |value| value.number(1, u32::MAX), Condition::Asn);
        self.any("country", country, Condition::Country);
    }

    fn outcome_fields(&mut self, asks: Asks) {
        if asks == Asks::Event {
            for key in OUTCOME_FIELDS {
                if let Some(value) = self.table.take(key) {
                    value.mistake(format!(
                        "`{}` is not known yet when an exception is looked at; use fields of the event, or a [[rule]]",
                        value.path()
                    ));
                    self.is_sound = false;
                }
            }
            return;
        }
        self.any("history", |value| value.word(History::ALL, History::name), Condition::History);
        self.any("level", |value| value.word(Level::ALL, Level::name), Condition::Level);
        self.any("user_risk", |value| value.word(Level::ALL, Level::name), Condition::UserRisk);
        self.one("score_at_least", |value| value.number(0, 100).map(Condition::ScoreAtLeast));
        self.any(
            "factors",
            |value| value.word(Factor::ALL, Factor::name),
            |factors| Condition::Factors(factors.into_iter().collect()),
        );
        self.any("signal", |value| value.word(Signal::ALL, Signal::name), Condition::Signal);
        self.one("evidence", evidence);
    }

    /// A field whose list holds when any of its values does.
    fn any<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&Value<'d>) -> Option<T>,
        condition: impl FnOnce(Vec<T>) -> Condition,
    ) {
        self.one(key, |value| {
            let stated = value.list().len();
            let values = value.some(read);
            (stated > 0 && values.len() == stated).then(|| condition(values))
        });
    }

    fn one(&mut self, key: &'static str, read: impl FnOnce(&Value<'d>) -> Option<Condition>) {
        let Some(value) = self.table.take(key) else { return };
        match read(&value) {
            Some(condition) => self.all.push(condition),
            None => self.is_sound = false,
        }
    }
}

/// `{ changed = ["device_fingerprint"] }`: keys of a reason's `before` and `now`, with their words.
fn evidence(value: &Value<'_>) -> Option<Condition> {
    let table = value.table()?;
    if table.is_empty() {
        value.mistake(format!("`{}` is empty, expected at least one key", value.path()));
        return None;
    }
    let mut keys = Vec::new();
    let mut is_sound = true;
    for (key, words) in table.entries() {
        let known = key.word(&EVIDENCE_KEYS, |key| key);
        let words: Vec<String> = words.some(text);
        is_sound &= !words.is_empty();
        match known {
            Some(key) => keys.push((key.to_owned(), words)),
            None => is_sound = false,
        }
    }
    is_sound.then_some(Condition::Evidence(keys))
}

fn text(value: &Value<'_>) -> Option<String> {
    value.name().map(str::to_owned)
}

fn tenant(value: &Value<'_>) -> Option<String> {
    let name = value.text()?;
    if !is_tenant(name) {
        return value.expected(TENANT);
    }
    Some(name.to_owned())
}

fn country(value: &Value<'_>) -> Option<Country> {
    Country::parse(value.text()?).or_else(|| value.expected("a country's two letters, such as \"GB\""))
}

/// A network in CIDR notation, or one address.
fn network(value: &Value<'_>) -> Option<IpNet> {
    let text = value.text()?;
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => match text.parse::<std::net::IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => return value.expected("a network such as \"203.0.113.0/24\" or \"2001:db8::/32\""),
        },
    };
    if net.trunc() != net {
        let advice = format!("write {} if the whole network is meant", quoted(&net.trunc().to_string()));
        value.mistake(format!(
            "`{}` is {}, which has bits beyond its prefix; {advice}",
            value.path(),
            quoted(text)
        ));
        return None;
    }
    Some(net)
}

const OUTCOME_FIELDS: [&str; 7] =
    ["history", "level", "user_risk", "score_at_least", "factors", "signal", "evidence"];

/// The keys of `Evidence` that a rule can do something with; the others are measures.
pub(in crate::engine::policy) const EVIDENCE_KEYS: [&str; 15] = [
    "changed",
    "new",
    "same",
    "reused",
    "by",
    "class",
    "origin",
    "country",
    "browser",
    "os",
    "day",
    "asn",
    "factor",
    "change",
    "privilege",
];

/// Nobody can read a rule that negates a negation of a negation.
const DEPTH_MAX: usize = 4;
