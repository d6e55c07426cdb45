//! Where a trace is read, and what does not depend on it.

use super::*;
use crate::adapters::store::MemoryStore;
use crate::engine::across::Table;
use crate::engine::decode::NO_WRITERS;
use crate::engine::policy::Policy;
use crate::engine::step::{LIFETIME, Setting};
use crate::model::decision::Basis;
use crate::model::id::Digest;
use crate::pipeline::filter::Filter;
use crate::pipeline::lane::{AlertRendering, Lane, Rendering, With};
use crate::pipeline::recover::{Plan, Way};
use crate::ports::ledger::{Mark, Output, Positions, Unit};
use crate::ports::tables::NoTables;

const ONE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[track_caller]
fn check(headers: &[(&str, &str)], expected: Option<(&str, Option<&str>)>) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let found = in_headers(&headers);
    let found = found.as_ref().map(|(parent, state)| (parent.text(), state.as_deref()));
    let expected = expected.map(|(parent, state)| (parent.as_bytes().try_into().unwrap(), state));
    assert_eq!(found, expected);
}

#[test]
fn the_records_own_header_comes_before_the_cloud_events() {
    check(&[], None);
    check(&[("trace", ONE)], None);
    check(&[("traceparent", ONE)], Some((ONE, None)));
    check(&[("ce_traceparent", ONE)], Some((ONE, None)));
    check(&[("ce_traceparent", OTHER), ("traceparent", ONE)], Some((ONE, None)));
    check(&[("ce_traceparent", OTHER), ("traceparent", "01")], Some((OTHER, None)));
    check(&[("traceparent", ONE), ("traceparent", OTHER)], None);
}

#[test]
fn a_state_goes_with_its_parent() {
    check(&[("tracestate", "a=1")], None);
    check(&[("traceparent", ONE), ("tracestate", "a=1")], Some((ONE, Some("a=1"))));
    check(
        &[("tracestate", "a=1"), ("traceparent", ONE), ("tracestate", "b=2")],
        Some((ONE, Some("a=1,b=2"))),
    );
    check(&[("traceparent", ONE), ("ce_tracestate", "a=1")], Some((ONE, None)));
    check(&[("traceparent", ONE), ("tracestate", "a")], Some((ONE, None)));
}

#[test]
fn a_structured_event_says_it_itself() {
    let value = format!(r#"{{"specversion":"1.0","tracestate":"a=1","traceparent":"{ONE}","data":{{}}}}"#);
    let of = |headers: &[Header<'_>], format| {
        let value = Some(value.as_bytes());
        let record = Record { partition: 0, offset: 0, recorded_at: None, key: None, value, headers };
        stated(&record, format).map(|(parent, state)| (parent.text().to_vec(), state.unwrap()))
    };
    let one = Some((ONE.as_bytes().to_vec(), "a=1".into()));
    assert_eq!(of(&[], Format::CloudEvents), one);
    assert_eq!(of(&[("Content-Type", b"application/cloudevents+json; charset=utf-8")], Format::Avro), one);
    assert_eq!(of(&[], Format::Json), None);
    assert_eq!(in_envelope(b"{}"), None);
    assert_eq!(in_envelope(&value.as_bytes()[..value.len() - 1]), None);
}

/// Admits every other record.
#[derive(Debug, Default)]
struct Every(std::cell::Cell<u64>);

impl Tracer for Every {
    fn reader(&self) -> &'static str {
        "ward"
    }

    fn now(&self) -> Tick {
        self.0.set(self.0.get() + 1);
        Tick(std::time::Duration::from_secs(self.0.get()))
    }

    fn admits(&self) -> bool {
        self.0.set(self.0.get() + 1);
        self.0.get() % 2 == 1
    }
}

/// What a lane makes of three events and one that is none, with and without anybody who traces.
fn unit(tracer: Option<&dyn Tracer>) -> std::sync::Arc<Unit> {
    let settings =
        Settings { alerts: AlertRendering::Avro, revocations: Rendering::Avro, ..Settings::plain() };
    let mark = Mark { offset: 0, chain: Digest::ZERO };
    let plan = Plan { mark, positions: Positions::default(), way: Way::Fresh, gap: None };
    let mut lane = Lane::new(0, settings.into(), &plan, Filter::new(7), 0);
    lane.started();
    let (policy, store) = (Policy::shipped("default").unwrap(), MemoryStore::new());
    let basis =
        Basis { policy: policy.digest, engine: crate::engine::REVISION, tables: Digest::ZERO, model: None };
    let with = With {
        setting: Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME },
        tables: &NoTables,
        across: &Table::default(),
        store: &store,
        writers: &NO_WRITERS,
        tracer,
        stages: None,
    };
    let headers: &[Header<'_>] = &[("traceparent", ONE.as_bytes()), ("tracestate", b"a=1")];
    for (offset, headers) in (0..).zip([headers, &[], headers, headers]) {
        let value = match offset {
            3 => "{}".to_owned(),
            _ => format!(
                r#"{{"event_id":"{offset}","tenant":"acme","user_id":"ada","type":"login","outcome":"success",
                    "occurred_at":"2026-01-05T09:0{offset}:00Z"}}"#
            ),
        };
        let (key, value) = (Some(b"acme/ada".as_slice()), Some(value.as_bytes()));
        let record = Record { partition: 0, offset, recorded_at: None, key, value, headers };
        lane.offer(&record, &with).unwrap();
    }
    lane.seal().unwrap()
}

#[test]
fn what_is_decided_does_not_depend_on_who_traces() {
    let tracer = Every::default();
    let (traced, plain) = (unit(Some(&tracer)), unit(None));
    assert_eq!((traced.from, traced.to), (plain.from, plain.to));
    let bytes = |unit: &Unit| -> Vec<_> {
        let records = unit.records();
        records.map(|one| (one.output, one.offset, one.key.to_vec(), one.value.map(<[u8]>::to_vec))).collect()
    };
    assert_eq!(bytes(&traced), bytes(&plain));
    assert!(plain.traces().is_empty() && plain.records().all(|one| one.trace.is_none()));
}

#[test]
fn outputs_carry_on_from_the_span_or_from_where_the_record_came() {
    let tracer = Every::default();
    let unit = unit(Some(&tracer));
    let carried: Vec<_> = unit
        .records()
        .map(|one| (one.output, one.offset, one.trace.map(|trace| trace.onward.text().to_vec())))
        .collect();
    let parent = TraceParent::parse(ONE.as_bytes()).unwrap();
    let from =
        |offset| Some(parent.from(span_id(parent, "ward", "identity.events", 0, offset)).text().to_vec());
    // The first is admitted at 1, received at 2 and decided at 3; the next is asked for at 4 and not.
    assert_eq!(
        carried.get(..4).unwrap(),
        [
            (Output::Decisions, 0, from(0)),
            (Output::Decisions, 1, None),
            (Output::Decisions, 2, Some(ONE.as_bytes().to_vec())),
            (Output::Rejected, 3, from(3)),
        ]
    );
    assert!(carried.iter().skip(4).all(|(output, _, trace)| *output == Output::Profiles && trace.is_none()));
    let [first, second, third] = unit.traces() else { panic!("{:?}", unit.traces()) };
    let recorded = first.record.as_ref().unwrap();
    let seconds = |tick: Tick| tick.0.as_secs();
    assert_eq!((recorded.parent, seconds(recorded.received), seconds(recorded.decided)), (parent.span, 2, 3));
    assert!(matches!(recorded.became, Became::Decided { score: 0, .. }), "{recorded:?}");
    assert_eq!(second.record, None);
    assert!(matches!(third.record.as_ref().unwrap().became, Became::Rejected(_)));
    assert!(unit.traces().iter().all(|trace| trace.state.as_deref() == Some("a=1")));
}
