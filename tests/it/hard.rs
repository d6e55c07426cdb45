//! Hard cases: the false positives that people complain about, each a transcript in
//! `tests/golden/hard` that says what must and what must not fire, and why.
//!
//! ```text
//! > 2026-01-05..2026-01-09 08:00 ada login at=london.carrier.{n} …    every event of it counts; {n} is 0, 1, 2, …
//! ! new_network challenge      none of the events above, up to the last such line, says this
//! = impossible_travel          at least one of them does
//! ```
//!
//! Lines that follow each other with the same span of days are played day by day, as they would come.
//! Said are the signals that count, `challenge` to `revoke` for an action as strict or stricter,
//! `alert`, `score=N`, and what became of the event: `decided`, `late`, `duplicate`, `rejected`.
//! `{n}` may be `{n+3}`, `{n%9}` or `{3+n%5}`. `u{1..25}` is each of 25 users, `{i}` the number of each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wardstream::engine::policy::Policy;
use wardstream::engine::transcript;
use wardstream::model::Action;
use wardstream::model::signal::Signal;

#[test]
fn every_case_passes() {
    let mut wrong = Vec::new();
    for path in cases() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(text.starts_with("# "), "{name}: says no why");
        wrong.extend(check(name, &text));
    }
    assert!(wrong.is_empty(), "{} hard cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_case_is_explained() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hard-cases.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let linked = docs.split("](../tests/golden/hard/").skip(1).filter_map(|rest| rest.split_once(".txt)"));
    let linked: BTreeSet<_> = linked.map(|(name, _)| name.to_owned()).collect();
    let there: BTreeSet<_> =
        cases().iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(linked, there, "docs/hard-cases.md and tests/golden/hard");
}

/// A suite that cannot fail says nothing.
#[test]
fn what_fires_is_seen() {
    let days = "> 2026-01-05..2026-01-25 09:00 ada login at=london device=d ua=chrome-mac factors=password\n";
    let away = "> 2026-01-26 09:00 ada login at=sydney.fibre.{n+4} device=d ua=chrome-mac factors=password\n";
    let wrong = |rest: &str| check("t", &format!("{days}! challenge\n{away}{rest}\n")).len();
    assert_eq!(wrong("= unusual_location challenge score=30"), 0);
    assert_eq!(wrong("! unusual_location"), 1);
    assert_eq!(wrong("! challenge"), 1);
    assert_eq!(wrong("= step_up"), 1);
    assert_eq!(wrong("! step_up\n= new_device"), 1);
}

/// What is wrong with the case, line by line.
fn check(name: &str, text: &str) -> Vec<String> {
    let mut plain = String::new();
    // The events of each demand: from and to, and the demand.
    let (mut demands, mut from, mut count, mut demanded) = (Vec::new(), 0, 0, false);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(event) = line.strip_prefix("> ") {
            if demanded {
                (from, demanded) = (count, false);
            }
            let span = span(event).filter(|span| span.contains(".."));
            let mut events = each(event);
            while let Some(next) = span.and_then(|span| {
                lines.next_if(|next| next.strip_prefix("> ").and_then(self::span) == Some(span))
            }) {
                events.extend(each(&next[2..]));
            }
            // A day's lines stay in the order in which they stand.
            events.sort_by(|a, b| a[..DATE].cmp(&b[..DATE]));
            for event in events {
                plain.push_str(&format!("> {event}\n"));
                count += 1;
            }
        } else if line.starts_with(['!', '=']) {
            demands.push((from..count, line));
            demanded = true;
        } else {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    assert!(demanded, "{name}: ends with events of which nothing is demanded");
    let shipped = |policy: &str| Ok(Policy::shipped(policy).unwrap());
    let played = transcript::play(name, &plain, &shipped).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let played = format!("\n{played}");
    let said: Vec<_> = played.split("\n> ").skip(1).map(|block| (block, words(block))).collect();
    assert_eq!(said.len(), count, "{name}");

    let mut wrong = Vec::new();
    for (events, line) in demands {
        let said = &said[events];
        for word in line[1..].split_whitespace() {
            assert!(is_word(word), "{name}: `{word}` is nothing that a decision says");
            let found = said.iter().find(|(_, words)| words.contains(word));
            match (line.starts_with('!'), found) {
                (true, Some((block, _))) => wrong.push(format!("{name}: `{word}` must not be:\n  {block}")),
                (false, None) => {
                    let last = said.last().map_or("", |(block, _)| block);
                    wrong.push(format!("{name}: `{word}` is missing; the last of them:\n  {last}"));
                }
                _ => {}
            }
        }
    }
    wrong
}

/// `weekdays 2026-01-05..2026-01-09`
fn span(event: &str) -> Option<&str> {
    let skipped = if event.starts_with("weekdays ") { "weekdays ".len() } else { 0 };
    event.get(..skipped + event[skipped..].find(' ')?)
}

/// `2026-01-05`
const DATE: usize = 10;
/// ` 09:00`
const TIME: usize = 6;

fn is_word(word: &str) -> bool {
    Signal::parse(word).is_some()
        || Action::parse(word).is_some()
        || ["alert", "decided", "late", "duplicate", "rejected"].contains(&word)
        || word.starts_with("score=")
}

/// What the lines of one event say.
fn words(block: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for line in block.lines().filter_map(|line| line.strip_prefix("< ")) {
        let parts: Vec<_> = line.split_whitespace().collect();
        match &parts[..] {
            ["duplicate"] => drop(words.insert("duplicate".to_owned())),
            ["rejected", ..] => drop(words.insert("rejected".to_owned())),
            ["alert", ..] => drop(words.insert("alert".to_owned())),
            [score, _, action, rest @ ..] if score.parse::<u8>().is_ok() => {
                words.insert("decided".to_owned());
                words.insert(format!("score={score}"));
                let action = Action::parse(action).unwrap();
                words.extend(Action::ALL.iter().filter(|less| **less <= action).map(ToString::to_string));
                words.extend(rest.contains(&"learned=late").then(|| "late".to_owned()));
            }
            [signal, points, severity, ..] if points.starts_with('+') => {
                let severity = severity.trim_matches(['(', ')', ':']).parse::<u16>().unwrap();
                words.extend((severity >= 500).then(|| (*signal).to_owned()));
            }
            _ => {}
        }
    }
    words
}

/// One line for every event, `{n}` filled in; of `u{1..25}` one for each user, `{i}` filled in.
fn each(line: &str) -> Vec<String> {
    let range = line.split_once('{').and_then(|(before, rest)| {
        let (range, after) = rest.split_once('}')?;
        let (first, last) = range.split_once("..")?;
        Some((before, first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?, after))
    });
    let Some((before, users, after)) = range else { return each_of_one(line) };
    let of = |user: u32| each_of_one(&format!("{before}{user}{}", after.replace("{i}", &user.to_string())));
    let mut lines: Vec<_> = users.flat_map(of).collect();
    lines.sort_by(|a, b| a[..DATE + TIME].cmp(&b[..DATE + TIME]));
    lines
}

fn each_of_one(line: &str) -> Vec<String> {
    use jiff::civil::{Date, Time, Weekday};
    let (weekdays, line) = line.strip_prefix("weekdays ").map_or((false, line), |line| (true, line));
    let (dates, rest) = line.split_once(' ').unwrap();
    let (time, rest) = rest.split_once(' ').unwrap();
    let times = rest.strip_prefix('x').and_then(|rest| rest.split_once(' '));
    let (times, rest) = times
        .and_then(|(times, rest)| Some((times.parse::<i64>().ok()?, rest)))
        .map_or((1, rest), |(times, rest)| (times, rest));
    let (first, last) = dates.split_once("..").unwrap_or((dates, dates));
    let (mut day, last) = (first.parse::<Date>().unwrap(), last.parse::<Date>().unwrap());
    let mut lines = Vec::new();
    while day <= last {
        if !weekdays || !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
            for minute in 0..times {
                let number = i64::try_from(lines.len()).unwrap();
                let time: Time = fill(time, number).parse().unwrap();
                let at = day.to_datetime(time).checked_add(jiff::Span::new().minutes(minute)).unwrap();
                lines.push(format!("{} {} {}", at.date(), at.time(), fill(rest, number)));
            }
        }
        day = day.tomorrow().unwrap();
    }
    lines
}

fn fill(text: &str, number: i64) -> String {
    let mut pieces = text.split('{');
    let mut filled = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let (sum, rest) = piece.split_once('}').unwrap();
        let value = |term: &str| match term.split_once('%') {
            Some(("n", modulus)) => number % modulus.parse::<i64>().unwrap(),
            None if term == "n" => number,
            _ => term.parse().unwrap(),
        };
        filled.push_str(&sum.split('+').map(value).sum::<i64>().to_string());
        filled.push_str(rest);
    }
    filled
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hard");
    let mut cases: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    cases
}
