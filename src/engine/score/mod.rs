//! Score: findings to a sum. One cause counts once: a group's points are its strongest finding's.

use crate::engine::policy::Policy;
use crate::engine::signals::Findings;
use crate::model::Level;
use crate::model::decision::Reason;
use crate::model::observation::Observation;
use crate::model::signal::Signal;

/// The sum, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored<'p> {
    /// Over groups, not capped; the level is of this.
    pub sum: u16,
    /// `min(sum, 100)`.
    pub risk_score: u8,
    pub level: Level,
    pub confidence_permille: u16,
    pub unknown: Vec<Signal>,
    pub reasons: Vec<Reason<'p>>,
    /// Ids of the exceptions that silenced something.
    pub exceptions: Vec<&'p str>,
}

pub fn score<'p>(_findings: Findings, _seen: &Observation<'_>, policy: &'p Policy) -> Scored<'p> {
    Scored {
        sum: 0,
        risk_score: 0,
        level: policy.level(0),
        confidence_permille: 1000,
        unknown: Vec::new(),
        reasons: Vec::new(),
        exceptions: Vec::new(),
    }
}
