//! What `ward topics` says, for people and for machines.

use std::collections::BTreeMap;

use crate::adapters::kafka::acls::Role;
use crate::adapters::kafka::topics::{Made, Mistake, There, Wanted};

pub(super) fn as_json(
    bootstrap: &str,
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    made: &[String],
    mistakes: &[Mistake],
) -> String {
    let topics: Vec<_> = wanted
        .iter()
        .map(|topic| {
            let found = there.get(topic.name);
            serde_json::json!({
                "name": topic.name,
                "partitions": found.map(|found| found.partitions),
                "replication": found.map(|found| found.replication),
                "made": made.iter().any(|name| name == topic.name),
                "ok": mistakes.iter().all(|mistake| mistake.topic != topic.name),
            })
        })
        .collect();
    serde_json::json!({ "bootstrap": bootstrap, "topics": topics, "mistakes": mistakes }).to_string()
}

pub(super) fn as_table(
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    made: &[String],
    mistakes: &[Mistake],
) -> String {
    let width = wanted.iter().map(|topic| topic.name.len()).max().unwrap_or(0).clamp(5, NAME_COLUMNS_MAX);
    let mut lines = vec![format!("{:width$}  {:>10}  {:>8}  state", "topic", "partitions", "replicas")];
    for topic in wanted {
        let state = match mistakes.iter().filter(|mistake| mistake.topic == topic.name).count() {
            0 if made.iter().any(|name| name == topic.name) => "made".to_owned(),
            0 => "ok".to_owned(),
            count => format!("{count} wrong"),
        };
        let number = |number: Option<i32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let found = there.get(topic.name);
        lines.push(format!(
            "{:width$}  {:>10}  {:>8}  {state}",
            topic.name,
            number(found.map(|found| found.partitions)),
            number(found.map(|found| found.replication)),
        ));
    }
    lines.extend(mistakes.iter().flat_map(told));
    lines.join("\n")
}

/// What would be made, and what would be left to do.
pub(super) fn plan(made: &[Made], left: &[Mistake]) -> String {
    let mut lines = Vec::new();
    for topic in made {
        let Made { name, partitions, replication, settings } = topic;
        lines.push(format!("create {name}: {partitions} partitions, {replication} replicas"));
        lines.extend(settings.iter().map(|(setting, value)| format!("  {setting}={value}")));
    }
    lines.extend(left.iter().flat_map(told));
    if lines.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    lines.join("\n")
}

fn told(mistake: &Mistake) -> [String; 4] {
    [
        String::new(),
        format!("{}: {}", mistake.topic, mistake.found),
        format!("  expected  {}", mistake.expected),
        format!("  to do     {}", mistake.remedy),
    ]
}

/// A script, role by role.
pub(super) fn acls(commands: &[(Role, String)]) -> String {
    let mut lines = Vec::new();
    for role in Role::ALL {
        lines.push(format!("# {}: {}", role.name(), role.what()));
        lines.extend(commands.iter().filter(|(of, _)| *of == role).map(|(_, line)| line.clone()));
    }
    lines.join("\n")
}

const NAME_COLUMNS_MAX: usize = 44;
