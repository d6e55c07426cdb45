//! Mappings of a log of sign-ins, their mistakes, and records that do not fit.

use serde_json::Value;

use super::*;
use crate::engine::decode::{Format, Limits, decode};

const OKTA: &str = r#"
version = 1
[event]
event_id = "/uuid"
tenant = { value = "acme" }
user_id = { path = "/actor/alternateId", lower = true }
occurred_at = "/published"
ip_address = ["/client/ipAddress", "/request/ipChain/0/ip"]
user_agent = "/client/userAgent/rawUserAgent"
place_hint.country = "/client/geographicalContext/country"
place_hint.latitude = "/client/geographicalContext/geolocation/lat"

[[case]]
when = { "/eventType" = ["user.session.start", "user.authentication.*"] }
event.type = { value = "login" }
event.outcome = { path = "/outcome/result", words = { SUCCESS = "success", FAILURE = "failure" }, else = "other" }
event.factors = { path = "/authenticationContext/factors", words = { PWD = "password", OTP = "totp" } }

[[case]]
when = { "/eventType" = ["system.*"] }
skip = true

[[case]]
when = { "/eventType" = ["user.session.end"], "/outcome/result" = ["SUCCESS"] }
event.type = { value = "session" }
event.change = { value = "end" }
"#;

fn mapping(text: &str) -> Mapping {
    parse("m.toml", text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// What becomes of `record`: the event, `skipped`, or the reason and the detail of a rejection.
#[track_caller]
fn check(text: &str, record: &str, expected: &str) {
    let mut out = Vec::new();
    let told = match mapping(text).apply(record.as_bytes(), "okta", &mut out) {
        Ok(Mapped::Event) => {
            let event = String::from_utf8(out).unwrap();
            let decoded = decode(event.as_bytes(), Format::Json, "", None, &Limits::default());
            decoded.unwrap_or_else(|rejected| panic!("{event}: {}", rejected.detail));
            event
        }
        Ok(Mapped::Skipped) => "skipped".to_owned(),
        Err(rejected) => {
            assert_eq!(out, b"");
            format!("{}: {}", rejected.reason.name(), rejected.detail)
        }
    };
    match serde_json::from_str::<Value>(expected) {
        Ok(event) => assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), event),
        Err(_) => assert_eq!(told, expected),
    }
}

#[test]
fn a_record_becomes_the_event_that_it_is() {
    check(
        OKTA,
        r#"{"uuid":"u1","eventType":"user.session.start","published":"2026-01-05T09:00:00Z",
            "actor":{"alternateId":"Ada@Example.com"},"outcome":{"result":"SUCCESS"},
            "client":{"ipAddress":null,"geographicalContext":{"country":"Australia","geolocation":{"lat":-33.9}}},
            "request":{"ipChain":[{"ip":"203.0.113.7"}]},
            "authenticationContext":{"factors":["PWD","OTP"]}}"#,
        r#"{"event_id":"u1","tenant":"acme","user_id":"ada@example.com","type":"login","outcome":"success",
            "occurred_at":"2026-01-05T09:00:00Z","ip_address":"203.0.113.7","factors":["password","totp"],
            "place_hint":{"country":"Australia","latitude":-33.9},"source":"okta"}"#,
    );
    check(
        OKTA,
        r#"{"eventType":"user.authentication.auth_via_mfa","published":"2026-01-05T09:00:00Z",
            "actor":{"alternateId":"ada"},"outcome":{"result":"WHATEVER"},"authenticationContext":{"factors":"PWD"}}"#,
        r#"{"tenant":"acme","user_id":"ada","type":"login","outcome":"other",
            "occurred_at":"2026-01-05T09:00:00Z","factors":["password"],"source":"okta"}"#,
    );
}

#[test]
fn the_first_case_that_holds_counts() {
    check(OKTA, r#"{"eventType":"system.email.send"}"#, "skipped");
    check(
        OKTA,
        r#"{"eventType":"user.session.end","outcome":{"result":"FAILURE"}}"#,
        "unknown_type: no case of the mapping is for it: `/eventType` is `\"user.session.end\"`, \
         `/outcome/result` is `\"FAILURE\"`; add a `[[case]]`, or `unmatched = \"skip\"`",
    );
    let skips = OKTA.replace("[event]", "unmatched = \"skip\"\n[event]");
    check(&skips, r#"{"eventType":"user.session.end","outcome":{"result":"FAILURE"}}"#, "skipped");
    check(&skips, "[1]", "skipped");
}

#[test]
fn what_a_record_says_otherwise_is_refused() {
    check(OKTA, "", "malformed: EOF while parsing a value at line 1 column 0");
    check(
        OKTA,
        r#"{"eventType":"user.session.start","authenticationContext":{"factors":["PWD","FACE"]}}"#,
        "bad_value: `/authenticationContext/factors` is a list, which is none of the mapping's `words` for `factors`",
    );
    check(
        OKTA,
        r#"{"eventType":"user.session.start","actor":{"alternateId":{"a":1}}}"#,
        "bad_value: `/actor/alternateId` is an object, expected one text or number for `user_id`",
    );
}

#[test]
fn times_numbers_and_flags_take_the_form_of_an_event() {
    let of = |time: &str| {
        format!(
            "version = 1\n[event]\nuser_id = '/u'\ntype = {{ value = 'session' }}\nchange = {{ value = 'start' }}\n\
             occurred_at = {{ path = '/t', time = '{time}' }}\ninteractive = '/i'\nrtt_ms = '/r'\n"
        )
    };
    let event = |micros: &str| {
        format!(
            r#"{{"user_id":"17","type":"session","change":"start","occurred_at":"2026-01-05T09:00:00{micros}Z","interactive":true,"rtt_ms":8,"source":"okta"}}"#
        )
    };
    let record = |time: &str| format!(r#"{{"u":17,"t":{time},"i":"true","r":"8"}}"#);
    check(&of("epoch_seconds"), &record("1767603600"), &event(""));
    check(&of("epoch_seconds"), &record("1767603600.0"), &event(""));
    check(&of("epoch_millis"), &record("\"1767603600250\""), &event(".25"));
    check(&of("epoch_micros"), &record("1767603600000001"), &event(".000001"));
    check(
        &of("epoch_seconds"),
        &record("\"soon\""),
        "bad_value: `/t` is `\"soon\"`, expected a time in numbers since 1970 for `occurred_at`",
    );
    check(
        &of("epoch_seconds"),
        &record("9223372036854775807"),
        "bad_value: `/t` is `9223372036854775807`, expected a time in numbers since 1970 for `occurred_at`",
    );
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let mistakes = parse(
        "m.toml",
        "version = 2\nunmatched = 'drop'\n[event]\nuser = '/u'\nuser_id = 'u'\napp = { path = '/a~2' }\n\
         source = { value = 'x', path = '/y' }\nrtt_ms = { path = '/r', time = 'epoch_seconds', else = '1' }\n\
         [[case]]\nskip = true\nevent.type = { value = 'feedback' }\n[[case]]\nwhen = {}\nevent.type = { value = 'login' }\n",
    );
    let told: Vec<_> = mistakes.unwrap_err().iter().map(ToString::to_string).collect();
    let expected = [
        "m.toml:1:11: `version` is the integer `2`, expected 1",
        "m.toml:2:13: `unmatched` is `drop`; expected one of reject, skip",
        "m.toml:5:11: `event.user_id` is the string `u`, expected a JSON pointer such as \"/actor/id\" (RFC 6901)",
        "m.toml:6:16: `event.app.path` is the string `/a~2`, expected a JSON pointer such as \"/actor/id\" (RFC 6901)",
        "m.toml:7:25: unknown field `event.source.path`; expected one of value",
    ];
    for line in expected {
        assert!(told.iter().any(|one| one == line), "{line}\nis not in {told:#?}");
    }
    for part in [
        "m.toml:4:1: unknown field `event.user`;",
        "`event.rtt_ms.time`",
        "`event.rtt_ms.else`",
        "`case.when` is missing",
        "`case.when` is empty",
        "feedback",
        "`event.occurred_at` is missing",
    ] {
        assert!(told.iter().any(|one| one.contains(part)), "{part} is not in {told:#?}");
    }
}

/// A mapping can fill whatever an event has, but what people say.
#[test]
fn the_fields_are_those_of_an_event() {
    let schema: Value = serde_json::from_str(crate::engine::schema::current("event")).unwrap();
    let names: Vec<_> =
        schema["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    let said = ["verdict", "about", "by", "assurance", "place_hint", "network_hint"];
    let expected: Vec<_> = names.into_iter().filter(|name| !said.contains(name)).collect();
    assert_eq!(FIELDS, expected);
}

proptest::proptest! {
    #[test]
    fn no_record_is_a_panic(record: Vec<u8>, text: String, number: f64) {
        let mapping = mapping(OKTA);
        let mut out = Vec::new();
        let _any = mapping.apply(&record, "okta", &mut out);
        let record = serde_json::json!({
            "eventType": "user.session.start", "published": number, "actor": {"alternateId": text},
            "outcome": [text], "client": text, "authenticationContext": {"factors": [number, text]},
        });
        let _any = mapping.apply(record.to_string().as_bytes(), "okta", &mut out);
    }
}
