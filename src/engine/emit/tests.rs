//! Every Avro record below is read by apache-avro with its schema and by us, and compared.
//!
//! The forms of a decision, its chain, and that every word finds its place in its schema.

use serde_json::{Value, json};

use super::*;
use crate::engine::schema::CURRENT;
use crate::model::decision::{Basis, BehaviorVerdict, Reason, RuleHit, Shadow, UserRisk};
use crate::model::evidence::Evidence;
use crate::model::id::{Id128, Position};
use crate::model::observation::Facts;
use crate::model::place::{Coordinates, Country};
use crate::model::signal::{Centibans, Severity, Signal};
use crate::model::time::Timestamp;
use crate::model::{
    Action, AlertKind, Browser, DeviceKind, EventType, Factor, Factors, History, Learned, Level, Mode,
    NetworkClass, Os, PlaceSource, Reject, RevocationScope, RevokedBy,
};

/// apache-avro finds the same in the datum as we do, and nothing behind it.
pub(super) fn agrees(subject: &Subject, datum: &[u8]) {
    use std::collections::BTreeMap;
    use std::sync::LazyLock;
    static THEIRS: LazyLock<BTreeMap<&str, apache_avro::Schema>> = LazyLock::new(|| {
        CURRENT.iter().map(|(name, text)| (*name, apache_avro::Schema::parse_str(text).unwrap())).collect()
    });
    let reader =
        apache_avro::reader::datum::GenericDatumReader::builder(&THEIRS[subject.name()]).build().unwrap();
    let mut rest = datum;
    let theirs = crate::engine::avro::shown(&reader.read_value(&mut rest).unwrap());
    let Any(ours) = crate::engine::avro::from_datum(datum, subject.current().unwrap()).unwrap();
    assert_eq!((ours, rest.len()), (theirs, 0), "{}", subject.name());
}

/// The decision of the design's page.
fn decision() -> Decision<'static> {
    let required = [Factor::Password, Factor::Totp, Factor::Biometric, Factor::HardwareKey];
    let missing = [Factor::Biometric, Factor::HardwareKey];
    Decision {
        decision_id: Id128([0xAB; 16]),
        event_id: "7c".into(),
        tenant: "acme".into(),
        user_id: "ada".into(),
        session_id: Some("s-9".into()),
        occurred_at: Timestamp::parse("2026-01-05T09:00:00Z").unwrap(),
        kind: EventType::Login,
        risk_score: 55,
        risk_level: Level::High,
        required: required.into_iter().collect(),
        missing: missing.into_iter().collect(),
        action: Action::StepUp,
        would: None,
        mode: Mode::Enforce,
        confidence_permille: 800,
        history: History::Mature,
        learned: Learned::Held,
        unknown: vec![Signal::UnusualTime],
        reasons: vec![Reason {
            signal: Signal::UnusualLocation,
            group: "where",
            points: 30,
            severity: Severity::new(900),
            centibans: Centibans::new(180),
            evidence: Evidence::Location {
                places: 3,
                nearest_km: 8852,
                spread_km: 50,
                country: Country::parse("AU"),
                country_seen: true,
                radius_km: 50,
            },
            report_only: false,
        }],
        rules: vec![RuleHit { id: "abroad-admin", action: Action::Deny, report_only: true }],
        exceptions: vec!["office-vpn"],
        shadow: vec![Shadow {
            by: "evidence",
            risk_score: 61,
            risk_level: Level::High,
            action: Action::StepUp,
        }],
        user_risk: UserRisk { level: Level::High, previous: Level::Low },
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

#[test]
fn the_json_of_a_decision() {
    let mut out = b"before".to_vec();
    let chain = decision_json(&decision(), Digest::ZERO, &mut out);
    let (policy, tables) = ("01".repeat(32), "02".repeat(32));
    let expected = format!(
        concat!(
            r#"before{{"decision_id":"abababababababababababababababab","event_id":"7c","tenant":"acme","user_id":"ada","#,
            r#""session_id":"s-9","occurred_at":"2026-01-05T09:00:00Z","type":"login","risk_score":55,"risk_level":"high","#,
            r#""required_auth_factors":["password","totp","biometric","hardware_key"],"#,
            r#""missing_auth_factors":["biometric","hardware_key"],"action":"step_up","would":null,"mode":"enforce","#,
            r#""confidence":0.8,"history":"mature","learned":"held","unknown":["unusual_time"],"#,
            r#""reasons":[{{"signal":"unusual_location","group":"where","points":30,"severity":900,"centibans":180,"#,
            r#""before":{{"places":3,"nearest_km":8852,"spread_km":50}},"now":{{"country":"AU","radius_km":50}},"#,
            r#""text":"8852 km from the nearest of 3 usual places","report_only":false}}],"#,
            r#""rules":[{{"id":"abroad-admin","action":"deny","report_only":true}}],"exceptions":["office-vpn"],"#,
            r#""shadow":[{{"by":"evidence","risk_score":61,"risk_level":"high","action":"step_up"}}],"#,
            r#""user_risk":{{"level":"high","previous":"low"}},"behavior":null,"evaluation_id":null,"#,
            r#""facts":{{"country":"AU","latitude":-33.9,"longitude":151.2,"radius_km":50,"place_source":"mmdb","#,
            r#""asn":1221,"network_class":null,"utc_offset_minutes":660,"browser":"Chrome","os":"macOS","device":"desktop","across":null}},"#,
            r#""basis":{{"policy":"sha256:{}","engine":"1.0.0","tables":"sha256:{}","model":null}},"#,
            r#""position":{{"topic":"identity.events","partition":3,"offset":812}},"chain":"{}"}}"#,
        ),
        policy, tables, chain
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let page = include_str!("../../../docs/decisions.md");
    let shown = expected.trim_start_matches("before");
    assert!(page.contains(shown), "docs/decisions.md shows another one than {shown}");
}

#[test]
fn a_chain_that_anyone_can_check() {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let one = decision_avro(&decision(), Digest::ZERO, &mut first);
    let two = decision_avro(&decision(), one, &mut second);
    assert_ne!(one, two);

    // By hand: the datum without its last 66 bytes, then the length of an empty text.
    let (datum, tail) = first[HEADER_BYTES..].split_at(first.len() - HEADER_BYTES - 66);
    assert_eq!(tail, [&[0x80, 0x01], one.to_string().as_bytes()].concat());
    let hashed = [[0; 32].as_slice(), datum, &[0]].concat();
    assert_eq!(blake3::hash(&hashed).as_bytes(), &one.0);

    assert_eq!(read_mark(&first), Some(DecisionMark { offset: 812, chain: one }));
    assert_eq!(read_mark(&second), Some(DecisionMark { offset: 812, chain: two }));
    assert_eq!(read_mark(&second[..second.len() - 1]), None);
    assert_eq!(read_mark(b"{}"), None);
    assert_eq!(decision_json(&decision(), one, &mut Vec::new()), two);
}

#[test]
fn a_reused_buffer_gives_the_same_bytes() {
    let mut out = Vec::with_capacity(4096);
    let before = out.as_ptr();
    decision_avro(&decision(), Digest::ZERO, &mut out);
    decision_avro(&decision(), Digest::ZERO, &mut out);
    assert_eq!(out.as_ptr(), before);
    let (first, second) = out.split_at(out.len() / 2);
    assert_eq!(first, second);
}

#[test]
fn symbols_stand_in_the_order_of_the_words() {
    #[track_caller]
    fn check(set: &str, words: &[&str]) {
        let mut found = 0;
        for (name, text) in CURRENT {
            if *name == "event" {
                continue; // read by name, never written by place
            }
            enums(&serde_json::from_str(text).unwrap(), &mut |schema| {
                if schema["name"] == set {
                    let symbols: Vec<_> = schema["symbols"].as_array().unwrap().iter().collect();
                    let symbols = symbols.iter().map(|symbol| symbol.as_str().unwrap()).collect::<Vec<_>>();
                    let (last, before) = symbols.split_last().unwrap();
                    assert_eq!(*last, "other", "{set} of {name}");
                    assert!(symbols == words || before == words, "{set} of {name}: {symbols:?}");
                    found += 1;
                }
            });
        }
        assert!(found > 0, "{set} is in no schema");
    }
    macro_rules! all {
        ($($set:ident $name:literal),+) => {
            $(check($name, &$set::ALL.iter().map(|word| word.name()).collect::<Vec<_>>());)+
        };
    }
    all!(Action "Action", AlertKind "AlertKind", DeviceKind "DeviceKind", EventType "EventType", Factor "Factor",
        History "History", Learned "Learned", Level "Level", Mode "Mode", NetworkClass "NetworkClass",
        PlaceSource "PlaceSource", Reject "RejectReason", RevocationScope "RevocationScope", RevokedBy "RevokedBy");
}

fn enums(schema: &Value, each: &mut dyn FnMut(&Value)) {
    match schema {
        Value::Array(list) => list.iter().for_each(|item| enums(item, each)),
        Value::Object(object) => {
            if schema["type"] == "enum" {
                each(schema);
            }
            object.values().for_each(|value| enums(value, each));
        }
        _ => {}
    }
}

#[track_caller]
fn same(avro: &[u8], json: &[u8]) -> Value {
    let avro = to_value(avro).expect("it is a record of ours");
    assert_eq!(avro, serde_json::from_slice::<Value>(json).unwrap());
    avro
}

#[test]
fn both_forms_say_the_same() {
    let sparse = Decision {
        session_id: None,
        would: Some(Action::Revoke),
        behavior: Some(BehaviorVerdict {
            risk_score: 25,
            anomaly_detected: true,
            recommended_action: Action::Challenge,
        }),
        evaluation_id: Some("q".into()),
        required: Factors::NONE,
        missing: Factors::NONE,
        unknown: Vec::new(),
        reasons: Vec::new(),
        rules: Vec::new(),
        exceptions: Vec::new(),
        shadow: Vec::new(),
        facts: Facts { network_class: Some(NetworkClass::Satellite), ..Facts::default() },
        basis: Basis { model: Some(Digest([3; 32])), ..decision().basis },
        position: Position { topic: None, partition: 0, offset: i64::MAX },
        ..decision()
    };
    for decision in [decision(), sparse] {
        let (mut avro, mut json) = (Vec::new(), Vec::new());
        decision_avro(&decision, Digest::ZERO, &mut avro);
        decision_json(&decision, Digest::ZERO, &mut json);
        same(&avro, &json);
    }
}

#[test]
fn alerts_and_revocations() {
    let reasons = decision().reasons;
    let alert = Alert {
        alert_id: Id128([1; 16]),
        kind: AlertKind::RiskLevel,
        update: u32::MAX,
        tenant: "acme".into(),
        user_id: "ada".into(),
        session_id: None,
        opened_at: Timestamp::EPOCH,
        occurred_at: decision().occurred_at,
        decision_id: Id128([2; 16]),
        event_id: "7c".into(),
        risk_score: 100,
        risk_level: Level::High,
        action: Action::Revoke,
        user_risk: decision().user_risk,
        cause: Some("used_after_revocation"),
        reasons,
        event_type: EventType::Login,
        source: Some("okta".into()),
        ip_address: Some([81, 2, 69, 142].into()),
        facts: decision().facts,
    };
    let (mut avro, mut json) = (Vec::new(), Vec::new());
    alert_avro(&alert, &mut avro);
    alert_json(&alert, &mut json);
    let value = same(&avro, &json);
    assert_eq!(value["kind"], "risk_level");
    assert_eq!(value["opened_at"], "1970-01-01T00:00:00Z");
    assert_eq!(value["update"], i32::MAX);

    let revocation = Revocation {
        revocation_id: Id128([1; 16]),
        scope: RevocationScope::TokenFamily,
        tenant: "acme".into(),
        user_id: "ada".into(),
        session_id: Some("s-9".into()),
        source: Some("okta".into()),
        source_user_id: None,
        source_session_id: Some("102".into()),
        not_before: Timestamp::EPOCH,
        reason: "device-changed".into(),
        decision_id: Some(Id128([2; 16])),
        by: RevokedBy::Policy,
        issued_at: decision().occurred_at,
    };
    let (mut avro, mut json) = (Vec::new(), Vec::new());
    revocation_avro(&revocation, &mut avro);
    revocation_json(&revocation, &mut json);
    let value = same(&avro, &json);
    assert_eq!(value["scope"], "token_family");
    assert_eq!(value["by"], "policy");
}

#[test]
fn a_profile_part_comes_back() {
    let part = ProfilePart { part: "journal/7".into(), format: 3, state: &[0, 255, 7] };
    let mut out = Vec::new();
    profile_avro(&part, &mut out);
    assert_eq!(profile_read(&out), Ok(part));

    let reason = |value: &[u8]| profile_read(value).map(|_| ()).map_err(|error| error.reason);
    assert_eq!(reason(&out[..out.len() - 1]), Err(Reject::Malformed));
    assert_eq!(reason(b""), Err(Reject::Malformed));
    out[2] ^= 1;
    assert_eq!(reason(&out), Err(Reject::UnsupportedVersion));
    out[1] = 2;
    assert_eq!(reason(&out), Err(Reject::UnsupportedVersion));
}

#[test]
fn a_rejected_record_keeps_the_start() {
    let rejected = crate::engine::decode::Rejected::new(Reject::Malformed, "no JSON");
    let value = [b"\xFF{\"", vec![b'a'; 20_000].as_slice()].concat();
    let record = RejectedRecord {
        rejected: &rejected,
        position: Position { topic: Some("identity.events".into()), partition: 1, offset: 2 },
        until_offset: None,
        recorded_at: Some(Timestamp::EPOCH),
        key: Some(b"acme/ada"),
        value: &value,
    };
    let (mut avro, mut json) = (Vec::new(), Vec::new());
    rejected_avro(&record, &mut avro);
    rejected_json(&record, &mut json);
    let read = same(&avro, &json);
    assert_eq!(read["length"], json!(20_003));
    assert_eq!(read["value"].as_str().unwrap().chars().count(), 16 * 1024);
    assert!(read["value"].as_str().unwrap().starts_with("ÿ{\"aaa"));
    assert_eq!(read["key"], "acme/ada");
    assert_eq!(read["sha256"].as_str().unwrap().len(), 64);
    let empty = RejectedRecord { key: None, recorded_at: None, value: b"", until_offset: Some(9), ..record };
    let (mut avro, mut json) = (Vec::new(), Vec::new());
    rejected_avro(&empty, &mut avro);
    rejected_json(&empty, &mut json);
    let read = same(&avro, &json);
    assert_eq!(read["sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!((&read["key"], &read["until_offset"]), (&Value::Null, &json!(9)));
}

#[test]
fn lines_are_recorded_alike_however_they_are_written() {
    let basis = decision().basis;
    let all = [
        decision(),
        decision(),
        Decision { basis: Basis { model: Some(Digest([3; 32])), ..basis }, ..decision() },
        Decision { basis: Basis { engine: "}\"{,", ..basis }, ..decision() },
        Decision { basis: Basis { tables: Digest([9; 32]), ..basis }, facts: Facts::default(), ..decision() },
        Decision {
            event_id: ",\"facts\":{\"country\":\"US\"}".into(),
            position: Position { topic: None, partition: i32::MAX, offset: i64::MAX },
            ..decision()
        },
        decision(),
    ];
    let mut lines = RecordedLines::default();
    for (at, decision) in (0_u8..).zip(&all) {
        let mut line = Vec::new();
        decision_json(decision, Digest([at; 32]), &mut line);
        // Keys in another order: nothing of it is as we write it.
        let other = serde_json::from_slice::<Value>(&line).unwrap().to_string();
        assert_ne!(other.as_bytes(), line);
        let recorded = lines.read(&line).unwrap();
        assert_eq!(Recorded::from_json(other.as_bytes()), Ok(recorded.clone()), "line {at}");
        let kept = &recorded.basis;
        assert_eq!((recorded.facts, kept.engine.as_str()), (decision.facts, decision.basis.engine));
        assert_eq!((kept.tables, kept.model), (decision.basis.tables, decision.basis.model));
        assert_eq!(recorded.offset, decision.position.offset);

        // What is cut off, or not hex, is refused after the same basis as well.
        assert!(lines.read(&line[..line.len() - 1]).is_err());
        let text = String::from_utf8(line).unwrap();
        assert!(lines.read(text.replace("\"chain\":\"", "\"chain\":\"x").as_bytes()).is_err());
    }
}

proptest::proptest! {
    /// Whatever is changed in what a replay takes of a line: read quickly, after the same basis was read
    /// before, it is what is read with care.
    #[test]
    fn a_changed_line_is_read_alike_or_refused(at in 0..600_usize, byte in 0x20..0x7f_u8) {
        let mut line = Vec::new();
        decision_json(&decision(), Digest::ZERO, &mut line);
        let tail = memchr::memmem::rfind(&line, b",\"facts\":").unwrap();
        let mut lines = RecordedLines::default();
        lines.read(&line).unwrap();
        let at = tail + at % (line.len() - tail);
        line[at] = byte;
        let quickly = lines.read(&line);
        let mut careful = serde_json::from_slice::<Value>(&line).map(|value| value.to_string());
        if let Ok(text) = &mut careful
            && let Ok(recorded) = &quickly
        {
            let other = Recorded::from_json(text.as_bytes());
            proptest::prop_assert_eq!(other.as_ref(), Ok(recorded));
        }
        proptest::prop_assert!(careful.is_ok() || quickly.is_err(), "{}", String::from_utf8_lossy(&line));
    }
}
