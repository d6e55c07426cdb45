//! What a file's lane keeps between runs, in one file of a folder: how far it came, and the profiles.
//!
//! *Failure*: written beside the old one, flushed and renamed over it, so a run that is stopped leaves
//! the state of the run before. Read with a checksum over everything: a damaged file is an error and
//! never another profile. One run at a time: the folder is locked.

use std::fs::{File, TryLockError};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::model::id::Digest;
use crate::ports::ledger::Mark;

/// How far a lane came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records so far, and the chain after the last decision.
    pub mark: Mark,
    /// Lines so far.
    pub lines: u64,
}

/// Stands where a profile's part does: what is kept of a network or a device, under its own key.
pub const ORIGIN: &str = "origin";

/// A part of a profile as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'b> {
    pub user: &'b [u8],
    pub part: &'b str,
    pub state: &'b [u8],
}

#[derive(Debug)]
pub struct Saved {
    folder: PathBuf,
    /// Held as long as this lives.
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: cannot be used ({error}); name a folder that this user may write", .path.display())]
    Unusable { path: PathBuf, error: std::io::Error },
    #[error("{}: another run is using this state; wait for its end, or name another folder", .0.display())]
    Locked(PathBuf),
    #[error(
        "{}: found {what}; expected the state of a run of `ward score`; remove the file to begin anew",
        .path.display()
    )]
    Damaged { path: PathBuf, what: String },
}

impl Saved {
    /// Makes the folder if it is missing, and takes it for this run.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let unusable = |error| Error::Unusable { path: folder.into(), error };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked(folder.into())),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Whether something was saved in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    /// Hands out what was saved without taking the folder: a run that saves meanwhile puts a new file in
    /// the place of this one.
    pub fn look(
        folder: &Path,
        each: impl FnMut(Entry<'_>) -> Result<(), String>,
    ) -> Result<Option<Progress>, Error> {
        load(folder, each)
    }

    /// Hands out what was saved; `None` when nothing was. What `each` took before an error is to be
    /// thrown away.
    pub fn load(&self, each: impl FnMut(Entry<'_>) -> Result<(), String>) -> Result<Option<Progress>, Error> {
        load(&self.folder, each)
    }

    /// Replaces what was saved. `fill` calls its argument once a part.
    pub fn save(
        &self,
        progress: Progress,
        fill: impl FnOnce(&mut dyn FnMut(Entry<'_>) -> std::io::Result<()>) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let (path, beside) = (self.folder.join(FILE), self.folder.join("lane.tmp"));
        let unusable = |error| Error::Unusable { path: self.folder.clone(), error };
        let write = || {
            let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&beside)?);
            let mut writer = Hashed { io: file, hasher: blake3::Hasher::new() };
            write_head(&mut writer, progress)?;
            fill(&mut |entry| write_entry(&mut writer, entry))?;
            writer.put(&[END])?;
            let checksum = *writer.hasher.finalize().as_bytes();
            writer.io.write_all(&checksum)?;
            let file = writer.io.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            std::fs::rename(&beside, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(unusable)
    }
}

fn load(
    folder: &Path,
    mut each: impl FnMut(Entry<'_>) -> Result<(), String>,
) -> Result<Option<Progress>, Error> {
    let path = folder.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::Unusable { path, error }),
    };
    let mut reader =
        Hashed { io: BufReader::with_capacity(BUFFER_BYTES, file), hasher: blake3::Hasher::new() };
    read(&mut reader, &mut each).map(Some).map_err(|what| Error::Damaged { path, what })
}

/// Whatever passes through is part of the checksum.
struct Hashed<T> {
    io: T,
    hasher: blake3::Hasher,
}

impl<W: Write> Hashed<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.hasher.update(bytes);
        self.io.write_all(bytes)
    }
}

impl<R: Read> Hashed<R> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        self.io.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => "a file that ends too early".into(),
            _ => error.to_string(),
        })?;
        self.hasher.update(bytes);
        Ok(())
    }
}

fn write_head(to: &mut Hashed<impl Write>, progress: Progress) -> std::io::Result<()> {
    to.put(MAGIC)?;
    to.put(&progress.mark.offset.to_le_bytes())?;
    to.put(&progress.mark.chain.0)?;
    to.put(&progress.lines.to_le_bytes())
}

fn write_entry(to: &mut Hashed<impl Write>, entry: Entry<'_>) -> std::io::Result<()> {
    to.put(&[ENTRY])?;
    for bytes in [entry.user, entry.part.as_bytes(), entry.state] {
        let length =
            u16::try_from(bytes.len()).map_err(|_long| std::io::Error::from(ErrorKind::InvalidInput))?;
        to.put(&length.to_le_bytes())?;
        to.put(bytes)?;
    }
    Ok(())
}

fn read(
    from: &mut Hashed<impl Read>,
    each: &mut impl FnMut(Entry<'_>) -> Result<(), String>,
) -> Result<Progress, String> {
    let magic: [u8; 8] = from.take()?;
    if magic != *MAGIC {
        return Err(match magic.strip_prefix(b"WARDLN") {
            Some(_) => "the state of a newer version of ward: use that one".into(),
            None => "something else".into(),
        });
    }
    let offset = i64::from_le_bytes(from.take()?);
    let chain = Digest(from.take()?);
    let lines = u64::from_le_bytes(from.take()?);
    if offset < 0 {
        return Err("a negative count of records".into());
    }
    let (mut user, mut part, mut state) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        match from.take::<1>()? {
            [ENTRY] => {}
            [END] => break,
            [other] => return Err(format!("a mark {other} where an entry begins")),
        }
        for bytes in [&mut user, &mut part, &mut state] {
            let length = u16::from_le_bytes(from.take()?);
            bytes.resize(length.into(), 0);
            from.fill(bytes)?;
        }
        let part = std::str::from_utf8(&part).map_err(|_bytes| "a part without a name".to_owned())?;
        each(Entry { user: &user, part, state: &state })?;
    }
    let expected = *from.hasher.finalize().as_bytes();
    if from.take::<32>()? != expected {
        return Err("a checksum that differs".into());
    }
    if from.io.read(&mut [0]).map_err(|error| error.to_string())? > 0 {
        return Err("bytes behind its end".into());
    }
    Ok(Progress { mark: Mark { offset, chain }, lines })
}

const FILE: &str = "lane";
/// With the version of the form.
const MAGIC: &[u8; 8] = b"WARDLN01";
const ENTRY: u8 = 1;
const END: u8 = 0;
const BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: Progress = Progress { mark: Mark { offset: 7, chain: Digest([9; 32]) }, lines: 8 };

    fn saved() -> (tempfile::TempDir, Saved) {
        let folder = tempfile::tempdir().unwrap();
        let saved = Saved::open(&folder.path().join("deep/state")).unwrap();
        (folder, saved)
    }

    fn fill(saved: &Saved) {
        let entry = |user, state| Entry { user, part: "core", state };
        saved
            .save(PROGRESS, |put| {
                put(entry(b"acme/ada", b"one"))?;
                put(entry(b"acme/bob\0\xff", b""))
            })
            .unwrap();
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_folder, saved) = saved();
        assert_eq!(saved.load(|_| Ok(())).unwrap(), None);
        fill(&saved);
        let mut seen = Vec::new();
        let progress = saved.load(|entry| {
            seen.push((entry.user.to_vec(), entry.part.to_owned(), entry.state.to_vec()));
            Ok(())
        });
        assert_eq!(progress.unwrap(), Some(PROGRESS));
        let expected = [(b"acme/ada".to_vec(), "one"), (b"acme/bob\0\xff".to_vec(), "")];
        assert_eq!(seen, expected.map(|(user, state)| (user, "core".to_owned(), state.as_bytes().to_vec())));
    }

    #[test]
    fn any_damage_is_seen() {
        let (_folder, saved) = saved();
        fill(&saved);
        let path = saved.folder.join(FILE);
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut changed = sound.clone();
            changed[at] ^= 4;
            std::fs::write(&path, &changed).unwrap();
            assert!(saved.load(|_| Ok(())).is_err(), "byte {at} changed");
            std::fs::write(&path, &sound[..at]).unwrap();
            assert!(saved.load(|_| Ok(())).is_err(), "cut at {at}");
        }
        std::fs::write(&path, [sound, vec![0]].concat()).unwrap();
        assert!(saved.load(|_| Ok(())).is_err(), "longer");
    }

    #[test]
    fn one_run_at_a_time() {
        let (_folder, saved) = saved();
        let again = Saved::open(&saved.folder);
        assert!(matches!(again, Err(Error::Locked(_))), "{again:?}");
        let folder = saved.folder.clone();
        drop(saved);
        assert!(Saved::open(&folder).is_ok());
    }

    #[test]
    fn a_run_that_fails_keeps_the_state_before() {
        let (_folder, saved) = saved();
        fill(&saved);
        let failed = saved.save(Progress::default(), |_| Err(ErrorKind::StorageFull.into()));
        assert!(failed.is_err());
        assert_eq!(saved.load(|_| Ok(())).unwrap(), Some(PROGRESS));
    }
}
