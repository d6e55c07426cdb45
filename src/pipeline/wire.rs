//! The records that only a lane writes: parts of profiles, the mark where nobody learned, and
//! records that were not taken.

use crate::engine::baseline::{Core, Part};
use crate::engine::decode::Rejected;
use crate::engine::emit::{
    ProfilePart, RejectedRecord, profile_avro, profile_read, rejected_avro, rejected_json,
};
use crate::model::id::Position;
use crate::pipeline::lane::Rendering;
use crate::ports::source::Record;

/// Key of the changelog record that a unit writes when it has told something and nobody learned: no user
/// key begins with NUL.
pub(super) const MARK_KEY: &[u8] = b"\0mark";

/// Appends the stored form of a part.
pub fn profile(part: Part, state: &[u8], out: &mut Vec<u8>) {
    profile_avro(&ProfilePart { part: part.name().into(), format: FORMAT, state }, out);
}

/// Appends the value of the record under [`MARK_KEY`].
pub(super) fn mark(out: &mut Vec<u8>) {
    profile_avro(&ProfilePart { part: "mark".into(), format: FORMAT, state: &[] }, out);
}

/// The state in a stored part.
///
/// # Errors
/// When it is not this part, or written by a version that this one does not know.
pub fn state(value: &[u8], part: Part) -> Result<&[u8], String> {
    let read = profile_read(value).map_err(|rejected| rejected.detail)?;
    if read.part != part.name() {
        return Err(format!("it holds part `{}` under the key of `{part}`", read.part));
    }
    if read.format != FORMAT {
        return Err(format!(
            "its state has format {}, this version of ward reads {FORMAT}: update it",
            read.format
        ));
    }
    Ok(read.state)
}

/// Observations that wait for an answer in a stored part, by its name: all of a user's are in `core`. 0 where
/// that cannot be read.
#[must_use]
pub fn held_in(name: &[u8], value: Option<&[u8]>) -> Option<u64> {
    let is_core = name == Part::Core.name().as_bytes();
    is_core.then(|| {
        let core = value.and_then(|value| Core::decode(state(value, Part::Core).ok()?).ok());
        core.map_or(0, |core| core.held.len() as u64)
    })
}

/// Appends a record that was not taken, and why. `until` is the first offset after a gap.
pub fn rejected(
    rejected: &Rejected,
    topic: &str,
    record: &Record<'_>,
    until: Option<i64>,
    rendering: Rendering,
    out: &mut Vec<u8>,
) {
    let record = RejectedRecord {
        rejected,
        position: Position { topic: Some(topic.into()), partition: record.partition, offset: record.offset },
        until_offset: until,
        recorded_at: record.recorded_at,
        key: record.key,
        value: record.value.unwrap_or_default(),
    };
    rendering.write(out, |out| rejected_avro(&record, out), |out| rejected_json(&record, out));
}

/// Of the state's own form.
const FORMAT: i32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_comes_back_under_its_own_name_only() {
        let mut value = Vec::new();
        profile(Part::Journal(3), b"state", &mut value);
        assert_eq!(state(&value, Part::Journal(3)), Ok(b"state".as_slice()));
        assert!(state(&value, Part::Core).is_err());
        for length in 0..value.len() {
            assert!(state(&value[..length], Part::Journal(3)).is_err(), "cut at {length}");
        }
    }
}
