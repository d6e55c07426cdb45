//! Changes with one cause, and the most telling examples of them.

use super::diff::Verdict;
use crate::engine::emit::sentence;
use crate::model::decision::Decision;
use crate::model::observation::Observation;

/// Changes with one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Group {
    pub changed: u64,
    /// Answered more strictly, less strictly; the rest has another level or score.
    pub stricter: u64,
    pub milder: u64,
    /// The largest changes, and of equal ones the first.
    pub examples: Vec<Example>,
}

/// One event, and what either policy made of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Example {
    pub event_id: String,
    pub tenant: String,
    pub user_id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub occurred_at: String,
    pub partition: i32,
    pub offset: i64,
    pub before: Side,
    pub after: Side,
    #[serde(skip)]
    weight: u32,
}

/// What one policy said.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Side {
    pub action: &'static str,
    pub risk_level: &'static str,
    pub risk_score: u8,
    pub reasons: Vec<Said>,
    /// Those in force.
    pub rules: Vec<Rule>,
}

/// One reason of a score.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    pub signal: &'static str,
    pub points: u8,
    pub text: String,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    pub id: String,
    pub action: &'static str,
}

impl Group {
    pub(super) fn note(
        &mut self,
        was: Verdict,
        is: Verdict,
        weight: u32,
        room: usize,
        example: impl FnOnce() -> Example,
    ) {
        self.changed += 1;
        self.stricter += u64::from(is.action > was.action);
        self.milder += u64::from(is.action < was.action);
        let at = self.examples.partition_point(|kept| kept.weight >= weight);
        if at < room {
            self.examples.truncate(room.saturating_sub(1));
            self.examples.insert(at, Example { weight, ..example() });
        }
    }
}

impl Example {
    /// How much changed: actions first, then levels, then points.
    pub(super) fn weight(was: Verdict, is: Verdict) -> u32 {
        let steps = |from: u8, to: u8| u32::from(from.abs_diff(to));
        steps(was.action.code(), is.action.code()) * 10_000
            + steps(was.level.code(), is.level.code()) * 1_000
            + steps(was.score, is.score)
    }

    pub(super) fn of(seen: &Observation<'_>, first: &Decision<'_>, second: &Decision<'_>) -> Self {
        Self {
            event_id: seen.event.id.to_string(),
            tenant: seen.event.tenant.to_string(),
            user_id: seen.event.user.to_string(),
            kind: seen.event.kind().name(),
            occurred_at: seen.event.occurred_at.to_string(),
            partition: first.position.partition,
            offset: first.position.offset,
            before: Side::of(first),
            after: Side::of(second),
            weight: 0,
        }
    }
}

impl Side {
    fn of(decision: &Decision<'_>) -> Self {
        let Verdict { action, level, score } = Verdict::of(decision);
        let reasons = decision.reasons.iter().map(|reason| Said {
            signal: reason.signal.name(),
            points: reason.points,
            text: sentence(&reason.evidence).as_str().to_owned(),
        });
        let rules = decision.rules.iter().filter(|rule| !rule.report_only);
        Self {
            action: action.name(),
            risk_level: level.name(),
            risk_score: score,
            reasons: reasons.collect(),
            rules: rules.map(|rule| Rule { id: rule.id.to_owned(), action: rule.action.name() }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Level};

    fn example(id: u32) -> Example {
        let side = || Side {
            action: "allow",
            risk_level: "low",
            risk_score: 0,
            reasons: Vec::new(),
            rules: Vec::new(),
        };
        Example {
            event_id: id.to_string(),
            tenant: "acme".into(),
            user_id: "ada".into(),
            kind: "login",
            occurred_at: String::new(),
            partition: 0,
            offset: 0,
            before: side(),
            after: side(),
            weight: 0,
        }
    }

    #[test]
    fn keeps_the_largest_changes_and_of_equals_the_first() {
        let verdict = |action, score| Verdict { action, level: Level::Low, score };
        let (was, mut group) = (verdict(Action::Allow, 0), Group::default());
        let changes =
            [(Action::Allow, 5), (Action::Challenge, 5), (Action::Allow, 9), (Action::Challenge, 5)];
        for (id, (action, score)) in (1..).zip(changes) {
            let is = verdict(action, score);
            group.note(was, is, Example::weight(was, is), 3, || example(id));
        }
        let ids: Vec<_> = group.examples.iter().map(|example| example.event_id.as_str()).collect();
        assert_eq!(ids, ["2", "4", "3"]);
        assert_eq!((group.changed, group.stricter, group.milder), (4, 2, 0));
    }
}
