//! What carries something else: a profile's part in its own codec, a record that was not taken, a
//! policy's text.

use std::borrow::Cow;

use serde::ser::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::borrowed::Borrowed;
use super::line::Line;
use super::shape::{Shape, fields, maybe};
use super::{avro, json};
use crate::engine::avro::from_datum;
use crate::engine::decode::Rejected;
use crate::engine::policy::Policy;
use crate::engine::schema::{HEADER_BYTES, Opened, POLICY, PROFILE, REJECTED};
use crate::model::Reject;
use crate::model::id::Position;
use crate::model::time::Timestamp;

/// One record of `risk.profiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfilePart<'a> {
    /// `core`, `keystroke`, …, `journal/7`.
    pub part: Cow<'a, str>,
    /// Version of the state's own codec, which `engine/baseline` knows.
    pub format: i32,
    pub state: &'a [u8],
}

impl Serialize for ProfilePart<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Profile" {
            "part": &self.part,
            "format": &self.format,
            "state": &Shape::<_, false>(&self.state),
        })
    }
}

/// Appends the single-object Avro of a profile's part.
pub fn profile_avro(part: &ProfilePart<'_>, out: &mut Vec<u8>) {
    avro(&PROFILE, part, out);
}

/// Reads a profile's part. A newer version's record is `unsupported_version`: the lane stops.
pub fn profile_read(value: &[u8]) -> Result<ProfilePart<'_>, Rejected> {
    let (schema, datum) = match PROFILE.open(value) {
        Opened::Datum(schema, datum) => (schema, datum),
        Opened::Unknown(fingerprint) => {
            let detail = format!(
                "profile.avsc with the fingerprint {fingerprint} is newer than this version, which writes {}; run a newer one",
                hex_of(PROFILE.header())
            );
            return Err(Rejected::new(Reject::UnsupportedVersion, detail));
        }
        Opened::Newer(version) => {
            let detail = format!("single-object encoding of version {version}, this version knows 1");
            return Err(Rejected::new(Reject::UnsupportedVersion, detail));
        }
        Opened::Unmarked => {
            let detail = "does not begin with C3 01 and a fingerprint of 8 bytes";
            return Err(Rejected::new(Reject::Malformed, detail));
        }
    };
    let wire: ProfileWire<'_> =
        from_datum(datum, schema).map_err(|error| Rejected::new(Reject::Malformed, error.to_string()))?;
    Ok(ProfilePart { part: wire.part.0, format: wire.format, state: wire.state })
}

#[derive(serde::Deserialize)]
struct ProfileWire<'a> {
    #[serde(borrow)]
    part: Borrowed<'a>,
    format: i32,
    state: &'a [u8],
}

fn hex_of(header: &[u8; HEADER_BYTES]) -> String {
    header.iter().skip(2).map(|byte| format!("{byte:02x}")).collect()
}

/// One record of `risk.rejected`.
#[derive(Clone, Debug)]
pub struct RejectedRecord<'a> {
    pub rejected: &'a Rejected,
    pub position: Position<'a>,
    /// `gap`: the first offset that is still there.
    pub until_offset: Option<i64>,
    /// The record's own time.
    pub recorded_at: Option<Timestamp>,
    pub key: Option<&'a [u8]>,
    /// The whole value: what is kept of it is cut here, its length and hash are of all of it.
    pub value: &'a [u8],
}

/// Appends the single-object Avro of a rejected record.
pub fn rejected_avro(record: &RejectedRecord<'_>, out: &mut Vec<u8>) {
    avro(&REJECTED, &Kept::<false>(record), out);
}

/// Appends the JSON of a rejected record, without a line feed.
pub fn rejected_json(record: &RejectedRecord<'_>, out: &mut Vec<u8>) {
    json(&Kept::<true>(record), out);
}

/// Appends the single-object Avro of a record of `risk.policies`.
pub fn policy_avro(policy: &Policy, out: &mut Vec<u8>) {
    avro(&POLICY, &PolicyText(policy), out);
}

/// Reads a policy's record. `None` when it is none, or when what it says is no policy for this version.
#[must_use]
pub fn policy_read(value: &[u8]) -> Option<Policy> {
    #[derive(serde::Deserialize)]
    struct Wire {
        name: String,
        texts: Vec<String>,
    }
    let Opened::Datum(schema, datum) = POLICY.open(value) else { return None };
    let wire: Wire = from_datum(datum, schema).ok()?;
    Policy::of_texts(&wire.name, &wire.texts).ok()
}

struct PolicyText<'p>(&'p Policy);

impl Serialize for PolicyText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        fields!(serializer, "Policy" {
            "name": &self.0.name,
            "texts": &self.0.texts,
        })
    }
}

struct Kept<'r, const JSON: bool>(&'r RejectedRecord<'r>);

impl<const JSON: bool> Serialize for Kept<'_, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let record = self.0;
        let key = record.key.map(|key| start(key, KEY_BYTES_KEPT));
        fields!(serializer, "Rejected" {
            "reason": &Shape::<_, JSON>(&record.rejected.reason),
            "detail": &record.rejected.detail,
            "position": &Shape::<_, JSON>(&record.position),
            "until_offset": &record.until_offset,
            "recorded_at": &maybe::<_, JSON>(&record.recorded_at),
            "key": &maybe::<_, JSON>(&key),
            "value": &Shape::<_, JSON>(&start(record.value, VALUE_BYTES_KEPT)),
            "length": &record.value.len(),
            "sha256": sha256(record.value).as_str(),
        })
    }
}

fn start(bytes: &[u8], most: usize) -> &[u8] {
    bytes.get(..most).unwrap_or(bytes)
}

fn sha256(bytes: &[u8]) -> Line {
    use std::fmt::Write as _;
    let mut line = Line::default();
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let written = write!(line, "{}", crate::model::id::Digest(digest));
    debug_assert!(written.is_ok(), "a line holds a digest");
    line
}

/// Of a user key at most 320 are sound.
const KEY_BYTES_KEPT: usize = 512;
const VALUE_BYTES_KEPT: usize = 16 * 1024;
