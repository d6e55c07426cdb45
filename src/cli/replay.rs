//! `ward replay`: published decisions made again, and what another policy would change.

pub(super) mod case;
mod files;
mod html;
mod progress;
mod table;
mod topic;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use progress::Progress;

use super::decisions::{Decisions, Entry, are_decisions};
use super::events::Input;
use super::{Failure, flags, print, tables};
use crate::app;
use crate::config::Settings;
use crate::engine::policy::Policy;
use crate::engine::step::Lifetime;
use crate::model::id::{Digest, UserKey};
use crate::model::time::Timestamp;
use crate::pipeline::replay::{Cases, Course, Diff, Digests, Labels, Policies, PolicyName, Report, Watch};
use crate::ports::tables::Atlas;

/// Make published decisions again from their events, or show what another policy would change.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Files of events and of decisions, in any order, told apart by their content; or the topic of
    /// events, whose decisions are in the topic that the configuration names; or a folder of `ward
    /// export`.
    #[arg(required = true, value_name = "FILE|topic:NAME")]
    sources: Vec<String>,
    #[command(flatten)]
    kafka: flags::Source,
    /// Where facts come from: what was looked up then, or what the tables say now.
    #[arg(long, value_enum, default_value = "recorded")]
    facts: FactsFrom,
    /// One that did not decide is compared with the one that did. Of two, the first stands for what
    /// is, the second for what would be.
    #[arg(long, value_name = "FILE|NAME", num_args = 1)]
    policy: Vec<String>,
    /// The policy whose verdict was recorded beside the live one's.
    #[arg(long, value_name = "FILE|NAME")]
    shadow: Option<String>,
    /// Compares from this time on (RFC 3339); what lies before is folded all the same.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Compares what lies before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Attacks that are known to be ones, as `ward simulate --labels` writes them; without, what
    /// feedback says afterwards.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Examples of each cause.
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(0..=100))]
    examples: u16,
    /// `table` unless --out ends in .json or .html.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Writes the report here instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// City database, for `--facts lookup`.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// ASN database, for `--facts lookup`.
    #[arg(long, value_name = "MMDB")]
    asn: Vec<PathBuf>,
    /// Network classes, for `--facts lookup`.
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FactsFrom {
    Recorded,
    Lookup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Json,
    Html,
}

/// What a run consists of, beside its records.
struct Plan {
    policies: Policies,
    shadow: Option<Policy>,
    settings: Settings,
    lifetime: Lifetime,
    tables: Option<Arc<dyn Atlas>>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// The only user that is folded.
    only: Option<UserKey>,
}

impl Plan {
    fn course(&self) -> Course<'_> {
        let tables = self.tables.as_deref().map(|tables| tables as &dyn crate::ports::tables::Tables);
        Course {
            policies: &self.policies,
            shadow: self.shadow.as_ref(),
            lifetime: &self.lifetime,
            tables,
            from: self.from,
            to: self.to,
            only: self.only.as_ref(),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::of(&args.sources)?;
    let mut mistakes = Vec::new();
    let settings = app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound();
    let settings = settings.unwrap_or_else(|found| {
        mistakes.extend(found.iter().map(ToString::to_string));
        Settings::default()
    });
    if args.policy.len() > 2 {
        mistakes.push(format!("found {} policies; expected one or two", args.policy.len()));
    }
    let given = policies(&args.policy, &mut mistakes);
    let shadow = policies(args.shadow.as_slice(), &mut mistakes).pop();
    let lookup = args.facts == FactsFrom::Lookup;
    let tables = lookup.then(|| tables::open(&args.geo, &args.asn, &args.networks)).transpose();
    let tables = tables.unwrap_or_else(|failure| {
        mistakes.extend_from_slice(failure.messages());
        None
    });
    if !lookup && args.geo.len() + args.asn.len() + args.networks.len() > 0 {
        mistakes.push("found tables beside `--facts recorded`; add --facts lookup, or leave them out".into());
    }
    let labels = args.labels.as_deref().map(labels).transpose().unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    if !mistakes.is_empty() {
        return Err(Failure::Input(mistakes));
    }

    let known = source.case().map(case::policies).unwrap_or_default();
    let span = (args.from, args.to);
    let plan = |decided| plan(given, known, shadow, tables, decided, &settings, span);
    let report = |plan: &Plan| {
        let diff = plan.policies.second().map(|_| Diff::new(args.examples.into(), Cases::new(labels)));
        let mut report =
            Report::new(plan.lifetime.engine(), if lookup { "lookup" } else { "recorded" }, diff);
        report.policies = digests(&plan.policies);
        report
    };
    let progress = Progress::begin();
    let report = match source {
        Source::Files { events, decisions, befores, .. } => {
            if decisions.is_empty() && !lookup {
                return Err(Failure::input(
                    "found no decisions; expected the file that `ward score --decisions-out` wrote \
                     beside them, or --facts lookup and two policies",
                ));
            }
            let plan = plan(first_basis(&decisions)?)?;
            if decisions.is_empty() && plan.policies.second().is_none() {
                return Err(Failure::input(
                    "found no decisions; there is nothing to compare with: give two policies",
                ));
            }
            let decisions = (!decisions.is_empty()).then(|| Decisions::open(decisions));
            files::replay(events, decisions, befores, &plan, None, report(&plan), progress)?
        }
        Source::Topic(name) => {
            let log = topic::Log::open(&settings, &name)?;
            let plan = plan(log.first_basis()?)?;
            log.replay(&plan, None, report(&plan), &progress)?
        }
    };
    write(&report, &args)?;
    found(&report)
}

enum Source {
    Files {
        events: Vec<(PathBuf, Input)>,
        decisions: Vec<PathBuf>,
        befores: Option<case::Befores>,
        case: Option<PathBuf>,
    },
    Topic(String),
}

impl Source {
    /// The folder of a case.
    fn case(&self) -> Option<&Path> {
        match self {
            Self::Files { case, .. } => case.as_deref(),
            Self::Topic(_) => None,
        }
    }

    fn of(sources: &[String]) -> Result<Self, Failure> {
        if let Some(topic) = sources.iter().find_map(|source| source.strip_prefix(TOPIC)) {
            return match sources.len() {
                1 => Ok(Self::Topic(topic.to_owned())),
                _ => Err(Failure::input("found a topic beside other sources; expected it alone")),
            };
        }
        let folder = sources.iter().map(PathBuf::from).find(|path| path.join(case::ABOUT).is_file());
        let (sources, befores) = match &folder {
            None => (sources.to_vec(), None),
            Some(_) if sources.len() > 1 => {
                return Err(Failure::input("found a case beside other sources; expected it alone"));
            }
            Some(folder) => (case::files(folder), Some(case::Befores::open(folder)?)),
        };
        let (mut events, mut decisions, mut mistakes) = (Vec::new(), Vec::new(), Vec::new());
        for source in &sources {
            let path = PathBuf::from(source);
            match Input::open(&path) {
                Ok(mut input) => match source.as_str() {
                    // It can be read once only, and the first decision is looked at before.
                    "-" => events.push((path, input)),
                    _ if are_decisions(input.start()) => decisions.push(path),
                    _ => events.push((path, input)),
                },
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() && events.is_empty() {
            mistakes
                .push("found decisions and no events; name the file of events that they were made of".into());
        }
        if mistakes.is_empty() {
            Ok(Self::Files { events, decisions, befores, case: folder })
        } else {
            Err(Failure::Input(mistakes))
        }
    }
}

pub(super) fn policies(names: &[String], mistakes: &mut Vec<String>) -> Vec<Policy> {
    let read = |path: &Path| std::fs::read_to_string(path);
    let mut policies = Vec::new();
    for name in names {
        match Policy::load(name, &read) {
            Ok(policy) => policies.push(policy),
            Err(found) => mistakes.extend(found.iter().map(ToString::to_string)),
        }
    }
    policies
}

/// Folds one user's part of a log, with the policies that decided, and shows all of it to `watch`.
pub(super) fn fold_one(
    sources: &[String],
    settings: &Settings,
    known: Vec<Policy>,
    shadow: Option<Policy>,
    only: UserKey,
    watch: Box<dyn Watch>,
) -> Result<Report, Failure> {
    let plan = |decided| {
        let plan = plan(Vec::new(), known, shadow, None, decided, settings, (None, None))?;
        Ok::<_, Failure>(Plan { only: Some(only), ..plan })
    };
    let report = Report::new(Lifetime::of(settings.remembering.clone()).engine(), "recorded", None);
    let progress = Progress::begin();
    match Source::of(sources)? {
        Source::Files { decisions, .. } if decisions.is_empty() => Err(Failure::input(
            "found no decisions; name the file that `ward score --decisions-out` wrote beside the events",
        )),
        Source::Files { events, decisions, befores, .. } => {
            let plan = plan(first_basis(&decisions)?)?;
            let decisions = Some(Decisions::open(decisions));
            files::replay(events, decisions, befores, &plan, Some(watch), report, progress)
        }
        Source::Topic(name) => {
            let log = topic::Log::open(settings, &name)?;
            let plan = plan(log.first_basis()?)?;
            log.replay(&plan, Some(watch), report, &progress)
        }
    }
}

fn plan(
    given: Vec<Policy>,
    known: Vec<Policy>,
    shadow: Option<Policy>,
    tables: Option<Arc<dyn Atlas>>,
    decided: Option<Digest>,
    settings: &Settings,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
) -> Result<Plan, Failure> {
    let shipped = ["seed", "default"].into_iter().filter_map(Policy::shipped);
    let known = known.into_iter().chain(shipped).collect();
    let policies =
        Policies::choose(given, known, decided).map_err(|unknown| Failure::input(unknown.to_string()))?;
    let lifetime = Lifetime::of(settings.remembering.clone());
    Ok(Plan { policies, shadow, settings: settings.clone(), lifetime, tables, from, to, only: None })
}

/// The policy of the first decision. Lines of records that gave none may come before it.
fn first_basis(files: &[PathBuf]) -> Result<Option<Digest>, Failure> {
    let mut decisions = Decisions::open(files.to_vec());
    while let Some(found) = decisions.peek()? {
        if let Entry::Decision(recorded) = found.entry {
            return Ok(Some(recorded.basis.policy));
        }
        decisions.advance();
    }
    Ok(None)
}

fn digests(policies: &Policies) -> Option<Digests> {
    let name = |policy: &Policy| PolicyName {
        name: policy.name.clone(),
        digest: format!("sha256:{}", policy.digest),
    };
    Some(Digests { first: policies.first().map(name)?, second: policies.second().map(name) })
}

/// The attacks of `ward simulate --labels`, by event.
fn labels(path: &Path) -> Result<Labels, String> {
    #[derive(serde::Deserialize)]
    struct Label {
        event_id: String,
        attack: Option<String>,
    }
    let failed = |line: usize, what: &str| {
        let expected = r#"expected lines like {"event_id":"…","attack":null}"#;
        format!("{}:{line}: {what}; {expected}", path.display())
    };
    let file = std::fs::File::open(path).map_err(|error| failed(0, &error.to_string()))?;
    let mut labels = Labels::new();
    for (number, line) in std::io::BufRead::lines(std::io::BufReader::new(file)).enumerate() {
        let line = line.map_err(|error| failed(number + 1, &error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let label: Label =
            serde_json::from_str(&line).map_err(|error| failed(number + 1, &error.to_string()))?;
        if let Some(attack) = label.attack {
            labels.insert(label.event_id, attack);
        }
    }
    Ok(labels)
}

fn write(report: &Report, args: &Args) -> Result<(), Failure> {
    let ending = args.out.as_deref().and_then(Path::extension).and_then(|ending| ending.to_str());
    let format = args.format.unwrap_or(match ending {
        Some("html" | "htm") => Format::Html,
        Some("json") => Format::Json,
        _ => Format::Table,
    });
    let text = match format {
        Format::Table => table::render(report),
        Format::Html => html::render(report),
        Format::Json => json(report)?,
    };
    let Some(path) = &args.out else {
        print(text.trim_end());
        return Ok(());
    };
    let failed = |error: std::io::Error| {
        Failure::Unreachable(format!("{}: {error}; name a file that this user may write", path.display()))
    };
    let mut file = std::fs::File::create(path).map_err(failed)?;
    file.write_all(text.trim_end().as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(failed)
}

fn json(report: &Report) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Whole<'r> {
        summary: String,
        #[serde(flatten)]
        report: &'r Report,
    }
    serde_json::to_string_pretty(&Whole { summary: report.summary(), report })
        .map_err(|error| Failure::Internal(format!("the report as JSON: {error}")))
}

fn found(report: &Report) -> Result<(), Failure> {
    let reproduction = &report.reproduction;
    if reproduction.different > 0 {
        let place = reproduction.first_difference.as_ref();
        let place = place.map_or_else(String::new, |first| format!(", the first at {}", first.place));
        return Err(Failure::Found(format!(
            "does not reproduce: {} of {} published results differ{place}",
            reproduction.different, reproduction.published
        )));
    }
    match &report.diff {
        Some(diff) if diff.changed > 0 => {
            Err(Failure::Found(format!("{} of {} decisions would change", diff.changed, diff.decisions)))
        }
        _ => Ok(()),
    }
}

pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected RFC 3339, e.g. 2026-01-05T09:00:00Z".into())
}

const TOPIC: &str = "topic:";
const AFTER_HELP: &str = "Exit codes: 0 everything comes out as it was published, and nothing would change · \
1 it does not, or something would · 2 usage or unreadable input · 3 Kafka is not reachable";
