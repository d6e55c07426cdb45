//! From TOML to a [`Mapping`], with every mistake and its place.

use super::{
    Case, FIELDS, Field, From, Lookup, Mapping, NETWORK, PLACE, Pattern, Pointer, Rule, Then, Time, Unmatched,
};
use crate::engine::document::{self, Mistake, Table, Value};
use crate::model::EventType;

/// Reads the text of `file`.
///
/// # Errors
/// Every mistake.
pub fn parse(file: &str, text: &str) -> Result<Mapping, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mapping = document::read(file, text, &mut mistakes, mapping);
    if mistakes.is_empty() { Ok(mapping) } else { Err(mistakes) }
}

fn mapping(mut root: Table<'_>) -> Mapping {
    if let Some(version) = root.need("version", "1") {
        version.whole(1, 1);
    }
    let shared = root.table("event").map(rules).unwrap_or_default();
    let unmatched = root.take("unmatched").and_then(|word| word.word(&UNMATCHED, |(_, name)| name));
    let cases: Vec<_> = root.take("case").map(|cases| cases.list()).unwrap_or_default();
    if cases.len() > CASES_MAX {
        root.mistake(format!("`case` has {} entries, expected at most {CASES_MAX}", cases.len()));
    }
    let has_unmatched = unmatched.is_some();
    let cases: Vec<_> = cases.iter().filter_map(|value| Some((value, case(value.table()?)))).collect();
    for (value, read) in &cases {
        if let Then::Event(own) = &read.then {
            needed(&|text| value.mistake(text), &shared, own);
        }
    }
    if cases.is_empty() {
        needed(&|text| root.mistake(text), &shared, &[]);
        if has_unmatched {
            root.mistake("`unmatched` is stated, expected it beside a `[[case]]`".into());
        }
    }
    root.finish();
    Mapping {
        shared,
        cases: cases.into_iter().map(|(_, case)| case).collect(),
        unmatched: unmatched.map(|(word, _)| word).unwrap_or_default(),
    }
}

/// What no event can do without must come from somewhere.
fn needed(mistake: &dyn Fn(String), shared: &[Rule], own: &[Rule]) {
    for name in ["user_id", "type", "occurred_at"] {
        if !shared.iter().chain(own).any(|rule| rule.field.outer == name) {
            mistake(format!("`event.{name}` is missing, expected a path into the record or a value"));
        }
    }
}

fn case(mut table: Table<'_>) -> Case {
    let when = table.need("when", "paths with the texts that stand there").and_then(|when| when.table());
    let when: Vec<_> = when
        .map(|when| {
            if when.is_empty() {
                when.mistake(format!("`{}` is empty, expected at least one path", when.path()));
            }
            when.entries().filter_map(|(path, texts)| Some((pointer(&path)?, texts.some(pattern)))).collect()
        })
        .unwrap_or_default();
    let skip = table.take("skip").and_then(|skip| skip.flag()) == Some(true);
    let rules = table.table("event").map(rules);
    if skip && rules.is_some() {
        table.mistake("it skips its records and says what event they are, expected one of both".into());
    }
    table.finish();
    let then = if skip { Then::Skip } else { Then::Event(rules.unwrap_or_default()) };
    Case { when, then }
}

fn rules(mut table: Table<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for outer in FIELDS {
        if let Some(value) = table.take(outer) {
            rules.extend(rule(&value, Field { outer, inner: None }));
        }
    }
    for (outer, parts) in [("place_hint", PLACE), ("network_hint", NETWORK)] {
        let Some(mut inner) = table.table(outer) else { continue };
        for part in parts {
            if let Some(value) = inner.take(part) {
                rules.extend(rule(&value, Field { outer, inner: Some(part) }));
            }
        }
        inner.finish();
    }
    table.finish();
    rules
}

fn rule(value: &Value<'_>, field: Field) -> Option<Rule> {
    if !value.is_table() {
        let paths = value.some(pointer);
        let lookup =
            Lookup { paths, words: Default::default(), otherwise: None, lower: false, time: Time::Rfc3339 };
        return Some(Rule { field, from: From::Record(lookup) });
    }
    let mut table = value.table()?;
    let always = table.take("value");
    let from = if let Some(always) = &always {
        From::Always(text(always, field)?)
    } else {
        let paths = table.need("path", "a path into the record, or `value`").map(|paths| paths.some(pointer));
        let words = table.table("words").map(|words| {
            words
                .entries()
                .filter_map(|(word, means)| Some((word.text()?.to_owned(), text(&means, field)?)))
                .collect()
        });
        let otherwise = table.take("else");
        if let (Some(otherwise), None) = (&otherwise, &words) {
            otherwise.mistake(format!("`{}` is stated, expected it beside `words`", otherwise.path()));
        }
        let lower = table.take("lower").and_then(|lower| lower.flag()).unwrap_or(false);
        let time = table.take("time");
        if let Some(time) = time.as_ref().filter(|_| field.outer != "occurred_at") {
            time.mistake(format!("`{}` is stated, expected it of `occurred_at` alone", time.path()));
        }
        let time = time.and_then(|time| time.word(&TIMES, |(_, name)| name)).map(|(time, _)| time);
        From::Record(Lookup {
            paths: paths?,
            words: words.unwrap_or_default(),
            otherwise: otherwise.and_then(|word| text(&word, field)),
            lower,
            time: time.unwrap_or_default(),
        })
    };
    table.finish();
    Some(Rule { field, from })
}

/// What the field is to say. Which type of event it is decides what it may do, so that is looked at here.
fn text(value: &Value<'_>, field: Field) -> Option<String> {
    let text = value.scalar()?;
    if field.outer == "type" {
        let all = EventType::ALL.iter().copied().filter(|kind| *kind != EventType::Feedback);
        let all: Vec<_> = all.collect();
        value.word(&all, |kind| kind.name())?;
    }
    Some(text)
}

/// A JSON pointer (RFC 6901).
fn pointer(value: &Value<'_>) -> Option<Pointer> {
    let text = value.text()?;
    let sound = text.starts_with('/') && text.len() <= POINTER_BYTES_MAX && escapes_are_sound(text);
    if sound {
        Some(Pointer(text.to_owned()))
    } else {
        value.expected("a JSON pointer such as \"/actor/id\" (RFC 6901)")
    }
}

/// `~` stands as `~0`, `/` in a name as `~1`.
fn escapes_are_sound(text: &str) -> bool {
    text.split('~').skip(1).all(|after| after.starts_with('0') || after.starts_with('1'))
}

fn pattern(value: &Value<'_>) -> Option<Pattern> {
    let text = value.scalar()?;
    let prefix = text.strip_suffix('*');
    Some(Pattern { is_prefix: prefix.is_some(), text: prefix.unwrap_or(&text).to_owned() })
}

const UNMATCHED: [(Unmatched, &str); 2] = [(Unmatched::Reject, "reject"), (Unmatched::Skip, "skip")];
const TIMES: [(Time, &str); 4] = [
    (Time::Rfc3339, "rfc3339"),
    (Time::Seconds, "epoch_seconds"),
    (Time::Millis, "epoch_millis"),
    (Time::Micros, "epoch_micros"),
];
/// Each is looked at for each record.
const CASES_MAX: usize = 1_000;
const POINTER_BYTES_MAX: usize = 1_024;
