//! Levels, and what a reason that adds nothing says of itself.

use super::*;

#[track_caller]
fn check(sum: i64, up: Option<(Level, i64)>, down: Option<(Level, i64)>) {
    let policy = Policy::shipped("seed").unwrap();
    let levels = Levels::of(sum, &policy);
    let pair = |distance: Distance| (distance.level, distance.points);
    assert_eq!((levels.up.map(pair), levels.down.map(pair)), (up, down), "{sum}");
}

#[test]
fn the_next_levels_are_so_far() {
    check(0, Some((Level::Medium, 20)), None);
    check(19, Some((Level::Medium, 1)), None);
    check(20, Some((Level::High, 30)), Some((Level::Low, 1)));
    check(50, None, Some((Level::Medium, 1)));
    check(130, None, Some((Level::Medium, 81)));
}

/// A decision with one reason more, as JSON.
fn explained(reason: &str) -> String {
    let line = format!(
        r#"{{"decision_id":"ab","event_id":"1","tenant":"acme","user_id":"ada","session_id":null,"occurred_at":"2026-01-05T09:00:00Z","type":"login","risk_score":30,"risk_level":"medium","required_auth_factors":["password","totp"],"missing_auth_factors":["totp"],"action":"challenge","would":null,"mode":"enforce","confidence":0.8,"history":"mature","learned":"held","unknown":[],"reasons":[{{"signal":"unusual_location","group":"where","points":30,"severity":900,"centibans":180,"before":{{"places":3}},"now":{{"country":"AU"}},"text":"far","report_only":false}},{reason}],"rules":[],"exceptions":[],"shadow":[],"user_risk":{{"level":"low","previous":"low"}},"behavior":null,"evaluation_id":null,"facts":{{}},"basis":{{"policy":"sha256:00","engine":"1","tables":"sha256:00","model":null}},"position":{{"topic":null,"partition":0,"offset":0}},"chain":""}}"#
    );
    let decision = Stored::from_json(line.as_bytes()).unwrap();
    let it = Explanation::of(&decision, None, None);
    it.reasons[1].adds_nothing.clone().unwrap_or_default()
}

#[track_caller]
fn check_reason(group: &str, severity: u16, report_only: bool, expected: &str) {
    let reason = format!(
        r#"{{"signal":"new_network","group":"{group}","points":0,"severity":{severity},"centibans":0,"before":{{}},"now":{{}},"text":"","report_only":{report_only}}}"#
    );
    assert_eq!(explained(&reason), expected);
}

#[test]
fn a_reason_says_why_it_adds_nothing() {
    check_reason("where", 600, false, "covered by unusual_location: one cause counts once");
    check_reason("where", 400, false, "too weak to count: severity 400, counts from 500");
    check_reason("where", 600, true, "on trial: it is shown, and adds nothing");
    check_reason("other", 600, false, "the policy gives it no points");
}
