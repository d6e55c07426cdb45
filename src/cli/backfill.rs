//! `ward backfill`: a log of before into the topic of events, in the order of time and marked so.
//!
//! First everything is read, checked and sorted; only then the first event is published, so that a
//! mistake in the last file leaves nothing half done. *Ordering*: by time over all files; each user's
//! events go to the user's partition. *Delivery*: acknowledged, at least once: after a failure run it
//! again; what was there already is older than the newest and teaches nothing twice.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::events::{Ended, FileFormat, Input, Take};
use super::interrupt::Interrupt;
use super::simulate::sink::{Pace, there};
use super::{Failure, flags, now, print, say};
use crate::adapters::files::sorted::Sorter;
use crate::adapters::kafka::Publisher;
use crate::app;
use crate::engine::decode::{Decoded, Format, Rejected};
use crate::engine::emit;
use crate::model::event::Event;
use crate::model::id::{Id128, digest};
use crate::model::time::Timestamp;
use crate::pipeline::replay::grouped;

/// Teach the engine a log of before: no alerts, no revocations, marked in each decision's basis.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Files of events in JSON lines, CSV or Avro, in any order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Who saw these events, where they do not say; `[identity] backfill` must name every source.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// At most so many events a second: what comes in live has to wait for them.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How the events are written; told from the file's name or first bytes when absent.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Leaves out what cannot be taken, instead of publishing nothing.
    #[arg(long)]
    skip_rejected: bool,
    /// Reads, checks and sorts, and publishes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Where events are laid down while they are sorted, readable by their owner only.
    #[arg(long, value_name = "DIR", default_value = ".")]
    spill: PathBuf,
    #[command(flatten)]
    kafka: flags::Source,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound();
    let settings = settings.map_err(Failure::mistakes)?;
    let mut mistakes = Vec::new();
    let inputs: Vec<_> = args
        .files
        .iter()
        .filter_map(|path| Input::open(path).map_err(|mistake| mistakes.push(mistake)).ok().zip(Some(path)))
        .collect();
    if !mistakes.is_empty() {
        return Err(Failure::Input(mistakes));
    }
    let spill = &args.spill;
    let sorter = Sorter::new(spill, &format!("ward-backfill-{}", std::process::id()), RUN_BYTES);
    let sorter = sorter.map_err(|error| {
        Failure::input(format!("{}: {error}; name a folder with --spill", spill.display()))
    })?;
    let mut reading = Reading {
        sorter,
        allowed: &settings.identity.backfill,
        source: args.source.as_deref(),
        is_json: settings.topics.events.format == Format::Json,
        until: now(),
        file: String::new(),
        lines: 0,
        taken: 0,
        refused: 0,
        told: Vec::new(),
        value: Vec::new(),
        record: Vec::new(),
        interrupt: Interrupt::listen(),
    };
    for (input, path) in inputs {
        (reading.file, reading.lines) = (path.display().to_string(), 0);
        match input.read(args.format, &settings.identity, &mut reading) {
            Ok(()) | Err(Ended::Unread) => {}
            Err(Ended::Failed(failure)) => return Err(failure),
        }
    }
    let Reading { sorter, taken, refused, told, interrupt, .. } = reading;
    if refused > 0 && !args.skip_rejected {
        let more = refused.saturating_sub(told.len() as u64);
        let rest = (more > 0).then(|| format!("and {} more", grouped(more)));
        let remedy = "nothing was published; mend them, or leave them out with --skip-rejected".to_owned();
        return Err(Failure::Input(told.into_iter().chain(rest).chain([remedy]).collect()));
    }
    for refusal in &told {
        say(refusal);
    }
    if args.dry_run {
        print(&format!("{} events would be published, {} left out", grouped(taken), grouped(refused)));
        return Ok(());
    }

    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let topic = &settings.topics.events.name;
    there(&connection, topic)?;
    let pace = args.rate.map(Pace::new);
    let mut publishing = Publishing::begin(Publisher::new(&connection)?, topic, pace, taken, interrupt);
    sorter.merge(|record| publishing.send(record)).map_err(|stopped| match stopped {
        Stopped::Failed(failure) => failure,
        Stopped::Disk(error) => Failure::Unreachable(format!("{}: {error}", spill.display())),
    })?;
    publishing.finish(refused)
}

/// The first pass: checks, marks, encodes, sorts.
struct Reading<'s> {
    sorter: Sorter,
    allowed: &'s [String],
    source: Option<&'s str>,
    is_json: bool,
    until: Timestamp,
    file: String,
    lines: u64,
    taken: u64,
    refused: u64,
    told: Vec<String>,
    value: Vec<u8>,
    record: Vec<u8>,
    interrupt: Interrupt,
}

impl Take for Reading<'_> {
    fn lines(&mut self) -> &mut u64 {
        &mut self.lines
    }

    fn take(&mut self, line: u64, decoded: Result<Decoded<'_>, Rejected>) -> Result<(), Ended> {
        let checked = decoded.map_err(|rejected| format!("{}: {}", rejected.reason, rejected.detail));
        match checked.and_then(|decoded| self.mark(decoded.event)) {
            Ok(at) => {
                self.taken += 1;
                let pushed = self.sorter.push(at.micros(), &self.record);
                pushed.map_err(|error| Ended::Failed(Failure::Unreachable(format!("sorting: {error}"))))
            }
            Err(what) => {
                self.refused += 1;
                if self.told.len() < TOLD_MAX {
                    self.told.push(format!("{}:{line}: {what}", self.file));
                }
                Ok(())
            }
        }
    }

    fn before_waiting(&mut self, _consumed: u64) -> Result<(), Ended> {
        if self.interrupt.is_set() { Err(Ended::Failed(Failure::Interrupted)) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        self.before_waiting(0)
    }
}

impl Reading<'_> {
    /// Puts the marked event, led by its key, into `record`.
    fn mark(&mut self, mut event: Event<'_>) -> Result<Timestamp, String> {
        if event.source.is_none() {
            event.source = self.source.map(|source| source.to_owned().into());
        }
        match event.source.as_deref() {
            None => return Err("has no source; say who saw it with --source NAME".into()),
            Some(source) if !self.allowed.iter().any(|allowed| allowed == source) => {
                return Err(format!(
                    "comes from `{source}`, which `[identity] backfill` does not name; add it here and \
                     where `ward run` reads its settings"
                ));
            }
            Some(_) => {}
        }
        if event.occurred_at > self.until {
            return Err(format!("`occurred_at` is {}, which is yet to come", event.occurred_at));
        }
        event.backfill = true;
        let write = |event: &Event<'_>, out: &mut Vec<u8>| {
            if self.is_json { emit::event_json(event, out) } else { emit::event_avro(event, out) }
        };
        if !event.has_own_id {
            // The same event has the same id whenever it is backfilled.
            self.value.clear();
            write(&event, &mut self.value);
            let id: Id128 = digest("backfill", &[&self.value]).into();
            (event.id, event.has_own_id) = (format!("backfill:{id}").into(), true);
        }
        self.value.clear();
        write(&event, &mut self.value);
        let key = format!("{}/{}", event.tenant, event.user);
        self.record.clear();
        self.record.extend_from_slice(&u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.record.extend_from_slice(key.as_bytes());
        self.record.extend_from_slice(&self.value);
        Ok(event.occurred_at)
    }
}

enum Stopped {
    Failed(Failure),
    Disk(std::io::Error),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

/// The second: into the topic.
struct Publishing<'s> {
    publisher: Publisher,
    topic: &'s str,
    pace: Option<Pace>,
    began: Instant,
    said: Instant,
    sent: u64,
    of: u64,
    interrupt: Interrupt,
}

#[expect(clippy::disallowed_methods, reason = "the edge: how long a person has waited")]
impl<'s> Publishing<'s> {
    fn begin(
        publisher: Publisher,
        topic: &'s str,
        pace: Option<Pace>,
        of: u64,
        interrupt: Interrupt,
    ) -> Self {
        Self { publisher, topic, pace, began: Instant::now(), said: Instant::now(), sent: 0, of, interrupt }
    }

    fn send(&mut self, record: &[u8]) -> Result<(), Stopped> {
        let split = record
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_le_bytes(*length))));
        let Some((key, value)) = split else { return Ok(()) };
        if self.interrupt.is_set() {
            return Err(Stopped::Failed(Failure::Interrupted));
        }
        if let Some(pace) = &mut self.pace {
            self.publisher.idle(pace.next());
        }
        self.publisher.send(self.topic, key, value).map_err(|failure| Stopped::Failed(failure.into()))?;
        self.sent += 1;
        if self.said.elapsed() >= SAID_EVERY {
            self.said = Instant::now();
            say(&format!("{} of {} events, {}", grouped(self.sent), grouped(self.of), self.speed()));
        }
        Ok(())
    }

    fn finish(self, refused: u64) -> Result<(), Failure> {
        let told = format!(
            "{} events published, {}, {} left out",
            grouped(self.sent),
            self.speed(),
            grouped(refused)
        );
        self.publisher.finish(self.topic)?;
        print(&told);
        Ok(())
    }

    fn speed(&self) -> String {
        let millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        format!("{}/s", grouped(self.sent.saturating_mul(1_000) / millis))
    }
}

const RUN_BYTES: usize = 256 << 20;
const TOLD_MAX: usize = 10;
const SAID_EVERY: Duration = Duration::from_secs(5);
const AFTER_HELP: &str = "Backfill first, then let live events in: what is older than the newest event of a user is late, \
and teaches nothing. Exit codes: 0 done · 2 usage, or events that cannot be taken · 3 Kafka is not reachable";
