//! What must not stand in a JSON text as it is: quotes, backslashes, control characters.

/// Where the first such byte stands. Eight at a time: texts are most of what is read and written.
#[inline]
pub(crate) fn first_escaped(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(number * 8 + marks.trailing_zeros() as usize / 8);
        }
    }
    // The last eight, of which the words have seen some already: nearly always that is the end of it.
    if text.last_chunk().is_some_and(|last| marks(u64::from_le_bytes(*last)) == 0) {
        return None;
    }
    let at = rest.iter().position(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'))?;
    Some(words.len() * 8 + at)
}

/// The high bit of each such byte. A borrow may mark a byte behind one too, never one before the
/// first.
const fn marks(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & (ONES * 0x80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8]) {
        let careful = text.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
        assert_eq!(first_escaped(text), careful, "{text:?}");
    }

    #[test]
    fn every_byte_at_every_place() {
        for byte in 0..=255 {
            for before in 0..20 {
                let mut text = [vec![b'x'; before], vec![byte], vec![0xFF; 9]].concat();
                check(&text);
                text.insert(before, byte);
                check(&text);
                check(&text[..=before]);
            }
        }
        check(b"");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(text: Vec<u8>) {
            check(&text);
        }
    }
}
