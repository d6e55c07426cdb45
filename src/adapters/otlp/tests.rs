//! What a batch is, and what an answer means.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::*;
use crate::model::id::Id128;
use crate::model::trace::TraceParent;
use crate::model::{Action, EventType, Level, Reject};
use crate::ports::tracer::{Became, Recorded, Trace};

fn answer(status: u16, headers: &[(HeaderName, &'static str)], body: Vec<u8>) -> Answer {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    Answer { status, headers, body }
}

#[track_caller]
fn check(answer: &Answer, expected: &str) {
    assert_eq!(format!("{:?}", read(answer)), expected);
}

#[test]
fn an_answer_says_what_was_taken_and_whether_to_come_again() {
    let partial = ExportTraceServiceResponse {
        partial_success: Some(ExportTracePartialSuccess { rejected_spans: 2, error_message: "x".into() }),
    };
    check(&answer(200, &[], Vec::new()), "Ok(0)");
    check(&answer(200, &[(CONTENT_TYPE, CONTENT)], partial.encode_to_vec()), "Ok(2)");
    check(&answer(200, &[(CONTENT_TYPE, "application/json")], b"{}".to_vec()), "Ok(0)");
    let none = "Err(Never(\"what answers is no collector; look at the endpoint\"))";
    check(&answer(200, &[(CONTENT_TYPE, "text/html")], b"<html>".to_vec()), none);
    check(&answer(200, &[], b"welcome".to_vec()), none);
    check(&answer(503, &[], Vec::new()), "Err(Later(\"status 503\", None))");
    check(&answer(429, &[(RETRY_AFTER, "7")], Vec::new()), "Err(Later(\"status 429\", Some(7s)))");
    check(&answer(429, &[(RETRY_AFTER, "soon")], Vec::new()), "Err(Later(\"status 429\", None))");
    check(&answer(400, &[], Vec::new()), "Err(Never(\"status 400\"))");
    assert!(format!("{:?}", read(&answer(401, &[], Vec::new()))).contains("give headers"));
}

fn spans(became: Became) -> Vec<Span> {
    let about = About {
        service: "wardstream".into(),
        instance: "one".into(),
        group: "ward".into(),
        topic: "identity.events".into(),
    };
    let at = |millis| Tick(Duration::from_millis(millis));
    let recorded = Recorded { parent: [1; 8], received: at(10), decided: at(11), became };
    let onward = TraceParent { trace: [9; 16], span: [2; 8], flags: 1 };
    let trace = Trace { offset: 42, onward, state: Some("a=1".into()), record: None };
    let processed = Processed { partition: 3, trace, recorded, publishing: at(20), committed: at(25) };
    let request = span::request(&about, &[processed], Duration::from_secs(100));
    request.scope_spans.into_iter().flat_map(|scope| scope.spans).collect()
}

/// As a person reads it.
fn told(span: &Span) -> Vec<String> {
    span.attributes
        .iter()
        .map(|one| {
            let value = one.value.as_ref().unwrap().value.as_ref().unwrap();
            format!("{}={value:?}", one.key)
        })
        .collect()
}

#[test]
fn a_record_is_a_consumers_span_with_two_in_it() {
    let became = Became::Decided {
        id: Id128([7; 16]),
        kind: EventType::Login,
        action: Action::StepUp,
        level: Level::High,
        score: 65,
    };
    let all = spans(became);
    let times: Vec<_> = all
        .iter()
        .map(|span| {
            let millis = |nanos: u64| nanos / 1_000_000;
            (span.name.as_str(), millis(span.start_time_unix_nano), millis(span.end_time_unix_nano))
        })
        .collect();
    assert_eq!(
        times,
        [
            ("process identity.events", 100_010, 100_025),
            ("decide", 100_010, 100_011),
            ("commit", 100_020, 100_025)
        ]
    );
    let [whole, decide, commit] = all.try_into().unwrap();
    assert_eq!((whole.kind, whole.flags), (SpanKind::Consumer.into(), 0x301));
    assert_eq!((whole.span_id.as_slice(), whole.parent_span_id.as_slice()), (&[2; 8][..], &[1; 8][..]));
    assert_eq!(whole.trace_state, "a=1");
    for child in [&decide, &commit] {
        assert_eq!(child.parent_span_id, whole.span_id);
        assert_eq!((child.trace_id.as_slice(), child.flags), (&[9; 16][..], 0x101));
    }
    assert!(decide.span_id != commit.span_id && decide.span_id != whole.span_id);
    let expected = [
        r#"messaging.system=StringValue("kafka")"#,
        r#"messaging.operation.name=StringValue("process")"#,
        r#"messaging.operation.type=StringValue("process")"#,
        r#"messaging.destination.name=StringValue("identity.events")"#,
        r#"messaging.destination.partition.id=StringValue("3")"#,
        r#"messaging.consumer.group.name=StringValue("ward")"#,
        "messaging.kafka.offset=IntValue(42)",
        r#"ward.decision.id=StringValue("07070707070707070707070707070707")"#,
        r#"ward.event.type=StringValue("login")"#,
        r#"ward.action=StringValue("step_up")"#,
        r#"ward.risk.level=StringValue("high")"#,
        "ward.risk.score=IntValue(65)",
        r#"ward.outcome=StringValue("decided")"#,
    ];
    assert_eq!(told(&whole), expected);
}

#[test]
fn what_was_rejected_is_an_error() {
    let whole = &spans(Became::Rejected(Reject::Malformed))[0];
    let status = whole.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "malformed"));
    assert!(told(whole).contains(&r#"error.type=StringValue("malformed")"#.into()));
    assert!(spans(Became::Duplicate)[0].status.is_none());
}
