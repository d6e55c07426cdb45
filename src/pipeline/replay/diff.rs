//! Two decisions of the same event under two policies: what changed, and because of what.

use std::collections::BTreeMap;

use super::cases::{Asked, Cases};
use super::group::{Example, Group};
use crate::model::decision::Decision;
use crate::model::event::Body;
use crate::model::observation::Observation;
use crate::model::signal::Signal;
use crate::model::{Action, EventType, Level, Outcome, SessionChange};

/// What would change.
#[derive(Debug, serde::Serialize)]
pub struct Diff {
    /// Decisions of both sides.
    pub decisions: u64,
    /// Successful logins among them.
    pub logins: u64,
    /// Decisions whose action, level or score is another.
    pub changed: u64,
    pub changed_action: u64,
    pub changed_level: u64,
    pub changed_score: u64,
    /// Of all decisions, and of successful logins: how many are answered more strictly, less strictly.
    pub stricter: u64,
    pub milder: u64,
    pub logins_changed: Logins,
    /// From the first policy's action to the second's, in the order of [`Action::ALL`].
    pub actions: [[u64; ACTIONS]; ACTIONS],
    /// From the first policy's level to the second's, in the order of [`Level::ALL`].
    pub levels: [[u64; LEVELS]; LEVELS],
    /// Decided under the first policy only: a detector panicked under the second.
    pub undecided: u64,
    /// By signal, rule, and what is left: levels and factors.
    pub by_signal: BTreeMap<String, Group>,
    pub by_rule: BTreeMap<String, Group>,
    pub by_threshold: Group,
    pub confirmed: Cases,
    /// Examples that each group keeps.
    #[serde(skip)]
    examples: usize,
}

/// What becomes of successful logins, as a manager would ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Logins {
    /// From `allow` to `challenge` or `step_up`.
    pub challenged: u64,
    /// From less to `deny` or `revoke`.
    pub refused: u64,
    /// From `challenge` to `step_up`.
    pub asked_more: u64,
    /// To `allow`.
    pub let_through: u64,
    /// To less, and not to `allow`.
    pub asked_less: u64,
}

/// What counts of a decision when two are compared: the action that a policy on trial would take
/// counts as taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    pub level: Level,
    pub score: u8,
}

impl Verdict {
    #[must_use]
    pub fn of(decision: &Decision<'_>) -> Self {
        Self {
            action: decision.would.unwrap_or(decision.action),
            level: decision.risk_level,
            score: decision.risk_score,
        }
    }
}

impl Diff {
    #[must_use]
    pub fn new(examples: usize, cases: Cases) -> Self {
        Self {
            decisions: 0,
            logins: 0,
            changed: 0,
            changed_action: 0,
            changed_level: 0,
            changed_score: 0,
            stricter: 0,
            milder: 0,
            logins_changed: Logins::default(),
            actions: [[0; ACTIONS]; ACTIONS],
            levels: [[0; LEVELS]; LEVELS],
            undecided: 0,
            by_signal: BTreeMap::new(),
            by_rule: BTreeMap::new(),
            by_threshold: Group::default(),
            confirmed: cases,
            examples,
        }
    }

    /// Notes what the two policies made of `seen`.
    pub(super) fn note(&mut self, seen: &Observation<'_>, first: &Decision<'_>, second: &Decision<'_>) {
        let (was, is) = (Verdict::of(first), Verdict::of(second));
        self.decisions += 1;
        count(&mut self.actions, was.action.code(), is.action.code());
        count(&mut self.levels, was.level.code(), is.level.code());
        let login = is_successful_login(seen);
        if login {
            self.logins += 1;
            self.logins_changed.note(was.action, is.action);
        }
        self.confirmed.note(seen, is_asked(seen).then_some(Asked { first: was.action, second: is.action }));
        if was == is {
            return;
        }
        self.changed += 1;
        self.changed_action += u64::from(was.action != is.action);
        self.changed_level += u64::from(was.level != is.level);
        self.changed_score += u64::from(was.score != is.score);
        self.stricter += u64::from(is.action > was.action);
        self.milder += u64::from(is.action < was.action);

        let weight = Example::weight(was, is);
        let example = || Example::of(seen, first, second);
        let mut explained = false;
        for signal in Signal::ALL.iter().filter(|signal| points(first, **signal) != points(second, **signal))
        {
            explained = true;
            let group = named(&mut self.by_signal, signal.name());
            group.note(was, is, weight, self.examples, example);
        }
        for id in differing_rules(first, second) {
            explained = true;
            named(&mut self.by_rule, id).note(was, is, weight, self.examples, example);
        }
        if !explained {
            self.by_threshold.note(was, is, weight, self.examples, example);
        }
    }
}

impl Logins {
    fn note(&mut self, was: Action, is: Action) {
        let counted = match (was, is) {
            _ if was == is => return,
            (_, Action::Allow) => &mut self.let_through,
            _ if is < was => &mut self.asked_less,
            (_, Action::Deny | Action::Revoke) => &mut self.refused,
            (Action::Allow, _) => &mut self.challenged,
            _ => &mut self.asked_more,
        };
        *counted += 1;
    }
}

/// What a signal adds to the score; `None` where it does not speak.
fn points(decision: &Decision<'_>, signal: Signal) -> u32 {
    let reasons = decision.reasons.iter().filter(|reason| reason.signal == signal);
    reasons.map(|reason| u32::from(reason.points)).sum()
}

/// The rules that are in force on one side only, or do other things.
fn differing_rules<'d>(first: &'d Decision<'_>, second: &'d Decision<'_>) -> Vec<&'d str> {
    let missing = |of: &'d Decision<'_>, among: &'d Decision<'_>| {
        let lacks = move |id: &str, action| {
            !among.rules.iter().any(|rule| rule.id == id && rule.action == action && !rule.report_only)
        };
        of.rules
            .iter()
            .filter(move |rule| !rule.report_only && lacks(rule.id, rule.action))
            .map(|rule| rule.id)
    };
    let mut ids: Vec<_> = missing(first, second).chain(missing(second, first)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn is_successful_login(seen: &Observation<'_>) -> bool {
    seen.event.kind() == EventType::Login && is_asked(seen)
}

/// A successful login, access or start of a session: what an attacker would want.
fn is_asked(seen: &Observation<'_>) -> bool {
    match &seen.event.body {
        Body::Login { outcome, .. } | Body::Access { outcome } => *outcome == Outcome::Success,
        Body::Session { change, .. } => *change != SessionChange::End,
        Body::Challenge { .. } | Body::Credential { .. } | Body::Behavior(_) | Body::Feedback { .. } => false,
    }
}

fn count<const N: usize>(matrix: &mut [[u64; N]; N], from: u8, to: u8) {
    if let Some(cell) = matrix.get_mut(usize::from(from)).and_then(|row| row.get_mut(usize::from(to))) {
        *cell += 1;
    }
}

fn named<'g>(groups: &'g mut BTreeMap<String, Group>, name: &str) -> &'g mut Group {
    if !groups.contains_key(name) {
        groups.insert(name.to_owned(), Group::default());
    }
    groups.entry(name.to_owned()).or_default()
}

const ACTIONS: usize = Action::ALL.len();
const LEVELS: usize = Level::ALL.len();
