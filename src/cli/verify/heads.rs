//! Heads in a file: JSON, with a signature over their text.
//!
//! The public key in the file says who claims to have signed. It is no reason to trust: whoever
//! writes heads anew can write a key beside them. That is what `--key` is for.

use std::fmt;
use std::path::Path;

use crate::adapters::signing::{PublicKey, SigningKey};
use crate::cli::Failure;
use crate::model::id::Digest;
use crate::pipeline::chain::{Head, signed_text};

/// Heads, and who says so.
#[derive(Debug)]
pub(super) struct Signed {
    heads: Vec<Head>,
    signature: Option<(PublicKey, String)>,
}

/// What became of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    /// By the key that was given.
    Trusted,
    /// By the key that the file itself names, which nobody vouches for.
    ByItself,
    None,
    /// There is none, and there must be.
    Missing,
    /// By another key, or over another text.
    Wrong,
}

impl Signature {
    pub(super) const fn failure(&self) -> Option<&'static str> {
        match self {
            Self::Trusted | Self::ByItself | Self::None => None,
            Self::Missing => Some("the heads are not signed, expected a signature by the key in --key"),
            Self::Wrong => {
                Some("the heads do not carry a valid signature: they were changed, or another key signed")
            }
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trusted => "signed by the key given",
            Self::ByItself => "signed by a key that nobody vouches for; --key FILE names the one you trust",
            Self::None => "not signed",
            Self::Missing => "not signed, and they must be",
            Self::Wrong => "the signature is not valid",
        })
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    heads: Vec<WireHead>,
    public_key: Option<String>,
    signature: Option<String>,
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHead {
    topic: Option<String>,
    partition: i32,
    decisions: u64,
    offset: i64,
    chain: String,
}

impl Signed {
    pub(super) fn make(heads: Vec<Head>, key: Option<&SigningKey>) -> Self {
        let signature = key.map(|key| (key.public(), key.sign(&signed_text(&heads))));
        Self { heads, signature }
    }

    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |what: String| {
            Failure::input(format!(
                "{}: {what}; name a file that `ward verify --export` wrote",
                path.display()
            ))
        };
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let wire: Wire = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
        if wire.version != VERSION {
            return Err(failed(format!("version {}, this ward reads version {VERSION}", wire.version)));
        }
        let mut heads: Vec<Head> = Vec::new();
        for WireHead { topic, partition, decisions, offset, chain } in wire.heads {
            let chain =
                Digest::parse(&chain).ok_or_else(|| failed("a `chain` is not 64 hex digits".into()))?;
            if heads.iter().any(|head| head.topic == topic && head.partition == partition) {
                return Err(failed(format!("partition {partition} has two heads")));
            }
            heads.push(Head { topic, partition, decisions, offset, chain });
        }
        let signature = match (wire.public_key, wire.signature) {
            (Some(key), Some(signature)) => {
                let key = PublicKey::parse(&key)
                    .ok_or_else(|| failed("`public_key` is not 64 hex digits".into()))?;
                Some((key, signature))
            }
            (None, None) => None,
            _ => return Err(failed("holds one of `public_key` and `signature` without the other".into())),
        };
        Ok(Self { heads, signature })
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let heads = self.heads.iter().map(|head| WireHead {
            topic: head.topic.clone(),
            partition: head.partition,
            decisions: head.decisions,
            offset: head.offset,
            chain: head.chain.to_string(),
        });
        let wire = Wire {
            version: VERSION,
            heads: heads.collect(),
            public_key: self.signature.as_ref().map(|(key, _)| key.hex()),
            signature: self.signature.as_ref().map(|(_, signature)| signature.clone()),
        };
        let text = serde_json::to_string_pretty(&wire)
            .map_err(|error| Failure::Internal(format!("heads as JSON: {error}")))?;
        std::fs::write(path, text + "\n").map_err(|error| {
            Failure::Unreachable(format!("{}: {error}; name a file that this user may write", path.display()))
        })
    }

    pub(super) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// Whether the signature is `trusted`'s; without one, whether it is at least its own.
    pub(super) fn signature(&self, trusted: Option<PublicKey>) -> Signature {
        let Some((own, signature)) = &self.signature else {
            return if trusted.is_some() { Signature::Missing } else { Signature::None };
        };
        if !trusted.unwrap_or(*own).has_signed(&signed_text(&self.heads), signature) {
            return Signature::Wrong;
        }
        if trusted.is_some() { Signature::Trusted } else { Signature::ByItself }
    }
}

const VERSION: u32 = 1;
