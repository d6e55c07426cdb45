//! Conditions: when a rule or an exception holds.

use ipnet::IpNet;

use crate::model::decision::Reason;
use crate::model::observation::Observation;
use crate::model::place::Country;
use crate::model::signal::{Severity, Signal};
use crate::model::{EventType, Factors, History, Level, NetworkClass, Privilege, SubjectKind};

/// Conditions that must all hold. Never empty: a rule for everything is a setting, not a rule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    pub all: Vec<Condition>,
}

/// One field of a `when`. A list holds when any of its values does; what an event does not say
/// equals nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    Tenant(Vec<String>),
    User(Vec<String>),
    Group(Vec<String>),
    App(Vec<String>),
    Resource(Vec<String>),
    Source(Vec<String>),
    Privilege(Vec<Privilege>),
    Type(Vec<EventType>),
    SubjectKind(Vec<SubjectKind>),
    Interactive(bool),
    DeviceManaged(bool),
    Network(Vec<IpNet>),
    NetworkClass(Vec<NetworkClass>),
    Asn(Vec<u32>),
    Country(Vec<Country>),
    History(Vec<History>),
    Level(Vec<Level>),
    UserRisk(Vec<Level>),
    ScoreAtLeast(u8),
    Factors(Factors),
    Signal(Vec<Signal>),
    /// Keys with their words, of the reasons that the same `when` names by `signal`, else of any.
    Evidence(Vec<(String, Vec<String>)>),
    Not(When),
}

/// What conditions are tested against.
#[derive(Clone, Copy, Debug)]
pub struct Occasion<'o> {
    pub seen: &'o Observation<'o>,
    /// `None` before a score exists: what depends on it does not hold.
    pub outcome: Option<Outcome<'o>>,
}

/// What is known once the score is.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'o> {
    pub history: History,
    pub user_risk: Level,
    pub presented: Factors,
    pub risk_score: u8,
    pub level: Level,
    pub reasons: &'o [Reason<'o>],
    /// Whether report-only signals are seen: a rule in force must not act on a signal on trial.
    pub on_trial: bool,
}

impl When {
    #[must_use]
    pub fn holds(&self, occasion: Occasion<'_>) -> bool {
        self.all.iter().all(|condition| self.condition_holds(condition, occasion))
    }

    fn condition_holds(&self, condition: &Condition, Occasion { seen, outcome }: Occasion<'_>) -> bool {
        let (event, facts) = (&seen.event, &seen.facts);
        match condition {
            Condition::Tenant(any) => any.iter().any(|one| *one == event.tenant),
            Condition::User(any) => any.iter().any(|one| *one == event.user),
            Condition::Group(any) => any.iter().any(|one| event.groups.iter().any(|group| group == one)),
            Condition::App(any) => is_one_of(any, event.app.as_deref()),
            Condition::Resource(any) => is_one_of(any, event.resource.as_deref()),
            Condition::Source(any) => is_one_of(any, event.source.as_deref()),
            Condition::Privilege(any) => any.contains(&event.privilege),
            Condition::Type(any) => any.contains(&event.kind()),
            Condition::SubjectKind(any) => any.contains(&event.subject_kind),
            Condition::Interactive(is) => event.interactive == *is,
            Condition::DeviceManaged(is) => event.device_managed == Some(*is),
            Condition::Network(any) => {
                event.ip_address.is_some_and(|address| any.iter().any(|net| net.contains(&address)))
            }
            Condition::NetworkClass(any) => facts.network_class.is_some_and(|class| any.contains(&class)),
            Condition::Asn(any) => facts.asn.is_some_and(|asn| any.contains(&asn)),
            Condition::Country(any) => facts.country.is_some_and(|country| any.contains(&country)),
            Condition::Not(when) => !when.holds(Occasion { seen, outcome }),
            Condition::History(any) => outcome.is_some_and(|now| any.contains(&now.history)),
            Condition::Level(any) => outcome.is_some_and(|now| any.contains(&now.level)),
            Condition::UserRisk(any) => outcome.is_some_and(|now| any.contains(&now.user_risk)),
            Condition::ScoreAtLeast(least) => outcome.is_some_and(|now| now.risk_score >= *least),
            Condition::Factors(any) => {
                outcome.is_some_and(|now| any.iter().any(|factor| now.presented.satisfied().has(factor)))
            }
            Condition::Signal(any) => {
                outcome.is_some_and(|now| now.fired().any(|reason| any.contains(&reason.signal)))
            }
            Condition::Evidence(keys) => outcome.is_some_and(|now| {
                now.fired().filter(|reason| self.speaks_of(reason.signal)).any(|reason| {
                    keys.iter().all(|(key, words)| words.iter().any(|word| reason.evidence.says(key, word)))
                })
            }),
        }
    }

    /// Whether `signal` is one that this names, if it names any.
    fn speaks_of(&self, signal: Signal) -> bool {
        self.all.iter().all(|condition| match condition {
            Condition::Signal(any) => any.contains(&signal),
            _ => true,
        })
    }
}

impl<'o> Outcome<'o> {
    fn fired(self) -> impl Iterator<Item = &'o Reason<'o>> {
        self.reasons.iter().filter(move |reason| {
            reason.severity >= Severity::COUNTS && (self.on_trial || !reason.report_only)
        })
    }
}

fn is_one_of(any: &[String], said: Option<&str>) -> bool {
    said.is_some_and(|said| any.iter().any(|one| one == said))
}
