//! What is compared, and what is found.

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
    let there = |users, replication| -> BTreeMap<String, There> {
        let numbers = Numbers::of(&wanted, &BTreeMap::new(), Some(users));
        wanted
            .iter()
            .map(|topic| topic.made(numbers, replication))
            .map(|new| (new.name.clone(), new.there()))
            .collect()
    };
    assert_eq!(compare(&wanted, &there(7, 1), None), []);
    assert_eq!(compare(&wanted, &there(7, 3), Some(7)), []);
    assert_eq!(there(7, 3)["identity.feedback"].settings.as_ref().unwrap()[MIN_ISR], "2");
    assert_eq!(there(7, 3)["risk.decisions"].partitions, 7);
    assert_eq!(there(7, 3)["risk.network-state"].partitions, 1);
}

#[test]
fn what_is_missing_is_made_like_what_is_there() {
    let names = Names::default();
    let wanted = wanted(&names, TTL);
    let mut there = as_wanted(&names);
    there.remove("risk.sightings");
    there.remove("risk.alerts");
    assert_eq!(Numbers::of(&wanted, &there, None), Numbers { users: 4, networks: 4 });
    assert_eq!(
        Numbers::of(&wanted, &BTreeMap::new(), None),
        Numbers { users: PARTITIONS_DEFAULT, networks: NETWORK_LANES }
    );
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
        |there| there.get_mut("risk.networks").unwrap().partitions = 3,
        Some(4),
        &[("risk.networks", Wrong, "3 partitions")],
    );
    check(|there| there.get_mut("risk.sightings").unwrap().partitions = 3, Some(4), &[]);
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
