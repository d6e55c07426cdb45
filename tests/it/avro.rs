//! Avro against the other implementation: what we write, apache-avro reads with the published
//! schema and finds the JSON's names and values; what apache-avro writes, we read as that JSON.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::{Codec, Schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use wardstream::engine::across::Told;
use wardstream::engine::decode::{Decoded, Decoder, Format, Limits, Records, decode};
use wardstream::engine::emit;
use wardstream::model::across::{Across, OriginFacts, Sight, Sighting};
use wardstream::model::decision::{
    Alert, Basis, BehaviorVerdict, Decision, Reason, Revocation, RuleHit, Shadow, UserRisk,
};
use wardstream::model::evidence::{Evidence, OriginKind};
use wardstream::model::id::{Digest, Id128, Position};
use wardstream::model::observation::Facts;
use wardstream::model::place::{Coordinates, Country};
use wardstream::model::signal::{Centibans, Severity, Signal};
use wardstream::model::time::Timestamp;
use wardstream::model::{
    Action, AlertKind, Browser, DeviceKind, EventType, Factors, History, Learned, Level, Mode, NetworkClass,
    Os, PlaceSource, RevocationScope, RevokedBy,
};

mod event;

pub use event::event;

pub const EVENT: &str = include_str!("../../schemas/event.avsc");
const DECISION: &str = include_str!("../../schemas/decision.avsc");
const ALERT: &str = include_str!("../../schemas/alert.avsc");
const REVOCATION: &str = include_str!("../../schemas/revocation.avsc");
const SIGHTING: &str = include_str!("../../schemas/sighting.avsc");
const NETWORK: &str = include_str!("../../schemas/network.avsc");
const NETWORK_STATE: &str = include_str!("../../schemas/network-state.avsc");

// ---- what we write ----

/// Reads a record of ours with the published schema, to the last byte.
fn theirs(schema: &str, record: &[u8]) -> Value {
    let schema = Schema::parse_str(schema).unwrap();
    let mut datum = &record[10..];
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let value = reader.read_value(&mut datum).unwrap();
    assert!(datum.is_empty(), "{} bytes follow the datum", datum.len());
    let mut value = Value::try_from(value).unwrap();
    times(&mut value, &|micros| json!(Timestamp::from_micros(micros.as_i64().unwrap()).unwrap().to_string()));
    value
}

const TIMES: [&str; 6] = ["occurred_at", "opened_at", "issued_at", "not_before", "since", "recorded_at"];

fn times(value: &mut Value, change: &dyn Fn(&Value) -> Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if TIMES.contains(&name.as_str()) && !value.is_null() {
                    *value = change(value);
                } else {
                    times(value, change);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| times(value, change)),
        _ => {}
    }
}

fn pick<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> + Clone {
    prop::sample::select(all)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-62_135_596_800_000_000..253_402_207_199_000_000_i64)
        .prop_map(|micros| Timestamp::from_micros(micros).unwrap())
}

fn text() -> impl Strategy<Value = std::borrow::Cow<'static, str>> {
    "\\PC{0,20}|[\"\\\\\n\u{1}é€😀]{1,5}".prop_map(Into::into)
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let browser = prop::option::of(pick(Browser::ALL));
    let os = prop::option::of(pick(Os::ALL));
    let asn = prop::option::of(any::<u32>());
    let country = prop::option::of("[A-Z]{2}".prop_map(|code| Country::parse(&code).unwrap()));
    prop_oneof![
        (any::<(u16, u32, u32, bool, u16)>(), country).prop_map(
            |((places, nearest_km, spread_km, country_seen, radius_km), country)| Evidence::Location {
                places,
                nearest_km,
                spread_km,
                country,
                country_seen,
                radius_km
            }
        ),
        any::<(u32, u64, u32, u32)>().prop_map(|(distance_km, elapsed_s, least_kmh, radii_km)| {
            Evidence::Travel { distance_km, elapsed_s, least_kmh, radii_km }
        }),
        (any::<(u16, bool, bool)>(), asn.clone()).prop_map(|((networks, asn_seen, country_seen), asn)| {
            Evidence::Network { networks, asn, asn_seen, country_seen }
        }),
        (pick(NetworkClass::ALL), asn).prop_map(|(class, asn)| Evidence::Anonymous { class, asn }),
        (any::<(u16, bool, bool, bool)>(), browser.clone(), os.clone()).prop_map(
            |((devices, browser_seen, os_seen, network_seen), browser, os)| Evidence::Device {
                devices,
                browser,
                os,
                browser_seen,
                os_seen,
                network_seen
            }
        ),
        (any::<(bool, u64)>(), browser, os).prop_map(|((device, age_s), browser, os)| Evidence::Session {
            device,
            browser: browser.map(|is| (Browser::Samsung, is)),
            os: os.map(|is| (Os::ChromeOs, is)),
            age_s
        }),
        any::<(u16, u16, bool, u32, u16)>().prop_map(
            |(share_permille, minute_of_day, weekend, logins, usual_minute)| Evidence::Hour {
                share_permille,
                minute_of_day,
                weekend,
                logins,
                usual_minute
            }
        ),
        any::<(u32, u32, u32, u16)>().prop_map(|(batches, learned, deviation_centi, features)| {
            Evidence::Behavior { batches, learned, deviation_centi, features }
        }),
        any::<(u32, u32, u32)>().prop_map(|(failures_centi, threshold_centi, half_life_s)| {
            Evidence::FailedBurst { failures_centi, threshold_centi, half_life_s }
        }),
        any::<(u16, u32, u16)>().prop_map(|(refused, within_s, threshold)| Evidence::Fatigue {
            refused,
            within_s,
            threshold
        }),
        any::<(bool, u32, u32, u32, u32, bool)>().prop_map(
            |(network, stranded, threshold, unknown, tries_centi, at_home)| Evidence::Crowd {
                origin: if network { OriginKind::Network } else { OriginKind::Device },
                stranded,
                threshold,
                failed: stranded,
                unknown,
                succeeded: unknown,
                tries_centi,
                at_home,
            }
        ),
        any::<(u32, u32)>().prop_map(|(users, threshold)| Evidence::Shared { users, threshold }),
        any::<(u64, bool, bool, Option<bool>)>().prop_map(|(since_s, by_device, by_session, event_known)| {
            // An event is named by the feedback itself, which speaks of now.
            let since_s = if event_known.is_some() { 0 } else { since_s };
            Evidence::Reported { since_s, by_device, by_session, event_known }
        }),
    ]
}

fn reason() -> impl Strategy<Value = Reason<'static>> {
    (pick(Signal::ALL), evidence(), any::<(u8, bool)>(), 0..=1000_u32, -1000..=1000_i32).prop_map(
        |(signal, evidence, (points, report_only), severity, centibans)| Reason {
            signal,
            group: "where",
            points,
            severity: Severity::new(severity),
            centibans: Centibans::new(centibans),
            evidence,
            report_only,
        },
    )
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        prop::option::of((-90.0..90.0, -180.0..180.0, any::<u16>())),
        prop::option::of(pick(PlaceSource::ALL)),
        prop::option::of(any::<u32>()),
        prop::option::of(pick(NetworkClass::ALL)),
        prop::option::of(any::<i16>()),
        (
            prop::option::of(pick(Browser::ALL)),
            prop::option::of(pick(Os::ALL)),
            prop::option::of(pick(DeviceKind::ALL)),
            across(),
        ),
    )
        .prop_map(
            |(at, place_source, asn, network_class, utc_offset_minutes, (browser, os, device, across))| {
                Facts {
                    country: Country::parse("NZ").filter(|_| at.is_some()),
                    coordinates: at.and_then(|(latitude, longitude, radius)| {
                        Coordinates::new(latitude, longitude, radius)
                    }),
                    place_source,
                    asn,
                    network_class,
                    utc_offset_minutes,
                    browser,
                    os,
                    device,
                    across,
                }
            },
        )
}

fn across() -> impl Strategy<Value = Option<Across>> {
    let numbers = any::<(u32, u32, u32, u32, u32, u32)>();
    let origin = numbers.prop_map(|(version, failed, unknown, recovered, succeeded, attempts)| OriginFacts {
        version: u64::from(version) << 20,
        failed,
        unknown,
        recovered,
        succeeded,
        attempts,
    });
    let origin = prop::option::of(origin);
    prop::option::of((origin.clone(), origin).prop_map(|(network, device)| Across { network, device }))
}

prop_compose! {
    fn decision()(
        ids in (any::<[u8; 16]>(), text(), text(), prop::option::of(text()), prop::option::of(text())),
        occurred_at in time(),
        words in (pick(EventType::ALL), pick(Level::ALL), pick(Action::ALL), prop::option::of(pick(Action::ALL)),
            pick(Mode::ALL), pick(History::ALL), pick(Learned::ALL)),
        numbers in (0..=100_u8, 0..=1000_u16, any::<u16>(), any::<u16>()),
        lists in (prop::collection::vec(pick(Signal::ALL), 0..4), prop::collection::vec(reason(), 0..4), 0..3_usize),
        facts in facts(),
        behavior in prop::option::of((any::<u8>(), any::<bool>(), pick(Action::ALL))),
        place in (prop::option::of(text()), any::<i32>(), any::<i64>()),
        digests in any::<([u8; 32], [u8; 32], Option<[u8; 32]>)>(),
    ) -> Decision<'static> {
        let (id, event_id, user_id, session_id, evaluation_id) = ids;
        let (kind, risk_level, action, would, mode, history, learned) = words;
        let (risk_score, confidence_permille, required, missing) = numbers;
        let (unknown, reasons, count) = lists;
        let (topic, partition, offset) = place;
        let (policy, tables, model) = digests;
        Decision {
            decision_id: Id128(id), event_id, tenant: "acme".into(), user_id, session_id, occurred_at, kind,
            risk_score, risk_level, required: Factors::from_bits(required), missing: Factors::from_bits(missing),
            action, would, mode, confidence_permille, history, learned, unknown, reasons,
            rules: vec![RuleHit { id: "rule", action, report_only: true }; count],
            exceptions: vec!["office-vpn"; count],
            shadow: vec![Shadow { by: "evidence", risk_score, risk_level, action }; count],
            user_risk: UserRisk { level: risk_level, previous: Level::Low },
            behavior: behavior.map(|(risk_score, anomaly_detected, recommended_action)| BehaviorVerdict {
                risk_score, anomaly_detected, recommended_action,
            }),
            evaluation_id, facts,
            basis: Basis { policy: Digest(policy), engine: "1.0.0", tables: Digest(tables), model: model.map(Digest) },
            position: Position { topic, partition, offset },
        }
    }
}

proptest! {
    #[test]
    fn apache_avro_reads_our_decisions(decision in decision(), before in any::<[u8; 32]>()) {
        let (mut avro, mut json) = (Vec::new(), Vec::new());
        let chain = emit::decision_avro(&decision, Digest(before), &mut avro);
        prop_assert_eq!(emit::decision_json(&decision, Digest(before), &mut json), chain);
        let json: Value = serde_json::from_slice(&json).unwrap();
        let mark = emit::read_mark(&avro).unwrap();
        prop_assert_eq!((mark.offset, mark.chain), (decision.position.offset, chain));
        prop_assert_eq!(&json["chain"], &json!(chain.to_string()));
        prop_assert_eq!(emit::to_value(&avro), Some(json.clone()));
        prop_assert_eq!(theirs(DECISION, &avro), json);
    }

    #[test]
    fn apache_avro_reads_our_alerts_and_revocations(
        decision in decision(), kind in pick(AlertKind::ALL), scope in pick(RevocationScope::ALL),
        by in pick(RevokedBy::ALL), update in any::<u32>(), at in (time(), time()),
    ) {
        let alert = Alert {
            alert_id: decision.decision_id, kind, update, tenant: decision.tenant.clone(),
            user_id: decision.user_id.clone(), session_id: decision.session_id.clone(), opened_at: at.0,
            occurred_at: at.1, decision_id: decision.decision_id, event_id: decision.event_id.clone(),
            risk_score: decision.risk_score, risk_level: decision.risk_level, action: decision.action,
            user_risk: decision.user_risk, cause: decision.would.map(|_| "used_after_revocation"),
            reasons: decision.reasons.clone(), event_type: decision.kind, source: decision.session_id.clone(),
            ip_address: decision.would.map(|_| [81, 2, 69, 142].into()), facts: decision.facts,
        };
        let (mut avro, mut json) = (Vec::new(), Vec::new());
        emit::alert_avro(&alert, &mut avro);
        emit::alert_json(&alert, &mut json);
        prop_assert_eq!(theirs(ALERT, &avro), serde_json::from_slice::<Value>(&json).unwrap());

        let revocation = Revocation {
            revocation_id: decision.decision_id, scope, tenant: decision.tenant.clone(),
            user_id: decision.user_id.clone(), session_id: decision.session_id.clone(),
            source: decision.evaluation_id.clone(), source_user_id: decision.session_id.clone(),
            source_session_id: decision.evaluation_id.clone(), not_before: at.0, reason: decision.event_id.clone(),
            decision_id: Some(decision.decision_id), by, issued_at: at.1,
        };
        let (mut avro, mut json) = (Vec::new(), Vec::new());
        emit::revocation_avro(&revocation, &mut avro);
        emit::revocation_json(&revocation, &mut json);
        prop_assert_eq!(theirs(REVOCATION, &avro), serde_json::from_slice::<Value>(&json).unwrap());
    }
}

proptest! {
    #[test]
    fn apache_avro_reads_what_network_lanes_write_and_so_do_we(
        sight in pick(Sight::ALL), user in any::<u64>(), at in time(), across in across(), state in any::<Vec<u8>>(),
    ) {
        let sighting = Sighting { sight, user, at };
        let mut avro = Vec::new();
        emit::sighting_avro(&sighting, &mut avro);
        let json = theirs(SIGHTING, &avro);
        prop_assert_eq!(&json["sight"], sight.name());
        prop_assert_eq!(json["user"].as_i64(), Some(user.cast_signed()));
        prop_assert_eq!(emit::sighting_read(&avro), Ok(sighting));

        let facts = across.and_then(|across| across.network).unwrap_or_default();
        let told = Told { facts, until: at };
        avro.clear();
        emit::network_avro(&told, &mut avro);
        prop_assert_eq!(theirs(NETWORK, &avro)["attempts"].as_i64(), Some(i64::from(facts.attempts)));
        prop_assert_eq!(emit::network_read(&avro), Ok(told));

        avro.clear();
        emit::network_state_avro(&state, &mut avro);
        prop_assert!(!theirs(NETWORK_STATE, &avro)["state"].is_null());
        prop_assert_eq!(emit::network_state_read(&avro), Ok(&state[..]));
        // A record of one is none of another, and half of one is none.
        prop_assert!(emit::sighting_read(&avro).is_err() && emit::network_read(&avro).is_err());
        prop_assert!(emit::network_state_read(&avro[..avro.len() - 1]).is_err());
    }
}

// ---- what we read ----

/// The event as apache-avro holds it, by the published schema.
fn resolved(event: &Value, schema: &Schema) -> Avro {
    let mut event = event.clone();
    times(&mut event, &|time| json!(Timestamp::parse(time.as_str().unwrap()).unwrap().micros()));
    avro_of(&event).resolve(schema).unwrap()
}

fn avro_of(value: &Value) -> Avro {
    match value {
        Value::Null => Avro::Null,
        Value::Bool(value) => Avro::Boolean(*value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Avro::Double(number.as_f64().unwrap()), Avro::Long)
        }
        Value::String(text) => Avro::String(text.clone()),
        Value::Array(list) => Avro::Array(list.iter().map(avro_of).collect()),
        Value::Object(fields) => {
            Avro::Map(fields.iter().map(|(name, value)| (name.clone(), avro_of(value))).collect())
        }
    }
}

/// The event as apache-avro writes it, without a header.
pub fn datum(event: &Value) -> Vec<u8> {
    let schema = Schema::parse_str(EVENT).unwrap();
    apache_avro::writer::datum::GenericDatumWriter::builder(&schema)
        .build()
        .unwrap()
        .write_value_to_vec(resolved(event, &schema))
        .unwrap()
}

/// The event in a container file.
pub fn container(event: &Value, codec: Codec) -> Vec<u8> {
    let schema = Schema::parse_str(EVENT).unwrap();
    let mut writer = apache_avro::Writer::with_codec(&schema, Vec::new(), codec).unwrap();
    writer.append_value(resolved(event, &schema)).unwrap();
    writer.into_inner().unwrap()
}

/// Marker and fingerprint of the published schema, then the datum.
pub fn single_object(datum: &[u8]) -> Vec<u8> {
    let login = br#"{"user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z"}"#;
    let mut record = Vec::new();
    emit::event_avro(&ours(login, Format::Json).event, &mut record);
    record.truncate(10);
    assert_eq!(record[..2], [0xC3, 0x01]);
    [record.as_slice(), datum].concat()
}

fn ours(value: &[u8], format: Format) -> Decoded<'_> {
    decode(value, format, "0", None, &Limits::default()).unwrap()
}

proptest! {
    #[test]
    fn we_read_what_apache_avro_writes(event in event()) {
        let json = event.to_string();
        let expected = ours(json.as_bytes(), Format::Json);
        let datum = datum(&event);
        prop_assert_eq!(&ours(&datum, Format::AvroBare), &expected);
        let record = single_object(&datum);
        prop_assert_eq!(&ours(&record, Format::Avro), &expected);
        let decoder = Decoder::with_schema(EVENT).unwrap();
        prop_assert_eq!(decoder.decode(&datum, "0", None, &Limits::default()), Ok(expected));
    }
}

#[test]
fn we_read_container_files() {
    let events: Vec<_> = (0..500)
        .map(|n| json!({"event_id": n.to_string(), "user_id": "ada", "type": "login", "occurred_at": "2026-01-05T09:00:00Z"}))
        .collect();
    let schema = Schema::parse_str(EVENT).unwrap();
    for codec in [Codec::Null, Codec::Deflate(Default::default())] {
        let mut writer = apache_avro::Writer::with_codec(&schema, Vec::new(), codec).unwrap();
        for event in &events {
            writer.append_value(resolved(event, &schema)).unwrap();
        }
        let file = writer.into_inner().unwrap();

        let mut records = Records::open(file.as_slice()).unwrap();
        for event in &events {
            let json = event.to_string();
            let read = records.next("0", &Limits::default()).unwrap().unwrap();
            assert_eq!(read, Ok(ours(json.as_bytes(), Format::Json)));
        }
        assert!(records.next("0", &Limits::default()).unwrap().is_none());

        let mut cut = Records::open(&file[..file.len() - 20]).unwrap();
        while let Ok(Some(read)) = cut.next("0", &Limits::default()) {
            read.unwrap();
        }
        assert!(Records::open(&file[1..]).is_err());
    }
}

#[test]
fn a_bad_event_in_a_file_is_one_bad_event() {
    let schema = Schema::parse_str(EVENT).unwrap();
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
    let points = vec![json!({"key": "k", "down_ms": 0.0, "up_ms": 1.0}); 2001];
    for (user, keys) in [("ada", json!([])), ("ada", json!(points)), ("", json!([])), ("bob", json!([]))] {
        let event = json!({"user_id": user, "type": "behavior", "occurred_at": "2026-01-05T09:00:00Z", "keyboard_events": keys});
        writer.append_value(resolved(&event, &schema)).unwrap();
    }
    let file = writer.into_inner().unwrap();
    let mut records = Records::open(file.as_slice()).unwrap();
    let limits = Limits::default();
    let mut found = Vec::new();
    while let Some(read) = records.next("0", &limits).unwrap() {
        found.push(
            read.map_or_else(|error| error.reason.to_string(), |decoded| decoded.event.user.into_owned()),
        );
    }
    assert_eq!(found, ["ada", "too_many_points", "missing_field", "bob"]);
}
