//! A memory of what texts mean: traffic has few user agents, devices and places, and comes back to
//! them, and what is remembered need not be worked out again.
//!
//! Each text has a place for two; a newcomer takes that of the one that was not asked for last, so
//! nothing grows, and two that are busy do not drive each other out. A text that is long is not
//! remembered. Whoever picks texts that clash makes each cost what it would cost without this.

/// What up to `2 * PLACES` texts mean. Empty until there is something to keep.
#[derive(Debug)]
pub(crate) struct Memory<V, const PLACES: usize> {
    places: Box<[[Option<Kept<V>>; 2]]>,
}

#[derive(Debug)]
struct Kept<V> {
    /// Tells nearly all other texts apart, without a look at where the text lies.
    mixed: u64,
    text: Vec<u8>,
    value: V,
}

impl<V, const PLACES: usize> Default for Memory<V, PLACES> {
    fn default() -> Self {
        Self { places: Box::default() }
    }
}

impl<V: Copy, const PLACES: usize> Memory<V, PLACES> {
    /// What `text` means, if it is remembered.
    pub(crate) fn get(&mut self, text: &[u8]) -> Option<V> {
        self.find(text, mix(text))
    }

    fn find(&mut self, text: &[u8], mixed: u64) -> Option<V> {
        let pair = self.places.get_mut(place_of::<PLACES>(mixed))?;
        let is =
            |one: &Option<Kept<V>>| one.as_ref().is_some_and(|kept| kept.mixed == mixed && kept.text == text);
        let [last, other] = pair;
        if !is(last) {
            if !is(other) {
                return None;
            }
            std::mem::swap(last, other);
        }
        last.as_ref().map(|kept| kept.value)
    }

    /// Remembers what [`Self::get`] was just asked for.
    pub(crate) fn put(&mut self, text: &[u8], value: V) {
        self.keep(text, mix(text), value);
    }

    fn keep(&mut self, text: &[u8], mixed: u64, value: V) {
        if text.len() > TEXT_BYTES_MAX {
            return;
        }
        if self.places.is_empty() {
            self.places = std::iter::repeat_with(|| [None, None]).take(PLACES).collect();
        }
        let Some([last, other]) = self.places.get_mut(place_of::<PLACES>(mixed)) else { return };
        std::mem::swap(last, other);
        match last {
            Some(kept) => {
                kept.mixed = mixed;
                kept.text.clear();
                kept.text.extend_from_slice(text);
                kept.value = value;
            }
            None => *last = Some(Kept { mixed, text: text.to_vec(), value }),
        }
    }

    /// What `text` means, as `make` says when it is asked for the first time.
    pub(crate) fn get_or(&mut self, text: &[u8], make: impl FnOnce() -> V) -> V {
        let mixed = mix(text);
        self.find(text, mixed).unwrap_or_else(|| {
            let value = make();
            self.keep(text, mixed, value);
            value
        })
    }

    /// Texts that are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.iter().flatten().flatten().count()
    }
}

fn place_of<const PLACES: usize>(mixed: u64) -> usize {
    const { assert!(PLACES.is_power_of_two()) };
    usize::try_from(mixed >> (64 - PLACES.trailing_zeros())).unwrap_or(0)
}

/// Spreads texts over places; a clash costs what it saves, so nothing stronger is needed.
fn mix(text: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |chunk: &[u8]| {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(chunk) {
            *to = *from;
        }
        u64::from_le_bytes(bytes)
    };
    let (chunks, rest) = text.as_chunks::<8>();
    let state = chunks.iter().fold(text.len() as u64, |state, chunk| {
        (state.rotate_left(23) ^ u64::from_le_bytes(*chunk)).wrapping_mul(ODD)
    });
    (state.rotate_left(23) ^ word(rest)).wrapping_mul(ODD)
}

/// Longer ones are rare, and attackers'.
const TEXT_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// What was asked for is always what it means, however many texts pass by, and memory ends.
    #[test]
    fn is_right_and_bounded() {
        let mut memory = Memory::<usize, 8>::default();
        let mut made = 0;
        for round in 0..3 {
            for number in 0..500 {
                let text = format!("text {number}");
                let value = memory.get_or(text.as_bytes(), || {
                    made += 1;
                    number
                });
                assert_eq!(value, number, "round {round}");
            }
        }
        assert!(memory.len() <= 16 && memory.len() > 8, "{}", memory.len());
        assert!(made > 500, "{made}");
    }

    #[test]
    fn what_comes_again_is_remembered() {
        let mut memory = Memory::<u8, 8>::default();
        memory.put(b"", 1);
        memory.put(b"a", 2);
        assert_eq!((memory.get(b""), memory.get(b"a"), memory.get(b"b")), (Some(1), Some(2), None));
        assert_eq!(memory.get_or(b"a", || unreachable!()), 2);
        memory.put(&[b'x'; TEXT_BYTES_MAX + 1], 3);
        assert_eq!(memory.get(&[b'x'; TEXT_BYTES_MAX + 1]), None);
    }
}
