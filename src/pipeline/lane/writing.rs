//! Writing: a ruling becomes the records of the open unit.

use super::{AlertRendering, Lane, Offered, Settings, With};
use crate::engine::across::tell;
use crate::engine::emit;
use crate::model::EventType;
use crate::model::across::Sightings;
use crate::model::decision::Ruling;
use crate::model::id::Digest;
use crate::model::observation::Observation;
use crate::ports::ledger::Output;
use crate::ports::stages::Stage;

impl Lane {
    /// What a ruling says, into the open unit, and what becomes of the chain.
    pub(super) fn write(
        &mut self,
        offset: i64,
        key: &[u8],
        kind: EventType,
        ruling: &Ruling<'_>,
        settings: &Settings,
        with: &With<'_>,
    ) -> (Offered, Digest) {
        let unit = &mut self.open.unit;
        let (chain, at) = (self.tip.chain, unit.key(key));
        let decision = &ruling.decision;
        let chain = unit.push(Output::Decisions, offset, at.clone(), |out| {
            let avro = |out: &mut Vec<u8>| {
                let unchained = emit::decision_unchained(decision, out);
                with.lap(Stage::Emit);
                let chain = unchained.chain(chain, out);
                with.lap(Stage::Chain);
                chain
            };
            settings.decisions.write(out, avro, |out| emit::decision_json(decision, chain, out))
        });
        if let Some(alert) = &ruling.alert {
            unit.push(Output::Alerts, offset, at.clone(), |out| match settings.alerts {
                AlertRendering::Avro => emit::alert_avro(alert, out),
                AlertRendering::Json => emit::alert_json(alert, out),
                AlertRendering::Ocsf => emit::alert_ocsf(alert, out),
                AlertRendering::Ecs => emit::alert_ecs(alert, out),
                AlertRendering::Confluent(id) => {
                    emit::confluent(id, out, |out| emit::alert_avro(alert, out));
                }
            });
        }
        for revocation in &ruling.revocations {
            unit.push(Output::Revocations, offset, at.clone(), |out| {
                let avro = |out: &mut Vec<u8>| emit::revocation_avro(revocation, out);
                settings.revocations.write(out, avro, |out| emit::revocation_json(revocation, out));
            });
        }
        with.lap(Stage::Emit);
        let offered = Offered::Decided {
            id: decision.decision_id,
            kind,
            action: decision.action,
            level: decision.risk_level,
            score: decision.risk_score,
            alert: ruling.alert.is_some(),
            revocations: u8::try_from(ruling.revocations.len()).unwrap_or(u8::MAX),
        };
        (offered, chain)
    }

    /// What the event shows across users.
    pub(super) fn tell(&mut self, offset: i64, seen: &Observation<'_>, sightings: Sightings) {
        let unit = &mut self.open.unit;
        tell(seen, sightings, |key, sighting| {
            unit.tally.sighted();
            let at = unit.key(key);
            unit.push(Output::Sightings, offset, at, |out| emit::sighting_avro(sighting, out));
        });
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use crate::adapters::store::MemoryStore;
    use crate::engine::across::Table;
    use crate::engine::decode::NO_WRITERS;
    use crate::engine::policy::Policy;
    use crate::engine::step::{LIFETIME, Setting};
    use crate::model::decision::Basis;
    use crate::model::id::Digest;
    use crate::pipeline::filter::Filter;
    use crate::pipeline::lane::{Lane, Offered, Rendering, Settings, With};
    use crate::pipeline::recover::{Plan, Way};
    use crate::pipeline::wire;
    use crate::ports::ledger::{Mark, Output, Positions};
    use crate::ports::source::Record;
    use crate::ports::stages::{Stage, Stopwatch};
    use crate::ports::tables::NoTables;

    /// Notes the laps.
    #[derive(Debug, Default)]
    struct Notes(RefCell<Vec<Stage>>);

    impl Stopwatch for Notes {
        fn lap(&self, stage: Stage) {
            self.0.borrow_mut().push(stage);
        }
    }

    /// A lane that was offered one record, and what became of it.
    fn offered(value: &str, notes: &Notes) -> (Lane, Offered) {
        let (policy, store) = (Policy::shipped("default").unwrap(), MemoryStore::new());
        let basis = Basis {
            policy: policy.digest,
            engine: crate::engine::REVISION,
            tables: Digest::ZERO,
            model: None,
        };
        let settings = Settings { decisions: Rendering::Avro, ..Settings::plain() };
        let plan =
            Plan { mark: Mark::default(), positions: Positions::default(), way: Way::Fresh, gap: None };
        let mut lane = Lane::new(0, Arc::new(settings), &plan, Filter::new(7), 0);
        lane.started();
        let with = With {
            setting: Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME },
            tables: &NoTables,
            across: &Table::default(),
            store: &store,
            writers: &NO_WRITERS,
            tracer: None,
            stages: Some(notes),
        };
        let (key, value) = (Some(b"acme/ada".as_slice()), Some(value.as_bytes()));
        let record = Record { partition: 0, offset: 0, recorded_at: None, key, value, headers: &[] };
        let offered = lane.offer(&record, &with).unwrap();
        (lane, offered)
    }

    #[track_caller]
    fn check(value: &str, expected: &[Stage]) {
        let notes = Notes::default();
        let (_, offered) = offered(value, &notes);
        assert_eq!(matches!(offered, Offered::Decided { .. }), !expected.is_empty(), "{offered:?}");
        assert_eq!(*notes.0.borrow(), expected);
    }

    #[test]
    fn every_stage_of_a_record_is_said_once_it_has_ended() {
        use Stage::{Chain, Decode, Emit, Enrich, Load, Step};
        check(
            r#"{"event_id":"1","tenant":"acme","user_id":"ada","occurred_at":"2026-01-05T09:00:00Z","type":"login","outcome":"success"}"#,
            // What follows a decision is the emitting of alerts and revocations.
            &[Decode, Enrich, Load, Step, Emit, Chain, Emit],
        );
        check("no event", &[]);
    }

    #[test]
    fn a_unit_that_only_rejects_leaves_its_mark_in_the_changelog() {
        let (mut lane, _) = offered("no event", &Notes::default());
        let unit = lane.seal().unwrap();
        let outputs: Vec<_> = unit.records().map(|record| record.output).collect();
        assert_eq!(outputs, [Output::Rejected, Output::Profiles]);
        assert_eq!(unit.records().last().unwrap().key, wire::MARK_KEY);
        assert_eq!(unit.to, Mark { offset: 1, chain: Digest::ZERO });
    }
}
