//! What the exporter of spans does with collectors that behave, and with those that do not.
#![expect(clippy::disallowed_methods, reason = "a test waits, with a deadline")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use wardstream::adapters::otlp::{About, Exporter, Settings};
use wardstream::adapters::registry::Variable;
use wardstream::model::id::Digest;
use wardstream::model::trace::TraceParent;
use wardstream::ports::clock::Tick;
use wardstream::ports::ledger::{Mark, Unit};
use wardstream::ports::tracer::{Became, Recorded, Trace, Tracer as _};
use wardstream::runtime::stop::ProcessClock;
use wardstream::telemetry::Spans;

use crate::registry::fake::{Fake, Reply};

/// What a collector was sent.
pub fn sent(fake: &Fake) -> Vec<Span> {
    let requests = fake.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(&*body).unwrap());
    let resources = requests.flat_map(|request| request.resource_spans);
    resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
}

fn started(settings: &Settings) -> (Spans, Exporter) {
    let clock = Arc::new(ProcessClock::default());
    let (spans, from) = Spans::new("ward".into(), Arc::clone(&clock) as _, 1_000);
    let about = About {
        service: "wardstream".into(),
        instance: "one".into(),
        group: "ward".into(),
        topic: "identity.events".into(),
    };
    let collector = settings.open(&|_| Some("authorization=Bearer%20s3cret,x-more=1".into()));
    (spans, Exporter::start(collector.unwrap().unwrap(), about, clock, from).unwrap())
}

fn to(url: String) -> Settings {
    Settings {
        otlp_endpoint: Some(url),
        headers: Variable(Some("H".into())),
        timeout: Duration::from_millis(300),
        ..Settings::default()
    }
}

/// A unit with so many traced records.
fn unit(records: i64) -> Unit {
    let mut unit = Unit::default();
    unit.reset(0, 0, Mark { offset: 0, chain: Digest::ZERO });
    for offset in 0..records {
        let onward =
            TraceParent { trace: [1; 16], span: offset.to_be_bytes().map(|byte| byte | 1), flags: 1 };
        let (received, decided) = (Tick::default(), Tick::default());
        let record = Some(Recorded { parent: [2; 8], received, decided, became: Became::Duplicate });
        unit.note(Some(Trace { offset, onward, state: None, record }));
    }
    unit
}

#[track_caller]
fn wait(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not {what} in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn spans_arrive_with_the_headers_and_what_is_left_is_sent_at_the_end() {
    let fake = Fake::start(|_| Reply::whole(200, b""));
    let (spans, exporter) = started(&to(fake.url()));
    spans.committed(&unit(2), spans.now(), spans.now());
    wait("sent", || !fake.asked().is_empty());
    let asked = fake.asked().remove(0).to_lowercase();
    assert!(asked.starts_with("post /v1/traces http/1.1\r\n"), "{asked}");
    for header in ["content-type: application/x-protobuf", "authorization: bearer s3cret", "x-more: 1"] {
        assert!(asked.contains(&format!("{header}\r\n")), "no `{header}`: {asked}");
    }
    assert_eq!(sent(&fake).len(), 6);

    // More than a batch, a moment before the end.
    spans.committed(&unit(600), spans.now(), spans.now());
    exporter.finish(Duration::from_secs(20));
    assert_eq!(sent(&fake).len(), 6 + 1_800);
}

#[test]
fn a_certificate_must_be_of_the_authority_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start_tls(folder.path(), |_| Reply::whole(200, b""));
    for (file, expected) in [("other.pem", 0), ("ca.pem", 3)] {
        let settings = Settings { ca_file: Some(folder.path().join(file)), ..to(fake.url()) };
        let (spans, exporter) = started(&settings);
        spans.committed(&unit(1), spans.now(), spans.now());
        exporter.finish(Duration::from_secs(20));
        assert_eq!(sent(&fake).len(), expected, "{file}");
    }
}

/// Whatever a collector does: who records never waits, and the end comes in time.
#[test]
fn no_collector_holds_anybody_up() {
    let replies: [fn() -> Reply; 8] = [
        || Reply::Silence,
        || Reply::Drip,
        || Reply::EndlessBody,
        || Reply::EndlessHead,
        || Reply::HangUp,
        || Reply::Cut,
        || Reply::Redirect("http://127.0.0.1:1/"),
        || Reply::whole(503, b""),
    ];
    for reply in replies {
        let fake = Fake::start(move |_| reply());
        let (spans, exporter) = started(&to(fake.url()));
        let unit = unit(10_000);
        let began = Instant::now();
        spans.committed(&unit, spans.now(), spans.now());
        assert!(
            began.elapsed() < Duration::from_millis(500),
            "{:?}: recording took {:?}",
            reply(),
            began.elapsed()
        );
        wait("asked", || !fake.asked().is_empty());
        let began = Instant::now();
        exporter.finish(Duration::from_millis(400));
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}: the end took {:?}",
            reply(),
            began.elapsed()
        );
    }
}

/// One that comes back is given what it had no time for.
#[test]
fn what_a_collector_could_not_take_is_sent_again() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let fake = Fake::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => Reply::whole(503, b""),
        _ => Reply::whole(200, b""),
    });
    let (spans, exporter) = started(&to(fake.url()));
    spans.committed(&unit(1), spans.now(), spans.now());
    wait("sent again", || fake.bodies().len() == 2);
    let bodies = fake.bodies();
    assert_eq!(bodies[0], bodies[1]);
    exporter.finish(Duration::from_secs(20));
}
