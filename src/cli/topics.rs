//! `ward topics`: makes and checks the topics.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Failure, print};
use crate::adapters::kafka::topics::{self, Mistake, There, Wanted};
use crate::adapters::kafka::{Admin, Connection, Failure as KafkaFailure};
use crate::app;

/// Make or check the topics.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Make what is missing; never changes what is there.
    Create(Options),
    /// Compare settings, partition counts and permissions; exits 1 when something is wrong.
    Check(Options),
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Partitions of every co-partitioned topic (default: what the input has, else 24).
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: Option<i32>,
    /// Replicas (default: 3, or as many as there are brokers).
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=32))]
    replication: Option<i32>,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let (options, create) = match args {
        Args::Create(options) => (options, true),
        Args::Check(options) => (options, false),
    };
    let settings =
        app::settings(options.config.as_deref(), options.bootstrap.as_deref()).map_err(Failure::Input)?;
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let names = app::topic_names(&settings);
    let wanted = topics::wanted(&names);
    let patience = connection.connect_timeout().unwrap_or(PATIENCE);

    let admin = Admin::new(&connection)?;
    let mut there = describe(&admin, &wanted, patience)?;
    let mut made = Vec::new();
    if create {
        made = make(&admin, &options, &wanted, &there, patience)?;
        there = until_made(&admin, &wanted, patience)?;
    }
    let mistakes = topics::compare(&wanted, &there, options.partitions);
    if options.json {
        print(&as_json(&connection, &wanted, &there, &made, &mistakes));
    } else {
        print(&as_table(&wanted, &there, &made, &mistakes));
    }
    match mistakes.len() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 thing is not as it ought to be".into())),
        many => Err(Failure::Found(format!("{many} things are not as they ought to be"))),
    }
}

fn describe(
    admin: &Admin,
    wanted: &[Wanted<'_>],
    patience: Duration,
) -> Result<BTreeMap<String, There>, Failure> {
    let names: Vec<_> = wanted.iter().map(|topic| topic.name).collect();
    Ok(admin.describe(&names, patience)?)
}

fn make(
    admin: &Admin,
    options: &Options,
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    patience: Duration,
) -> Result<Vec<String>, Failure> {
    let missing: Vec<_> = wanted.iter().filter(|topic| !there.contains_key(topic.name)).collect();
    let input = wanted.first().and_then(|input| there.get(input.name));
    let partitions = options
        .partitions
        .or_else(|| input.map(|input| input.partitions))
        .unwrap_or(topics::PARTITIONS_DEFAULT);
    let brokers = i32::try_from(admin.brokers(patience)?).unwrap_or(i32::MAX);
    let replication = options.replication.unwrap_or_else(|| brokers.clamp(1, REPLICATION_DEFAULT));
    admin.create(&missing, partitions, replication, patience)?;
    Ok(missing.iter().map(|topic| topic.name.to_owned()).collect())
}

/// A topic that was just made takes a moment to be known to every broker.
fn until_made(
    admin: &Admin,
    wanted: &[Wanted<'_>],
    patience: Duration,
) -> Result<BTreeMap<String, There>, Failure> {
    let mut there = describe(admin, wanted, patience)?;
    for _ in 0..MADE_TRIES {
        if wanted.iter().all(|topic| there.get(topic.name).is_some_and(|topic| topic.partitions > 0)) {
            break;
        }
        pause();
        there = describe(admin, wanted, patience)?;
    }
    Ok(there)
}

fn as_json(
    connection: &Connection,
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
    serde_json::json!({ "bootstrap": connection.bootstrap(), "topics": topics, "mistakes": mistakes })
        .to_string()
}

fn as_table(
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
    for mistake in mistakes {
        lines.push(String::new());
        lines.push(format!("{}: {}", mistake.topic, mistake.found));
        lines.push(format!("  expected  {}", mistake.expected));
        lines.push(format!("  to do     {}", mistake.remedy));
    }
    lines.join("\n")
}

impl From<KafkaFailure> for Failure {
    fn from(failure: KafkaFailure) -> Self {
        match failure {
            KafkaFailure::Client(_) => Self::Internal(failure.to_string()),
            KafkaFailure::Unreachable { .. } => Self::Unreachable(failure.to_string()),
            KafkaFailure::Forbidden { .. } | KafkaFailure::Refused { .. } => Self::input(failure.to_string()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge paces its questions to the broker")]
fn pause() {
    std::thread::sleep(MADE_PAUSE);
}

/// A command that a person waits for.
const PATIENCE: Duration = Duration::from_secs(10);
const REPLICATION_DEFAULT: i32 = 3;
const MADE_TRIES: u32 = 20;
const MADE_PAUSE: Duration = Duration::from_millis(100);
const NAME_COLUMNS_MAX: usize = 44;
