//! The pages of `docs/`, and the README: every command in them is played, and what they show of its
//! output is what it prints.
//!
//! A page is a script: its ```` ```sh ```` blocks are played in order, in a folder of its own that looks
//! like the project's, with `ward` on the path. A ```` ```text ```` or ```` ```json ```` block that follows
//! is what the block before it printed, where `…` stands for anything. What stands behind `sh` says how:
//!
//! | Word | The block |
//! |---|---|
//! | `broker` | needs Kafka at `$BOOTSTRAP`: `live::pages` plays the page from its beginning |
//! | `background=WORD` | is left running as soon as it says WORD, until `<!-- Ctrl-C -->` or the page's end |
//! | `retry` | is played again until it prints what is shown: somebody else has to be ready first |
//! | `exit=N` | ends with N |
//! | `unplayed=REASON` | is not played, for one of the reasons of [`page::Reason`]; it is read instead |
//!
//! `PAGE=docs/tutorial.md cargo test --test it pages` plays one page.

pub(crate) mod compare;
pub(crate) mod named;
pub(crate) mod page;
pub(crate) mod play;

use std::path::{Path, PathBuf};

use page::Page;
use play::{Player, furnish};

/// Every page that shows commands, in the order of its path.
pub(crate) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    markdown(&root.join("docs"), &mut found);
    let wanted = std::env::var("PAGE").ok();
    let pages: Vec<_> = found
        .iter()
        .map(|path| path.strip_prefix(root).unwrap().to_str().unwrap())
        .filter(|path| wanted.as_deref().is_none_or(|wanted| wanted == *path))
        .map(|path| Page::read(root, path))
        .collect();
    assert!(!pages.is_empty(), "no page is called {}", wanted.unwrap_or_default());
    pages
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

#[track_caller]
pub(crate) fn none(findings: &[String]) {
    assert!(findings.is_empty(), "{} finding(s):\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_command_without_a_broker_prints_what_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let mut findings = Vec::new();
    for page in pages() {
        furnish(home.path());
        let without = page.steps.iter().filter(|step| !step.needs_broker());
        findings.extend(Player::new(home.path(), &[]).play(&page.path, without).err());
    }
    none(&findings);
}

#[test]
fn every_block_says_how_it_is_held() {
    let findings: Vec<_> = pages().into_iter().flat_map(|page| page.findings).collect();
    none(&findings);
}

#[test]
fn what_is_not_played_names_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let findings: Vec<_> = pages().iter().flat_map(|page| named::unplayed(page, root)).collect();
    none(&findings);
}

#[test]
fn commands_named_in_a_sentence_are_there() {
    let findings: Vec<_> = pages().iter().flat_map(named::in_sentences).collect();
    none(&findings);
}
