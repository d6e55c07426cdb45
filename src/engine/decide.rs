//! Decide: score to required factors, missing factors and an action; rules on top.
//!
//! Nothing is asked where nothing was given: of failed or blocked logins and accesses, of challenges,
//! behaviour, feedback and the end of a session. `deny` and `revoke` come from rules, but for feedback
//! `compromised`, which revokes all of the user's sessions.

use crate::engine::policy::{self, Occasion, Policy, Rule};
use crate::engine::score::Scored;
use crate::model::decision::RuleHit;
use crate::model::event::{Body, Event};
use crate::model::observation::Observation;
use crate::model::{
    Action, Factor, Factors, History, Level, Mode, Outcome, RevocationScope, SessionChange, Verdict,
};

/// What the profile knows that a rule or the factors may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standpoint {
    pub history: History,
    /// The user's risk before this event.
    pub user_risk: Level,
    /// Factors presented by this event, its session's login and its approved challenges.
    pub presented: Factors,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Decided<'p> {
    pub required: Factors,
    pub missing: Factors,
    /// As published: `allow` in report-only mode.
    pub action: Action,
    /// What would have been done, in report-only mode.
    pub would: Option<Action>,
    pub rules: Vec<RuleHit<'p>>,
    /// A rule in force asks for an alert.
    pub alert: bool,
    /// The rule in force that revokes, if one does and the mode lets it: scope and rule id.
    pub revoke: Option<(RevocationScope, &'p str)>,
}

impl Decided<'_> {
    /// The action that decides what is learned: a policy on trial must not teach itself the attacker.
    #[must_use]
    pub fn effective(&self) -> Action {
        self.would.unwrap_or(self.action)
    }

    /// The same, and nothing is done about it.
    #[must_use]
    pub(super) fn on_trial(self) -> Self {
        let would = Some(self.effective());
        Self { action: Action::Allow, would, alert: false, revoke: None, ..self }
    }
}

/// Turns a score into what is required, what is missing and what to do; rules come on top.
pub fn decide<'p>(
    scored: &Scored<'p>,
    seen: &Observation<'_>,
    standpoint: Standpoint,
    policy: &'p Policy,
) -> Decided<'p> {
    let is_asked = is_asked(&seen.event);
    let required = policy.factors.get(usize::from(scored.level.code())).copied().unwrap_or_default();
    let missing = if is_asked { required.without(standpoint.presented.satisfied()) } else { Factors::NONE };

    let mut action = demand(missing);
    let mut revoke = None;
    let mut alert = false;
    let mut rules = Vec::new();
    if let Body::Feedback { verdict: Verdict::Compromised, .. } = seen.event.body {
        (action, revoke) = (Action::Revoke, Some((RevocationScope::User, COMPROMISED)));
    }
    for rule in policy.rules.iter().filter(|rule| holds(rule, scored, seen, standpoint, is_asked)) {
        rules.push(RuleHit {
            id: &rule.id,
            action: rule.action.unwrap_or(Action::Allow),
            report_only: rule.report_only,
        });
        if rule.report_only {
            continue;
        }
        alert |= rule.alert;
        action = action.max(rule.action.unwrap_or(Action::Allow));
        if rule.action == Some(Action::Revoke)
            && revoke.is_none_or(|(scope, _)| width(rule.scope) > width(scope))
        {
            revoke = Some((rule.scope, rule.id.as_str()));
        }
    }

    let decided = Decided { required, missing, action, would: None, rules, alert, revoke };
    match policy.mode {
        Mode::Enforce => decided,
        Mode::ReportOnly => decided.on_trial(),
    }
}

/// Whether something can be asked of the user: the event is an access that was given, or one that
/// changes what gives access.
fn is_asked(event: &Event<'_>) -> bool {
    match &event.body {
        Body::Login { outcome, .. } | Body::Access { outcome } => *outcome == Outcome::Success,
        Body::Session { change, .. } => *change != SessionChange::End,
        Body::Credential { .. } => true,
        Body::Challenge { .. } | Body::Behavior(_) | Body::Feedback { .. } => false,
    }
}

/// A missing password alone asks for nothing: inside a session nobody types it again.
pub(crate) fn demand(missing: Factors) -> Action {
    if missing.has(Factor::Biometric) || missing.has(Factor::HardwareKey) {
        Action::StepUp
    } else if missing.has(Factor::Totp) {
        Action::Challenge
    } else {
        Action::Allow
    }
}

/// Whether `rule` holds. One that asks something does not where nothing can be asked.
fn holds(
    rule: &Rule,
    scored: &Scored<'_>,
    seen: &Observation<'_>,
    standpoint: Standpoint,
    is_asked: bool,
) -> bool {
    let asks = matches!(rule.action, Some(Action::Challenge | Action::StepUp | Action::Deny));
    let outcome = Some(policy::Outcome {
        history: standpoint.history,
        user_risk: standpoint.user_risk,
        presented: standpoint.presented,
        risk_score: scored.risk_score,
        level: scored.level,
        reasons: &scored.reasons,
        on_trial: rule.report_only,
    });
    (is_asked || !asks) && rule.when.holds(Occasion { seen, outcome })
}

/// How much a revocation ends: a token family is what one login gave, all its sessions included.
const fn width(scope: RevocationScope) -> u8 {
    match scope {
        RevocationScope::Session => 0,
        RevocationScope::TokenFamily => 1,
        RevocationScope::User => 2,
    }
}

/// What stands as the cause of a revocation that a person asked for.
const COMPROMISED: &str = "compromised";

#[cfg(test)]
mod tests;
