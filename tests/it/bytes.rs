//! Hostile bytes: whatever arrives, decoding ends with an event or with a reason, never with a
//! panic, and what it says is short.

use apache_avro::Codec;
use proptest::prelude::*;
use serde_json::Value;
use wardstream::engine::decode::{Decoder, Format, Limits, Records, decode, from_fields};
use wardstream::engine::emit;

use super::avro;

const FORMATS: [Format; 3] = [Format::Json, Format::Avro, Format::AvroBare];

/// Decodes in every way there is; a panic fails the test.
fn survives(bytes: &[u8]) {
    let limits = Limits::default();
    for format in FORMATS {
        if let Err(rejected) = decode(bytes, format, "0", None, &limits) {
            assert!(!rejected.detail.is_empty(), "{format:?} says nothing");
            assert!(rejected.detail.len() < 500, "{format:?} says too much: {}", rejected.detail);
        }
    }
    let mut file = Records::open(bytes);
    if let Ok(records) = &mut file {
        // A damaged file may claim millions of records of no bytes at all; each is refused.
        for _ in 0..100 {
            if !matches!(records.next("0", &limits), Ok(Some(_))) {
                break;
            }
        }
    }
    if let Some(mark) = emit::read_mark(bytes) {
        assert!(emit::to_value(bytes).is_some_and(|value| value["chain"] == mark.chain.to_string()));
    }
    if let Ok(part) = emit::profile_read(bytes) {
        assert!(part.state.len() < bytes.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        survives(&bytes);
        survives(&avro::single_object(&bytes));
    }

    #[test]
    fn random_json(text in "[{}\\[\\]\":,a-z0-9.eE+\\\\u -]{0,200}") {
        survives(text.as_bytes());
        survives(format!("{{\"user_id\":{text}").as_bytes());
        survives(format!("{{\"mouse_events\":[{text}").as_bytes());
    }

    #[test]
    fn any_value_in_any_field(field in 0..42_usize, value in value()) {
        let schema: Value = serde_json::from_str(avro::EVENT).unwrap();
        let name = schema["fields"][field]["name"].as_str().unwrap();
        let mut event = serde_json::json!({"user_id": "ada", "type": "behavior", "occurred_at": "2026-01-05T09:00:00Z"});
        event[name] = value;
        survives(event.to_string().as_bytes());
    }

    #[test]
    fn flipped_bits(event in avro::event(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4)) {
        let datum = avro::datum(&event);
        let files = [Codec::Null, Codec::Deflate(Default::default())].map(|codec| avro::container(&event, codec));
        let records = [event.to_string().into_bytes(), avro::single_object(&datum), datum];
        for mut bytes in records.into_iter().chain(files) {
            for (index, bit) in &flips {
                let at = index.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            survives(&bytes);
        }
    }

    #[test]
    fn csv_cells(cells in prop::collection::vec(("[a-z_.]{0,20}", "\\PC{0,40}"), 0..20)) {
        let cells = cells.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        if let Err(rejected) = from_fields(cells, "0", None, &Limits::default()) {
            prop_assert!(rejected.detail.len() < 500);
        }
    }

    #[test]
    fn random_schemas(text in "[{}\\[\\]\":,a-z ]{0,100}") {
        prop_assert!(Decoder::with_schema(&text).is_err());
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{0,9}|t_ms|x|y|key|city|asn", inner, 0..6)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// A valid event cut anywhere is refused: no start of one is another one.
#[test]
fn every_truncation_is_refused() {
    let event = serde_json::json!({
        "event_id": "7c", "tenant": "acme", "user_id": "ada", "type": "behavior", "occurred_at": "2026-01-05T09:00:00Z",
        "place_hint": {"city": "Reading", "latitude": 51.4}, "groups": ["a", "b"], "factors": ["password"],
        "keyboard_events": [{"key": "k1", "down_ms": 0.0, "up_ms": 92.4}],
        "mouse_events": [{"t_ms": 0.0, "x": 10.0, "y": 20.0, "kind": "move", "button": 1}],
        "touch_events": [{"t_ms": 0.0, "x": 10.0, "y": 20.0, "pressure": 0.4, "size": 0.1, "phase": "start"}],
    });
    let datum = avro::datum(&event);
    let forms = [
        (event.to_string().into_bytes(), Format::Json),
        (avro::single_object(&datum), Format::Avro),
        (datum, Format::AvroBare),
    ];
    for (bytes, format) in forms {
        assert!(decode(&bytes, format, "0", None, &Limits::default()).is_ok());
        for length in 0..bytes.len() {
            let cut = decode(&bytes[..length], format, "0", None, &Limits::default());
            assert!(cut.is_err(), "{format:?} cut at {length}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        assert!(
            decode(&longer, format, "0", None, &Limits::default()).is_err(),
            "{format:?} with a byte more"
        );
    }
}

/// A length or a count far beyond the record must not reserve memory for it.
#[test]
fn claimed_lengths_reserve_nothing() {
    let huge: &[u8] = &[0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    survives(&[&[2], huge].concat());
    survives(&[&[0, 0, 6], b"ada".as_slice(), &[0, 0, 0, 0, 0, 0], huge].concat());
    survives(&avro::single_object(&[&[2], huge].concat()));
}
