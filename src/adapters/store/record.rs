//! What stands on the disk of one user: all parts in one value, compressed, in an envelope.
//!
//! A value a user and not one a part, since what sled costs is counted in values: a leaf of its tree
//! holds at most sixteen, whatever their size. Compressed, since the chunks of a journal repeat each
//! other. The reasons, with figures, are in `docs/adr/0009-one-value-a-user.md`.
//!
//! The envelope's check is 64 bits of a hash over the user and the value: it tells a damaged value, a
//! value under a wrong key, and (summed over all users, in the checkpoint) a missing or a stale one.

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::ports::store::{Change, Checkpoint, CountHeld, Parts, part_of};

/// XXH3: this is about disks, and nobody who can write there needs a collision.
pub(super) fn check(key: &[u8], value: &[u8]) -> u64 {
    xxh3_64_with_seed(value, xxh3_64(key))
}

/// The check of what is stored of `user`, which has been compared.
pub(super) fn sound(user: &[u8], stored: &[u8]) -> Result<u64, String> {
    open(user, stored).map(|(check, _)| check)
}

/// What a value says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// It has been compared.
    check: u64,
    /// Observations that are held.
    held: u32,
}

/// Puts the parts into `into`.
pub(super) fn read(user: &[u8], stored: &[u8], into: &mut Parts) -> Result<Head, String> {
    let (check, value) = open(user, stored)?;
    let (held, value) = value.split_first_chunk().ok_or("a value is cut off")?;
    let (length, packed) = value.split_first_chunk().ok_or("a value is cut off")?;
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    if length > PARTS_BYTES_MAX {
        return Err(format!(
            "a value says that it holds {length} bytes, at most {PARTS_BYTES_MAX} are written"
        ));
    }
    into.refill(|bytes| {
        bytes.resize(length, 0);
        match decompress_into(packed, bytes) {
            Ok(written) if written == length => Ok(()),
            Ok(written) => Err(format!("a value holds {written} bytes and says {length}")),
            Err(error) => Err(format!("a value cannot be unpacked: {error}")),
        }
    })?;
    Ok(Head { check, held: u32::from_le_bytes(*held) })
}

/// The check, and what it is of.
fn open<'v>(user: &[u8], stored: &'v [u8]) -> Result<(u64, &'v [u8]), String> {
    let (version, rest) = stored.split_first().ok_or("a value is cut off")?;
    if *version != VERSION {
        return Err(format!("a value has version {version}, expected {VERSION}"));
    }
    let (found, value) = rest.split_first_chunk().ok_or("a value is cut off")?;
    let found = u64::from_le_bytes(*found);
    if found != check(user, value) {
        return Err("a value does not have its checksum".into());
    }
    Ok((found, value))
}

/// Makes new values of old ones, in room that is used again.
#[derive(Default)]
pub(super) struct Rewriter {
    old: Parts,
    new: Parts,
    stored: Vec<u8>,
    /// Of the packer: cleared for each value, made once.
    table: CompressTable,
}

/// What is to be stored of a user.
#[derive(Debug)]
pub(super) struct Rewritten<'r> {
    /// `None` where no part is left.
    pub(super) stored: Option<&'r [u8]>,
    /// The check before and after.
    pub(super) old: Option<u64>,
    pub(super) new: Option<u64>,
}

impl Rewriter {
    /// Applies `changes`, which are one user's, to what is stored of them, and keeps the sums in `next`.
    pub(super) fn rewrite(
        &mut self,
        user: &[u8],
        stored: Option<&[u8]>,
        changes: &[(Box<[u8]>, Change)],
        count_held: CountHeld,
        next: &mut Checkpoint,
    ) -> Result<Rewritten<'_>, String> {
        let Self { old: parts, new, stored: out, table } = self;
        let old = match stored {
            Some(stored) => Some(read(user, stored, parts)?),
            None => {
                parts.clear();
                None
            }
        };
        merge(parts, changes, new);
        let before = old.map_or(0, |old| old.held);
        let told = changes.iter().find_map(|(key, value)| count_held(part_of(key), value.as_deref()));
        let held = told.map_or(before, |held| u32::try_from(held).unwrap_or(u32::MAX));
        out.clear();
        let check = (!new.is_empty()).then(|| write(user, new, held, out, table)).transpose()?;
        let held = if check.is_some() { held } else { 0 };
        next.held = next.held.saturating_sub(before.into()) + u64::from(held);
        let old = old.map(|old| old.check);
        next.users = next.users.saturating_sub(u64::from(old.is_some())) + u64::from(check.is_some());
        next.sum = next.sum.wrapping_sub(old.unwrap_or(0)).wrapping_add(check.unwrap_or(0));
        Ok(Rewritten { stored: check.is_some().then_some(out.as_slice()), old, new: check })
    }
}

/// Appends the stored form of `parts`; gives back its check.
fn write(
    user: &[u8],
    parts: &Parts,
    held: u32,
    out: &mut Vec<u8>,
    table: &mut CompressTable,
) -> Result<u64, String> {
    let plain = parts.as_bytes();
    let length = plain.len();
    if length > PARTS_BYTES_MAX {
        return Err(format!("{length} bytes are to be stored of one user, at most {PARTS_BYTES_MAX} may be"));
    }
    out.push(VERSION);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&held.to_le_bytes());
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    let at = out.len();
    out.resize(at + get_maximum_output_size(length), 0);
    let packed = compress_into_with_table(plain, out.get_mut(at..).unwrap_or_default(), table);
    let packed = packed.map_err(|error| format!("a value cannot be packed: {error}"))?;
    out.truncate(at + packed);
    let check = check(user, out.get(HEADER_BYTES..).unwrap_or_default());
    if let Some(slot) = out.get_mut(1..HEADER_BYTES) {
        slot.copy_from_slice(&check.to_le_bytes());
    }
    Ok(check)
}

/// `old` with `changes` in it.
fn merge(old: &Parts, changes: &[(Box<[u8]>, Change)], into: &mut Parts) {
    into.clear();
    let mut kept = old.iter().peekable();
    for (key, after) in changes {
        let name = part_of(key);
        while let Some((before, value)) = kept.next_if(|(before, _)| *before < name) {
            into.push(before, value);
        }
        kept.next_if(|(before, _)| *before == name);
        if let Some(after) = after {
            into.push(name, after);
        }
    }
    for (name, value) in kept {
        into.push(name, value);
    }
}

const VERSION: u8 = 2;
/// Version and check.
const HEADER_BYTES: usize = 9;
/// An engine writes sixteen parts of two KiB; this is more than the changelog can hold of one user, so that
/// whatever it holds can be kept.
const PARTS_BYTES_MAX: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &[u8] = b"acme/ada";

    /// `core=7 touch-`, all of ada.
    fn changes(text: &str) -> Vec<(Box<[u8]>, Change)> {
        let key = |name: &str| [ADA, &[0], name.as_bytes()].concat().into_boxed_slice();
        text.split_whitespace()
            .map(|part| match part.split_once('=') {
                Some((name, value)) => (key(name), Some(value.as_bytes().into())),
                None => (key(part.trim_end_matches('-')), None),
            })
            .collect()
    }

    /// `b` holds as many as it has bytes.
    fn count_held(name: &[u8], value: Option<&[u8]>) -> Option<u64> {
        (name == b"b").then(|| value.map_or(0, |value| value.len() as u64))
    }

    /// What is stored after each of `rounds`, as text, and the sums.
    fn after(rounds: &[&str]) -> (String, Checkpoint) {
        let (mut rewriter, mut stored, mut sums) =
            (Rewriter::default(), None::<Vec<u8>>, Checkpoint::default());
        for round in rounds {
            let made =
                rewriter.rewrite(ADA, stored.as_deref(), &changes(round), count_held, &mut sums).unwrap();
            stored = made.stored.map(<[u8]>::to_vec);
        }
        let mut parts = Parts::default();
        if let Some(stored) = &stored {
            let head = read(ADA, stored, &mut parts).unwrap();
            assert_eq!((head.check, u64::from(head.held)), (sums.sum, sums.held));
        }
        let shown = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let text: Vec<_> = parts.iter().map(|(name, value)| shown(name) + "=" + &shown(value)).collect();
        (text.join(" "), sums)
    }

    #[test]
    fn changes_come_into_what_is_there() {
        for (rounds, expected, held) in [
            (&["b=1 d=22"] as &[&str], "b=1 d=22", 1),
            (&["b=1 d=22", "a=1 c=1 e=1"], "a=1 b=1 c=1 d=22 e=1", 1),
            (&["b=1 d=22", "b=333"], "b=333 d=22", 3),
            (&["b=333 d=22", "d=1"], "b=333 d=1", 3),
            (&["b=1 d=22", "b- c-"], "d=22", 0),
            (&["b=1 d=22", "d-"], "b=1", 1),
            (&["b=1 d=22", "b- d-"], "", 0),
            (&["b-"], "", 0),
            (&["b=1", "b-", "c=1"], "c=1", 0),
        ] {
            let (text, sums) = after(rounds);
            assert_eq!((text.as_str(), sums.held), (expected, held), "{rounds:?}");
            assert_eq!((sums.users, sums.sum == 0), (u64::from(!expected.is_empty()), expected.is_empty()));
        }
    }

    #[test]
    fn a_value_belongs_to_its_user_and_no_byte_of_it_may_change() {
        let mut rewriter = Rewriter::default();
        let mut sums = Checkpoint::default();
        let many = changes(&format!("core={0} journal={0}", "0123456789".repeat(30)));
        let made = rewriter.rewrite(ADA, None, &many, count_held, &mut sums).unwrap();
        let stored = made.stored.unwrap().to_vec();
        assert!(stored.len() < 200, "it is packed: {} bytes", stored.len());
        let parts = &mut Parts::default();
        assert!(sound(b"acme/bob", &stored).is_err());
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x10;
            assert!(read(ADA, &damaged, parts).is_err(), "byte {at}");
            assert!(read(ADA, &stored[..at], parts).is_err(), "cut at {at}");
        }
    }

    /// Whoever writes the checksum as well is not read beyond what is there, and takes no memory.
    #[test]
    fn what_is_not_what_it_says_is_refused() {
        let sealed = |value: &[u8]| [&[VERSION], check(ADA, value).to_le_bytes().as_slice(), value].concat();
        let packed = |plain: &[u8]| lz4_flex::block::compress(plain);
        for value in [
            vec![],
            vec![0; 7],
            [[0; 4].as_slice(), &u32::MAX.to_le_bytes(), &packed(b"")].concat(),
            [[0; 4].as_slice(), &9u32.to_le_bytes(), &packed(b"123")].concat(),
            [[0; 4].as_slice(), &3u32.to_le_bytes(), &packed(b"123")].concat(),
            [[0; 4].as_slice(), &4u32.to_le_bytes(), &packed(&9u32.to_le_bytes())].concat(),
            [[0; 4].as_slice(), &3u32.to_le_bytes(), b"\xff\xff\xff\xff"].concat(),
        ] {
            assert!(read(ADA, &sealed(&value), &mut Parts::default()).is_err(), "{value:?}");
        }
    }

    #[test]
    fn a_user_with_too_much_is_refused() {
        let large = vec![(changes("core-").remove(0).0, Some(vec![0; PARTS_BYTES_MAX].into()))];
        let (mut rewriter, mut sums) = (Rewriter::default(), Checkpoint::default());
        let refused = rewriter.rewrite(ADA, None, &large, count_held, &mut sums);
        assert!(refused.unwrap_err().contains("of one user"));
    }
}
