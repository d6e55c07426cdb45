//! What a replay found, for machines and, in a sentence, for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::difference::value;
use super::{Diff, Difference, Place, Published};
use crate::engine::emit::Form;
use crate::engine::emit::{self, Recorded};
use crate::engine::step::BACKFILL;
use crate::model::decision::Decision;
use crate::model::id::Digest;

/// What a replay found.
#[derive(Debug, serde::Serialize)]
pub struct Report {
    /// The revision of this engine, and of what is configured, as `basis.engine` would name it.
    pub engine: String,
    /// `recorded`, or `lookup`.
    pub facts: &'static str,
    pub policies: Option<Digests>,
    /// Records that were read, all of them and those within the time asked for.
    pub records: u64,
    pub decisions: u64,
    /// Decisions within the time asked for.
    pub compared: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Records after the last published decision.
    pub undecided: u64,
    /// Decisions whose events retention has deleted: what they taught is not known.
    pub expired: u64,
    pub reproduction: Reproduction,
    pub diff: Option<Diff>,
}

/// The names and digests of the policies.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Digests {
    pub first: PolicyName,
    pub second: Option<PolicyName>,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PolicyName {
    pub name: String,
    pub digest: String,
}

/// Whether what was published comes out again.
#[derive(Debug, Default, serde::Serialize)]
pub struct Reproduction {
    /// Published decisions, rejections and duplicates that were compared.
    pub published: u64,
    pub equal: u64,
    pub different: u64,
    pub first_difference: Option<Difference>,
    /// What the engine that decided is named, where it is not this one.
    pub other_engines: BTreeSet<String>,
    /// As [`Report::engine`].
    #[serde(skip)]
    pub engine: String,
}

impl Report {
    #[must_use]
    pub fn new(engine: &str, facts: &'static str, diff: Option<Diff>) -> Self {
        Self {
            engine: engine.to_owned(),
            facts,
            policies: None,
            records: 0,
            decisions: 0,
            compared: 0,
            duplicates: 0,
            rejected: 0,
            undecided: 0,
            expired: 0,
            reproduction: Reproduction { engine: engine.to_owned(), ..Reproduction::default() },
            diff,
        }
    }

    /// A record came out as no decision, with this line.
    pub(super) fn note_refusal(&mut self, place: Place, line: &[u8], published: Published<'_>) {
        match published {
            Published::Unknown => {}
            Published::Nothing => self.reproduction.count(true),
            Published::Refused(was) => {
                self.reproduction.count(was == line);
                if was != line {
                    self.reproduction.note_first(|| Difference::between(place, was, line, Form::Json));
                }
            }
            Published::Decision(_, bytes, form) => {
                self.reproduction.count(false);
                let now = String::from_utf8_lossy(line).into_owned();
                let was = value(bytes, form).unwrap_or_default();
                let what = format!("a decision was published, and now there is none: {now}");
                self.reproduction.note_first(|| Some(Difference::of(place, &was, &what)));
            }
        }
    }

    /// A decision that was published for a record that does not come: the events end before.
    pub fn note_left_over(&mut self, place: Place, published: &[u8], form: Form) {
        self.reproduction.count(false);
        let was = value(published, form).unwrap_or_default();
        let what = "a decision was published, and its event is not there";
        self.reproduction.note_first(|| Some(Difference::of(place, &was, what)));
    }

    /// Whether something was found: a difference of either kind.
    #[must_use]
    pub fn is_different(&self) -> bool {
        self.reproduction.different > 0 || self.diff.as_ref().is_some_and(|diff| diff.changed > 0)
    }

    /// What came of it, in a sentence or two.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        if let Some(diff) = &self.diff {
            text.push_str(&diff.summary());
        }
        if self.reproduction.published > 0 {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&self.reproduction.summary());
        }
        if self.expired > 0 {
            let _written = write!(
                text,
                " The log no longer holds the events of the first {} decisions; who was seen in them may be \
                 decided differently now.",
                grouped(self.expired)
            );
        }
        if text.is_empty() {
            text = format!(
                "{} decisions were made; there was nothing to compare with.",
                grouped(self.decisions)
            );
        }
        text
    }
}

impl Reproduction {
    pub(super) fn note(
        &mut self,
        place: Place,
        recorded: &Recorded,
        published: &[u8],
        recomputed: &[u8],
        form: Form,
    ) {
        let engine = &recorded.basis.engine;
        if !is_named(engine, &self.engine) && !self.other_engines.contains(engine) {
            self.other_engines.insert(engine.clone());
        }
        if published == recomputed {
            return self.count(true);
        }
        // Somebody may have written the line anew, with blanks or in another order.
        let difference = Difference::between(place, published, recomputed, form);
        self.count(difference.is_none());
        self.note_first(|| difference);
    }

    /// A decision came out where none was published.
    pub(super) fn note_unpublished(
        &mut self,
        place: Place,
        decision: &Decision<'_>,
        published: Published<'_>,
    ) {
        self.count(false);
        let was = match published {
            Published::Refused(line) => format!(": {}", String::from_utf8_lossy(line)),
            _ => String::new(),
        };
        self.note_first(|| {
            let mut line = Vec::new();
            emit::decision_json(decision, Digest::ZERO, &mut line);
            let now = value(&line, Form::Json).unwrap_or_default();
            let what = format!("a decision comes out, and none was published{was}");
            Some(Difference::of(place, &now, &what))
        });
    }

    fn count(&mut self, equal: bool) {
        self.published += 1;
        self.equal += u64::from(equal);
        self.different += u64::from(!equal);
    }

    fn note_first(&mut self, difference: impl FnOnce() -> Option<Difference>) {
        if self.first_difference.is_none() {
            self.first_difference = difference();
        }
    }

    /// Whether everything came out again.
    #[must_use]
    pub fn summary(&self) -> String {
        let engine = self.engine.as_str();
        let all = grouped(self.published);
        let mut text = match self.different {
            0 => format!("All {all} published results come out again, bit for bit."),
            different => format!("{} of {all} published results do not come out again.", grouped(different)),
        };
        if !self.other_engines.is_empty() {
            let names: Vec<_> = self.other_engines.iter().map(String::as_str).collect();
            let which = names.join(", ");
            let _written = write!(text, " They were decided by engine {which}; this one is {engine}.");
            let revision = |name: &str| name.split('+').next() == engine.split('+').next();
            if names.iter().any(|name| revision(name)) {
                text.push_str(" The same revision under another name had other settings of `[identity] profile_ttl` or `[sources]`: give those of then with --config.");
            }
        }
        text
    }
}

/// Whether a decision that names its engine so was made by this one; that it was a backfill is the event's
/// affair.
fn is_named(engine: &str, this: &str) -> bool {
    let bare = engine.strip_suffix(BACKFILL).and_then(|rest| rest.strip_suffix(['+', '.']));
    bare.unwrap_or(engine) == this
}

impl Diff {
    /// What a manager wants to know.
    #[must_use]
    pub fn summary(&self) -> String {
        let logins = &self.logins_changed;
        let parts: Vec<_> = [
            (logins.challenged, "more would have been challenged"),
            (logins.refused, "more would have been refused"),
            (logins.asked_more, "would have been asked for more"),
            (logins.let_through, "would no longer have been challenged"),
            (logins.asked_less, "would have been asked for less"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
        let of = format!("Of {} logins", grouped(self.logins));
        let mut text = match parts.as_slice() {
            [] => format!("{of} none would have been answered differently"),
            [only] => format!("{of} {only}"),
            [first @ .., last] => format!("{of} {} and {last}", first.join(", ")),
        };
        let cases = &self.confirmed;
        for (count, what) in [(cases.missed_more, "missed"), (cases.caught_more, "caught besides")] {
            match count {
                0 => {}
                1 => drop(write!(text, "; 1 confirmed attack would have been {what}")),
                many => drop(write!(text, "; {} confirmed attacks would have been {what}", grouped(many))),
            }
        }
        if cases.confirmed > 0 && cases.missed_more + cases.caught_more == 0 {
            let _written = write!(
                text,
                "; {} confirmed {} would have been answered as before",
                grouped(cases.confirmed),
                if cases.confirmed == 1 { "attack" } else { "attacks" }
            );
        }
        text.push('.');
        text
    }
}

/// `412,330`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::replay::Cases;
    use crate::pipeline::replay::diff::Logins;

    #[track_caller]
    fn check(logins: u64, changed: Logins, cases: (u64, u64, u64), expected: &str) {
        let mut diff = Diff::new(3, Cases::default());
        (diff.logins, diff.logins_changed) = (logins, changed);
        (diff.confirmed.confirmed, diff.confirmed.missed_more, diff.confirmed.caught_more) = cases;
        assert_eq!(diff.summary(), expected);
    }

    #[test]
    fn a_manager_understands_it() {
        let none = Logins::default();
        check(
            412_330,
            Logins { challenged: 1_204, ..none },
            (9, 3, 0),
            "Of 412,330 logins 1,204 more would have been challenged; 3 confirmed attacks would have been missed.",
        );
        check(10, none, (0, 0, 0), "Of 10 logins none would have been answered differently.");
        check(
            1_000,
            Logins { challenged: 5, refused: 1, let_through: 20, ..none },
            (2, 0, 1),
            "Of 1,000 logins 5 more would have been challenged, 1 more would have been refused and \
             20 would no longer have been challenged; 1 confirmed attack would have been caught besides.",
        );
        check(
            10,
            none,
            (1, 0, 0),
            "Of 10 logins none would have been answered differently; 1 confirmed attack would have \
             been answered as before.",
        );
    }

    #[test]
    fn digits_come_in_threes() {
        let numbers = [0, 7, 999, 1_000, 412_330, 1_000_000].map(grouped);
        assert_eq!(numbers, ["0", "7", "999", "1,000", "412,330", "1,000,000"]);
    }
}
