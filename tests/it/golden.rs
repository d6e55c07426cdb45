//! Golden transcripts: what an analyst would write down of a user's days, and what the engine says.
//! Their form is that of `ward policy test`. `BLESS=1 cargo test golden` writes what came out; read
//! the difference before you keep it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wardstream::engine::document::Mistake;
use wardstream::engine::policy::Policy;
use wardstream::engine::transcript;
use wardstream::model::id::Digest;

#[test]
fn transcripts_come_out_as_written() {
    let mut wrong = String::new();
    let all = [transcripts(&folder()), transcripts(&folder().join("policy"))].concat();
    assert!(all.len() >= 20, "only {} transcripts found", all.len());
    for path in all {
        let text = std::fs::read_to_string(&path).unwrap();
        let came_out = transcript::play(&path.display().to_string(), &text, &|name| policy(&path, name));
        let came_out = came_out.unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        if came_out == text {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &came_out).unwrap();
            continue;
        }
        for found in transcript::differences(&text, &came_out) {
            writeln!(wrong, "{}:{}\n  {}", path.display(), found.line, found.event).unwrap();
            writeln!(wrong, "  written  {:?}\n  came out {:?}", found.written, found.came_out).unwrap();
        }
        assert!(!wrong.is_empty(), "{}: ends without a line feed", path.display());
    }
    assert!(wrong.is_empty(), "transcripts differ (BLESS=1 writes what came out):\n{wrong}");
}

/// Decisions name the revision that made them: other decisions need another name.
#[test]
fn a_changed_transcript_needs_a_new_revision() {
    let mut hasher = blake3::Hasher::new();
    for path in transcripts(&folder()) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.starts_with(['<', '>']) || line.starts_with("policy")) {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
        }
    }
    let line = format!("{} {}", wardstream::engine::REVISION, Digest(*hasher.finalize().as_bytes()));
    let path = folder().join("REVISION");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let has_revision = written.lines().any(|old| old.split(' ').next() == line.split(' ').next());
    if !has_revision && std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{written}{line}\n")).unwrap();
        return;
    }
    assert!(
        written.lines().any(|old| old == line),
        "transcripts changed under revision {}: raise engine::REVISION, then BLESS=1",
        wardstream::engine::REVISION
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn transcripts(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    all.sort();
    all
}

/// A shipped policy, or a file beside the transcript.
fn policy(transcript: &Path, name: &str) -> Result<Policy, Vec<Mistake>> {
    if let Some(shipped) = Policy::shipped(name) {
        return Ok(shipped);
    }
    let beside = transcript.parent().unwrap().join(name);
    Policy::load(beside.to_str().unwrap(), &|path| std::fs::read_to_string(path))
}
