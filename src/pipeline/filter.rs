//! A filter over the keys that a store must hold: a miss on a key that it knows is no new user.
//!
//! A Bloom filter of 24 bits a key, in layers that double, so that it grows without reading the
//! keys again. At 24 bits one new user in a hundred thousand looks known; such a miss is settled by
//! a scan of the store, and only a scan that disagrees costs a restore.
//!
//! Names are hashed under a secret: who could find some that look known would buy a scan with each.

use std::fmt;

use crate::engine::baseline::Part;
use crate::ports::store::Batch;

/// Never says "unknown" of a key that was added.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    secret: Secret,
    layers: Vec<Layer>,
}

type Secret = [u8; blake3::KEY_LEN];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    /// Keys added, and how many this layer is made for.
    keys: u64,
    room: u64,
    words: Vec<u64>,
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: u64 = self.layers.iter().map(|layer| layer.keys).sum();
        f.debug_struct("Filter").field("keys", &keys).finish_non_exhaustive()
    }
}

impl Filter {
    /// Knows nobody. `hash_seed` is drawn by the shell.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self::under(blake3::derive_key(
            "wardstream 2026-11-30 filter of known users",
            &hash_seed.to_le_bytes(),
        ))
    }

    /// Knows nobody, under another secret: a name that looked known to this one need not to that.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::under(*blake3::keyed_hash(&self.secret, b"anew").as_bytes())
    }

    const fn under(secret: Secret) -> Self {
        Self { secret, layers: Vec::new() }
    }

    pub fn add(&mut self, key: &[u8]) {
        let hash = Hash::of(key, &self.secret);
        if self.has_hash(hash) {
            return;
        }
        let full = self.layers.last().is_none_or(|layer| layer.keys >= layer.room);
        if full {
            let room = self.layers.last().map_or(ROOM_FIRST, |layer| layer.room.saturating_mul(2));
            self.layers.push(Layer::new(room));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.add(hash);
        }
    }

    /// Adds the user whose `core` a key of the store names; the other parts are named by it.
    pub fn add_core(&mut self, key: &[u8]) {
        if let Some((user, Part::Core)) = Part::split_key(key) {
            self.add(user);
        }
    }

    /// Adds every user whom a batch writes. An ended part makes nobody known: whoever was erased would be
    /// looked for at every return.
    pub fn add_batch(&mut self, batch: &Batch) {
        for (key, _) in batch.parts.iter().filter(|(_, value)| value.is_some()) {
            self.add_core(key);
        }
    }

    #[must_use]
    pub fn has(&self, key: &[u8]) -> bool {
        self.has_hash(Hash::of(key, &self.secret))
    }

    fn has_hash(&self, hash: Hash) -> bool {
        // The newest layer is the largest, and holds half of all keys.
        self.layers.iter().rev().any(|layer| layer.has(hash))
    }

    /// For the store: the secret, layers one after the other, then a checksum.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.secret);
        for layer in &self.layers {
            out.extend_from_slice(&layer.keys.to_le_bytes());
            out.extend_from_slice(&layer.room.to_le_bytes());
            for word in &layer.words {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
        let check = blake3::hash(&out);
        out.extend_from_slice(check.as_bytes());
        out
    }

    /// `None` when it is not exactly what [`Filter::encode`] wrote.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, check) = bytes.split_at_checked(bytes.len().checked_sub(blake3::OUT_LEN)?)?;
        if blake3::hash(body) != *<&[u8; blake3::OUT_LEN]>::try_from(check).ok()? {
            return None;
        }
        let (version, rest) = body.split_first()?;
        (*version == VERSION).then_some(())?;
        let (secret, mut rest) = rest.split_first_chunk()?;
        let mut layers = Vec::new();
        while !rest.is_empty() {
            let keys = take(&mut rest)?;
            let mut layer = Layer { keys, room: take(&mut rest)?, words: Vec::new() };
            let words = words_for(layer.room)?;
            // The length is checked by reading: a hostile room cannot reserve more than is there.
            for _ in 0..words {
                layer.words.push(take(&mut rest)?);
            }
            layers.push(layer);
        }
        Some(Self { secret: *secret, layers })
    }
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*word))
}

fn words_for(room: u64) -> Option<u64> {
    Some(room.checked_mul(BITS_A_KEY)?.div_ceil(64).max(1))
}

#[derive(Clone, Copy, Debug)]
struct Hash(u64, u64);

impl Hash {
    fn of(key: &[u8], secret: &Secret) -> Self {
        let digest = blake3::keyed_hash(secret, key);
        let mut rest = digest.as_bytes().as_slice();
        // The step is odd, so that it visits every bit of a layer whose size is a power of two.
        Self(take(&mut rest).unwrap_or(0), take(&mut rest).unwrap_or(0) | 1)
    }

    fn bits(self, bits: u64) -> impl Iterator<Item = u64> {
        (0..PROBES).map(move |probe| self.0.wrapping_add(self.1.wrapping_mul(probe)) % bits.max(1))
    }
}

impl Layer {
    fn new(room: u64) -> Self {
        let words = usize::try_from(words_for(room).unwrap_or(1)).unwrap_or(1);
        Self { keys: 0, room, words: vec![0; words] }
    }

    fn bits(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    fn add(&mut self, hash: Hash) {
        for bit in hash.bits(self.bits()) {
            if let Some(word) = usize::try_from(bit / 64).ok().and_then(|index| self.words.get_mut(index)) {
                *word |= 1 << (bit % 64);
            }
        }
        self.keys = self.keys.saturating_add(1);
    }

    fn has(&self, hash: Hash) -> bool {
        hash.bits(self.bits()).all(|bit| {
            let word = usize::try_from(bit / 64).ok().and_then(|index| self.words.get(index));
            word.is_some_and(|word| word & 1 << (bit % 64) != 0)
        })
    }
}

/// Written by an earlier version, one is not read: the store is, once.
const VERSION: u8 = 2;
const BITS_A_KEY: u64 = 24;
/// ln 2 × bits a key.
const PROBES: u64 = 17;
const ROOM_FIRST: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(keys: u32) -> Filter {
        filled_into(Filter::new(7), keys)
    }

    fn filled_into(mut filter: Filter, keys: u32) -> Filter {
        for key in 0..keys {
            filter.add(format!("acme/user-{key}\0core").as_bytes());
        }
        filter
    }

    #[test]
    fn knows_what_was_added_however_often_it_grew() {
        let filter = filled(20_000);
        assert!(filter.layers.len() > 2);
        assert!((0..20_000).all(|key| filter.has(format!("acme/user-{key}\0core").as_bytes())));
    }

    #[test]
    fn hardly_ever_knows_what_was_not() {
        let filter = filled(20_000);
        let wrong =
            (0..100_000).filter(|key| filter.has(format!("acme/other-{key}\0core").as_bytes())).count();
        assert!(wrong <= 10, "{wrong} of 100000");
    }

    /// Else who found such a name once could ask for it again and again.
    #[test]
    fn what_looks_known_under_one_secret_does_not_under_another() {
        let names = || (0..4_000_000).map(|name| format!("acme/other-{name}\0core"));
        let (first, other) = (filled(4_000), filled_into(Filter::new(8), 4_000));
        let renewed = filled_into(first.anew(), 4_000);
        let found: Vec<String> = names().filter(|name| first.has(name.as_bytes())).collect();
        assert!(found.len() >= 3, "{found:?}");
        for filter in [other, renewed] {
            assert!(found.iter().all(|name| !filter.has(name.as_bytes())), "{found:?}");
        }
    }

    #[test]
    fn an_empty_filter_knows_nothing() {
        assert!(!Filter::new(7).has(b"acme/ada\0core"));
    }

    /// Its hashes had no secret: taken for one of ours it would know nobody, and the users would be new.
    #[test]
    fn one_of_an_earlier_version_is_not_read() {
        let mut bytes = vec![1];
        bytes.extend_from_slice(&filled(100).encode()[1 + blake3::KEY_LEN..]);
        bytes.truncate(bytes.len() - blake3::OUT_LEN);
        let check = blake3::hash(&bytes);
        bytes.extend_from_slice(check.as_bytes());
        assert_eq!(Filter::decode(&bytes), None);
    }

    #[test]
    fn comes_back_from_its_bytes_or_not_at_all() {
        let filter = filled(5_000);
        let bytes = filter.encode();
        assert_eq!(Filter::decode(&bytes), Some(filter));
        for at in (0..bytes.len()).step_by(997) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Filter::decode(&damaged), None, "byte {at}");
            assert_eq!(Filter::decode(&bytes[..at]), None, "cut at {at}");
        }
    }
}
