//! A datum by its writer's schema, read where it lies into serde's visitors.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Damage;
use super::schema::{At, Field, Node, Schema};

/// Bytes that begin with a datum.
#[derive(Debug)]
pub(crate) struct Datum<'s, 'a> {
    schema: &'s Schema,
    rest: &'a [u8],
    /// How many elements its lists may still have: those of no size cost no bytes.
    elements: usize,
    /// Whether fields that are null are told.
    nulls: bool,
}

/// Reads a value that is all of `bytes`.
pub(crate) fn from_datum<'a, T: serde::Deserialize<'a>>(
    bytes: &'a [u8],
    schema: &Schema,
) -> Result<T, Damage> {
    let mut datum = Datum::new(bytes, schema);
    let value = datum.read(std::marker::PhantomData)?;
    if datum.rest().is_empty() { Ok(value) } else { Err(Damage::new("bytes follow the datum")) }
}

impl<'s, 'a> Datum<'s, 'a> {
    pub(crate) const fn new(bytes: &'a [u8], schema: &'s Schema) -> Self {
        Self { schema, rest: bytes, elements: ELEMENTS_MAX, nulls: true }
    }

    /// Passes over fields that are null, for a reader to whom null is absent: of an event's fields most
    /// are.
    pub(crate) const fn without_nulls(mut self) -> Self {
        self.nulls = false;
        self
    }

    /// Reads one datum.
    pub(crate) fn read<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Damage> {
        self.elements = ELEMENTS_MAX;
        let at = self.schema.root();
        seed.deserialize(Reader { from: self, at, depth: 0 })
    }

    /// What follows.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Damage> {
        let [byte, rest @ ..] = self.rest else { return Err(ENDS) };
        self.rest = rest;
        Ok(*byte)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ENDS)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ENDS)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Zigzag, seven bits a byte, the lowest first.
    #[inline]
    fn long(&mut self) -> Result<i64, Damage> {
        let first = self.byte()?;
        let bits = if first < 0x80 { u64::from(first) } else { self.long_bits(first)? };
        Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
    }

    fn long_bits(&mut self, first: u8) -> Result<u64, Damage> {
        let mut bits = u64::from(first & 0x7F);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            bits |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(bits);
            }
        }
        Err(Damage::new("a number of more than 64 bits"))
    }

    fn int(&mut self) -> Result<i32, Damage> {
        i32::try_from(self.long()?).map_err(|_beyond| Damage::new("an int of more than 32 bits"))
    }

    fn boolean(&mut self) -> Result<bool, Damage> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Damage::new("a boolean that is neither 0 nor 1")),
        }
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = usize::try_from(self.long()?).map_err(|_beyond| Damage::new("a negative length"))?;
        self.take(length)
    }

    #[inline]
    fn text(&mut self) -> Result<&'a str, Damage> {
        std::str::from_utf8(self.bytes()?).map_err(|_bytes| Damage::new("a text that is no UTF-8"))
    }

    #[inline]
    fn pick<'n, T>(&mut self, from: &'n [T], what: &'static str) -> Result<&'n T, Damage> {
        usize::try_from(self.long()?).ok().and_then(|index| from.get(index)).ok_or_else(|| Damage::new(what))
    }

    fn branch(&mut self, branches: &[At]) -> Result<At, Damage> {
        self.pick(branches, "a branch that the union does not have").copied()
    }

    /// Takes the null that comes next where a field may be it, if one does.
    #[inline]
    fn take_null(&mut self, field: &Field) -> bool {
        let [byte, rest @ ..] = self.rest else { return false };
        let is_null = field.null == Some(*byte);
        if is_null {
            self.rest = rest;
        }
        is_null
    }

    /// The count of a list's next block; nothing at its end.
    fn block(&mut self) -> Result<usize, Damage> {
        let count = self.long()?;
        if count < 0 && self.long()? < 0 {
            return Err(Damage::new("a block of negative size"));
        }
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        self.elements = self.elements.checked_sub(count).ok_or(Damage::new("a list of too many elements"))?;
        Ok(count)
    }

    fn skip(&mut self, at: At, depth: usize) -> Result<(), Damage> {
        let schema = self.schema;
        let depth = deeper(depth)?;
        match schema.node(at) {
            Node::Null => Ok(()),
            Node::Boolean => self.boolean().map(|_| ()),
            Node::Int => self.int().map(|_| ()),
            Node::Long => self.long().map(|_| ()),
            Node::Float => self.take(4).map(|_| ()),
            Node::Double => self.take(8).map(|_| ()),
            Node::Bytes => self.bytes().map(|_| ()),
            Node::String => self.text().map(|_| ()),
            Node::Fixed(size) => self.take(*size).map(|_| ()),
            Node::Enum(symbols) => self.pick(symbols, NO_SYMBOL).map(|_| ()),
            Node::Union(branches) => {
                let branch = self.branch(branches)?;
                self.skip(branch, depth)
            }
            Node::Record(fields) => fields.iter().try_for_each(|field| self.skip(field.at, depth)),
            Node::Array(inner) | Node::Map(inner) => {
                let keyed = matches!(schema.node(at), Node::Map(_));
                loop {
                    let count = self.block()?;
                    if count == 0 {
                        return Ok(());
                    }
                    for _ in 0..count {
                        if keyed {
                            self.text()?;
                        }
                        self.skip(*inner, depth)?;
                    }
                }
            }
        }
    }
}

/// One value of a datum.
struct Reader<'d, 's, 'a> {
    from: &'d mut Datum<'s, 'a>,
    at: At,
    depth: usize,
}

fn deeper(depth: usize) -> Result<usize, Damage> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(Damage::new("values nested too deep")) }
}

impl<'a> Deserializer<'a> for Reader<'_, '_, 'a> {
    type Error = Damage;

    #[inline]
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Damage> {
        let Reader { from, at, depth } = self;
        let schema = from.schema;
        match schema.node(at) {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => visitor.visit_bool(from.boolean()?),
            Node::Int => visitor.visit_i32(from.int()?),
            Node::Long => visitor.visit_i64(from.long()?),
            Node::Float => visitor.visit_f32(f32::from_le_bytes(from.array()?)),
            Node::Double => visitor.visit_f64(f64::from_le_bytes(from.array()?)),
            Node::Bytes => visitor.visit_borrowed_bytes(from.bytes()?),
            Node::String => visitor.visit_borrowed_str(from.text()?),
            Node::Fixed(size) => visitor.visit_borrowed_bytes(from.take(*size)?),
            Node::Enum(symbols) => visitor.visit_str(from.pick(symbols, NO_SYMBOL)?),
            Node::Union(branches) => {
                let at = from.branch(branches)?;
                Reader { from, at, depth: deeper(depth)? }.deserialize_any(visitor)
            }
            Node::Record(fields) => {
                visitor.visit_map(Record { from, fields: fields.iter(), at: None, depth: deeper(depth)? })
            }
            Node::Array(inner) => visitor.visit_seq(Blocks::new(from, *inner, deeper(depth)?)),
            Node::Map(inner) => visitor.visit_map(Blocks::new(from, *inner, deeper(depth)?)),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Damage> {
        let Reader { from, mut at, mut depth } = self;
        if let Node::Union(branches) = from.schema.node(at) {
            at = from.branch(branches)?;
            depth = deeper(depth)?;
        }
        if matches!(from.schema.node(at), Node::Null) {
            return visitor.visit_none();
        }
        visitor.visit_some(Reader { from, at, depth })
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Damage> {
        self.from.skip(self.at, self.depth)?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Damage> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <W: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier
    }
}

/// The fields of a record, one after the other.
struct Record<'d, 's, 'a> {
    from: &'d mut Datum<'s, 'a>,
    fields: std::slice::Iter<'s, Field>,
    /// Of the value whose name was told.
    at: Option<At>,
    depth: usize,
}

impl<'a> MapAccess<'a> for Record<'_, '_, 'a> {
    type Error = Damage;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Damage> {
        let told = loop {
            match self.fields.next() {
                Some(field) if !self.from.nulls && self.from.take_null(field) => {}
                told => break told,
            }
        };
        let Some(field) = told else { return Ok(None) };
        self.at = Some(field.at);
        seed.deserialize(StrDeserializer::new(&field.name)).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Damage> {
        let at = self.at.take().ok_or(Damage::new("a value was asked for before its name"))?;
        seed.deserialize(Reader { from: &mut *self.from, at, depth: self.depth })
    }
}

/// The elements of a list or a map, block by block.
struct Blocks<'d, 's, 'a> {
    from: &'d mut Datum<'s, 'a>,
    inner: At,
    /// Elements of the block that are left.
    left: usize,
    ended: bool,
    depth: usize,
}

impl<'d, 's, 'a> Blocks<'d, 's, 'a> {
    const fn new(from: &'d mut Datum<'s, 'a>, inner: At, depth: usize) -> Self {
        Self { from, inner, left: 0, ended: false, depth }
    }

    /// Whether there is one more.
    #[inline]
    fn next(&mut self) -> Result<bool, Damage> {
        if self.left == 0 && !self.ended {
            self.left = self.from.block()?;
            self.ended = self.left == 0;
        }
        if self.ended {
            return Ok(false);
        }
        self.left -= 1;
        Ok(true)
    }

    fn value<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Damage> {
        seed.deserialize(Reader { from: &mut *self.from, at: self.inner, depth: self.depth })
    }
}

impl<'a> SeqAccess<'a> for Blocks<'_, '_, 'a> {
    type Error = Damage;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Damage> {
        if self.next()? { self.value(seed).map(Some) } else { Ok(None) }
    }
}

impl<'a> MapAccess<'a> for Blocks<'_, '_, 'a> {
    type Error = Damage;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Damage> {
        if !self.next()? {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(self.from.text()?)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Damage> {
        self.value(seed)
    }
}

const ENDS: Damage = Damage::new("it ends within a value");
const NO_SYMBOL: &str = "a symbol that the enum does not have";
/// Ours nest five deep.
const DEPTH_MAX: usize = 64;
/// More than a record of the largest size can hold, but for elements of no size at all.
const ELEMENTS_MAX: usize = crate::engine::decode::limit::EVENT_BYTES_MAX;

#[cfg(test)]
mod tests;
