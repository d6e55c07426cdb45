//! What came out of an event, in the lines that a transcript holds.

use std::fmt::{self, Write};

use serde_json::{Value, json};

use super::fold::{Refused, Told};

/// The `<` lines of one event.
pub(super) fn lines(told: Result<Option<Told>, Refused>) -> String {
    let mut out = String::new();
    let written = match told {
        Ok(Some(told)) => decided(&mut out, &told),
        Ok(None) => out.write_str("< duplicate\n"),
        Err(Refused::Event(rejected)) => writeln!(out, "< rejected {}: {}", rejected.reason, rejected.detail),
        Err(Refused::Engine(what)) => writeln!(out, "< broken: {what}; please report it"),
    };
    debug_assert!(written.is_ok(), "a string takes what is written");
    out
}

fn decided(out: &mut String, told: &Told) -> fmt::Result {
    let decision = &told.decision;
    write!(
        out,
        "< {} {} {}",
        decision["risk_score"],
        word(decision, "risk_level"),
        word(decision, "action")
    )?;
    if !decision["would"].is_null() {
        write!(out, " would={}", word(decision, "would"))?;
    }
    let missing = list(&decision["missing_auth_factors"]);
    if !missing.is_empty() {
        write!(out, " missing={missing}")?;
    }
    write!(out, " learned={} history={}", word(decision, "learned"), word(decision, "history"))?;
    if decision["confidence"] != json!(1.0) {
        write!(out, " confidence={}", decision["confidence"])?;
    }
    let risk = &decision["user_risk"];
    if risk["level"] != "low" || risk["previous"] != "low" {
        write!(out, " user_risk={}", word(risk, "level"))?;
    }
    out.push('\n');
    for reason in each(&decision["reasons"]) {
        let (signal, text) = (word(reason, "signal"), word(reason, "text"));
        writeln!(out, "<   {signal} +{} ({}): {text}", reason["points"], reason["severity"])?;
    }
    for rule in each(&decision["rules"]) {
        let trial = if rule["report_only"] == json!(true) { " (report only)" } else { "" };
        writeln!(out, "<   rule {} → {}{trial}", word(rule, "id"), word(rule, "action"))?;
    }
    let exceptions = list(&decision["exceptions"]);
    if !exceptions.is_empty() {
        writeln!(out, "<   silenced by {exceptions}")?;
    }
    let unknown = list(&decision["unknown"]);
    if !unknown.is_empty() {
        writeln!(out, "<   unknown {unknown}")?;
    }
    for shadow in each(&decision["shadow"]) {
        let (by, level) = (word(shadow, "by"), word(shadow, "risk_level"));
        writeln!(out, "<   shadow {by}: {} {level} {}", shadow["risk_score"], word(shadow, "action"))?;
    }
    if let Some(behavior) = Some(&decision["behavior"]).filter(|behavior| behavior.is_object()) {
        writeln!(out, "<   behavior {} {}", behavior["risk_score"], word(behavior, "recommended_action"))?;
    }
    if let Some(alert) = &told.alert {
        let cause = alert["cause"].as_str().map(|cause| format!(" {cause}")).unwrap_or_default();
        writeln!(out, "<   alert {} {}{cause}", word(alert, "kind"), alert["update"])?;
    }
    for revocation in &told.revocations {
        let (scope, session) = (word(revocation, "scope"), word(revocation, "session_id"));
        writeln!(out, "<   revoke {scope} {session} because {}", word(revocation, "reason"))?;
    }
    Ok(())
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("-")
}

fn each(values: &Value) -> impl Iterator<Item = &Value> {
    values.as_array().into_iter().flatten()
}

fn list(values: &Value) -> String {
    each(values).filter_map(Value::as_str).collect::<Vec<_>>().join(",")
}
