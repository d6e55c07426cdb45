//! The records that only a lane writes: parts of profiles (`profile.avsc`) and rejected records
//! (`rejected.avsc`), in single-object encoding.
//!
//! Written field by field: a part is written for every event, and its envelope must not cost more
//! than it. The tests read each with the schema.

use sha2::{Digest as _, Sha256};

use crate::engine::baseline::Part;
use crate::engine::decode::Rejected;
use crate::engine::schema::{HEADER_BYTES, Opened, PROFILE, REJECTED};
use crate::ports::source::Record;

/// Key of the changelog record that a unit writes when it decided something and nobody learned: no
/// user key begins with NUL.
pub(super) const MARK_KEY: &[u8] = b"\0mark";

/// Appends the stored form of a part.
pub(super) fn profile(part: Part, state: &[u8], out: &mut Vec<u8>) {
    envelope(part.name(), state, out);
}

/// Appends the value of the record under [`MARK_KEY`].
pub(super) fn mark(out: &mut Vec<u8>) {
    envelope("mark", &[], out);
}

fn envelope(part: &str, state: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(PROFILE.header());
    bytes(out, part.as_bytes());
    long(out, FORMAT);
    bytes(out, state);
}

/// The state in a stored part.
///
/// # Errors
/// When it is not this part, or written by a version that this one does not know.
pub(super) fn state(value: &[u8], part: Part) -> Result<&[u8], String> {
    let mut datum = match PROFILE.open(value) {
        Opened::Datum(_, datum) => datum,
        Opened::Unmarked => return Err("it is no single-object Avro".into()),
        Opened::Newer(version) => {
            return Err(format!("it is single-object encoding of version {version}, newer than 1"));
        }
        Opened::Unknown(schema) => {
            return Err(format!("its schema {schema} is newer than this version of ward: update it"));
        }
    };
    let cut = || "it ends too early".to_owned();
    let name = take_bytes(&mut datum).ok_or_else(cut)?;
    let format = take_long(&mut datum).ok_or_else(cut)?;
    let state = take_bytes(&mut datum).ok_or_else(cut)?;
    if name != part.name().as_bytes() {
        return Err(format!("it holds part `{}` under the key of `{part}`", super::intake::shown(name)));
    }
    if format != FORMAT {
        return Err(format!("its state has format {format}, this version of ward reads {FORMAT}: update it"));
    }
    if datum.is_empty() { Ok(state) } else { Err(format!("{} bytes follow its end", datum.len())) }
}

/// Appends a record that was not taken, and why. `until` is the first offset after a gap.
pub(super) fn rejected(
    rejected: &Rejected,
    topic: &str,
    record: &Record<'_>,
    until: Option<i64>,
    out: &mut Vec<u8>,
) {
    let value = record.value.unwrap_or_default();
    out.extend_from_slice(REJECTED.header());
    long(out, i64::from(rejected.reason.code()));
    bytes(out, rejected.detail.as_bytes());
    long(out, 1);
    bytes(out, topic.as_bytes());
    long(out, i64::from(record.partition));
    long(out, record.offset);
    optional(out, until, long);
    optional(out, record.recorded_at.map(crate::model::time::Timestamp::micros), long);
    optional(out, record.key, |out, key| bytes(out, key.get(..KEY_BYTES_MAX).unwrap_or(key)));
    bytes(out, value.get(..VALUE_BYTES_MAX).unwrap_or(value));
    long(out, i64::try_from(value.len()).unwrap_or(i64::MAX));
    long(out, 64);
    for byte in Sha256::digest(value) {
        for nibble in [byte >> 4, byte & 15] {
            out.push(
                char::from_digit(u32::from(nibble), 16)
                    .map_or(b'0', |digit| u8::try_from(digit).unwrap_or(b'0')),
            );
        }
    }
}

fn optional<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        None => long(out, 0),
        Some(value) => {
            long(out, 1);
            write(out, value);
        }
    }
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(bytes);
}

/// Avro's long: zigzag, seven bits a byte.
fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or(0);
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_long(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

fn take_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take_long(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Of the state's own form.
const FORMAT: i64 = 1;
const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 16 * 1024;
const _: () = assert!(HEADER_BYTES == 10, "single-object encoding: two bytes and a fingerprint");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reject;
    use crate::model::time::Timestamp;
    use apache_avro::types::Value;

    /// Reads a record with the schema, by the other library.
    #[track_caller]
    fn fields(schema: &str, value: &[u8]) -> Vec<(String, Value)> {
        let schema = apache_avro::Schema::parse_str(schema).unwrap();
        let mut datum = &value[HEADER_BYTES..];
        let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
        let read = reader.read_value(&mut datum).unwrap();
        assert!(datum.is_empty(), "{} bytes left", datum.len());
        let Value::Record(fields) = read else { panic!("no record: {read:?}") };
        fields
    }

    #[test]
    fn a_part_is_what_the_schema_says() {
        let mut value = Vec::new();
        profile(Part::Journal(3), b"state", &mut value);
        let fields = fields(include_str!("../../schemas/profile.avsc"), &value);
        assert_eq!(fields[0].1, Value::String("journal/3".into()));
        assert_eq!(fields[2].1, Value::Bytes(b"state".into()));
        assert_eq!(state(&value, Part::Journal(3)), Ok(b"state".as_slice()));
        assert!(state(&value, Part::Core).is_err());
        for length in 0..value.len() {
            assert!(state(&value[..length], Part::Journal(3)).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_rejected_record_is_what_the_schema_says() {
        let big = vec![b'x'; 20_000];
        let record = Record {
            partition: 3,
            offset: 812,
            recorded_at: Timestamp::from_seconds(5),
            key: Some(b"acme/ada"),
            value: Some(&big),
        };
        let mut value = Vec::new();
        let why = super::super::intake::reject(Reject::WrongKey, "other user".into());
        rejected(&why, "identity.events", &record, None, &mut value);
        let fields = fields(include_str!("../../schemas/rejected.avsc"), &value);
        let shown: Vec<_> = fields
            .iter()
            .map(|(name, value)| match value {
                Value::Bytes(bytes) => format!("{name}: {} bytes", bytes.len()),
                other => format!("{name}: {other:?}"),
            })
            .collect();
        let text = shown.join("\n");
        for expected in [
            "\"wrong_key\"",
            "other user",
            "identity.events",
            "Int(3)",
            "Long(812)",
            "value: 16384 bytes",
            "length: Long(20000)",
        ] {
            assert!(text.contains(expected), "`{expected}` in\n{text}");
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        value.clear();
        rejected(&why, "t", &Record { value: None, ..record }, Some(900), &mut value);
        assert!(value.ends_with(empty.as_bytes()), "SHA-256 of nothing");
    }
}
