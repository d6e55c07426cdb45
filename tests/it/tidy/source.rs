//! A file as the rules see it: its text, and its code without comments, strings and tests.

use super::Finding;

#[derive(Debug)]
pub(super) struct Source {
    /// Below the root of the project.
    pub path: String,
    pub text: String,
    /// The text with comments and literals blanked, cut at the first test module; lines stay
    /// lines. A file of `src` that holds nothing but tests has none.
    pub code: String,
}

impl Source {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let test = path.ends_with("/tests.rs") || path.contains("/tests/");
        let code = match path.ends_with(".rs") {
            true if test && path.starts_with("src/") => String::new(),
            true => without_tests(&blanked(&text)),
            false => text.clone(),
        };
        Self { path, text, code }
    }

    pub(super) fn finding(&self, line: usize, rule: &str) -> Finding {
        Finding { file: self.path.clone(), line, rule: rule.to_owned() }
    }

    /// Each place of a word in the code, with its line.
    pub(super) fn places(&self, word: &str) -> Vec<usize> {
        let lines = self.code.lines().enumerate();
        lines.filter(|(_, line)| has_word(line, word)).map(|(number, _)| number + 1).collect()
    }
}

/// Marks of unfinished work, and lints silenced for good instead of expected.
pub(super) fn unfinished(file: &Source) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let comment = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|halves| halves.concat());
    let code = [["to", "do!"], ["unimplemen", "ted!"], ["db", "g!"]].map(|halves| halves.concat());
    let silenced = [["#[al", "low("], ["#![al", "low("]].map(|halves| halves.concat());
    let mut found = Vec::new();
    for (number, (text, blanked)) in file.text.lines().zip(blanked(&file.text).lines()).enumerate() {
        for mark in comment.iter().filter(|mark| has_word(text, mark)) {
            found.push(file.finding(number + 1, &format!("`{mark}`: do it, or write down when it is due")));
        }
        for mark in code.iter().filter(|mark| blanked.contains(mark.as_str())) {
            found.push(file.finding(number + 1, &format!("`{mark}` is left in the code")));
        }
        for mark in silenced.iter().filter(|mark| blanked.contains(mark.as_str())) {
            found.push(file.finding(number + 1, &format!("`{mark}…)`: use `expect` with a reason")));
        }
    }
    found
}

/// The macros of `metrics`, which only telemetry calls: a metric and its log line are one struct.
pub(super) fn raw_metrics(file: &Source) -> Vec<Finding> {
    let macros =
        ["counter!", "gauge!", "histogram!", "describe_counter!", "describe_gauge!", "describe_histogram!"];
    let places =
        macros.into_iter().flat_map(|name| file.places(name).into_iter().map(move |line| (name, line)));
    places.map(|(name, line)| file.finding(line, &format!("`{name}` outside telemetry"))).collect()
}

/// The names under `[dependencies]`, as code writes them.
pub(super) fn dependencies(manifest: &str) -> Vec<String> {
    let section =
        manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]")).expect("a section");
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().replace('-', "_")).collect()
}

/// Whether the code uses that crate by a path of its own.
pub(super) fn names_crate(code: &str, name: &str) -> bool {
    code.lines().any(|line| crate_paths(line).any(|found| found == name))
}

/// First segments of the paths of a line: `serde` of `use serde::Deserialize`, not the `io` of `std::io::Read`.
pub(super) fn crate_paths(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("::").filter_map(|(at, _)| {
        let before = line.get(..at)?;
        let start = before.rfind(|c: char| !is_word(c)).map_or(0, |at| at + 1);
        let (head, name) = before.split_at_checked(start)?;
        (!name.is_empty() && !head.ends_with("::")).then_some(name)
    })
}

pub(super) fn has_word(line: &str, word: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !is_word(c));
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        edge(before.chars().next_back()) && (!word.ends_with(is_word) || edge(after.chars().next()))
    })
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Everything before the module of tests, which stands last.
fn without_tests(code: &str) -> String {
    let mut at = 0;
    let lines: Vec<&str> = code.split_inclusive('\n').collect();
    for pair in lines.windows(2) {
        if pair[0].trim() == "#[cfg(test)]"
            && pair[1].trim_start().starts_with("mod ")
            && pair[1].contains('{')
        {
            return code[..at].to_owned();
        }
        at += pair[0].len();
    }
    code.to_owned()
}

/// The code with comments, strings and character literals turned into spaces.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = token(rest);
        if skipped == 0 {
            // A whole word at a time, so that the `r` of `for"…"` is no raw string.
            let length = rest.find(|c| !is_word(c)).filter(|&at| at > 0).unwrap_or_else(|| first.len_utf8());
            let length = if is_word(first) { length } else { first.len_utf8() };
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            out.extend(rest[..skipped].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of the comment or literal that the text begins with; 0 when it begins with neither.
fn token(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |at| at + 2);
    }
    let prefix = text.find(|c| !matches!(c, 'b' | 'r' | 'c')).filter(|&at| at <= 2).unwrap_or(0);
    let body = &text[prefix..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if text[..prefix].ends_with('r') && body[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let from = prefix + hashes + 1;
        return text[from..].find(&end).map_or(text.len(), |at| from + at + end.len());
    }
    if body.starts_with('"') {
        return prefix + closed(body, '"');
    }
    if let Some(inner) = body.strip_prefix('\'') {
        let mut characters = inner.chars();
        let (one, two) = (characters.next(), characters.next());
        // `'a'` is a character, `'a` a lifetime.
        if one == Some('\\') || two == Some('\'') {
            return prefix + closed(body, '\'');
        }
    }
    0
}

fn closed(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Source, blanked, dependencies, names_crate, raw_metrics, unfinished};

    #[track_caller]
    fn check_blanked(text: &str, expected: &str) {
        assert_eq!(blanked(text), expected);
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        check_blanked("a // b\nc", "a     \nc");
        check_blanked(r#"a("b\"c") d"#, "a(      ) d");
        check_blanked("r#\"a\"b\"# c", "         c");
        check_blanked("'a' 'b", "    'b");
        check_blanked(r"'\'' x", "     x");
        check_blanked("/* a\n */ b", "    \n    b");
        check_blanked("bread(b\"x\") ", "bread(    ) ");
    }

    #[test]
    fn tests_are_cut_off() {
        let file = Source::new("src/a.rs", "mod a;\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n");
        assert_eq!(file.code, "mod a;\n");
    }

    #[test]
    fn planted_leftovers_are_found() {
        let planted =
            ["// TO-DO: x", "to-do!()", "#[al-low(dead_code)]", "#![al-low(dead_code)]", "let xx = 1;"];
        let text = planted.map(|line| line.replace('-', "")).join("\n");
        let lines: Vec<_> =
            unfinished(&Source::new("src/a.rs", text)).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }

    #[test]
    fn planted_metrics_are_found() {
        let file = Source::new("src/a.rs", "metrics::counter!(\"a\");\nencounter!();\nlet s = \"gauge!\";");
        assert_eq!(raw_metrics(&file).iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn dependencies_are_read_and_their_use_is_seen() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# b = 1\nc-d = \"1\"\n\n[dev-dependencies]\ne = \"1\"\n";
        assert_eq!(dependencies(manifest), ["c_d"]);
        assert!(names_crate("use c_d::X;", "c_d"));
        assert!(names_crate("let x = c_d::x();", "c_d"));
        assert!(!names_crate("use crate::c_d::X; // not the crate", "c_d"));
    }
}
