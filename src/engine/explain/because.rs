//! Reasons: what each adds, or why it adds nothing, and both sides of what was compared.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::engine::emit::{Side, Stored, StoredReason, Value};
use crate::engine::signals::Measure;
use crate::model::signal::{Severity, Signal};

/// One reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Because<'a> {
    pub signal: &'a str,
    pub group: &'a str,
    pub points: i64,
    pub severity: i64,
    /// From which severity on a finding counts.
    pub counts_from: u16,
    pub centibans: i64,
    pub text: &'a str,
    /// Why it adds nothing.
    pub adds_nothing: Option<String>,
    pub before: Sides<'a>,
    pub now: Sides<'a>,
    pub measure: Option<Measure>,
    pub report_only: bool,
}

/// One side of an evidence; in JSON as the decision has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sides<'a>(pub &'a Side<'a>);

impl Serialize for Sides<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.0.len()))?;
        for (name, value) in &self.0.0 {
            match value {
                Value::Number(number) => map.serialize_entry(name, number)?,
                Value::Word(word) => map.serialize_entry(name, word)?,
                Value::List(words) => map.serialize_entry(name, words)?,
            }
        }
        map.end()
    }
}

pub(super) fn all<'a>(decision: &'a Stored<'a>, measures: &[(Signal, Measure)]) -> Vec<Because<'a>> {
    let because = |reason: &'a StoredReason<'a>| {
        let measured = measures.iter().find(|(signal, _)| signal.name() == reason.signal);
        Because {
            signal: &reason.signal,
            group: &reason.group,
            points: reason.points,
            severity: reason.severity,
            counts_from: Severity::COUNTS.value(),
            centibans: reason.centibans,
            text: &reason.text,
            adds_nothing: (reason.points <= 0).then(|| adds_nothing(reason, decision)),
            before: Sides(&reason.before),
            now: Sides(&reason.now),
            measure: measured.map(|(_, measure)| *measure),
            report_only: reason.report_only,
        }
    };
    decision.reasons.iter().map(because).collect()
}

fn adds_nothing(reason: &StoredReason<'_>, decision: &Stored<'_>) -> String {
    if reason.report_only {
        return "on trial: it is shown, and adds nothing".into();
    }
    if reason.severity < i64::from(Severity::COUNTS.value()) {
        return format!(
            "too weak to count: severity {}, counts from {}",
            reason.severity,
            Severity::COUNTS.value()
        );
    }
    let covers = |other: &&StoredReason<'_>| other.group == reason.group && other.points > 0;
    match decision.reasons.iter().find(covers) {
        Some(other) => format!("covered by {}: one cause counts once", other.signal),
        None => "the policy gives it no points".into(),
    }
}
