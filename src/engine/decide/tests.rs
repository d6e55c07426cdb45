//! What is decided, event by event.

use super::*;
use crate::engine::score::score;
use crate::engine::score::tests::{findings, policy, seen};

/// What is decided of `event` (JSON without the common fields) when `found` was found and
/// `presented` was presented.
fn decided(policy: &Policy, event: &str, found: &str, presented: &[Factor]) -> String {
    let json = format!(r#"{{"user_id":"ada","occurred_at":"2026-01-05T09:00:00Z",{event}}}"#);
    let seen = seen(&json);
    let scored = score(&findings(found), &seen, policy);
    let presented = presented.iter().copied().collect();
    let standpoint = Standpoint { history: History::None, user_risk: Level::Medium, presented };
    let decided = decide(&scored, &seen, standpoint, policy);

    let mut told = decided.action.to_string();
    if let Some(would) = decided.would {
        told += &format!(" would {would}");
    }
    for factor in decided.missing.iter() {
        told += &format!(" -{factor}");
    }
    for rule in &decided.rules {
        told += &format!(" {}{}", rule.id, if rule.report_only { "?" } else { "!" });
    }
    if decided.alert {
        told += " alert";
    }
    if let Some((scope, by)) = decided.revoke {
        told += &format!(" revoke {scope} by {by}");
    }
    told
}

#[track_caller]
fn check(rules: &str, event: &str, found: &str, presented: &[Factor], expected: &str) {
    assert_eq!(decided(&policy(&format!("extends = 'seed'\n{rules}")), event, found, presented), expected);
}

const LOGIN: &str = r#""type":"login","outcome":"success""#;
const PASSWORD: &[Factor] = &[Factor::Password];

#[test]
fn asks_for_what_is_missing() {
    check("", LOGIN, "", PASSWORD, "allow");
    check("", LOGIN, "new_device:1000", PASSWORD, "challenge -totp");
    check("", LOGIN, "new_device:1000", &[Factor::Password, Factor::Push], "allow");
    let high = "unusual_location:1000 new_device:1000";
    check("", LOGIN, high, &[Factor::Password, Factor::Totp], "step_up -biometric -hardware_key");
    check("", LOGIN, high, &[Factor::WebauthnPlatform], "step_up -hardware_key");
    check("", LOGIN, high, &[Factor::WebauthnPlatform, Factor::WebauthnRoaming], "allow");
}

#[test]
fn a_missing_password_alone_asks_for_nothing() {
    check("", LOGIN, "", &[], "allow -password");
    check("", LOGIN, "new_device:1000", &[Factor::Totp], "allow -password");
}

#[test]
fn nothing_is_asked_where_nothing_was_given() {
    let high = "reported:1000 unusual_location:1000 new_device:1000";
    check("", r#""type":"login","outcome":"failure""#, high, &[], "allow");
    check("", r#""type":"login","outcome":"blocked""#, high, &[], "allow");
    check("", r#""type":"access","outcome":"failure""#, high, &[], "allow");
    check("", r#""type":"behavior""#, high, &[], "allow");
    check("", r#""type":"challenge","factor":"push","outcome":"approved""#, high, &[], "allow");
    check("", r#""type":"session","change":"end","session_id":"s""#, high, &[], "allow");
    let safe = r#""type":"feedback","verdict":"safe","by":"user","about":{"session_id":"s"}"#;
    check("", safe, high, &[], "allow");

    let all = "step_up -password -totp -biometric -hardware_key";
    check("", r#""type":"access","outcome":"success","app":"x""#, high, &[], all);
    check("", r#""type":"session","change":"start","session_id":"s""#, high, &[], all);
    check("", r#""type":"session","change":"refresh","session_id":"s""#, high, &[], all);
    check("", r#""type":"credential","change":"reset","factor":"password""#, high, &[], all);
}

#[test]
fn compromised_revokes_the_user() {
    let compromised = r#""type":"feedback","verdict":"compromised","by":"user","about":{"session_id":"s"}"#;
    check("", compromised, "", &[], "revoke revoke user by compromised");
    check("mode = 'report_only'", compromised, "", &[], "allow would revoke");
}

const RULES: &str = "
[[rule]]
id = 'a'
when = { level = ['medium', 'high'] }
then = { action = 'deny', alert = true }
[[rule]]
id = 'b'
when = { user_risk = ['medium'], history = ['none'] }
then = { action = 'challenge' }
[[rule]]
id = 'c'
when = { signal = ['new_device'], type = ['login'] }
then = { action = 'revoke', scope = 'session' }
report_only = true
";

#[test]
fn the_strictest_rule_wins() {
    check(RULES, LOGIN, "", PASSWORD, "challenge b!");
    check(RULES, LOGIN, "unusual_location:1000", PASSWORD, "deny -totp a! b! alert");
    check(RULES, LOGIN, "new_device:1000", PASSWORD, "deny -totp a! b! c? alert");
}

#[test]
fn a_rule_asks_nothing_where_nothing_can_be_asked() {
    check(RULES, r#""type":"login","outcome":"failure""#, "unusual_location:1000", &[], "allow");
    check(RULES, r#""type":"behavior""#, "anomalous_behavior:1000", &[], "allow");
}

#[test]
fn the_widest_revocation_stands() {
    let rules = "
[[rule]]
id = 'session'
when = { type = 'login' }
then = { action = 'revoke' }
[[rule]]
id = 'user'
when = { type = 'login' }
then = { action = 'revoke', scope = 'user' }
[[rule]]
id = 'family'
when = { type = 'login' }
then = { action = 'revoke', scope = 'token_family' }
";
    check(rules, LOGIN, "", PASSWORD, "revoke session! user! family! revoke user by user");
}

#[test]
fn a_policy_on_trial_allows_and_says_what_it_would_do() {
    let trial = format!("mode = 'report_only'\n{RULES}");
    check(&trial, LOGIN, "unusual_location:1000", PASSWORD, "allow would deny -totp a! b!");
    check(&trial, LOGIN, "", PASSWORD, "allow would challenge b!");
}

#[test]
fn a_rule_in_force_does_not_act_on_a_signal_on_trial() {
    let rule = |report_only: bool| {
        format!(
            "[[rule]]\nid = 'r'\nwhen = {{ signal = ['reported'] }}\nthen = {{ action = 'deny' }}\nreport_only = {report_only}"
        )
    };
    check(&rule(false), LOGIN, "reported:1000", PASSWORD, "allow");
    check(&rule(true), LOGIN, "reported:1000", PASSWORD, "allow r?");
}

#[test]
fn conditions_hold_together_and_lists_by_any() {
    #[track_caller]
    fn check_when(when: &str, event: &str, holds: bool) {
        let rules = format!("[[rule]]\nid = 'r'\nwhen = {{ {when} }}\nthen = {{ alert = true }}");
        let event = format!(r#""type":"login","outcome":"success",{event}"#);
        check(
            &rules,
            &event,
            "new_device:1000",
            &[Factor::WebauthnRoaming],
            if holds { "allow r! alert" } else { "allow" },
        );
    }
    let event = r#""tenant":"acme","app":"x","groups":["ops","dev"],"ip_address":"2001:db8::1","device_managed":false,"source":"okta""#;
    check_when("tenant = ['acme', 'b'], app = 'x'", event, true);
    check_when("tenant = ['acme', 'b'], app = 'y'", event, false);
    check_when("group = ['dev']", event, true);
    check_when("group = ['finance']", event, false);
    check_when("user = 'ada', source = ['okta']", event, true);
    check_when("network = ['2001:db8::/32', '192.0.2.0/24']", event, true);
    check_when("network = '192.0.2.0/24'", event, false);
    check_when("network = '192.0.2.0/24'", r#""app":"x""#, false);
    check_when("device_managed = false", event, true);
    check_when("device_managed = false", r#""app":"x""#, false);
    check_when("not = { device_managed = true }", r#""app":"x""#, true);
    check_when("interactive = true, privilege = 'none', subject_kind = 'person'", event, true);
    check_when("factors = ['totp']", event, true);
    check_when("factors = ['biometric']", event, false);
    check_when("score_at_least = 25, level = 'medium'", event, true);
    check_when("score_at_least = 26", event, false);
    check_when("country = 'GB'", event, false);
    check_when("not = { country = 'GB' }", event, true);
    check_when("asn = 5", event, false);
    check_when("network_class = 'tor'", event, false);
    check_when("signal = ['new_device'], evidence = { changed = ['os', 'device_fingerprint'] }", event, true);
    check_when("signal = ['new_device'], evidence = { changed = 'os' }", event, false);
    check_when("signal = ['unusual_time'], evidence = { changed = 'device_fingerprint' }", event, false);
    check_when("evidence = { changed = 'device_fingerprint' }", event, true);
    check_when("not = { not = { app = 'x' } }", event, true);
}

#[test]
fn the_default_revokes_a_session_whose_device_changed() {
    let default = policy("extends = 'default'");
    let session = r#""type":"session","change":"refresh","session_id":"s""#;
    assert_eq!(
        decided(&default, session, "session_mismatch:1000", PASSWORD),
        "revoke -totp -biometric -hardware_key device-changed! alert revoke session by device-changed"
    );
    let approved = r#""type":"challenge","factor":"push","outcome":"approved","session_id":"s""#;
    assert_eq!(
        decided(&default, approved, "challenge_fatigue:1000", &[]),
        "revoke worn-down! alert revoke session by worn-down"
    );
    assert_eq!(decided(&default, LOGIN, "", PASSWORD), "allow first-login?");
}
