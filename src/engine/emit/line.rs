//! A line of text on the stack: what is rendered for every reason must not allocate.

use std::fmt;

/// At most [`BYTES_MAX`] bytes; what is longer ends there, between two characters.
#[derive(Clone, Copy)]
pub struct Line {
    bytes: [u8; BYTES_MAX],
    length: usize,
}

impl Line {
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; BYTES_MAX], length: 0 }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        let fitting = text.get(..text.floor_char_boundary(free.len())).unwrap_or_default();
        if let Some(room) = free.get_mut(..fitting.len()) {
            room.copy_from_slice(fitting.as_bytes());
        }
        self.length += fitting.len();
        if fitting.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The longest sentence of `reason` has 120; a digest with its prefix 71.
const BYTES_MAX: usize = 192;

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn ends_between_two_characters() {
        let mut line = Line::default();
        assert!(write!(line, "{}é!", "x".repeat(BYTES_MAX - 1)).is_err());
        assert_eq!(line.as_str(), "x".repeat(BYTES_MAX - 1));
        let mut line = Line::default();
        assert!(write!(line, "a{}", 1).is_ok());
        assert_eq!(line.as_str(), "a1");
    }
}
