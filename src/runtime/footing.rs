//! What decisions rest on, swapped while they are being made: policies and tables.
//!
//! Whoever reads files makes a new [`Footing`] and hands it to [`Current`]; a worker takes it between
//! two units, so that every decision of a transaction rests on one. The old one is given back to whoever
//! made it: freeing a database takes long, and a worker must not be the one that does it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::policy::Policy;
use crate::engine::step::{Lifetime, Setting};
use crate::model::decision::Basis;
use crate::ports::tables::Atlas;

/// What every decision of a unit rests on.
#[derive(Clone, Debug)]
pub struct Footing {
    pub policy: Arc<Policy>,
    /// Judged beside it; teaches nothing.
    pub shadow: Option<Arc<Policy>>,
    /// To be travelled as well: canaries need places that these very tables know.
    pub tables: Arc<dyn Atlas>,
}

impl Footing {
    #[must_use]
    pub fn setting<'s>(&'s self, lifetime: &'s Lifetime) -> Setting<'s> {
        let basis = Basis {
            policy: self.policy.digest,
            engine: lifetime.engine(),
            tables: self.tables.digest(),
            model: None,
        };
        Setting { policy: &self.policy, shadow: self.shadow.as_deref(), basis, lifetime }
    }
}

/// The footing in force, shared by all threads of the process.
#[derive(Clone, Debug)]
pub struct Current {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Counts the changes: looking costs a load.
    number: AtomicU64,
    now: Mutex<State>,
}

#[derive(Debug)]
struct State {
    footing: Arc<Footing>,
    /// What was in force before, kept until nobody uses it.
    retired: Vec<Arc<Footing>>,
}

/// A worker's own look at the footing.
#[derive(Debug)]
pub struct Held {
    current: Current,
    number: u64,
    footing: Arc<Footing>,
}

impl Current {
    #[must_use]
    pub fn new(footing: Footing) -> Self {
        let state = State { footing: Arc::new(footing), retired: Vec::new() };
        Self { inner: Arc::new(Inner { number: AtomicU64::new(0), now: Mutex::new(state) }) }
    }

    #[must_use]
    pub fn get(&self) -> Arc<Footing> {
        Arc::clone(&self.lock().footing)
    }

    /// Puts another footing in force. Whoever is in the middle of a unit ends it on the old one.
    pub fn replace(&self, footing: Footing) {
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.footing, Arc::new(footing));
        state.retired.push(old);
        // After the footing: whoever sees the number finds at least this one.
        self.inner.number.fetch_add(1, Ordering::Release);
    }

    /// Frees what nobody uses any more. For the thread that reads files.
    pub fn sweep(&self) {
        let mut state = self.lock();
        let (used, unused) =
            std::mem::take(&mut state.retired).into_iter().partition(|old| Arc::strong_count(old) > 1);
        state.retired = used;
        drop(state);
        let unused: Vec<Arc<Footing>> = unused;
        drop(unused);
    }

    #[must_use]
    pub fn hold(&self) -> Held {
        let number = self.inner.number.load(Ordering::Acquire);
        Held { current: self.clone(), number, footing: self.get() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Takes over what is in force now, if it has changed. Between two units only.
    pub fn renew(&mut self) -> bool {
        let number = self.current.inner.number.load(Ordering::Acquire);
        if number == self.number {
            return false;
        }
        self.footing = self.current.get();
        self.number = number;
        true
    }

    #[must_use]
    pub fn footing(&self) -> Arc<Footing> {
        Arc::clone(&self.footing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::tables::NoTables;

    fn footing(policy: &str) -> Footing {
        let policy = Arc::new(Policy::shipped(policy).unwrap());
        Footing { policy, shadow: None, tables: Arc::new(NoTables) }
    }

    #[test]
    fn a_worker_takes_a_new_footing_when_it_says_so() {
        let current = Current::new(footing("seed"));
        let mut held = current.hold();
        assert!(!held.renew());
        current.replace(footing("default"));
        assert_eq!(held.footing().policy.name, "seed");
        assert!(held.renew());
        assert_eq!(held.footing().policy.name, "default");
        assert!(!held.renew());
    }

    #[test]
    fn what_is_used_is_not_swept() {
        let current = Current::new(footing("seed"));
        let held = current.hold();
        let old = Arc::downgrade(&held.footing());
        current.replace(footing("default"));
        current.sweep();
        assert!(old.upgrade().is_some());
        drop(held);
        assert!(old.upgrade().is_some(), "a worker that lets go frees nothing");
        current.sweep();
        assert!(old.upgrade().is_none());
    }
}
