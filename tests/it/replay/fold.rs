//! The chain that a replay makes is the one that the plain fold made, over many simulated events.

use std::collections::BTreeMap;

use wardstream::engine::REVISION;
use wardstream::engine::baseline::Profile;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit::{self, Form, Recorded, Stored, next_chain, split_chain};
use wardstream::engine::enrich::Enricher;
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::pipeline::replay::{Course, Given, Lane, Policies, Published, Report};
use wardstream::ports::tables::Tables as _;
use wardstream::simulate::{Attack, Plan, Stream, World, start_of};

/// Folds simulated events and replays each decision at once; `engine` is the name that decides.
#[track_caller]
fn check(events: usize, form: Form, engine: &str) -> Report {
    let tables = Builtin::new();
    let policy = Policy::shipped("default").unwrap();
    let basis = Basis { policy: policy.digest, engine, tables: tables.digest(), model: None };
    let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
    let plan = Plan { users: 150, seed: 11, attacks: Attack::ALL.to_vec(), start: start_of(11), days: 60 };
    let limits = Limits::default();
    let mut enricher = Enricher::default();
    let mut profiles = BTreeMap::<_, Profile>::new();
    let mut chain = Digest::ZERO;

    let policies = Policies::choose(Vec::new(), vec![policy.clone()], Some(policy.digest)).unwrap();
    let course = Course {
        policies: &policies,
        shadow: None,
        lifetime: &LIFETIME,
        tables: None,
        from: None,
        to: None,
        only: None,
    };
    let mut lane = Lane::new(false, 0);
    let mut report = Report::new(REVISION, "recorded", None);
    let (mut event, mut decision) = (Vec::new(), Vec::new());
    for (offset, made) in (0..).zip(Stream::new(&plan, World::of(&tables).unwrap()).take(events)) {
        event.clear();
        decision.clear();
        emit::event_json(&made.event, &mut event);
        let decoded = || decode(&event, Format::Json, "none", None, &limits);
        let seen = enricher.enrich(decoded().unwrap().event, &tables);
        let profile = profiles.entry(made.event.user.to_string()).or_default();
        let position = Position { topic: Some("t".into()), partition: 3, offset };
        let before = chain;
        match step(profile, &seen, position, &setting) {
            Stepped::Decided(ruling) => {
                chain = match form {
                    Form::Json => emit::decision_json(&ruling.decision, chain, &mut decision),
                    Form::Avro => emit::decision_avro(&ruling.decision, chain, &mut decision),
                }
            }
            other => panic!("{} gave {other:?}", made.event.id),
        }
        let recorded = match form {
            Form::Json => Recorded::from_json(&decision).unwrap(),
            Form::Avro => Recorded::from_avro(&decision).unwrap(),
        };
        assert_eq!((recorded.facts, recorded.chain, recorded.offset), (seen.facts, chain, offset));
        let mut body = Vec::new();
        match form {
            Form::Json => Stored::from_json(&decision).unwrap().body(&mut body).unwrap(),
            Form::Avro => body.extend_from_slice(split_chain(&decision).unwrap().0),
        }
        assert_eq!(next_chain(before, &body), chain, "{}", String::from_utf8_lossy(&decision));
        let published = Published::Decision(&recorded, &decision, form);
        let given =
            Given { partition: 3, offset, line: None, recorded_at: None, decoded: decoded(), published };
        lane.take(given, &course, &mut report).unwrap();
    }
    assert_eq!(report.reproduction.first_difference, None);
    let count = events as u64;
    assert_eq!(
        (report.decisions, report.reproduction.equal, report.reproduction.different),
        (count, count, 0)
    );
    report
}

#[test]
fn twenty_thousand_decisions_come_out_again() {
    check(20_000, Form::Json, REVISION);
    check(5_000, Form::Avro, REVISION);
}

#[test]
fn another_engine_that_decides_the_same_reproduces() {
    let report = check(200, Form::Json, "0.0.0");
    assert_eq!(report.reproduction.other_engines.iter().collect::<Vec<_>>(), ["0.0.0"]);
}
