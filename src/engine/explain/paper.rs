//! What is written on: 80 columns, titles, wrapped lines, and colours where they are wanted.
//!
//! Whatever comes from outside passes [`clean`]: an id must not move a terminal's cursor.

/// Whether lines are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Coloured,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\x1b[1m",
            Self::Faint => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Bad => "\x1b[1;31m",
        }
    }
}

#[derive(Debug)]
pub(super) struct Paper {
    text: String,
    ink: Ink,
}

impl Paper {
    pub(super) const fn new(ink: Ink) -> Self {
        Self { text: String::new(), ink }
    }

    pub(super) fn done(self) -> String {
        self.text
    }

    /// Begins a section.
    pub(super) fn title(&mut self, title: &str) {
        self.text.push('\n');
        self.row(&[(Tone::Strong, title)]);
    }

    /// A line that fits.
    pub(super) fn row(&mut self, parts: &[(Tone, &str)]) {
        for (tone, text) in parts {
            self.put(*tone, text);
        }
        let kept = self.text.trim_end_matches(' ').len();
        self.text.truncate(kept);
        self.text.push('\n');
    }

    /// Two parts at the two ends of a line; on two lines where they do not fit.
    pub(super) fn ends(&mut self, left: (Tone, &str), right: (Tone, &str)) {
        let (wide, room) = (width(left.1) + width(right.1), WIDTH);
        if wide + 2 > room {
            self.wrapped(left.0, "", 0, left.1);
            self.row(&[right]);
        } else {
            self.row(&[left, (Tone::Plain, &" ".repeat(room - wide)), right]);
        }
    }

    /// `first`, then the text beside it, wrapped to the right of `indent`.
    pub(super) fn wrapped(&mut self, tone: Tone, first: &str, indent: usize, text: &str) {
        let lines = wrap(text, WIDTH.saturating_sub(indent.max(width(first))).max(20));
        let mut lead = fit(first, indent.max(width(first)));
        for line in lines {
            self.row(&[(Tone::Plain, &lead), (tone, &line)]);
            lead = " ".repeat(indent);
        }
    }

    fn put(&mut self, tone: Tone, text: &str) {
        let coloured = self.ink == Ink::Coloured && tone != Tone::Plain && !text.trim().is_empty();
        if coloured {
            self.text.push_str(tone.code());
        }
        self.text.push_str(text);
        if coloured {
            self.text.push_str("\x1b[0m");
        }
    }
}

pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// Exactly so wide: filled up, or cut with a mark.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) > columns {
        let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
        cut.push('…');
        return cut;
    }
    format!("{text}{}", " ".repeat(columns - width(text)))
}

/// The same, to the right.
pub(super) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Lines of whole words; a word that is longer than a line is cut.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for letter in word.chars() {
            if width(&line) >= columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(letter);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// What a terminal may show: no control characters, and none that turn the direction of writing.
pub(super) fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

pub(super) const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut paper = Paper::new(Ink::Plain);
        paper.wrapped(Tone::Faint, "  a ", 4, text);
        assert_eq!(paper.done(), expected);
    }

    #[test]
    fn lines_are_wrapped_and_long_words_cut() {
        check("b", "  a b\n");
        check("", "  a\n");
        check(
            &"word ".repeat(20),
            &format!("  a {}\n    {}\n", "word ".repeat(15).trim(), "word ".repeat(5).trim()),
        );
        check(&"x".repeat(80), &format!("  a {}\n    xxxx\n", "x".repeat(76)));
    }

    #[test]
    fn a_terminal_is_not_moved() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\u{9b}é"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}é");
    }

    #[test]
    fn colours_are_kept_off_plain_paper() {
        let mut paper = Paper::new(Ink::Coloured);
        paper.row(&[(Tone::Bad, "a"), (Tone::Plain, "b")]);
        assert_eq!(paper.done(), "\x1b[1;31ma\x1b[0mb\n");
    }
}
