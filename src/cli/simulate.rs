//! `ward simulate`: synthetic people with habits, and labelled attacks.
//!
//! Into a file the run begins on a date that the seed decides, so that the same arguments give the
//! same bytes. Into Kafka its last event is now.

pub(super) mod sink;
mod tally;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::flags::Source;
use super::{Failure, now, tables};
use crate::app;
use crate::engine::enrich::builtin::Builtin;
use crate::model::time::Timestamp;
use crate::pipeline::lane::Rendering;
use crate::ports::tables::Atlas;
use crate::simulate::{Attack, EVENTS_A_USER_DAY, Plan, Simulated, Stream, World, start_of};
use sink::{Labels, Sink};
use tally::Tally;

/// Make events of synthetic users with habits, and of labelled attacks, from a seed.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("length").required(true).args(["events", "days"])))]
pub(super) struct Args {
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000_000))]
    events: Option<u64>,
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: Option<u32>,
    #[arg(long)]
    seed: u64,
    /// `none`, or names separated by commas; `all` stands for those on one user at a time.
    #[arg(long, default_value = "all", value_name = "all|none|NAME,…")]
    attacks: String,
    /// City database: addresses are taken from it. Without one they are of the built-in synthetic table.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// Where to write; `-` is standard output.
    #[arg(long, value_name = "FILE|-", default_value = "-", conflicts_with = "bootstrap")]
    out: PathBuf,
    /// JSON lines, or Avro (a container file; single-object encoding to Kafka). To Kafka the default is
    /// what the configuration says of the topic.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Which event belongs to which attack, one JSON line an event.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Writes to Kafka; the last event is now.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Configuration file, for the connection and the topic's name (else WARD_CONFIG, else config/ward.toml).
    #[arg(long, value_name = "FILE", requires = "bootstrap")]
    config: Option<PathBuf>,
    /// Events a second, to Kafka.
    #[arg(long, requires = "bootstrap", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Writes what was made as one JSON line to standard error, on a terminal or not.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Jsonl,
    Avro,
}

#[expect(clippy::needless_pass_by_value, reason = "a command takes its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let attacks = attacks(&args.attacks).map_err(Failure::input)?;
    let world = world(&args.geo)?;
    let labels = args.labels.as_deref().map(Labels::create).transpose()?;
    if let Some(bootstrap) = &args.bootstrap {
        let source = Source { config: args.config.clone(), bootstrap: Some(bootstrap.clone()) };
        let settings =
            app::load(source.config.as_deref(), &source.said()).sound().map_err(Failure::mistakes)?;
        let max_age_days = settings.identity.max_age.map(|age| age.as_secs() / DAY_SECONDS);
        let run = recent(&args, &attacks, world, now(), max_age_days)?;
        let connection = app::connection(&settings).map_err(Failure::Input)?;
        let topic = app::topic_names(&settings).events;
        let written = match args.format {
            Some(Format::Avro) => Rendering::Avro,
            Some(Format::Jsonl) => Rendering::Json,
            None => {
                let registry = app::needed_registry(&settings).map_err(Failure::Input)?;
                app::event_rendering(registry.as_ref(), settings.topics.events.format, &topic)?
            }
        };
        let sink = Sink::kafka(&connection, topic, written, args.rate)?;
        return pour(run, sink, labels, args.json);
    }
    let sink = Sink::file(&args.out, args.format == Some(Format::Avro))?;
    pour(dated(&args, attacks, world), sink, labels, args.json)
}

/// The stream, where it ends, and how much that is.
pub(super) struct Run {
    stream: Stream,
    events: Option<u64>,
    end: Option<Timestamp>,
}

impl Iterator for Run {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        if let Some(left) = &mut self.events {
            *left = left.checked_sub(1)?;
        }
        if let Some(end) = self.end
            && self.stream.peek()? >= end
        {
            return None;
        }
        self.stream.next()
    }
}

/// From the date that the seed decides.
fn dated(args: &Args, attacks: Vec<Attack>, world: World) -> Run {
    let start = start_of(args.seed);
    let days = args.days.unwrap_or_else(|| days_of(args.events.unwrap_or(0), args.users));
    let end = args.days.map(|days| start.plus(std::time::Duration::from_secs(u64::from(days) * DAY_SECONDS)));
    let plan = Plan { users: args.users, seed: args.seed, attacks, start, days };
    Run { stream: Stream::new(&plan, world), events: args.events, end }
}

/// So many events of so many users.
pub(super) struct Asked<'a> {
    pub(super) users: u32,
    pub(super) events: u64,
    pub(super) seed: u64,
    pub(super) attacks: &'a [Attack],
}

/// Up to now: begins as long ago as it takes.
fn recent(
    args: &Args,
    attacks: &[Attack],
    world: World,
    now: Timestamp,
    max_age_days: Option<u64>,
) -> Result<Run, Failure> {
    if let Some(events) = args.events {
        let asked = Asked { users: args.users, events, seed: args.seed, attacks };
        return up_to_now(&asked, &world, now, max_age_days);
    }
    let days = args.days.unwrap_or(1);
    young_enough(days, max_age_days)?;
    let start = ago(now, days);
    let plan = Plan { users: args.users, seed: args.seed, attacks: attacks.to_vec(), start, days };
    Ok(Run { stream: Stream::new(&plan, world), events: None, end: Some(now) })
}

/// The last events before now.
pub(super) fn up_to_now(
    asked: &Asked<'_>,
    world: &World,
    now: Timestamp,
    max_age_days: Option<u64>,
) -> Result<Run, Failure> {
    let &Asked { users, events, seed, attacks } = asked;
    let mut days = days_of(events, users).saturating_add(1);
    loop {
        young_enough(days, max_age_days)?;
        let plan = Plan { users, seed, attacks: attacks.to_vec(), start: ago(now, days), days };
        // How many there are up to now: a pass without making any.
        let mut counted = Stream::new(&plan, world.clone());
        let mut there = 0_u64;
        while counted.peek().is_some_and(|at| at < now) {
            counted.pass();
            there += 1;
        }
        if let Some(before) = there.checked_sub(events) {
            let mut stream = Stream::new(&plan, world.clone());
            for _ in 0..before {
                stream.pass();
            }
            return Ok(Run { stream, events: Some(events), end: Some(now) });
        }
        days = days.saturating_add(days / 4 + 1);
    }
}

fn young_enough(days: u32, max_age_days: Option<u64>) -> Result<(), Failure> {
    match max_age_days {
        Some(most) if u64::from(days) >= most => Err(Failure::input(format!(
            "found a run of {days} days; the pipeline refuses what is older than {most} days (max_age); ask for fewer \
             days or events, or for more users, or write to a file"
        ))),
        _ => Ok(()),
    }
}

fn ago(now: Timestamp, days: u32) -> Timestamp {
    now.minus(std::time::Duration::from_secs(u64::from(days) * DAY_SECONDS))
}

fn pour(run: Run, mut sink: Sink, mut labels: Option<Labels>, json: bool) -> Result<(), Failure> {
    let progress = indicatif::ProgressBar::new(run.events.unwrap_or(0));
    if run.events.is_none() {
        progress.set_length(0);
        progress.set_style(indicatif::ProgressStyle::default_spinner());
    }
    let mut tally = Tally::default();
    for made in run {
        if !sink.put(&made.event)? {
            break;
        }
        if let Some(labels) = &mut labels {
            labels.put(&made)?;
        }
        tally.count(&made);
        if tally.events.is_multiple_of(PROGRESS_EVERY) {
            progress.set_position(tally.events);
            if progress.length() == Some(0) {
                progress.set_message(format!("{} events, {}", tally.events, made.event.occurred_at));
            }
        }
    }
    progress.finish_and_clear();
    sink.finish()?;
    labels.map_or(Ok(()), Labels::finish)?;
    tally.finish(json);
    Ok(())
}

/// The attacks that are asked for.
fn attacks(asked: &str) -> Result<Vec<Attack>, String> {
    let known = || Attack::KNOWN.iter().map(|attack| attack.name()).collect::<Vec<_>>().join(", ");
    if asked == "none" {
        return Ok(Vec::new());
    }
    let mut attacks = Vec::new();
    let mut unknown = Vec::new();
    for name in asked.split(',').map(str::trim) {
        match Attack::parse(name) {
            _ if name == "all" => attacks.extend(Attack::ALL),
            Some(attack) => attacks.push(attack),
            None => unknown.push(format!("`{name}`")),
        }
    }
    let mut seen = BTreeSet::new();
    attacks.retain(|attack| seen.insert(*attack));
    if unknown.is_empty() {
        return Ok(attacks);
    }
    Err(format!("--attacks: found {}; expected all, none, or some of: {}", unknown.join(", "), known()))
}

pub(super) fn world(geo: &[PathBuf]) -> Result<World, Failure> {
    let atlas: Arc<dyn Atlas> =
        if geo.is_empty() { Arc::new(Builtin::new()) } else { tables::open(geo, &[], &[])? };
    World::of(&*atlas).ok_or_else(|| {
        Failure::input(
            "--geo: found no towns with networks in two countries; people need a home and an abroad; \
             give a full city database",
        )
    })
}

/// About how many days so many events of so many users take.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped on the same line")]
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn days_of(events: u64, users: u32) -> u32 {
    (events as f64 / f64::from(users.max(1)) / EVENTS_A_USER_DAY).ceil().clamp(1.0, 36_500.0) as u32
}

const DAY_SECONDS: u64 = 86_400;
const PROGRESS_EVERY: u64 = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, expected: Result<&[Attack], &str>) {
        let found = attacks(asked);
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected)),
            Err(part) => assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn attacks_are_asked_for_by_name() {
        check("all", Ok(Attack::ALL));
        check("none", Ok(&[]));
        check("insider,same_city", Ok(&[Attack::Insider, Attack::SameCity]));
        check("insider, insider", Ok(&[Attack::Insider]));
        check("password_spray,insider", Ok(&[Attack::PasswordSpray, Attack::Insider]));
        let both = [Attack::ALL, &[Attack::PasswordSpray]].concat();
        check("all,insider,password_spray", Ok(&both));
        check(
            "phishing,insider,worm",
            Err("found `phishing`, `worm`; expected all, none, or some of: stolen_"),
        );
        check("", Err("found ``"));
    }

    fn args(line: &str) -> Args {
        #[derive(Debug, clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: Args,
        }
        <Only as clap::Parser>::parse_from(line.split_whitespace()).args
    }

    #[track_caller]
    fn recent_run(line: &str) -> Result<Vec<Simulated>, String> {
        let now = Timestamp::parse("2026-03-04T15:00:00Z").unwrap();
        let world = World::of(&Builtin::new()).unwrap();
        match recent(&args(line), &[], world, now, Some(30)) {
            Ok(run) => Ok(run.collect()),
            Err(Failure::Input(messages)) => Err(messages.join("\n")),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_event_of_a_recent_run_is_now() {
        let events = recent_run("ward --users 50 --events 3000 --seed 1").unwrap();
        assert_eq!(events.len(), 3_000);
        let last = events.last().unwrap().event.occurred_at;
        let now = Timestamp::parse("2026-03-04T15:00:00Z").unwrap();
        assert!(now.since(last).is_some_and(|ago| ago.as_secs() < 1_800), "{last}");
    }

    #[test]
    fn what_is_too_old_is_refused() {
        assert!(recent_run("ward --users 1 --days 30 --seed 1").unwrap_err().contains("a run of 30 days"));
        assert!(recent_run("ward --users 1 --events 100000 --seed 1").unwrap_err().contains("max_age"));
        assert!(recent_run("ward --users 1 --days 29 --seed 1").is_ok());
    }
}
