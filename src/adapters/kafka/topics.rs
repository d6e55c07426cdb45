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
    /// Partition i of this one belongs to the lane of partition i of the input.
    pub co_partitioned: bool,
    pub settings: Vec<(&'static str, String)>,
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
    pub fn made(&self, partitions: i32, replication: i32) -> Made {
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
    let plain = |name, co_partitioned| Wanted { name, co_partitioned, settings: Vec::new() };
    let mut all = vec![
        Wanted {
            name: &names.events,
            co_partitioned: true,
            // The engine compares an event's time with the record's: whose clock that is must not be the sender's.
            settings: vec![(TIMESTAMP_TYPE, "LogAppendTime".into())],
        },
        Wanted {
            name: &names.feedback,
            co_partitioned: false,
            settings: vec![(TIMESTAMP_TYPE, "LogAppendTime".into())],
        },
        plain(&names.decisions, true),
        plain(&names.alerts, true),
        plain(&names.revocations, true),
        Wanted {
            name: &names.profiles,
            co_partitioned: true,
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
        Wanted { name: &names.policies, co_partitioned: false, settings: vec![(CLEANUP, "compact".into())] },
        plain(&names.rejected, true),
        Wanted {
            name: &names.sightings,
            co_partitioned: true,
            // Hashes of users: kept until they are folded, and no longer than they count.
            settings: vec![(RETENTION, DAY_MS.to_string()), (SEGMENT, HOUR_MS.to_string())],
        },
        Wanted { name: &names.networks, co_partitioned: true, settings: vec![(CLEANUP, "compact".into())] },
        Wanted {
            name: &names.network_state,
            co_partitioned: true,
            settings: vec![
                (CLEANUP, "compact".into()),
                (DIRTY_RATIO, "0.1".into()),
                (COMPACTION_LAG, DAY_MS.to_string()),
                (SEGMENT, HOUR_MS.to_string()),
            ],
        },
    ];
    all.extend(names.inputs.values().map(|name| plain(name, false)));
    all
}

/// What is wrong with the topics that are there (`None`: missing). `partitions` is the wanted number;
/// without one the input's number is what the others must have.
#[must_use]
pub fn compare(
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    partitions: Option<i32>,
) -> Vec<Mistake> {
    let number = partitions
        .or_else(|| wanted.first().and_then(|input| there.get(input.name)).map(|input| input.partitions));
    let input = wanted.first().map_or("", |input| input.name);
    let mut mistakes = Vec::new();
    for topic in wanted {
        let mut note = |severity, found: String, expected: String, remedy: String| {
            mistakes.push(Mistake { topic: topic.name.into(), severity, found, expected, remedy });
        };
        let Some(found) = there.get(topic.name) else {
            note(Severity::Wrong, "missing".into(), "a topic".into(), "run `ward topics create`".into());
            continue;
        };
        if let Some(number) = number
            && topic.co_partitioned
            && found.partitions != number
        {
            let remedy = if partitions.is_some() && topic.name == input {
                "a topic keeps its users where they are: make a new one, or ask for its number".to_owned()
            } else if found.partitions < number {
                format!("run `kafka-topics.sh --alter --topic {} --partitions {number}`", topic.name)
            } else {
                format!("delete it and run `ward topics create --partitions {number}`, or name another one")
            };
            let expected =
                if partitions.is_some() { format!("{number}") } else { format!("{number} like `{input}`") };
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

/// Co-partitioned topics when nobody says: the group can grow to so many workers.
pub const PARTITIONS_DEFAULT: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(400 * 86_400);

    fn as_wanted(names: &Names) -> BTreeMap<String, There> {
        wanted(names, TTL)
            .into_iter()
            .map(|topic| {
                let mut settings: BTreeMap<String, String> =
                    topic.settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                settings.entry(CLEANUP.into()).or_insert_with(|| "delete".into());
                (topic.name.to_owned(), There { partitions: 4, replication: 1, settings: Some(settings) })
            })
            .collect()
    }

    #[track_caller]
    fn check(
        change: impl FnOnce(&mut BTreeMap<String, There>),
        partitions: Option<i32>,
        expected: &[(&str, Severity, &str)],
    ) {
        let names = Names::default();
        let mut there = as_wanted(&names);
        change(&mut there);
        let found = compare(&wanted(&names, TTL), &there, partitions);
        let found: Vec<_> = found
            .iter()
            .map(|mistake| (mistake.topic.as_str(), mistake.severity, mistake.found.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    fn set(there: &mut BTreeMap<String, There>, topic: &str, name: &str, value: &str) {
        there.get_mut(topic).unwrap().settings.as_mut().unwrap().insert(name.into(), value.into());
    }

    #[test]
    fn what_is_made_is_what_is_wanted() {
        let names = Names::default();
        let wanted = wanted(&names, TTL);
        let there = |partitions, replication| -> BTreeMap<String, There> {
            wanted
                .iter()
                .map(|topic| topic.made(partitions, replication))
                .map(|new| (new.name.clone(), new.there()))
                .collect()
        };
        assert_eq!(compare(&wanted, &there(7, 1), None), []);
        assert_eq!(compare(&wanted, &there(7, 3), Some(7)), []);
        assert_eq!(wanted[1].made(7, 3).settings[MIN_ISR], "2");
    }

    #[test]
    fn what_create_makes_passes() {
        check(|_| {}, None, &[]);
        check(|_| {}, Some(4), &[]);
    }

    #[test]
    fn names_what_is_missing_and_what_is_not_co_partitioned() {
        use Severity::{Weak, Wrong};
        check(|there| drop(there.remove("risk.alerts")), None, &[("risk.alerts", Wrong, "missing")]);
        check(
            |there| there.get_mut("risk.decisions").unwrap().partitions = 3,
            None,
            &[("risk.decisions", Wrong, "3 partitions")],
        );
        check(|there| there.get_mut("identity.feedback").unwrap().partitions = 1, None, &[]);
        check(
            |there| there.get_mut("risk.alerts").unwrap().settings = None,
            None,
            &[("risk.alerts", Weak, "settings may not be read")],
        );
    }

    #[test]
    fn a_profile_topic_must_be_compacted_and_an_output_must_not() {
        use Severity::{Weak, Wrong};
        check(|there| set(there, "risk.profiles", CLEANUP, "compact"), None, &[]);
        check(|there| set(there, "risk.profiles", CLEANUP, "delete,compact"), None, &[]);
        check(
            |there| set(there, "risk.profiles", CLEANUP, "delete"),
            None,
            &[("risk.profiles", Wrong, "cleanup.policy=delete")],
        );
        for (name, value, is_good) in [
            (COMPACTION_LAG, "1000", true),
            (COMPACTION_LAG, "9223372036854775807", false),
            (SEGMENT, "1000", true),
            (SEGMENT, "604800000", false),
            (DIRTY_RATIO, "0.01", true),
            (DIRTY_RATIO, "0.5", false),
            (ENDS_KEPT_MS, "172800000", true),
            (ENDS_KEPT_MS, "1000", false),
        ] {
            let found = format!("{name}={value}");
            let expected = if is_good { vec![] } else { vec![("risk.profiles", Weak, found.as_str())] };
            check(|there| set(there, "risk.profiles", name, value), None, &expected);
        }
        // Hashes of users: no longer than a day.
        check(|there| set(there, "risk.sightings", RETENTION, "3600000"), None, &[]);
        for forever in ["604800000", "-1"] {
            let found = format!("{RETENTION}={forever}");
            check(
                |there| set(there, "risk.sightings", RETENTION, forever),
                None,
                &[("risk.sightings", Weak, found.as_str())],
            );
        }
        check(
            |there| set(there, "risk.networks", CLEANUP, "delete"),
            None,
            &[("risk.networks", Wrong, "cleanup.policy=delete")],
        );
        check(
            |there| set(there, "risk.decisions", CLEANUP, "compact"),
            None,
            &[("risk.decisions", Wrong, "cleanup.policy=compact")],
        );
        check(
            |there| set(there, "identity.events", TIMESTAMP_TYPE, "CreateTime"),
            None,
            &[("identity.events", Weak, "message.timestamp.type=CreateTime")],
        );
        check(
            |there| set(there, "risk.alerts", MIN_ISR, "2"),
            None,
            &[("risk.alerts", Wrong, "min.insync.replicas=2 with 1 replicas")],
        );
    }
}
