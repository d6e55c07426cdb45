//! Everything that can be known to be wrong before anything runs: configuration, policy, tables,
//! schemas, topics and permissions, all of it at once.

use std::path::PathBuf;

use super::inputs::inputs;
use super::schemas::{Standing, needed_registry, standing, subjects};
use super::{PATIENCE, collector, connection, instance, read_text, topic_names};
use crate::adapters::geo;
use crate::adapters::kafka::acls::{Acl, Pattern, Resource, Role, command};
use crate::adapters::kafka::topics::{self, Severity, compare, wanted};
use crate::adapters::kafka::{Admin, Connection, Failure as KafkaFailure, permissions, remedy};
use crate::config::{Loaded, Origin, Settings};
use crate::engine::document::{Mistake, told};
use crate::engine::policy::Policy;
use crate::engine::schema;
use crate::telemetry;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Area {
    Configuration,
    Policy,
    Inputs,
    Tables,
    Schemas,
    Registry,
    Tracing,
    Broker,
    Topics,
    Permissions,
}

impl Area {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Policy => "policy",
            Self::Inputs => "inputs",
            Self::Tables => "tables",
            Self::Schemas => "schemas",
            Self::Registry => "registry",
            Self::Tracing => "tracing",
            Self::Broker => "broker",
            Self::Topics => "topics",
            Self::Permissions => "permissions",
        }
    }
}

/// One thing that is not as it ought to be.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Finding {
    pub(crate) area: Area,
    pub(crate) severity: Severity,
    pub(crate) place: String,
    pub(crate) found: String,
    pub(crate) expected: String,
    pub(crate) remedy: String,
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) mistakes: Vec<Finding>,
    pub(crate) looked_at: Vec<Area>,
    /// For people: what was left out, and why.
    pub(crate) left_out: Vec<String>,
}

/// Looks at everything that `loaded` says and leads to. What does not lead anywhere keeps nothing
/// else from being looked at.
pub(crate) fn check(loaded: &Loaded, is_offline: bool) -> Report {
    let mut report = Report::default();
    let settings = &loaded.settings;
    report.looked(Area::Configuration);
    for mistake in &loaded.mistakes {
        report.document(Area::Configuration, mistake);
    }
    places(loaded, &mut report);
    report.looked(Area::Policy);
    for policy in [Some(&settings.policy.file), settings.policy.shadow.as_ref()].into_iter().flatten() {
        for mistake in Policy::load(policy, &read_text).err().into_iter().flatten() {
            report.document(Area::Policy, &mistake);
        }
    }
    if !settings.inputs.is_empty() {
        report.looked(Area::Inputs);
        for mistake in inputs(settings).err().into_iter().flatten() {
            report.document(Area::Inputs, &mistake);
        }
    }
    tables(settings, &mut report);
    report.looked(Area::Schemas);
    for (place, found) in schema::mistakes() {
        let remedy = "this build is damaged: install it anew, or report it".to_owned();
        report.wrong(
            Area::Schemas,
            place,
            found,
            "a schema that reads what it ever wrote".to_owned(),
            remedy,
        );
    }
    registry(loaded, is_offline, &mut report);
    tracing(loaded, is_offline, &mut report);
    let connection = connection(settings);
    for text in connection.as_ref().err().into_iter().flatten() {
        let place = text.split([' ', ':']).next().unwrap_or_default();
        report.told(Area::Configuration, said(place, loaded), text);
    }
    match connection {
        _ if is_offline => report.left_out.push("topics and permissions: --offline".to_owned()),
        Ok(_) if !loaded.origins.contains_key("kafka.bootstrap") => {
            report.left_out.push("topics and permissions: no `kafka.bootstrap` is configured".to_owned());
        }
        Ok(connection) => broker(settings, &connection, &mut report),
        Err(_) => report.left_out.push("topics and permissions: the connection is not configured".to_owned()),
    }
    report
}

/// What the configuration names and a run would need.
fn places(loaded: &Loaded, report: &mut Report) {
    let settings = &loaded.settings;
    let folder = &settings.run.state_dir;
    // What is not there yet is made by the run.
    if folder.exists() && !folder.is_dir() {
        report.wrong(
            Area::Configuration,
            said("run.state_dir", loaded),
            format!("`{}` is no folder", folder.display()),
            "a folder, or a path where one can be made".to_owned(),
            "name another one".to_owned(),
        );
    }
    if let Some(why) = telemetry::filter_mistake(&settings.log.filter) {
        report.wrong(
            Area::Configuration,
            said("log.filter", loaded),
            format!("`{}` is no filter ({why})", settings.log.filter),
            "a level (error, warn, info, debug, trace), or a list like `info,librdkafka=debug`".to_owned(),
            "correct it".to_owned(),
        );
    }
}

fn tables(settings: &Settings, report: &mut Report) {
    let tables = &settings.tables;
    report.looked(Area::Tables);
    if tables.geo == [PathBuf::from("builtin")] && tables.asn.is_empty() && tables.networks.is_empty() {
        return;
    }
    let sources =
        geo::Sources { geo: tables.geo.clone(), asn: tables.asn.clone(), networks: tables.networks.clone() };
    for mistake in geo::open(&sources).err().into_iter().flatten() {
        let file = mistake.file.display();
        let place = match mistake.place {
            Some((line, column)) => format!("{file}:{line}:{column}"),
            None => file.to_string(),
        };
        let (expected, remedy) = (mistake.expected.to_owned(), mistake.remedy.to_owned());
        report.wrong(Area::Tables, place, mistake.found, expected, remedy);
    }
}

/// A client of something that is configured, if it is and may be asked; mistakes of its configuration are
/// told.
fn to_be_asked<T>(
    what: &str,
    made: Result<Option<T>, Vec<String>>,
    loaded: &Loaded,
    is_offline: bool,
    report: &mut Report,
) -> Option<T> {
    match made {
        Ok(Some(_)) if is_offline => report.left_out.push(format!("{what}: --offline")),
        Ok(client) => return client,
        Err(mistakes) => {
            for text in mistakes {
                let place = text.split([' ', ':']).next().unwrap_or_default();
                report.told(Area::Configuration, said(place, loaded), &text);
            }
        }
    }
    None
}

/// The registry, if a topic's format needs one: whether it answers, and takes what a run would write
/// there. What is missing the run registers itself.
fn registry(loaded: &Loaded, is_offline: bool, report: &mut Report) {
    let made = needed_registry(&loaded.settings);
    let Some(client) = to_be_asked("registry", made, loaded, is_offline, report) else { return };
    report.looked(Area::Registry);
    for subject in subjects(&loaded.settings).iter().filter(|subject| subject.is_confluent) {
        let place = format!("subject {}", subject.name());
        match standing(&client, subject) {
            Ok(standing) => {
                let Some([found, expected, remedy]) = standing.mistake() else { continue };
                if standing != Standing::Missing {
                    report.wrong(Area::Registry, place, found, expected, remedy);
                }
            }
            Err(trouble) => {
                report.wrong(
                    Area::Registry,
                    format!("registry {}", client.url()),
                    trouble.to_string(),
                    "an answer".to_owned(),
                    "correct [registry], or look at what answers there; or give --offline to leave it out"
                        .to_owned(),
                );
                return;
            }
        }
    }
}

/// The collector of spans. A run does without it, so that its absence is weak.
fn tracing(loaded: &Loaded, is_offline: bool, report: &mut Report) {
    let made = collector(&loaded.settings);
    let Some(collector) = to_be_asked("collector of spans", made, loaded, is_offline, report) else { return };
    report.looked(Area::Tracing);
    if let Err(why) = collector.answers() {
        report.mistakes.push(Finding {
            area: Area::Tracing,
            severity: Severity::Weak,
            place: format!("collector {}", collector.endpoint()),
            found: format!("it takes no spans ({why})"),
            expected: "an OTLP/HTTP receiver".to_owned(),
            remedy: "start it, or correct [tracing]".to_owned(),
        });
    }
}

fn broker(settings: &Settings, connection: &Connection, report: &mut Report) {
    let names = topic_names(settings);
    let wanted = wanted(&names, settings.remembering.profile_ttl);
    let topics: Vec<_> = wanted.iter().map(|topic| topic.name).collect();
    let patience = connection.connect_timeout().unwrap_or(PATIENCE);
    report.looked(Area::Broker);
    let surveyed = Admin::new(connection).and_then(|admin| admin.survey(&topics, patience));
    let (there, refused) = match surveyed {
        Ok(found) => found,
        Err(failure) => {
            report.left_out.push("topics and permissions: the broker did not answer".to_owned());
            return report.failure(Area::Broker, format!("broker {}", connection.bootstrap()), &failure);
        }
    };
    report.looked(Area::Topics);
    for mistake in compare(&wanted, &there, None) {
        // What may not be seen is no topic that is missing.
        if refused.iter().any(|(topic, _)| *topic == mistake.topic) {
            continue;
        }
        let topics::Mistake { topic, severity, found, expected, remedy } = mistake;
        let place = format!("topic {topic}");
        report.mistakes.push(Finding { area: Area::Topics, severity, place, found, expected, remedy });
    }
    report.looked(Area::Permissions);
    for (topic, failure) in &refused {
        report.failure(Area::Permissions, format!("topic {topic}"), failure);
    }
    let seen: Vec<_> = there.keys().map(String::as_str).collect();
    match permissions::denied(connection, &names, &seen, &instance(settings)) {
        Ok(denied) => {
            for one in denied {
                report.denied(settings, connection, one);
            }
            report.left_out.push("Write on the outputs: only a record that is written would tell".to_owned());
        }
        Err(failure) => {
            report.failure(Area::Permissions, format!("broker {}", connection.bootstrap()), &failure);
        }
    }
}

impl Report {
    fn looked(&mut self, area: Area) {
        self.looked_at.push(area);
    }

    fn wrong(&mut self, area: Area, place: String, found: String, expected: String, remedy: String) {
        self.mistakes.push(Finding { area, severity: Severity::Wrong, place, found, expected, remedy });
    }

    fn document(&mut self, area: Area, mistake: &Mistake) {
        let place = match mistake.place {
            Some(place) => format!("{}:{}:{}", mistake.file, place.line, place.column),
            None => mistake.file.clone(),
        };
        self.told(area, place, &mistake.text);
    }

    /// A message of the form that all of ours have.
    fn told(&mut self, area: Area, place: String, text: &str) {
        let message = told(text);
        let all = if area == Area::Policy { "config/policy/default.toml" } else { "`ward config reference`" };
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let expected = or(message.expected, &format!("what {all} describes"));
        let remedy = or(message.remedy, &format!("correct it: {all} says what there is"));
        self.wrong(area, place, message.found.to_owned(), expected, remedy);
    }

    fn failure(&mut self, area: Area, place: String, failure: &KafkaFailure) {
        let (found, expected, remedy) = match failure {
            KafkaFailure::Unreachable { waited, reason, .. } => (
                format!("no answer within {waited:?} ({reason})"),
                "a broker that answers",
                &*format!("{}, or --offline to leave it out", remedy(reason)),
            ),
            KafkaFailure::Forbidden { what, reason } => (
                format!("`{what}` is refused: {reason}"),
                "permission",
                "`ward topics acls` prints what each role needs",
            ),
            KafkaFailure::Refused { what, reason } => (
                format!("{what}: {reason}"),
                "an answer",
                "check [kafka.tls], [kafka.sasl] and the broker's log",
            ),
            KafkaFailure::Client(why) => (why.clone(), "a Kafka client", "correct [kafka]"),
        };
        self.wrong(area, place, found, expected.to_owned(), remedy.to_owned());
    }

    fn denied(&mut self, settings: &Settings, connection: &Connection, denied: permissions::Denied) {
        let kind = match denied.resource {
            Resource::Topic => "topic",
            Resource::Group => "group",
            Resource::TransactionalId => "transactional id",
        };
        let user =
            settings.kafka.sasl.as_ref().map(|sasl| sasl.username.as_str()).filter(|name| !name.is_empty());
        let acl = Acl {
            role: Role::Worker,
            // A certificate's name is the broker's to read.
            principal: format!("User:{}", user.unwrap_or("PRINCIPAL")),
            resource: denied.resource,
            pattern: match denied.resource {
                Resource::TransactionalId => Pattern::Prefixed,
                Resource::Topic | Resource::Group => Pattern::Literal,
            },
            name: denied.name,
            operation: denied.operation,
        };
        self.wrong(
            Area::Permissions,
            format!("{kind} {}", acl.name),
            format!("{:?} is denied ({})", acl.operation, denied.reason),
            format!("an ACL that allows {:?}", acl.operation),
            format!("run `{}`", command(&acl, &[acl.operation], &[&acl.name], connection.bootstrap())),
        );
    }
}

/// Where a setting was said; else its path.
fn said(path: &str, loaded: &Loaded) -> String {
    match loaded.origins.iter().find(|(said, _)| **said == path).map(|(_, origin)| origin) {
        Some(Origin::File { name, line: Some(line) }) => format!("{name}:{line}"),
        Some(Origin::File { name, .. } | Origin::Environment { name } | Origin::Flag { name }) => {
            name.clone()
        }
        None => path.to_owned(),
    }
}
