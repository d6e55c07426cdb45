//! `ward policy`, from outside: the worked policies hold what their transcripts say, a difference is
//! told, and the reference is that of the parser.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wardstream::engine::policy::{Policy, reference};

fn ward(args: &[&str]) -> Output {
    let root = env!("CARGO_MANIFEST_DIR");
    Command::new(env!("CARGO_BIN_EXE_ward")).arg("policy").args(args).current_dir(root).output().unwrap()
}

#[track_caller]
fn check(args: &[&str], code: i32, stdout: &str, stderr: &str) {
    let output = ward(args);
    let said = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (said(output.stdout), said(output.stderr));
    assert_eq!((output.status.code(), out.as_str(), err.as_str()), (Some(code), stdout, stderr));
}

fn examples(ending: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy/examples");
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = all.filter(|path| path.extension().is_some_and(|other| other == ending)).collect();
    all.sort();
    all
}

#[test]
fn the_worked_policies_hold_their_transcripts() {
    let transcripts = examples("txt");
    assert_eq!(transcripts.len(), examples("toml").len(), "a transcript each");
    let files: Vec<_> = transcripts.iter().map(|path| path.to_str().unwrap()).collect();
    check(&[&["test"], files.as_slice()].concat(), 0, "3 of 3 transcripts came out as written\n", "");
}

/// Each sets what it is about: a transcript that plays the same under the default proves nothing.
#[test]
fn the_worked_policies_are_no_copies_of_the_default() {
    for transcript in examples("txt") {
        let output = ward(&["test", "--policy", "default", transcript.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{}", transcript.display());
    }
}

#[test]
fn a_difference_is_shown_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.txt");
    let event = "> 2026-01-05 09:00 ada login at=london device=laptop factors=password";
    std::fs::write(&file, format!("{event}\n< 99 high deny\n")).unwrap();
    let name = file.to_str().unwrap();
    let unknown = "unknown unusual_location,impossible_travel,new_network,new_device,session_mismatch,token_reuse,unusual_time,dormant_account,anomalous_behavior";
    let lines = [
        "< 0 low allow learned=now history=none confidence=0.0",
        "<   rule first-login → challenge (report only)",
        &format!("<   {unknown}"),
    ];
    let shown = lines.map(|line| format!("+ {line}\n")).concat();
    check(
        &["test", name],
        1,
        &format!("{name}:1\n  {event}\n- < 99 high deny\n{shown}"),
        "error: 1 of 1 transcripts came out differently\n",
    );

    let output = ward(&["test", "--write", name]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{event}\n{}\n", lines.join("\n")));
    check(&["test", name], 0, "1 of 1 transcripts came out as written\n", "");
}

#[test]
fn what_cannot_be_played_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.txt");
    std::fs::write(&file, "policy broken.toml\nhello\n").unwrap();
    std::fs::write(folder.path().join("broken.toml"), "version = 2\n").unwrap();
    let name = file.to_str().unwrap();
    let broken = folder.path().join("broken.toml").display().to_string();
    check(
        &["test", name],
        2,
        "",
        &format!(
            "error: {broken}:1:11: `version` is the integer `2`, expected 1\nerror: {name}:2:1: `hello` is no line of a transcript, expected one that begins with `policy `, `shadow `, `profile_ttl `, `creates `, `backfills `, `> `, `< ` or `#`\n"
        ),
    );
}

/// `ward policy reference > docs/policy-reference.md` writes it.
#[test]
fn the_reference_is_not_stale() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policy-reference.md");
    let text = reference::text();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    let written = std::fs::read_to_string(&page).unwrap();
    assert_eq!(written, text, "run `ward policy reference > docs/policy-reference.md`");
    assert_eq!(String::from_utf8(ward(&["reference"]).stdout).unwrap(), text);
}

/// The policy of the page that explains them is one.
#[test]
fn the_example_of_the_page_is_a_policy() {
    let page = include_str!("../../docs/policies.md");
    for example in page.split("```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()) {
        let read = |path: &Path| match path.to_str() {
            Some("example.toml") => Ok(example.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        let policy = Policy::load("example.toml", &read);
        assert!(policy.is_ok(), "{policy:?}");
    }
}
