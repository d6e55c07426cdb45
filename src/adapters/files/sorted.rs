//! Records in the order of their time, however many: runs sorted in memory, laid on a disk, merged.
//!
//! *Ordering*: by time; records of the same time in the order in which they came. *Failure*: a disk
//! that is full ends it; the folder of the runs is removed when this is dropped. It is readable by its
//! owner only: what lies in it is what the log says of people.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{DirBuilder, File};
use std::io::{BufReader, BufWriter, Error, ErrorKind, Read as _, Result, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    run_bytes: usize,
    bytes: Vec<u8>,
    /// Time, and where the record ends in `bytes`.
    records: Vec<(i64, usize)>,
    runs: Vec<PathBuf>,
}

impl Sorter {
    /// Runs are laid into a new folder inside of `beside`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(beside: &Path, name: &str, run_bytes: usize) -> Result<Self> {
        let folder = beside.join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder, run_bytes, bytes: Vec::new(), records: Vec::new(), runs: Vec::new() })
    }

    /// Takes a record.
    ///
    /// # Errors
    /// When a run cannot be laid down.
    pub fn push(&mut self, at: i64, record: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(record);
        self.records.push((at, self.bytes.len()));
        if self.bytes.len() + self.records.len() * size_of::<(i64, usize)>() < self.run_bytes {
            return Ok(());
        }
        self.spill()
    }

    /// Hands out every record, the earliest first.
    ///
    /// # Errors
    /// What `each` says, and when a run cannot be read again.
    pub fn merge<E: From<Error>>(
        mut self,
        mut each: impl FnMut(&[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        self.spill()?;
        let mut runs = Vec::new();
        let mut next = BinaryHeap::new();
        for (number, path) in self.runs.iter().enumerate() {
            let mut run = Run { from: BufReader::new(File::open(path)?), record: Vec::new() };
            if let Some(at) = run.next()? {
                next.push(Reverse((at, number)));
            }
            runs.push(run);
        }
        while let Some(Reverse((_, number))) = next.pop() {
            let Some(run) = runs.get_mut(number) else { continue };
            each(&run.record)?;
            if let Some(at) = run.next()? {
                next.push(Reverse((at, number)));
            }
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        if self.runs.len() >= RUNS_MAX {
            return Err(Error::other(format!("more than {RUNS_MAX} runs; sort less at once")));
        }
        let mut start = 0;
        let mut order: Vec<_> =
            self.records.iter().map(|(at, end)| (*at, std::mem::replace(&mut start, *end)..*end)).collect();
        // Stable: those of one time stay as they came.
        order.sort_by_key(|(at, _)| *at);
        let path = self.folder.join(format!("{:05}", self.runs.len()));
        let mut file = BufWriter::new(File::create_new(&path)?);
        for (at, range) in order {
            let record = self.bytes.get(range).unwrap_or_default();
            let length =
                u32::try_from(record.len()).map_err(|_range| Error::from(ErrorKind::InvalidInput))?;
            file.write_all(&at.to_le_bytes())?;
            file.write_all(&length.to_le_bytes())?;
            file.write_all(record)?;
        }
        file.flush()?;
        self.runs.push(path);
        self.bytes.clear();
        self.records.clear();
        Ok(())
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        // Nothing can be done about a folder that does not go; its name says what it was.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

struct Run {
    from: BufReader<File>,
    record: Vec<u8>,
}

impl Run {
    fn next(&mut self) -> Result<Option<i64>> {
        let mut at = [0; 8];
        match self.from.read_exact(&mut at) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        self.record.clear();
        let length = u64::from(u32::from_le_bytes(length));
        let read = (&mut self.from).take(length).read_to_end(&mut self.record)?;
        if read as u64 == length {
            Ok(Some(i64::from_le_bytes(at)))
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }
}

/// Each is an open file while they are merged.
const RUNS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(run_bytes: usize, records: &[(i64, &str)], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path(), "runs", run_bytes).unwrap();
        for (at, record) in records {
            sorter.push(*at, record.as_bytes()).unwrap();
        }
        let mut came_out = Vec::new();
        sorter
            .merge(|record| {
                came_out.extend_from_slice(record);
                Ok::<_, Error>(())
            })
            .unwrap();
        assert_eq!(String::from_utf8(came_out).unwrap(), expected, "runs of {run_bytes} bytes");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the runs are removed");
    }

    #[test]
    fn the_earliest_first_and_ties_as_they_came() {
        for run_bytes in [1, 40, 1 << 20] {
            check(
                run_bytes,
                &[(3, "c"), (1, "a"), (2, "b1"), (-5, "early"), (2, "b2"), (2, "")],
                "earlyab1b2c",
            );
            check(run_bytes, &[], "");
        }
    }
}
