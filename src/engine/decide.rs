//! Decide: score to required factors, missing factors and an action; rules on top.

use crate::engine::policy::Policy;
use crate::engine::score::Scored;
use crate::model::decision::RuleHit;
use crate::model::observation::Observation;
use crate::model::{Action, Factors, History, Level, RevocationScope};

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
}

pub fn decide<'p>(
    scored: &Scored<'p>,
    _seen: &Observation<'_>,
    _standpoint: Standpoint,
    policy: &'p Policy,
) -> Decided<'p> {
    Decided {
        required: policy.factors.get(usize::from(scored.level.code())).copied().unwrap_or_default(),
        missing: Factors::NONE,
        action: Action::Allow,
        would: None,
        rules: Vec::new(),
        alert: false,
        revoke: None,
    }
}
