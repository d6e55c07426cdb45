//! Explain: a decision in words and numbers, both sides of every comparison.
//!
//! Most of it stands in the decision itself. What it does not say (usual places, devices, hours, what
//! each silent signal measured) comes of the profile as it was before the event: a [`Context`]. Without
//! one an [`Explanation`] says what it does not show.
//!
//! One shape for all: [`Explanation`] is the JSON, [`render()`] the text for a terminal of 80 columns.

mod because;
pub mod known;
mod paper;
mod portrait;
mod render;
mod silent;
mod town;
mod without;

pub use because::{Because, Sides};
pub use known::Known;
pub use paper::Ink;
pub use portrait::portrait;
pub use render::{brief, render};
pub use silent::{Silent, State};
pub use without::Without;

use serde::Serialize;

use crate::engine::baseline::Profile;
use crate::engine::emit::Stored;
use crate::engine::policy::Policy;
use crate::engine::signals::{Measure, measure};
use crate::engine::step::{Setting, look};
use crate::model::observation::Observation;
use crate::model::place::Coordinates;
use crate::model::signal::{Finding, Signal};
use crate::model::{Factor, Level};

/// What the decision does not say: of the profile before the event.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    known: Known,
    presented: Vec<Factor>,
    silent: Vec<Silent>,
    measures: Vec<(Signal, Measure)>,
    without: Vec<Without>,
}

impl Context {
    /// Looks at `seen` as a step would. `profile` holds all its parts. `None` for a repeat.
    #[must_use]
    pub fn of<'a>(profile: Profile, seen: &'a Observation<'a>, setting: &Setting<'a>) -> Option<Self> {
        let looked = look(profile, seen, setting)?;
        let found = |signal: &&Signal| matches!(looked.findings.of(**signal), Finding::Found { .. });
        let measured =
            |signal: &Signal| Some((*signal, measure(*signal, seen, &looked.profile, looked.policy)?));
        Some(Self {
            known: Known::of(&looked.profile, Some(seen)),
            presented: looked.standpoint.presented.iter().collect(),
            silent: silent::of_findings(&looked, seen),
            measures: Signal::ALL.iter().filter(found).filter_map(measured).collect(),
            without: without::exactly(&looked, seen),
        })
    }
}

/// A decision, explained.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation<'a> {
    pub decision_id: &'a str,
    pub event_id: &'a str,
    pub tenant: &'a str,
    pub user_id: &'a str,
    pub session_id: Option<&'a str>,
    pub occurred_at: String,
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub risk_score: i64,
    pub risk_level: &'a str,
    pub action: &'a str,
    pub would: Option<&'a str>,
    pub mode: &'a str,
    pub required_auth_factors: Vec<&'a str>,
    pub missing_auth_factors: Vec<&'a str>,
    /// By the event, its session's login and its challenges; known with the profile only.
    pub presented_auth_factors: Option<Vec<Factor>>,
    pub confidence: f64,
    pub history: &'a str,
    pub learned: &'a str,
    pub user_risk: Risk<'a>,
    pub at: At<'a>,
    /// Points of all reasons: the score before it is capped at 100.
    pub sum: i64,
    pub reasons: Vec<Because<'a>>,
    pub levels: Option<Levels>,
    pub without: Vec<Without>,
    pub silent: Vec<Silent>,
    pub rules: Vec<Rule<'a>>,
    pub exceptions: Vec<&'a str>,
    pub shadow: Vec<Shadow<'a>>,
    /// What was known before the event.
    pub before: Option<Known>,
    pub basis: Basis<'a>,
    /// What cannot be shown, and what it takes.
    pub not_shown: Vec<String>,
}

/// The user's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Risk<'a> {
    pub level: &'a str,
    pub previous: &'a str,
}

/// Where the event is, by what was looked up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct At<'a> {
    pub near: Option<&'static str>,
    pub country: Option<&'a str>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub radius_km: Option<i64>,
    pub asn: Option<i64>,
    pub network_class: Option<&'a str>,
    pub browser: Option<&'a str>,
    pub os: Option<&'a str>,
    pub device: Option<&'a str>,
}

/// Where the levels begin, and how far the sum is from the next ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Levels {
    pub medium: u16,
    pub high: u16,
    /// Points that were missing to the next level.
    pub up: Option<Distance>,
    /// Points fewer that would have been the level below.
    pub down: Option<Distance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Distance {
    pub level: Level,
    pub points: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule<'a> {
    pub id: &'a str,
    pub action: &'a str,
    pub report_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shadow<'a> {
    pub by: &'a str,
    pub risk_score: i64,
    pub risk_level: &'a str,
    pub action: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Basis<'a> {
    pub policy: &'a str,
    /// Of the policy, where it is at hand.
    pub policy_name: Option<&'a str>,
    pub engine: &'a str,
}

impl<'a> Explanation<'a> {
    /// Explains `decision`. `policy` is the one that decided, if it is at hand.
    #[must_use]
    pub fn of(decision: &'a Stored<'a>, policy: Option<&'a Policy>, context: Option<Context>) -> Self {
        let name = policy.map(|policy| policy.name.as_str());
        let policy = policy.map(|policy| policy.of_tenant(&decision.tenant));
        let mut not_shown = Vec::new();
        if context.is_none() {
            not_shown.push(
                "usual places, devices, networks and hours, and what the quiet signals measured: \
                 name the events that it was made of with --events"
                    .to_owned(),
            );
        }
        if policy.is_none() {
            not_shown.push(format!(
                "where the levels begin, and what would have lowered the score: the policy {} is not at hand; \
                 name its file with --policy",
                decision.basis.policy
            ));
        }
        let sum = decision.reasons.iter().fold(0, |sum: i64, reason| sum.saturating_add(reason.points));
        let (known, presented, silent, measures, without) = match context {
            Some(it) => (Some(it.known), Some(it.presented), it.silent, it.measures, it.without),
            None => (
                None,
                None,
                silent::of_record(decision, policy),
                Vec::new(),
                policy.map(|policy| without::recorded(decision, policy)).unwrap_or_default(),
            ),
        };
        Self {
            decision_id: &decision.decision_id,
            event_id: &decision.event_id,
            tenant: &decision.tenant,
            user_id: &decision.user_id,
            session_id: decision.session_id.as_deref(),
            occurred_at: decision.occurred_at.to_string(),
            kind: &decision.kind,
            risk_score: decision.risk_score,
            risk_level: &decision.risk_level,
            action: &decision.action,
            would: decision.would.as_deref(),
            mode: &decision.mode,
            required_auth_factors: decision.required_auth_factors.iter().map(AsRef::as_ref).collect(),
            missing_auth_factors: decision.missing_auth_factors.iter().map(AsRef::as_ref).collect(),
            presented_auth_factors: presented,
            confidence: decision.confidence,
            history: &decision.history,
            learned: &decision.learned,
            user_risk: Risk { level: &decision.user_risk.level, previous: &decision.user_risk.previous },
            at: at(decision),
            sum,
            reasons: because::all(decision, &measures),
            levels: policy.map(|policy| Levels::of(sum, policy)),
            without,
            silent,
            rules: decision
                .rules
                .iter()
                .map(|rule| Rule { id: &rule.id, action: &rule.action, report_only: rule.report_only })
                .collect(),
            exceptions: decision.exceptions.iter().map(AsRef::as_ref).collect(),
            shadow: decision
                .shadow
                .iter()
                .map(|it| Shadow {
                    by: &it.by,
                    risk_score: it.risk_score,
                    risk_level: &it.risk_level,
                    action: &it.action,
                })
                .collect(),
            before: known,
            basis: Basis {
                policy: &decision.basis.policy,
                policy_name: name,
                engine: &decision.basis.engine,
            },
            not_shown,
        }
    }

    /// Whether there is nothing to tell but that nothing is unusual.
    #[must_use]
    pub fn is_uneventful(&self) -> bool {
        self.action == "allow"
            && self.would.is_none_or(|would| would == "allow")
            && self.reasons.is_empty()
            && self.rules.iter().all(|rule| rule.report_only)
            && self.exceptions.is_empty()
            && self.shadow.iter().all(|shadow| shadow.action == "allow")
            && self.user_risk.level == self.user_risk.previous
    }
}

impl Levels {
    fn of(sum: i64, policy: &Policy) -> Self {
        let (medium, high) = (i64::from(policy.medium), i64::from(policy.high));
        let (up, down) = if sum >= high {
            (None, Some((if high > medium { Level::Medium } else { Level::Low }, sum - high + 1)))
        } else if sum >= medium {
            (Some((Level::High, high - sum)), Some((Level::Low, sum - medium + 1)))
        } else {
            (Some((Level::Medium, medium - sum)), None)
        };
        let distance = |(level, points)| Distance { level, points };
        Self { medium: policy.medium, high: policy.high, up: up.map(distance), down: down.map(distance) }
    }
}

fn at<'a>(decision: &'a Stored<'a>) -> At<'a> {
    let facts = &decision.facts;
    let point = facts.latitude.zip(facts.longitude).zip(facts.radius_km).and_then(
        |((latitude, longitude), radius)| Coordinates::new(latitude, longitude, u16::try_from(radius).ok()?),
    );
    At {
        near: point.filter(|at| at.is_point()).and_then(town::near),
        country: facts.country.as_deref(),
        latitude: facts.latitude,
        longitude: facts.longitude,
        radius_km: facts.radius_km,
        asn: facts.asn,
        network_class: facts.network_class.as_deref(),
        browser: facts.browser.as_deref(),
        os: facts.os.as_deref(),
        device: facts.device.as_deref(),
    }
}

#[cfg(test)]
mod tests;
