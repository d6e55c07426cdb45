//! The facts of network lanes in this process: a table for all workers, kept up by one thread.
//!
//! Every process reads all of them, without a group: whoever decides a user's event may need what any
//! network lane tells. A worker looks at one state of the table for a handful of records, and waits for
//! nobody: what is new is told as another table.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use crate::engine::across::Table;
use crate::engine::emit;

/// The table in force, shared by all threads of the process.
#[derive(Clone, Debug, Default)]
pub struct Facts(Arc<Mutex<Arc<Table>>>);

impl Facts {
    #[must_use]
    pub fn now(&self) -> Arc<Table> {
        // One assignment under the lock: a panic elsewhere leaves nothing half-made.
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this one.
    pub fn replace(&self, table: Table) {
        let table = Arc::new(table);
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), table);
        // Outside of the lock: a worker may still hold it, else it is freed here.
        drop(before);
    }
}

/// Takes a record of `risk.networks`; one without a value ends what was told.
pub fn take(table: &mut Table, key: &[u8], value: Option<&[u8]>) {
    let told = value.map(emit::network_read).transpose().unwrap_or_else(|why| {
        warn!(key = %String::from_utf8_lossy(key), why, "facts that cannot be read: nothing is known there");
        None
    });
    if !table.put(key, told) {
        warn!(key = %String::from_utf8_lossy(key), "facts of something that is no origin");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::across::Told;
    use crate::model::across::OriginFacts;
    use crate::model::time::Timestamp;

    #[test]
    fn what_is_told_is_there_until_it_ends_or_cannot_be_read() {
        let facts = Facts::default();
        let told =
            Told { facts: OriginFacts { failed: 30, ..OriginFacts::default() }, until: Timestamp::MAX };
        let mut value = Vec::new();
        emit::network_avro(&told, &mut value);
        let mut table = Table::default();
        for (key, value, expected) in [
            (&b"acme/net:81.2.69.0/24"[..], Some(&value[..]), 1),
            (b"acme/dev:00000000000000ab", Some(&value), 2),
            (b"acme/ada", Some(&value), 2),
            (b"acme/dev:00000000000000ab", None, 1),
            (b"acme/net:81.2.69.0/24", Some(&value[..9]), 0),
        ] {
            take(&mut table, key, value);
            assert_eq!(table.len(), expected, "{}", String::from_utf8_lossy(key));
        }
        take(&mut table, b"acme/net:81.2.69.0/24", Some(&value));
        let before = facts.now();
        facts.replace(table);
        assert_eq!((before.len(), facts.now().len()), (0, 1));
    }
}
