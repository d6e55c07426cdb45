//! Tables and values of a document: what is asked for in another form than it has is noted.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Document, Origin, Place, one_of, quoted};
use crate::model::time::Timestamp;

/// A table that is being read. [`Table::finish`] reports the fields that nobody took.
#[derive(Debug)]
pub struct Table<'d> {
    document: &'d Document<'d>,
    entries: &'d DeTable<'d>,
    /// Dotted, for messages; empty at the root.
    path: String,
    span: Range<usize>,
    known: Vec<&'static str>,
}

/// A value, and where it stands.
#[derive(Clone, Debug)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    form: Form<'d>,
    path: String,
    span: Range<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Form<'d> {
    Toml(&'d DeValue<'d>),
    /// A piece of an environment variable's text.
    Piece(&'d str),
}

impl<'d> Table<'d> {
    pub(super) fn new(
        document: &'d Document<'d>,
        entries: &'d DeTable<'d>,
        path: String,
        span: Range<usize>,
    ) -> Self {
        Self { document, entries, path, span, known: Vec::new() }
    }

    /// The value of `key`, which is known from now on.
    pub fn take(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.known.push(key);
        self.entries.get(key).map(|value| self.value(key, value))
    }

    /// Whether `key` is stated. It is not known by that.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of `key`; a mistake when there is none.
    pub fn need(&mut self, key: &'static str, what: &str) -> Option<Value<'d>> {
        let value = self.take(key);
        if value.is_none() {
            self.mistake(format!("`{}` is missing, expected {what}", self.dotted(key)));
        }
        value
    }

    /// The table under `key`.
    pub fn table(&mut self, key: &'static str) -> Option<Self> {
        self.take(key).and_then(|value| value.table())
    }

    /// Every entry, for a table whose keys are free, in order of the keys.
    pub fn entries(self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> {
        self.entries.iter().map(move |(key, value)| {
            let name = Value {
                document: self.document,
                form: Form::Piece(key.get_ref()),
                path: self.path.clone(),
                span: key.span(),
            };
            (name, self.value(key.get_ref(), value))
        })
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether this is an environment variable, which says one thing and leaves the rest.
    #[must_use]
    pub fn is_variable(&self) -> bool {
        self.document.origin == Origin::Variable
    }

    /// Where this stands among the tables, dotted; empty at the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A mistake about the table as a whole.
    pub fn mistake(&self, text: String) {
        // The root of a file stands nowhere: what is missing there has no place.
        let span = (!self.path.is_empty()).then(|| self.span.clone());
        self.document.note(span, text);
    }

    /// Reports what nobody took.
    pub fn finish(self) {
        for (key, _) in self.entries {
            if !self.known.contains(&key.get_ref().as_ref()) {
                let advice = one_of(key.get_ref(), self.known.iter().copied());
                let text = format!("unknown field {}; {advice}", quoted(&self.dotted(key.get_ref())));
                self.document.note(Some(key.span()), text);
            }
        }
    }

    fn value(&self, key: &str, value: &'d Spanned<DeValue<'d>>) -> Value<'d> {
        Value {
            document: self.document,
            form: Form::Toml(value.get_ref()),
            path: self.dotted(key),
            span: value.span(),
        }
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl<'d> Value<'d> {
    pub fn text(&self) -> Option<&'d str> {
        match self.form {
            Form::Piece(text) => Some(text),
            Form::Toml(DeValue::String(text)) => Some(text.as_ref()),
            Form::Toml(
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_),
            ) if self.document.origin == Origin::Variable => Some(self.document.text),
            Form::Toml(_) => self.expected("a string"),
        }
    }

    /// A string, a number or a flag, as it is written.
    pub fn scalar(&self) -> Option<String> {
        match self.form {
            Form::Toml(DeValue::Boolean(flag)) => Some(flag.to_string()),
            Form::Toml(DeValue::Integer(number)) => Some(number.to_string()),
            Form::Toml(DeValue::Float(number)) => Some(number.to_string()),
            _ => self.text().map(str::to_owned),
        }
    }

    /// A text that is not empty.
    pub fn name(&self) -> Option<&'d str> {
        self.text().filter(|text| !text.is_empty() || self.expected::<()>("a name").is_some())
    }

    /// Whether this is the string `text`; anything else is no mistake.
    #[must_use]
    pub fn is_text(&self, text: &str) -> bool {
        matches!(self.form, Form::Toml(DeValue::String(own)) if own == text)
    }

    pub fn flag(&self) -> Option<bool> {
        match self.form {
            Form::Toml(DeValue::Boolean(flag)) => Some(*flag),
            _ => self.expected("true or false"),
        }
    }

    /// A whole number from `least` to `most`.
    pub fn whole(&self, least: u64, most: u64) -> Option<u64> {
        let number = match self.form {
            Form::Toml(DeValue::Integer(number)) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.filter(|number| (least..=most).contains(number)).or_else(|| match least == most {
            true => self.expected(&least.to_string()),
            false => self.expected(&format!("a whole number from {least} to {most}")),
        })
    }

    /// As [`Self::whole`], in the type that its bounds have.
    pub fn number<T: Into<u64> + TryFrom<u64>>(&self, least: T, most: T) -> Option<T> {
        T::try_from(self.whole(least.into(), most.into())?).ok()
    }

    /// One word of a closed set.
    pub fn word<T: Copy>(&self, all: &[T], name: fn(T) -> &'static str) -> Option<T> {
        let text = self.text()?;
        let found = all.iter().copied().find(|word| name(*word) == text);
        if found.is_none() {
            let advice = one_of(text, all.iter().map(|word| name(*word)));
            self.mistake(format!("`{}` is {}; {advice}", self.path, quoted(text)));
        }
        found
    }

    /// `20ms`, `10s`, `30m`, `24h`, `7d`.
    pub fn duration(&self) -> Option<Duration> {
        let text = match self.form {
            Form::Toml(DeValue::String(text)) => parse_duration(text),
            Form::Piece(text) => parse_duration(text),
            Form::Toml(_) => None,
        };
        text.or_else(|| self.expected("a time such as \"20ms\", \"10s\", \"30m\", \"24h\" or \"7d\""))
    }

    /// A time of at least `least`.
    pub fn duration_from(&self, least: Duration) -> Option<Duration> {
        let duration = self.duration()?;
        if duration < least {
            self.mistake(format!("`{}` is too short, expected at least {least:?}", self.path));
            return None;
        }
        Some(duration)
    }

    /// A time from `least` to `most` days.
    pub fn days(&self, least: u16, most: u16) -> Option<Duration> {
        let duration = self.duration()?;
        let days = |days: u16| Duration::from_secs(86_400) * u32::from(days);
        if !(days(least)..=days(most)).contains(&duration) {
            return self.expected(&format!("a time from {least}d to {most}d"));
        }
        Some(duration)
    }

    /// A date (its first moment in UTC), or a date and time with an offset.
    pub fn moment(&self) -> Option<Timestamp> {
        let moment = match self.form {
            Form::Toml(DeValue::Datetime(when)) => match (when.date, when.time, when.offset) {
                (Some(date), None, None) => Timestamp::parse(&format!("{date}T00:00:00Z")),
                (Some(_), Some(_), Some(_)) => Timestamp::parse(&when.to_string()),
                _ => None,
            },
            _ => None,
        };
        moment.or_else(|| self.expected("a date such as 2027-01-31, or 2027-01-31T17:00:00Z, without quotes"))
    }

    /// The elements; a single value is a list of one.
    #[must_use]
    pub fn list(&self) -> Vec<Self> {
        match self.form {
            Form::Toml(DeValue::Array(array)) => array
                .iter()
                .map(|value| Self {
                    document: self.document,
                    form: Form::Toml(value.get_ref()),
                    path: self.path.clone(),
                    span: value.span(),
                })
                .collect(),
            Form::Toml(DeValue::String(text)) if self.document.origin == Origin::Variable => text
                .split(',')
                .map(str::trim)
                .filter(|piece| !piece.is_empty())
                .map(|piece| Self { form: Form::Piece(piece), ..self.clone() })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// The elements in the form that `read` gives them; a mistake when there is none.
    pub fn some<T>(&self, read: impl FnMut(&Self) -> Option<T>) -> Vec<T> {
        let list = self.list();
        if list.is_empty() {
            self.mistake(format!("`{}` is empty, expected at least one", self.path));
        }
        list.iter().filter_map(read).collect()
    }

    pub fn table(&self) -> Option<Table<'d>> {
        match self.form {
            Form::Toml(DeValue::Table(entries)) => {
                Some(Table::new(self.document, entries, self.path.clone(), self.span.clone()))
            }
            _ => self.expected("a table"),
        }
    }

    /// Whether this came from the environment, not from a file.
    #[must_use]
    pub fn is_from_environment(&self) -> bool {
        self.document.origin == Origin::Variable
    }

    /// Where this stands in a file.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let is_text = self.document.origin == Origin::Text;
        is_text.then(|| Place::of(self.document.text, self.span.start))
    }

    #[must_use]
    pub const fn is_table(&self) -> bool {
        matches!(self.form, Form::Toml(DeValue::Table(_)))
    }

    /// Where this stands among the tables, dotted.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn mistake(&self, text: String) {
        self.document.note(Some(self.span.clone()), text);
    }

    /// Notes that this is something else than `what`.
    pub fn expected<T>(&self, what: &str) -> Option<T> {
        self.mistake(format!("`{}` is {}, expected {what}", self.path, self.shown()));
        None
    }

    fn shown(&self) -> String {
        match self.form {
            Form::Piece(text) => format!("the string {}", quoted(text)),
            Form::Toml(DeValue::String(text)) if text.is_empty() => "an empty string".to_owned(),
            Form::Toml(DeValue::String(text)) => format!("the string {}", quoted(text)),
            Form::Toml(DeValue::Integer(number)) => format!("the integer {}", quoted(&number.to_string())),
            Form::Toml(DeValue::Float(number)) => format!("the number {}", quoted(number.as_str())),
            Form::Toml(DeValue::Boolean(flag)) => format!("`{flag}`"),
            Form::Toml(DeValue::Datetime(when)) => format!("the date {}", quoted(&when.to_string())),
            Form::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Form::Toml(DeValue::Table(_)) => "a table".to_owned(),
        }
    }
}

/// `20ms`, `10s`, `30m`, `1h`, `7d`; `None` for anything else.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|char: char| !char.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let millis = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
    (millis <= DURATION_MILLIS_MAX).then(|| Duration::from_millis(millis))
}

/// A hundred years: beyond it a number is a slip, and sums of times stay far from overflow.
const DURATION_MILLIS_MAX: u64 = 36_525 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected_ms: Option<u64>) {
        assert_eq!(parse_duration(text), expected_ms.map(Duration::from_millis));
    }

    #[test]
    fn reads_times() {
        check("20ms", Some(20));
        check("10s", Some(10_000));
        check("30m", Some(1_800_000));
        check("30 min", Some(1_800_000));
        check("7d", Some(604_800_000));
        check("0s", Some(0));
        check("", None);
        check("s", None);
        check("10", None);
        check("1.5h", None);
        check("-1s", None);
        check("99999999999999999999s", None);
        check("40000d", None);
    }
}
