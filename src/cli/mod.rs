//! The command line: one file a command, one error type, the exit codes of the contract.

mod alerts;
mod analyst;
mod backfill;
mod bench;
mod check;
mod config;
mod decisions;
mod demo;
mod erase;
mod events;
mod explain;
mod export;
mod feedback;
mod flags;
mod interrupt;
mod manual;
mod map;
mod policy;
mod profile;
mod replay;
mod revoke;
mod run;
mod schemas;
mod score;
mod simulate;
mod tables;
mod topics;
mod verify;
mod whom;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use manual::{command, reference};

use crate::engine::REVISION;
use crate::engine::document::Mistake;
use crate::engine::explain::Ink;
use crate::model::time::Timestamp;
use crate::pipeline::replay::grouped;

/// Self-hosted identity-risk engine: identity events in, explained decisions and revocations out.
#[derive(Debug, Parser)]
#[command(name = "ward", version = version(), about, after_help = EXIT_CODES)]
struct Ward {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Score(score::Args),
    Replay(replay::Args),
    Verify(verify::Args),
    Export(export::Args),
    Run(run::Args),
    #[command(subcommand)]
    Topics(topics::Args),
    #[command(subcommand)]
    Schemas(schemas::Args),
    Check(check::Args),
    #[command(subcommand)]
    Config(config::Args),
    #[command(subcommand)]
    Policy(policy::Args),
    Alerts(alerts::Args),
    Backfill(backfill::Args),
    Map(map::Args),
    Explain(explain::Args),
    Profile(profile::Args),
    Feedback(feedback::Args),
    Revoke(revoke::Args),
    Erase(erase::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
    #[command(subcommand)]
    Bench(bench::Args),
    Completions(manual::Completions),
    Man(manual::Man),
}

/// What ends a command early. The exit code is the contract with scripts; the text is for people:
/// what was found, what was expected, what to do.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 1: the command did its work, and found something (a failed check).
    Found(String),
    /// 2: usage, configuration, policy, schema, unreadable input. One message a mistake.
    Input(Vec<String>),
    /// 3: something outside could not be reached.
    Unreachable(String),
    /// 4: our own fault.
    Internal(String),
    /// 130: interrupted.
    Interrupted,
}

impl Failure {
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::Input(vec![message.into()])
    }

    /// Output that found no room, or no longer its file.
    pub(crate) fn unwritten(what: &str, error: &std::io::Error) -> Self {
        Self::Unreachable(format!("{what}: {error}; make room, or write elsewhere"))
    }

    /// Of a document, an environment variable or an option.
    #[expect(clippy::needless_pass_by_value, reason = "made to be handed to `map_err`")]
    pub(crate) fn mistakes(mistakes: Vec<Mistake>) -> Self {
        Self::Input(mistakes.iter().map(ToString::to_string).collect())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Found(_) => 1,
            Self::Input(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Internal(_) => 4,
            Self::Interrupted => 130,
        }
    }

    fn messages(&self) -> &[String] {
        match self {
            Self::Found(message) | Self::Unreachable(message) | Self::Internal(message) => {
                std::slice::from_ref(message)
            }
            Self::Input(messages) => messages,
            Self::Interrupted => &[],
        }
    }
}

/// Parses the arguments, runs the command, prints what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Ward::parse().command {
        Command::Score(args) => score::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Export(args) => export::run(args),
        Command::Run(args) => run::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Schemas(args) => schemas::run(args),
        Command::Check(args) => check::run(args),
        Command::Config(args) => config::run(args),
        Command::Policy(args) => policy::run(args),
        Command::Alerts(args) => alerts::run(args),
        Command::Backfill(args) => backfill::run(args),
        Command::Map(args) => map::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Profile(args) => profile::run(args),
        Command::Feedback(args) => feedback::run(args),
        Command::Revoke(args) => revoke::run(args),
        Command::Erase(args) => erase::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::man(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for message in failure.messages() {
                say(&format!("error: {message}"));
            }
            ExitCode::from(failure.code())
        }
    }
}

/// One line to a person, on stderr.
#[expect(clippy::print_stderr, reason = "the one place that talks to a person on stderr")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// `1 user`, `412,330 users`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// The command's result, on stdout. Whoever reads it may leave before the end.
pub(crate) fn print(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Colours for a terminal, unless NO_COLOR says otherwise.
fn ink(is_terminal: bool) -> Ink {
    let is_coloured =
        is_terminal && !crate::config::environment().contains_key(std::ffi::OsStr::new("NO_COLOR"));
    if is_coloured { Ink::Coloured } else { Ink::Plain }
}

#[expect(clippy::disallowed_methods, reason = "a command's now is its argument to everything below")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}

/// The build's, and of the engine the one that decides whether two builds decide alike.
fn version() -> String {
    format!("{} (engine {REVISION})", env!("CARGO_PKG_VERSION"))
}

/// Where users lie in memory, and for whom a store is read through, depends on it; never what is decided.
/// User ids are picked by others: which of them collide must not be known to them.
pub(crate) fn hash_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::hash::RandomState::new().build_hasher().finish()
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 done, and something was found · 2 usage, configuration, policy, \
schema or unreadable input · 3 something outside not reachable · 4 internal · 130 interrupted";
