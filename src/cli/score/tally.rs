//! What came of the records, for the person at the terminal; silent anywhere else, unless asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::super::{counted, say};
use crate::model::{Action, Reject};
use crate::pipeline::file::Told;

#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    decided: [u64; Action::ALL.len()],
    rejected: [u64; Reject::ALL.len()],
    duplicates: u64,
    bar: Option<ProgressBar>,
    /// Somebody watches.
    is_watched: bool,
}

impl Tally {
    /// `length` of the input, where it is known. Explanations and a bar would draw over each other, too.
    #[expect(clippy::disallowed_methods, reason = "the edge: how long a person has waited")]
    pub(super) fn new(length: Option<u64>, has_bar: bool) -> Self {
        let is_watched = std::io::stderr().is_terminal();
        // Lines and a bar on one screen would draw over each other.
        let bar = (has_bar && is_watched && !std::io::stdout().is_terminal()).then(|| bar(length));
        Self {
            began: Instant::now(),
            decided: [0; Action::ALL.len()],
            rejected: [0; Reject::ALL.len()],
            duplicates: 0,
            bar,
            is_watched,
        }
    }

    pub(super) fn count(&mut self, told: Told) {
        let count = match told {
            Told::Decided { action, .. } => self.decided.get_mut(usize::from(action.code())),
            Told::Rejected(reason) => self.rejected.get_mut(usize::from(reason.code())),
            Told::Duplicate => Some(&mut self.duplicates),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    pub(super) fn is_at(&self, consumed: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(consumed);
        }
    }

    /// Says what came of it all.
    pub(super) fn finish(&self, users: usize, broken: u64, json: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let took = self.began.elapsed();
        if json {
            say(&self.line(took, users, broken));
        } else if self.is_watched {
            say(&self.summary(took, users, broken));
        }
    }

    /// The same for machines: every action and every reason that occurred, by name.
    fn line(&self, took: Duration, users: usize, broken: u64) -> String {
        let decided: u64 = self.decided.iter().sum();
        let records = decided + self.rejected.iter().sum::<u64>() + self.duplicates;
        json!({"summary": {
            "records": records,
            "users": users,
            "seconds": took.as_secs_f64(),
            "decisions": decided,
            "actions": occurred(Action::ALL.iter().map(|action| action.name()).zip(self.decided)),
            "duplicates": self.duplicates,
            "rejected": occurred(Reject::ALL.iter().map(|reason| reason.name()).zip(self.rejected)),
            "broken_lookups": broken,
        }})
        .to_string()
    }

    fn summary(&self, took: Duration, users: usize, broken: u64) -> String {
        let decided: u64 = self.decided.iter().sum();
        let rejected: u64 = self.rejected.iter().sum();
        let records = decided + rejected + self.duplicates;
        let (of, by) = (counted(records, "record"), counted(users as u64, "user"));
        let mut text = format!("{of} of {by} in {:.1} s", took.as_secs_f64());
        if took > Duration::from_millis(100) {
            let rate = u128::from(records) * 1000 / took.as_millis().max(1);
            let _written = write!(text, " ({rate}/s)");
        }
        let _written = write!(text, "\n  decided {decided}");
        list(&mut text, Action::ALL.iter().map(|action| action.name()).zip(self.decided));
        if self.duplicates > 0 {
            let _written = write!(text, "\n  duplicate {}", self.duplicates);
        }
        if rejected > 0 {
            let _written = write!(text, "\n  rejected {rejected}");
            list(&mut text, Reject::ALL.iter().map(|reason| reason.name()).zip(self.rejected));
        }
        if broken > 0 {
            let _written =
                write!(text, "\n  {broken} look-ups met a damaged record of a table and count as unknown");
        }
        text
    }
}

fn occurred<'w>(counts: impl Iterator<Item = (&'w str, u64)>) -> BTreeMap<&'w str, u64> {
    counts.filter(|(_, count)| *count > 0).collect()
}

/// `: allow 3, deny 1`, without what did not occur.
fn list<'w>(text: &mut String, counts: impl Iterator<Item = (&'w str, u64)>) {
    let mut mark = ':';
    for (word, count) in counts.filter(|(_, count)| *count > 0) {
        let _written = write!(text, "{mark} {word} {count}");
        mark = ',';
    }
}

fn bar(length: Option<u64>) -> ProgressBar {
    let (bar, form) = match length {
        Some(length) => (ProgressBar::new(length), "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(form) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventType;

    #[test]
    fn the_summary_names_what_occurred() {
        let mut tally = Tally::new(None, true);
        let decided = |action| Told::Decided { action, kind: EventType::Login };
        for told in [decided(Action::Allow), decided(Action::Allow), decided(Action::StepUp), Told::Duplicate]
        {
            tally.count(told);
        }
        tally.count(Told::Rejected(Reject::Malformed));
        assert_eq!(
            tally.summary(Duration::from_millis(500), 2, 0),
            "5 records of 2 users in 0.5 s (10/s)\n  decided 3: allow 2, step_up 1\n  duplicate 1\n  rejected 1: malformed 1"
        );
        assert_eq!(
            tally.line(Duration::from_millis(500), 2, 0),
            r#"{"summary":{"actions":{"allow":2,"step_up":1},"broken_lookups":0,"decisions":3,"duplicates":1,"records":5,"rejected":{"malformed":1},"seconds":0.5,"users":2}}"#
        );
        assert_eq!(
            Tally::new(None, true).summary(Duration::ZERO, 0, 0),
            "0 records of 0 users in 0.0 s\n  decided 0"
        );
    }
}
