//! Against apache-avro: what it reads, we read alike; what we read, it reads too.

use apache_avro::reader::datum::GenericDatumReader;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::engine::avro::shown;
use crate::engine::emit::Any;

/// What a datum says, or `None` for a damaged one.
fn ours(schema: &str, bytes: &[u8]) -> Option<Value> {
    let schema = schema.parse::<Schema>().unwrap();
    let found = from_datum::<Any>(bytes, &schema).ok().map(|Any(value)| value);
    assert_eq!(terse(bytes, &schema), found.clone().map(without_nulls), "{bytes:?}");
    found
}

/// The same, read by somebody who asks for no nulls.
fn terse(bytes: &[u8], schema: &Schema) -> Option<Value> {
    let mut datum = Datum::new(bytes, schema).without_nulls();
    let Any(value) = datum.read(std::marker::PhantomData).ok()?;
    datum.rest().is_empty().then(|| without_nulls(value))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let told = fields.into_iter().filter(|(_, value)| !value.is_null());
            told.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        value => value,
    }
}

fn theirs(schema: &str, mut bytes: &[u8]) -> Option<Value> {
    let schema = apache_avro::Schema::parse_str(schema).unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();
    let value = reader.read_value(&mut bytes).ok()?;
    bytes.is_empty().then(|| shown(&value))
}

const ALL: &str = r#"{"type": "record", "name": "All", "fields": [
    {"name": "n", "type": "null"}, {"name": "b", "type": "boolean"}, {"name": "i", "type": "int"},
    {"name": "l", "type": "long"}, {"name": "f", "type": "float"}, {"name": "d", "type": "double"},
    {"name": "y", "type": "bytes"}, {"name": "s", "type": "string"}, {"name": "x", "type": {"type": "fixed", "name": "X", "size": 3}},
    {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["a", "b", "c"]}},
    {"name": "a", "type": {"type": "array", "items": ["null", "long"]}}, {"name": "m", "type": {"type": "map", "values": "string"}},
    {"name": "u", "type": ["string", "null", "E", {"type": "record", "name": "In", "fields": [{"name": "t", "type": ["null", "All"]}]}]}]}"#;

const PLAIN: &[u8] = &[
    1, 2, 4, 0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 4, 7, 8, 2, b'z', 1, 2, 3, 2, 4, 0, 2, 9, 0, 2,
    2, b'k', 2, b'v', 0, 2,
];

#[track_caller]
fn same(schema: &str, bytes: &[u8], expected: bool) {
    let found = ours(schema, bytes);
    assert_eq!(found.is_some(), expected, "{bytes:?}");
    assert_eq!(found, theirs(schema, bytes), "{bytes:?}");
}

#[test]
fn every_type() {
    same(ALL, PLAIN, true);
    // Others take the end for a null, where a union's branch should stand.
    for length in 0..PLAIN.len() {
        assert_eq!(ours(ALL, &PLAIN[..length]), None, "cut at {length}");
    }
}

#[test]
fn numbers_to_their_bounds() {
    for (bytes, expected) in [
        (vec![0], true),
        (vec![0x80, 0], true),
        ([vec![0xFE], vec![0xFF; 8], vec![1]].concat(), true),
        ([vec![0xFF; 9], vec![1]].concat(), true),
        (vec![0x80], false),
    ] {
        same(r#""long""#, &bytes, expected);
    }
    // What runs over 64 bits is damage, whatever others make of it.
    for bytes in [[vec![0xFF; 9], vec![2]].concat(), vec![0xFF; 11]] {
        assert_eq!(ours(r#""long""#, &bytes), None);
    }
    same(r#""int""#, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F], true);
    same(r#""int""#, &[0xFF, 0xFF, 0xFF, 0xFF, 0x0F], true);
    same(r#""int""#, &[0x80, 0x80, 0x80, 0x80, 0x10], false);
    assert_eq!(ours(r#""boolean""#, &[2]), None);
}

#[test]
fn lengths_and_counts() {
    let list = r#"{"type": "array", "items": "int"}"#;
    same(list, &[4, 2, 4, 2, 6, 0], true);
    // A block that states its size.
    same(list, &[3, 4, 2, 4, 0], true);
    assert_eq!(ours(list, &[3, 3, 2, 4, 0]), None, "a negative size");
    assert_eq!(ours(list, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F]), None, "a count without elements");
    same(r#""string""#, &[2, 0xFF], false);
    assert_eq!(ours(r#""bytes""#, &[1]), None, "a negative length");
    same(r#""bytes""#, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F], false);
    // Elements of no size: any number of them fits a few bytes.
    let nothing = r#"{"type": "array", "items": "null"}"#;
    assert!(ours(nothing, &[6, 0]).is_some());
    assert_eq!(ours(nothing, &[0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0]), None);
    let lowest = [vec![0xFF; 9], vec![1, 0, 0]].concat();
    assert_eq!(ours(nothing, &lowest), None);
}

/// A field that may be null, and its null or a value: whoever asks for no nulls reads the same.
#[test]
fn null_wherever_it_stands_in_a_union() {
    for (union, null, value) in [
        (r#"["null", "long"]"#, vec![0], vec![2, 0]),
        (r#"["long", "null"]"#, vec![2], vec![0, 0]),
        // A branch that is not whole yet while the union is read.
        (r#"["A", "null"]"#, vec![2], vec![0, 0, 2]),
        (r#"["null", "A"]"#, vec![0], vec![2, 0, 0]),
    ] {
        let schema = format!(
            r#"{{"type": "record", "name": "A", "fields": [{{"name": "v", "type": "long"}}, {{"name": "u", "type": {union}}}]}}"#
        );
        same(&schema, &[vec![0], null.clone()].concat(), true);
        same(&schema, &[vec![0], value].concat(), true);
        // A branch in more bytes than it needs.
        same(&schema, &[0, null[0] | 0x80, 0], true);
    }
    let many = |before: usize| {
        let fixed =
            (0..before).map(|number| format!(r#"{{"type": "fixed", "name": "F{number}", "size": 1}}, "#));
        let fixed: String = fixed.collect();
        format!(r#"{{"type": "record", "name": "A", "fields": [{{"name": "u", "type": [{fixed}"null"]}}]}}"#)
    };
    same(&many(63), &[126], true);
    same(&many(64), &[0x80, 1], true);
    same(&many(64), &[126, 0], true);
}

#[test]
fn what_never_ends() {
    let endless = r#"{"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}"#;
    assert_eq!(ours(endless, &[]), None);
    let schema = endless.parse::<Schema>().unwrap();
    assert!(from_datum::<serde::de::IgnoredAny>(&[], &schema).is_err());
    let list = r#"{"type": "record", "name": "A", "fields": [{"name": "a", "type": {"type": "array", "items": "A"}}]}"#;
    assert_eq!(ours(list, &[2; 1000]), None);
    assert!(from_datum::<serde::de::IgnoredAny>(&[2; 1000], &list.parse().unwrap()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Strict is as strict does: what we take, apache-avro takes as the same; and skipping finds
    /// the same damage as reading.
    #[test]
    fn mutated_bytes(flips in prop::collection::vec((0..PLAIN.len(), any::<u8>()), 0..4), cut in 0..PLAIN.len(), more: Vec<u8>) {
        let mut bytes = PLAIN.to_vec();
        for (at, byte) in flips {
            bytes[at] = byte;
        }
        for bytes in [bytes.clone(), [&bytes[..cut], &more].concat(), [bytes.as_slice(), &more].concat()] {
            let found = ours(ALL, &bytes);
            if found.is_some() {
                prop_assert_eq!(&found, &theirs(ALL, &bytes));
            }
            let skipped = from_datum::<serde::de::IgnoredAny>(&bytes, &ALL.parse().unwrap());
            prop_assert_eq!(skipped.is_ok(), found.is_some());
        }
    }
}
