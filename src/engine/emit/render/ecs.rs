//! ECS 8.11: an alert as `event.kind: alert`, a login as an event of the category `authentication`.

use serde_json::{Value, json};

use super::super::stored::{Stored, StoredFacts};
use super::record::{Rendered, StoredAlert, capital};
use super::{attack, object, once, reason};
use crate::model::Outcome;
use crate::model::event::{Body, Event};

pub(super) fn render(record: &Rendered<'_>) -> Option<Value> {
    match record {
        Rendered::Alert(alert) => Some(alarm(alert)),
        Rendered::Decision(decision) => (decision.kind == "login").then(|| decided(decision)),
        Rendered::Event(event) => login(event),
    }
}

fn alarm(alert: &StoredAlert<'_>) -> Value {
    let (category, action) = match (alert.event_type.as_deref(), alert.kind.as_ref()) {
        (Some("session"), kind) => ("session", kind),
        (Some("credential"), kind) => ("iam", kind),
        (_, kind) => ("authentication", kind),
    };
    let title = alert.title();
    let said = alert.sentence();
    let techniques: Vec<_> = alert.reasons.iter().filter_map(|one| attack::technique(&one.signal)).collect();
    let sub = || techniques.iter().filter_map(|technique| technique.sub);
    let threat = object([
        ("framework", if techniques.is_empty() { Value::Null } else { "MITRE ATT&CK".into() }),
        (
            "technique",
            object([
                ("id", once(techniques.iter().map(|technique| technique.id))),
                ("name", once(techniques.iter().map(|technique| technique.name))),
                (
                    "subtechnique",
                    object([
                        ("id", once(sub().map(|(id, _)| id))),
                        ("name", once(sub().map(|(_, name)| name))),
                    ]),
                ),
            ]),
        ),
    ]);
    let rule = alert.reasons.first().map(|strongest| {
        object([
            ("id", json!(strongest.signal)),
            ("name", json!(strongest.signal)),
            ("category", json!(strongest.group)),
            ("description", json!(strongest.text)),
            ("ruleset", "wardstream".into()),
        ])
    });
    let severity = match (alert.is_over(), alert.is_critical(), alert.level()) {
        (true, ..) => 0,
        (_, true, _) => 99,
        (.., "high") => 73,
        (.., "medium") => 47,
        _ => 21,
    };
    object([
        ("@timestamp", alert.occurred_at.to_string().into()),
        ("ecs", json!({ "version": VERSION })),
        ("message", (if said.is_empty() { title } else { format!("{title}: {said}") }).into()),
        (
            "event",
            object([
                ("kind", "alert".into()),
                ("category", json!([category])),
                ("type", json!(["info"])),
                ("id", format!("{}/{}", alert.alert_id, alert.update).into()),
                ("action", format!("alert-{action}").into()),
                ("module", "wardstream".into()),
                ("dataset", "wardstream.alerts".into()),
                ("provider", json!(alert.source)),
                ("reason", said.into()),
                ("severity", severity.into()),
                ("risk_score", alert.risk_score.into()),
                ("risk_score_norm", alert.risk_score.into()),
                ("start", alert.opened_at.to_string().into()),
            ]),
        ),
        ("user", user(&alert.user_id, Some(&alert.user_risk.level))),
        ("organization", json!({ "id": alert.tenant })),
        ("observer", observer()),
        ("source", source(alert.ip_address.as_deref(), alert.facts.as_ref())),
        ("user_agent", agent(alert.facts.as_ref(), None)),
        ("related", related(&alert.user_id, alert.ip_address.as_deref())),
        ("rule", json!(rule)),
        ("threat", threat),
        ("tags", once(alert.cause.as_deref())),
        (
            "wardstream",
            object([
                ("alert_id", json!(alert.alert_id)),
                ("kind", json!(alert.kind)),
                ("update", alert.update.into()),
                ("decision_id", json!(alert.decision_id)),
                ("event_id", json!(alert.event_id)),
                ("event_type", json!(alert.event_type)),
                ("session_id", json!(alert.session_id)),
                ("risk_level", json!(alert.risk_level)),
                ("action", json!(alert.action)),
                (
                    "user_risk",
                    json!({ "level": alert.user_risk.level, "previous": alert.user_risk.previous }),
                ),
                ("reasons", alert.reasons.iter().map(reason).collect()),
            ]),
        ),
    ])
}

fn decided(decision: &Stored<'_>) -> Value {
    let said: Vec<_> = decision.reasons.iter().map(|one| one.text.as_ref()).collect();
    object([
        ("@timestamp", decision.occurred_at.to_string().into()),
        ("ecs", json!({ "version": VERSION })),
        ("message", format!("Login of {}/{}: {}", decision.tenant, decision.user_id, decision.action).into()),
        (
            "event",
            object([
                ("kind", "event".into()),
                ("category", json!(["authentication"])),
                ("type", json!(["info"])),
                // A decision does not say whether the password was right; the event does.
                ("outcome", "unknown".into()),
                ("id", json!(decision.event_id)),
                ("action", "login-decided".into()),
                ("module", "wardstream".into()),
                ("dataset", "wardstream.decisions".into()),
                ("reason", said.join("; ").into()),
                ("risk_score", decision.risk_score.into()),
                ("risk_score_norm", decision.risk_score.into()),
            ]),
        ),
        ("user", user(&decision.user_id, Some(&decision.user_risk.level))),
        ("organization", json!({ "id": decision.tenant })),
        ("observer", observer()),
        ("source", source(None, Some(&decision.facts))),
        ("user_agent", agent(Some(&decision.facts), None)),
        ("related", related(&decision.user_id, None)),
        (
            "wardstream",
            object([
                ("decision_id", json!(decision.decision_id)),
                ("session_id", json!(decision.session_id)),
                ("risk_level", json!(decision.risk_level)),
                ("action", json!(decision.action)),
                ("would", json!(decision.would)),
                ("missing_auth_factors", json!(decision.missing_auth_factors)),
                ("confidence", json!(decision.confidence)),
                ("reasons", decision.reasons.iter().map(reason).collect()),
            ]),
        ),
    ])
}

fn login(event: &Event<'_>) -> Option<Value> {
    let Body::Login { outcome, failure_reason, factors } = &event.body else { return None };
    let ended = match outcome {
        Outcome::Success => "success",
        Outcome::Failure | Outcome::Blocked => "failure",
        Outcome::Other => "unknown",
    };
    let address = event.ip_address.map(|address| address.to_string());
    let factors: Vec<_> = factors.iter().map(|factor| factor.name()).collect();
    Some(object([
        ("@timestamp", event.occurred_at.to_string().into()),
        ("ecs", json!({ "version": VERSION })),
        ("message", format!("Login of {}/{}: {}", event.tenant, event.user, outcome.name()).into()),
        (
            "event",
            object([
                ("kind", "event".into()),
                ("category", json!(["authentication"])),
                ("type", json!(["start"])),
                ("outcome", ended.into()),
                ("id", json!(event.id)),
                ("action", "login".into()),
                ("module", "wardstream".into()),
                ("dataset", "wardstream.events".into()),
                ("provider", json!(event.source)),
                ("reason", json!(failure_reason.map(|reason| reason.name()))),
            ]),
        ),
        ("user", user(&event.user, None)),
        ("organization", json!({ "id": event.tenant })),
        ("service", object([("name", json!(event.app))])),
        ("observer", observer()),
        ("source", source(address.as_deref(), None)),
        ("user_agent", agent(None, event.user_agent.as_deref())),
        ("related", related(&event.user, address.as_deref())),
        (
            "wardstream",
            object([
                ("session_id", json!(event.session_id)),
                ("device_fingerprint", json!(event.device_fingerprint)),
                ("factors", factors.into()),
                ("groups", json!(event.groups)),
            ]),
        ),
    ]))
}

fn user(user_id: &str, risk: Option<&str>) -> Value {
    let risk = object([("calculated_level", json!(risk.map(capital)))]);
    object([("id", user_id.into()), ("name", user_id.into()), ("risk", risk)])
}

fn observer() -> Value {
    json!({ "vendor": "Wardstream", "product": "Wardstream", "type": "identity-risk", "version": crate::engine::REVISION })
}

fn source(address: Option<&str>, facts: Option<&StoredFacts<'_>>) -> Value {
    let at = facts.and_then(|facts| facts.latitude.zip(facts.longitude));
    object([
        ("ip", json!(address)),
        ("address", json!(address)),
        ("as", object([("number", json!(facts.and_then(|facts| facts.asn)))])),
        (
            "geo",
            object([
                ("country_iso_code", json!(facts.and_then(|facts| facts.country.as_deref()))),
                ("location", json!(at.map(|(lat, lon)| json!({ "lat": lat, "lon": lon })))),
            ]),
        ),
    ])
}

fn agent(facts: Option<&StoredFacts<'_>>, original: Option<&str>) -> Value {
    object([
        ("original", json!(original)),
        ("name", json!(facts.and_then(|facts| facts.browser.as_deref()))),
        ("os", object([("name", json!(facts.and_then(|facts| facts.os.as_deref())))])),
        ("device", object([("name", json!(facts.and_then(|facts| facts.device.as_deref())))])),
    ])
}

fn related(user_id: &str, address: Option<&str>) -> Value {
    object([("user", json!([user_id])), ("ip", once(address))])
}

const VERSION: &str = "8.11.0";
