//! Rows of a CSV file (RFC 4180), however long it is: quoted fields may hold commas, quotes and line
//! feeds.
//!
//! Rows are found first and split into fields afterwards, because only so a row longer than the limit
//! can be passed over without being held. *Failure*: a quote that nobody closes makes the rest of the
//! file one row; it is passed over, and counted as one.

use std::io::{BufRead, BufReader, Read};

/// What stands between two ends of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Its fields are in [`Rows::fields`].
    Held,
    /// Longer than the limit, in bytes.
    TooLong(u64),
}

#[derive(Debug)]
pub struct Rows<R> {
    from: BufReader<R>,
    row: Vec<u8>,
    fields: csv::ByteRecord,
    bytes_max: usize,
    consumed: u64,
    /// Line feeds of the last row.
    lines: u64,
}

impl<R: Read> Rows<R> {
    /// Rows of at most `bytes_max` bytes are held.
    #[must_use]
    pub fn new(from: BufReader<R>, bytes_max: usize) -> Self {
        Self { from, row: Vec::new(), fields: csv::ByteRecord::new(), bytes_max, consumed: 0, lines: 0 }
    }

    /// Bytes handed out or passed over.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Lines that the last row took up.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Whether some of the next row is at hand.
    #[must_use]
    pub fn is_at_hand(&self) -> bool {
        self.from.buffer().contains(&b'\n')
    }

    /// The fields of the last row that was held.
    #[must_use]
    pub const fn fields(&self) -> &csv::ByteRecord {
        &self.fields
    }

    /// The next row. One of blanks alone has no field.
    #[expect(clippy::should_implement_trait, reason = "it may fail between two rows, and goes on")]
    pub fn next(&mut self) -> std::io::Result<Option<Row>> {
        self.row.clear();
        self.fields.clear();
        self.lines = 0;
        let (mut state, mut length, mut ended) = (State::Start, 0_u64, false);
        while !ended {
            let ahead = match self.from.fill_buf() {
                Ok(ahead) => ahead,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if ahead.is_empty() {
                break;
            }
            let mut used = 0;
            for byte in ahead {
                used += 1;
                self.lines += u64::from(*byte == b'\n');
                ended = *byte == b'\n' && state != State::Quoted;
                if ended {
                    break;
                }
                state = state.after(*byte);
            }
            let kept = ahead.get(..used - usize::from(ended)).unwrap_or_default();
            length += kept.len() as u64;
            if length <= self.bytes_max as u64 {
                self.row.extend_from_slice(kept);
            }
            self.consumed += used as u64;
            self.from.consume(used);
        }
        if length == 0 && !ended {
            return Ok(None);
        }
        self.lines += u64::from(!ended);
        if length > self.bytes_max as u64 {
            return Ok(Some(Row::TooLong(length)));
        }
        self.split()?;
        Ok(Some(Row::Held))
    }

    fn split(&mut self) -> std::io::Result<()> {
        if self.row.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).buffer_capacity(self.row.len().max(64));
        reader.from_reader(self.row.as_slice()).read_byte_record(&mut self.fields)?;
        Ok(())
    }
}

/// Where in a row the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Of a field: only here a quote opens.
    Start,
    Plain,
    Quoted,
    /// Behind a quote inside of a quoted field: its end, or the first of two.
    Closed,
}

impl State {
    const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b'"') | (Self::Closed, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::Closed,
            (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::Start,
            _ => Self::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields joined by `;`, rows with the number of their lines.
    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for capacity in [1, 2, 7, 1000] {
            let mut rows = Rows::new(BufReader::with_capacity(capacity, text.as_bytes()), 20);
            let mut all = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                let text = match row {
                    Row::Held => {
                        rows.fields().iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(";")
                    }
                    Row::TooLong(bytes) => format!("too long: {bytes}"),
                };
                all.push(format!("{}: {text}", rows.lines()));
            }
            assert_eq!(all, expected, "{capacity} at a time");
            assert_eq!(rows.consumed(), text.len() as u64);
        }
    }

    #[test]
    fn splits_rows_and_fields() {
        check("", &[]);
        check("a,b\nc,d\r\n\n,e", &["1: a;b", "1: c;d", "1: ", "1: ;e"]);
        check("\"a,\"\"b\"\"\nc\",d\ne\n", &["2: a,\"b\"\nc;d", "1: e"]);
        check("a\"b,c\"\nd\n", &["1: a\"b;c\"", "1: d"]);
    }

    #[test]
    fn long_rows_are_passed_over() {
        check("01234567890123456789\nx", &["1: 01234567890123456789", "1: x"]);
        check("012345678901234567890\nx", &["1: too long: 21", "1: x"]);
        check("\"012345678901\n345678901234567890\"\nx", &["2: too long: 33", "1: x"]);
        check("a,\"never closed\nb,c\nd,e\nf,g\n", &["5: too long: 28"]);
    }
}
