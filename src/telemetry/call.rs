//! The call to the broker that a thread is in, so that whoever finds that it hangs can say where.

use std::sync::{Arc, Mutex, PoisonError};

/// One thread's, or of two that take turns: said by whoever makes the call, read by the watch.
#[derive(Clone, Debug, Default)]
pub struct Call(Arc<Mutex<Option<&'static str>>>);

impl Call {
    /// Makes the call, which has this name until it comes back.
    pub fn within<T>(&self, name: &'static str, call: impl FnOnce() -> T) -> T {
        self.note(Some(name));
        let outcome = call();
        self.note(None);
        outcome
    }

    /// `None` between two.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: Option<&'static str>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_name_while_it_lasts() {
        let call = Call::default();
        let watch = call.clone();
        assert_eq!(watch.name(), None);
        assert_eq!(call.within("commit_transaction", || watch.name()), Some("commit_transaction"));
        assert_eq!(watch.name(), None);
    }
}
