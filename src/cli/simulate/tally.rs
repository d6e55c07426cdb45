//! What was made, for the person at the terminal; silent anywhere else, unless asked.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde_json::json;

use crate::cli::say;
use crate::model::time::Timestamp;
use crate::simulate::Simulated;

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) events: u64,
    /// Events of each attack that occurred.
    attacks: BTreeMap<&'static str, u64>,
    /// Of the first event and of the last.
    span: Option<(Timestamp, Timestamp)>,
}

impl Tally {
    pub(super) fn count(&mut self, made: &Simulated) {
        let at = made.event.occurred_at;
        self.events += 1;
        self.span = Some((self.span.map_or(at, |(first, _)| first), at));
        if let Some(attack) = made.attack {
            *self.attacks.entry(attack.name()).or_default() += 1;
        }
    }

    pub(super) fn finish(&self, json: bool) {
        if json {
            say(&self.line());
        } else if std::io::stderr().is_terminal() {
            say(&self.summary());
        }
    }

    fn line(&self) -> String {
        let (first, last) = self.span.map(|(first, last)| (first.to_string(), last.to_string())).unzip();
        json!({"summary": {"events": self.events, "attacks": self.attacks, "first": first, "last": last}})
            .to_string()
    }

    fn summary(&self) -> String {
        let mut text = format!("{} events", self.events);
        if let Some((first, last)) = self.span {
            let _written = write!(text, " from {first} to {last}");
        }
        let mut mark = "\n  of attacks: ";
        for (name, count) in &self.attacks {
            let _written = write!(text, "{mark}{name} {count}");
            mark = ", ";
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::enrich::builtin::Builtin;
    use crate::simulate::{Attack, Plan, Stream, World, start_of};

    #[test]
    fn what_was_made_is_named() {
        let plan = Plan { users: 20, seed: 7, attacks: Attack::ALL.to_vec(), start: start_of(7), days: 20 };
        let world = World::of(&Builtin::new()).unwrap();
        let mut tally = Tally::default();
        assert_eq!(tally.line(), r#"{"summary":{"attacks":{},"events":0,"first":null,"last":null}}"#);
        assert_eq!(tally.summary(), "0 events");
        let made: Vec<_> = Stream::new(&plan, world).take(6_000).collect();
        made.iter().for_each(|made| tally.count(made));
        let attacked = made.iter().filter(|made| made.attack.is_some()).count() as u64;
        assert!(attacked > 0 && tally.attacks.values().sum::<u64>() == attacked);
        let (first, last) = (made[0].event.occurred_at, made[5_999].event.occurred_at);
        assert!(tally.summary().starts_with(&format!("6000 events from {first} to {last}\n  of attacks: ")));
    }
}
