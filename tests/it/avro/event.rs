//! Events of every type with any of their fields, as JSON.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use wardstream::model::{EventType, NetworkClass};

use super::time;

/// With the digits that a sender has. The JSON reader may be one unit in the last place off beyond 15.
fn short(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// The fields of an event that a schema's symbol or type limits, each with what it may be.
pub fn event() -> impl Strategy<Value = Value> {
    let text = || prop::option::of("[a-zA-Z0-9 é\"\\\\/-]{1,12}".prop_map(Value::from));
    let words = |all: Vec<&'static str>| prop::option::of(prop::sample::select(all).prop_map(Value::from));
    let number = |range: std::ops::Range<f64>| prop::option::of(range.prop_map(short).prop_map(Value::from));
    let factor = || {
        prop::sample::select(vec![
            "password",
            "totp",
            "push",
            "sms",
            "email",
            "backup_code",
            "webauthn_platform",
            "webauthn_roaming",
            "biometric",
            "hardware_key",
            "federated",
            "other",
        ])
    };
    let address = || {
        prop_oneof![
            any::<[u8; 4]>().prop_map(|ip| std::net::IpAddr::from(ip).to_string()),
            any::<[u8; 16]>().prop_map(|ip| std::net::IpAddr::from(ip).to_string()),
        ]
    };
    let boolean = || prop::option::of(any::<bool>().prop_map(Value::from));
    let at = || time().prop_map(|time| Value::from(time.to_string()));
    let ms = || (0.0..10_000.0_f64).prop_map(short);
    let object = |fields: Vec<(&'static str, BoxedStrategy<Option<Value>>)>| {
        let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        values.prop_map(move |values| {
            let present =
                names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Value::Object(present.collect::<Map<_, _>>())
        })
    };
    let place = object(vec![
        ("country", text().boxed()),
        ("region", text().boxed()),
        ("city", text().boxed()),
        ("latitude", number(-90.0..90.0).boxed()),
        ("longitude", number(-180.0..180.0).boxed()),
        ("radius_km", number(0.0..1000.0).boxed()),
    ]);
    let network = object(vec![
        ("asn", prop::option::of(any::<u32>().prop_map(Value::from)).boxed()),
        ("class", words(NetworkClass::ALL.iter().map(|class| class.name()).collect()).boxed()),
    ]);
    let about = object(vec![
        ("event_id", "[a-z]{1,9}".prop_map(|id| Some(id.into())).boxed()),
        ("session_id", text().boxed()),
        ("since", prop::option::of(at()).boxed()),
    ]);
    let keys = prop::collection::vec(("k[0-9]", ms(), ms()), 0..5).prop_map(|keys| {
        keys.into_iter()
            .map(|(key, down, up)| json!({"key": key, "down_ms": down, "up_ms": up}))
            .collect::<Value>()
    });
    let mice = prop::collection::vec((ms(), ms(), prop::option::of(0..5)), 0..5).prop_map(|mice| {
        let point = |(t, x, button)| json!({"t_ms": t, "x": x, "y": 1.5, "kind": "scroll", "button": button});
        mice.into_iter().map(point).collect::<Value>()
    });
    let touches = prop::collection::vec((ms(), prop::option::of((0.0..1.0_f64).prop_map(short))), 0..5).prop_map(|touches| {
        let point = |(t, pressure)| json!({"t_ms": t, "x": 1.0, "y": 2.0, "pressure": pressure, "size": null, "phase": "cancel"});
        touches.into_iter().map(point).collect::<Value>()
    });
    let list = |items: BoxedStrategy<Value>| prop::option::of(items).boxed();
    object(vec![
        ("event_id", text().boxed()),
        ("tenant", prop::option::of("[a-z][a-z0-9._-]{0,9}".prop_map(Value::from)).boxed()),
        ("user_id", "[a-z]{4,9}[0-9]".prop_map(|user| Some(user.into())).boxed()),
        ("type", prop::sample::select(EventType::ALL).prop_map(|kind| Some(kind.name().into())).boxed()),
        ("occurred_at", at().prop_map(Some).boxed()),
        ("source", text().boxed()),
        ("source_user_id", text().boxed()),
        ("source_session_id", text().boxed()),
        ("subject_kind", words(vec!["person", "service", "agent", "other"]).boxed()),
        ("groups", list(prop::collection::vec("[a-z]{1,5}", 0..4).prop_map(Value::from).boxed())),
        ("actor_id", text().boxed()),
        ("app", text().boxed()),
        ("resource", text().boxed()),
        ("privilege", words(vec!["none", "user", "admin", "other"]).boxed()),
        ("session_id", text().boxed()),
        ("ip_address", prop::option::of(address().prop_map(Value::from)).boxed()),
        ("ip_chain", list(prop::collection::vec(address(), 0..4).prop_map(Value::from).boxed())),
        ("user_agent", text().boxed()),
        ("device_fingerprint", text().boxed()),
        ("device_managed", boolean().boxed()),
        ("tls_fingerprint", text().boxed()),
        ("rtt_ms", prop::option::of((0..60_000_u32).prop_map(Value::from)).boxed()),
        ("place_hint", prop::option::of(place).boxed()),
        ("network_hint", prop::option::of(network).boxed()),
        ("interactive", boolean().boxed()),
        ("evaluation_id", text().boxed()),
        (
            "outcome",
            words(vec![
                "success", "failure", "blocked", "approved", "denied", "failed", "expired", "reported",
                "other",
            ])
            .boxed(),
        ),
        (
            "failure_reason",
            words(vec!["bad_credentials", "unknown_user", "locked", "factor_failed", "policy", "other"])
                .boxed(),
        ),
        ("factors", list(prop::collection::vec(factor(), 0..4).prop_map(Value::from).boxed())),
        ("challenge_id", text().boxed()),
        ("factor", prop::option::of(factor().prop_map(Value::from)).boxed()),
        (
            "change",
            words(vec!["start", "refresh", "context", "end", "create", "update", "reset", "revoke", "other"])
                .boxed(),
        ),
        ("token_id", text().boxed()),
        ("previous_token_id", text().boxed()),
        ("context", text().boxed()),
        ("keyboard_events", list(keys.boxed())),
        ("mouse_events", list(mice.boxed())),
        ("touch_events", list(touches.boxed())),
        (
            "verdict",
            prop::sample::select(vec!["safe", "compromised", "dismissed", "other"])
                .prop_map(|word| Some(word.into()))
                .boxed(),
        ),
        ("about", about.prop_map(Some).boxed()),
        ("by", words(vec!["user", "analyst", "system", "other"]).boxed()),
        ("assurance", words(vec!["aal1", "aal2", "aal3", "other"]).boxed()),
    ])
}
