//! Which policies are published already, for all workers of a process.
//!
//! A worker whose transaction has the first decisions under a policy claims it and publishes it in
//! the same transaction; until that has ended no other worker does. What came of it is settled: a claim
//! whose transaction failed is anybody's again. Another process may publish the same policy at the same
//! time: the same record under the same key, of which compaction keeps one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::id::Digest;

#[derive(Clone, Debug, Default)]
pub struct Registry {
    inner: Arc<Mutex<BTreeMap<Digest, State>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Claimed,
    Published,
}

impl Registry {
    /// Of policies that are published.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = Digest>) -> Self {
        let known = known.into_iter().map(|policy| (policy, State::Published)).collect();
        Self { inner: Arc::new(Mutex::new(known)) }
    }

    /// Whether the caller is to publish `policy` now.
    #[must_use]
    pub fn claim(&self, policy: Digest) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !inner.contains_key(&policy);
        if free {
            inner.insert(policy, State::Claimed);
        }
        free
    }

    /// Ends a claim.
    pub fn settle(&self, policy: Digest, is_published: bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if is_published {
            inner.insert(policy, State::Published);
        } else if inner.get(&policy) == Some(&State::Claimed) {
            inner.remove(&policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_claims_until_it_is_settled() {
        let (known, other) = (Digest([1; 32]), Digest([2; 32]));
        let registry = Registry::new([known]);
        assert!(!registry.claim(known));
        assert!(registry.claim(other));
        assert!(!registry.claim(other), "on its way");
        registry.settle(other, false);
        assert!(registry.claim(other), "its transaction failed");
        registry.settle(other, true);
        assert!(!registry.claim(other));
        registry.settle(other, false);
        assert!(!registry.claim(other), "what is published stays so");
    }
}
