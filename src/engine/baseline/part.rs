//! Parts: what one record of `risk.profiles` and one value of the store hold.

/// A part of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Core,
    Keystroke,
    Mouse,
    Touch,
    Checkpoint,
    /// 0..=7.
    Journal(u8),
    Apps,
    Tokens,
    Workload,
}

/// Chunks of the journal.
pub const CHUNKS: u8 = 8;

/// No stored part is longer than this.
pub const PART_BYTES_MAX: usize = 2048;

impl Part {
    /// In the order of [`Part::index`].
    pub const ALL: [Self; 16] = [
        Self::Core,
        Self::Keystroke,
        Self::Mouse,
        Self::Touch,
        Self::Checkpoint,
        Self::Journal(0),
        Self::Journal(1),
        Self::Journal(2),
        Self::Journal(3),
        Self::Journal(4),
        Self::Journal(5),
        Self::Journal(6),
        Self::Journal(7),
        Self::Apps,
        Self::Tokens,
        Self::Workload,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Keystroke => "keystroke",
            Self::Mouse => "mouse",
            Self::Touch => "touch",
            Self::Checkpoint => "checkpoint",
            Self::Journal(0) => "journal/0",
            Self::Journal(1) => "journal/1",
            Self::Journal(2) => "journal/2",
            Self::Journal(3) => "journal/3",
            Self::Journal(4) => "journal/4",
            Self::Journal(5) => "journal/5",
            Self::Journal(6) => "journal/6",
            Self::Journal(_) => "journal/7",
            Self::Apps => "apps",
            Self::Tokens => "tokens",
            Self::Workload => "workload",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Core => 0,
            Self::Keystroke => 1,
            Self::Mouse => 2,
            Self::Touch => 3,
            Self::Checkpoint => 4,
            Self::Journal(chunk) => 5 + (chunk as usize & 7),
            Self::Apps => 13,
            Self::Tokens => 14,
            Self::Workload => 15,
        }
    }

    /// Appends the key of this part of `user`'s profile: the user key, NUL, the part's name.
    pub fn write_key(self, user: &[u8], key: &mut Vec<u8>) {
        key.extend_from_slice(user);
        key.push(0);
        key.extend_from_slice(self.name().as_bytes());
    }

    /// The user key and the part that a key names. A user id may hold NUL; a part's name does not.
    #[must_use]
    pub fn split_key(key: &[u8]) -> Option<(&[u8], Self)> {
        let at = key.iter().rposition(|byte| *byte == 0)?;
        let name = std::str::from_utf8(key.get(at + 1..)?).ok()?;
        Some((key.get(..at)?, Self::parse(name)?))
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A set of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSet(u32);

impl PartSet {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn of(part: Part) -> Self {
        Self(1 << part.index())
    }

    #[must_use]
    pub const fn has(self, part: Part) -> bool {
        self.0 & Self::of(part).0 != 0
    }

    #[must_use]
    pub const fn with(self, part: Part) -> Self {
        Self(self.0 | Self::of(part).0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// As stored; `None` when it has bits that no part has.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits >> Part::ALL.len() == 0 { Some(Self(bits)) } else { None }
    }

    pub fn iter(self) -> impl Iterator<Item = Part> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let part = Part::ALL.get(usize::try_from(left.trailing_zeros()).ok()?)?;
            left &= left.wrapping_sub(1);
            Some(*part)
        })
    }
}

impl FromIterator<Part> for PartSet {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        parts.into_iter().fold(Self::NONE, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &[u8], expected: Option<(&[u8], Part)>) {
        assert_eq!(Part::split_key(key), expected);
        if let Some((user, part)) = expected {
            let mut written = Vec::new();
            part.write_key(user, &mut written);
            assert_eq!(written, key);
        }
    }

    #[test]
    fn keys_are_user_nul_part() {
        check(b"acme/ada\0core", Some((b"acme/ada", Part::Core)));
        check(b"acme/a\0da\0journal/7", Some((b"acme/a\0da", Part::Journal(7))));
        check(b"acme/ada\0journal/8", None);
        check(b"acme/ada\0workload", Some((b"acme/ada", Part::Workload)));
        check(b"acme/ada", None);
    }

    #[test]
    fn names_and_places_are_one_to_one() {
        for (index, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!((part.index(), Part::parse(part.name())), (index, Some(part)));
        }
    }
}
