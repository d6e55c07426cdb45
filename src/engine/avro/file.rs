//! Container files: a header with the schema, then blocks of datums. Codecs: null and deflate.
//!
//! A block is held whole, inflated, in a buffer that the next one takes over. One that is cut off or
//! damaged gives what comes before the damage; then the file ends.

use std::io::{BufRead, ErrorKind, Read as _};

use miniz_oxide::inflate::TINFLStatus as Status;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as WHOLE;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use serde::de::DeserializeSeed;

use super::{Damage, Datum, Schema};

pub(crate) struct Blocks<R> {
    from: R,
    schema: Schema,
    deflate: bool,
    sync: [u8; 16],
    block: Vec<u8>,
    /// Where the next datum begins.
    at: usize,
    /// Datums of the block that are left.
    left: u64,
    /// Why nothing follows the block.
    damage: Option<Damage>,
    ended: bool,
}

impl<R: BufRead> Blocks<R> {
    /// Reads the header.
    pub(crate) fn open(mut from: R) -> Result<Self, String> {
        let damaged = |damage: Damage| damage.to_string();
        let mut magic = [0; MAGIC.len()];
        if from.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Err("it does not begin with `Obj` and the byte 1".into());
        }
        let (mut schema, mut deflate, mut room) = (None, false, HEADER_BYTES_MAX);
        loop {
            let count = long(&mut from).map_err(damaged)?;
            if count < 0 {
                long(&mut from).map_err(damaged)?;
            }
            if count == 0 {
                break;
            }
            for _ in 0..count.unsigned_abs() {
                let key = bytes(&mut from, &mut room).map_err(damaged)?;
                let value = bytes(&mut from, &mut room).map_err(damaged)?;
                let text =
                    || std::str::from_utf8(&value).map_err(|_bytes| "its header is no UTF-8".to_owned());
                match key.as_slice() {
                    b"avro.schema" => {
                        schema = Some(text()?.parse::<Schema>().map_err(|error| error.to_string())?)
                    }
                    b"avro.codec" => match text()? {
                        "null" => {}
                        "deflate" => deflate = true,
                        codec => {
                            let shown = crate::engine::decode::shown(codec);
                            return Err(format!("its codec is {shown}, expected `null` or `deflate`"));
                        }
                    },
                    _ => {}
                }
            }
        }
        let schema = schema.ok_or("its header has no schema")?;
        let mut sync = [0; 16];
        from.read_exact(&mut sync).map_err(|error| error.to_string())?;
        let (block, damage) = (Vec::new(), None);
        Ok(Self { from, schema, deflate, sync, block, at: 0, left: 0, damage, ended: false })
    }

    pub(crate) const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads the next datum; `None` at the end of the file, and after its damage.
    pub(crate) fn next<'a, S: DeserializeSeed<'a>>(
        &'a mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Damage> {
        let there = match self.fill() {
            Ok(there) => there,
            Err(damage) => {
                self.ended = true;
                return Err(damage);
            }
        };
        if !there {
            return Ok(None);
        }
        let Self { schema, block, at, left, ended, .. } = self;
        let mut datum = Datum::new(block.get(*at..).unwrap_or_default(), schema);
        let read = datum.read(seed);
        *at = block.len() - datum.rest().len();
        *left -= 1;
        *ended |= read.is_err();
        read.map(Some)
    }

    /// Reads blocks until there is a datum; false at the end.
    fn fill(&mut self) -> Result<bool, Damage> {
        while !self.ended && self.left == 0 {
            if let Some(damage) = self.damage.take() {
                return Err(damage);
            }
            if self.at < self.block.len() {
                return Err(Damage::new("bytes follow the last record of a block"));
            }
            if self.at_end()? {
                return Ok(false);
            }
            let count = long(&mut self.from)?;
            self.left =
                u64::try_from(count).map_err(|_beyond| Damage::new("a block of fewer records than none"))?;
            self.read_block()?;
        }
        Ok(!self.ended)
    }

    fn at_end(&mut self) -> Result<bool, Damage> {
        loop {
            match self.from.fill_buf() {
                Ok(ahead) => return Ok(ahead.is_empty()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&error)),
            }
        }
    }

    fn read_block(&mut self) -> Result<(), Damage> {
        let length = long(&mut self.from)?;
        let length = u64::try_from(length).map_err(|_beyond| Damage::new("a block of negative size"))?;
        if length > BLOCK_BYTES_MAX as u64 {
            return Err(TOO_LARGE);
        }
        self.at = 0;
        self.block.clear();
        let read =
            (&mut self.from).take(length).read_to_end(&mut self.block).map_err(|error| unreadable(&error))?;
        if (read as u64) < length {
            self.damage = Some(Damage::new("a block that is cut off"));
        }
        if self.deflate {
            let (block, damage) = inflate(&self.block);
            self.block = block;
            self.damage = self.damage.take().or(damage);
        }
        let mut sync = [0; 16];
        if self.damage.is_none() && (self.from.read_exact(&mut sync).is_err() || sync != self.sync) {
            self.damage = Some(Damage::new("a block without the file's mark at its end"));
        }
        Ok(())
    }
}

/// What can be inflated of a block, and why that is not all of it. By steps, because the crate's own
/// function does not say how much of a damaged block it has written.
fn inflate(mut deflated: &[u8]) -> (Vec<u8>, Option<Damage>) {
    let mut block = vec![0; deflated.len().saturating_mul(2).clamp(1024, BLOCK_BYTES_MAX)];
    let mut state = Box::<DecompressorOxide>::default();
    let mut at = 0;
    let damage = loop {
        let (status, read, written) = decompress(&mut state, deflated, &mut block, at, WHOLE);
        at += written;
        match status {
            Status::Done => break None,
            Status::HasMoreOutput if block.len() < BLOCK_BYTES_MAX => {
                deflated = deflated.get(read..).unwrap_or_default();
                block.resize((block.len() * 2).min(BLOCK_BYTES_MAX), 0);
            }
            Status::HasMoreOutput => break Some(TOO_LARGE),
            _ => break Some(Damage::new("a block that cannot be inflated")),
        }
    };
    block.truncate(at);
    (block, damage)
}

fn long(from: &mut impl BufRead) -> Result<i64, Damage> {
    let mut bits = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        from.read_exact(&mut byte).map_err(|error| unreadable(&error))?;
        let [byte] = byte;
        if shift == 63 && byte > 1 {
            break;
        }
        bits |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
        }
    }
    Err(Damage::new("a number of more than 64 bits"))
}

/// Bytes of the header, which all share one bound.
fn bytes(from: &mut impl BufRead, room: &mut usize) -> Result<Vec<u8>, Damage> {
    let length = usize::try_from(long(from)?).map_err(|_beyond| Damage::new("a negative length"))?;
    *room = room.checked_sub(length).ok_or(Damage::new("a header of more than 2 MiB"))?;
    let mut bytes = Vec::new();
    let read = from.take(length as u64).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if read < length { Err(Damage::new("a header that is cut off")) } else { Ok(bytes) }
}

#[cold]
fn unreadable(error: &std::io::Error) -> Damage {
    serde::de::Error::custom(error)
}

const TOO_LARGE: Damage = Damage::new("a block of more than 64 MiB; write it with smaller ones");
const MAGIC: &[u8; 4] = b"Obj\x01";
const HEADER_BYTES_MAX: usize = 2 << 20;
/// As it stands in the file, and inflated. Writers make blocks of some 16 KiB to some MiB.
const BLOCK_BYTES_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use apache_avro::Codec;

    use super::*;

    fn texts() -> Vec<String> {
        (0..150).map(|number| format!("text {number} {}", "x".repeat(number % 7))).collect()
    }

    fn file(codec: Codec) -> Vec<u8> {
        let schema = apache_avro::Schema::parse_str(r#""string""#).unwrap();
        let mut writer = apache_avro::Writer::with_codec(&schema, Vec::new(), codec).unwrap();
        for text in texts() {
            let last = text.ends_with("9 xx");
            writer.append_value(text).unwrap();
            if last {
                writer.flush().unwrap();
            }
        }
        writer.into_inner().unwrap()
    }

    /// What a file gives, and whether it ends well.
    fn read(bytes: &[u8]) -> (Vec<String>, bool) {
        let mut found = Vec::new();
        let Ok(mut blocks) = Blocks::open(bytes) else { return (found, false) };
        loop {
            match blocks.next(std::marker::PhantomData::<String>) {
                Ok(Some(text)) => found.push(text),
                Ok(None) => return (found, true),
                Err(damage) => {
                    assert!(!damage.to_string().is_empty());
                    assert!(matches!(blocks.next(std::marker::PhantomData::<String>), Ok(None)));
                    return (found, false);
                }
            }
        }
    }

    #[test]
    fn a_cut_file_gives_what_comes_before_the_cut() {
        for codec in [Codec::Null, Codec::Deflate(Default::default())] {
            let file = file(codec);
            assert_eq!(read(&file), (texts(), true));
            for length in 0..file.len() {
                let (found, _) = read(&file[..length]);
                assert!(texts().starts_with(&found), "{codec:?} cut at {length}");
            }
            assert!(!read(&file[..file.len() - 1]).1);
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; BLOCK_BYTES_MAX + 1];
        let (block, damage) = inflate(&miniz_oxide::deflate::compress_to_vec(&zeros, 1));
        assert_eq!(block.len(), BLOCK_BYTES_MAX);
        assert!(damage.unwrap().to_string().contains("more than 64 MiB"));
        let (block, damage) = inflate(&miniz_oxide::deflate::compress_to_vec(b"small", 1));
        assert_eq!((block.as_slice(), damage.is_none()), (b"small".as_slice(), true));
        assert!(inflate(b"").1.is_some() && inflate(b"\xFF\xFF").1.is_some());
    }

    #[test]
    fn what_is_no_container() {
        let file = file(Codec::Null);
        let refused = |bytes: &[u8]| Blocks::open(bytes).err().unwrap_or_default();
        assert!(refused(b"{}").contains("`Obj`"));
        assert!(refused(b"Obj\x01\x00").contains("no schema"));
        assert!(refused(b"Obj\x01\x02\xFE\xFF\xFF\xFF\x0F").contains("2 MiB"));
        assert!(refused(b"Obj\x01\x02\x14avro.codec\x0Csnappy\x00").contains("`snappy`"));
        // The last block says that it is larger than any that is taken.
        let head = Blocks::open(file.as_slice()).unwrap();
        assert_eq!(head.schema().json(), r#""string""#);
        let start = file.len() - head.from.len();
        let long = [&file[..start], b"\x02\xFE\xFF\xFF\xFF\x0F"].concat();
        assert_eq!(read(&long), (Vec::new(), false));
    }
}
