//! Traces through `ward run`: a record that came with a sampled trace becomes a span of it, whatever it
//! led to goes on in that span, and the collector is told.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use super::broker::Broker;
use super::foreign;
use super::ward::{World, login};
use crate::registry::fake::{Fake, Reply};
use crate::spans::sent;

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PLAIN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// A record of partition 0 with these headers.
fn record(event: &Value, headers: &Value) -> Value {
    let key = format!("acme/{}", event["user_id"].as_str().unwrap_or("ada"));
    json!({ "key": key, "value": event, "partition": 0, "headers": headers })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) => Some(text.clone()),
        Any::IntValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

#[track_caller]
fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not {what} in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[ignore = "needs a broker: make test"]
fn what_a_traced_record_leads_to_goes_on_in_its_span() {
    let fake = Fake::start(|_| Reply::whole(200, b""));
    let tracing = format!("[tracing]\notlp_endpoint = '{}'\n", fake.url());
    let world = World::new(Broker::shared(), 1, &tracing);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0");

    // The same session on another device: a decision, an alert and a revocation.
    let mut thief = login("ada", "e1", 0);
    (thief["type"], thief["app"]) = ("access".into(), "payroll".into());
    thief["device_fingerprint"] = "d-thief".into();
    let mut attributes = json!({ "ce_specversion": "1.0", "ce_id": "e5", "ce_source": "okta",
        "ce_type": "login", "content-type": "application/json", "ce_traceparent": SAMPLED });
    let binary = login("bea", "e5", 1);
    let mut enveloped = json!({ "specversion": "1.0", "id": "e6", "source": "okta", "type": "login",
        "traceparent": SAMPLED, "tracestate": "in=data", "data": login("bea", "e6", 1) });
    let structured = json!({ "content-type": "application/cloudevents+json" });
    let records = [
        record(&login("ada", "e0", 2), &json!({ "traceparent": PLAIN, "tracestate": "a=1" })),
        record(&thief, &json!({ "traceparent": SAMPLED, "tracestate": "rojo=1,congo=2" })),
        record(&login("bea", "e2", 1), &json!({})),
        record(&login("bea", "e3", 1), &json!({ "traceparent": SAMPLED.to_uppercase() })),
        record(&json!({ "broken": true }), &json!({ "traceparent": SAMPLED })),
        record(&binary, &attributes.take()),
        json!({ "key": "acme/bea", "value": enveloped.take(), "partition": 0, "headers": structured }),
        record(&login("ada", "e0", 2), &json!({ "traceparent": SAMPLED })), // a duplicate
    ];
    foreign::produce_raw(&world.broker, &world.topic("events"), &records);
    let decisions = foreign::read(&world.broker, &world.topic("decisions"), 6);
    wait("told", || sent(&fake).len() >= 15);

    let spans = sent(&fake);
    let wholes: Vec<_> = spans.iter().filter(|span| span.name.starts_with("process ")).collect();
    let offsets: Vec<_> =
        wholes.iter().map(|span| attribute(span, "messaging.kafka.offset").unwrap()).collect();
    assert_eq!(offsets, ["1", "4", "5", "6", "7"]);
    for whole in &wholes {
        assert_eq!(whole.name, format!("process {}", world.topic("events")));
        assert_eq!(hex(&whole.trace_id), &SAMPLED[3..35]);
        assert_eq!(hex(&whole.parent_span_id), &SAMPLED[36..52]);
        assert_eq!(attribute(whole, "messaging.consumer.group.name"), Some(world.group()));
        let children: Vec<_> = spans.iter().filter(|span| span.parent_span_id == whole.span_id).collect();
        let names: Vec<_> = children.iter().map(|child| child.name.as_str()).collect();
        assert_eq!(names, ["decide", "commit"]);
        for child in children {
            assert_eq!(child.trace_id, whole.trace_id);
            assert!(child.start_time_unix_nano >= whole.start_time_unix_nano);
            assert!(child.end_time_unix_nano <= whole.end_time_unix_nano);
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let age = now - u128::from(wholes[0].end_time_unix_nano);
    assert!(age < 120_000_000_000, "it ended {age} ns ago");

    let of = |offset: usize| {
        let span = hex(&wholes[offsets.iter().position(|at| *at == offset.to_string()).unwrap()].span_id);
        format!("{}{span}{}", &SAMPLED[..36], &SAMPLED[52..])
    };
    let headers = |records: &[Value], offset: usize| {
        let found = records.iter().find(|record| record["value"]["position"]["offset"] == json!(offset));
        found.unwrap_or_else(|| panic!("nothing of {offset} in {records:?}"))["headers"].clone()
    };
    assert_eq!(headers(&decisions, 0), json!({ "traceparent": PLAIN, "tracestate": "a=1" }));
    let stolen = json!({ "traceparent": of(1), "tracestate": "rojo=1,congo=2" });
    assert_eq!(headers(&decisions, 1), stolen);
    assert_eq!((headers(&decisions, 2), headers(&decisions, 3)), (json!({}), json!({})));
    assert_eq!(headers(&decisions, 5), json!({ "traceparent": of(5) }));
    assert_eq!(headers(&decisions, 6), json!({ "traceparent": of(6), "tracestate": "in=data" }));
    for topic in ["alerts", "revocations"] {
        assert_eq!(foreign::read(&world.broker, &world.topic(topic), 1)[0]["headers"], stolen, "{topic}");
    }
    let rejected = foreign::read(&world.broker, &world.topic("rejected"), 1);
    assert_eq!(rejected[0]["headers"], json!({ "traceparent": of(4) }));
    // What restores a profile has what it always had.
    let profiles = foreign::read_all(&world.broker, &world.topic("profiles"));
    assert!(profiles.iter().all(|record| record["headers"].get("traceparent").is_none()));

    // Who sees the trace sees no person.
    let stolen = wholes[0];
    let decision = decisions.iter().find(|record| record["value"]["event_id"] == "e1").unwrap();
    for (key, field) in [
        ("ward.decision.id", "decision_id"),
        ("ward.action", "action"),
        ("ward.risk.level", "risk_level"),
        ("ward.event.type", "type"),
    ] {
        assert_eq!(attribute(stolen, key).as_deref(), decision["value"][field].as_str(), "{key}");
    }
    assert_eq!(attribute(wholes[1], "ward.outcome").as_deref(), Some("rejected"));
    assert_eq!(attribute(wholes[4], "ward.outcome").as_deref(), Some("duplicate"));
    let said = format!("{spans:?}");
    for private in ["ada", "81.2.69.142", "s-ada", "d-thief"] {
        assert!(!said.contains(private), "a span says `{private}`");
    }

    // What people say of an event takes its trace along into the input.
    let feedback = json!({ "event_id": "f1", "tenant": "acme", "user_id": "ada", "type": "feedback",
        "occurred_at": super::ward::ago(0), "verdict": "safe", "about": { "event_id": "e1" }, "by": "user", "source": "portal" });
    let copied = record(&feedback, &json!({ "traceparent": PLAIN }));
    foreign::produce_raw(&world.broker, &world.topic("feedback"), &[copied]);
    wait("copied", || foreign::read_all(&world.broker, &world.topic("events")).len() == 9);
    let input = foreign::read_all(&world.broker, &world.topic("events"));
    assert_eq!(input[8]["headers"], json!({ "traceparent": PLAIN }));
    let (status, took, log) = ward.end("TERM");
    assert!(status.success() && took < Duration::from_secs(5), "{took:?}: {log}");
}

/// A collector that is away, and one that takes nothing: decisions come all the same, the metric tells,
/// and no line of the log shows what was to open the collector's door.
#[test]
#[ignore = "needs a broker: make test"]
fn without_a_collector_only_spans_are_lost() {
    let mute = Fake::start(|_| Reply::Silence);
    for endpoint in ["http://127.0.0.1:1", &mute.url()] {
        let extra = format!(
            "[tracing]\notlp_endpoint = '{endpoint}'\ntimeout = '200ms'\nrecords_a_second = 5\nheaders_file = 'HEADERS'\n[log]\nfilter = 'trace'\nformat = 'json'\n"
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers");
        std::fs::write(&file, "authorization=Bearer%20s3cr3t-9vKq\n").unwrap();
        let world = World::new(Broker::shared(), 1, &extra.replace("HEADERS", file.to_str().unwrap()));
        let mut ward = world.run("one", &["--workers", "1", "--metrics-listen", "127.0.0.1:0"]);
        ward.says(r#""message":"ready""#);
        let events: Vec<_> = (0..200)
            .map(|n| record(&login("ada", &format!("e{n}"), 200 - n), &json!({ "traceparent": SAMPLED })))
            .collect();
        foreign::produce_raw(&world.broker, &world.topic("events"), &events);
        let decisions = world.decisions_are_the_fold();
        assert_eq!(decisions.len(), 200);
        let is_recorded = |record: &&Value| record["headers"]["traceparent"] != SAMPLED;
        let recorded = decisions.iter().filter(is_recorded).count();
        assert!((5..=100).contains(&recorded), "{recorded} of 200 are recorded at 5 a second");
        ward.says("spans are not taken");
        let (status, took, log) = ward.end("TERM");
        assert!(status.success() && took < Duration::from_secs(5), "{took:?}: {log}");
        assert_eq!(log.lines().find(|line| line.contains("9vKq")), None);
    }
}
