//! What a page shows against what was printed: the same, but for `…`, which stands for anything.

use super::page::Shown;

/// What is wrong with it, if anything is.
pub(crate) fn difference(shown: &Shown, printed: &str) -> Option<String> {
    let (shown, printed) = if shown.is_json {
        (squeezed(&shown.text), squeezed(printed))
    } else {
        (trimmed(&shown.text), trimmed(printed))
    };
    let missing = unmatched(&shown, &printed)?;
    Some(format!("does not print\n{missing}\nbut\n{printed}"))
}

/// The first piece between two `…` that is not where it should be. The first has to be at the
/// beginning, the last at the end.
fn unmatched<'a>(shown: &'a str, printed: &str) -> Option<&'a str> {
    let mut pieces = shown.split('…');
    let first = pieces.next().unwrap_or_default();
    let Some(mut left) = printed.strip_prefix(first) else { return Some(first) };
    let mut pieces: Vec<_> = pieces.collect();
    let Some(last) = pieces.pop() else {
        return (!left.is_empty()).then_some(shown);
    };
    for piece in pieces {
        let Some(at) = left.find(piece) else { return Some(piece) };
        left = &left[at + piece.len()..];
    }
    (!left.ends_with(last)).then_some(last)
}

/// Without blanks at the ends of lines, and empty lines around it.
fn trimmed(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// JSON without blanks outside of its texts: a page breaks lines for people.
fn squeezed(text: &str) -> String {
    let (mut within, mut escaped) = (false, false);
    let keeps = |c: &char| {
        if within {
            within = escaped || *c != '"';
            escaped = !escaped && *c == '\\';
            return true;
        }
        within = *c == '"';
        within || !c.is_whitespace()
    };
    text.chars().filter(keeps).collect()
}

#[cfg(test)]
mod tests {
    use super::{Shown, difference};

    #[track_caller]
    fn check(is_json: bool, shown: &str, printed: &str, same: bool) {
        let difference = difference(&Shown { line: 1, is_json, text: shown.to_owned() }, printed);
        assert_eq!(difference.is_none(), same, "{difference:?}");
    }

    #[test]
    fn text_is_the_same_but_for_gaps() {
        check(false, "a\nb", "a  \nb\n", true);
        check(false, "a\n…\nc", "a\nb\nbb\nc\n", true);
        check(false, "a …", "a b", true);
        check(false, "a\nb", "a\nb\nc", false);
        check(false, "b", "a\nb", false);
        check(false, "a\n…\nc", "a\nb\nd", false);
        check(false, "a …, c … b", "a 1, b 2, c 3", false);
    }

    #[test]
    fn json_may_be_broken_for_people() {
        check(true, "{…,\"a\":1,\n  \"b\": [\"x y\",…]}", r#"{"z":0,"a":1,"b":["x y","z"]}"#, true);
        check(true, r#"{"a":"x y"}"#, r#"{"a":"xy"}"#, false);
        check(true, r#"{"a":"\" b","c":1}"#, r#"{"a": "\" b", "c": 1}"#, true);
        check(true, r#"{"a":1,…}"#, r#"{"b":1,"a":1}"#, false);
    }
}
