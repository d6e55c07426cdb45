//! The store on disk, over sled 0.34.
//!
//! *Layout*: one tree a partition, so that a partition is dropped whole, and in it one value a user; a batch
//! covers one tree, so the checkpoint lives in it. *Durability*: nothing is flushed behind our back. *Failure*: sled may
//! panic on a damaged file, at open or at any read; every call is caught, and a folder that does not
//! open is put aside as `quarantine-<time>` and begun anew: it is a copy, and what it held comes back
//! from the changelog. *Metrics*: the caller's.

mod writing;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::reading::Reading;
use super::record::{self, Rewriter};
use super::value::{self, CHECKPOINT_KEY, CHUNK_BYTES, CLEAN_KEY, FILTER_PREFIX, FORMAT, FORMAT_KEY, OWN};
use crate::ports::store::{Batch, Checkpoint, CountHeld, Found, Parts, StateStore, StoreError};

/// A folder with one sled database; shared by all workers of a process.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    folder: PathBuf,
    count_held: CountHeld,
    trees: Mutex<Trees>,
}

#[derive(Debug, Default)]
struct Trees {
    held: BTreeMap<i32, Arc<Held>>,
    /// Partitions that were dropped so far.
    dropped: u64,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    pub store: SledStore,
    /// Where the folder went that did not open, and why.
    pub quarantined: Option<(PathBuf, String)>,
}

#[derive(Debug)]
struct Held {
    tree: sled::Tree,
    /// Held while a batch is written or the store is verified: both change or compare the sums.
    sums: Mutex<Sums>,
}

#[derive(Debug)]
struct Sums {
    checkpoint: Checkpoint,
    /// The background's, if it is under way.
    reading: Option<Reading>,
}

impl Held {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SledStore {
    /// Opens (or makes) the store in `folder`. One that does not open is put aside under a name that
    /// ends in `now`, and an empty one is made.
    ///
    /// # Errors
    /// Unusable: another process has it, or the disk refuses.
    pub fn open(folder: &Path, cache_bytes: u64, now: &str) -> Result<Opened, StoreError> {
        let live = folder.join(LIVE);
        let sick = folder.join(SICK);
        std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error.to_string()))?;
        let told = std::fs::read_to_string(&sick).ok();
        let first = match &told {
            Some(why) => Err(why.clone()),
            None => open_db(&live, cache_bytes),
        };
        let why = match first {
            Ok(db) => return Ok(Opened { store: Self::over(db, folder), quarantined: None }),
            Err(why) if why.contains(LOCKED) => {
                return Err(unusable(folder, "another process uses it; give each its own --state"));
            }
            Err(why) => why,
        };
        let aside = folder.join(format!("quarantine-{now}"));
        if live.exists() {
            std::fs::rename(&live, &aside)
                .map_err(|error| unusable(folder, &format!("{why}, and {error}")))?;
        }
        if told.is_some() {
            std::fs::remove_file(&sick).map_err(|error| unusable(folder, &error.to_string()))?;
        }
        let db = open_db(&live, cache_bytes)
            .map_err(|again| unusable(folder, &format!("{why}, and then {again}")))?;
        Ok(Opened { store: Self::over(db, folder), quarantined: Some((aside, why)) })
    }

    /// Whether a store is in this folder.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(LIVE).is_dir()
    }

    /// Shows what is kept of `user`, in whatever partition, with the partition. Nothing of the store is
    /// changed: its sign of a clean stop stays.
    ///
    /// # Errors
    /// Unusable: there is none, another process has it, or the disk refuses. Damaged.
    pub fn look(folder: &Path, user: &[u8], visit: &mut dyn FnMut(i32, &Parts)) -> Result<(), StoreError> {
        if !Self::is_in(folder) || folder.join(SICK).exists() {
            return Err(unusable(folder, "there is no store, or one that is put aside at the next start"));
        }
        let db = open_db(&folder.join(LIVE), LOOK_CACHE_BYTES).map_err(|why| match why.contains(LOCKED) {
            true => unusable(folder, "another process uses it"),
            false => unusable(folder, &why),
        })?;
        let mut parts = Parts::default();
        for name in db.tree_names() {
            let number =
                name.strip_prefix(b"p").and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            let Some(partition) = number else { continue };
            let Some(stored) = guarded(partition, || db.open_tree(&name)?.get(user))? else { continue };
            record::read(user, &stored, &mut parts).map_err(|what| damaged(partition, what))?;
            visit(partition, &parts);
        }
        Ok(())
    }

    fn over(db: sled::Db, folder: &Path) -> Self {
        Self { db, folder: folder.to_owned(), count_held: |_, _| None, trees: Mutex::default() }
    }

    /// Has held observations counted from the first batch on; without, none are.
    #[must_use]
    pub fn counting(mut self, count_held: CountHeld) -> Self {
        self.count_held = count_held;
        self
    }

    fn trees(&self) -> MutexGuard<'_, Trees> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree of a partition, made if it is not there.
    fn held(&self, partition: i32) -> Result<Arc<Held>, StoreError> {
        loop {
            let dropped = {
                let trees = self.trees();
                if let Some(held) = trees.held.get(&partition) {
                    return Ok(Arc::clone(held));
                }
                trees.dropped
            };
            let tree = guarded(partition, || self.db.open_tree(name(partition)))?;
            let checkpoint = read_checkpoint(partition, &tree)?;
            let held = Arc::new(Held { tree, sums: Mutex::new(Sums { checkpoint, reading: None }) });
            let mut trees = self.trees();
            // What was opened before a drop may be what was dropped: kept, it would be written to for ever,
            // and nothing of it would be found again.
            if trees.dropped == dropped {
                return Ok(Arc::clone(trees.held.entry(partition).or_insert(held)));
            }
        }
    }

    /// Shows `visit` what is stored of every user after `after`.
    fn walk(
        &self,
        partition: i32,
        tree: &sled::Tree,
        after: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let from = after.map_or_else(|| vec![OWN + 1], |after| [after, &[0]].concat());
        let walked = guarded(partition, || {
            for entry in tree.range(from..) {
                let (key, stored) = entry?;
                match visit(&key, &stored) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(what) => return Ok(Err(what)),
                }
            }
            Ok(Ok(()))
        })?;
        walked.map_err(|what| damaged(partition, what))
    }

    /// Leaves word for the next start that this folder cannot be trusted.
    fn leave_word(&self, why: &str) {
        if let Err(error) = std::fs::write(self.folder.join(SICK), why) {
            tracing::warn!(folder = %self.folder.display(), %error, "store: no word could be left of its damage");
        }
    }
}

impl StateStore for SledStore {
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError> {
        let known = guarded(partition, || Ok(self.db.tree_names()))?;
        if !known.iter().any(|known| known.as_ref() == name(partition)) {
            return Ok(None);
        }
        // Read again what is on the disk, whatever was held before.
        self.trees().held.remove(&partition);
        let held = self.held(partition)?;
        let checkpoint = held.sums().checkpoint;
        let filter = guarded(partition, || {
            let Some(clean) = held.tree.remove(CLEAN_KEY)? else { return Ok(None) };
            let mut filter = Vec::new();
            for chunk in held.tree.scan_prefix(FILTER_PREFIX) {
                filter.extend_from_slice(&chunk?.1);
            }
            self.db.flush()?;
            let whole = clean.as_ref() == blake3::hash(&filter).as_bytes();
            Ok(whole.then_some(filter))
        })?;
        Ok(Some(Found { checkpoint, filter }))
    }

    fn get(&self, partition: i32, user: &[u8], out: &mut Parts) -> Result<(), StoreError> {
        out.clear();
        let held = self.held(partition)?;
        let Some(stored) = guarded(partition, || held.tree.get(user))? else { return Ok(()) };
        record::read(user, &stored, out).map(drop).map_err(|what| damaged(partition, what))
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        let (mut from, mut rewriter) = (0, Rewriter::default());
        loop {
            let (next, checkpoint) = self.put(partition, batch, from, &mut rewriter)?;
            if next >= batch.parts.len() {
                return Ok(checkpoint);
            }
            from = next;
        }
    }

    fn apply_some(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
    ) -> Result<(usize, Checkpoint), StoreError> {
        self.put(partition, batch, from, &mut Rewriter::default())
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &Parts),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.held(partition)?;
        let (mut last, mut read, mut more) = (None, 0, false);
        let mut parts = Parts::default();
        self.walk(partition, &held.tree, after, &mut |user, stored| {
            if read == limit {
                more = true;
                return Ok(false);
            }
            record::read(user, stored, &mut parts)?;
            visit(user, &parts);
            read += 1;
            last = Some(user.to_vec());
            Ok(true)
        })?;
        Ok(last.filter(|_| more))
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        let held = self.held(partition)?;
        let sums = held.sums();
        let (mut users, mut sum) = (0, 0u64);
        self.walk(partition, &held.tree, None, &mut |user, stored| {
            sum = sum.wrapping_add(record::sound(user, stored)?);
            users += 1;
            visit(user);
            Ok(true)
        })?;
        value::compare(partition, users, sum, sums.checkpoint)
    }

    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError> {
        let held = self.held(partition)?;
        let mut sums = held.sums();
        let mut reading = sums.reading.take().unwrap_or_default();
        let (mut read, after) = (0, reading.after().map(<[u8]>::to_vec));
        self.walk(partition, &held.tree, after.as_deref(), &mut |user, stored| {
            if read == limit {
                return Ok(false);
            }
            reading.read(user, record::sound(user, stored)?);
            read += 1;
            Ok(true)
        })?;
        if read < limit {
            return reading.end(partition, sums.checkpoint).map(|_| true);
        }
        sums.reading = Some(reading);
        Ok(false)
    }

    fn flush(&self) -> Result<(), StoreError> {
        caught(|| self.db.flush()).map(drop).map_err(StoreError::Unusable)
    }

    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError> {
        let held = self.held(partition)?;
        let mut writes = sled::Batch::default();
        let old = guarded(partition, || {
            held.tree.scan_prefix(FILTER_PREFIX).keys().collect::<Result<Vec<_>, _>>()
        })?;
        old.into_iter().for_each(|key| writes.remove(key));
        for (number, chunk) in filter.chunks(CHUNK_BYTES).enumerate() {
            // Ten digits: in the order of the keys.
            let key = [FILTER_PREFIX, format!("{number:010}").as_bytes()].concat();
            writes.insert(key, chunk);
        }
        writes.insert(CLEAN_KEY, blake3::hash(filter).as_bytes());
        guarded(partition, || held.tree.apply_batch(writes))?;
        self.flush()
    }

    fn drop_partition(&self, partition: i32) -> Result<(), StoreError> {
        let dropped = caught(|| self.db.drop_tree(name(partition)).and_then(|_| self.db.flush()));
        // Only now: whoever looks meanwhile would open it again.
        {
            let mut trees = self.trees();
            trees.held.remove(&partition);
            trees.dropped += 1;
        }
        dropped.map(drop).map_err(|why| {
            // The tree cannot be dropped from inside; at the next start the folder goes as a whole.
            self.leave_word(&why);
            StoreError::Unusable(format!("partition {partition} cannot be dropped: {why}; start again"))
        })
    }

    fn size(&self) -> u64 {
        caught(|| self.db.size_on_disk()).unwrap_or(0)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        if let Err(why) = caught(|| self.db.flush()) {
            tracing::warn!(why, "store: the last flush failed; the next start replays from the changelog");
        }
    }
}

/// Waits for a short while for whoever has it: a process that is ending, or a child that was started at the
/// moment and holds its parent's lock until it is another program.
#[expect(clippy::disallowed_methods, reason = "nothing tells when a lock of a file is given back")]
fn open_db(path: &Path, cache_bytes: u64) -> Result<sled::Db, String> {
    let mut tries = LOCK_TRIES;
    loop {
        match open_now(path, cache_bytes) {
            Err(why) if why.contains(LOCKED) && tries > 0 => tries -= 1,
            opened => return opened,
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

/// On a thread of its own: a panic while it opens must not take a worker with it.
fn open_now(path: &Path, cache_bytes: u64) -> Result<sled::Db, String> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
    let opening = std::thread::Builder::new().name("store-open".into()).spawn(move || config.open());
    match opening.map_err(|error| error.to_string())?.join() {
        Ok(opened) => opened.map_err(|error| error.to_string()),
        Err(panic) => Err(panic_text(panic.as_ref())),
    }
}

fn read_checkpoint(partition: i32, tree: &sled::Tree) -> Result<Checkpoint, StoreError> {
    let found =
        guarded(partition, || Ok((tree.get(FORMAT_KEY)?, tree.get(CHECKPOINT_KEY)?, tree.is_empty())))?;
    match found {
        (None, None, true) => Ok(Checkpoint::default()),
        (Some(format), Some(stored), _) if format.as_ref() == FORMAT => {
            value::decode(&stored).ok_or_else(|| damaged(partition, "its checkpoint cannot be read".into()))
        }
        (Some(format), ..) if format.as_ref() != FORMAT => Err(damaged(
            partition,
            format!(
                "its format is `{}`, this version writes `{}`",
                String::from_utf8_lossy(&format),
                String::from_utf8_lossy(FORMAT)
            ),
        )),
        _ => Err(damaged(partition, "it holds parts and no checkpoint".into())),
    }
}

/// Looks at a user and their stored form; `false` ends the walk, an error says what is damaged.
type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<bool, String> + 'v;

fn guarded<T>(partition: i32, work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    caught(work).map_err(|what| damaged(partition, what))
}

fn caught<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(panic) => Err(panic_text(panic.as_ref())),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    format!("sled panicked: {}", text.chars().take(300).collect::<String>())
}

fn damaged(partition: i32, what: String) -> StoreError {
    StoreError::Damaged { partition, what }
}

fn unusable(folder: &Path, why: &str) -> StoreError {
    StoreError::Unusable(format!("`{}`: {why}", folder.display()))
}

fn name(partition: i32) -> Vec<u8> {
    format!("p{partition}").into_bytes()
}

/// One user is looked at.
const LOOK_CACHE_BYTES: u64 = 16 << 20;
const LIVE: &str = "profiles";
/// A file that says that the folder is damaged although it opens.
const SICK: &str = "damaged";
/// sled's own words when another process holds the file.
const LOCKED: &str = "could not acquire lock";
/// A second in all.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
