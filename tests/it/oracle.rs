//! The seed, written down again from its text, beside the engine under `seed.toml`.
//!
//! Every combination of the seed's four findings, and random ones among findings that the seed does
//! not know, must give the seed's score, level and factors. Random batches of behaviour, learned or
//! not, must give its analysis.

use proptest::prelude::*;
use wardstream::engine::biometrics::{Parts, features, learn, verdict};
use wardstream::engine::decide::{Standpoint, decide};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::policy::Policy;
use wardstream::engine::score::score;
use wardstream::engine::signals::Findings;
use wardstream::model::event::{Behavior, KeyPress, MousePoint, TouchPoint};
use wardstream::model::evidence::Evidence;
use wardstream::model::observation::{Facts, Keys, Observation};
use wardstream::model::signal::{Centibans, Finding, Severity, Signal, Why};
use wardstream::model::time::Timestamp;
use wardstream::model::{Action, Factors, History, Level, MouseKind, TouchPhase};

/// The seed's classes, with what its private methods leave open as arguments.
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

    pub struct Behavior {
        pub risk_score: i64,
        pub anomaly_detected: bool,
        pub recommended_action: &'static str,
    }

    /// `mouse_velocity`: nothing moved when `None`. `historical_data`: of the learned batches.
    pub fn analyze_user_behavior(
        mouse_velocity: Option<f64>,
        historical_data: &[f64],
        keystroke_variance: f64,
    ) -> Behavior {
        let mut risk_score = 0;
        if mouse_velocity.is_some_and(|velocity| velocity > baseline(historical_data)) {
            risk_score += 10;
        }
        if keystroke_variance > 0.3 {
            risk_score += 15;
        }
        Behavior {
            risk_score,
            anomaly_detected: risk_score > 30,
            recommended_action: if risk_score > 50 { "challenge" } else { "allow" },
        }
    }

    fn baseline(historical_data: &[f64]) -> f64 {
        if historical_data.is_empty() {
            return f64::INFINITY;
        }
        historical_data.iter().sum::<f64>() / historical_data.len() as f64
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
    let evidence = Evidence::Reported { since_s: 0, by_device: false, by_session: false, event_known: None };
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
    let scored = score(&Findings(findings.try_into().unwrap()), &seen, &policy);
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

/// A batch in small integers: key downs, and moves as (time, x, y).
#[derive(Clone, Debug)]
struct Batch {
    downs_ms: Vec<u32>,
    moves: Vec<(u32, u32, u32)>,
    touches: bool,
    is_learned: bool,
}

impl Batch {
    fn behavior(&self) -> Behavior<'static> {
        let press = |down: &u32| KeyPress {
            key: "k".into(),
            down_ms: f64::from(*down),
            up_ms: f64::from(*down) + 50.0,
        };
        let point = |(t, x, y): &(u32, u32, u32)| MousePoint {
            t_ms: f64::from(*t),
            x: f64::from(*x),
            y: f64::from(*y),
            kind: MouseKind::Move,
            button: None,
        };
        let touch =
            |phase, t_ms| TouchPoint { t_ms, x: 5.0, y: t_ms, pressure: Some(0.5), size: None, phase };
        let touches = [touch(TouchPhase::Start, 0.0), touch(TouchPhase::End, 90.0)];
        Behavior {
            context: None,
            keyboard: self.downs_ms.iter().map(press).collect(),
            mouse: self.moves.iter().map(point).collect(),
            touch: if self.touches { touches.to_vec() } else { Vec::new() },
        }
    }

    /// Path over time, in px/s. The engine keeps thousandths, so that sums are exact: so does this.
    fn velocity(&self) -> Option<f64> {
        let path: f64 = self
            .moves
            .windows(2)
            .map(|pair| {
                let (dx, dy) = (pair[1].1.abs_diff(pair[0].1), pair[1].2.abs_diff(pair[0].2));
                f64::from(dx * dx + dy * dy).sqrt()
            })
            .sum();
        let time_s = f64::from(self.moves.last()?.0 - self.moves.first()?.0) / 1000.0;
        (time_s > 0.0).then(|| (path / time_s * 1000.0).round())
    }

    /// Population variance of the times from down to down over their squared mean.
    fn variance(&self) -> f64 {
        let times: Vec<f64> = self.downs_ms.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect();
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean) * (time - mean)).sum::<f64>() / count;
        if times.is_empty() || mean == 0.0 { 0.0 } else { variance / (mean * mean) }
    }
}

fn batch() -> impl Strategy<Value = Batch> {
    let downs = proptest::collection::vec(0_u32..400, 0..12);
    let moves = proptest::collection::vec((0_u32..60, 0_u32..2000, 0_u32..2000), 0..12);
    (downs, moves, any::<bool>(), any::<bool>()).prop_map(|(gaps, moves, touches, is_learned)| {
        let mut now = 0;
        let mut later = |gap| {
            now += gap;
            now
        };
        let downs_ms = gaps.into_iter().map(&mut later).collect();
        // Moves at one moment have no order of their own, and so no path.
        let moves = moves.into_iter().map(|(gap, x, y)| (later(1 + gap), x, y)).collect();
        Batch { downs_ms, moves, touches, is_learned }
    })
}

proptest! {
    #[test]
    fn behaviour_is_analysed_as_the_seed_does(batches in proptest::collection::vec(batch(), 1..12)) {
        let (mut keystroke, mut mouse, mut touch) = (None, None, None);
        let mut historical_data = Vec::new();
        for (hour, batch) in (0..).zip(&batches) {
            let at = Timestamp::from_seconds(hour * 3600).unwrap();
            let mut parts = Parts { keystroke: &mut keystroke, mouse: &mut mouse, touch: &mut touch };
            let seen = features(&batch.behavior());
            let said = verdict(&seen, &parts);

            let expected = seed::analyze_user_behavior(batch.velocity(), &historical_data, batch.variance());
            prop_assert_eq!(i64::from(said.risk_score), expected.risk_score);
            prop_assert_eq!(said.anomaly_detected, expected.anomaly_detected);
            prop_assert_eq!(said.recommended_action.name(), expected.recommended_action);

            if batch.is_learned {
                learn(&seen, at, &mut parts);
                historical_data.extend(batch.velocity());
            }
        }
    }
}
