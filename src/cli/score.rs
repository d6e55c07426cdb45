//! `ward score`: decisions for a file of events.

mod output;
mod reading;
mod tally;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use output::{Ended, Output};
use reading::Reading;
use tally::Tally;

use super::interrupt::Interrupt;
use super::{Failure, tables};
use crate::adapters::files::saved::{Entry, Progress, Saved};
use crate::app;
use crate::engine::REVISION;
use crate::engine::baseline::Part;
use crate::engine::policy::Policy;
use crate::engine::step::Setting;
use crate::model::decision::Basis;
use crate::pipeline::file::FileLane;

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FileFormat {
    Jsonl,
    Csv,
    Avro,
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
    let output = Output::open(args.decisions_out.as_deref()).map_err(Failure::input)?;

    let basis = Basis { policy: policy.digest, engine: REVISION, tables: tables.digest(), model: None };
    let mut reading = Reading {
        name: args.file.display().to_string(),
        lane,
        tables: &*tables,
        setting: Setting { policy: &policy, shadow: shadow.as_ref(), basis, lifetime: &settings.lifetime },
        limits: settings.identity,
        output,
        tally: Tally::new(input.length),
        interrupt: Interrupt::listen(),
    };
    match input.read(args.format, &mut reading) {
        Ok(()) => {}
        Err(Ended::Unread) => return Ok(()),
        Err(Ended::Failed(failure)) => return Err(failure),
    }
    if let Some(saved) = saved {
        save(&saved, &reading.lane)?;
    }
    reading.tally.finish(reading.lane.users(), tables.broken());
    Ok(())
}

fn load(policy: &str) -> Result<Policy, Vec<String>> {
    let policy = Policy::load(policy, &app::read_text);
    policy.map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn note<T>(opened: Result<T, Vec<String>>, mistakes: &mut Vec<String>) -> Option<T> {
    opened.map_err(|mut found| mistakes.append(&mut found)).ok()
}

/// The lane, with what an earlier run kept.
fn restore(folder: Option<&Path>) -> Result<(Option<Saved>, FileLane), String> {
    let mut lane = FileLane::new(seed());
    let Some(folder) = folder else { return Ok((None, lane)) };
    let saved = Saved::open(folder).map_err(|error| error.to_string())?;
    let progress = saved.load(|entry| {
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
    let done = saved
        .save(progress, |put| lane.save(|user, part, state| put(Entry { user, part: part.name(), state })));
    done.map_err(|error| Failure::Unreachable(error.to_string()))
}

/// Where profiles lie in memory, and nothing else, depends on it.
fn seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

struct Input {
    from: BufReader<Box<dyn Read>>,
    length: Option<u64>,
    by_name: Option<FileFormat>,
}

impl Input {
    fn open(path: &Path) -> Result<Self, String> {
        if path.as_os_str() == "-" {
            return Ok(Self {
                from: buffered(Box::new(std::io::stdin().lock())),
                length: None,
                by_name: None,
            });
        }
        let unreadable = |what: &str| {
            format!("{}: {what}; name a file of events, or `-` for standard input", path.display())
        };
        let file = File::open(path).map_err(|error| unreadable(&error.to_string()))?;
        let metadata = file.metadata().map_err(|error| unreadable(&error.to_string()))?;
        if metadata.is_dir() {
            return Err(unreadable("it is a folder"));
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let by_name = match ending.as_deref() {
            Some("jsonl" | "ndjson" | "json") => Some(FileFormat::Jsonl),
            Some("csv") => Some(FileFormat::Csv),
            Some("avro") => Some(FileFormat::Avro),
            _ => None,
        };
        let length = metadata.is_file().then_some(metadata.len());
        Ok(Self { from: buffered(Box::new(file)), length, by_name })
    }

    fn read(mut self, format: Option<FileFormat>, reading: &mut Reading<'_>) -> Result<(), Ended> {
        let format = match format.or(self.by_name) {
            Some(format) => format,
            // What fails here fails again below, and is told there.
            None if self.from.fill_buf().is_ok_and(|start| start.starts_with(AVRO_MAGIC)) => FileFormat::Avro,
            None => FileFormat::Jsonl,
        };
        match format {
            FileFormat::Jsonl => reading.json_lines(self.from)?,
            FileFormat::Csv => reading.csv(self.from)?,
            // An empty file has no header, and no records either.
            FileFormat::Avro if self.from.fill_buf().is_ok_and(<[u8]>::is_empty) => {}
            FileFormat::Avro => reading.avro(self.from)?,
        }
        reading.output.flush()
    }
}

fn buffered(from: Box<dyn Read>) -> BufReader<Box<dyn Read>> {
    BufReader::with_capacity(BUFFER_BYTES, from)
}

const AVRO_MAGIC: &[u8] = b"Obj\x01";
const BUFFER_BYTES: usize = 256 * 1024;
