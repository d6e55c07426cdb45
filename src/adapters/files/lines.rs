//! Lines of a file, however long it is, in one buffer that is used again and again.
//!
//! *Failure*: a line longer than the limit is not held: the rest of it is passed over and counted.

use std::io::{BufRead, BufReader, Read};

/// What stands between two line feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'b> {
    /// Without the line feed.
    Held(&'b [u8]),
    /// Longer than the limit, in bytes.
    TooLong(u64),
}

#[derive(Debug)]
pub struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
    bytes_max: usize,
    consumed: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `bytes_max` bytes are held.
    #[must_use]
    pub fn new(from: BufReader<R>, bytes_max: usize) -> Self {
        Self { from, line: Vec::new(), bytes_max, consumed: 0 }
    }

    /// Bytes handed out or passed over.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether a whole line is at hand, so that asking for it waits for nobody.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        memchr::memchr(b'\n', self.from.buffer()).is_some()
    }

    /// The next line; the last one needs no line feed.
    #[expect(clippy::should_implement_trait, reason = "it lends from itself, which an iterator cannot")]
    pub fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        self.line.clear();
        loop {
            let ahead = fill(&mut self.from)?;
            if ahead.is_empty() {
                return Ok((!self.line.is_empty()).then_some(Line::Held(&self.line)));
            }
            let feed = memchr::memchr(b'\n', ahead);
            let more = ahead.get(..feed.unwrap_or(ahead.len())).unwrap_or_default();
            if self.line.len() + more.len() > self.bytes_max {
                break;
            }
            self.line.extend_from_slice(more);
            let read = more.len() + usize::from(feed.is_some());
            self.from.consume(read);
            self.consumed += read as u64;
            if feed.is_some() {
                return Ok(Some(Line::Held(&self.line)));
            }
        }
        let (passed_over, feed) = pass_over(&mut self.from)?;
        self.consumed += passed_over + feed;
        Ok(Some(Line::TooLong(self.line.len() as u64 + passed_over)))
    }
}

/// What is at hand, read if nothing is; empty at the end.
fn fill(from: &mut impl BufRead) -> std::io::Result<&[u8]> {
    loop {
        match from.fill_buf() {
            // Asked again, for the borrow.
            Ok(_) => return from.fill_buf(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Passes over the rest of a line; returns its bytes, and how many line feeds ended it.
fn pass_over(from: &mut impl BufRead) -> std::io::Result<(u64, u64)> {
    let mut passed_over = 0_u64;
    loop {
        let ahead = fill(from)?;
        if ahead.is_empty() {
            return Ok((passed_over, 0));
        }
        let line = memchr::memchr(b'\n', ahead).unwrap_or(ahead.len());
        let feed = usize::from(line < ahead.len());
        from.consume(line + feed);
        passed_over += line as u64;
        if feed == 1 {
            return Ok((passed_over, 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `step` bytes at a time, as a pipe may.
    struct Slow<'t>(&'t [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(self.0.len()).min(out.len());
            let (now, later) = self.0.split_at(length);
            out[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    fn read(text: &[u8], step: usize, max: usize) -> Vec<String> {
        let mut lines = Lines::new(BufReader::with_capacity(5, Slow(text, step)), max);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Held(line) => String::from_utf8(line.to_vec()).unwrap(),
                Line::TooLong(bytes) => format!("too long: {bytes}"),
            });
        }
        assert_eq!(lines.consumed(), text.len() as u64);
        all
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for step in [1, 2, 3, 7, usize::MAX] {
            assert_eq!(read(text.as_bytes(), step, 8), expected, "{step} at a time");
        }
    }

    #[test]
    fn lines_end_with_a_feed_or_with_the_file() {
        check("", &[]);
        check("\n", &[""]);
        check("a\nbc\n", &["a", "bc"]);
        check("a\n\nbc", &["a", "", "bc"]);
    }

    #[test]
    fn long_lines_are_passed_over() {
        check("12345678\n123456789\nx", &["12345678", "too long: 9", "x"]);
        check("123456789", &["too long: 9"]);
        check(&format!("{}\nx\n", "y".repeat(100)), &["too long: 100", "x"]);
    }

    #[test]
    fn far_longer_than_the_buffer() {
        let long = [vec![b'x'; 100_000], b"\nend\n".to_vec()].concat();
        for step in [1000, 70_000, usize::MAX] {
            assert_eq!(read(&long, step, 8), [format!("too long: {}", 100_000), "end".into()]);
        }
    }

    proptest::proptest! {
        #[test]
        fn equals_splitting(text in proptest::collection::vec(proptest::sample::select(b"ab\n".to_vec()), 0..60), step in 1_usize..9) {
            let text = String::from_utf8(text).unwrap();
            let expected: Vec<_> = text.lines().map(|line| match line.len() {
                0..=4 => line.to_owned(),
                bytes => format!("too long: {bytes}"),
            }).collect();
            proptest::prop_assert_eq!(read(text.as_bytes(), step, 4), expected);
        }
    }
}
