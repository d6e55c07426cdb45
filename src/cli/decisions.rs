//! Published decisions from files: the lines of `ward score`, or Avro container files of
//! `schemas/decision.avsc`, one after the other.
//!
//! A line of `ward score` may also say that a record was rejected or a duplicate.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::adapters::files::lines::{Line, Lines};
use crate::engine::avro::Blocks;
use crate::engine::emit::{Form, Recorded, RecordedLines, Stored};

/// What stands in one line, or one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Of a record that gave no decision.
    Refused,
    Decision(Box<Recorded>),
}

/// An entry where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'f> {
    pub(crate) entry: &'f Entry,
    pub(crate) bytes: &'f [u8],
    pub(crate) form: Form,
    /// Of its file.
    pub(crate) line: u64,
}

/// The entries of files, in order; the next one can be looked at before it is taken.
pub(crate) struct Decisions {
    waiting: VecDeque<PathBuf>,
    file: PathBuf,
    from: Option<From>,
    line: u64,
    bytes: Vec<u8>,
    form: Form,
    entry: Option<Entry>,
    reading: RecordedLines,
}

enum From {
    Lines(Lines<File>),
    Container(Box<Blocks<BufReader<File>>>),
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions")
            .field("file", &self.file)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Decisions {
    pub(crate) fn open(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            waiting: files.into_iter().collect(),
            file: PathBuf::new(),
            from: None,
            line: 0,
            bytes: Vec::new(),
            form: Form::Json,
            entry: None,
            reading: RecordedLines::default(),
        }
    }

    /// The next entry, which stays the next one; `None` at the end of the last file.
    ///
    /// # Errors
    /// What cannot be read, and where it stands.
    pub(crate) fn peek(&mut self) -> Result<Option<Found<'_>>, Failure> {
        while self.entry.is_none() {
            if self.from.is_none() {
                let Some(file) = self.waiting.pop_front() else { return Ok(None) };
                self.from = Some(begin(&file)?);
                (self.file, self.line) = (file, 0);
            }
            self.fill()?;
        }
        let Self { entry, bytes, form, line, .. } = self;
        Ok(entry.as_ref().map(|entry| Found { entry, bytes, form: *form, line: *line }))
    }

    /// Takes the entry that was looked at.
    pub(crate) fn advance(&mut self) {
        self.entry = None;
    }

    /// Reads on: to the next entry, over a blank line, or to the end of the file.
    fn fill(&mut self) -> Result<(), Failure> {
        let Self { file, from, line, bytes, form, entry, reading, .. } = self;
        let failed = |line: u64, what: &str| {
            let place = file.display();
            Failure::input(format!(
                "{place}:{line}: {what}; expected what `ward score` wrote, or an Avro file of decisions"
            ))
        };
        match from {
            None => {}
            Some(From::Lines(lines)) => match lines.next() {
                Err(error) => return Err(failed(*line + 1, &error.to_string())),
                Ok(None) => *from = None,
                Ok(Some(Line::TooLong(found))) => {
                    return Err(failed(
                        *line + 1,
                        &format!("a line of {found} bytes, at most {BYTES_MAX} are taken"),
                    ));
                }
                Ok(Some(Line::Held(text))) => {
                    *line += 1;
                    if text.iter().all(u8::is_ascii_whitespace) {
                        return Ok(());
                    }
                    bytes.clear();
                    bytes.extend_from_slice(text);
                    *form = Form::Json;
                    *entry = Some(if is_refusal(bytes) {
                        Entry::Refused
                    } else {
                        let recorded = reading.read(bytes).map_err(|what| failed(*line, &what))?;
                        Entry::Decision(Box::new(recorded))
                    });
                }
            },
            Some(From::Container(blocks)) => {
                bytes.clear();
                let next = blocks.next(Datum(bytes));
                match next.map_err(|error| failed(*line + 1, &error.to_string()))? {
                    None => *from = None,
                    Some(()) => {
                        *line += 1;
                        *form = Form::Avro;
                        let recorded = Recorded::from_avro(bytes).map_err(|what| failed(*line, &what))?;
                        *entry = Some(Entry::Decision(Box::new(recorded)));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads a decision of any schema and appends it as this version writes it.
struct Datum<'o>(&'o mut Vec<u8>);

impl<'de> serde::de::DeserializeSeed<'de> for Datum<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let stored = <Stored<'de> as serde::Deserialize>::deserialize(from)?;
        stored.to_avro(self.0).map_err(serde::de::Error::custom)
    }
}

/// Whether the first bytes of a file are those of decisions; otherwise it is taken for events.
pub(crate) fn are_decisions(start: &[u8]) -> bool {
    if start.starts_with(AVRO_MAGIC) {
        return start.windows(DECISION_FIELD.len()).any(|found| found == DECISION_FIELD);
    }
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let mut lines = start.split(|byte| *byte == b'\n');
    let Some(first) = lines.find(|line| !line.iter().all(u8::is_ascii_whitespace)) else { return false };
    is_refusal(first) || {
        #[derive(serde::Deserialize)]
        struct Only {
            #[serde(rename = "decision_id")]
            _id: serde::de::IgnoredAny,
        }
        serde_json::from_slice::<Only>(first).is_ok()
    }
}

/// A line of `ward score` for a record that gave no decision.
fn is_refusal(line: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Only {
        #[serde(rename = "line")]
        _line: serde::de::IgnoredAny,
        rejected: Option<serde::de::IgnoredAny>,
        duplicate: Option<serde::de::IgnoredAny>,
    }
    // A decision begins with its id; only what does not is looked at.
    !line.starts_with(b"{\"decision_id\"")
        && serde_json::from_slice::<Only>(line)
            .is_ok_and(|only| only.rejected.is_some() || only.duplicate.is_some())
}

fn begin(path: &Path) -> Result<From, Failure> {
    let failed = |what: &str| Failure::input(format!("{}: {what}; name a file of decisions", path.display()));
    let open = || File::open(path).map_err(|error| failed(&error.to_string()));
    let mut magic = [0; 4];
    let is_container = open()?.read(&mut magic).is_ok_and(|read| read == magic.len()) && magic == *AVRO_MAGIC;
    let from = BufReader::with_capacity(BUFFER_BYTES, open()?);
    if !is_container {
        return Ok(From::Lines(Lines::new(from, BYTES_MAX)));
    }
    let blocks = Blocks::open(from).map_err(|what| failed(&what))?;
    Ok(From::Container(Box::new(blocks)))
}

const AVRO_MAGIC: &[u8; 4] = b"Obj\x01";
const DECISION_FIELD: &[u8] = b"\"decision_id\"";
const BUFFER_BYTES: usize = 256 * 1024;
/// Ids of 256 bytes and some dozens of reasons stay far below it.
const BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &[u8], expected: bool) {
        assert_eq!(are_decisions(start), expected, "{}", String::from_utf8_lossy(start));
    }

    #[test]
    fn files_are_told_by_their_content() {
        check(b"", false);
        check(b"\n\n{\"decision_id\":\"ab\",\"event_id\":\"1\"}\n", true);
        check(b"{\"event_id\":\"1\",\"decision_id\":\"ab\"}", true);
        check(b"{\"event_id\":\"1\",\"user_id\":\"ada\",\"type\":\"login\"}", false);
        check(b"{\"rejected\":\"malformed\",\"line\":1,\"detail\":\"\"}\n{\"event_id\":1}", true);
        check(b"{\"duplicate\":true,\"line\":2,\"event_id\":\"1\"}", true);
        check(b"{\"rejected\":true,\"user_id\":\"ada\"}", false);
        check(b"user_id,type,occurred_at,decision_id\n", false);
        check(b"Obj\x01\x04\x16avro.schema..\"name\":\"decision_id\"", true);
        check(b"Obj\x01\x04\x16avro.schema..\"name\":\"event_id\"", false);
    }
}
