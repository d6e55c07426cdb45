//! A case: one user's events and decisions of a time, and what they rest on, in a folder.
//!
//! ```text
//! case.json              whose, of what time, how many of each, and whether it comes out again
//! history.jsonl          the user's events before that time: what the profile before rests on
//! history-decisions.jsonl
//! events.jsonl           those of the time
//! decisions.jsonl        as they were published, byte for byte where that was JSON
//! chains.txt             the chain before each decision, history first: others' decisions lie between
//! profile-before.json    and profile-after.json: a summary, and each part in the codec of the changelog
//! policy/DIGEST.toml     every policy that decided, with what it extends beside it
//! ```

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::super::Failure;
use crate::engine::emit;
use crate::engine::policy::Policy;
use crate::model::id::Digest;

/// What makes a folder a case.
pub(in crate::cli) const ABOUT: &str = "case.json";

/// The files of a case that a replay reads.
pub(super) fn files(folder: &Path) -> Vec<String> {
    let names = ["history.jsonl", "events.jsonl", "history-decisions.jsonl", "decisions.jsonl"];
    names.iter().map(|name| folder.join(name).display().to_string()).collect()
}

/// Its policies.
pub(super) fn policies(folder: &Path) -> Vec<Policy> {
    let Ok(entries) = std::fs::read_dir(folder.join(POLICY)) else { return Vec::new() };
    let read = |path: &Path| std::fs::read_to_string(path);
    let mut paths: Vec<_> = entries.flatten().take(POLICIES_MAX).map(|entry| entry.path()).collect();
    paths.sort();
    // What only extends others may be one of them, too; a policy of no decision harms nothing.
    paths.iter().filter_map(|path| Policy::load(path.to_str()?, &read).ok()).collect()
}

/// The chains before the decisions, in their order.
#[derive(Debug)]
pub(super) struct Befores {
    path: PathBuf,
    from: BufReader<File>,
    line: u64,
}

impl Befores {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(CHAINS);
        match File::open(&path) {
            Ok(file) => Ok(Self { path, from: BufReader::new(file), line: 0 }),
            Err(error) => Err(Failure::input(format!(
                "{}: {error}; expected the folder as `ward export` wrote it",
                path.display()
            ))),
        }
    }

    pub(super) fn next(&mut self) -> Result<Digest, Failure> {
        self.line += 1;
        let mut text = String::new();
        let read = std::io::Read::take(&mut self.from, LINE_BYTES).read_line(&mut text);
        let found = read.ok().and_then(|_| Digest::parse(text.trim_end()));
        found.ok_or_else(|| {
            let place = self.path.display();
            Failure::input(format!("{place}:{}: expected 64 hex digits a decision", self.line))
        })
    }
}

/// What an export counts.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(in crate::cli) struct Counts {
    pub(in crate::cli) history_events: u64,
    pub(in crate::cli) history_decisions: u64,
    pub(in crate::cli) events: u64,
    pub(in crate::cli) decisions: u64,
}

/// A case that is being written.
#[derive(Debug)]
pub(in crate::cli) struct Writer {
    folder: PathBuf,
    history: [BufWriter<File>; 2],
    range: [BufWriter<File>; 2],
    chains: BufWriter<File>,
    pub(in crate::cli) counts: Counts,
    line: Vec<u8>,
}

impl Writer {
    /// Makes the folder, which must be new or empty: a case is never mixed with another.
    pub(in crate::cli) fn create(folder: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| {
            format!("{}: {error}; name a new folder, in one that this user may write", folder.display())
        };
        std::fs::create_dir_all(folder).map_err(told)?;
        if std::fs::read_dir(folder).map_err(told)?.next().is_some() {
            return Err(format!("{}: the folder is not empty; name a new one", folder.display()));
        }
        let open = |name: &str| File::create_new(folder.join(name)).map(BufWriter::new).map_err(told);
        Ok(Self {
            folder: folder.to_owned(),
            history: [open("history.jsonl")?, open("history-decisions.jsonl")?],
            range: [open("events.jsonl")?, open("decisions.jsonl")?],
            chains: open(CHAINS)?,
            counts: Counts::default(),
            line: Vec::new(),
        })
    }

    /// Adds an event, and its decision as JSON with the chain before it.
    pub(in crate::cli) fn add(
        &mut self,
        event: &crate::model::event::Event<'_>,
        decision: Option<(&[u8], Digest)>,
        is_history: bool,
    ) -> Result<(), String> {
        let Self { history, range, counts, .. } = self;
        let ([events, decisions], counted) = if is_history {
            (history, (&mut counts.history_events, &mut counts.history_decisions))
        } else {
            (range, (&mut counts.events, &mut counts.decisions))
        };
        self.line.clear();
        // One that came without an id bears the one it was given: its decision is found by it.
        let event = crate::model::event::Event { has_own_id: true, ..event.clone() };
        emit::event_json(&event, &mut self.line);
        self.line.push(b'\n');
        let mut write = || {
            events.write_all(&self.line)?;
            *counted.0 += 1;
            let Some((decision, before)) = decision else { return Ok(()) };
            decisions.write_all(decision)?;
            decisions.write_all(b"\n")?;
            *counted.1 += 1;
            writeln!(self.chains, "{before}")
        };
        write().map_err(|error| full(&self.folder, &error))
    }

    pub(in crate::cli) fn write(&self, name: &str, value: &serde_json::Value) -> Result<(), String> {
        self.text(name, &format!("{value:#}\n"))
    }

    /// A policy, and what it extends beside it.
    pub(in crate::cli) fn policy(&self, policy: &Policy) -> Result<String, String> {
        let told = |error: std::io::Error| full(&self.folder, &error);
        std::fs::create_dir_all(self.folder.join(POLICY)).map_err(told)?;
        let mut name = policy.digest.to_string();
        let first = format!("{POLICY}/{name}.toml");
        for text in policy.texts.iter().rev() {
            let path = format!("{POLICY}/{name}.toml");
            if !self.folder.join(&path).exists() {
                self.text(&path, text)?;
            }
            let table = text.parse::<toml::Table>().unwrap_or_default();
            match table.get("extends").and_then(toml::Value::as_str) {
                // A name is no path: whatever else it says, it stays in this folder.
                Some(next) if is_plain(next) => next.clone_into(&mut name),
                _ => break,
            }
        }
        Ok(first)
    }

    pub(in crate::cli) fn flush(&mut self) -> Result<(), String> {
        let [a, b] = &mut self.history;
        let [c, d] = &mut self.range;
        for file in [a, b, c, d, &mut self.chains] {
            file.flush().map_err(|error| full(&self.folder, &error))?;
        }
        Ok(())
    }

    fn text(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).map_err(|error| full(&path, &error))
    }
}

/// Bytes as hex digits.
pub(in crate::cli) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn full(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}; make room, or write elsewhere", path.display())
}

const POLICY: &str = "policy";
const CHAINS: &str = "chains.txt";
/// 64 digits and a line feed of either kind.
const LINE_BYTES: u64 = 66;
const POLICIES_MAX: usize = 1_000;
