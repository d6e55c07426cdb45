//! Alerts: one open case a user. What follows within an hour of event time updates it.

use std::time::Duration;

use super::{Outcomes, Stage, borrow};
use crate::engine::baseline::Core;
use crate::engine::baseline::marks::Case;
use crate::model::decision::{Alert, UserRisk};
use crate::model::event::Body;
use crate::model::id::{Id128, digest};
use crate::model::{Action, AlertKind, Level, Verdict};

pub(super) fn alert<'a>(
    core: &mut Core,
    stage: &Stage<'a>,
    outcome: &Outcomes<'_, 'a>,
    user_risk: UserRisk,
    used_after_revocation: bool,
) -> Option<Alert<'a>> {
    let (event, at) = (&stage.seen.event, stage.second());
    let open = core.case.filter(|case| at.since_or_zero(case.last) <= OPEN_FOR);
    let due = (stage.asked && outcome.decided.action >= Action::StepUp)
        || outcome.decided.alert
        || used_after_revocation;
    let settled = matches!(event.body, Body::Feedback { verdict: Verdict::Safe | Verdict::Dismissed, .. });
    let kind = match open {
        Some(_) if settled => AlertKind::Closed,
        Some(_) if due => AlertKind::Updated,
        None if due => AlertKind::Opened,
        _ if user_risk.level != user_risk.previous => AlertKind::RiskLevel,
        _ => return None,
    };
    let case = open.map_or_else(
        || Case { id: alert_id(outcome.decision_id), opened: at, last: at, update: 0 },
        |case| Case { last: at.max(case.last), update: case.update.saturating_add(1), ..case },
    );
    // A fall of the user's risk tells of an end; it opens nothing.
    let opens = due || user_risk.level > user_risk.previous;
    core.case = match (open, kind) {
        (_, AlertKind::Closed) => None,
        (None, _) if !opens => None,
        _ => Some(case),
    };
    let cause = match () {
        () if used_after_revocation => Some("used_after_revocation"),
        () if user_risk.level == Level::Low && user_risk.previous > Level::Low => Some("risk_lowered"),
        () => None,
    };
    Some(Alert {
        alert_id: case.id,
        kind,
        update: case.update,
        tenant: borrow(&event.tenant),
        user_id: borrow(&event.user),
        session_id: event.session_id.as_ref().map(borrow),
        opened_at: case.opened,
        occurred_at: event.occurred_at,
        decision_id: outcome.decision_id,
        event_id: borrow(&event.id),
        risk_score: outcome.scored.risk_score,
        risk_level: outcome.scored.level,
        action: outcome.decided.action,
        user_risk,
        cause,
        reasons: outcome.scored.reasons.clone(),
        event_type: event.kind(),
        source: event.source.as_ref().map(borrow),
        ip_address: event.ip_address,
        facts: stage.seen.facts,
    })
}

fn alert_id(decision: Id128) -> Id128 {
    digest("alert", &[&decision.0]).into()
}

/// A burst is one case.
const OPEN_FOR: Duration = Duration::from_secs(3600);
