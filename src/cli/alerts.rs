//! `ward alerts`: published alerts as lines for a SIEM, from a topic, a file or a pipe; decisions and
//! events too, of which a login has a class of its own.
//!
//! *Ordering*: that of the file; of a topic that of each partition, one after the other; of what comes
//! while it is followed, that of each partition.
//! *Failure*: a line that is neither ends the command and says which; what came before is written. A broker
//! that goes away while it is followed is said once, and waited for.

use std::io::{BufReader, ErrorKind, Read, Write as _};
use std::path::Path;
use std::time::Duration;

use super::interrupt::Interrupt;
use super::{Failure, flags, say};
use crate::adapters::files::lines::{Line, Lines};
use crate::adapters::kafka::{Admin, Failure as KafkaFailure, Follower, KafkaLog};
use crate::app;
use crate::config::Settings;
use crate::engine::decode::{self, Format as EventFormat, Limits, limit};
use crate::engine::emit::{self, Rendered, Stored, StoredAlert};
use crate::ports::source::Record;

/// Show published alerts, as they are or in the words of a SIEM: OCSF or ECS.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A file of alerts, decisions or events in JSON lines, `-` for standard input, or a topic
    /// (default: the topic of alerts of the configuration).
    #[arg(long = "in", value_name = "FILE|topic:NAME")]
    input: Option<String>,
    /// `ocsf` (1.5.0: Detection Finding, Authentication), `ecs` (8.11), or `json` as published.
    #[arg(long, value_enum, default_value = "json")]
    format: Format,
    /// Goes on at the topic's end: with what comes, as it comes, until it is interrupted.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    kafka: flags::Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Json,
    Ocsf,
    Ecs,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound();
    let settings = settings.map_err(Failure::mistakes)?;
    let mut to = Rendering {
        format: args.format,
        limits: settings.identity.clone(),
        lines: Vec::with_capacity(2 * FULL_BYTES),
        passed_over: 0,
        interrupt: Interrupt::listen(),
    };
    let done = match args.input.as_deref() {
        Some(name) if !name.starts_with(TOPIC) => {
            if args.follow {
                return Err(Failure::input(
                    "--follow: goes with a topic; for a file that grows give `tail -f FILE | ward alerts --in -`",
                ));
            }
            file(name, &mut to)
        }
        topic => {
            let name = topic.and_then(|topic| topic.strip_prefix(TOPIC));
            self::topic(&settings, name.unwrap_or(&settings.topics.alerts.name), args.follow, &mut to)
        }
    };
    // What came before a mistake is sound, and whoever reads on may have it.
    let done = done.and_then(|()| to.flush());
    if to.passed_over > 0 {
        say(&format!("{} records passed over: neither alerts nor logins that can be taken", to.passed_over));
    }
    match done {
        Ok(()) | Err(Ended::Unread) => Ok(()),
        Err(Ended::Failed(failure)) => {
            drop(to.flush());
            Err(failure)
        }
    }
}

enum Ended {
    /// Nobody reads standard output any more.
    Unread,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(failure: E) -> Self {
        Self::Failed(failure.into())
    }
}

fn file(name: &str, to: &mut Rendering) -> Result<(), Ended> {
    let unreadable = |what: &str| {
        Failure::input(format!("{name}: {what}; name a file of JSON lines, or `-` for standard input"))
    };
    let from: Box<dyn Read> = if name == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(Path::new(name)).map_err(|error| unreadable(&error.to_string()))?)
    };
    let mut lines = Lines::new(BufReader::with_capacity(FULL_BYTES, from), limit::EVENT_BYTES_MAX);
    let mut number = 0_u64;
    loop {
        if !lines.is_at_hand() {
            to.flush()?;
        }
        let Some(line) = lines.next().map_err(|error| unreadable(&error.to_string()))? else { return Ok(()) };
        number += 1;
        let place = || format!("{name}:{number}");
        match line {
            Line::Held(text) if text.iter().all(u8::is_ascii_whitespace) => {}
            Line::Held(text) => to.take(text, &place)?,
            Line::TooLong(bytes) => {
                return Err(unreadable(&format!("line {number} has {bytes} bytes")).into());
            }
        }
    }
}

fn topic(settings: &Settings, name: &str, follows: bool, to: &mut Rendering) -> Result<(), Ended> {
    let connection = app::connection(settings).map_err(Failure::Input)?;
    let patience = connection.connect_timeout().unwrap_or(app::PATIENCE);
    let there = Admin::new(&connection).map_err(Failure::from)?;
    let there = there.partitions(name, patience).map_err(Failure::from)?;
    let there = there.ok_or_else(|| {
        Failure::input(format!(
            "topic `{name}` is not there; name the topic of alerts, e.g. topic:risk.alerts"
        ))
    })?;
    let ids = app::written_under(settings, name, &["alert", "decision", "event"])?;
    let mut take = |record: &Record<'_>, to: &mut Rendering| {
        let place = || format!("`{name}` partition {} offset {}", record.partition, record.offset);
        to.take(&ids.single(record.value.unwrap_or_default()), &place)
    };
    let mut ends = Vec::new();
    for partition in 0..there {
        let mut log = KafkaLog::open(&connection, name, partition).map_err(Failure::from)?;
        while let Some(taken) = log.next(|record| take(record, to)).map_err(Failure::from)? {
            taken?;
        }
        ends.push(log.end());
    }
    if !follows {
        return Ok(());
    }
    let follower = Follower::new(&connection, name, there).map_err(Failure::from)?;
    follower.begin_at(&ends).map_err(Failure::from)?;
    follow(&follower, to, &mut take)
}

/// Never ends by itself.
fn follow(
    follower: &Follower,
    to: &mut Rendering,
    take: &mut dyn FnMut(&Record<'_>, &mut Rendering) -> Result<(), Ended>,
) -> Result<(), Ended> {
    let mut is_away = false;
    loop {
        // Whoever reads is not kept waiting for more.
        let wait = if to.lines.is_empty() { FOLLOW_WAIT } else { Duration::ZERO };
        match follower.try_next(wait, |record| take(record, to)) {
            Ok(Some(taken)) => {
                taken?;
                is_away = false;
            }
            Ok(None) => to.flush()?,
            Err(failure @ KafkaFailure::Unreachable { .. }) if !is_away => {
                say(&format!("{failure}; waiting for it"));
                is_away = true;
            }
            Err(KafkaFailure::Unreachable { .. }) => {}
            Err(failure) => return Err(Failure::from(failure).into()),
        }
        if to.interrupt.is_set() {
            return Err(Failure::Interrupted.into());
        }
    }
}

/// Where the lines go.
struct Rendering {
    format: Format,
    limits: Limits,
    lines: Vec<u8>,
    /// Records for which the other system has no class.
    passed_over: u64,
    interrupt: Interrupt,
}

impl Rendering {
    fn take(&mut self, value: &[u8], place: &dyn Fn() -> String) -> Result<(), Ended> {
        let taken = if value.first() == Some(&b'{') { self.json(value) } else { self.avro(value) };
        let is_taken = taken.map_err(|what| Failure::input(format!("{}: {what}", place())))?;
        if is_taken {
            self.lines.push(b'\n');
        } else {
            self.passed_over += 1;
        }
        if self.interrupt.is_set() {
            return Err(Failure::Interrupted.into());
        }
        if self.lines.len() < FULL_BYTES { Ok(()) } else { self.flush() }
    }

    fn json(&mut self, line: &[u8]) -> Result<bool, String> {
        let kind = Kind::of(line)?;
        if self.format == Format::Json && kind != Kind::Refusal {
            self.lines.extend_from_slice(line.trim_ascii_end());
            return Ok(true);
        }
        match kind {
            Kind::Alert => Ok(self.render(&Rendered::Alert(Box::new(StoredAlert::from_json(line)?)))),
            Kind::Decision => Ok(self.render(&Rendered::Decision(Box::new(Stored::from_json(line)?)))),
            Kind::Event => {
                let decoded = decode::decode(line, EventFormat::Json, "", None, &self.limits);
                // What the engine would not take is no login of anybody.
                Ok(decoded.is_ok_and(|decoded| self.render(&Rendered::Event(&decoded.event))))
            }
            Kind::Refusal => Ok(false),
        }
    }

    fn avro(&mut self, value: &[u8]) -> Result<bool, String> {
        if self.format == Format::Json {
            let read = emit::to_value(value).ok_or(UNKNOWN)?;
            return serde_json::to_writer(&mut self.lines, &read)
                .map(|()| true)
                .map_err(|error| error.to_string());
        }
        if let Ok(alert) = StoredAlert::from_avro(value) {
            return Ok(self.render(&Rendered::Alert(Box::new(alert))));
        }
        if let Ok(decision) = Stored::from_avro(value) {
            return Ok(self.render(&Rendered::Decision(Box::new(decision))));
        }
        let decoded = decode::decode(value, EventFormat::Avro, "", None, &self.limits);
        let event = decoded.map_err(|rejected| format!("{UNKNOWN} ({})", rejected.detail))?.event;
        Ok(self.render(&Rendered::Event(&event)))
    }

    fn render(&mut self, record: &Rendered<'_>) -> bool {
        match self.format {
            Format::Ocsf => emit::as_ocsf(record, &mut self.lines),
            Format::Ecs | Format::Json => emit::as_ecs(record, &mut self.lines),
        }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(&self.lines).and_then(|()| stdout.flush());
        self.lines.clear();
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Ended::Unread),
            Err(error) => Err(Failure::Unreachable(format!("standard output: {error}")).into()),
        }
    }
}

/// What a line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alert,
    Decision,
    Event,
    /// A line of `ward score` for a record that gave no decision.
    Refusal,
}

impl Kind {
    fn of(line: &[u8]) -> Result<Self, String> {
        use serde::de::IgnoredAny;
        #[derive(serde::Deserialize)]
        struct Ids {
            alert_id: Option<IgnoredAny>,
            decision_id: Option<IgnoredAny>,
            user_id: Option<IgnoredAny>,
            rejected: Option<IgnoredAny>,
            duplicate: Option<IgnoredAny>,
        }
        let ids: Ids = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match ids {
            Ids { alert_id: Some(_), .. } => Ok(Self::Alert),
            Ids { decision_id: Some(_), .. } => Ok(Self::Decision),
            Ids { rejected: Some(_), .. } | Ids { duplicate: Some(_), .. } => Ok(Self::Refusal),
            Ids { user_id: Some(_), .. } => Ok(Self::Event),
            _ => Err(UNKNOWN.into()),
        }
    }
}

const UNKNOWN: &str = "is no alert, decision or event of ours; expected what `ward run` published or `ward score --alerts-out` wrote";
const TOPIC: &str = "topic:";
const FULL_BYTES: usize = 128 * 1024;
/// How soon an interruption is noticed while nothing comes.
const FOLLOW_WAIT: Duration = Duration::from_millis(200);
const AFTER_HELP: &str = "A topic is read to its end; --follow goes on there. For a feed that survives whoever reads it, let \
`ward run` publish renderings: `[topics.alerts] format = \"ocsf\"`";
