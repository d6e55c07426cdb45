//! Events of files, in any form that `ward score` reads (JSON lines, CSV, Avro), and of topics.

mod reading;
mod topic;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use reading::Reading;
pub(crate) use topic::TopicEvents;

use super::Failure;
use crate::engine::decode::{Decoded, Limits, Rejected};

/// What takes the records of a file.
pub(crate) trait Take {
    /// The count of lines so far, those of earlier parts of the file included.
    fn lines(&mut self) -> &mut u64;

    /// Takes the next record, which began in `line`.
    fn take(&mut self, line: u64, decoded: Result<Decoded<'_>, Rejected>) -> Result<(), Ended>;

    /// `consumed` bytes are read, and the next ones may be long in coming.
    fn before_waiting(&mut self, consumed: u64) -> Result<(), Ended>;

    /// Nothing more comes.
    fn flush(&mut self) -> Result<(), Ended>;
}

/// Why reading ended before the file did.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nobody reads standard output any more.
    Unread,
    Failed(Failure),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FileFormat {
    Jsonl,
    Csv,
    Avro,
}

/// A file of events, or standard input.
pub(crate) struct Input {
    name: String,
    from: BufReader<Box<dyn Read>>,
    pub(crate) length: Option<u64>,
    by_name: Option<FileFormat>,
}

impl Input {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        if path.as_os_str() == "-" {
            return Ok(Self {
                name: "-".into(),
                from: buffered(Box::new(std::io::stdin().lock())),
                length: None,
                by_name: None,
            });
        }
        let unreadable = |what: &str| {
            format!("{}: {what}; name a file of events, or `-` for standard input", path.display())
        };
        let file = File::open(path).map_err(|error| unreadable(&error.to_string()))?;
        let metadata = file.metadata().map_err(|error| unreadable(&error.to_string()))?;
        if metadata.is_dir() {
            return Err(unreadable("it is a folder"));
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        let by_name = match ending.as_deref() {
            Some("jsonl" | "ndjson" | "json") => Some(FileFormat::Jsonl),
            Some("csv") => Some(FileFormat::Csv),
            Some("avro") => Some(FileFormat::Avro),
            _ => None,
        };
        let length = metadata.is_file().then_some(metadata.len());
        Ok(Self { name: path.display().to_string(), from: buffered(Box::new(file)), length, by_name })
    }

    /// The first bytes of it, which are not consumed.
    pub(crate) fn start(&mut self) -> &[u8] {
        self.from.fill_buf().unwrap_or_default()
    }

    /// Hands every record to `taker`, in order.
    pub(crate) fn read<T: Take>(
        mut self,
        format: Option<FileFormat>,
        limits: &Limits,
        taker: &mut T,
    ) -> Result<(), Ended> {
        let format = match format.or(self.by_name) {
            Some(format) => format,
            // What fails here fails again below, and is told there.
            None if self.from.fill_buf().is_ok_and(|start| start.starts_with(AVRO_MAGIC)) => FileFormat::Avro,
            None => FileFormat::Jsonl,
        };
        let mut reading = Reading { name: &self.name, limits, taker };
        match format {
            FileFormat::Jsonl => reading.json_lines(self.from)?,
            FileFormat::Csv => reading.csv(self.from)?,
            // An empty file has no header, and no records either.
            FileFormat::Avro if self.from.fill_buf().is_ok_and(<[u8]>::is_empty) => {}
            FileFormat::Avro => reading.avro(self.from)?,
        }
        reading.taker.flush()
    }
}

fn buffered(from: Box<dyn Read>) -> BufReader<Box<dyn Read>> {
    BufReader::with_capacity(BUFFER_BYTES, from)
}

const AVRO_MAGIC: &[u8] = b"Obj\x01";
const BUFFER_BYTES: usize = 256 * 1024;
