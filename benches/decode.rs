//! What one event costs to read and one decision to write, without anything between.
//!
//! `cargo bench --bench decode`. The machine decides the figures; compare runs on the same one.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on must fail loudly"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::model::decision::{Basis, Decision, Reason, UserRisk};
use wardstream::model::evidence::Evidence;
use wardstream::model::id::{Digest, Id128, Position};
use wardstream::model::observation::Facts;
use wardstream::model::place::{Coordinates, Country};
use wardstream::model::signal::{Centibans, Severity, Signal};
use wardstream::model::time::Timestamp;
use wardstream::model::{
    Action, Browser, DeviceKind, EventType, Factor, Factors, History, Learned, Level, Mode, Os, PlaceSource,
};

const LOGIN: &str = r#"{"event_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","tenant":"acme","user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00.123Z","source":"okta","ip_address":"81.2.69.142","user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36","device_fingerprint":"d-41f0c2","session_id":"s-9b1deb4d","app":"payroll","outcome":"success","factors":["password","totp"]}"#;

fn reading(c: &mut Criterion) {
    let limits = Limits::default();
    let batch = batch(200);
    let mut group = c.benchmark_group("decode");
    for (name, json) in [("login", LOGIN), ("batch of 400 points", batch.as_str())] {
        let datum = datum(json);
        let record = [single_object_header().as_slice(), datum.as_slice()].concat();
        let forms: [(&str, &[u8], Format); 3] = [
            ("json", json.as_bytes(), Format::Json),
            ("avro", &record, Format::Avro),
            ("bare", &datum, Format::AvroBare),
        ];
        for (form, bytes, format) in forms {
            assert!(decode(bytes, format, "0", None, &limits).is_ok(), "{name} {form}");
            group.throughput(Throughput::Bytes(bytes.len() as u64));
            group.bench_function(format!("{name}/{form}"), |b| {
                b.iter(|| decode(black_box(bytes), format, "0", None, &limits).is_ok())
            });
        }
    }
    group.finish();
}

fn writing(c: &mut Criterion) {
    let quiet = decision(Vec::new());
    let loud = decision(vec![location(), session()]);
    let mut out = Vec::with_capacity(8192);
    let mut group = c.benchmark_group("emit");
    for (name, decision) in [("no reason", &quiet), ("two reasons", &loud)] {
        group.bench_function(format!("{name}/avro and chain"), |b| {
            b.iter(|| {
                out.clear();
                emit::decision_avro(black_box(decision), Digest::ZERO, &mut out)
            })
        });
        group.bench_function(format!("{name}/json and chain"), |b| {
            b.iter(|| {
                out.clear();
                emit::decision_json(black_box(decision), Digest::ZERO, &mut out)
            })
        });
    }
    group.bench_function("time of RFC 3339", |b| {
        b.iter(|| Timestamp::parse(black_box("2026-01-05T09:00:00.123Z")))
    });
    group.finish();
}

fn batch(points: usize) -> String {
    let keys: Vec<_> = (0..points)
        .map(|n| format!(r#"{{"key":"k{}","down_ms":{}.4,"up_ms":{}.6}}"#, n % 30, n * 120, n * 120 + 92))
        .collect();
    let mice: Vec<_> = (0..points)
        .map(|n| format!(r#"{{"t_ms":{}.5,"x":{n},"y":20.25,"kind":"move","button":null}}"#, n * 16))
        .collect();
    format!(
        r#"{{"tenant":"acme","user_id":"ada","type":"behavior","occurred_at":"2026-01-05T09:00:40Z","session_id":"s-9",
            "context":"password","keyboard_events":[{}],"mouse_events":[{}]}}"#,
        keys.join(","),
        mice.join(",")
    )
}

fn datum(json: &str) -> Vec<u8> {
    use apache_avro::types::Value as Avro;
    use serde_json::Value;
    fn avro(value: &Value) -> Avro {
        match value {
            Value::Null => Avro::Null,
            Value::Bool(value) => Avro::Boolean(*value),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Avro::Double(number.as_f64().unwrap_or(0.0)), Avro::Long)
            }
            Value::String(text) => Avro::String(text.clone()),
            Value::Array(list) => Avro::Array(list.iter().map(avro).collect()),
            Value::Object(fields) => {
                Avro::Map(fields.iter().map(|(name, value)| (name.clone(), avro(value))).collect())
            }
        }
    }
    let mut event: Value = serde_json::from_str(json).expect("the event is JSON");
    let time = event["occurred_at"].as_str().and_then(Timestamp::parse).expect("the event has a time");
    event["occurred_at"] = time.micros().into();
    let schema = apache_avro::Schema::parse_str(EVENT).expect("the schema parses");
    let value = avro(&event).resolve(&schema).expect("the event fits the schema");
    apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
        .build()
        .and_then(|writer| writer.write_value_to_vec(value))
        .expect("the event is written")
}

fn single_object_header() -> Vec<u8> {
    let login = decode(LOGIN.as_bytes(), Format::Json, "0", None, &Limits::default()).expect("a login");
    let mut record = Vec::new();
    emit::event_avro(&login.event, &mut record);
    record.truncate(10);
    record
}

const EVENT: &str = include_str!("../schemas/event.avsc");

fn location() -> Reason<'static> {
    reason(
        Signal::UnusualLocation,
        Evidence::Location {
            places: 3,
            nearest_km: 8852,
            spread_km: 50,
            country: Country::parse("AU"),
            country_seen: true,
            radius_km: 50,
        },
    )
}

fn session() -> Reason<'static> {
    let browser = Some((Browser::Chrome, Browser::Firefox));
    reason(Signal::SessionMismatch, Evidence::Session { device: true, browser, os: None, age_s: 600 })
}

fn reason(signal: Signal, evidence: Evidence) -> Reason<'static> {
    Reason {
        signal,
        group: "where",
        points: 30,
        severity: Severity::new(900),
        centibans: Centibans::new(180),
        evidence,
        report_only: false,
    }
}

fn decision(reasons: Vec<Reason<'static>>) -> Decision<'static> {
    Decision {
        decision_id: Id128([0xAB; 16]),
        event_id: "7c9e6679-7425-40de-944b-e07fc1f90ae7".into(),
        tenant: "acme".into(),
        user_id: "ada".into(),
        session_id: Some("s-9b1deb4d".into()),
        occurred_at: Timestamp::from_micros(1_767_603_600_123_000).unwrap_or_default(),
        kind: EventType::Login,
        risk_score: 30,
        risk_level: Level::Medium,
        required: Factors::of(Factor::Password).with(Factor::Totp),
        missing: Factors::NONE,
        action: Action::Allow,
        would: None,
        mode: Mode::Enforce,
        confidence_permille: 800,
        history: History::Mature,
        learned: Learned::Now,
        unknown: vec![Signal::AnomalousBehavior],
        reasons,
        rules: Vec::new(),
        exceptions: Vec::new(),
        shadow: Vec::new(),
        user_risk: UserRisk { level: Level::Low, previous: Level::Low },
        behavior: None,
        evaluation_id: None,
        facts: Facts {
            across: None,
            country: Country::parse("AU"),
            coordinates: Coordinates::new(-33.9, 151.2, 50),
            place_source: Some(PlaceSource::Mmdb),
            asn: Some(1221),
            network_class: None,
            utc_offset_minutes: Some(660),
            browser: Some(Browser::Chrome),
            os: Some(Os::MacOs),
            device: Some(DeviceKind::Desktop),
        },
        basis: Basis { policy: Digest([1; 32]), engine: "1.0.0", tables: Digest([2; 32]), model: None },
        position: Position { topic: Some("identity.events".into()), partition: 3, offset: 812 },
    }
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);
