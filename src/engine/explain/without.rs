//! What would have lowered it: the same decision without one of its causes, or with the factors that
//! were missing.
//!
//! With the profile at hand everything is scored and decided again. From a record alone it is
//! calculated: levels and factors exactly (what a lower level asks for, a higher one asks for too), and
//! of the rules those that matched are looked at again.

use serde::Serialize;

use crate::engine::decide::{decide, demand};
use crate::engine::emit::{Side, Stored, StoredReason, Value};
use crate::engine::policy::{Condition, Policy, When};
use crate::engine::score::{Scored, score};
use crate::engine::step::Looked;
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Severity, Signal};
use crate::model::{Action, Factor, Factors, Level};

/// How it would have come out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Without {
    /// Signals that would have been quiet.
    pub signals: Vec<String>,
    /// Factors that would have been presented besides.
    pub presented: Vec<Factor>,
    pub risk_score: u16,
    pub risk_level: Level,
    pub action: Action,
    pub missing_auth_factors: Vec<Factor>,
}

/// Decides again.
pub(super) fn exactly(looked: &Looked<'_>, seen: &Observation<'_>) -> Vec<Without> {
    let policy = looked.policy;
    let scored = |quiet: &[Signal]| {
        let mut findings = looked.findings;
        for signal in quiet {
            if let Some(finding) = findings.0.get_mut(signal.index()) {
                *finding = Finding::Quiet;
            }
        }
        score(&findings, seen, policy)
    };
    let verdict = |scored: &Scored<'_>, presented: Factors| {
        let standpoint = crate::engine::decide::Standpoint {
            presented: looked.standpoint.presented.union(presented),
            ..looked.standpoint
        };
        let decided = decide(scored, seen, standpoint, policy);
        (decided.effective(), decided.missing)
    };
    let now = scored(&[]);
    let parts: Vec<Part> = now
        .reasons
        .iter()
        .map(|reason| Part {
            signal: Some(reason.signal),
            group: reason.group.to_owned(),
            points: reason.points.into(),
        })
        .collect();
    let mut all = Vec::new();
    for quiet in causes(&parts) {
        let then = scored(&quiet);
        let (action, missing) = verdict(&then, Factors::NONE);
        all.push(Without {
            signals: names(&quiet),
            presented: Vec::new(),
            risk_score: then.risk_score.into(),
            risk_level: then.level,
            action,
            missing_auth_factors: missing.iter().collect(),
        });
    }
    let (_, missing) = verdict(&now, Factors::NONE);
    if !missing.is_empty() {
        let (action, still) = verdict(&now, missing);
        all.push(Without {
            signals: Vec::new(),
            presented: missing.iter().collect(),
            risk_score: now.risk_score.into(),
            risk_level: now.level,
            action,
            missing_auth_factors: still.iter().collect(),
        });
    }
    all
}

/// Calculates it from a record.
pub(super) fn recorded(decision: &Stored<'_>, policy: &Policy) -> Vec<Without> {
    let missing: Factors =
        decision.missing_auth_factors.iter().filter_map(|word| Factor::parse(word)).collect();
    let parts: Vec<Part> = decision
        .reasons
        .iter()
        .map(|reason| Part {
            signal: Signal::parse(&reason.signal),
            group: reason.group.to_string(),
            points: reason.points,
        })
        .collect();
    let mut all = Vec::new();
    for quiet in causes(&parts) {
        let is_quiet = |reason: &&StoredReason<'_>| {
            Signal::parse(&reason.signal).is_none_or(|signal| !quiet.contains(&signal))
        };
        let rest: Vec<&StoredReason<'_>> = decision.reasons.iter().filter(is_quiet).collect();
        let sum = sum(&rest, policy);
        let level = policy.level(sum);
        let asked = policy.factors.get(usize::from(level.code())).copied().unwrap_or_default();
        let missing: Factors = missing.iter().filter(|factor| asked.has(*factor)).collect();
        let then = Then { reasons: &rest, level, score: sum.min(100) };
        all.push(Without {
            signals: names(&quiet),
            presented: Vec::new(),
            risk_score: sum.min(100),
            risk_level: level,
            action: demand(missing).max(rules(decision, policy, &then)),
            missing_auth_factors: missing.iter().collect(),
        });
    }
    if let (false, Some(level)) = (missing.is_empty(), Level::parse(&decision.risk_level)) {
        let reasons: Vec<&StoredReason<'_>> = decision.reasons.iter().collect();
        let score = u16::try_from(decision.risk_score).unwrap_or(100);
        all.push(Without {
            signals: Vec::new(),
            presented: missing.iter().collect(),
            risk_score: score,
            risk_level: level,
            action: rules(decision, policy, &Then { reasons: &reasons, level, score }),
            missing_auth_factors: Vec::new(),
        });
    }
    all
}

struct Part {
    signal: Option<Signal>,
    group: String,
    points: i64,
}

/// What to leave out: each signal that counts; and with it all of its group, where another would take
/// its place.
fn causes(parts: &[Part]) -> Vec<Vec<Signal>> {
    let mut causes = Vec::new();
    for part in parts.iter().filter(|part| part.points > 0) {
        let Some(signal) = part.signal else { continue };
        causes.push(vec![signal]);
        let group: Vec<Signal> =
            parts.iter().filter(|other| other.group == part.group).filter_map(|other| other.signal).collect();
        if group.len() > 1 {
            causes.push(group);
        }
    }
    causes
}

fn names(signals: &[Signal]) -> Vec<String> {
    signals.iter().map(|signal| signal.name().to_owned()).collect()
}

/// The strongest of each group counts.
fn sum(reasons: &[&StoredReason<'_>], policy: &Policy) -> u16 {
    let mut groups: Vec<(&str, u8)> = Vec::new();
    for reason in reasons {
        let counts = !reason.report_only && reason.severity >= i64::from(Severity::COUNTS.value());
        let Some(signal) = Signal::parse(&reason.signal).filter(|_| counts) else { continue };
        let points = policy.setting(signal).counted();
        match groups.iter_mut().find(|(group, _)| *group == reason.group) {
            Some((_, most)) => *most = points.max(*most),
            None => groups.push((&reason.group, points)),
        }
    }
    groups.iter().map(|(_, points)| u16::from(*points)).sum()
}

struct Then<'t> {
    reasons: &'t [&'t StoredReason<'t>],
    level: Level,
    score: u16,
}

/// The strictest of the rules that matched and would still.
fn rules(decision: &Stored<'_>, policy: &Policy, then: &Then<'_>) -> Action {
    let in_force = decision.rules.iter().filter(|hit| !hit.report_only);
    let still = in_force.filter(|hit| {
        policy.rules.iter().find(|rule| rule.id == hit.id).is_none_or(|rule| still_holds(&rule.when, then))
    });
    let strictest = still.filter_map(|hit| Action::parse(&hit.action)).max().unwrap_or(Action::Allow);
    // What a person said revokes, whatever the score.
    let said = decision.kind == "feedback" && decision.action == "revoke";
    if said { Action::Revoke } else { strictest }
}

/// What a rule asks of the event held, and still does.
fn still_holds(when: &When, then: &Then<'_>) -> bool {
    let fired =
        || then.reasons.iter().filter(|reason| reason.severity >= i64::from(Severity::COUNTS.value()));
    let named = when.all.iter().find_map(|condition| match condition {
        Condition::Signal(any) => Some(any),
        _ => None,
    });
    let speaks = |reason: &StoredReason<'_>| {
        let signal = Signal::parse(&reason.signal);
        named.is_none_or(|any| signal.is_some_and(|signal| any.contains(&signal)))
    };
    when.all.iter().all(|condition| match condition {
        Condition::Signal(_) => fired().any(|reason| speaks(reason)),
        Condition::Evidence(keys) => fired().filter(|reason| speaks(reason)).any(|reason| {
            keys.iter().all(|(key, words)| {
                words
                    .iter()
                    .any(|word| [&reason.before, &reason.now].iter().any(|side| says(side, key, word)))
            })
        }),
        Condition::Level(any) => any.contains(&then.level),
        Condition::ScoreAtLeast(least) => then.score >= u16::from(*least),
        _ => true,
    })
}

fn says(side: &Side<'_>, key: &str, word: &str) -> bool {
    side.0.iter().any(|(name, value)| {
        name == key
            && match value {
                Value::Number(number) => word.parse() == Ok(*number),
                Value::Word(one) => one == word,
                Value::List(all) => all.iter().any(|one| one == word),
            }
    })
}
