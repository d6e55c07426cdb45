//! The stored form of profile parts: bounded, canonical, and never a panic.
//!
//! Whole numbers are little-endian base-128 varints in their shortest form, keys are fixed width,
//! times are distances in seconds from one base time of the part. A part starts with its version.
//! Reading checks every length and range, and that nothing is left over: bytes that this version
//! would not have written are an [`Error`], and what was read writes the same bytes again.
//!
//! Why not Avro: every event pays this twice (`docs/adr/0001-profile-codec.md`).

use std::time::Duration;

use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;

/// Why stored bytes are not a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("profile part ends too early")]
    Truncated,
    #[error("profile part has bytes after its end")]
    TrailingBytes,
    #[error("profile part is of version {found}, this engine reads {known}: run a newer version")]
    Version { found: u8, known: u8 },
    #[error("profile part holds a value out of range: {0}")]
    Range(&'static str),
}

/// Appends to a buffer that the caller reuses.
#[derive(Debug)]
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
    base_s: i64,
}

impl<'b> Writer<'b> {
    pub fn new(out: &'b mut Vec<u8>) -> Self {
        Self { out, base_s: 0 }
    }

    /// Times written from here on are distances from `base`.
    pub fn base(&mut self, base: Timestamp) {
        self.base_s = base.seconds();
    }

    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub fn uint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(low7(value) | 0x80);
            value >>= 7;
        }
        self.out.push(low7(value));
    }

    /// A length or a count.
    pub fn size(&mut self, size: usize) {
        self.uint(size as u64);
    }

    pub fn int(&mut self, value: i64) {
        self.uint((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    pub fn key64(&mut self, key: u64) {
        self.out.extend_from_slice(&key.to_le_bytes());
    }

    /// The low 40 bits.
    pub fn key40(&mut self, key: u64) {
        let [a, b, c, d, e, _, _, _] = key.to_le_bytes();
        self.out.extend_from_slice(&[a, b, c, d, e]);
    }

    /// The low 48 bits.
    pub fn key48(&mut self, key: u64) {
        let [a, b, c, d, e, f, _, _] = key.to_le_bytes();
        self.out.extend_from_slice(&[a, b, c, d, e, f]);
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Whole seconds from the base.
    pub fn time(&mut self, at: Timestamp) {
        self.int(at.seconds() - self.base_s);
    }

    pub fn country(&mut self, country: Option<Country>) {
        self.out.extend_from_slice(&country.map_or([0, 0], Country::bytes));
    }

    pub fn coordinates(&mut self, at: Coordinates) {
        self.int(at.latitude_e4().into());
        self.int(at.longitude_e4().into());
        self.uint(at.radius_km.into());
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'b> {
    rest: &'b [u8],
    base_s: i64,
}

impl<'b> Reader<'b> {
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, base_s: 0 }
    }

    pub fn base(&mut self, base: Timestamp) {
        self.base_s = base.seconds();
    }

    /// Everything has been read.
    pub const fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::TrailingBytes) }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn version(&mut self, known: u8) -> Result<(), Error> {
        match self.byte()? {
            found if found == known => Ok(()),
            found => Err(Error::Version { found, known }),
        }
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        let (first, rest) = self.rest.split_first().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn uint(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(first.into());
        }
        let mut value = u64::from(first & 0x7f);
        for shift in (7..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Error::Range("varint of more than 64 bits"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                // The shortest form only, so that equal parts are equal bytes.
                return if byte == 0 { Err(Error::Range("padded varint")) } else { Ok(value) };
            }
        }
        Err(Error::Range("varint of more than 64 bits"))
    }

    /// A number that fits `N`; `what` names it if it does not.
    pub fn number<N: TryFrom<u64>>(&mut self, what: &'static str) -> Result<N, Error> {
        N::try_from(self.uint()?).ok().ok_or(Error::Range(what))
    }

    /// A count of at most `max`.
    pub fn size(&mut self, max: usize, what: &'static str) -> Result<usize, Error> {
        let size: usize = self.number(what)?;
        if size <= max { Ok(size) } else { Err(Error::Range(what)) }
    }

    pub fn int(&mut self) -> Result<i64, Error> {
        let raw = self.uint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A signed number that fits `N`.
    pub fn signed<N: TryFrom<i64>>(&mut self, what: &'static str) -> Result<N, Error> {
        N::try_from(self.int()?).ok().ok_or(Error::Range(what))
    }

    pub fn key64(&mut self) -> Result<u64, Error> {
        let (key, rest) = self.rest.split_first_chunk::<8>().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*key))
    }

    pub fn key40(&mut self) -> Result<u64, Error> {
        let ([a, b, c, d, e], rest) = self.rest.split_first_chunk::<5>().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes([*a, *b, *c, *d, *e, 0, 0, 0]))
    }

    pub fn key48(&mut self) -> Result<u64, Error> {
        let ([a, b, c, d, e, f], rest) = self.rest.split_first_chunk::<6>().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0]))
    }

    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub fn time(&mut self) -> Result<Timestamp, Error> {
        let seconds = self.int()?.checked_add(self.base_s).ok_or(Error::Range("time"))?;
        Timestamp::from_seconds(seconds).ok_or(Error::Range("time"))
    }

    pub fn country(&mut self) -> Result<Option<Country>, Error> {
        let bytes = self.bytes::<2>()?;
        if bytes == [0, 0] {
            return Ok(None);
        }
        let country = std::str::from_utf8(&bytes).ok().and_then(Country::parse);
        match country {
            Some(country) if country.bytes() == bytes => Ok(Some(country)),
            _ => Err(Error::Range("country")),
        }
    }

    pub fn coordinates(&mut self) -> Result<Coordinates, Error> {
        let latitude_e4 = self.signed("latitude")?;
        let longitude_e4 = self.signed("longitude")?;
        let radius_km = self.number("radius")?;
        Coordinates::from_e4(latitude_e4, longitude_e4, radius_km).ok_or(Error::Range("coordinates"))
    }
}

/// What profiles keep of a time: its whole second.
#[must_use]
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_seconds(at.seconds()).unwrap_or(at)
}

/// Whole seconds, as many as `u32` holds.
#[must_use]
pub fn seconds_u32(elapsed: Duration) -> u32 {
    u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)
}

const fn low7(value: u64) -> u8 {
    (value & 0x7f) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_uint(value: u64, bytes: &[u8]) {
        let mut out = Vec::new();
        Writer::new(&mut out).uint(value);
        assert_eq!(out, bytes);
        assert_eq!(Reader::new(bytes).uint(), Ok(value));
    }

    #[track_caller]
    fn check_refused(bytes: &[u8], error: Error) {
        assert_eq!(Reader::new(bytes).uint(), Err(error));
    }

    #[test]
    fn numbers_take_the_bytes_they_need() {
        check_uint(0, &[0]);
        check_uint(127, &[0x7f]);
        check_uint(128, &[0x80, 1]);
        check_uint(u64::MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    }

    #[test]
    fn refuses_what_it_would_not_write() {
        check_refused(&[], Error::Truncated);
        check_refused(&[0x80], Error::Truncated);
        check_refused(&[0x80, 0], Error::Range("padded varint"));
        check_refused(&[0xff; 11], Error::Range("varint of more than 64 bits"));
        check_refused(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            Error::Range("varint of more than 64 bits"),
        );
    }

    #[test]
    fn signed_numbers_come_back() {
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            Writer::new(&mut out).int(value);
            assert_eq!(Reader::new(&out).int(), Ok(value));
        }
    }

    #[test]
    fn countries_are_two_capitals_or_nothing() {
        assert_eq!(Reader::new(b"DE").country(), Ok(Country::parse("de")));
        assert_eq!(Reader::new(&[0, 0]).country(), Ok(None));
        assert_eq!(Reader::new(b"de").country(), Err(Error::Range("country")));
        assert_eq!(Reader::new(b"D1").country(), Err(Error::Range("country")));
    }
}
