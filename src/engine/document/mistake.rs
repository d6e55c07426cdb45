//! A mistake in a file that a person wrote: where it stands, what was found, what to do.

use std::fmt;

/// One line for the person who wrote the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file's name, or the name of an environment variable.
    pub file: String,
    pub place: Option<Place>,
    /// What was found, what was expected, and what to do; user input in backticks.
    pub text: String,
}

/// Both from 1; a column is a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Mistake {
    /// About a file as a whole.
    #[must_use]
    pub fn of_file(file: &str, text: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, text: text.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { line, column }) => write!(f, "{}:{line}:{column}: {}", self.file, self.text),
            None => write!(f, "{}: {}", self.file, self.text),
        }
    }
}

impl std::error::Error for Mistake {}

/// A message in its three parts; one that is not stated is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'m> {
    pub found: &'m str,
    pub expected: &'m str,
    pub remedy: &'m str,
}

/// Takes a message apart. Ours read `found, expected this; do that`, where each part but the first
/// may be missing and user input stands in backticks.
#[must_use]
pub fn told(text: &str) -> Told<'_> {
    let (head, remedy) = outside_quotes(text, "; ").unwrap_or((text, ""));
    match outside_quotes(head, ", expected ") {
        Some((found, expected)) => Told { found, expected, remedy },
        None => match remedy.strip_prefix("expected ") {
            Some(expected) => Told { found: head, expected, remedy: "" },
            None => Told { found: head, expected: "", remedy },
        },
    }
}

/// Splits at the first `mark` that is not part of what a user wrote.
fn outside_quotes<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    text.match_indices(mark).map(|(at, _)| at).find_map(|at| {
        let (before, after) = text.split_at_checked(at)?;
        let is_outside = before.matches('`').count().is_multiple_of(2);
        is_outside.then_some((before, after.strip_prefix(mark)?))
    })
}

impl Place {
    /// Of the byte `offset` of `text`.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: line.chars().count() + 1 }
    }
}

/// `text` in backticks, on one line and no longer than a person reads.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    if text.chars().nth(QUOTED_CHARS_MAX).is_some() {
        quoted.push('…');
    }
    // Quotes are no danger in a message, and escaped they are hard to read.
    format!("`{}`", quoted.replace("\\\"", "\"").replace("\\'", "'").replace('`', "'"))
}

/// The word of `known` that was probably meant.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > QUOTED_CHARS_MAX {
        return None;
    }
    known
        .into_iter()
        .map(|other| (distance(&word.to_lowercase(), other), other))
        .filter(|(distance, other)| *distance * 3 <= other.len().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// `expected one of a, b, c`, or the one that was probably meant.
#[must_use]
pub fn one_of<'k>(found: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(found, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected one of {}", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours, one each.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let at = |cells: &[usize], j: usize| cells.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&row, j) + usize::from(from != *to)).min(at(&row, j + 1) + 1);
            least = least.min(at(&next, j) + 1);
            if j > 0 && last == Some(*to) && b.get(j - 1) == Some(&from) {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(from);
    }
    row.last().copied().unwrap_or_default()
}

const QUOTED_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        assert_eq!(Place::of("a = 1\nü = x", 11), Place { line: 2, column: 5 });
        assert_eq!(Place::of("", 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of("a\n", 99), Place { line: 2, column: 1 });
    }

    #[test]
    fn takes_a_message_apart() {
        #[track_caller]
        fn check(text: &str, expected: [&str; 3]) {
            let told = told(text);
            assert_eq!([told.found, told.expected, told.remedy], expected);
        }
        check("`a` is `b`, expected c; do d", ["`a` is `b`", "c", "do d"]);
        check("`a` is `b`, expected c", ["`a` is `b`", "c", ""]);
        check("unknown field `a`; did you mean `b`?", ["unknown field `a`", "", "did you mean `b`?"]);
        check("`a` is `x`; expected one of b, c", ["`a` is `x`", "one of b, c", ""]);
        check("`a` is `x; y, expected z`, expected c; do d", ["`a` is `x; y, expected z`", "c", "do d"]);
        check("", ["", "", ""]);
    }

    #[test]
    fn guesses_what_was_meant_and_not_more() {
        let known = ["new_device", "new_network", "reported"];
        assert_eq!(nearest("new_devise", known), Some("new_device"));
        assert_eq!(nearest("NEW_DEVICE", known), Some("new_device"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn measures_the_distance() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "same"), 0);
        assert_eq!(distance("gruop", "group"), 1);
    }

    #[test]
    fn quotes_on_one_line() {
        assert_eq!(quoted("a\nb \"c\""), "`a\\nb \"c\"`");
        assert_eq!(quoted(&"x".repeat(100)).chars().count(), 67);
    }
}
