//! `ward policy`: tries policies on transcripts, and prints what a policy may say.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Failure, print};
use crate::app;
use crate::engine::document::Mistake;
use crate::engine::policy::{Policy, reference, shipped};
use crate::engine::transcript::{self, Difference};

/// Try a policy on transcripts, or print the reference of policy files.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Play transcripts and compare what comes out with what they say; exits 1 on a difference.
    Test(Test),
    /// Print the reference of policy files, in Markdown.
    Reference,
}

#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// Transcripts; docs/policies.md explains the form.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Plays them under this policy, whichever they name.
    #[arg(long, value_name = "FILE|NAME")]
    policy: Option<String>,
    /// Writes what came out into the files; read the difference before you keep it.
    #[arg(long)]
    write: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args {
        Args::Test(test) => try_all(&test),
        Args::Reference => {
            print(reference::text().trim_end());
            Ok(())
        }
    }
}

fn try_all(test: &Test) -> Result<(), Failure> {
    let (mut mistakes, mut told, mut differing) = (Vec::new(), String::new(), 0);
    for file in &test.files {
        let (text, came_out) = match play(file, test.policy.as_deref()) {
            Ok(played) => played,
            Err(mut found) => {
                mistakes.append(&mut found);
                continue;
            }
        };
        let found = transcript::differences(&text, &came_out);
        if found.is_empty() {
            continue;
        }
        differing += 1;
        if test.write {
            std::fs::write(file, &came_out).map_err(|error| {
                Failure::input(format!("{}: cannot be written ({error})", file.display()))
            })?;
        }
        for one in &found {
            show(&mut told, file, one);
        }
    }
    if !told.is_empty() {
        print(told.trim_end());
    }
    if !mistakes.is_empty() {
        return Err(Failure::Input(mistakes.iter().map(ToString::to_string).collect()));
    }
    let all = test.files.len();
    match differing {
        0 => {
            print(&format!("{all} of {all} transcripts came out as written"));
            Ok(())
        }
        _ if test.write => {
            print(&format!("{differing} of {all} transcripts written"));
            Ok(())
        }
        _ => Err(Failure::Found(format!("{differing} of {all} transcripts came out differently"))),
    }
}

/// The transcript's text, and what it is with what comes out now.
fn play(file: &Path, policy: Option<&str>) -> Result<(String, String), Vec<Mistake>> {
    let name = file.display().to_string();
    let text = app::read_text(file).map_err(|error| {
        vec![Mistake::of_file(&name, format!("cannot be read ({error}); name a transcript"))]
    })?;
    let came_out = transcript::play(&name, &text, &|said| match policy {
        Some(policy) => load(policy),
        None if shipped(said).is_some() => load(said),
        // What a transcript names lies beside it.
        None => load(&file.parent().unwrap_or_else(|| Path::new("")).join(said).to_string_lossy()),
    })?;
    Ok((text, came_out))
}

fn load(policy: &str) -> Result<Policy, Vec<Mistake>> {
    Policy::load(policy, &app::read_text)
}

/// The event, and its lines: `-` was written, `+` came out.
fn show(told: &mut String, file: &Path, difference: &Difference) {
    let Difference { line, event, written, came_out } = difference;
    let sides = [("-", written, came_out), ("+", came_out, written)];
    let mut lines = format!("{}:{line}\n  {event}\n", file.display());
    for (sign, side, other) in sides {
        for said in side.iter().filter(|said| !other.contains(said)) {
            let shown = writeln!(lines, "{sign} <{said}");
            debug_assert!(shown.is_ok(), "a string takes what is written");
        }
    }
    told.push_str(&lines);
}
