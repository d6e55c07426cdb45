//! JSON by convention: a line written straight from a shape.
//!
//! The same bytes as `serde_json`'s for every shape that leaves, in a third of the work: texts are
//! searched a word at a time for what must be escaped and copied in one go, the names of fields are
//! ours and never searched, and the decimals that we round to need no search for their digits. What
//! we never write (bytes, tuples, variants that hold something) has no form here.
//!
//! The tests write every shape both ways and compare the bytes.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize};

use super::datum::Unconventional;
use crate::engine::escape::first_escaped;

/// Appends `value` to `out`; the error is a shape that breaks the convention.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Written {
    value.serialize(Json(out))
}

struct Json<'o>(&'o mut Vec<u8>);

type Written = Result<(), Unconventional>;
type Never = ser::Impossible<(), Unconventional>;

#[cold]
fn refuse<T>(what: &str) -> Result<T, Unconventional> {
    Err(ser::Error::custom(format_args!("{what} has no conventional form")))
}

macro_rules! whole {
    ($($name:ident $type:ty),+) => {
        $(#[inline]
        fn $name(self, value: $type) -> Written {
            whole(u64::from(value), self.0);
            Ok(())
        })+
    };
}

macro_rules! signed {
    ($($name:ident $type:ty),+) => {
        $(#[inline]
        fn $name(self, value: $type) -> Written {
            if value < 0 {
                self.0.push(b'-');
            }
            whole(u64::from(value.unsigned_abs()), self.0);
            Ok(())
        })+
    };
}

impl<'o> ser::Serializer for Json<'o> {
    type Ok = ();
    type Error = Unconventional;
    type SerializeSeq = Open<'o>;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Open<'o>;
    type SerializeStruct = Open<'o>;
    type SerializeStructVariant = Never;

    whole!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64);
    signed!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64);

    fn serialize_bool(self, value: bool) -> Written {
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_f32(self, _: f32) -> Written {
        refuse("a short float")
    }

    fn serialize_f64(self, value: f64) -> Written {
        if decimal(value, self.0) {
            return Ok(());
        }
        serde_json::to_writer(self.0, &value).map_err(ser::Error::custom)
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Written {
        self.0.push(b'"');
        text(value.as_bytes(), self.0);
        self.0.push(b'"');
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Written {
        refuse("bytes")
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, word: &'static str) -> Written {
        self.serialize_str(word)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Written {
        refuse(name)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'o>, Unconventional> {
        self.0.push(b'[');
        Ok(Open(self.0, b']'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'o>, Unconventional> {
        self.0.push(b'{');
        Ok(Open(self.0, b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'o>, Unconventional> {
        self.serialize_map(None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, Unconventional> {
        refuse("a tuple")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Never, Unconventional> {
        refuse(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Unconventional> {
        refuse(name)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Unconventional> {
        refuse(name)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Written {
        struct Escaped<'o>(&'o mut Vec<u8>);
        impl fmt::Write for Escaped<'_> {
            fn write_str(&mut self, part: &str) -> fmt::Result {
                text(part.as_bytes(), self.0);
                Ok(())
            }
        }
        self.0.push(b'"');
        fmt::write(&mut Escaped(self.0), format_args!("{value}")).map_err(ser::Error::custom)?;
        self.0.push(b'"');
        Ok(())
    }
}

/// A list or an object, and what closes it. A comma follows every value; the closing mark takes the
/// place of the last: no value ends with one.
struct Open<'o>(&'o mut Vec<u8>, u8);

impl Open<'_> {
    fn close(self) -> Written {
        let Open(out, mark) = self;
        match out.last_mut() {
            Some(last @ b',') => *last = mark,
            _ => out.push(mark),
        }
        Ok(())
    }
}

impl ser::SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Unconventional;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(Json(self.0))?;
        self.0.push(b',');
        Ok(())
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = Unconventional;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(Json(self.0))?;
        self.0.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        self.close()
    }
}

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Unconventional;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.0.reserve(name.len() + 3);
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        value.serialize(Json(self.0))?;
        self.0.push(b',');
        Ok(())
    }

    fn end(self) -> Written {
        self.close()
    }
}

/// Appends the digits of a number.
fn whole(value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    let mut rest = value;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
        at -= 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Appends a number that is a decimal of at most four places, without a search for its shortest
/// digits; false for any other. Two decimals of at most 15 digits are never the same double, so the
/// one that is found is the shortest.
fn decimal(value: f64, out: &mut Vec<u8>) -> bool {
    const SCALE: f64 = 10_000.0;
    const EXACT: f64 = 1e14;
    let scaled = (value.abs() * SCALE).round();
    // Zero has a sign, and what is no number has no digits: both are left to the careful.
    if value == 0.0
        || scaled.is_nan()
        || scaled > EXACT
        || (scaled / SCALE).to_bits() != value.abs().to_bits()
    {
        return false;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and below 1e14")]
    let scaled = scaled as u64;
    if value < 0.0 {
        out.push(b'-');
    }
    whole(scaled / 10_000, out);
    out.push(b'.');
    let mut rest = scaled % 10_000;
    let mut place = 1_000;
    loop {
        out.push(b'0' + (rest / place).to_le_bytes()[0]);
        rest %= place;
        place /= 10;
        if rest == 0 {
            return true;
        }
    }
}

/// Appends a text with its escapes, without its quotes.
#[inline]
fn text(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = first_escaped(text) {
        let (plain, rest) = text.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, rest)) = rest.split_first() else { return };
        escape(*byte, out);
        text = rest;
    }
    out.extend_from_slice(text);
}

#[cold]
fn escape(byte: u8, out: &mut Vec<u8>) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => {
            let digit = |nibble: u8| b"0123456789abcdef".get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

/// Of the largest number of 64 bits.
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Both ways of writing must agree.
    #[track_caller]
    fn check<T: Serialize>(value: &T) {
        let mut out = b"before,".to_vec();
        write(value, &mut out).unwrap();
        let careful = serde_json::to_string(value).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("before,{careful}"));
    }

    #[derive(serde::Serialize)]
    struct Record<'r> {
        empty: Vec<u8>,
        list: Vec<i64>,
        map: BTreeMap<&'r str, Option<&'r str>>,
        none: Option<bool>,
        some: Option<bool>,
        unit: (),
    }

    #[derive(serde::Serialize)]
    struct Empty {}

    #[test]
    fn lists_and_objects() {
        let map = BTreeMap::from([("a", None), ("b\"", Some(",")), ("c", Some("]"))]);
        check(&Record {
            empty: vec![],
            list: vec![0, -1, i64::MIN],
            map,
            none: None,
            some: Some(true),
            unit: (),
        });
        check(&Empty {});
        check(&vec![BTreeMap::<&str, u8>::new(), BTreeMap::from([("x", 255)])]);
        check(&'"');
    }

    #[test]
    fn every_byte_of_a_text_at_every_place() {
        for code in 0..=0x17F_u32 {
            let letter = char::from_u32(code).unwrap();
            for before in 0..17 {
                let text = format!("{}{letter}{}", "x".repeat(before), "\u{e9}yyyyyyyyyy");
                check(&text);
                check(&format!("{text}{letter}{letter}"));
            }
        }
        check(&format!("{}\u{1F600}\"", "x".repeat(1000)));
    }

    #[test]
    fn numbers() {
        for number in [0, 1, 9, 10, 99, 100, u64::from(u32::MAX), 10_000_000_000_000_000_000, u64::MAX] {
            check(&number);
        }
        check(&vec![i64::MIN, i64::MAX, -10]);
        check(&vec![i8::MIN, i8::MAX]);
    }

    #[test]
    fn decimals() {
        for value in [0.0, -0.0, 1.0, 0.1, 0.8, 0.123, -33.9, 151.2093, 0.0001, -0.0001, 0.00001, 0.3 - 0.1] {
            check(&value);
        }
        for value in [1e9, 1e10, 1e11, 9999999999.9999, 123456789012.3456, 1e15, 1e16, 1e17, 1e300] {
            check(&value);
            check(&-value);
        }
        check(&vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, f64::EPSILON, f64::MAX]);
        for number in -20_000..20_000 {
            check(&(f64::from(number) / 10_000.0));
            check(&(f64::from(number) / 1_000.0));
            check(&(f64::from(number) / 7.0));
        }
    }

    #[test]
    fn what_we_never_write_is_refused() {
        #[derive(serde::Serialize)]
        enum Held {
            One(u8),
            Two { a: u8 },
        }
        fn refused<T: Serialize>(value: &T) -> bool {
            write(value, &mut Vec::new()).is_err()
        }
        assert!(refused(&(1, 2)));
        assert!(refused(&Held::One(1)) && refused(&Held::Two { a: 1 }));
        assert!(refused(&1.5_f32));
    }

    proptest::proptest! {
        #[test]
        fn any_text_and_number_is_written_the_same(text: String, number: f64, bits: u64, whole: i64, e4 in -2_000_000_i32..2_000_000) {
            check(&text);
            check(&number);
            check(&f64::from_bits(bits));
            check(&whole);
            check(&(f64::from(e4) / 1e4));
        }
    }
}
