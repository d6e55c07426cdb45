//! Avro by convention: a datum written straight from a shape, without a walk through its schema.
//!
//! A decision is written for every event, and finding each of its fields in the schema costs more
//! than writing it. Our own schemas keep to what makes the walk needless: a record's shape has its
//! fields in order, what may be absent is a union with null first, a word of a closed set is its
//! number, and a value of any other union is a variant with its number.
//!
//! The tests read every record with its schema, by apache-avro and by us, and compare.

use std::fmt::{self, Display};

use serde::ser::{self, Serialize};

/// Appends `value` to `out`; the error is a shape that breaks the convention.
pub(super) fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), Unconventional> {
    value.serialize(Datum(out))
}

/// A shape that the convention has no form for.
#[derive(Debug)]
pub(super) struct Unconventional(String);

impl Display for Unconventional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unconventional {}

impl ser::Error for Unconventional {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Datum<'o>(&'o mut Vec<u8>);

impl Datum<'_> {
    /// Zigzag, seven bits a byte, the lowest first.
    #[inline]
    fn long(self, value: i64) -> Written {
        let mut rest = (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned();
        while rest >= 0x80 {
            self.0.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
        Ok(())
    }

    #[inline]
    fn bytes(self, bytes: &[u8]) -> Written {
        let out = self.0;
        Datum(out).long(length(bytes.len()))?;
        out.extend_from_slice(bytes);
        Ok(())
    }

    #[cold]
    fn refuse<T>(what: &str) -> Result<T, Unconventional> {
        Err(Unconventional(format!("{what} has no conventional form")))
    }
}

type Written = Result<(), Unconventional>;

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

macro_rules! whole {
    ($($name:ident $type:ty),+) => {
        $(#[inline]
        fn $name(self, value: $type) -> Written {
            self.long(i64::from(value))
        })+
    };
}

impl<'o> ser::Serializer for Datum<'o> {
    type Ok = ();
    type Error = Unconventional;
    type SerializeSeq = Blocks<'o>;
    type SerializeTuple = ser::Impossible<(), Unconventional>;
    type SerializeTupleStruct = ser::Impossible<(), Unconventional>;
    type SerializeTupleVariant = ser::Impossible<(), Unconventional>;
    type SerializeMap = Blocks<'o>;
    type SerializeStruct = Fields<'o>;
    type SerializeStructVariant = ser::Impossible<(), Unconventional>;

    whole!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32);

    fn serialize_u64(self, value: u64) -> Written {
        match i64::try_from(value) {
            Ok(value) => self.long(value),
            Err(_) => Self::refuse("a number beyond a long"),
        }
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.0.push(u8::from(value));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.0.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Written {
        self.bytes(value.encode_utf8(&mut [0; 4]).as_bytes())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Written {
        self.bytes(text.as_bytes())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Written {
        self.bytes(bytes)
    }

    fn serialize_none(self) -> Written {
        self.long(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        let out = self.0;
        Datum(out).long(1)?;
        value.serialize(Datum(out))
    }

    fn serialize_unit(self) -> Written {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Written {
        self.long(index.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Written {
        let out = self.0;
        Datum(out).long(index.into())?;
        value.serialize(Datum(out))
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Blocks<'o>, Unconventional> {
        let Some(count) = count else { return Self::refuse("a list of unknown length") };
        let out = self.0;
        if count > 0 {
            Datum(out).long(length(count))?;
        }
        Ok(Blocks(out))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Blocks<'o>, Unconventional> {
        self.serialize_seq(count)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'o>, Unconventional> {
        Ok(Fields(self.0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unconventional> {
        Self::refuse("a tuple")
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unconventional> {
        Self::refuse(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unconventional> {
        Self::refuse(name)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unconventional> {
        Self::refuse(name)
    }

    fn is_human_readable(&self) -> bool {
        // As the schema's own writer says of itself: std's types must have the same form in both.
        true
    }
}

/// Lists and maps: one block with its count, then the end.
struct Blocks<'o>(&'o mut Vec<u8>);

impl ser::SerializeSeq for Blocks<'_> {
    type Ok = ();
    type Error = Unconventional;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(Datum(self.0))
    }

    fn end(self) -> Written {
        Datum(self.0).long(0)
    }
}

impl ser::SerializeMap for Blocks<'_> {
    type Ok = ();
    type Error = Unconventional;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        key.serialize(Datum(self.0))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        value.serialize(Datum(self.0))
    }

    fn end(self) -> Written {
        Datum(self.0).long(0)
    }
}

/// Records: field after field.
struct Fields<'o>(&'o mut Vec<u8>);

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Unconventional;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Written {
        value.serialize(Datum(self.0))
    }

    fn end(self) -> Written {
        Ok(())
    }
}
