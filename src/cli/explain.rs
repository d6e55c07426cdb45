//! `ward explain`: one decision in words and numbers, both sides of every comparison.

mod find;
mod rebuild;

use std::io::IsTerminal as _;
use std::path::Path;

pub(super) use find::partitions;
use find::{Target, Wanted};

use super::flags::Source;
use super::interrupt::Interrupt;
use super::{Failure, ink, print};
use crate::app;
use crate::config::Settings;
use crate::engine::emit::Stored;
use crate::engine::explain::{Explanation, render};
use crate::engine::policy::Policy;
use crate::model::id::Digest;
use crate::pipeline::explain::Rebuilt;

/// Say why a decision is what it is: both sides of every comparison, what was silent, what would have
/// lowered the score.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The id of a decision, or of the event that it decides.
    #[arg(value_name = "ID")]
    id: String,
    /// A file of decisions, or a topic (default: the topic of decisions of the configuration).
    #[arg(long = "in", value_name = "FILE|topic:NAME")]
    input: Option<String>,
    /// The events that they were made of: shows usual places, devices, networks and hours as they were
    /// before, and what the quiet signals measured.
    #[arg(long, value_name = "FILE|topic:NAME")]
    events: Option<String>,
    /// Whose decision it is, where an event's id is not the only one of its name; of a topic, only the
    /// user's partition is read then.
    #[arg(long, value_name = "TENANT/USER")]
    user: Option<String>,
    /// The policy that decided, where it is neither a shipped one nor that of the configuration; repeat
    /// for more.
    #[arg(long, value_name = "FILE|NAME", num_args = 1)]
    policy: Vec<String>,
    #[command(flatten)]
    kafka: Source,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let wanted = Wanted::new(&args.id, args.user.as_deref())?;
    let mut mistakes = Vec::new();
    let settings = app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound();
    let settings = settings.unwrap_or_else(|found| {
        mistakes.extend(found.iter().map(ToString::to_string));
        Settings::default()
    });
    let mut policies = Vec::new();
    for name in &args.policy {
        match Policy::load(name, &|path: &Path| app::read_text(path)) {
            Ok(policy) => policies.push(policy),
            Err(found) => mistakes.extend(found.iter().map(ToString::to_string)),
        }
    }
    if !mistakes.is_empty() {
        return Err(Failure::Input(mistakes));
    }
    policies.extend(["seed", "default"].into_iter().filter_map(Policy::shipped));
    // What it cannot be read for is for `ward check` to say: it may well not be the one that decided.
    policies.extend(Policy::load(&settings.policy.file, &|path: &Path| app::read_text(path)));
    let interrupt = Interrupt::listen();

    let from = find::From::of(args.input.as_deref(), &settings);
    let target = from.find(&wanted, &settings, &interrupt)?;
    let decision = target.read()?;
    let decided = digest(&decision);
    if let (Some(digest), find::From::Topic(_)) = (decided, &from)
        && !policies.iter().any(|policy| policy.digest == digest)
    {
        policies.extend(find::published_policy(&settings, digest)?);
    }
    let rebuilt = args
        .events
        .as_deref()
        .map(|events| rebuild::rebuild(events, &from, &target, &policies, &settings, &interrupt))
        .transpose()?;
    let (context, otherwise) = match rebuilt {
        Some(Rebuilt::Same(context)) => (Some(*context), None),
        Some(Rebuilt::Other(score)) => (None, Some(format!("another decision (score {score})"))),
        Some(Rebuilt::Nothing) => (None, Some("no decision".into())),
        None => (None, None),
    };
    let policy = policies.iter().find(|policy| Some(policy.digest) == decided);
    let mut explanation = Explanation::of(&decision, policy, context);
    if let (Some(otherwise), Some(first)) = (otherwise, explanation.not_shown.first_mut()) {
        *first = format!(
            "usual places, devices, networks and hours, and what the quiet signals measured: the events given \
             lead to {otherwise}; name all events of the user, from the first on, and all their decisions"
        );
    }
    if args.json {
        let json = serde_json::to_string_pretty(&explanation);
        print(&json.map_err(|error| Failure::Internal(format!("as JSON: {error}")))?);
    } else {
        print(render(&explanation, ink(std::io::stdout().is_terminal())).trim_end());
    }
    Ok(())
}

/// The policy that decided.
fn digest(decision: &Stored<'_>) -> Option<Digest> {
    decision.basis.policy.strip_prefix("sha256:").and_then(Digest::parse)
}

impl Target {
    fn read(&self) -> Result<Stored<'_>, Failure> {
        self.form
            .stored(&self.bytes)
            .map_err(|what| Failure::input(format!("{}: is no decision: {what}", self.place)))
    }
}

const AFTER_HELP: &str = "Exit codes: 0 explained · 1 there is no such decision · 2 usage or unreadable input · \
3 Kafka is not reachable";
