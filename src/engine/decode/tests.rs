//! Units of decoding: each field, each limit at its boundary and one over, each rejection.

use super::*;
use crate::model::event::{Body, MousePoint};
use crate::model::{
    Factor, Factors, FailureReason, MouseKind, NetworkClass, Outcome, Privilege, SubjectKind, TouchPhase,
    Verdict,
};

const LOGIN: &str = r#"{"event_id":"7c","tenant":"acme","user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z",
    "source":"okta","outcome":"success","factors":["password","totp"],"ip_address":"81.2.69.142","user_agent":"Mozilla/5.0",
    "device_fingerprint":"d-41f0","session_id":"s-9","app":"payroll"}"#;

fn read(json: &str) -> Result<Decoded<'_>, Rejected> {
    decode(json.as_bytes(), Format::Json, "line:1", None, &Limits::default())
}

/// A login of ada with these fields besides.
fn with(fields: &str) -> String {
    format!(r#"{{"user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00Z",{fields}}}"#)
}

fn of(kind: &str, fields: &str) -> String {
    format!(r#"{{"user_id":"ada","type":"{kind}","occurred_at":"2026-01-05T09:00:00Z"{fields}}}"#)
}

#[track_caller]
fn check(json: &str, expected: Result<(), (Reject, &str)>) {
    match (read(json), expected) {
        (Ok(_), Ok(())) => {}
        (Err(found), Err((reason, part))) => {
            assert_eq!(found.reason, reason, "{}", found.detail);
            assert!(found.detail.contains(part), "{} has no {part}", found.detail);
        }
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

#[track_caller]
fn refused(json: &str, reason: Reject, part: &str) {
    check(json, Err((reason, part)));
}

#[test]
fn a_login() {
    let decoded = read(LOGIN).unwrap();
    let event = decoded.event;
    assert_eq!(decoded.unknown_fields, 0);
    assert_eq!((event.id.as_ref(), event.has_own_id), ("7c", true));
    assert_eq!((event.tenant.as_ref(), event.user.as_ref()), ("acme", "ada"));
    assert_eq!(event.occurred_at.to_string(), "2026-01-05T09:00:00Z");
    assert_eq!(event.ip_address, Some([81, 2, 69, 142].into()));
    let factors = Factors::of(Factor::Password).with(Factor::Totp);
    assert_eq!(event.body, Body::Login { outcome: Outcome::Success, failure_reason: None, factors });
    assert!(event.interactive);
    assert_eq!((event.subject_kind, event.privilege), (SubjectKind::Person, Privilege::None));
}

#[test]
fn texts_are_borrowed_unless_escaped() {
    let borrows = |json: &str| matches!(read(json).unwrap().event.app, Some(Cow::Borrowed(_)));
    assert!(borrows(&with(r#""app":"payroll""#)));
    assert!(!borrows(&with(r#""app":"pay\u0072oll""#)));
    assert_eq!(read(&with(r#""app":"pay\u0072oll""#)).unwrap().event.app.as_deref(), Some("payroll"));
}

#[test]
fn what_is_needed() {
    check(&with(r#""app":"x""#), Ok(()));
    refused(r#"{"type":"login","occurred_at":"2026-01-05T09:00:00Z"}"#, Reject::MissingField, "`user_id`");
    refused(r#"{"user_id":"ada","occurred_at":"2026-01-05T09:00:00Z"}"#, Reject::MissingField, "`type`");
    refused(r#"{"user_id":"ada","type":"login"}"#, Reject::MissingField, "`occurred_at`");
    refused(&with("").replace("ada", "").replace(",}", "}"), Reject::MissingField, "`user_id`");
    refused(&of("feedback", r#","about":{"event_id":"7c"}"#), Reject::MissingField, "`verdict`");
    refused(&of("feedback", r#","verdict":"safe""#), Reject::MissingField, "`about`");
    refused(&of("feedback", r#","verdict":"safe","about":{"event_id":""}"#), Reject::MissingField, "`about`");
    check(&of("feedback", r#","verdict":"safe","about":{"session_id":"s"}"#), Ok(()));
    check(&of("feedback", r#","verdict":"erase""#), Ok(()));
    check(&of("feedback", r#","verdict":"erase","about":{"event_id":""},"by":"user""#), Ok(()));
    refused(
        &of("feedback", r#","verdict":"erase","about":{"since":"2026-01-01T00:00:00Z"}"#),
        Reject::BadValue,
        "`about`",
    );
}

#[test]
fn empty_null_and_absent_are_the_same() {
    let absent =
        read(&with(r#""interactive":true"#).replace("true", "null")).map(|decoded| decoded.event.interactive);
    assert_eq!(absent, Ok(true));
    let json = with(
        r#""app":"","session_id":null,"ip_address":"","rtt_ms":null,"factors":null,"groups":[""],"place_hint":null,
           "outcome":"","tenant":"","event_id":"""#,
    );
    let empty = read(&json).unwrap().event;
    let json = with(r#""groups":[]"#);
    let absent = read(&json).unwrap().event;
    assert_eq!(empty, absent);
    assert_eq!((empty.id.as_ref(), empty.has_own_id, empty.tenant.as_ref()), ("line:1", false, "default"));
}

#[test]
fn malformed() {
    for text in
        ["", " ", "{", "[]", "7", "null", "\"x\"", "{\"user_id\":\"ada\"", "{\"user_id\":}", "not json"]
    {
        refused(text, Reject::Malformed, "");
    }
    refused(&format!("{LOGIN} {{}}"), Reject::Malformed, "trailing");
    refused(&with(r#""app":"a","app":"b""#), Reject::Malformed, "`app`: is stated twice");
    refused(&with(r#""place_hint":{"city":"a","city":"b"}"#), Reject::Malformed, "`place_hint.city`");
    let bytes = decode(b"{\"user_id\":\"\xFF\"}", Format::Json, "", None, &Limits::default());
    assert_eq!(bytes.map_err(|error| error.reason), Err(Reject::Malformed));
}

#[test]
fn wrong_types_are_bad_values() {
    for (field, name) in [
        (r#""app":7"#, "`app`"),
        (r#""interactive":"true""#, "`interactive`"),
        (r#""rtt_ms":"7""#, "`rtt_ms`"),
        (r#""factors":"password""#, "`factors`"),
        (r#""place_hint":[]"#, "`place_hint`"),
        (r#""place_hint":{"latitude":"1"}"#, "`place_hint.latitude`"),
        (r#""keyboard_events":{}"#, "`keyboard_events`"),
        (r#""outcome":7"#, "`outcome`"),
        (r#""ip_address":7"#, "`ip_address`"),
    ] {
        refused(&with(field), Reject::BadValue, name);
    }
    refused(r#"{"user_id":"ada","type":"login","occurred_at":1767603600}"#, Reject::BadValue, "RFC 3339");
    for beyond in ["9999-12-31T00:00:00Z", "0000-01-01T00:00:00Z"] {
        refused(
            &format!(r#"{{"user_id":"ada","type":"login","occurred_at":"{beyond}"}}"#),
            Reject::BadValue,
            "expected a time from 0001-01-01T00:00:00Z to 9999-12-30T21:59:59Z",
        );
    }
    refused(r#"{"user_id":"ada","type":"login","occurred_at":"yesterday"}"#, Reject::BadValue, "`yesterday`");
    refused(&with(r#""ip_address":"81.2.69.142:443""#), Reject::BadValue, "without a port");
}

#[test]
fn unknown_fields_are_counted() {
    let json = with(r#""x":{"user_id":[1,{"y":null}]},"place_hint":{"planet":"earth"},"z":"1""#);
    assert_eq!(read(&json).unwrap().unknown_fields, 3);
}

#[test]
fn unknown_words_are_other() {
    let json = with(
        r#""outcome":"teleported","failure_reason":"moon","factors":["password","retina"],"privilege":"god"#,
    );
    let json = json.replace("god}", "god\"}");
    let event = read(&json).unwrap().event;
    let factors = Factors::of(Factor::Password).with(Factor::Other);
    let failure_reason = Some(FailureReason::Other);
    assert_eq!(event.body, Body::Login { outcome: Outcome::Other, failure_reason, factors });
    assert_eq!(event.privilege, Privilege::Other);
    refused(&of("teleport", ""), Reject::UnknownType, "`teleport`, expected one of login, challenge");
    refused(&of("other", ""), Reject::UnknownType, "`other`");
}

#[test]
fn placeholders_are_nobody() {
    for id in ["null", "NULL", " Undefined ", "N/A", "-", "00000000-0000-0000-0000-000000000000", " "] {
        refused(&of("login", "").replace("ada", id), Reject::PlaceholderUser, "nobody");
    }
    check(&of("login", "").replace("ada", "nullable"), Ok(()));
    let limits = Limits { placeholders: vec!["guest".into()], ..Limits::default() };
    let own = |user: &str| {
        let json = of("login", "").replace("ada", user);
        decode(json.as_bytes(), Format::Json, "", None, &limits).map(|_| ()).map_err(|error| error.reason)
    };
    assert_eq!(own("Guest"), Err(Reject::PlaceholderUser));
    assert_eq!(own("null"), Ok(()));
}

#[test]
fn users_and_tenants() {
    let user = |bytes: usize| of("login", "").replace("ada", &"u".repeat(bytes));
    check(&user(256), Ok(()));
    refused(&user(257), Reject::BadValue, "257 bytes");
    refused(&of("login", "").replace("ada", "a\\u0000da"), Reject::BadValue, "control");
    refused(&of("login", "").replace("ada", "a\\nda"), Reject::BadValue, "control");
    refused(&of("login", "").replace("ada", "a\u{85}da"), Reject::BadValue, "control");
    check(&of("login", "").replace("ada", "a/da é"), Ok(()));
    check(&with(r#""tenant":"a.b-c_9""#), Ok(()));
    refused(&with(r#""tenant":"Acme""#), Reject::BadValue, "[a-z0-9]");
    refused(&with(r#""tenant":"-acme""#), Reject::BadValue, "[a-z0-9]");
    check(&with(&format!(r#""tenant":"{}""#, "t".repeat(63))), Ok(()));
    refused(&with(&format!(r#""tenant":"{}""#, "t".repeat(64))), Reject::BadValue, "`tenant`");
}

#[test]
fn lengths_of_handles_are_refused_one_over() {
    let long = |field: &str, bytes: usize| with(&format!(r#""{field}":"{}""#, "x".repeat(bytes)));
    for field in
        ["event_id", "source_user_id", "source_session_id", "actor_id", "session_id", "evaluation_id"]
    {
        check(&long(field, limit::ID_BYTES_MAX), Ok(()));
        refused(&long(field, limit::ID_BYTES_MAX + 1), Reject::BadValue, field);
    }
    for field in ["source", "app"] {
        check(&long(field, limit::NAME_BYTES_MAX), Ok(()));
        refused(&long(field, limit::NAME_BYTES_MAX + 1), Reject::BadValue, field);
    }
    refused(&long("session_id", 400), Reject::BadValue, "never a bearer secret");
}

#[test]
fn what_a_client_chooses_is_cut() {
    for field in ["user_agent", "resource", "device_fingerprint", "tls_fingerprint"] {
        let json = with(&format!(r#""{field}":"{}é""#, "x".repeat(limit::FREE_BYTES_MAX - 1)));
        let event = read(&json).unwrap().event;
        let cut = event.user_agent.or(event.resource).or(event.device_fingerprint).or(event.tls_fingerprint);
        assert_eq!(cut.map(|text| text.len()), Some(limit::FREE_BYTES_MAX - 1), "{field}");
    }
}

#[test]
fn counts_are_refused_one_over() {
    let list = |field: &str, item: &str, count: usize| {
        with(&format!(r#""{field}":[{}]"#, vec![item; count].join(",")))
    };
    check(&list("groups", r#""g""#, limit::GROUPS_MAX), Ok(()));
    refused(&list("groups", r#""g""#, limit::GROUPS_MAX + 1), Reject::BadValue, "`groups`");
    check(&list("ip_chain", r#""::1""#, limit::CHAIN_MAX), Ok(()));
    refused(&list("ip_chain", r#""::1""#, limit::CHAIN_MAX + 1), Reject::BadValue, "`ip_chain`");
    let batch = |keys: usize, mice: usize, touches: usize| {
        let key = r#"{"key":"k","down_ms":0,"up_ms":1.5}"#;
        let mouse = r#"{"t_ms":0,"x":1,"y":2,"kind":"move","button":null}"#;
        let touch = r#"{"t_ms":0,"x":1,"y":2,"phase":"start"}"#;
        let list = |item: &str, count| vec![item; count].join(",");
        let (keys, mice, touches) = (list(key, keys), list(mouse, mice), list(touch, touches));
        of(
            "behavior",
            &format!(r#","keyboard_events":[{keys}],"mouse_events":[{mice}],"touch_events":[{touches}]"#),
        )
    };
    check(&batch(1000, 500, 500), Ok(()));
    refused(&batch(1000, 500, 501), Reject::TooManyPoints, "2000 points");
    refused(&batch(2001, 0, 0), Reject::TooManyPoints, "`keyboard_events`");
}

#[test]
fn ranges() {
    for (field, good, bad) in [
        ("rtt_ms", "60000", "60001"),
        ("rtt_ms", "0", "-1"),
        ("network_hint", r#"{"asn":4294967295}"#, r#"{"asn":4294967296}"#),
        ("place_hint", r#"{"latitude":90}"#, r#"{"latitude":90.1}"#),
        ("place_hint", r#"{"longitude":-180}"#, r#"{"longitude":-180.1}"#),
        ("place_hint", r#"{"radius_km":0}"#, r#"{"radius_km":-1}"#),
        ("mouse_events", r#"[{"t_ms":1e13,"x":1e6,"y":-1e6}]"#, r#"[{"t_ms":1.1e13,"x":0,"y":0}]"#),
        (
            "mouse_events",
            r#"[{"t_ms":0,"x":0,"y":0,"button":5}]"#,
            r#"[{"t_ms":0,"x":0,"y":0,"button":256}]"#,
        ),
        (
            "touch_events",
            r#"[{"t_ms":0,"x":0,"y":0,"pressure":1}]"#,
            r#"[{"t_ms":0,"x":0,"y":0,"pressure":1e9}]"#,
        ),
    ] {
        check(&with(&format!(r#""{field}":{good}"#)), Ok(()));
        refused(&with(&format!(r#""{field}":{bad}"#)), Reject::BadValue, field);
    }
    refused(&with(r#""mouse_events":[{"t_ms":0,"y":0}]"#), Reject::MissingField, "`mouse_events.x`");
    refused(&with(r#""rtt_ms":1e999"#), Reject::Malformed, "out of range");
}

#[test]
fn size_of_a_record() {
    let json = with(r#""x":"""#);
    let padded = |bytes: usize| format!("{}{json}", " ".repeat(bytes - json.len()));
    check(&padded(limit::EVENT_BYTES_MAX), Ok(()));
    refused(&padded(limit::EVENT_BYTES_MAX + 1), Reject::TooLarge, "1048577 bytes");
}

#[test]
fn depth_costs_no_stack() {
    let deep = 100_000;
    check(&with(&format!(r#""x":{}{}"#, "[".repeat(deep), "]".repeat(deep))), Ok(()));
    refused(&with(&format!(r#""x":{}"#, "[".repeat(deep))), Reject::Malformed, "");
    refused(
        &with(&format!(r#""factors":{}{}"#, "[".repeat(deep), "]".repeat(deep))),
        Reject::BadValue,
        "`factors`",
    );
    refused(
        &with(&format!(r#""place_hint":{}"#, r#"{"city":"#.repeat(deep))),
        Reject::BadValue,
        "`place_hint.city`",
    );
}

#[test]
fn age_is_compared_with_the_record() {
    let at = |time: &str| Timestamp::parse(time).unwrap();
    let aged = |recorded: &str, max_age: Option<u64>| {
        let limits = Limits { max_age: max_age.map(std::time::Duration::from_secs), ..Limits::default() };
        decode(LOGIN.as_bytes(), Format::Json, "", Some(at(recorded)), &limits)
            .map(|_| ())
            .map_err(|error| error.reason)
    };
    assert_eq!(aged("2026-01-05T08:55:00Z", Some(60)), Ok(()));
    assert_eq!(aged("2026-01-05T08:54:59.999999Z", Some(60)), Err(Reject::Future));
    assert_eq!(aged("2026-01-05T09:01:00Z", Some(60)), Ok(()));
    assert_eq!(aged("2026-01-05T09:01:00.000001Z", Some(60)), Err(Reject::Ancient));
    assert_eq!(aged("2036-01-05T09:01:00Z", None), Ok(()));
    assert_eq!(aged("2026-01-05T08:00:00Z", None), Err(Reject::Future));
}

#[test]
fn every_type_reads_its_fields() {
    let json = of("challenge", r#","challenge_id":"c","factor":"push","outcome":"denied""#);
    assert!(
        matches!(read(&json).unwrap().event.body, Body::Challenge { outcome, .. } if outcome.name() == "denied")
    );
    let json = of("session", r#","change":"refresh","token_id":"t","previous_token_id":"p""#);
    assert!(
        matches!(read(&json).unwrap().event.body, Body::Session { change, .. } if change.name() == "refresh")
    );
    let json = of("credential", r#","change":"reset","factor":"totp""#);
    assert!(
        matches!(read(&json).unwrap().event.body, Body::Credential { change, .. } if change.name() == "reset")
    );
    let json = of("access", r#","outcome":"blocked""#);
    assert!(matches!(read(&json).unwrap().event.body, Body::Access { outcome: Outcome::Blocked }));
    let json =
        of("feedback", r#","verdict":"compromised","about":{"since":"2026-01-01T00:00:00Z"},"by":"user""#);
    assert!(matches!(read(&json).unwrap().event.body, Body::Feedback { verdict: Verdict::Compromised, .. }));
    let json = of(
        "behavior",
        r#","context":"password","keyboard_events":[{"key":"k1","down_ms":0.0,"up_ms":92.4}],
           "mouse_events":[{"t_ms":0.0,"x":10,"y":20,"kind":"move","button":null}],
           "touch_events":[{"t_ms":0.0,"x":10,"y":20,"pressure":0.4,"size":0.1,"phase":"start"}]"#,
    );
    let event = read(&json).unwrap().event;
    let Body::Behavior(batch) = event.body else { panic!("no batch") };
    assert_eq!((batch.keyboard[0].key.as_ref(), batch.keyboard[0].up_ms), ("k1", 92.4));
    assert_eq!(
        batch.mouse,
        [MousePoint { t_ms: 0.0, x: 10.0, y: 20.0, kind: MouseKind::Move, button: None }]
    );
    assert_eq!((batch.touch[0].pressure, batch.touch[0].phase), (Some(0.4), TouchPhase::Start));
}

#[test]
fn addresses_have_one_form() {
    let json = with(r#""ip_address":"::ffff:81.2.69.142","ip_chain":["10.0.0.1","2001:db8::1"]"#);
    let event = read(&json).unwrap().event;
    assert_eq!(event.ip_address, Some([81, 2, 69, 142].into()));
    assert_eq!(event.ip_chain.len(), 2);
}

#[test]
fn csv_reads_as_json_does() {
    let fields = [
        ("user_id", "ada"),
        ("type", "login"),
        ("occurred_at", "2026-01-05T09:00:00Z"),
        ("outcome", "success"),
        ("factors", "password|totp"),
        ("groups", "staff|ops"),
        ("ip_chain", "10.0.0.1|::1"),
        ("rtt_ms", "12.4"),
        ("interactive", "false"),
        ("app", ""),
        ("place_hint.country", "GB"),
        ("place_hint.latitude", "51.5"),
        ("network_hint.asn", "1221"),
        ("network_hint.class", "vpn"),
        ("keyboard_events", r#"[{"key":"k1","down_ms":0,"up_ms":92.4}]"#),
        ("colour", "red"),
        ("x.y", "z"),
    ];
    let csv = from_fields(fields.into_iter(), "line:1", None, &Limits::default()).unwrap();
    let json = with(
        r#""outcome":"success","factors":["password","totp"],"groups":["staff","ops"],"ip_chain":["10.0.0.1","::1"],
           "rtt_ms":12.4,"interactive":false,"place_hint":{"country":"GB","latitude":51.5},
           "network_hint":{"asn":1221,"class":"vpn"},"keyboard_events":[{"key":"k1","down_ms":0,"up_ms":92.4}],
           "colour":"red","x":{"y":"z"}"#,
    );
    assert_eq!(csv, read(&json).unwrap());
    assert_eq!(csv.event.network_hint.unwrap().class, Some(NetworkClass::Vpn));

    let bad = |name, text| {
        let fields =
            [("user_id", "ada"), ("type", "login"), ("occurred_at", "2026-01-05T09:00:00Z"), (name, text)];
        from_fields(fields.into_iter(), "", None, &Limits::default())
            .map(|_| ())
            .map_err(|error| error.reason)
    };
    assert_eq!(bad("rtt_ms", "fast"), Err(Reject::BadValue));
    assert_eq!(bad("rtt_ms", "NaN"), Err(Reject::BadValue));
    assert_eq!(bad("interactive", "yes"), Err(Reject::BadValue));
    assert_eq!(bad("place_hint", "{}"), Err(Reject::BadValue));
    assert_eq!(bad("mouse_events", "[{]"), Err(Reject::BadValue));
    assert_eq!(bad("mouse_events", "[]"), Ok(()));
}

#[test]
fn what_is_no_avro() {
    let avro = |value: &[u8]| {
        decode(value, Format::Avro, "", None, &Limits::default()).map(|_| ()).map_err(|error| error.reason)
    };
    assert_eq!(avro(b""), Err(Reject::Malformed));
    assert_eq!(avro(LOGIN.as_bytes()), Err(Reject::Malformed));
    assert_eq!(avro(&[0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6]), Err(Reject::UnknownSchema));
    assert_eq!(avro(&[0xC3, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Err(Reject::UnknownSchema));
    assert_eq!(avro(&[0xC3, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Err(Reject::UnsupportedVersion));
    assert_eq!(avro(EVENT.header()), Err(Reject::Malformed));
}

#[test]
fn schemas_of_others() {
    let schema = |time: &str| {
        format!(
            r#"{{"type":"record","name":"Login","fields":[{{"name":"user_id","type":"string"}},
                {{"name":"occurred_at","type":{time}}},{{"name":"type","type":"string"}},{{"name":"extra","type":"int"}}]}}"#
        )
    };
    let datum = |ticks: &[u8]| [b"\x06ada", ticks, b"\x0Alogin\x02"].concat();
    let check = |time: &str, ticks: &[u8], expected: &str| {
        let decoder = Decoder::with_schema(&schema(time)).unwrap();
        let datum = datum(ticks);
        let decoded = decoder.decode(&datum, "", None, &Limits::default()).unwrap();
        assert_eq!((decoded.event.occurred_at.to_string().as_str(), decoded.unknown_fields), (expected, 1));
    };
    check(r#"{"type":"long","logicalType":"timestamp-micros"}"#, &[2], "1970-01-01T00:00:00.000001Z");
    check(
        r#"["null",{"type":"long","logicalType":"timestamp-millis"}]"#,
        &[2, 2],
        "1970-01-01T00:00:00.001Z",
    );
    check(r#""string""#, b"\x281970-01-01T00:00:01Z", "1970-01-01T00:00:01Z");
    assert!(Decoder::with_schema(&schema(r#""long""#)).unwrap_err().contains("timestamp-micros"));
    assert!(Decoder::with_schema("{").unwrap_err().contains("cannot be read"));
}
