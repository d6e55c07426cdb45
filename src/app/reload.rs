//! Reads policies and tables again when their files change, on a thread of its own.
//!
//! A file that changed is read once it stands still: a half-written one may be a policy, too. What
//! cannot be used leaves what was read before in force, and says so in the log, in a metric and in
//! `/ready`, until it can. SIGHUP looks at once.

#![expect(clippy::disallowed_methods, reason = "the edge reads files and waits")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::tables;
use crate::cli::Failure;
use crate::config::Settings;
use crate::engine::policy::Policy;
use crate::model::id::Digest;
use crate::ports::tables::Atlas;
use crate::runtime::footing::{Current, Footing};
use crate::runtime::status::{Concern, Status};
use crate::runtime::stop::{Request, Stop};
use crate::telemetry::Happened;

/// What was read, and the files that it was read from.
pub(super) struct Read<T> {
    pub(super) read: T,
    pub(super) files: BTreeSet<PathBuf>,
}

/// The live policy and its shadow.
pub(super) type Policies = (Arc<Policy>, Option<Arc<Policy>>);

/// # Errors
/// One message a mistake, of both policies, and the files that were looked at.
pub(super) fn policies(settings: &Settings) -> Result<Read<Policies>, Read<Vec<String>>> {
    let files = RefCell::new(BTreeSet::new());
    let mut mistakes = Vec::new();
    let mut load = |name: &str| {
        let policy = Policy::load(name, &|path| {
            // One that is not there, too: it may come.
            files.borrow_mut().insert(path.to_owned());
            super::read_text(path)
        });
        policy.map(Arc::new).map_err(|found| mistakes.extend(found.iter().map(ToString::to_string))).ok()
    };
    let policy = load(&settings.policy.file);
    let shadow = settings.policy.shadow.as_deref().map(load);
    let files = files.into_inner();
    match (policy, shadow) {
        (Some(policy), None) => Ok(Read { read: (policy, None), files }),
        (Some(policy), Some(Some(shadow))) => Ok(Read { read: (policy, Some(shadow)), files }),
        _ => Err(Read { read: mistakes, files }),
    }
}

/// The files in use, as they are now.
pub(super) struct Files {
    policy: Watched,
    tables: Watched,
}

impl Files {
    pub(super) fn new(settings: &Settings, policy: &BTreeSet<PathBuf>) -> Self {
        let tables = &settings.tables;
        let tables = [&tables.geo, &tables.asn, &tables.networks].into_iter().flatten().cloned().collect();
        Self { policy: Watched::new(policy), tables: Watched::new(&tables) }
    }
}

/// Starts the thread that looks. It ends with the process.
///
/// # Errors
/// When it cannot be started.
pub(super) fn begin(
    settings: &Settings,
    watched: Files,
    current: Current,
    status: Status,
    look: Request,
    stop: Stop,
) -> Result<(), Failure> {
    let Files { policy, tables } = watched;
    let mut reload = Reload { settings: settings.clone(), policy, tables, current, status };
    let run = move || {
        let mut looked = Instant::now();
        while !stop.is_set() {
            std::thread::sleep(PAUSE);
            if look.take() || looked.elapsed() >= reload.settings.policy.look_interval {
                looked = Instant::now();
                reload.look();
            }
        }
    };
    let started = std::thread::Builder::new().name("reload".into()).spawn(run);
    started.map(drop).map_err(|error| Failure::Internal(format!("thread reload: {error}")))
}

/// Reads the tables with the least priority: a database of a hundred megabytes is read and summed up on a core
/// that a lane may want. On a thread of its own, since niceness cannot be taken back, and who is nice must not
/// hold what lanes wait for. On Linux it is the thread's alone; elsewhere it would be the process's.
fn read_giving_way(settings: &Settings) -> Result<Arc<dyn Atlas>, Vec<String>> {
    let read = || {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::setpriority_process(None, LEAST_PRIORITY) {
            tracing::debug!(%error, "tables are read with the priority of everything else");
        }
        tables(settings)
    };
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().name("tables".into()).spawn_scoped(scope, read);
        let read = reading.map_err(|error| vec![format!("thread tables: {error}")])?;
        read.join().unwrap_or_else(|_panic| Err(vec!["reading the tables panicked; please report it".into()]))
    })
}

struct Reload {
    settings: Settings,
    policy: Watched,
    tables: Watched,
    current: Current,
    status: Status,
}

impl Reload {
    fn look(&mut self) {
        if self.policy.has_changed() {
            self.read_policies();
        }
        if self.tables.has_changed() {
            self.read_tables();
        }
        self.current.sweep();
    }

    fn read_policies(&mut self) {
        let began = Instant::now();
        let (read, files) = match policies(&self.settings) {
            Ok(Read { read, files }) => (Ok(read), files),
            Err(Read { read, files }) => (Err(read), files),
        };
        self.policy.follow(files);
        match read {
            Ok((policy, shadow)) => {
                let now = self.current.get();
                let digest = |policy: &Option<Arc<Policy>>| policy.as_ref().map(|policy| policy.digest);
                if policy.digest != now.policy.digest || digest(&shadow) != digest(&now.shadow) {
                    let digest = policy.digest;
                    self.current.replace(Footing { policy, shadow, tables: Arc::clone(&now.tables) });
                    told("policy", digest, began);
                }
                self.status.concern(Concern::Policy, None);
            }
            Err(mistakes) => self.refused("policy", Concern::Policy, &mistakes),
        }
    }

    fn read_tables(&mut self) {
        let began = Instant::now();
        match read_giving_way(&self.settings) {
            Ok(tables) => {
                let now = self.current.get();
                let digest = tables.digest();
                if digest != now.tables.digest() {
                    let (policy, shadow) = (Arc::clone(&now.policy), now.shadow.clone());
                    self.current.replace(Footing { policy, shadow, tables });
                    told("tables", digest, began);
                }
                self.status.concern(Concern::Tables, None);
                self.status.tables(super::observe::table_files(&self.settings));
            }
            Err(mistakes) => self.refused("tables", Concern::Tables, &mistakes),
        }
    }

    fn refused(&self, what: &'static str, concern: Concern, mistakes: &[String]) {
        let why = mistakes.iter().take(MISTAKES_SAID).cloned().collect::<Vec<_>>().join("; ");
        Happened::NotReloaded { what, why: &why }.emit();
        self.status.concern(concern, Some(why));
    }
}

fn told(what: &'static str, digest: Digest, began: Instant) {
    let digest = format!("sha256:{digest}");
    Happened::Reloaded { what, digest: &digest, took: began.elapsed() }.emit();
}

/// Files that belong together.
struct Watched {
    /// As they were when they were read.
    files: BTreeMap<PathBuf, Option<Stamp>>,
}

/// What changes when a file is written or replaced. `None`: there is none.
type Stamp = (SystemTime, u64, u64);

impl Watched {
    fn new(files: &BTreeSet<PathBuf>) -> Self {
        Self { files: stamps(files) }
    }

    /// Whether any has changed, once they stand still. What comes after that is another change.
    fn has_changed(&mut self) -> bool {
        let names: BTreeSet<_> = self.files.keys().cloned().collect();
        let mut now = stamps(&names);
        if now == self.files {
            return false;
        }
        for _ in 0..SETTLE_TRIES {
            std::thread::sleep(SETTLE);
            let then = std::mem::replace(&mut now, stamps(&names));
            if then == now {
                break;
            }
        }
        self.files = now;
        true
    }

    /// Watches `files` from now on, those that are new as they are now.
    fn follow(&mut self, files: BTreeSet<PathBuf>) {
        let known = |path: &PathBuf| self.files.get(path).copied();
        self.files = files
            .into_iter()
            .map(|path| {
                let stamp = known(&path).unwrap_or_else(|| stamp(&path));
                (path, stamp)
            })
            .collect();
    }
}

fn stamps(files: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, Option<Stamp>> {
    files.iter().map(|path| (path.clone(), stamp(path))).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

const PAUSE: Duration = Duration::from_millis(100);
/// The niceness that asks for the least.
#[cfg(target_os = "linux")]
const LEAST_PRIORITY: i32 = 19;
/// How long a file must not change before it is read.
const SETTLE: Duration = Duration::from_millis(250);
/// A file that is written to for ever is read all the same.
const SETTLE_TRIES: u32 = 20;
/// A log line and an answer of `/ready` are not a page.
const MISTAKES_SAID: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_or_replaced_has_changed_and_what_stands_has_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let mut watched = Watched::new(&[path.clone()].into());
        assert!(!watched.has_changed(), "it is still not there");
        std::fs::write(&path, "a").unwrap();
        assert!(watched.has_changed());
        assert!(!watched.has_changed());
        // The same length and, on a coarse clock, the same time: another file all the same.
        let other = folder.path().join("b.toml");
        std::fs::write(&other, "b").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(watched.has_changed());
        std::fs::remove_file(&path).unwrap();
        assert!(watched.has_changed());
    }

    #[test]
    fn a_policy_is_read_from_its_files_and_from_those_that_may_come() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        std::fs::write(&path, "version = 1\nextends = 'default'\n").unwrap();
        let mut settings = Settings::default();
        settings.policy.file = path.display().to_string();
        settings.policy.shadow = Some("seed".into());
        let read = policies(&settings).map_err(|read| read.read).unwrap();
        // Both that it leads to are shipped, and would be taken from beside it.
        let beside = ["default.toml", "seed.toml"].map(|name| folder.path().join(name));
        assert_eq!(read.files, beside.into_iter().chain([path.clone()]).collect());
        assert_eq!(read.read.1.unwrap().name, "seed");

        std::fs::write(&path, "version = 2\n").unwrap();
        let broken = policies(&settings).map(|_| ()).map_err(|read| read.read.len());
        assert!(broken.is_err_and(|mistakes| mistakes > 0));
    }
}
