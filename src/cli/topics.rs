//! `ward topics`: plans, makes and checks the topics, and says who may do what to them.

mod show;

use std::collections::BTreeMap;
use std::time::Duration;

use super::flags::Source;
use super::{Failure, print};
use crate::adapters::kafka::acls::{acls, commands};
use crate::adapters::kafka::topics::{self, Numbers, There, Wanted};
use crate::adapters::kafka::{Admin, Failure as KafkaFailure};
use crate::app::{self, PATIENCE};
use crate::config::Settings;

/// Plan, make or check the topics, or print the permissions that each role needs.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Say what `create` would make, and what it would leave for a person to change. Changes nothing.
    Plan(Options),
    /// Make what is missing; never changes what is there.
    Create(Options),
    /// Compare settings, partition counts and permissions; exits 1 when something is wrong.
    Check(Options),
    /// Print the least ACLs of each role, as lines of `kafka-acls.sh`. Asks no broker.
    Acls(AclOptions),
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    source: Source,
    /// Partitions of the input and of every topic that follows it (default: what the input has, else 24).
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: Option<i32>,
    /// Replicas (default: 3, or as many as there are brokers).
    #[arg(long, value_parser = clap::value_parser!(i32).range(1..=32))]
    replication: Option<i32>,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct AclOptions {
    #[command(flatten)]
    source: Source,
    /// Begins the principal of every role: `User:ward-` makes `User:ward-worker`.
    #[arg(long, value_name = "PREFIX", default_value = "User:ward-")]
    principal_prefix: String,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args {
        Args::Plan(options) => plan(&options),
        Args::Create(options) => settle(&options, true),
        Args::Check(options) => settle(&options, false),
        Args::Acls(options) => permissions(&options),
    }
}

fn settings(source: &Source) -> Result<Settings, Failure> {
    app::load(source.config.as_deref(), &source.said()).sound().map_err(Failure::mistakes)
}

fn permissions(options: &AclOptions) -> Result<(), Failure> {
    let settings = settings(&options.source)?;
    let all = acls(&app::topic_names(&settings), &settings.kafka.group, &options.principal_prefix);
    if options.json {
        print(&serde_json::json!({ "acls": all }).to_string());
    } else {
        print(&show::acls(&commands(&all, &settings.kafka.bootstrap)));
    }
    Ok(())
}

/// What a command needs of the broker, and what it found there.
struct Broker {
    admin: Admin,
    bootstrap: String,
    patience: Duration,
}

impl Broker {
    fn reach(settings: &Settings) -> Result<Self, Failure> {
        let connection = app::connection(settings).map_err(Failure::Input)?;
        let patience = connection.connect_timeout().unwrap_or(PATIENCE);
        Ok(Self { admin: Admin::new(&connection)?, bootstrap: connection.bootstrap().to_owned(), patience })
    }

    fn describe(&self, wanted: &[Wanted<'_>]) -> Result<BTreeMap<String, There>, Failure> {
        let names: Vec<_> = wanted.iter().map(|topic| topic.name).collect();
        Ok(self.admin.describe(&names, self.patience)?)
    }

    /// How what is missing is made: partitions and replicas.
    fn shape(
        &self,
        options: &Options,
        wanted: &[Wanted<'_>],
        there: &BTreeMap<String, There>,
    ) -> Result<(Numbers, i32), Failure> {
        let brokers = i32::try_from(self.admin.brokers(self.patience)?).unwrap_or(i32::MAX);
        let replication = options.replication.unwrap_or_else(|| brokers.clamp(1, REPLICATION_DEFAULT));
        Ok((Numbers::of(wanted, there, options.partitions), replication))
    }

    /// What is there once every broker knows what was `made`, which takes them a moment: the one that tells
    /// of partitions may be another than the one that tells of settings.
    fn once_known(&self, wanted: &[Wanted<'_>], made: &[String]) -> Result<BTreeMap<String, There>, Failure> {
        let is_known = |topic: &There| topic.partitions > 0 && topic.settings.is_some();
        let mut there = self.describe(wanted)?;
        for _ in 0..MADE_TRIES {
            if made.iter().all(|name| there.get(name).is_some_and(is_known)) {
                break;
            }
            pause();
            there = self.describe(wanted)?;
        }
        Ok(there)
    }
}

fn missing<'a>(wanted: &'a [Wanted<'a>], there: &BTreeMap<String, There>) -> Vec<&'a Wanted<'a>> {
    wanted.iter().filter(|topic| !there.contains_key(topic.name)).collect()
}

/// Exits 1 when something would be left to do after `create`.
fn plan(options: &Options) -> Result<(), Failure> {
    let settings = settings(&options.source)?;
    let broker = Broker::reach(&settings)?;
    let names = app::topic_names(&settings);
    let wanted = topics::wanted(&names, settings.remembering.profile_ttl);
    let there = broker.describe(&wanted)?;
    let (numbers, replication) = broker.shape(options, &wanted, &there)?;

    let made: Vec<_> =
        missing(&wanted, &there).into_iter().map(|topic| topic.made(numbers, replication)).collect();
    let mut after = there;
    after.extend(made.iter().map(|new| (new.name.clone(), new.there())));
    let left = topics::compare(&wanted, &after, options.partitions);
    if options.json {
        let plan = serde_json::json!({ "bootstrap": broker.bootstrap, "create": made, "change": left });
        print(&plan.to_string());
    } else {
        print(&show::plan(&made, &left));
    }
    found(left.len())
}

fn settle(options: &Options, create: bool) -> Result<(), Failure> {
    let settings = settings(&options.source)?;
    let broker = Broker::reach(&settings)?;
    let names = app::topic_names(&settings);
    let wanted = topics::wanted(&names, settings.remembering.profile_ttl);
    let mut there = broker.describe(&wanted)?;
    let mut made = Vec::new();
    if create {
        let (numbers, replication) = broker.shape(options, &wanted, &there)?;
        let new: Vec<_> =
            missing(&wanted, &there).into_iter().map(|topic| topic.made(numbers, replication)).collect();
        broker.admin.create(&new, broker.patience)?;
        made.extend(new.into_iter().map(|topic| topic.name));
        there = broker.once_known(&wanted, &made)?;
    }
    let mistakes = topics::compare(&wanted, &there, options.partitions);
    if options.json {
        print(&show::as_json(&broker.bootstrap, &wanted, &there, &made, &mistakes));
    } else {
        print(&show::as_table(&wanted, &there, &made, &mistakes));
    }
    found(mistakes.len())
}

fn found(mistakes: usize) -> Result<(), Failure> {
    match mistakes {
        0 => Ok(()),
        1 => Err(Failure::Found("1 thing is not as it ought to be".into())),
        many => Err(Failure::Found(format!("{many} things are not as they ought to be"))),
    }
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

const REPLICATION_DEFAULT: i32 = 3;
const MADE_TRIES: u32 = 50;
const MADE_PAUSE: Duration = Duration::from_millis(100);
