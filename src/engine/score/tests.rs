//! What a score is, finding by finding.

use super::*;
use crate::engine::document::Mistake;
use crate::engine::policy::{Extended, parse, shipped};
use crate::engine::signals::Findings;
use crate::model::evidence::Evidence;
use crate::model::signal::{Centibans, Why};

/// `unusual_location:900 new_device:quiet unusual_time:unknown`; what is not named does not apply.
pub(crate) fn findings(text: &str) -> Findings {
    let mut findings = Findings([const { Finding::NotApplicable }; Signal::COUNT]);
    for word in text.split_whitespace() {
        let (signal, finding) = word.split_once(':').unwrap();
        findings.0[Signal::parse(signal).unwrap().index()] = match finding {
            "quiet" => Finding::Quiet,
            "unknown" => Finding::Unknown(Why::NoBaseline),
            severity => Finding::Found {
                severity: Severity::new(severity.parse().unwrap()),
                centibans: Centibans::new(100),
                evidence: Evidence::Session { device: true, browser: None, os: None, age_s: 60 },
            },
        };
    }
    findings
}

/// An event from JSON, without facts.
pub(crate) fn seen(json: &str) -> Observation<'_> {
    use crate::engine::decode::{Format, Limits, decode};
    let event = decode(json.as_bytes(), Format::Json, "1", None, &Limits::default()).unwrap().event;
    Observation { event, facts: Default::default(), keys: Default::default() }
}

/// A policy over the shipped one that `text` names in `extends`.
pub(crate) fn policy(text: &str) -> Policy {
    read(text).unwrap()
}

fn read(text: &str) -> Result<Policy, Vec<Mistake>> {
    parse("p.toml", &format!("version = 1\n{text}"), &mut |name| {
        Ok(Extended { file: name.into(), text: shipped(name).ok_or("unknown")?.into() })
    })
}

const LOGIN: &str = r#"{"event_id":"e","user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z",
    "outcome":"success","ip_address":"203.0.113.9","app":"payroll"}"#;

/// Sum, level and confidence, then the reasons with what each adds.
#[track_caller]
fn check(policy: &Policy, found: &str, expected: &str) {
    let seen = seen(LOGIN);
    let scored = score(&findings(found), &seen, policy);
    let mut told = format!("{} {} {}", scored.sum, scored.level, scored.confidence_permille);
    for reason in &scored.reasons {
        told += &format!(" {}+{}", reason.signal, reason.points);
    }
    for signal in &scored.unknown {
        told += &format!(" {signal}?");
    }
    for id in &scored.exceptions {
        told += &format!(" except {id}");
    }
    assert_eq!(told, expected);
    assert_eq!(u16::from(scored.risk_score), scored.sum.min(100));
}

#[test]
fn adds_groups_up() {
    let policy = policy("extends = 'default'");
    check(&policy, "", "0 low 1000");
    check(&policy, "unusual_location:1000", "30 medium 1000 unusual_location+30");
    check(&policy, "unusual_location:1000 new_device:700", "55 high 1000 unusual_location+30 new_device+25");
    check(
        &policy,
        "impossible_travel:1000 session_mismatch:1000 unusual_time:1000 anomalous_behavior:1000 challenge_fatigue:1000 service_identity:1000 reported:1000",
        "255 high 1000 reported+60 session_mismatch+50 impossible_travel+40 challenge_fatigue+40 service_identity+30 anomalous_behavior+20 unusual_time+15",
    );
}

#[test]
fn one_cause_counts_once() {
    let policy = policy("extends = 'default'");
    check(
        &policy,
        "new_network:1000 unusual_location:500 impossible_travel:600 new_device:1000",
        "65 high 1000 impossible_travel+40 new_device+25 new_network+0 unusual_location+0",
    );
}

#[test]
fn what_is_softened_counts_nothing() {
    let policy = policy("extends = 'default'");
    check(&policy, "new_device:400", "0 low 1000 new_device+0");
    check(&policy, "new_device:499 session_mismatch:500", "50 high 1000 session_mismatch+50 new_device+0");
    // A weak finding does not hide a strong one of its group.
    check(
        &policy,
        "impossible_travel:499 new_network:1000",
        "10 low 1000 new_network+10 impossible_travel+0",
    );
}

#[test]
fn what_is_on_trial_is_shown_and_counts_nothing() {
    let default = policy("extends = 'default'\n[signals.impossible_travel]\nreport_only = true");
    check(
        &default,
        "impossible_travel:1000 new_network:700",
        "10 low 1000 new_network+10 impossible_travel+0",
    );
    let seed = policy("extends = 'seed'");
    check(
        &seed,
        "reported:1000 new_device:400 unusual_time:1000",
        "15 low 1000 unusual_time+15 new_device+0 reported+0",
    );
}

#[test]
fn confidence_is_the_share_of_points_that_could_speak() {
    let default = policy("extends = 'default'");
    check(&default, "unusual_location:unknown new_device:unknown", "0 low 0 unusual_location? new_device?");
    check(
        &default,
        "unusual_location:1000 new_device:unknown",
        "30 medium 545 unusual_location+30 new_device?",
    );
    check(&default, "unusual_location:quiet unusual_time:quiet", "0 low 1000");
    // Without points in the policy a signal that cannot speak is not worth a word.
    let seed = policy("extends = 'seed'");
    check(&seed, "impossible_travel:unknown unusual_time:quiet", "0 low 1000");
}

const OFFICE: &str = "extends = 'default'
[[exception]]
id = 'office'
when = { network = ['203.0.113.0/24'] }
silence = ['unusual_location', 'new_network']
owner = 'netops'
expires = 2027-01-01
";

#[test]
fn an_exception_silences_and_is_listed_when_it_did() {
    let policy = policy(OFFICE);
    check(&policy, "unusual_location:1000 new_device:1000", "25 medium 1000 new_device+25 except office");
    check(&policy, "unusual_location:quiet new_device:1000", "25 medium 1000 new_device+25");
    check(
        &policy,
        "impossible_travel:1000 new_network:400",
        "40 medium 1000 impossible_travel+40 except office",
    );
}

#[test]
fn an_exception_holds_for_its_events_until_it_expires() {
    let found = "unusual_location:1000";
    let until = |moment: &str| policy(&OFFICE.replace("2027-01-01", moment));
    check(&until("2026-01-06"), found, "0 low 1000 except office");
    check(&until("2026-01-05T09:00:01Z"), found, "0 low 1000 except office");
    check(&until("2026-01-05T09:00:00Z"), found, "30 medium 1000 unusual_location+30");
    check(
        &policy(&OFFICE.replace("203.0.113.0/24", "198.51.100.0/24")),
        found,
        "30 medium 1000 unusual_location+30",
    );
    check(
        &policy(&OFFICE.replace("when = {", "when = { app = 'payroll', not = { user = 'bob' },")),
        found,
        "0 low 1000 except office",
    );
}

proptest::proptest! {
    /// Whatever is found and whatever a policy says, reasons add up to the sum, strongest first.
    #[test]
    fn reasons_add_up(
        found in proptest::collection::vec(0_u32..1300, Signal::COUNT),
        points in proptest::collection::vec(0_u8..=100, Signal::COUNT),
        trial in proptest::collection::vec(proptest::bool::ANY, Signal::COUNT),
        group in proptest::collection::vec(0_usize..4, Signal::COUNT),
    ) {
        let mut text = String::from("extends = 'seed'\n");
        for number in 0..4 {
            let members: Vec<String> =
                Signal::ALL.iter().zip(&group).filter(|(_, at)| **at == number).map(|(signal, _)| format!("'{signal}'")).collect();
            if !members.is_empty() {
                text += &format!("[[group]]\nname = 'g{number}'\nsignals = [{}]\n", members.join(","));
            }
        }
        for ((signal, points), trial) in Signal::ALL.iter().zip(&points).zip(&trial) {
            text += &format!("[signals.{signal}]\npoints = {points}\nreport_only = {trial}\n");
        }
        let policy = policy(&text);
        let told: String = Signal::ALL.iter().zip(&found).map(|(signal, found)| match found {
            0..100 => String::new(),
            100..200 => format!("{signal}:quiet "),
            200..300 => format!("{signal}:unknown "),
            severity => format!("{signal}:{} ", severity - 300),
        }).collect();
        let seen = seen(LOGIN);
        let scored = score(&findings(&told), &seen, &policy);

        let points: Vec<u16> = scored.reasons.iter().map(|reason| reason.points.into()).collect();
        proptest::prop_assert_eq!(points.iter().sum::<u16>(), scored.sum);
        proptest::prop_assert!(points.is_sorted_by(|a, b| a >= b));
        proptest::prop_assert!(scored.confidence_permille <= 1000);

        // By the definition, not by the code's way: the greatest of each group.
        let greatest = |number: usize| Signal::ALL.iter().filter(|signal| {
            group[signal.index()] == number && found[signal.index()] >= 800 && !trial[signal.index()]
        }).map(|signal| u16::from(policy.setting(*signal).points)).max().unwrap_or(0);
        proptest::prop_assert_eq!((0..4).map(greatest).sum::<u16>(), scored.sum);
    }
}
