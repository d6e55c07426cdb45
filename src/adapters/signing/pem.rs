//! PEM: base64 between two lines that name what it is.

/// The first block of that kind; `None` where there is none, or it is no base64.
pub(super) fn decode(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (block, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let mut digits: Vec<u8> = block.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    while digits.last() == Some(&b'=') {
        digits.pop();
    }
    let mut bytes = Vec::with_capacity(digits.len());
    for group in digits.chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            let value = DIGITS.iter().position(|known| known == digit)?;
            word = word << 6 | u32::try_from(value).ok()?;
        }
        // Four digits are three bytes, three are two, two are one; one alone is nothing.
        let count = group.len().checked_sub(1).filter(|count| *count > 0)?;
        word <<= 6 * (4 - group.len());
        bytes.extend(word.to_be_bytes().iter().skip(1).take(count));
    }
    Some(bytes)
}

/// One block of that kind.
pub(super) fn encode(bytes: &[u8], kind: &str) -> String {
    let mut text = format!("-----BEGIN {kind}-----\n");
    let mut column = 0;
    for group in bytes.chunks(3) {
        let word =
            group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = (word >> (18 - 6 * at) & 63).to_le_bytes()[0];
            let digit = DIGITS.get(usize::from(digit)).copied().filter(|_| at <= group.len());
            text.push(digit.map_or('=', char::from));
        }
        column += 4;
        if column == 64 {
            text.push('\n');
            column = 0;
        }
    }
    if column > 0 {
        text.push('\n');
    }
    text.push_str(&format!("-----END {kind}-----\n"));
    text
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_whatever_its_length() {
        for length in 0..120_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
            let text = encode(&bytes, "X");
            assert_eq!(decode(&text, "X"), Some(bytes), "{length}");
            assert!(text.lines().all(|line| line.len() <= 64));
        }
        assert_eq!(encode(b"Man", "X"), "-----BEGIN X-----\nTWFu\n-----END X-----\n");
        assert_eq!(encode(b"M", "X"), "-----BEGIN X-----\nTQ==\n-----END X-----\n");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "TWFu",
            "-----BEGIN X-----\nTWFu",
            "-----BEGIN X-----\nTWF\n-----END X-----",
            "-----BEGIN X-----\nT!Fu\n-----END X-----",
        ] {
            assert_eq!(decode(text, "X"), None, "{text}");
        }
        assert_eq!(decode(&encode(b"Man", "Y"), "X"), None);
    }
}
