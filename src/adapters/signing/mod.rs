//! Ed25519 keys in files, as OpenSSL writes them: PKCS#8 for the private one, SubjectPublicKeyInfo for
//! the public one, both in PEM.
//!
//! *Failure*: a file that holds another kind of key, or none, is refused by name. A private key is
//! readable by its owner only, and is never printed.

mod pem;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// Signs.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

/// The 32 bytes of a public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {error}; name a file that this user may read or, for a new key, one that is not there", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("{}: holds no {expected}; make one with `ward verify --new-key FILE`", path.display())]
    Form { path: PathBuf, expected: &'static str },
    #[error("the system gives no random bytes for a key")]
    Random,
}

impl SigningKey {
    /// Reads `openssl genpkey -algorithm ed25519` or what [`Self::create`] wrote.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let form = || Error::Form { path: path.to_owned(), expected: "Ed25519 private key (PKCS#8 in PEM)" };
        let der = pem::decode(&text(path)?, PRIVATE).ok_or_else(form)?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_why| form())
    }

    /// Makes a new one: the private key in `path`, readable by its owner, the public one in `path.pub`.
    ///
    /// # Errors
    /// When one of the files is already there or cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::generate().map_err(|_why| Error::Random)?;
        let der = pair.to_pkcs8v1().map_err(|_why| Error::Random)?;
        let key = Self(pair);
        write_new(path, &pem::encode(der.as_ref(), PRIVATE), 0o600)?;
        write_new(&path.with_added_extension("pub"), &key.public().pem(), 0o644)?;
        Ok(key)
    }

    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    /// 64 bytes, in hex.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        hex(self.0.sign(text.as_bytes()).as_ref())
    }
}

impl PublicKey {
    /// Reads `openssl pkey -pubout` or the file beside a new key.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let form = || Error::Form { path: path.to_owned(), expected: "Ed25519 public key (PEM)" };
        let der = pem::decode(&text(path)?, PUBLIC).ok_or_else(form)?;
        let bytes = der.strip_prefix(&SPKI).ok_or_else(form)?;
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_length| form())
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        crate::model::id::Digest::parse(text).map(|digest| Self(digest.0))
    }

    /// 64 hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Whether `signature`, in hex, is one of `text` by this key.
    #[must_use]
    pub fn has_signed(&self, text: &str, signature: &str) -> bool {
        unhex(signature).is_some_and(|bytes| {
            UnparsedPublicKey::new(&ED25519, self.0).verify(text.as_bytes(), &bytes).is_ok()
        })
    }

    fn pem(&self) -> String {
        pem::encode(&[SPKI.as_slice(), &self.0].concat(), PUBLIC)
    }
}

fn text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::File { path: path.to_owned(), error })
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(mode);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::File { path: path.to_owned(), error })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_deref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The algorithm's name and the length, before the 32 bytes of the key (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_signs_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heads.key");
        let made = SigningKey::create(&path).unwrap();
        assert!(SigningKey::create(&path).is_err(), "a key is never written over");
        let read = SigningKey::read(&path).unwrap();
        let public = PublicKey::read(&folder.path().join("heads.key.pub")).unwrap();
        assert_eq!((made.public(), read.public()), (public, public));
        assert_eq!(PublicKey::parse(&public.hex()), Some(public));

        let signature = read.sign("text");
        assert!(public.has_signed("text", &signature));
        for (text, signature) in
            [("texd", signature.as_str()), ("text", &"0".repeat(128)), ("text", "zz"), ("text", "")]
        {
            assert!(!public.has_signed(text, signature));
        }
        let other = SigningKey::create(&folder.path().join("other")).unwrap();
        assert!(!other.public().has_signed("text", &signature));
        assert!(PublicKey::read(&path).is_err(), "a private key is no public one");
        assert!(SigningKey::read(&folder.path().join("heads.key.pub")).is_err());
        assert!(!format!("{read:?}").contains("PRIVATE"));
    }

    /// The first test vector of RFC 8032, as OpenSSL writes the key.
    #[test]
    fn the_vector_of_rfc_8032() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let der =
            [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20], seed.as_slice()]
                .concat();
        std::fs::write(&path, pem::encode(&der, PRIVATE)).unwrap();
        let key = SigningKey::read(&path).unwrap();
        assert_eq!(key.public().hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(key.sign(""), signature);
    }
}
