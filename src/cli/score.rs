//! `ward score`: decisions for a file of events.

mod output;
mod tally;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use output::Output;
use tally::Tally;

use super::events::{Ended, FileFormat, Input, Take};
use super::interrupt::Interrupt;
use super::{Failure, hash_seed, ink, tables};
use crate::adapters::files::saved::{Entry, ORIGIN, Progress, Saved};
use crate::app;
use crate::engine::baseline::Part;
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit::Stored;
use crate::engine::explain::{Explanation, Ink, brief, render};
use crate::engine::policy::Policy;
use crate::engine::step::{Lifetime, Setting};
use crate::model::decision::{Basis, Ruling};
use crate::pipeline::file::FileLane;
use crate::pipeline::profiles::Damaged;
use crate::ports::tables::Tables;

/// Score a file of events: one decision a line, in input order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The events; `-` reads standard input.
    file: PathBuf,
    /// Configuration file (else WARD_CONFIG, else config/ward.toml): of it, `[identity]` and
    /// `[sources]` hold for files too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file, or the name of a shipped one (`seed`, `default`).
    #[arg(long, value_name = "FILE|NAME", default_value = "default")]
    policy: String,
    /// Another policy, as above: its verdict is recorded beside the other's, and teaches nothing.
    #[arg(long, value_name = "FILE|NAME")]
    shadow: Option<String>,
    /// City database (GeoIP2 or flat layout); repeat for IPv4 and IPv6 in two files. `builtin` is
    /// the synthetic table of `ward simulate`.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// ASN database.
    #[arg(long, value_name = "MMDB")]
    asn: Vec<PathBuf>,
    /// Network classes: an Anonymous-IP database, or a CIDR list.
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// Keeps profiles here between runs.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How the events are written; told from the file's name or first bytes when absent.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Writes the same lines into a file.
    #[arg(long, value_name = "FILE")]
    decisions_out: Option<PathBuf>,
    /// Writes the alerts into a file, one JSON line each; `ward alerts` renders them for a SIEM.
    #[arg(long, value_name = "FILE")]
    alerts_out: Option<PathBuf>,
    /// Explains every decision to people, on standard error; what is uneventful in one line. The lines on
    /// standard output stay as they are.
    #[arg(long)]
    explain: bool,
    /// Writes the summary as one JSON line to standard error, on a terminal or not.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    // Everything is opened before anything fails: all mistakes at once.
    let mut mistakes = Vec::new();
    let settings = app::load(args.config.as_deref(), &[]).sound();
    let settings =
        note(settings.map_err(|found| found.iter().map(ToString::to_string).collect()), &mut mistakes);
    let policy = note(load(&args.policy), &mut mistakes);
    let shadow = note(args.shadow.as_deref().map(load).transpose(), &mut mistakes);
    let tables = tables::open(&args.geo, &args.asn, &args.networks);
    let tables = note(tables.map_err(|failure| failure.messages().to_vec()), &mut mistakes);
    let input = note(Input::open(&args.file).map_err(|mistake| vec![mistake]), &mut mistakes);
    let state = note(restore(args.state.as_deref()).map_err(|mistake| vec![mistake]), &mut mistakes);
    let (Some(settings), Some(policy), Some(shadow), Some(tables), Some(input), Some((saved, lane))) =
        (settings, policy, shadow, tables, input, state)
    else {
        return Err(Failure::Input(mistakes));
    };
    let output =
        Output::open(args.decisions_out.as_deref(), args.alerts_out.as_deref()).map_err(Failure::input)?;

    let lifetime = Lifetime::of(settings.remembering);
    let basis =
        Basis { policy: policy.digest, engine: lifetime.engine(), tables: tables.digest(), model: None };
    let mut scoring = Scoring {
        lane,
        tables: &*tables,
        setting: Setting { policy: &policy, shadow: shadow.as_ref(), basis, lifetime: &lifetime },
        output,
        tally: Tally::new(input.length, !args.explain),
        explain: args.explain.then(|| ink(std::io::stderr().is_terminal())),
        interrupt: Interrupt::listen(),
    };
    match input.read(args.format, &settings.identity, &mut scoring) {
        Ok(()) => {}
        Err(Ended::Unread) => return Ok(()),
        Err(Ended::Failed(failure)) => return Err(failure),
    }
    if let Some(saved) = saved {
        save(&saved, &scoring.lane)?;
    }
    scoring.tally.finish(scoring.lane.users(), tables.broken(), args.json);
    Ok(())
}

fn load(policy: &str) -> Result<Policy, Vec<String>> {
    let policy = Policy::load(policy, &app::read_text);
    policy.map_err(|found| found.iter().map(ToString::to_string).collect())
}

/// What the records of a file pass through.
#[derive(Debug)]
struct Scoring<'s> {
    lane: FileLane,
    tables: &'s dyn Tables,
    setting: Setting<'s>,
    output: Output,
    tally: Tally,
    /// Decisions are explained, in this ink.
    explain: Option<Ink>,
    interrupt: Interrupt,
}

impl Take for Scoring<'_> {
    fn lines(&mut self) -> &mut u64 {
        self.lane.lines_mut()
    }

    fn take(&mut self, line: u64, decoded: Result<Decoded<'_>, Rejected>) -> Result<(), Ended> {
        let Self { lane, tables, setting, output, explain, .. } = self;
        let Output { lines: out, alerts, explanations, .. } = output;
        let watch = &mut |ruling: &Ruling<'_>| {
            if let (Some(alerts), Some(alert)) = (alerts.as_mut(), &ruling.alert) {
                alerts.add(alert);
            }
        };
        let damaged = |damaged: Damaged| {
            Ended::Failed(Failure::input(format!("{damaged}; remove the saved state to begin anew")))
        };
        let told = match explain {
            None => lane.take(line, decoded, *tables, setting, out, watch).map_err(damaged)?,
            Some(ink) => {
                let start = out.len();
                let taken = lane.explain(line, decoded, *tables, setting, out, watch);
                let (told, context) = taken.map_err(damaged)?;
                let said = out.get(start..).unwrap_or_default();
                if let (Some(context), Ok(decision)) = (context, Stored::from_json(said)) {
                    let it = Explanation::of(&decision, Some(setting.policy), Some(context));
                    let text = if it.is_uneventful() { brief(&it, *ink) } else { render(&it, *ink) };
                    explanations.add(&text, !it.is_uneventful());
                }
                told
            }
        };
        self.tally.count(told);
        self.output.flush_when_full()
    }

    /// Nobody waits for lines while we wait for input.
    fn before_waiting(&mut self, consumed: u64) -> Result<(), Ended> {
        self.tally.is_at(consumed);
        self.output.flush()?;
        if self.interrupt.is_set() { Err(Ended::Failed(Failure::Interrupted)) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        self.output.flush()
    }
}

fn note<T>(opened: Result<T, Vec<String>>, mistakes: &mut Vec<String>) -> Option<T> {
    opened.map_err(|mut found| mistakes.append(&mut found)).ok()
}

/// The lane, with what an earlier run kept.
fn restore(folder: Option<&Path>) -> Result<(Option<Saved>, FileLane), String> {
    let mut lane = FileLane::new(hash_seed());
    let Some(folder) = folder else { return Ok((None, lane)) };
    let saved = Saved::open(folder).map_err(|error| error.to_string())?;
    let progress = saved.load(|entry| {
        if entry.part == ORIGIN {
            return lane.restore_origin(entry.user, entry.state).map_err(|error| error.to_string());
        }
        let part = Part::parse(entry.part).ok_or_else(|| format!("a part `{}`", entry.part))?;
        lane.restore(entry.user, part, entry.state);
        Ok(())
    });
    if let Some(Progress { mark, lines }) = progress.map_err(|error| error.to_string())? {
        lane.resume(mark, lines);
    }
    Ok((Some(saved), lane))
}

fn save(saved: &Saved, lane: &FileLane) -> Result<(), Failure> {
    let progress = Progress { mark: lane.mark(), lines: lane.lines() };
    let done = saved.save(progress, |put| {
        lane.save_origins(|user, state| put(Entry { user, part: ORIGIN, state }))?;
        lane.save(|user, part, state| put(Entry { user, part: part.name(), state }))
    });
    done.map_err(|error| Failure::Unreachable(error.to_string()))
}
