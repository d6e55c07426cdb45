//! The Confluent wire format of what we write: a zero byte, four bytes of the schema's id, the datum.
//!
//! Everything is written in single-object encoding first, so that nothing but the first bytes
//! differs: the chain of decisions is the same in both.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::engine::avro::Schema;
use crate::engine::decode::split_confluent;
use crate::engine::schema::{HEADER_BYTES, MARKER};

/// Has `write` append a record in single-object encoding, and puts the id in the place of its marker
/// and fingerprint.
pub fn confluent<T>(id: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let start = out.len();
    let done = write(out);
    let [a, b, c, d] = id.to_be_bytes();
    let end = out.len().min(start + HEADER_BYTES);
    out.splice(start..end, [0, a, b, c, d]);
    done
}

/// Under which ids a registry has the schemas that we write with, for reading it back.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    headers: BTreeMap<u32, [u8; HEADER_BYTES]>,
}

impl Ids {
    /// Notes the id of a schema; of what is none, nothing.
    pub fn note(&mut self, id: u32, schema: &str) {
        let Ok(schema) = schema.parse::<Schema>() else { return };
        let mut header = [0; HEADER_BYTES];
        for (to, from) in header.iter_mut().zip(MARKER.iter().chain(&schema.fingerprint())) {
            *to = *from;
        }
        self.headers.insert(id, header);
    }

    /// The same record in single-object encoding; what is in another form, or of another id, stays as
    /// it is.
    #[must_use]
    pub fn single<'v>(&self, value: &'v [u8]) -> Cow<'v, [u8]> {
        match split_confluent(value).and_then(|(id, datum)| Some((self.headers.get(&id)?, datum))) {
            Some((header, datum)) => Cow::Owned([header.as_slice(), datum].concat()),
            None => Cow::Borrowed(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::schema::{ALERT, current};

    #[test]
    fn goes_out_under_an_id_and_comes_back_under_a_fingerprint() {
        let mut single = ALERT.header().to_vec();
        single.extend_from_slice(b"datum");
        let mut out = b"before".to_vec();
        confluent(258, &mut out, |out| out.extend_from_slice(&single));
        assert_eq!(out, b"before\0\0\0\x01\x02datum");

        let mut ids = Ids::default();
        assert_eq!(*ids.single(&out[6..]), out[6..], "nobody knows the id");
        ids.note(258, current("alert"));
        assert_eq!(*ids.single(&out[6..]), single);
        assert_eq!(*ids.single(&single), single);
        assert_eq!(*ids.single(b"{}"), *b"{}");
    }
}
