//! PEM: base64 between two lines that name what it is.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The first block of that kind; `None` where there is none, or it is no base64.
pub(super) fn decode(text: &str, kind: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (block, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let digits: Vec<u8> = block.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(digits).ok()
}

/// One block of that kind.
pub(super) fn encode(bytes: &[u8], kind: &str) -> String {
    let mut text = format!("-----BEGIN {kind}-----\n");
    for (at, digit) in BASE64_STANDARD.encode(bytes).chars().enumerate() {
        if at > 0 && at.is_multiple_of(COLUMNS) {
            text.push('\n');
        }
        text.push(digit);
    }
    if !bytes.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("-----END {kind}-----\n"));
    text
}

/// RFC 7468, section 2.
const COLUMNS: usize = 64;

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
