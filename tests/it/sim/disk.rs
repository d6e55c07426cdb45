//! A store on a disk that can refuse, rot, and lie.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use wardstream::adapters::store::MemoryStore;
use wardstream::pipeline::filter::Filter;
use wardstream::pipeline::wire::held_in;
use wardstream::ports::store::{Batch, Checkpoint, Found, Parts, StateStore, StoreError};

/// A store on a disk that can refuse, and lie.
#[derive(Debug)]
pub struct Disk {
    pub inside: MemoryStore,
    pub refuses: AtomicBool,
    pub lies: AtomicBool,
    /// The users of each copy that is kept here, for whoever takes it over.
    pub known: Mutex<BTreeMap<i32, Filter>>,
}

impl Disk {
    pub fn new() -> Self {
        Self {
            inside: MemoryStore::with_power_to_lose().counting(held_in),
            refuses: AtomicBool::new(false),
            lies: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }

    fn ask(&self) -> Result<&MemoryStore, StoreError> {
        if self.refuses.swap(false, Ordering::Relaxed) {
            return Err(StoreError::Unusable("disk full".into()));
        }
        Ok(&self.inside)
    }
}

impl StateStore for Disk {
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError> {
        self.ask()?.open(partition)
    }

    fn get(&self, partition: i32, user: &[u8], out: &mut Parts) -> Result<(), StoreError> {
        self.ask()?.get(partition, user, out)
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        if let Some(known) = self.known.lock().unwrap().get_mut(&partition) {
            known.add_batch(batch);
        }
        self.ask()?.apply_batch(partition, batch)
    }

    fn apply_some(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
    ) -> Result<(usize, Checkpoint), StoreError> {
        self.ask()?.apply_some(partition, batch, from)
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &Parts),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask()?.scan(partition, after, limit, visit)
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        if self.lies.load(Ordering::Relaxed) {
            let checkpoint = self.inside.checkpoint(partition).unwrap_or_default();
            self.inside.scan(partition, None, usize::MAX, &mut |key, _| visit(key))?;
            return Ok(checkpoint);
        }
        self.ask()?.verify(partition, visit)
    }

    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError> {
        if self.lies.load(Ordering::Relaxed) {
            return Ok(true);
        }
        self.ask()?.verify_some(partition, limit)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.ask()?.flush()
    }

    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError> {
        self.ask()?.close(partition, filter)
    }

    fn drop_partition(&self, partition: i32) -> Result<(), StoreError> {
        self.ask()?.drop_partition(partition)
    }

    fn size(&self) -> u64 {
        self.inside.size()
    }
}
