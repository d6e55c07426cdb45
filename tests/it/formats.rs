//! How events come: in the Confluent wire format by a registry's ids, and in the envelopes of
//! CloudEvents. And what every schema of history still says.

use apache_avro::Schema;
use apache_avro::schema::Name;
use apache_avro::types::Value;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use wardstream::engine::decode::{
    Decoded, Format, Header, How, Limits, NO_WRITERS, Rejected, Writer, Writers, decode,
};
use wardstream::engine::emit::{self, Stored};
use wardstream::model::Reject;

const LOGIN: &str = r#"{"user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z","event_id":"7c","source":"okta","outcome":"success"}"#;

fn read<'a>(value: &'a [u8], how: How<'a>) -> Result<Decoded<'a>, Rejected> {
    decode(value, how, "the position", None, &Limits::default())
}

fn by_id(writers: &Writers) -> How<'_> {
    How { format: Format::Confluent, headers: &[], writers }
}

/// A schema of somebody else's: fewer fields, another order, one that we do not know.
const THEIRS: &str = r#"{"type":"record","name":"Login","namespace":"their","fields":[
    {"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"shoe_size","type":"int"},
    {"name":"type","type":"string"},
    {"name":"user_id","type":"string"}]}"#;

fn theirs() -> Vec<u8> {
    let schema = Schema::parse_str(THEIRS).unwrap();
    let record = Value::Record(vec![
        ("occurred_at".into(), Value::TimestampMillis(1_767_603_600_000)),
        ("shoe_size".into(), Value::Int(38)),
        ("type".into(), Value::String("login".into())),
        ("user_id".into(), Value::String("ada".into())),
    ]);
    let datum = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
    [[0, 0, 0, 1, 2].as_slice(), &datum.write_value_to_vec(record).unwrap()].concat()
}

#[test]
fn a_writers_schema_is_found_by_its_id() {
    let value = theirs();
    let mut writers = Writers::default();
    let told = read(&value, by_id(&writers)).unwrap_err();
    assert_eq!(
        (told.reason, told.detail.contains("schema id 258 was not looked up")),
        (Reject::UnknownSchema, true)
    );

    writers.insert(258, Writer::of(THEIRS).unwrap());
    let found = read(&value, by_id(&writers)).unwrap();
    assert_eq!((&*found.event.user, found.unknown_fields), ("ada", 1));
    assert_eq!(found.event.occurred_at.to_string(), "2026-01-05T09:00:00Z");
    for length in 0..value.len() {
        read(&value[..length], by_id(&writers)).unwrap_err();
    }

    writers.insert(258, Writer::Refuses("it is no event's schema".into()));
    let told = read(&value, by_id(&writers)).unwrap_err();
    assert_eq!(
        (told.reason, &*told.detail),
        (Reject::UnknownSchema, "schema id 258: it is no event's schema")
    );
}

#[test]
fn what_is_no_schema_or_no_events_schema() {
    assert!(Writer::of(r#"{"type":"rec"#).unwrap_err().contains("does not parse"));
    assert!(matches!(Writer::of("\"int\""), Ok(Writer::Refuses(why)) if why.contains("no event's schema")));
}

/// Producers change over one by one.
#[test]
fn single_object_encoding_is_read_beside_it() {
    let event = read(LOGIN.as_bytes(), Format::Json.into()).unwrap().event;
    let mut single = Vec::new();
    emit::event_avro(&event, &mut single);
    let how = How { format: Format::Confluent, headers: &[], writers: &NO_WRITERS };
    assert_eq!(read(&single, how).unwrap().event, event);
    let told = read(b"{}", how).unwrap_err();
    assert_eq!(told.reason, Reject::Malformed);
}

const STRUCTURED: Header<'_> = ("content-type", b"application/cloudevents+json; charset=utf-8");
const BINARY: [Header<'_>; 5] = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"e-1"),
    ("ce_source", b"/idp/eu"),
    ("ce_type", b"com.example.login"),
    ("ce_time", b"2026-01-05T09:00:00Z"),
];

/// Id, source, type and time of what is read; or the reason, and what is said.
#[track_caller]
fn check(value: &[u8], format: Format, headers: &[Header<'_>], expected: Result<&str, (Reject, &str)>) {
    let how = How { format, headers, writers: &NO_WRITERS };
    let read = read(value, how).map(|decoded| {
        let event = decoded.event;
        let source = event.source.as_deref().unwrap_or("-");
        format!("{} {source} {} {}", event.id, event.kind(), event.occurred_at)
    });
    match (read, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected),
        (Err(told), Err((reason, part))) => {
            assert!(
                told.reason == reason && told.detail.contains(part),
                "{told:?} is not {reason:?}, `{part}`"
            );
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

fn envelope(change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut envelope = json!({
        "specversion": "1.0", "id": "e-1", "source": "/idp/eu", "type": "com.example.login",
        "time": "2026-01-05T09:00:00Z", "subject": "x", "traceparent": "00-1", "data": {"user_id": "ada"},
    });
    change(&mut envelope);
    envelope.to_string().into_bytes()
}

const FILLED: &str = "e-1 /idp/eu login 2026-01-05T09:00:00Z";

#[test]
fn structured_events_stand_in_for_what_the_data_lacks() {
    let plain = envelope(|_| ());
    for (format, headers) in [
        (Format::CloudEvents, [].as_slice()),
        (Format::CloudEvents, &[STRUCTURED]),
        (Format::Json, &[STRUCTURED]),
        (Format::Avro, &[STRUCTURED]),
        (Format::Confluent, &[("x", b"\xff"), STRUCTURED]),
    ] {
        check(&plain, format, headers, Ok(FILLED));
    }
    let whole = envelope(|to| to["data"] = serde_json::from_str(LOGIN).unwrap());
    check(&whole, Format::CloudEvents, &[], Ok("7c okta login 2026-01-05T09:00:00Z"));
    let coded = |text: &str| {
        let text = BASE64_STANDARD.encode(text);
        envelope(|to| {
            to.as_object_mut().unwrap().remove("data");
            to["data_base64"] = text.into();
        })
    };
    check(&coded(r#"{"user_id":"ada"}"#), Format::CloudEvents, &[], Ok(FILLED));
    check(&coded(LOGIN), Format::CloudEvents, &[], Ok("7c okta login 2026-01-05T09:00:00Z"));
    check(&coded("{"), Format::CloudEvents, &[], Err((Reject::Malformed, "`data_base64`")));
    // What is no CloudEvent is an event by itself, where nobody says that it must be one.
    check(LOGIN.as_bytes(), Format::CloudEvents, &[], Ok("7c okta login 2026-01-05T09:00:00Z"));
    check(
        LOGIN.as_bytes(),
        Format::Json,
        &[STRUCTURED],
        Err((Reject::MissingField, "`specversion` of the CloudEvent")),
    );
}

#[test]
fn what_is_wrong_with_an_envelope_is_said() {
    let check = |change: &dyn Fn(&mut serde_json::Value), expected| {
        check(&envelope(change), Format::CloudEvents, &[], Err(expected));
    };
    check(&|to| to["specversion"] = "0.3".into(), (Reject::UnsupportedVersion, "is `0.3`, expected `1.0`"));
    check(&|to| to["id"] = "".into(), (Reject::MissingField, "`id` of the CloudEvent is missing"));
    check(&|to| to["source"] = json!(null), (Reject::MissingField, "`source` of the CloudEvent"));
    check(&|to| to["id"] = "x".repeat(300).into(), (Reject::BadValue, "`event_id` is 300 bytes long"));
    check(
        &|to| to["time"] = "yesterday".into(),
        (Reject::BadValue, "`time` of the CloudEvent is `yesterday`"),
    );
    check(&|to| to["time"] = json!(null), (Reject::MissingField, "`occurred_at` is missing"));
    check(&|to| to["type"] = "com.example.signon".into(), (Reject::UnknownType, "`com.example.signon`"));
    check(&|to| to["data"] = json!(null), (Reject::BadValue, "`data`"));
    check(&|to| to["data"] = "text".into(), (Reject::BadValue, "`data`"));
    check(
        &|to| drop(to.as_object_mut().unwrap().remove("data")),
        (Reject::MissingField, "`data` of the CloudEvent"),
    );
    check(&|to| to["data_base64"] = "e30=".into(), (Reject::Malformed, "both"));
    let base64 = |content: &'static str, text: &'static str| {
        move |to: &mut serde_json::Value| {
            to.as_object_mut().unwrap().remove("data");
            (to["datacontenttype"], to["data_base64"]) = (content.into(), text.into());
        }
    };
    check(&base64("avro/binary", "e30="), (Reject::BadValue, "`datacontenttype` is `avro/binary`"));
    check(&base64("application/json", "?"), (Reject::BadValue, "is no base64"));
}

#[test]
fn binary_events_have_their_attributes_in_headers() {
    let data = br#"{"user_id":"ada"}"#;
    check(data, Format::Json, &BINARY, Ok(FILLED));
    check(data, Format::CloudEvents, &BINARY, Ok(FILLED));
    let with = |more: Header<'static>| [BINARY.as_slice(), &[more]].concat();
    check(data, Format::Avro, &with(("Content-Type", b"application/json")), Ok(FILLED));
    check(LOGIN.as_bytes(), Format::Json, &BINARY, Ok("7c okta login 2026-01-05T09:00:00Z"));
    let event = read(LOGIN.as_bytes(), Format::Json.into()).unwrap().event;
    let mut single = Vec::new();
    emit::event_avro(&event, &mut single);
    check(
        &single,
        Format::Avro,
        &with(("content-type", b"application/avro")),
        Ok("7c okta login 2026-01-05T09:00:00Z"),
    );

    let without = |name: &str| BINARY.into_iter().filter(|(other, _)| *other != name).collect::<Vec<_>>();
    check(data, Format::Json, &without("ce_id"), Err((Reject::MissingField, "header `ce_id` is missing")));
    check(data, Format::Json, &without("ce_specversion"), Err((Reject::MissingField, "`type` is missing")));
    check(data, Format::Json, &without("ce_time"), Err((Reject::MissingField, "`occurred_at`")));
    let mut newer = BINARY;
    newer[0].1 = b"2.0";
    check(data, Format::Json, &newer, Err((Reject::UnsupportedVersion, "header `ce_specversion` is `2.0`")));
    newer[0].1 = b"\xff";
    check(data, Format::Json, &newer, Err((Reject::BadValue, "header `ce_specversion` is not UTF-8")));
    let other: Header<'_> = ("content-type", b"application/cloudevents+avro");
    check(data, Format::Json, &[other], Err((Reject::Malformed, "expected application/cloudevents+json")));
}

/// Every version in history reads a datum that says all that it can, and one that says as little, as
/// the fingerprint in its name leads to it.
#[test]
fn every_schema_of_history_still_decodes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/history");
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (subject, fingerprint) = name.rsplit_once('-').unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let schema = Schema::parse_str(&text).unwrap();
        for is_full in [false, true] {
            let names = apache_avro::schema::ResolvedSchema::new(&schema).unwrap();
            let value = sample(&schema, "", is_full, &|name| names.get_names()[name]);
            let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
            let datum = writer.write_value_to_vec(value).unwrap();
            let mark = u64::from_str_radix(fingerprint, 16).unwrap().to_be_bytes();
            let record = [[0xC3, 0x01].as_slice(), &mark, &datum].concat();
            let found = still_read(subject, &record);
            assert!(found.is_ok(), "{name}, full: {is_full}: {found:?}");
            seen += 1;
        }
    }
    assert!(seen >= 16, "{seen}");
}

fn still_read(subject: &str, record: &[u8]) -> Result<(), String> {
    let field = |name: &str, expected: &str| {
        let value = emit::to_value(record).ok_or("not read")?;
        let found = &value[name];
        if found == expected { Ok(()) } else { Err(format!("`{name}` is {found}")) }
    };
    match subject {
        "event" => {
            let limits = Limits { backfill: vec!["text".into()], ..Limits::default() };
            let event =
                decode(record, Format::Avro, "none", None, &limits).map_err(|told| told.detail)?.event;
            (event.user == "text").then_some(()).ok_or_else(|| format!("user is {}", event.user))
        }
        "decision" => Stored::from_avro(record).map(drop),
        "profile" => {
            let part = emit::profile_read(record).map_err(|told| told.detail)?;
            (part.part == "text" && part.state == b"bytes").then_some(()).ok_or_else(|| format!("{part:?}"))
        }
        // Written by another process; nobody here reads it yet.
        "outcome" => Ok(()),
        "policy" => field("name", "text"),
        "sighting" => emit::sighting_read(record).map(drop),
        "network" => emit::network_read(record).map(drop),
        "network-state" => emit::network_state_read(record).map(drop),
        "rejected" => field("detail", "text"),
        _ => field("user_id", "text"),
    }
}

/// A value of a schema: every branch of a union the last one, or the first.
fn sample<'s>(schema: &'s Schema, name: &str, is_full: bool, named: &dyn Fn(&Name) -> &'s Schema) -> Value {
    match schema {
        Schema::Null => Value::Null,
        Schema::Boolean => Value::Boolean(true),
        Schema::Int => Value::Int(7),
        Schema::Long => Value::Long(7),
        Schema::Float => Value::Float(0.5),
        Schema::Double => Value::Double(0.5),
        Schema::TimestampMicros => Value::TimestampMicros(1_767_603_600_000_000),
        Schema::Bytes => Value::Bytes(b"bytes".to_vec()),
        Schema::String => Value::String(text(name)),
        Schema::Enum(inner) => Value::Enum(0, inner.symbols[0].clone()),
        Schema::Array(inner) if is_full => Value::Array(vec![sample(&inner.items, name, true, named)]),
        Schema::Array(_) => Value::Array(Vec::new()),
        Schema::Map(_) => Value::Map(Default::default()),
        Schema::Union(inner) => {
            let at = if is_full { inner.variants().len() - 1 } else { 0 };
            Value::Union(at as u32, Box::new(sample(&inner.variants()[at], name, is_full, named)))
        }
        Schema::Record(inner) => Value::Record(
            inner
                .fields
                .iter()
                .map(|field| (field.name.clone(), sample(&field.schema, &field.name, is_full, named)))
                .collect(),
        ),
        Schema::Ref { name: of } => sample(named(of), name, is_full, named),
        other => panic!("{other:?}"),
    }
}

/// What stands in a field of text; some must look like something.
fn text(name: &str) -> String {
    match name {
        "ip_address" | "ip_chain" => "81.2.69.142".into(),
        "policy" | "tables" => format!("sha256:{}", "ab".repeat(32)),
        "chain" | "model" => "ab".repeat(32),
        "decision_id" | "alert_id" | "revocation_id" => "ab".repeat(16),
        _ => "text".into(),
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told_whatever_is_written() {
    let folder = crate::folder::Folder::new();
    let made = ["simulate", "--users", "5", "--events", "3000", "--seed", "3", "--out"];
    folder.ward(&[&made[..], &["events.jsonl"]].concat(), 0);
    for args in [
        [&made[..], &["/dev/full"]].concat(),
        [&made[..], &["/dev/full", "--format", "avro"]].concat(),
        [&made[..], &["/dev/null", "--labels", "/dev/full"]].concat(),
        vec!["score", "events.jsonl", "--decisions-out", "/dev/full"],
    ] {
        let told = String::from_utf8(folder.ward(&args, 3).stderr).unwrap();
        assert!(told.contains("/dev/full: ") && told.contains("make room, or write elsewhere"), "{told}");
    }
}
