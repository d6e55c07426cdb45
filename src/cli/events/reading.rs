//! The loops over a file of events, one a format: each record once, in order, and no more than one
//! of them in memory.

use std::fmt::Write as _;
use std::io::{BufReader, Read};

use super::{Ended, Take};
use crate::adapters::files::lines::{Line, Lines};
use crate::adapters::files::rows::{Row, Rows};
use crate::cli::Failure;
use crate::engine::decode::{self, FileError, Format, Limits, Records, Rejected, limit};
use crate::model::Reject;

/// A file of events, and who takes its records.
#[derive(Debug)]
pub(super) struct Reading<'r, T> {
    /// Of the input, for messages.
    pub(super) name: &'r str,
    pub(super) limits: &'r Limits,
    pub(super) taker: &'r mut T,
}

impl<T: Take> Reading<'_, T> {
    /// Counts the lines that a record takes up, and those that hold none; returns the first's number.
    fn count_lines(&mut self, lines: u64) -> u64 {
        let count = self.taker.lines();
        let first = count.saturating_add(1);
        *count = count.saturating_add(lines);
        first
    }

    pub(super) fn json_lines(&mut self, from: BufReader<impl Read>) -> Result<(), Ended> {
        let mut lines = Lines::new(from, limit::EVENT_BYTES_MAX);
        let mut id = String::new();
        let mut mark = BYTE_ORDER_MARK;
        loop {
            if !lines.is_at_hand() {
                self.taker.before_waiting(lines.consumed())?;
            }
            let Some(line) = lines.next().map_err(|error| self.unreadable(&error.to_string()))? else {
                break;
            };
            let number = self.count_lines(1);
            name(&mut id, number);
            match line {
                Line::Held(text) => {
                    let text = text.strip_prefix(mark).unwrap_or(text);
                    if !text.iter().all(u8::is_ascii_whitespace) {
                        let decoded = decode::decode(text, Format::Json, &id, None, self.limits);
                        self.taker.take(number, decoded)?;
                    }
                }
                Line::TooLong(bytes) => self.taker.take(number, Err(too_large("line", bytes)))?,
            }
            mark = &[];
        }
        Ok(())
    }

    /// The first row names the fields.
    pub(super) fn csv(&mut self, from: BufReader<impl Read>) -> Result<(), Ended> {
        let mut rows = Rows::new(from, limit::EVENT_BYTES_MAX);
        let unreadable = |this: &Self, error: std::io::Error| this.unreadable(&error.to_string());
        let header = match rows.next().map_err(|error| unreadable(self, error))? {
            None => return Ok(()),
            Some(Row::TooLong(bytes)) => {
                return Err(
                    self.unreadable(&format!("a header of {bytes} bytes; expected the fields' names"))
                );
            }
            Some(Row::Held) => header(rows.fields()).map_err(|what| self.unreadable(&what))?,
        };
        // A file in two parts has two headers; in one, one.
        if *self.taker.lines() == 0 {
            self.count_lines(rows.lines());
        }
        let mut id = String::new();
        loop {
            if !rows.is_at_hand() {
                self.taker.before_waiting(rows.consumed())?;
            }
            let Some(row) = rows.next().map_err(|error| unreadable(self, error))? else { break };
            let number = self.count_lines(rows.lines());
            name(&mut id, number);
            match row {
                Row::Held if rows.fields().is_empty() => {}
                Row::Held => {
                    let decoded = fields(&header, rows.fields())
                        .and_then(|fields| decode::from_fields(fields, &id, None, self.limits));
                    self.taker.take(number, decoded)?;
                }
                Row::TooLong(bytes) => self.taker.take(number, Err(too_large("row", bytes)))?,
            }
        }
        Ok(())
    }

    /// A container file; a record counts as a line.
    pub(super) fn avro(&mut self, from: BufReader<impl Read>) -> Result<(), Ended> {
        let mut records = Records::open(from).map_err(|error| self.unreadable(&error.to_string()))?;
        let mut id = String::new();
        loop {
            let number = *self.taker.lines() + 1;
            name(&mut id, number);
            match records.next(&id, self.limits) {
                Ok(None) => return Ok(()),
                Ok(Some(decoded)) => {
                    self.count_lines(1);
                    self.taker.take(number, decoded)?;
                }
                Err(error @ (FileError::Header(_) | FileError::Damaged { .. })) => {
                    self.taker.flush()?;
                    let what = format!("record {number}: {error}; what came before it was taken");
                    return Err(self.unreadable(&what));
                }
            }
        }
    }

    fn unreadable(&self, what: &str) -> Ended {
        let Self { name, .. } = self;
        Ended::Failed(Failure::input(format!(
            "{name}: {what}; name a file of events, or `-` for standard input"
        )))
    }
}

/// The id of an event whose producer gave it none.
fn name(id: &mut String, line: u64) {
    id.clear();
    // Writing into a string cannot fail.
    let _written = write!(id, "line:{line}");
}

fn header(names: &csv::ByteRecord) -> Result<Vec<String>, String> {
    let mut header = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let name = if column == 0 { name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name) } else { name };
        let name = std::str::from_utf8(name)
            .map_err(|_bytes| format!("column {} of the header is no UTF-8", column + 1))?;
        let name = name.trim();
        if header.iter().any(|known| known == name) {
            return Err(format!("the header names `{name}` twice; expected each field once"));
        }
        header.push(name.to_owned());
    }
    let missing: Vec<_> =
        NEEDED.iter().filter(|needed| !header.iter().any(|name| name == *needed)).copied().collect();
    if missing.is_empty() {
        return Ok(header);
    }
    Err(format!(
        "the header lacks `{}`; expected the JSON names of the fields in the first row",
        missing.join("`, `")
    ))
}

/// The cells of a row with their names.
fn fields<'a>(
    header: &'a [String],
    row: &'a csv::ByteRecord,
) -> Result<impl Iterator<Item = (&'a str, &'a str)>, Rejected> {
    let malformed = |detail| Rejected { reason: Reject::Malformed, detail };
    if row.len() != header.len() {
        return Err(malformed(format!("{} cells, expected {} as in the header", row.len(), header.len())));
    }
    if let Some(column) = row.iter().position(|cell| std::str::from_utf8(cell).is_err()) {
        return Err(malformed(format!("the cell in column {} is no UTF-8", column + 1)));
    }
    let cells = row.iter().map(|cell| std::str::from_utf8(cell).unwrap_or_default());
    Ok(header.iter().map(String::as_str).zip(cells))
}

fn too_large(what: &str, bytes: u64) -> Rejected {
    let detail = format!("a {what} of {bytes} bytes, at most {} are taken", limit::EVENT_BYTES_MAX);
    Rejected { reason: Reject::TooLarge, detail }
}

/// What no event can do without.
const NEEDED: [&str; 3] = ["user_id", "type", "occurred_at"];
/// Some editors put it before the first line.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
