//! Identities: who, which device, which session, which record; and the hashes that stand for them.

use std::borrow::Cow;
use std::fmt;

use sha2::Digest as _;

/// A user's key on every topic: `tenant/user` in UTF-8, split at the first `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey(Box<[u8]>);

impl UserKey {
    #[must_use]
    pub fn new(tenant: &str, user: &str) -> Self {
        let mut key = Vec::with_capacity(tenant.len() + 1 + user.len());
        key.extend_from_slice(tenant.as_bytes());
        key.push(b'/');
        key.extend_from_slice(user.as_bytes());
        Self(key.into())
    }

    /// Whether `key` is `tenant/user`, without building one: the hot path compares every record.
    #[must_use]
    pub fn matches(key: &[u8], tenant: &str, user: &str) -> bool {
        key.strip_prefix(tenant.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"/"))
            .is_some_and(|rest| rest == user.as_bytes())
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The tenant of an event that names none.
pub const DEFAULT_TENANT: &str = "default";

/// `[a-z0-9][a-z0-9._-]{0,62}`.
#[must_use]
pub fn is_tenant(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut bytes = name.bytes();
    name.len() <= TENANT_BYTES_MAX
        && bytes.next().is_some_and(plain)
        && bytes.all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

pub const TENANT_BYTES_MAX: usize = 63;
pub const USER_BYTES_MAX: usize = 256;

/// The first 8 bytes of BLAKE3 over a domain and the parts, each led by its length.
///
/// 64 bits: whoever picks a device fingerprint must not be able to pick one that collides with a
/// colleague's. The domain keeps a session and a device of the same name apart.
#[must_use]
pub fn hash64(domain: &str, parts: &[&[u8]]) -> u64 {
    let digest = digest(domain, parts);
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(digest.0) {
        *to = from;
    }
    u64::from_le_bytes(first)
}

/// BLAKE3 over a domain and the parts, each led by its length.
#[must_use]
pub fn digest(domain: &str, parts: &[&[u8]]) -> Digest {
    let domain = domain.as_bytes();
    let parts = || std::iter::once(&domain).chain(parts);
    // Almost all of them fit here, and hashing one short text at once is twice as fast as setting a
    // hasher up to be fed.
    let mut room = [0; SHORT_BYTES];
    let mut length = 0;
    for part in parts() {
        for bytes in [&(part.len() as u64).to_le_bytes(), *part] {
            let end = length + bytes.len();
            if let Some(room) = room.get_mut(length..end) {
                room.copy_from_slice(bytes);
            }
            length = end;
        }
    }
    if let Some(text) = room.get(..length) {
        return Digest(*blake3::hash(text).as_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    for part in parts() {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Digest(*hasher.finalize().as_bytes())
}

const SHORT_BYTES: usize = 256;

/// SHA-256 over the parts, one after the other: of one file it is what `sha256sum` prints.
///
/// Policies and tables are named by it, because people compare them with what they have on disk.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// 32 bytes of BLAKE3 or SHA-256, written as 64 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub const ZERO: Self = Self([0; 32]);

    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        decode_hex(hex).map(Self)
    }

    /// The 64 hex digits, in a buffer of the caller's.
    pub fn hex<'t>(&self, text: &'t mut [u8; 64]) -> &'t str {
        encode_hex(&self.0, text)
    }

    /// Appends the 64 hex digits.
    pub fn append_hex(&self, out: &mut Vec<u8>) {
        let mut text = [0; 64];
        encode_hex(&self.0, &mut text);
        out.extend_from_slice(&text);
    }
}

/// 16 bytes that name a decision, an alert or a revocation, written as 32 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id128(pub [u8; 16]);

impl Id128 {
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        decode_hex(hex).map(Self)
    }
}

/// The first half of a digest.
impl From<Digest> for Id128 {
    fn from(digest: Digest) -> Self {
        let mut first = [0; 16];
        for (to, from) in first.iter_mut().zip(digest.0) {
            *to = from;
        }
        Self(first)
    }
}

macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0; 2 * std::mem::size_of::<$name>()];
                f.write_str(encode_hex(&self.0, &mut text))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut text = [0; 2 * std::mem::size_of::<$name>()];
                serializer.serialize_str(encode_hex(&self.0, &mut text))
            }
        }
    };
}
hex_text!(Digest);
hex_text!(Id128);

/// Writes `bytes` as lower-case hex digits into `text`, which is twice as long.
fn encode_hex<'t>(bytes: &[u8], text: &'t mut [u8]) -> &'t str {
    let (pairs, _) = text.as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = HEX.get(usize::from(*byte)).copied().unwrap_or_default();
    }
    std::str::from_utf8(text).unwrap_or_default()
}

/// The two digits of every byte.
#[expect(clippy::indexing_slicing, reason = "at compile time, where a place beyond the end ends the build")]
const HEX: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

fn decode_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => NO_DIGIT,
    };
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    let mut all = 0;
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let (high, low) = (digit(*high), digit(*low));
        all |= high | low;
        *byte = high << 4 | low;
    }
    // Looked at once, not digit by digit.
    (all < NO_DIGIT).then_some(bytes)
}

/// No digit has its high bits.
const NO_DIGIT: u8 = 0x80;

/// Where a record stands. A file has no topic and one partition, 0.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Position<'a> {
    pub topic: Option<Cow<'a, str>>,
    pub partition: i32,
    pub offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_texts_are_hashed_alike() {
        for length in [0, 1, 200, 230, 231, 232, 233, 300, 5000] {
            let text = vec![b'x'; length];
            let mut hasher = blake3::Hasher::new();
            for part in [b"device".as_slice(), b"acme", &text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
            assert_eq!(digest("device", &[b"acme", &text]).0, *hasher.finalize().as_bytes(), "{length}");
        }
    }
}
