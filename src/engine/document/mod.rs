//! A TOML document read whole: every value with its place, every mistake at once.
//!
//! Policies, settings and attack parameters are read through this. A reader takes from a table what
//! it knows; what is left over when it is done is a mistake, as is every value of another form than
//! was asked for. Nothing stops at the first one.
//!
//! A document may also be one environment variable (`WARD__RUN__WORKERS=2`): then a value has no
//! place, and its text may stand for any type.

mod mistake;
mod value;

use std::cell::RefCell;
use std::ops::Range;

use toml::de::DeTable;

pub use mistake::{Mistake, Place, Told, nearest, one_of, quoted, told};
pub use value::{Table, Value, parse_duration};

/// Reads the text of `file` with `read`, and adds what is wrong with it to `mistakes`.
pub fn read<T>(file: &str, text: &str, mistakes: &mut Vec<Mistake>, read: impl FnOnce(Table<'_>) -> T) -> T {
    let (root, broken) = DeTable::parse_recoverable(text);
    let document = Document { file, text, origin: Origin::Text, mistakes: RefCell::default() };
    let result = read(Table::new(&document, root.get_ref(), String::new(), root.span()));

    let mut found = document.mistakes.into_inner();
    let mut broken: Vec<Mistake> = broken
        .iter()
        .map(|error| Mistake {
            file: file.to_owned(),
            place: Some(Place::of(text, error.span().map_or(text.len(), |span| span.start))),
            text: format!("not TOML: {}", error.message()),
        })
        .collect();
    let line = |mistake: &Mistake| mistake.place.map(|place| place.line);
    // The first of a line is the cause of the others.
    broken.dedup_by_key(|mistake| line(mistake));
    if !broken.is_empty() {
        // What the parser skipped looks missing, and what it guessed looks wrong: say neither.
        found.retain(|one| one.place.is_some() && broken.iter().all(|other| line(other) != line(one)));
    }
    found.extend(broken);
    found.sort_by_key(|mistake| mistake.place);
    mistakes.extend(found.into_iter().take(MISTAKES_MAX));
    result
}

/// Reads one environment variable as a document: `keys` lead to its value.
pub fn read_variable<T>(
    variable: &str,
    keys: &[String],
    value: &str,
    mistakes: &mut Vec<Mistake>,
    read: impl FnOnce(Table<'_>) -> T,
) -> T {
    let path = keys.iter().map(|key| text_literal(key)).collect::<Vec<_>>().join(".");
    let is_toml = toml::de::DeValue::parse(value).is_ok();
    let literal = if is_toml { value.to_owned() } else { text_literal(value) };
    let text = format!("{path} = {literal}");
    let (root, _) = DeTable::parse_recoverable(&text);
    let document =
        Document { file: variable, text: value, origin: Origin::Variable, mistakes: RefCell::default() };
    let result = read(Table::new(&document, root.get_ref(), String::new(), 0..0));
    mistakes.extend(document.mistakes.into_inner());
    result
}

/// A basic string of TOML.
fn text_literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            char if char.is_control() => literal.push_str(&format!("\\u{:04X}", u32::from(char))),
            char => literal.push(char),
        }
    }
    literal.push('"');
    literal
}

#[derive(Debug)]
struct Document<'d> {
    file: &'d str,
    text: &'d str,
    origin: Origin,
    mistakes: RefCell<Vec<Mistake>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Text,
    Variable,
}

impl Document<'_> {
    /// Notes a mistake about what stands at `span`; without one, something that is missing.
    fn note(&self, span: Option<Range<usize>>, text: String) {
        let place = match self.origin {
            Origin::Text => span.map(|span| Place::of(self.text, span.start)),
            Origin::Variable => None,
        };
        self.mistakes.borrow_mut().push(Mistake { file: self.file.to_owned(), place, text });
    }
}

/// A file of another kind altogether would otherwise fill the terminal.
const MISTAKES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `name` (text), `size` (0..=9), `on` (flag) and `list`, and shows what was wrong.
    fn mistakes_of(text: &str) -> Vec<String> {
        let mut mistakes = Vec::new();
        read("a.toml", text, &mut mistakes, fields);
        mistakes.iter().map(ToString::to_string).collect()
    }

    fn fields(mut root: Table<'_>) {
        root.take("name").and_then(|value| value.text().map(str::to_owned));
        root.take("size").and_then(|value| value.whole(0, 9));
        root.take("on").and_then(|value| value.flag());
        root.take("list").map(|value| value.list().iter().filter_map(Value::text).count());
        root.take("wait").and_then(|value| value.duration());
        root.take("version").and_then(|value| value.whole(1, 1));
        root.finish();
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(mistakes_of(text), expected);
    }

    #[test]
    fn says_nothing_of_a_good_document() {
        check("name = 'x'\nsize = 3\non = true\nlist = ['a', 'b']\nwait = '20ms'", &[]);
        check("", &[]);
    }

    #[test]
    fn reports_every_mistake_with_its_place() {
        check(
            "nam = 'x'\nsize = 10\non = 'yes'\nlist = [\n  'a',\n  2]\nwait = '3 fortnights'",
            &[
                "a.toml:1:1: unknown field `nam`; did you mean `name`?",
                "a.toml:2:8: `size` is the integer `10`, expected a whole number from 0 to 9",
                "a.toml:3:6: `on` is the string `yes`, expected true or false",
                "a.toml:6:3: `list` is the integer `2`, expected a string",
                "a.toml:7:8: `wait` is the string `3 fortnights`, expected a time such as \"20ms\", \"10s\", \"30m\", \"24h\" or \"7d\"",
            ],
        );
    }

    #[test]
    fn a_range_of_one_is_said_as_that_one() {
        check("version = 2", &["a.toml:1:11: `version` is the integer `2`, expected 1"]);
    }

    #[test]
    fn reports_broken_toml_beside_the_rest() {
        let mistakes = mistakes_of("name = \nsize = 10\non = = true\n");
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(
            mistakes.first().is_some_and(|one| one.starts_with("a.toml:1:8: not TOML: ")),
            "{mistakes:?}"
        );
    }

    #[test]
    fn a_variable_may_be_of_any_type() {
        #[track_caller]
        fn check(key: &str, value: &str, expected: &[&str]) {
            let mut mistakes = Vec::new();
            read_variable("WARD__X", &[key.to_owned()], value, &mut mistakes, fields);
            assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
        check("name", "12", &[]);
        check("name", "a \"b\" \\ c", &[]);
        check("size", "3", &[]);
        check("on", "true", &[]);
        check("list", "a,b", &[]);
        check("list", "[\"a\"]", &[]);
        check("size", "many", &["WARD__X: `size` is the string `many`, expected a whole number from 0 to 9"]);
        check("sise", "3", &["WARD__X: unknown field `sise`; did you mean `size`?"]);
    }
}
