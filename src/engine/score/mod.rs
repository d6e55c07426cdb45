//! Score: findings to a sum. One cause counts once: a group's points are its strongest finding's.
//!
//! A finding counts from [`Severity::COUNTS`] up, unless its signal is report-only or an exception
//! silences it. Severity never scales points. A signal that the policy gives no points shows itself
//! only when it found something.

use crate::engine::policy::{Exception, Occasion, Policy};
use crate::engine::signals::Findings;
use crate::model::Level;
use crate::model::decision::Reason;
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Severity, Signal};

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

pub fn score<'p>(findings: &Findings, seen: &Observation<'_>, policy: &'p Policy) -> Scored<'p> {
    let holding = holding(seen, policy);
    let (mut reasons, mut unknown, mut exceptions) = (Vec::new(), Vec::new(), Vec::new());
    // Points of the signals that apply, and of those among them that could speak.
    let (mut apply, mut speak) = (0_u32, 0_u32);

    for (signal, finding) in Signal::ALL.iter().copied().zip(&findings.0) {
        let setting = policy.setting(signal);
        let counted = u32::from(setting.counted());
        match *finding {
            Finding::NotApplicable => {}
            Finding::Quiet => {
                apply += counted;
                speak += counted;
            }
            Finding::Unknown(_) => {
                apply += counted;
                if setting.points > 0 {
                    unknown.push(signal);
                }
            }
            Finding::Found { severity, centibans, evidence } => {
                apply += counted;
                speak += counted;
                let before = exceptions.len();
                exceptions.extend(
                    holding.iter().filter(|one| one.silence.contains(&signal)).map(|one| one.id.as_str()),
                );
                if exceptions.len() > before {
                    continue;
                }
                reasons.push(Reason {
                    signal,
                    group: policy.group_of(signal),
                    points: if severity >= Severity::COUNTS { setting.counted() } else { 0 },
                    severity,
                    centibans,
                    evidence,
                    report_only: setting.report_only,
                });
            }
        }
    }
    exceptions.sort_unstable();
    exceptions.dedup();

    let sum = count_each_cause_once(&mut reasons);
    Scored {
        sum,
        risk_score: u8::try_from(sum.min(100)).unwrap_or(100),
        level: policy.level(sum),
        confidence_permille: u16::try_from((speak * 1000).checked_div(apply).unwrap_or(1000)).unwrap_or(1000),
        unknown,
        reasons,
        exceptions,
    }
}

/// The exceptions that hold for this event at its own time.
fn holding<'p>(seen: &Observation<'_>, policy: &'p Policy) -> Vec<&'p Exception> {
    let occasion = Occasion { seen, outcome: None };
    let holds = |one: &Exception| seen.event.occurred_at < one.expires && one.when.holds(occasion);
    policy.exceptions.iter().filter(|one| holds(one)).collect()
}

/// Leaves points to the strongest of each group, adds them up, and puts the strongest first.
fn count_each_cause_once(reasons: &mut [Reason<'_>]) -> u16 {
    sort(reasons);
    let mut sum = 0;
    let mut rest = &mut *reasons;
    while let Some((first, others)) = rest.split_first_mut() {
        if first.points > 0 {
            sum += u16::from(first.points);
            others.iter_mut().filter(|other| other.group == first.group).for_each(|other| other.points = 0);
        }
        rest = others;
    }
    sort(reasons);
    sum
}

/// What counts, what would count if it were not on trial, what is severe; then as the contract
/// lists signals.
fn sort(reasons: &mut [Reason<'_>]) {
    let weight = |reason: &Reason<'_>| (reason.points, !reason.report_only, reason.severity);
    reasons.sort_by(|a, b| weight(b).cmp(&weight(a)).then(a.signal.cmp(&b.signal)));
}

#[cfg(test)]
pub(crate) mod tests;
