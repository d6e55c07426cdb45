//! `ward verify`: walks the chain of published decisions, and holds it against signed heads.

mod heads;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use heads::Signed;

use super::decisions::{Decisions, Entry};
use super::flags::Source;
use super::interrupt::Interrupt;
use super::{Failure, print, say};
use crate::adapters::kafka::{Admin, KafkaLog};
use crate::adapters::signing::SigningKey;
use crate::app;
use crate::engine::emit::{Form, Stored, split_chain};
use crate::model::id::Digest;
use crate::pipeline::chain::{Break, Head, Link, Walk};
use crate::pipeline::replay::grouped;

/// Walk the chain of published decisions: was one changed, taken out, put in or moved?
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// A file of decisions, or a topic (default: the topic of decisions of the configuration).
    #[arg(long = "in", value_name = "FILE|topic:NAME")]
    input: Option<String>,
    /// Only this partition.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// The file begins in the middle of a chain: its first decision is taken as it is.
    #[arg(long)]
    partial: bool,
    /// Heads of another time: every chain must have come past them.
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// The public key that must have signed them.
    #[arg(long, value_name = "FILE", requires = "heads")]
    key: Option<PathBuf>,
    /// Writes the heads of the chains, when all of them hold.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// The private key that signs them.
    #[arg(long, value_name = "FILE", requires = "export")]
    signing_key: Option<PathBuf>,
    /// Only makes a key: the private one here, the public one in FILE.pub.
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,
    #[command(flatten)]
    kafka: Source,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let unfit = |error: crate::adapters::signing::Error| Failure::input(error.to_string());
    if let Some(path) = &args.new_key {
        let key = SigningKey::create(path).map_err(unfit)?;
        print(&format!(
            "{} signs, {}.pub is what others trust: {}",
            path.display(),
            path.display(),
            key.public().hex()
        ));
        return Ok(());
    }
    let heads = args.heads.as_deref().map(Signed::read).transpose()?;
    let trusted =
        args.key.as_deref().map(crate::adapters::signing::PublicKey::read).transpose().map_err(unfit)?;
    let signing = args.signing_key.as_deref().map(SigningKey::read).transpose().map_err(unfit)?;
    let interrupt = Interrupt::listen();

    let mut chains = Chains::new(heads.as_ref().map(Signed::heads).unwrap_or_default(), args.partition);
    let places = match args.input.as_deref() {
        Some(input) if !input.starts_with(TOPIC) => {
            file(&args, input, &mut chains, &interrupt)?;
            "line"
        }
        topic => {
            let name = topic.and_then(|topic| topic.strip_prefix(TOPIC));
            self::topic(&args, name, &mut chains, &interrupt)?;
            "offset"
        }
    };

    let mut report = chains.finish(places);
    if let Some(heads) = &heads {
        report.signature = Some(heads.signature(trusted));
    }
    let failures = report.failures();
    if let (Some(path), true) = (&args.export, failures.is_empty()) {
        Signed::make(report.heads(), signing.as_ref()).write(path)?;
        if signing.is_none() {
            say(&format!("{}: not signed; --signing-key FILE signs it", path.display()));
        }
    }
    print(&if args.json { report.json()? } else { report.table() });
    match failures.as_slice() {
        [] => Ok(()),
        [only] => Err(Failure::Found(only.clone())),
        [first, rest @ ..] => Err(Failure::Found(format!("{first}; and {} more", rest.len()))),
    }
}

fn file(args: &Args, name: &str, chains: &mut Chains, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut decisions = Decisions::open([PathBuf::from(name)]);
    let mut body = Vec::new();
    let mut count = 0_u64;
    while let Some(found) = decisions.peek()? {
        if let Entry::Decision(recorded) = found.entry {
            let key = (recorded.topic.clone(), recorded.partition);
            let place = Place { line: found.line, offset: recorded.offset, chain: recorded.chain };
            chains.take(key, args.partial, place, found.bytes, found.form, &mut body);
        }
        decisions.advance();
        count += 1;
        if count.is_multiple_of(EVERY) && interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
    }
    Ok(())
}

fn topic(args: &Args, name: Option<&str>, chains: &mut Chains, interrupt: &Interrupt) -> Result<(), Failure> {
    let settings =
        app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound().map_err(Failure::mistakes)?;
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let topic = name.unwrap_or(&settings.topics.decisions.name);
    let patience = connection.connect_timeout().unwrap_or(app::PATIENCE);
    let there = Admin::new(&connection)?.partitions(topic, patience)?;
    let there = there.ok_or_else(|| {
        Failure::input(format!(
            "topic `{topic}` is not there; name the topic of decisions, e.g. topic:risk.decisions"
        ))
    })?;
    let ids = app::written_under(&settings, topic, &["decision"])?;
    let mut body = Vec::new();
    for partition in (0..there).filter(|number| args.partition.is_none_or(|only| only == *number)) {
        let mut log = KafkaLog::open(&connection, topic, partition)?;
        // What retention has deleted cannot be walked: the chain is taken up where the log begins.
        let from_the_middle = args.partial || log.first() > 0;
        let key = (Some(topic.to_owned()), partition);
        while let Some(taken) = log.next(|record| {
            let value = &*ids.single(record.value.unwrap_or_default());
            let form = Form::of(value);
            let place = format!("`{topic}` partition {partition} offset {}", record.offset);
            let recorded = form
                .recorded(value)
                .map_err(|what| Failure::input(format!("{place} is no decision: {what}")))?;
            let line = u64::try_from(record.offset).unwrap_or(0);
            let place = Place { line, offset: recorded.offset, chain: recorded.chain };
            chains.take(key.clone(), from_the_middle, place, value, form, &mut body);
            Ok::<_, Failure>(())
        })? {
            taken?;
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
        }
    }
    Ok(())
}

/// Topic and partition of a chain. A file of `ward score` has no topic.
type Key = (Option<String>, i32);

/// Where a decision stands, and the chain that it carries.
#[derive(Clone, Copy)]
struct Place {
    line: u64,
    offset: i64,
    chain: Digest,
}

/// The walks, one a chain.
struct Chains {
    walks: BTreeMap<Key, (Walk, bool)>,
    expected: Vec<Head>,
    only: Option<i32>,
}

impl Chains {
    fn new(expected: &[Head], only: Option<i32>) -> Self {
        Self { walks: BTreeMap::new(), expected: expected.to_vec(), only }
    }

    fn take(
        &mut self,
        key: Key,
        from_the_middle: bool,
        place: Place,
        bytes: &[u8],
        form: Form,
        body: &mut Vec<u8>,
    ) {
        if self.only.is_some_and(|only| only != key.1) {
            return;
        }
        let Self { walks, expected, .. } = self;
        let (walk, _) = walks.entry(key).or_insert_with_key(|(topic, partition)| {
            let mut walk = Walk::new(from_the_middle);
            let mut heads = expected.iter();
            if let Some(head) = heads.find(|head| head.topic == *topic && head.partition == *partition) {
                walk.look_for(head);
            }
            (walk, from_the_middle)
        });
        body.clear();
        let link = |body| Link { place: place.line, offset: place.offset, body, chain: place.chain };
        match form {
            Form::Avro => walk.take(link(
                split_chain(bytes).map(|(body, _)| body).ok_or("its chain is not its last field"),
            )),
            Form::Json => match Stored::from_json(bytes).and_then(|stored| stored.body(body)) {
                Ok(()) => walk.take(link(Ok(body))),
                Err(what) => walk.take(link(Err(&what))),
            },
        }
    }

    fn finish(self, places: &'static str) -> Found {
        let Self { walks, expected, only } = self;
        let expected = expected.iter().filter(|head| only.is_none_or(|only| only == head.partition));
        let absent =
            expected.filter(|head| !walks.contains_key(&(head.topic.clone(), head.partition))).map(|head| {
                let chain = name(head.topic.as_deref(), head.partition);
                format!("{chain}: there is no decision at all, expected {} and more", grouped(head.decisions))
            });
        Found {
            absent: absent.collect(),
            chains: walks
                .into_iter()
                .map(|((topic, partition), (walk, from_the_middle))| Chain {
                    decisions: walk.decisions(),
                    from_the_middle,
                    breaks: walk.breaks(),
                    first_break: walk.first_break().cloned(),
                    against_head: walk.missed(),
                    head: walk.head(topic.as_deref(), partition),
                    topic,
                    partition,
                })
                .collect(),
            places,
            signature: None,
        }
    }
}

/// What came of all walks.
#[derive(serde::Serialize)]
struct Found {
    /// What a `place` is: a `line`, or an `offset`.
    places: &'static str,
    chains: Vec<Chain>,
    /// Chains that the heads name, and of which nothing is there.
    absent: Vec<String>,
    signature: Option<heads::Signature>,
}

#[derive(serde::Serialize)]
struct Chain {
    topic: Option<String>,
    partition: i32,
    decisions: u64,
    from_the_middle: bool,
    breaks: u64,
    first_break: Option<Break>,
    against_head: Option<String>,
    head: Option<Head>,
}

impl Found {
    fn heads(&self) -> Vec<Head> {
        self.chains.iter().filter_map(|chain| chain.head.clone()).collect()
    }

    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for chain in &self.chains {
            let name = name(chain.topic.as_deref(), chain.partition);
            if let Some(first) = &chain.first_break {
                let place = self.places;
                let found = first.what.as_deref().map_or_else(
                    || format!("expected the chain {}, found {}", first.expected, first.found),
                    str::to_owned,
                );
                failures.push(format!("{name}: the chain breaks at {place} {}: {found}", first.place));
            }
            if let Some(missed) = &chain.against_head {
                failures.push(format!("{name}: {missed}"));
            }
        }
        failures.extend(self.absent.iter().cloned());
        if self.chains.is_empty() && self.absent.is_empty() {
            // A log that was emptied must not pass for one that holds.
            failures.push(
                "there is no decision, so nothing was verified; name the file or topic that holds them"
                    .into(),
            );
        }
        failures.extend(self.signature.as_ref().and_then(heads::Signature::failure).map(str::to_owned));
        failures
    }

    fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(|error| Failure::Internal(format!("as JSON: {error}")))
    }

    fn table(&self) -> String {
        let mut text = format!("{:<34}{:>12}  {:<12}{}\n", "chain", "decisions", "holds", "head");
        for chain in &self.chains {
            let holds = match (chain.breaks, chain.from_the_middle) {
                (0, false) => "yes".into(),
                (0, true) => "from there".into(),
                (1, _) => "1 break".into(),
                (many, _) => format!("{} breaks", grouped(many)),
            };
            let head = chain.head.as_ref().map(|head| head.chain.to_string()).unwrap_or_default();
            let _written = writeln!(
                text,
                "{:<34}{:>12}  {holds:<12}{}…",
                name(chain.topic.as_deref(), chain.partition),
                grouped(chain.decisions),
                head.get(..16).unwrap_or_default()
            );
        }
        if let Some(signature) = &self.signature {
            let _written = writeln!(text, "heads: {signature}");
        }
        text.trim_end().to_owned()
    }
}

fn name(topic: Option<&str>, partition: i32) -> String {
    topic.map_or_else(|| "file".into(), |topic| format!("{topic}/{partition}"))
}

const TOPIC: &str = "topic:";
/// How often an interruption is looked for.
const EVERY: u64 = 4_096;
const AFTER_HELP: &str = "Exit codes: 0 every chain holds · 1 a chain breaks, a head is not what it was, or there is no decision · \
2 usage or unreadable input · 3 Kafka is not reachable";
