//! The command line: one file a command, one error type, the exit codes of the contract.

mod demo;
mod interrupt;
mod run;
mod score;
mod simulate;
mod tables;
mod topics;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Self-hosted identity-risk engine: identity events in, explained decisions and revocations out.
#[derive(Debug, Parser)]
#[command(name = "ward", version, about, after_help = EXIT_CODES)]
struct Ward {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Score(score::Args),
    Run(run::Args),
    #[command(subcommand)]
    Topics(topics::Args),
    Simulate(simulate::Args),
    Demo(demo::Args),
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
        Command::Run(args) => run::run(args),
        Command::Topics(args) => topics::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Demo(args) => demo::run(args),
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

/// The command's result, on stdout.
#[expect(clippy::print_stdout, reason = "the one place that writes a command's result")]
pub(crate) fn print(text: &str) {
    println!("{text}");
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 done, and something was found · 2 usage, configuration, policy, \
schema or unreadable input · 3 something outside not reachable · 4 internal · 130 interrupted";
