//! The report of a run, as text: what was done, when, how long it took until all was decided again, and
//! what came out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::judge::Verdict;

#[derive(Debug)]
pub(super) struct Report {
    name: String,
    began: Instant,
    text: String,
    kinds: BTreeMap<String, Kind>,
    pub(super) total: Verdict,
    pub(super) mistakes: Vec<String>,
    surprises: usize,
    faults: usize,
    processes: usize,
}

/// One kind of fault: how often, and how long until all was decided again.
#[derive(Debug, Default)]
struct Kind {
    count: usize,
    took: Vec<Duration>,
}

impl Report {
    /// `name` is the file's, so that a run on one broker and one on three stand side by side.
    pub(super) fn new(name: &str, head: &str) -> Self {
        let text = format!("{head}\n");
        Self {
            name: name.to_owned(),
            began: Instant::now(),
            text,
            kinds: BTreeMap::new(),
            total: Verdict::default(),
            mistakes: Vec::new(),
            surprises: 0,
            faults: 0,
            processes: 0,
        }
    }

    /// One line, with its time, on the screen too.
    pub(super) fn line(&mut self, line: &str) {
        let line = format!("{:7.1} s  {line}", self.began.elapsed().as_secs_f64());
        say(&line);
        self.text.push_str(&line);
        self.text.push('\n');
    }

    pub(super) fn fault(&mut self, kind: &str, done: &str, took: Option<Duration>) {
        self.faults += 1;
        let number = self.faults;
        let entry = self.kinds.entry(kind.to_owned()).or_default();
        entry.count += 1;
        entry.took.extend(took);
        let took = took.map_or_else(
            || "the next follows at once".to_owned(),
            |took| format!("all decided {:.1} s later", took.as_secs_f64()),
        );
        self.line(&format!("{number:4}  {kind}{}{done}; {took}", if done.is_empty() { "" } else { ": " }));
    }

    pub(super) fn stretch(&mut self, verdict: &Verdict, processes: usize) {
        self.total.add(verdict);
        self.processes += processes;
        self.text.push_str(&verdict.to_string());
        say(&verdict.to_string());
    }

    pub(super) fn surprised(&mut self, surprise: &str) {
        self.surprises += 1;
        self.line(&format!("      ! {surprise}"));
    }

    pub(super) fn mistaken(&mut self, mistake: String) {
        self.line(&format!("      WRONG {mistake}"));
        self.mistakes.push(mistake);
    }

    /// The whole, its sum first, where the run's folder is.
    pub(super) fn write(&self) -> PathBuf {
        let mut text = String::new();
        let kinds = self.kinds.len();
        writeln!(
            text,
            "{} faults of {kinds} kinds, {} processes started, {:.0} minutes",
            self.faults,
            self.processes,
            self.began.elapsed().as_secs_f64() / 60.0
        )
        .unwrap();
        writeln!(text, "{}  ended by themselves and were started again: {}\n", self.total, self.surprises)
            .unwrap();
        writeln!(text, "{:<46} times   until all was decided again (median, longest)", "fault").unwrap();
        for (name, kind) in &self.kinds {
            let mut took = kind.took.clone();
            took.sort_unstable();
            let told = match (took.get(took.len() / 2), took.last()) {
                (Some(median), Some(longest)) => {
                    format!("{:6.1} s {:6.1} s", median.as_secs_f64(), longest.as_secs_f64())
                }
                _ => String::new(),
            };
            writeln!(text, "{name:<46} {:5}   {told}", kind.count).unwrap();
        }
        writeln!(text, "\n{}", self.text).unwrap();
        for mistake in &self.mistakes {
            writeln!(text, "WRONG {mistake}").unwrap();
        }
        let folder = folder();
        let file = folder.join(format!("report-{}.txt", self.name));
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Shown while it happens, if somebody looks: `--nocapture`.
#[expect(clippy::print_stdout, reason = "a run of an hour tells how far it is")]
pub(super) fn say(line: &str) {
    println!("{line}");
}

/// Where reports and evidence go.
pub(super) fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/chaos");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
