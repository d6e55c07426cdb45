//! The overlay: parts that are committed and not yet checkpointed. Newer than the store, older than
//! what is being committed.
//!
//! One version a part, the last. A checkpoint drains it as one batch, which stays readable here
//! until the store has it.

use std::sync::Arc;

use foldhash::quality::FixedState;
use hashbrown::HashMap;

use crate::ports::store::{Batch, Change, Spot, by_user};

#[derive(Debug)]
pub struct Overlay {
    /// Looked up, never walked in its own order: a drain sorts.
    fresh: HashMap<Box<[u8]>, Change, FixedState>,
    bytes: usize,
    draining: Option<Arc<Batch>>,
}

/// What is known of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'o> {
    Value(&'o [u8]),
    /// It was ended.
    Gone,
    /// Ask the store.
    Nothing,
}

impl Overlay {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { fresh: HashMap::with_hasher(FixedState::with_seed(seed)), bytes: 0, draining: None }
    }

    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let length = value.map_or(0, <[u8]>::len);
        if let Some(old) = self.fresh.get_mut(key) {
            self.bytes = (self.bytes + length).saturating_sub(old.as_ref().map_or(0, |old| old.len()));
            match (old, value) {
                // A part that keeps its length keeps its place.
                (Some(old), Some(value)) if old.len() == value.len() => old.copy_from_slice(value),
                (old, value) => *old = value.map(Into::into),
            }
        } else {
            self.bytes += key.len() + length;
            self.fresh.insert(key.into(), value.map(Into::into));
        }
    }

    #[must_use]
    pub fn get(&self, key: &[u8]) -> Known<'_> {
        if let Some(value) = self.fresh.get(key) {
            return known(value.as_deref());
        }
        let Some(batch) = &self.draining else { return Known::Nothing };
        match batch.parts.binary_search_by(|(at, _)| by_user(at, key)) {
            Ok(at) => batch.parts.get(at).map_or(Known::Nothing, |(_, value)| known(value.as_deref())),
            Err(_) => Known::Nothing,
        }
    }

    /// Bytes of keys and values that wait for a checkpoint, the one under way not included.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.fresh.is_empty() && self.draining.is_none()
    }

    /// Everything, as one batch that puts the store at `spot`. `None` while one is under way.
    pub fn drain(&mut self, spot: Spot) -> Option<Arc<Batch>> {
        if self.draining.is_some() {
            return None;
        }
        let mut parts: Vec<_> = self.fresh.drain().collect();
        parts.sort_unstable_by(|(a, _), (b, _)| by_user(a, b));
        self.bytes = 0;
        let batch = Arc::new(Batch { parts, place: Some(spot) });
        self.draining = Some(Arc::clone(&batch));
        Some(batch)
    }

    /// The checkpoint under way.
    pub fn draining(&self) -> impl Iterator<Item = &(Box<[u8]>, Change)> {
        self.draining.iter().flat_map(|batch| &batch.parts)
    }

    /// The store has the batch.
    pub fn drained(&mut self) {
        self.draining = None;
    }
}

fn known(value: Option<&[u8]>) -> Known<'_> {
    value.map_or(Known::Gone, Known::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_version_wins_and_stays_readable_until_the_store_has_it() {
        let mut overlay = Overlay::new(7);
        overlay.put(b"b", Some(b"1"));
        overlay.put(b"a", Some(b"1"));
        overlay.put(b"b", Some(b"22"));
        overlay.put(b"c", None);
        assert_eq!(overlay.bytes(), 6);

        let batch = overlay.drain(Spot::default()).unwrap();
        let keys: Vec<_> = batch.parts.iter().map(|(key, _)| key.as_ref()).collect();
        assert_eq!(keys, [b"a", b"b", b"c"]);
        assert_eq!(overlay.drain(Spot::default()), None, "one at a time");
        assert_eq!(overlay.get(b"b"), Known::Value(b"22"));
        assert_eq!(overlay.get(b"c"), Known::Gone);

        overlay.put(b"b", Some(b"33"));
        assert_eq!(overlay.get(b"b"), Known::Value(b"33"));
        overlay.drained();
        assert_eq!(overlay.get(b"a"), Known::Nothing);
        assert_eq!(overlay.get(b"b"), Known::Value(b"33"));
        assert!(!overlay.is_drained());
    }
}
