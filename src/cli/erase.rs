//! `ward erase`: has a user forgotten.
//!
//! What it sends is an event of the user, which goes the way of feedback: `ward run` copies it into the
//! input, where its order is settled, decides it on the empty profile that it leaves, and ends every part
//! of the profile in the changelog. The state of `ward score` has no log behind it: there it takes the
//! user out.

mod saved;
mod watch;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::analyst::{say, taken};
use super::explain::partitions;
use super::flags::Source;
use super::interrupt::Interrupt;
use super::whom::Whom;
use super::{Failure, now, print};
use crate::app;
use crate::config::Settings;
use crate::engine::document::parse_duration;
use crate::model::id::{Id128, digest};
use crate::model::time::Timestamp;
use crate::pipeline::intake::partition_of;
use watch::{Erased, Watch};

/// Have a user forgotten: everything that was learned goes, and cannot be brought back.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Whom; without a tenant that of `default`. See with `ward profile` that it is the right one.
    #[arg(value_name = "[TENANT/]USER")]
    user: String,
    /// The state of `ward score --state`: takes the user out of it.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["bootstrap", "wait", "by"])]
    state: Option<PathBuf>,
    #[command(flatten)]
    kafka: Source,
    /// Who asks for it.
    #[arg(long, value_parser = ["user", "analyst", "system"], default_value = "analyst")]
    by: String,
    /// Waits so long, such as `30s`, until every part of the profile has ended in the changelog.
    #[arg(long, value_name = "DURATION", value_parser = waiting)]
    wait: Option<Duration>,
    /// Asks nothing; without a terminal nothing is asked either.
    #[arg(long)]
    yes: bool,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let whom = Whom::parse("USER", &args.user)?;
    match &args.state {
        Some(folder) => saved::erase(folder, &whom, args.json, || confirm(&args, &whom)),
        None => of_log(&args, &whom),
    }
}

fn of_log(args: &Args, whom: &Whom) -> Result<(), Failure> {
    let settings =
        app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound().map_err(Failure::mistakes)?;
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let key = whom.key();
    let said = said(whom, &args.by, now()).to_string();
    let event = taken(&settings, &said)?;
    let watch = args.wait.map(|_| begin(&settings, &connection, whom)).transpose()?;
    confirm(args, whom)?;
    let interrupt = Interrupt::listen();
    let topic = say(&settings, &connection, &key, &event)?;
    let erased = match (watch, args.wait) {
        (Some(watch), Some(wait)) => watch.until_erased(&event.id, wait, &interrupt)?,
        _ => None,
    };
    if args.json {
        print(&format!("{{\"topic\":{},\"event\":{said},\"erased\":{}}}", json!(topic), json!(erased)));
    } else {
        print(&match &erased {
            Some(erased) => done(whom, erased, &settings),
            None => asked(whom, &topic, &event.id, &settings),
        });
    }
    match (args.wait, erased) {
        (Some(wait), None) => Err(Failure::Unreachable(format!(
            "not erased within {wait:?}: no decision about event {} on `{}`; it stands in `{topic}` and is carried out \
             as soon as `ward run` comes to it: see whether one runs",
            event.id, settings.topics.decisions.name
        ))),
        _ => Ok(()),
    }
}

/// Looks at the ends of the user's partition before anything is said.
fn begin(
    settings: &Settings,
    connection: &crate::adapters::kafka::Connection,
    whom: &Whom,
) -> Result<Watch, Failure> {
    let (decisions, profiles) = (&settings.topics.decisions.name, &settings.topics.profiles);
    let of_what = "decisions as the configuration has it";
    let partition = partition_of(whom.key().as_bytes(), partitions(connection, decisions, of_what)?);
    let ids = app::written_under(settings, decisions, &["decision"])?;
    Watch::begin(connection, (decisions, profiles), partition, whom.clone(), ids)
}

fn asked(whom: &Whom, topic: &str, event: &str, settings: &Settings) -> String {
    format!(
        "asked on `{topic}` to erase {whom}, as event {event}.\n`ward run` does it when it comes to it; the decision about it \
         follows on `{}`.\nSee with `ward profile`, or give --wait.",
        settings.topics.decisions.name
    )
}

fn done(whom: &Whom, erased: &Erased, settings: &Settings) -> String {
    format!(
        "erased {whom}: {} parts ended in `{}` partition {}, decided at offset {} of `{}`\nas decision {}.\nWhat events, \
         decisions and alerts say of the user goes with their retention: docs/privacy.md.",
        erased.parts,
        settings.topics.profiles,
        erased.partition,
        erased.offset,
        settings.topics.events.name,
        erased.decision_id
    )
}

/// Asks whoever sits at a terminal.
fn confirm(args: &Args, whom: &Whom) -> Result<(), Failure> {
    let (mut stderr, stdin) = (std::io::stderr(), std::io::stdin());
    if args.yes || !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(());
    }
    let question = format!("erase {whom}? What was learned of this user cannot be brought back [y/N] ");
    let mut answer = String::new();
    let asked = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    asked.and_then(|()| stdin.lock().read_line(&mut answer)).map_err(|error| {
        Failure::input(format!("the terminal gives no answer ({error}); say --yes to go on without one"))
    })?;
    if matches!(answer.trim(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::Found(format!("{whom} was not erased: the answer was not `y`")))
}

/// The event as anybody could write it.
fn said(whom: &Whom, by: &str, now: Timestamp) -> serde_json::Value {
    let (tenant, user) = whom.names();
    let at = now.to_string();
    let parts = [tenant, user, by, &at].map(str::as_bytes);
    json!({
        "event_id": Id128::from(digest("erasure", &parts)).to_string(), "tenant": tenant, "user_id": user,
        "type": "feedback", "occurred_at": at, "source": SOURCE, "verdict": "erase", "by": by,
    })
}

fn waiting(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as `30s` or `2m`".to_owned())
}

const SOURCE: &str = "ward";
const AFTER_HELP: &str = "What goes at once, what by compaction and what only by retention: docs/privacy.md. End the \
account first: whatever the user does after it is learned anew.\n\nExit codes: 0 sent, or erased · 1 nothing is known of \
the user in this state, or the answer was no · 2 usage or unreadable state · 3 Kafka is not reachable, or the wait was over";
