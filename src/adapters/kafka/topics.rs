//! The topics: what each must be, and what is wrong with the ones that are there.
//!
//! Pure: [`wanted`] says what ought to be, [`compare`] what differs from it. `admin` asks the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ports::ledger::ENDS_KEPT;

/// The names in use; the defaults are the contract's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub events: String,
    pub feedback: String,
    pub decisions: String,
    pub alerts: String,
    pub revocations: String,
    pub profiles: String,
    pub policies: String,
    pub rejected: String,
    /// Topics that are copied into `events`, by what each is called.
    pub inputs: BTreeMap<String, String>,
    pub sightings: String,
    pub networks: String,
    pub network_state: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            events: "identity.events".into(),
            feedback: "identity.feedback".into(),
            decisions: "risk.decisions".into(),
            alerts: "risk.alerts".into(),
            revocations: "risk.revocations".into(),
            profiles: "risk.profiles".into(),
            policies: "risk.policies".into(),
            rejected: "risk.rejected".into(),
            inputs: BTreeMap::new(),
            sightings: "risk.sightings".into(),
            networks: "risk.networks".into(),
            network_state: "risk.network-state".into(),
        }
    }
}

impl Names {
    /// Each under its name in the configuration.
    #[must_use]
    pub fn all(&self) -> [(&'static str, &str); 11] {
        [
            ("events", &self.events),
            ("feedback", &self.feedback),
            ("decisions", &self.decisions),
            ("alerts", &self.alerts),
            ("revocations", &self.revocations),
            ("profiles", &self.profiles),
            ("policies", &self.policies),
            ("rejected", &self.rejected),
            ("sightings", &self.sightings),
            ("networks", &self.networks),
            ("network_state", &self.network_state),
        ]
    }
}

/// A topic as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub name: &'a str,
    pub lanes: Lanes,
    pub settings: Vec<(&'static str, String)>,
}

/// Whose lanes a topic's partitions belong to, one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// The input's: partition i is that of the lane of partition i of the input.
    Users,
    /// Those of what is seen across users: partition i is that of partition i of the sightings.
    Networks,
    /// Nobody's: any number will do.
    None,
}

/// How many partitions topics are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub users: i32,
    pub networks: i32,
}

impl Numbers {
    /// Those of the topics that are there; of what nobody has made, `users` and few.
    #[must_use]
    pub fn of(wanted: &[Wanted<'_>], there: &BTreeMap<String, There>, users: Option<i32>) -> Self {
        let most = |lanes| {
            let found = wanted.iter().filter(|topic| topic.lanes == lanes);
            found.filter_map(|topic| there.get(topic.name)).map(|found| found.partitions).max()
        };
        let input = wanted.first().and_then(|input| there.get(input.name)).map(|input| input.partitions);
        Self {
            users: users.or(input).unwrap_or(PARTITIONS_DEFAULT),
            networks: most(Lanes::Networks).unwrap_or(NETWORK_LANES),
        }
    }
}

/// A topic that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    pub name: String,
    pub partitions: i32,
    pub replication: i32,
    pub settings: BTreeMap<&'static str, String>,
}

impl Wanted<'_> {
    /// As it is made where it is missing.
    #[must_use]
    pub fn made(&self, numbers: Numbers, replication: i32) -> Made {
        let partitions = match self.lanes {
            Lanes::Users | Lanes::None => numbers.users,
            Lanes::Networks => numbers.networks,
        };
        // One replica may be away, as soon as there are enough.
        let min_isr = if replication >= 3 { "2" } else { "1" };
        let mut settings: BTreeMap<_, _> = self.settings.iter().cloned().collect();
        settings.insert(MIN_ISR, min_isr.to_owned());
        Made { name: self.name.to_owned(), partitions, replication, settings }
    }
}

impl Made {
    /// As the broker will describe it.
    #[must_use]
    pub fn there(&self) -> There {
        let settings = self.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        There {
            partitions: self.partitions,
            replication: self.replication,
            settings: Some(settings.collect()),
        }
    }
}

/// A topic as the broker describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct There {
    pub partitions: i32,
    pub replication: i32,
    /// None when the broker does not let us read them.
    pub settings: Option<BTreeMap<String, String>>,
}

/// Whether the lanes can run all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Works, with less than was promised.
    Weak,
    /// Nothing can run.
    Wrong,
}

/// One thing that is not as it ought to be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mistake {
    pub topic: String,
    pub severity: Severity,
    pub found: String,
    pub expected: String,
    pub remedy: String,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "topic `{}`: {}, expected {}; {}", self.topic, self.found, self.expected, self.remedy)
    }
}

/// All topics, the input first.
#[must_use]
pub fn wanted(names: &Names, profile_ttl: Duration) -> Vec<Wanted<'_>> {
    let plain = |name, lanes| Wanted { name, lanes, settings: Vec::new() };
    let mut all = vec![
        Wanted {
            name: &names.events,
            lanes: Lanes::Users,
            // The engine compares an event's time with the record's: whose clock that is must not be the sender's.
            settings: vec![(TIMESTAMP_TYPE, "LogAppendTime".into())],
        },
        Wanted {
            name: &names.feedback,
            lanes: Lanes::None,
            settings: vec![(TIMESTAMP_TYPE, "LogAppendTime".into())],
        },
        plain(&names.decisions, Lanes::Users),
        plain(&names.alerts, Lanes::Users),
        plain(&names.revocations, Lanes::Users),
        Wanted {
            name: &names.profiles,
            lanes: Lanes::Users,
            settings: vec![
                (CLEANUP, "compact,delete".into()),
                (RETENTION, retention_ms(profile_ttl).to_string()),
                ("retention.bytes", "-1".into()),
                (DIRTY_RATIO, "0.1".into()),
                (COMPACTION_LAG, DAY_MS.to_string()),
                (SEGMENT, HOUR_MS.to_string()),
                // A store that was away for less may be brought up to date: what was ended meanwhile it
                // must still find ended.
                (ENDS_KEPT_MS, ENDS_KEPT.as_millis().to_string()),
            ],
        },
        Wanted { name: &names.policies, lanes: Lanes::None, settings: vec![(CLEANUP, "compact".into())] },
        plain(&names.rejected, Lanes::Users),
        Wanted {
            name: &names.sightings,
            lanes: Lanes::Networks,
            // Hashes of users: kept until they are folded, and no longer than they count.
            settings: vec![(RETENTION, DAY_MS.to_string()), (SEGMENT, HOUR_MS.to_string())],
        },
        Wanted { name: &names.networks, lanes: Lanes::Networks, settings: vec![(CLEANUP, "compact".into())] },
        Wanted {
            name: &names.network_state,
            lanes: Lanes::Networks,
            settings: vec![
                (CLEANUP, "compact".into()),
                (DIRTY_RATIO, "0.1".into()),
                (COMPACTION_LAG, DAY_MS.to_string()),
                (SEGMENT, HOUR_MS.to_string()),
            ],
        },
    ];
    all.extend(names.inputs.values().map(|name| plain(name, Lanes::None)));
    all
}

/// What is wrong with the topics that are there (`None`: missing). `partitions` is the wanted number;
/// without one the input's number is what the others must have. Network lanes have a number of their own.
#[must_use]
pub fn compare(
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    partitions: Option<i32>,
) -> Vec<Mistake> {
    let first = |lanes| wanted.iter().find(|topic| topic.lanes == lanes).map_or("", |topic| topic.name);
    let number = |name: &str| there.get(name).map(|found| found.partitions);
    let (input, sightings) = (first(Lanes::Users), first(Lanes::Networks));
    let users = partitions.or_else(|| number(input));
    let mut mistakes = Vec::new();
    for topic in wanted {
        let mut note = |severity, found: String, expected: String, remedy: String| {
            mistakes.push(Mistake { topic: topic.name.into(), severity, found, expected, remedy });
        };
        let Some(found) = there.get(topic.name) else {
            note(Severity::Wrong, "missing".into(), "a topic".into(), "run `ward topics create`".into());
            continue;
        };
        let (number, like) = match topic.lanes {
            Lanes::Users => (users.filter(|number| found.partitions != *number), input),
            // Facts in partitions that nobody writes any more end by themselves.
            Lanes::Networks => (number(sightings).filter(|number| found.partitions < *number), sightings),
            Lanes::None => (None, ""),
        };
        if let Some(number) = number {
            let remedy = if partitions.is_some() && topic.name == input {
                "a topic keeps its users where they are: make a new one, or ask for its number".to_owned()
            } else if found.partitions < number {
                format!("run `kafka-topics.sh --alter --topic {} --partitions {number}`", topic.name)
            } else {
                format!("delete it and run `ward topics create --partitions {number}`, or name another one")
            };
            let is_asked = partitions.is_some() && topic.lanes == Lanes::Users;
            let expected = if is_asked { format!("{number}") } else { format!("{number} like `{like}`") };
            note(Severity::Wrong, format!("{} partitions", found.partitions), expected, remedy);
        }
        let Some(settings) = &found.settings else {
            note(
                Severity::Weak,
                "settings may not be read".into(),
                "permission to describe them".into(),
                "allow DescribeConfigs on the topic to check them".into(),
            );
            continue;
        };
        for (name, value) in &topic.settings {
            let current = settings.get(*name).map_or("", String::as_str);
            let is_kept = topic.settings.iter().any(|(name, _)| *name == CLEANUP);
            if !same(name, current, value, is_kept) {
                let severity = if weighty(name, current) { Severity::Wrong } else { Severity::Weak };
                note(
                    severity,
                    format!("{name}={current}"),
                    format!("{name}={value}"),
                    alter(topic.name, name, value),
                );
            }
        }
        if topic.settings.iter().all(|(name, _)| *name != CLEANUP)
            && settings.get(CLEANUP).is_some_and(|policy| policy.contains("compact"))
        {
            note(
                Severity::Wrong,
                format!("{CLEANUP}=compact"),
                format!("{CLEANUP}=delete"),
                alter(topic.name, CLEANUP, "delete"),
            );
        }
        let isr = settings.get(MIN_ISR).and_then(|value| value.parse::<i32>().ok()).unwrap_or(1);
        if isr > found.replication {
            note(
                Severity::Wrong,
                format!("{MIN_ISR}={isr} with {} replicas", found.replication),
                format!("at most {}", found.replication),
                alter(topic.name, MIN_ISR, &found.replication.to_string()),
            );
        }
    }
    mistakes
}

/// Lists compare as sets, numbers as numbers. `is_kept`: the topic holds state, and must not lose it.
fn same(name: &str, found: &str, expected: &str, is_kept: bool) -> bool {
    if name == CLEANUP {
        let set = |text: &str| {
            let mut parts: Vec<_> = text.split(',').map(|part| part.trim().to_owned()).collect();
            parts.sort();
            parts
        };
        // Compaction alone keeps more, never less.
        return set(found) == set(expected) || found.trim() == "compact";
    }
    if name == ENDS_KEPT_MS || name == RETENTION && is_kept {
        // Longer, or for ever, is as good.
        let least = expected.parse::<i64>().unwrap_or(i64::MAX);
        return found.parse::<i64>().is_ok_and(|ms| !(0..least).contains(&ms));
    }
    if [COMPACTION_LAG, SEGMENT, DIRTY_RATIO, RETENTION].contains(&name) {
        // Who compacts sooner forgets sooner.
        let most = expected.parse::<f64>().unwrap_or(0.0);
        return found.parse::<f64>().is_ok_and(|found| (0.0..=most).contains(&found));
    }
    found == expected
        || matches!((found.parse::<f64>(), expected.parse::<f64>()), (Ok(a), Ok(b)) if (a - b).abs() < 1e-9)
}

/// The life of a profile without an event, and a month more.
fn retention_ms(profile_ttl: Duration) -> i64 {
    i64::try_from(profile_ttl.as_millis()).unwrap_or(i64::MAX).saturating_add(30 * DAY_MS)
}

/// Without compaction the topic of profiles forgets people who have not logged in for a week.
fn weighty(name: &str, found: &str) -> bool {
    name == CLEANUP && !found.contains("compact")
}

fn alter(topic: &str, name: &str, value: &str) -> String {
    let value = if value.contains(',') { format!("[{value}]") } else { value.to_owned() };
    format!("run `kafka-configs.sh --alter --topic {topic} --add-config {name}={value}`")
}

const CLEANUP: &str = "cleanup.policy";
const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const MIN_ISR: &str = "min.insync.replicas";
const RETENTION: &str = "retention.ms";
const COMPACTION_LAG: &str = "max.compaction.lag.ms";
const SEGMENT: &str = "segment.ms";
const DIRTY_RATIO: &str = "min.cleanable.dirty.ratio";
const ENDS_KEPT_MS: &str = "delete.retention.ms";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The input and what follows it when nobody says: the group can grow to so many workers.
pub const PARTITIONS_DEFAULT: i32 = 24;

/// Network lanes when nobody says: most events leave no sighting behind, and each partition of them is a
/// request more in nearly every transaction of every worker.
pub const NETWORK_LANES: i32 = 1;

#[cfg(test)]
mod tests;
