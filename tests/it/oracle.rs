//! The seed, written down again from its text, beside the engine under `seed.toml`.
//!
//! Every combination of the seed's four findings, and random ones among findings that the seed does
//! not know, must give the seed's score, level and factors.

use proptest::prelude::*;
use wardstream::engine::decide::{Standpoint, decide};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::policy::Policy;
use wardstream::engine::score::score;
use wardstream::engine::signals::Findings;
use wardstream::model::evidence::Evidence;
use wardstream::model::observation::{Facts, Keys, Observation};
use wardstream::model::signal::{Centibans, Finding, Severity, Signal, Why};
use wardstream::model::{Action, Factors, History, Level};

/// `AdaptiveAuthenticationEngine` of the seed, with its private methods' answers as arguments.
mod seed {
    pub struct Evaluation {
        pub risk_score: i64,
        pub risk_level: &'static str,
        pub required_auth_factors: Vec<&'static str>,
    }

    pub fn evaluate_risk(
        is_unusual_location: bool,
        is_new_device: bool,
        is_unusual_time: bool,
        is_anomalous_behavior: bool,
    ) -> Evaluation {
        let mut risk_score = 0;
        if is_unusual_location {
            risk_score += 30;
        }
        if is_new_device {
            risk_score += 25;
        }
        if is_unusual_time {
            risk_score += 15;
        }
        if is_anomalous_behavior {
            risk_score += 20;
        }
        Evaluation {
            risk_score: risk_score.min(100),
            risk_level: determine_level(risk_score),
            required_auth_factors: determine_factors(risk_score),
        }
    }

    fn determine_level(score: i64) -> &'static str {
        if score < 20 {
            "low"
        } else if score < 50 {
            "medium"
        } else {
            "high"
        }
    }

    fn determine_factors(score: i64) -> Vec<&'static str> {
        let mut factors = vec!["password"];
        if score >= 20 {
            factors.push("totp");
        }
        if score >= 50 {
            factors.extend(["biometric", "hardware_key"]);
        }
        factors
    }
}

const FOUR: [Signal; 4] =
    [Signal::UnusualLocation, Signal::NewDevice, Signal::UnusualTime, Signal::AnomalousBehavior];

fn login() -> Observation<'static> {
    let json =
        br#"{"user_id":"ada","type":"login","outcome":"success","occurred_at":"2026-01-05T09:00:00Z"}"#;
    let event = decode(json, Format::Json, "1", None, &Limits::default()).unwrap().event;
    Observation { event, facts: Facts::default(), keys: Keys::default() }
}

fn found(severity: u32) -> Finding {
    let evidence = Evidence::Reported { since_s: 0, by_device: false, by_session: false };
    Finding::Found { severity: Severity::new(severity), centibans: Centibans::new(0), evidence }
}

/// Compares for the four findings of the seed, with `others` at every other signal.
#[track_caller]
fn check(four: [bool; 4], others: &[Finding]) {
    let policy = Policy::shipped("seed").unwrap();
    let mut others = others.iter();
    let findings = Signal::ALL.iter().map(|signal| match FOUR.iter().position(|one| one == signal) {
        Some(at) if four[at] => found(1000),
        Some(_) => Finding::Quiet,
        None => others.next().cloned().unwrap_or(Finding::Quiet),
    });
    let findings: Vec<Finding> = findings.collect();
    let seen = login();
    let scored = score(Findings(findings.try_into().unwrap()), &seen, &policy);
    let standpoint = Standpoint { history: History::None, user_risk: Level::Low, presented: Factors::NONE };
    let decided = decide(&scored, &seen, standpoint, &policy);

    let [location, device, time, behavior] = four;
    let expected = seed::evaluate_risk(location, device, time, behavior);
    assert_eq!(i64::from(scored.risk_score), expected.risk_score, "score of {four:?}");
    assert_eq!(scored.level.name(), expected.risk_level, "level of {four:?}");
    let required: Vec<&str> = decided.required.iter().map(|factor| factor.name()).collect();
    assert_eq!(required, expected.required_auth_factors, "factors of {four:?}");
    // Nothing beyond the seed acts: no rule, and an action that follows from the factors alone.
    assert_eq!((decided.rules.len(), decided.alert, decided.revoke), (0, false, None));
    let action = match expected.risk_level {
        "low" => Action::Allow,
        "medium" => Action::Challenge,
        _ => Action::StepUp,
    };
    assert_eq!(decided.action, action, "action of {four:?}");
    let counted: Vec<Signal> =
        scored.reasons.iter().filter(|reason| reason.points > 0).map(|reason| reason.signal).collect();
    assert!(counted.iter().all(|signal| FOUR.contains(signal)), "{counted:?} count");
}

fn all_combinations() -> impl Iterator<Item = [bool; 4]> {
    (0..16).map(|bits| [bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0])
}

#[test]
fn every_combination_of_the_four_is_the_seeds() {
    all_combinations().for_each(|four| check(four, &[]));
}

#[test]
fn whatever_else_is_found_it_is_the_seeds() {
    let everything = vec![found(1000); Signal::COUNT - FOUR.len()];
    all_combinations().for_each(|four| check(four, &everything));
}

fn finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        Just(Finding::NotApplicable),
        Just(Finding::Quiet),
        Just(Finding::Unknown(Why::NoBaseline)),
        (0_u32..=1000).prop_map(found),
    ]
}

proptest! {
    #[test]
    fn random_findings_are_the_seeds(
        four in any::<[bool; 4]>(),
        others in proptest::collection::vec(finding(), Signal::COUNT - FOUR.len()),
    ) {
        check(four, &others);
    }
}
