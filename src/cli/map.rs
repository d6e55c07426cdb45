//! `ward map`: what a mapping makes of an identity system's records, before anything runs on it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _, stdin, stdout};
use std::path::PathBuf;

use super::{Failure, counted, say};
use crate::adapters::files::lines::{Line, Lines};
use crate::app;
use crate::engine::decode::{self, Format, Limits, Rejected, limit};
use crate::engine::emit;
use crate::engine::mapping::{self, Mapped, Mapping};
use crate::model::{EventType, Reject};

/// Show what a mapping makes of an identity system's records: events, one a line.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Records, one JSON object a line; `-` is standard input.
    file: PathBuf,
    /// The mapping, as `[inputs.NAME] mapping` would name it.
    #[arg(long, value_name = "FILE")]
    mapping: PathBuf,
    /// The `source` of events that state none, as `NAME` of `[inputs.NAME]` would be.
    #[arg(long, value_name = "NAME", default_value = "other")]
    source: String,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let name = args.mapping.display().to_string();
    let text = app::read_text(&args.mapping).map_err(|error| {
        Failure::input(format!("{name}: cannot be read ({error}); name a mapping by --mapping"))
    })?;
    let mapping = mapping::parse(&name, &text).map_err(Failure::mistakes)?;
    let from: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(stdin())
    } else {
        let file = File::open(&args.file).map_err(|error| unreadable(&args, &error))?;
        Box::new(file)
    };
    let mut lines = Lines::new(BufReader::new(from), limit::EVENT_BYTES_MAX);
    let mut showing = Showing { mapping: &mapping, source: &args.source, tally: Tally::default() };
    let mut out = BufWriter::new(stdout());
    let mut shown = Vec::new();
    while let Some(line) = lines.next().map_err(|error| unreadable(&args, &error))? {
        shown.clear();
        showing.take(line, &mut shown);
        out.write_all(&shown).map_err(|error| Failure::unwritten("standard output", &error))?;
    }
    out.flush().map_err(|error| Failure::unwritten("standard output", &error))?;
    let Tally { records, events, skipped, rejected, .. } = showing.tally;
    say(&format!(
        "{}: {}, {skipped} skipped, {rejected} rejected",
        counted(records, "record"),
        counted(events, "event")
    ));
    Ok(())
}

#[derive(Debug, Default)]
struct Tally {
    line: u64,
    records: u64,
    events: u64,
    skipped: u64,
    rejected: u64,
}

/// What is wrong with a record, as `ward score` tells it.
#[derive(serde::Serialize)]
struct Told<'t> {
    rejected: &'static str,
    line: u64,
    detail: &'t str,
}

struct Showing<'m> {
    mapping: &'m Mapping,
    source: &'m str,
    tally: Tally,
}

impl Showing<'_> {
    /// Appends the line that says what became of one.
    fn take(&mut self, line: Line<'_>, out: &mut Vec<u8>) {
        self.tally.line += 1;
        if matches!(line, Line::Held(text) if text.iter().all(u8::is_ascii_whitespace)) {
            return;
        }
        self.tally.records += 1;
        match self.event(line, out) {
            Ok(Mapped::Event) => {
                self.tally.events += 1;
                out.push(b'\n');
            }
            Ok(Mapped::Skipped) => self.tally.skipped += 1,
            Err(Rejected { reason, detail }) => {
                self.tally.rejected += 1;
                let told = Told { rejected: reason.name(), line: self.tally.line, detail: &detail };
                // Neither texts nor a growing buffer can fail.
                let _written = serde_json::to_writer(&mut *out, &told);
                out.push(b'\n');
            }
        }
    }

    fn event(&self, line: Line<'_>, out: &mut Vec<u8>) -> Result<Mapped, Rejected> {
        let record = match line {
            Line::Held(record) => record,
            Line::TooLong(bytes) => {
                let most = limit::EVENT_BYTES_MAX;
                let detail = format!("a line of {bytes} bytes, at most {most} are taken");
                return Err(Rejected { reason: Reject::TooLarge, detail });
            }
        };
        let mut event = Vec::new();
        if self.mapping.apply(record, self.source, &mut event)? == Mapped::Skipped {
            return Ok(Mapped::Skipped);
        }
        let id = format!("line:{}", self.tally.line);
        let decoded = decode::decode(&event, Format::Json, &id, None, &Limits::default())?;
        if decoded.event.kind() == EventType::Feedback {
            let detail = "type is `feedback`, which has a topic of its own".to_owned();
            return Err(Rejected { reason: Reject::BadValue, detail });
        }
        emit::event_json(&decoded.event, out);
        Ok(Mapped::Event)
    }
}

fn unreadable(args: &Args, error: &std::io::Error) -> Failure {
    let file = args.file.display();
    Failure::input(format!("{file}: cannot be read ({error}); name a file of records, or `-`"))
}

const AFTER_HELP: &str = "A record that is no event is told as {\"rejected\":…,\"line\":…,\"detail\":…}; one that the mapping skips is \
counted. Exits 0 whatever it rejects.";
