//! `ward profile`: what the engine believes about a user.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::explain::partitions;
use super::flags::Source;
use super::interrupt::Interrupt;
use super::whom::Whom;
use super::{Failure, ink, print};
use crate::adapters::files::saved::{ORIGIN, Saved};
use crate::adapters::kafka::KafkaLog;
use crate::adapters::store::SledStore;
use crate::app;
use crate::engine::baseline::{Part, Profile};
use crate::engine::explain::{Known, portrait};
use crate::pipeline::intake::partition_of;
use crate::pipeline::wire;

/// Say what the engine believes about a user: places, devices, networks, hours, behaviour, sessions,
/// standing.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Whose; without a tenant that of `default`.
    #[arg(value_name = "[TENANT/]USER")]
    user: String,
    /// The state of `ward score --state` or of `ward run`, which must not be running; without it the
    /// topic of profiles is read.
    #[arg(long, value_name = "DIR", conflicts_with = "bootstrap")]
    state: Option<PathBuf>,
    #[command(flatten)]
    kafka: Source,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let whom = Whom::parse("USER", &args.user)?;
    let found = match &args.state {
        Some(folder) => of_state(folder, &whom)?,
        None => of_topic(&args.kafka, &whom)?,
    };
    let Found { parts, from, hint } = found;
    let profile = Profile::from_parts(|part| parts.get(&part).map(Vec::as_slice))
        .map_err(|error| Failure::input(format!("{from}: {error}")))?;
    if !profile.exists() {
        let hint = hint.unwrap_or_else(|| {
            "events name the tenant, or it is `default`: give TENANT/USER as they do; a user is known from \
             the first success on"
                .into()
        });
        return Err(Failure::Found(format!("{from}: nothing is known of `{whom}`; {hint}")));
    }
    let known = Known::of(&profile, None);
    if args.json {
        let (tenant, user_id) = whom.names();
        let whole = Whole { tenant, user_id, read_from: &from, known: &known };
        let json = serde_json::to_string_pretty(&whole);
        print(&json.map_err(|error| Failure::Internal(format!("as JSON: {error}")))?);
    } else {
        let ink = ink(std::io::stdout().is_terminal());
        print(portrait(&whom.to_string(), &from, &known, ink).trim_end());
    }
    Ok(())
}

#[derive(serde::Serialize)]
struct Whole<'w> {
    tenant: &'w str,
    user_id: &'w str,
    read_from: &'w str,
    #[serde(flatten)]
    known: &'w Known,
}

/// The parts of a profile, and where they were.
struct Found {
    parts: BTreeMap<Part, Vec<u8>>,
    from: String,
    /// Where else to look.
    hint: Option<String>,
}

fn of_state(folder: &Path, whom: &Whom) -> Result<Found, Failure> {
    let place = folder.display();
    let (is_score, is_run) = (Saved::is_in(folder), SledStore::is_in(folder));
    if is_run {
        let mut parts = BTreeMap::new();
        let mut told = None;
        let mut mistake = None;
        SledStore::look(folder, whom.key().as_bytes(), &mut |partition, stored| {
            told = Some(partition);
            for (name, value) in stored.iter() {
                let part = std::str::from_utf8(name).ok().and_then(Part::parse);
                let state = match part {
                    Some(part) => wire::state(value, part).map(|state| (part, state.to_vec())),
                    None => {
                        Err(format!("a part `{}`, which this version does not know", name.escape_ascii()))
                    }
                };
                match state {
                    Ok((part, state)) => drop(parts.insert(part, state)),
                    Err(what) => mistake = Some(format!("{place}: partition {partition}: {what}")),
                }
            }
        })
        .map_err(|error| Failure::Unreachable(format!("{error}; or ask the topic, without --state")))?;
        if let Some(mistake) = mistake {
            return Err(Failure::input(mistake));
        }
        let from = told.map_or_else(String::new, |partition| format!(", partition {partition}"));
        if !parts.is_empty() || !is_score {
            return Ok(Found { parts, from: format!("{place} (of ward run{from})"), hint: None });
        }
    }
    if !is_score {
        return Err(Failure::input(format!(
            "{place}: found no state; expected the folder of `ward score --state` or the `[run] state_dir` of `ward run`"
        )));
    }
    let mut parts = BTreeMap::new();
    let mut elsewhere = Vec::new();
    let progress = Saved::look(folder, |entry| {
        if entry.part == ORIGIN {
            return Ok(());
        }
        if entry.user == whom.key().as_bytes() {
            let part = Part::parse(entry.part).ok_or_else(|| format!("a part `{}`", entry.part))?;
            parts.insert(part, entry.state.to_vec());
        } else if entry.part == Part::Core.name()
            && elsewhere.len() < NAMESAKES_MAX
            && whom.is_namesake(entry.user)
        {
            elsewhere.push(format!("`{}`", String::from_utf8_lossy(entry.user).escape_debug()));
        }
        Ok(())
    });
    let progress = progress.map_err(|error| Failure::input(error.to_string()))?;
    let records = progress.map_or(0, |progress| progress.mark.offset);
    Ok(Found {
        parts,
        from: format!("{place} (of ward score, after {records} records)"),
        hint: (!elsewhere.is_empty()).then(|| format!("there is {}: give it so", elsewhere.join(", "))),
    })
}

/// From the one partition in which the user's profile lies.
fn of_topic(source: &Source, whom: &Whom) -> Result<Found, Failure> {
    let settings = app::load(source.config.as_deref(), &source.said()).sound().map_err(Failure::mistakes)?;
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let topic = &settings.topics.profiles;
    let key = whom.key();
    let partition =
        partition_of(key.as_bytes(), partitions(&connection, topic, "profiles as the configuration has it")?);
    let from = format!("topic `{topic}` partition {partition}");
    let interrupt = Interrupt::listen();
    let mut log = KafkaLog::open(&connection, topic, partition)?;
    let mut parts = BTreeMap::new();
    while let Some(read) = log.next(|record| {
        let Some((user, part)) = record.key.and_then(Part::split_key) else { return Ok::<_, Failure>(()) };
        if user != key.as_bytes() {
            return Ok(());
        }
        match record.value.filter(|value| !value.is_empty()) {
            None => drop(parts.remove(&part)),
            Some(value) => {
                let state = wire::state(value, part)
                    .map_err(|what| Failure::input(format!("{from} offset {}: {what}", record.offset)))?;
                parts.insert(part, state.to_vec());
            }
        }
        Ok(())
    })? {
        read?;
        if interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
    }
    Ok(Found { parts, from, hint: None })
}

/// Of those who have the same name under other tenants, as many are named.
const NAMESAKES_MAX: usize = 3;
const AFTER_HELP: &str = "Exit codes: 0 shown · 1 nothing is known of the user · 2 usage or unreadable state · \
3 Kafka is not reachable, or another process uses the state";
