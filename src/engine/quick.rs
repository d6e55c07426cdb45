//! JSON as nearly every sender writes it, read in one go.
//!
//! It gives up ([`Unread`]) at whatever is not plain: an escape in a text, an exponent, more digits
//! than a double holds exactly, deep nesting, and every mistake. Then `serde_json` reads the record
//! from its start and says what is wrong with it. So this may refuse what it likes; what it takes,
//! it must take as `serde_json` does, and the tests compare the two.

use std::fmt::{self, Display};

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::engine::escape::first_escaped;

/// Not plain, or not JSON: somebody more careful must look.
#[derive(Debug)]
pub(super) struct Unread;

impl Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not plain")
    }
}

impl std::error::Error for Unread {}

impl Error for Unread {
    #[cold]
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// What is left of a text.
#[derive(Debug)]
pub(super) struct Quick<'a> {
    text: &'a str,
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Quick<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes(), depth: 0 }
    }

    /// What was not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing but space is left.
    pub(super) fn end(&mut self) -> Result<(), Unread> {
        if self.peek().is_none() { Ok(()) } else { Err(Unread) }
    }

    /// The next byte that is no space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        while let [first, rest @ ..] = self.rest {
            if !matches!(first, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(*first);
            }
            self.rest = rest;
        }
        None
    }

    #[inline]
    fn skip(&mut self, length: usize) {
        self.rest = self.rest.get(length..).unwrap_or_default();
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Unread> {
        if self.peek() != Some(byte) {
            return Err(Unread);
        }
        self.skip(1);
        Ok(())
    }

    /// Passes over these very bytes.
    pub(super) fn word(&mut self, word: &[u8]) -> Result<(), Unread> {
        self.rest = self.rest.strip_prefix(word).ok_or(Unread)?;
        Ok(())
    }

    /// A text without escapes; the next byte is its quote.
    #[inline]
    fn string(&mut self) -> Result<&'a str, Unread> {
        self.skip(1);
        let start = self.text.len() - self.rest.len();
        let length = first_escaped(self.rest).ok_or(Unread)?;
        if self.rest.get(length) != Some(&b'"') {
            return Err(Unread);
        }
        self.skip(length + 1);
        self.text.get(start..start + length).ok_or(Unread)
    }

    fn number<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Unread> {
        let negative = self.rest.first() == Some(&b'-');
        self.skip(usize::from(negative));
        let padded = self.rest.first() == Some(&b'0');
        let (whole, digits) = self.digits(0)?;
        if padded && digits > 1 {
            return Err(Unread);
        }
        if self.rest.first() == Some(&b'.') {
            self.skip(1);
            let (value, places) = self.digits(whole)?;
            let scale = SCALES.get(places).ok_or(Unread)?;
            if digits + places > EXACT_DIGITS || self.has_exponent() {
                return Err(Unread);
            }
            // Both are exact, so this is the double nearest to what is written.
            #[expect(clippy::cast_precision_loss, reason = "at most 15 digits: exact")]
            let value = value as f64 / scale;
            return visitor.visit_f64(if negative { -value } else { value });
        }
        if digits > WHOLE_DIGITS || self.has_exponent() {
            return Err(Unread);
        }
        match (negative, i64::try_from(whole).map_err(|_beyond| Unread)?) {
            // A zero with a sign is a float.
            (true, 0) => Err(Unread),
            (true, whole) => visitor.visit_i64(-whole),
            (false, _) => visitor.visit_u64(whole),
        }
    }

    fn has_exponent(&self) -> bool {
        matches!(self.rest.first(), Some(b'e' | b'E'))
    }

    /// Appends the digits at hand to a number; returns it and how many there were, at least one.
    fn digits(&mut self, mut value: u64) -> Result<(u64, usize), Unread> {
        let mut count = 0;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest {
            // Nonsense beyond the limits above, which the caller refuses by the count.
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            count += 1;
            self.rest = rest;
        }
        if count == 0 { Err(Unread) } else { Ok((value, count)) }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Unread>) -> Result<T, Unread> {
        self.skip(1);
        if self.depth == DEPTH_MAX {
            return Err(Unread);
        }
        self.depth += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn map<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Unread> {
        self.deeper(|from| {
            let mut items = Items { from, first: true };
            let value = visitor.visit_map(&mut items)?;
            items.from.expect(b'}')?;
            Ok(value)
        })
    }

    fn list<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Unread> {
        self.deeper(|from| {
            let mut items = Items { from, first: true };
            let value = visitor.visit_seq(&mut items)?;
            items.from.expect(b']')?;
            Ok(value)
        })
    }
}

impl<'a> Deserializer<'a> for &mut Quick<'a> {
    type Error = Unread;

    #[inline]
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        match self.peek().ok_or(Unread)? {
            b'"' => visitor.visit_borrowed_str(self.string()?),
            b'n' => {
                self.word(b"null")?;
                visitor.visit_unit()
            }
            b't' => {
                self.word(b"true")?;
                visitor.visit_bool(true)
            }
            b'f' => {
                self.word(b"false")?;
                visitor.visit_bool(false)
            }
            b'[' => self.list(visitor),
            b'{' => self.map(visitor),
            _ => self.number(visitor),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.peek() == Some(b'n') {
            self.word(b"null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.peek() == Some(b'{') { self.map(visitor) } else { Err(Unread) }
    }

    forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct struct enum identifier ignored_any
    }
}

/// What stands between two brackets.
struct Items<'q, 'a> {
    from: &'q mut Quick<'a>,
    first: bool,
}

impl Items<'_, '_> {
    /// Whether there is one more, behind its comma.
    #[inline]
    fn next(&mut self, close: u8) -> Result<bool, Unread> {
        let next = self.from.peek().ok_or(Unread)?;
        if next == close {
            return Ok(false);
        }
        if std::mem::take(&mut self.first) {
            return Ok(true);
        }
        if next != b',' {
            return Err(Unread);
        }
        self.from.skip(1);
        // Behind a comma stands a value: a bracket is none, and reading one fails.
        Ok(true)
    }
}

impl<'a> MapAccess<'a> for Items<'_, 'a> {
    type Error = Unread;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        if self.from.peek() != Some(b'"') {
            return Err(Unread);
        }
        let key = self.from.string()?;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        self.from.expect(b':')?;
        seed.deserialize(&mut *self.from)
    }
}

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = Unread;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Unread> {
        if !self.next(b']')? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.from).map(Some)
    }
}

/// No event of ours nests more than three deep; what is unknown may.
const DEPTH_MAX: u8 = 16;
/// Every whole number of so many digits is a double.
const EXACT_DIGITS: usize = 15;
/// Every number of so many digits fits 64 bits, with a sign.
const WHOLE_DIGITS: usize = 18;
/// By decimal places.
const SCALES: [f64; EXACT_DIGITS + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What is taken is what `serde_json` takes; says whether it is.
    #[track_caller]
    fn check(text: &str) -> bool {
        let mut quick = Quick::new(text);
        let seen = Value::deserialize_from(&mut quick);
        let Ok(seen) = seen.and_then(|value| quick.end().map(|()| value)) else { return false };
        let careful: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(format!("{seen:?}"), format!("{careful:?}"), "{text}");
        true
    }

    trait DeserializeFrom: Sized {
        fn deserialize_from<'a, D: Deserializer<'a>>(from: D) -> Result<Self, D::Error>;
    }

    impl DeserializeFrom for Value {
        fn deserialize_from<'a, D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
            serde::Deserialize::deserialize(from)
        }
    }

    #[test]
    fn what_is_plain_is_taken() {
        for text in [
            "null",
            " true ",
            "false",
            "0",
            "-1",
            "12.5",
            "-0.0",
            "0.1",
            "123456789012345678",
            "1234567890.12345",
            "\"\"",
            "\"a\u{e9}\u{7f}\"",
            "[]",
            "{}",
            "[1,\n2 , [3]]",
            "{\"a\":1,\"b\" : {\"c\":[null]}}\t",
            "\"12345678\"",
        ] {
            assert!(check(text), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for text in [
            "",
            "nul",
            "nulll",
            "tru",
            "01",
            "-01",
            "00",
            "1.",
            ".5",
            "-",
            "+1",
            "1e5",
            "1.5e5",
            "-0",
            "1234567890123456789",
            "123456.7890123456",
            "0.00000000000000001",
            "\"",
            "\"a",
            "\"\\n\"",
            "\"a\nb\"",
            "[",
            "]",
            "[1",
            "[1,",
            "[1,]",
            "[,]",
            "[1 2]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{1:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1}}",
            "1 1",
            "[1}",
            "{\"a\":1]",
            "NaN",
        ] {
            assert!(!check(text), "{text}");
        }
        assert!(check(&format!("{}{}", "[".repeat(16), "]".repeat(16))));
        assert!(!check(&format!("{}{}", "[".repeat(17), "]".repeat(17))));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_taken_is_read_alike(text in "[{}\\[\\]\":,a0-9.eE\\\\ -]{0,12}", number: f64, places in 0..9_usize, whole: i64) {
            check(&text);
            check(&format!("{number:.places$}"));
            check(&format!("{:.places$}", number % 1e6));
            check(&whole.to_string());
            check(&format!("[{text}]"));
            check(&format!("{{\"a\":{text}}}"));
        }
    }
}
