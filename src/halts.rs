//! Points at which a test stops the process: to kill it just there, or to wake it when others have
//! long gone on.
//!
//! Only where debug assertions are on; in a release build [`reach`] is nothing, and the option that
//! arms it is not there. Armed with a file, the first thread that comes to the point whose name stands
//! in the file takes the file away and stops the whole process by SIGSTOP. What follows (SIGKILL, or
//! SIGCONT a minute later) is the test's.

/// Where a process may stand when the power goes, each with the name that a test writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A transaction has begun, and nothing is in it.
    BeforeProduce,
    /// Everything is delivered; the offsets are not in it yet.
    AfterProduce,
    AfterOffsets,
    /// Committed, and nobody of this process knows yet.
    AfterCommit,
    BeforeCheckpoint,
    /// One partition's batch is applied, nothing is flushed.
    AmidCheckpoint,
    AfterCheckpoint,
    /// A partition is being taken over.
    AmidRestore,
    /// Partitions are to be given up, and the group waits to hear that they are.
    BeforeRelease,
}

impl Point {
    pub const ALL: [Self; 9] = [
        Self::BeforeProduce,
        Self::AfterProduce,
        Self::AfterOffsets,
        Self::AfterCommit,
        Self::BeforeCheckpoint,
        Self::AmidCheckpoint,
        Self::AfterCheckpoint,
        Self::AmidRestore,
        Self::BeforeRelease,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeProduce => "before-produce",
            Self::AfterProduce => "after-produce",
            Self::AfterOffsets => "after-offsets",
            Self::AfterCommit => "after-commit",
            Self::BeforeCheckpoint => "before-checkpoint",
            Self::AmidCheckpoint => "amid-checkpoint",
            Self::AfterCheckpoint => "after-checkpoint",
            Self::AmidRestore => "amid-restore",
            Self::BeforeRelease => "before-release",
        }
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::OnceLock;

    use super::Point;

    /// One a process, as its signals are: the points lie in threads that share nothing else.
    static FILE: OnceLock<PathBuf> = OnceLock::new();

    /// From now on `file` is looked at. A second call changes nothing.
    pub fn arm(file: PathBuf) {
        drop(FILE.set(file));
    }

    pub(crate) fn reach(point: Point) {
        let Some(file) = FILE.get() else { return };
        if !std::fs::read_to_string(file).is_ok_and(|named| named.trim() == point.name()) {
            return;
        }
        // Whoever takes the file away is the one that was meant.
        if std::fs::remove_file(file).is_ok() {
            tracing::warn!(point = point.name(), "stopping here, as a test asked");
            let stopped = Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status();
            tracing::warn!(point = point.name(), ?stopped, "woken");
        }
    }
}

#[cfg(debug_assertions)]
pub use armed::arm;
#[cfg(debug_assertions)]
pub(crate) use armed::reach;

/// Nothing, where nobody tests.
#[cfg(not(debug_assertions))]
pub(crate) const fn reach(_: Point) {}
