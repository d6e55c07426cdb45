//! The two forms of a published decision.

use super::{Recorded, Stored};

/// How a published decision is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    /// Single-object encoding.
    Avro,
}

impl Form {
    /// That of a value, by its first byte.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        if value.first() == Some(&b'{') { Self::Json } else { Self::Avro }
    }

    /// All of a decision.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn stored(self, value: &[u8]) -> Result<Stored<'_>, String> {
        match self {
            Self::Json => Stored::from_json(value),
            Self::Avro => Stored::from_avro(value),
        }
    }

    /// What a replay needs of it.
    ///
    /// # Errors
    /// As [`Self::stored`].
    pub fn recorded(self, value: &[u8]) -> Result<Recorded, String> {
        match self {
            Self::Json => Recorded::from_json(value),
            Self::Avro => Recorded::from_avro(value),
        }
    }
}
