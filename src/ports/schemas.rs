//! Schemas: what others wrote their records with, by the ids that a registry gave out.

use std::fmt;

/// Where the writers' schemas are kept.
pub trait Schemas: fmt::Debug + Send {
    /// The schema of an id, as JSON. It takes a bounded time, whatever the other side does.
    ///
    /// # Errors
    /// See [`Unresolved`].
    fn schema(&self, id: u32) -> Result<String, Unresolved>;
}

/// What becomes of records whose schema cannot be had for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenAway {
    /// Their partition waits.
    #[default]
    Wait,
    /// They are rejected, with the reason.
    Reject,
}

/// Why an id leads to no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// The registry answers, and what it says is final for now: it knows no such id, or holds
    /// something under it that is no Avro.
    Unknown(String),
    /// No sound answer came: it is away, slow, refuses us or tells nonsense. Another try may help.
    Away(String),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(why) | Self::Away(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Unresolved {}
