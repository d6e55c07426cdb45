//! The decision that an id names, in a file or a topic.

use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::decisions::{Decisions, Entry};
use super::super::interrupt::Interrupt;
use super::super::whom::Whom;
use crate::adapters::kafka::{Admin, Connection, KafkaLog, policies};
use crate::app;
use crate::config::Settings;
use crate::engine::emit::{self, Form, Recorded, Stored};
use crate::engine::policy::Policy;
use crate::model::id::{Digest, Id128};
use crate::pipeline::intake::partition_of;

/// What is looked for.
#[derive(Debug)]
pub(super) struct Wanted {
    id: String,
    /// It can be the id of a decision.
    is_decision: bool,
    user: Option<Whom>,
}

/// A decision as it lies there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) bytes: Vec<u8>,
    pub(super) form: Form,
    pub(super) recorded: Recorded,
    pub(super) place: String,
}

/// Where decisions are.
#[derive(Debug)]
pub(super) enum From {
    File(PathBuf),
    Topic(String),
}

/// Looks at a decision; `false` ends the walk.
pub(super) type Visit<'v> =
    dyn FnMut(&Recorded, &[u8], Form, &dyn Fn() -> String) -> Result<bool, Failure> + 'v;

impl Wanted {
    pub(super) fn new(id: &str, user: Option<&str>) -> Result<Self, Failure> {
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Failure::input(format!(
                "ID: found {} bytes, expected 1 to {ID_BYTES_MAX}; give the `decision_id` or the `event_id` of a decision",
                id.len()
            )));
        }
        let user = user.map(|user| Whom::parse("--user", user)).transpose()?;
        Ok(Self { id: id.to_owned(), is_decision: Id128::parse(id).is_some(), user })
    }

    /// Whether it can stand in these bytes at all: most need not be read.
    fn may_be_in(&self, bytes: &[u8]) -> bool {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+~ ".contains(&byte);
        !self.id.bytes().all(is_plain) || contains(bytes, self.id.as_bytes())
    }

    fn is_of(&self, decision: &Stored<'_>) -> bool {
        let whose = self.user.as_ref().is_none_or(|user| user.is(&decision.tenant, &decision.user_id));
        whose && (decision.event_id == self.id || self.is_decision && decision.decision_id == self.id)
    }
}

impl From {
    pub(super) fn of(input: Option<&str>, settings: &Settings) -> Self {
        match input {
            None => Self::Topic(settings.topics.decisions.name.clone()),
            Some(input) => match input.strip_prefix(TOPIC) {
                Some(name) => Self::Topic(name.to_owned()),
                None => Self::File(PathBuf::from(input)),
            },
        }
    }

    /// The one decision that is wanted.
    pub(super) fn find(
        &self,
        wanted: &Wanted,
        settings: &Settings,
        interrupt: &Interrupt,
    ) -> Result<Target, Failure> {
        let mut found: Vec<Target> = Vec::new();
        let mut labels = Vec::new();
        let user = wanted.user.as_ref();
        let looked = self.walk(user, settings, interrupt, &mut |recorded, bytes, form, place| {
            if !wanted.may_be_in(bytes) {
                return Ok(true);
            }
            // What is no decision is told where decisions are verified.
            let Ok(decision) = form.stored(bytes) else { return Ok(true) };
            if !wanted.is_of(&decision) {
                return Ok(true);
            }
            let is_this = wanted.is_decision && decision.decision_id == wanted.id;
            if is_this {
                found.clear();
                labels.clear();
            }
            labels.push(format!(
                "{} (of {}/{} at {})",
                decision.decision_id, decision.tenant, decision.user_id, decision.occurred_at
            ));
            found.push(Target { bytes: bytes.to_vec(), form, recorded: recorded.clone(), place: place() });
            Ok(!is_this && found.len() < FOUND_MAX)
        })?;
        match (found.pop(), found.is_empty()) {
            (Some(target), true) => Ok(target),
            (Some(_), false) => Err(Failure::input(format!(
                "event `{}` has {} decisions: {}; give the id of one of them, or --user TENANT/USER",
                shown(&wanted.id),
                labels.len(),
                shown(&labels.join(", "))
            ))),
            (None, _) => Err(Failure::Found(format!(
                "{self}: none of {looked} decisions has the decision or event id `{}`{}; look for it in `decision_id` \
                 and `event_id`, or name another place with --in",
                shown(&wanted.id),
                wanted.user.as_ref().map_or_else(String::new, |user| format!(" and is of `{user}`"))
            ))),
        }
    }

    /// Shows every decision to `visit`, of a topic those in `user`'s partition only if there is one; says
    /// how many there were.
    pub(super) fn walk(
        &self,
        user: Option<&Whom>,
        settings: &Settings,
        interrupt: &Interrupt,
        visit: &mut Visit<'_>,
    ) -> Result<u64, Failure> {
        match self {
            Self::File(path) => in_file(path, interrupt, visit),
            Self::Topic(topic) => in_topic(topic, user, settings, interrupt, visit),
        }
    }
}

impl std::fmt::Display for From {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Topic(topic) => write!(f, "topic `{topic}`"),
        }
    }
}

fn in_file(path: &Path, interrupt: &Interrupt, visit: &mut Visit<'_>) -> Result<u64, Failure> {
    let mut decisions = Decisions::open([path.to_owned()]);
    let mut count = 0_u64;
    while let Some(found) = decisions.peek()? {
        if let Entry::Decision(recorded) = found.entry {
            count += 1;
            let place = || format!("{}:{}", path.display(), found.line);
            if !visit(recorded, found.bytes, found.form, &place)? {
                return Ok(count);
            }
        }
        decisions.advance();
        if count.is_multiple_of(EVERY) && interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
    }
    Ok(count)
}

fn in_topic(
    topic: &str,
    user: Option<&Whom>,
    settings: &Settings,
    interrupt: &Interrupt,
    visit: &mut Visit<'_>,
) -> Result<u64, Failure> {
    let connection = app::connection(settings).map_err(Failure::Input)?;
    let partitions = partitions(&connection, topic, "decisions, e.g. topic:risk.decisions")?;
    let ids = app::written_under(settings, topic, &["decision"])?;
    let only = user.map(|user| partition_of(user.key().as_bytes(), partitions));
    let mut count = 0_u64;
    for partition in (0..partitions).filter(|number| only.is_none_or(|only| only == *number)) {
        let mut log = KafkaLog::open(&connection, topic, partition)?;
        while let Some(goes_on) = log.next(|record| {
            let value = &*ids.single(record.value.unwrap_or_default());
            let place = || format!("`{topic}` partition {partition} offset {}", record.offset);
            let form = Form::of(value);
            let recorded = form
                .recorded(value)
                .map_err(|what| Failure::input(format!("{} is no decision: {what}", place())))?;
            visit(&recorded, value, form, &place)
        })? {
            count += 1;
            if !goes_on? {
                return Ok(count);
            }
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
        }
    }
    Ok(count)
}

/// How many partitions a topic has.
pub(in crate::cli) fn partitions(
    connection: &Connection,
    topic: &str,
    of_what: &str,
) -> Result<i32, Failure> {
    let patience = connection.connect_timeout().unwrap_or(app::PATIENCE);
    let there = Admin::new(connection)?.partitions(topic, patience)?;
    there.ok_or_else(|| Failure::input(format!("topic `{topic}` is not there; name the topic of {of_what}")))
}

/// The policy with this digest, as it was published beside the decisions.
pub(super) fn published_policy(settings: &Settings, digest: Digest) -> Result<Option<Policy>, Failure> {
    let connection = app::connection(settings).map_err(Failure::Input)?;
    let patience = connection.connect_timeout().unwrap_or(app::PATIENCE);
    let topic = &settings.topics.policies;
    if Admin::new(&connection)?.partitions(topic, patience)?.is_none() {
        return Ok(None);
    }
    let record = policies::find(&connection, topic, digest)?;
    Ok(record.and_then(|record| emit::policy_read(&record)).filter(|policy| policy.digest == digest))
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    let Some((first, _)) = text.split_first() else { return true };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(text) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// At most so much of what may be anything, and nothing that moves a cursor.
fn shown(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(900).collect();
    text
}

pub(super) const TOPIC: &str = "topic:";
/// An event's id has at most 256.
const ID_BYTES_MAX: usize = 256;
/// Of an ambiguous id, as many are named.
const FOUND_MAX: usize = 8;
/// How often an interruption is looked for.
const EVERY: u64 = 4_096;
