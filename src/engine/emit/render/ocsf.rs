//! OCSF 1.5.0: an alert as a Detection Finding (2004), a login as Authentication (3002).
//!
//! Both carry the profile `security_control`: what was done about it. One finding a case: the same
//! `finding_info.uid`, created, updated and closed; `metadata.uid` is the record's own.

use serde_json::{Value, json};

use super::super::stored::{Stored, StoredFacts};
use super::record::{Rendered, StoredAlert};
use super::{attack, object, once, reason};
use crate::model::event::{Body, Event};
use crate::model::time::Timestamp;
use crate::model::{Factor, Outcome};

pub(super) fn render(record: &Rendered<'_>) -> Option<Value> {
    match record {
        Rendered::Alert(alert) => Some(finding(alert)),
        Rendered::Decision(decision) => (decision.kind == "login").then(|| decided(decision)),
        Rendered::Event(event) => login(event),
    }
}

/// Number and caption of a word of a closed set.
type Said = (u8, &'static str);

fn finding(alert: &StoredAlert<'_>) -> Value {
    let (activity, status): (Said, Said) = match (alert.is_over(), alert.update) {
        (true, _) if alert.kind == "closed" => ((3, "Close"), (4, "Resolved")),
        (true, _) => ((2, "Update"), (4, "Resolved")),
        (false, 0) => ((1, "Create"), (1, "New")),
        (false, _) => ((2, "Update"), (2, "In Progress")),
    };
    let severity = match (alert.is_over(), alert.is_critical()) {
        (true, _) => (1, "Informational"),
        (false, true) => (5, "Critical"),
        (false, false) => severity(alert.level()),
    };
    let title = alert.title();
    let said = alert.sentence();
    let user = user(&alert.tenant, &alert.user_id, Some(&alert.user_risk.level));
    let session = object([("uid", json!(alert.session_id))]);
    let facts = alert.facts.as_ref();
    let endpoint = endpoint(alert.ip_address.as_deref(), facts, None);
    let seen = object([
        ("uid", json!(alert.event_id)),
        ("name", json!(alert.event_type)),
        ("user", user.clone()),
        ("actor", object([("user", user.clone()), ("session", session)])),
        ("src_endpoint", endpoint),
    ]);
    let found = alert
        .reasons
        .iter()
        .map(|one| object([("name", json!(one.signal)), ("user", user.clone()), ("data", reason(one))]));
    let attacks = alert.reasons.iter().filter_map(|one| attack::technique(&one.signal));
    let mut attacks: Vec<_> = attacks
        .map(|technique| {
            let named = |(id, name): (&str, &str)| json!({ "uid": id, "name": name });
            object([
                ("technique", named((technique.id, technique.name))),
                ("sub_technique", technique.sub.map_or(Value::Null, named)),
            ])
        })
        .collect();
    attacks.dedup();
    let info = object([
        ("uid", json!(alert.alert_id)),
        ("title", title.as_str().into()),
        ("desc", said.as_str().into()),
        ("types", once(alert.reasons.iter().map(|one| one.signal.as_ref()))),
        ("created_time", millis(alert.opened_at)),
        ("modified_time", millis(alert.occurred_at)),
        ("first_seen_time", millis(alert.opened_at)),
        ("last_seen_time", millis(alert.occurred_at)),
        ("analytic", analytic("wardstream", None)),
        (
            "related_analytics",
            alert.reasons.iter().map(|one| analytic(&one.signal, Some(&one.text))).collect(),
        ),
        (
            "related_events",
            json!([object([("uid", json!(alert.event_id)), ("type", json!(alert.event_type))])]),
        ),
        ("data_sources", once(alert.source.as_deref())),
        ("attacks", attacks.into()),
    ]);
    let record = format!("{}/{}", alert.alert_id, alert.update);
    let rest = object([
        ("kind", json!(alert.kind)),
        ("update", alert.update.into()),
        ("action", json!(alert.action)),
        ("decision_id", json!(alert.decision_id)),
        ("user_risk", json!({ "level": alert.user_risk.level, "previous": alert.user_risk.previous })),
        ("facts", facts.map_or(Value::Null, looked_up)),
    ]);
    let mut rendered = object([
        ("category_uid", 2.into()),
        ("category_name", "Findings".into()),
        ("class_uid", 2004.into()),
        ("class_name", "Detection Finding".into()),
        ("activity_id", activity.0.into()),
        ("activity_name", activity.1.into()),
        ("type_uid", (200_400 + u32::from(activity.0)).into()),
        ("type_name", format!("Detection Finding: {}", activity.1).into()),
        ("time", millis(alert.occurred_at)),
        ("start_time", millis(alert.opened_at)),
        ("end_time", millis(alert.occurred_at)),
        ("severity_id", severity.0.into()),
        ("severity", severity.1.into()),
        ("status_id", status.0.into()),
        ("status", status.1.into()),
        ("status_detail", json!(alert.cause)),
        ("message", message(&title, &said).into()),
        (
            "metadata",
            metadata("risk.alerts", &record, Some(&alert.alert_id), &alert.tenant, alert.occurred_at),
        ),
        ("is_alert", true.into()),
        ("finding_info", info),
        ("evidences", std::iter::once(seen).chain(found).collect()),
        ("observables", observables(alert)),
        ("unmapped", object([("wardstream", rest)])),
    ]);
    extend(&mut rendered, ruled(alert.risk_score, &alert.risk_level, &alert.action));
    rendered
}

/// What an analyst pivots on, and where it stands.
fn observables(alert: &StoredAlert<'_>) -> Value {
    let one = |name: &str, (id, kind): Said, value: Option<&str>| {
        value.map(|value| json!({ "name": name, "type_id": id, "type": kind, "value": value }))
    };
    let country = alert.facts.as_ref().and_then(|facts| facts.country.as_deref());
    [
        one("evidences.user.uid", (31, "User Object: uid"), Some(&alert.user_id)),
        one("evidences.src_endpoint.ip", (2, "IP Address"), alert.ip_address.as_deref()),
        one("evidences.src_endpoint.location.country", (14, "Country"), country),
        one("evidences.actor.session.uid", (99, "Session"), alert.session_id.as_deref()),
        one("finding_info.related_events.uid", (99, "Event"), Some(&alert.event_id)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn decided(decision: &Stored<'_>) -> Value {
    let severity = match decision.risk_level.as_ref() {
        "low" => (1, "Informational"),
        level => severity(level),
    };
    let said: Vec<_> = decision.reasons.iter().map(|one| one.text.as_ref()).collect();
    let Stored { tenant, user_id, .. } = decision;
    let title = format!("Login of {tenant}/{user_id}: {}", decision.action);
    let rest = object([
        ("decision_id", json!(decision.decision_id)),
        ("action", json!(decision.action)),
        ("would", json!(decision.would)),
        ("missing_auth_factors", json!(decision.missing_auth_factors)),
        ("confidence", json!(decision.confidence)),
        ("reasons", decision.reasons.iter().map(reason).collect()),
        ("facts", looked_up(&decision.facts)),
    ]);
    let mut rendered = logon(
        // A decision does not say whether the password was right; the event does.
        (0, "Unknown"),
        severity,
        (tenant, user_id, Some(&decision.user_risk.level)),
        ("risk.decisions", &decision.event_id, decision.occurred_at),
    );
    let more = object([
        ("message", message(&title, &said.join("; ")).into()),
        ("service", json!({ "name": "wardstream" })),
        ("session", object([("uid", json!(decision.session_id))])),
        ("unmapped", object([("wardstream", rest)])),
    ]);
    extend(&mut rendered, more);
    extend(&mut rendered, ruled(decision.risk_score, &decision.risk_level, &decision.action));
    rendered
}

fn login(event: &Event<'_>) -> Option<Value> {
    let Body::Login { outcome, failure_reason, factors } = &event.body else { return None };
    let status = match outcome {
        Outcome::Success => (1, "Success"),
        Outcome::Failure | Outcome::Blocked => (2, "Failure"),
        Outcome::Other => (0, "Unknown"),
    };
    let groups = event.groups.iter().map(|name| json!({ "name": name })).collect();
    let mut rendered = logon(
        status,
        (1, "Informational"),
        (&event.tenant, &event.user, None),
        (event.source.as_deref().unwrap_or("identity.events"), &event.id, event.occurred_at),
    );
    if let Some(Value::Object(user)) = rendered.get_mut("user")
        && !event.groups.is_empty()
    {
        user.insert("groups".into(), groups);
    }
    let address = event.ip_address.map(|address| address.to_string());
    let service = event.app.as_deref().or(event.source.as_deref()).unwrap_or("unknown");
    let blocked = (*outcome == Outcome::Blocked).then_some("blocked");
    let more = object([
        ("status_code", json!(failure_reason.map(|reason| reason.name()))),
        ("status_detail", json!(blocked)),
        ("message", format!("Login of {}/{}: {}", event.tenant, event.user, outcome.name()).into()),
        ("service", json!({ "name": service })),
        ("session", object([("uid", json!(event.session_id))])),
        ("is_mfa", (factors.bits().count_ones() > 1).into()),
        ("auth_factors", factors.iter().map(factor).collect()),
        ("src_endpoint", endpoint(address.as_deref(), None, event.device_fingerprint.as_deref())),
        ("http_request", object([("user_agent", json!(event.user_agent))])),
    ]);
    extend(&mut rendered, more);
    Some(rendered)
}

/// What every Authentication has: how it ended, how bad, whose, and where it was written down.
fn logon(
    status: Said,
    severity: Said,
    (tenant, user_id, risk): (&str, &str, Option<&str>),
    (log, id, at): (&str, &str, Timestamp),
) -> Value {
    object([
        ("category_uid", 3.into()),
        ("category_name", "Identity & Access Management".into()),
        ("class_uid", 3002.into()),
        ("class_name", "Authentication".into()),
        ("activity_id", 1.into()),
        ("activity_name", "Logon".into()),
        ("type_uid", 300_201.into()),
        ("type_name", "Authentication: Logon".into()),
        ("time", millis(at)),
        ("severity_id", severity.0.into()),
        ("severity", severity.1.into()),
        ("status_id", status.0.into()),
        ("status", status.1.into()),
        ("metadata", metadata(log, id, None, tenant, at)),
        ("user", user(tenant, user_id, risk)),
    ])
}

fn extend(to: &mut Value, more: Value) {
    if let (Value::Object(to), Value::Object(more)) = (to, more) {
        to.extend(more);
    }
}

fn metadata(log: &str, record: &str, case: Option<&str>, tenant: &str, at: Timestamp) -> Value {
    object([
        ("version", VERSION.into()),
        (
            "product",
            json!({ "name": "Wardstream", "vendor_name": "Wardstream", "version": crate::engine::REVISION }),
        ),
        ("profiles", json!(["security_control"])),
        ("uid", record.into()),
        ("correlation_uid", json!(case)),
        ("tenant_uid", tenant.into()),
        ("log_name", log.into()),
        ("log_provider", "wardstream".into()),
        ("original_time", at.to_string().into()),
    ])
}

fn user(tenant: &str, user_id: &str, risk: Option<&str>) -> Value {
    let risk = risk.map(risk_level);
    object([
        ("uid", user_id.into()),
        ("name", user_id.into()),
        ("org", json!({ "uid": tenant })),
        ("risk_level_id", json!(risk.map(|(id, _)| id))),
        ("risk_level", json!(risk.map(|(_, name)| name))),
    ])
}

/// An endpoint must be named by its address or by its device; a place alone is none.
fn endpoint(address: Option<&str>, facts: Option<&StoredFacts<'_>>, device: Option<&str>) -> Value {
    if address.is_none() && device.is_none() {
        return Value::Null;
    }
    // A location must name its country.
    let location = facts.filter(|facts| facts.country.is_some()).map(|facts| {
        object([
            ("country", json!(facts.country)),
            ("lat", json!(facts.latitude)),
            ("long", json!(facts.longitude)),
        ])
    });
    let system = facts.and_then(|facts| facts.asn).map(|number| json!({ "number": number }));
    object([
        ("ip", json!(address)),
        ("uid", json!(device)),
        ("location", json!(location)),
        ("autonomous_system", json!(system)),
    ])
}

fn looked_up(facts: &StoredFacts<'_>) -> Value {
    object([
        ("country", json!(facts.country)),
        ("asn", json!(facts.asn)),
        ("network_class", json!(facts.network_class)),
        ("browser", json!(facts.browser)),
        ("os", json!(facts.os)),
        ("device", json!(facts.device)),
    ])
}

fn analytic(name: &str, text: Option<&str>) -> Value {
    object([
        ("uid", name.into()),
        ("name", name.into()),
        ("type_id", 2.into()),
        ("type", "Behavioral".into()),
        ("desc", json!(text)),
        ("version", crate::engine::REVISION.into()),
    ])
}

fn factor(factor: Factor) -> Value {
    let (id, name): Said = match factor {
        Factor::Password => (11, "Password"),
        Factor::Totp | Factor::BackupCode => (7, "OTP"),
        Factor::Push => (5, "Push Notification"),
        Factor::Sms => (1, "SMS"),
        Factor::Email => (8, "Email"),
        Factor::WebauthnPlatform | Factor::WebauthnRoaming => (10, "WebAuthn"),
        Factor::Biometric => (4, "Biometric"),
        Factor::HardwareKey => (6, "Hardware Token"),
        Factor::Federated => (99, "federated"),
        Factor::Other => (99, "other"),
    };
    object([
        ("factor_type_id", id.into()),
        ("factor_type", name.into()),
        ("is_totp", json!((factor == Factor::Totp).then_some(true))),
    ])
}

/// How risky it was found, and what was done about it.
fn ruled(score: i64, level: &str, action: &str) -> Value {
    let (risk, (action, disposition)) = (risk_level(level), control(action));
    object([
        ("risk_score", score.into()),
        ("risk_level_id", risk.0.into()),
        ("risk_level", risk.1.into()),
        ("action_id", action.0.into()),
        ("action", action.1.into()),
        ("disposition_id", disposition.0.into()),
        ("disposition", disposition.1.into()),
    ])
}

/// What was done about it: action and disposition.
fn control(action: &str) -> (Said, Said) {
    match action {
        "allow" => ((1, "Allowed"), (1, "Allowed")),
        "challenge" => ((99, "challenge"), (23, "Challenge")),
        "step_up" => ((99, "step_up"), (23, "Challenge")),
        "deny" => ((2, "Denied"), (2, "Blocked")),
        "revoke" => ((2, "Denied"), (24, "Access Revoked")),
        _ => ((0, "Unknown"), (0, "Unknown")),
    }
}

fn severity(level: &str) -> Said {
    match level {
        "low" => (2, "Low"),
        "medium" => (3, "Medium"),
        "high" => (4, "High"),
        _ => (0, "Unknown"),
    }
}

fn risk_level(level: &str) -> Said {
    match level {
        "low" => (1, "Low"),
        "medium" => (2, "Medium"),
        "high" => (3, "High"),
        _ => (99, "other"),
    }
}

fn message(title: &str, said: &str) -> String {
    if said.is_empty() { title.to_owned() } else { format!("{title}: {said}") }
}

fn millis(at: Timestamp) -> Value {
    at.micros().div_euclid(1_000).into()
}

const VERSION: &str = "1.5.0";
