//! The store in memory: for the demo, the simulator and tests. It can lose its power.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::reading::Reading;
use super::value;
use crate::ports::store::{Batch, Checkpoint, CountHeld, Found, StateStore, StoreError};

/// Loses everything with its process; until then as durable as [`StateStore::flush`] says.
#[derive(Debug)]
pub struct MemoryStore {
    inside: Mutex<Inside>,
    count_held: CountHeld,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { inside: Mutex::default(), count_held: |_, _| 0 }
    }
}

#[derive(Debug, Default)]
struct Inside {
    partitions: BTreeMap<i32, Partition>,
    /// What would be left after a loss of power; kept only where somebody asked for it.
    durable: Option<BTreeMap<i32, Partition>>,
}

#[derive(Clone, Debug, Default)]
struct Partition {
    parts: BTreeMap<Box<[u8]>, Vec<u8>>,
    checkpoint: Checkpoint,
    clean: Option<Vec<u8>>,
    reading: Option<Reading>,
}

impl MemoryStore {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that remembers what was flushed, for [`MemoryStore::lose_power`].
    #[must_use]
    pub fn with_power_to_lose() -> Self {
        let inside = Inside { durable: Some(BTreeMap::new()), ..Inside::default() };
        Self { inside: Mutex::new(inside), ..Self::default() }
    }

    /// Has held observations counted from the first batch on; without, none are.
    #[must_use]
    pub fn counting(self, count_held: CountHeld) -> Self {
        Self { count_held, ..self }
    }

    /// Back to the last flush.
    pub fn lose_power(&self) {
        let mut inside = self.lock();
        if let Some(durable) = &inside.durable {
            inside.partitions = durable.clone();
        }
    }

    /// Damages the value of `key`, or takes it away.
    pub fn damage(&self, partition: i32, key: &[u8], take_away: bool) -> bool {
        let mut inside = self.lock();
        let Some(partition) = inside.partitions.get_mut(&partition) else { return false };
        if take_away {
            return partition.parts.remove(key).is_some();
        }
        let Some(last) = partition.parts.get_mut(key).and_then(|value| value.last_mut()) else {
            return false;
        };
        *last ^= 1;
        true
    }

    /// What a partition's checkpoint says, without opening it.
    #[must_use]
    pub fn checkpoint(&self, partition: i32) -> Option<Checkpoint> {
        self.lock().partitions.get(&partition).map(|found| found.checkpoint)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A panic elsewhere does not make a half-written batch: each is applied under one lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn sync(&mut self) {
        if let Some(durable) = &mut self.durable {
            durable.clone_from(&self.partitions);
        }
    }
}

impl StateStore for MemoryStore {
    fn open(&self, partition: i32) -> Result<Option<Found>, StoreError> {
        let mut inside = self.lock();
        let Some(found) = inside.partitions.get_mut(&partition) else { return Ok(None) };
        found.reading = None;
        let found = Found { checkpoint: found.checkpoint, filter: found.clean.take() };
        inside.sync();
        Ok(Some(found))
    }

    fn get(&self, partition: i32, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        let inside = self.lock();
        let stored = inside.partitions.get(&partition).and_then(|found| found.parts.get(key));
        let Some(stored) = stored else { return Ok(false) };
        let (value, _) =
            value::unwrap(key, stored).map_err(|what| StoreError::Damaged { partition, what })?;
        out.extend_from_slice(value);
        Ok(true)
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        let mut inside = self.lock();
        let found = inside.partitions.entry(partition).or_default();
        let mut next = found.checkpoint;
        next.batch += 1;
        next.place = batch.place.or(next.place);
        for (key, new) in &batch.parts {
            let mut old = None;
            if let Some(stored) = found.parts.remove(key) {
                let (value, check) =
                    value::unwrap(key, &stored).map_err(|what| StoreError::Damaged { partition, what })?;
                next.parts = next.parts.saturating_sub(1);
                next.sum = next.sum.wrapping_sub(check);
                next.held = next.held.saturating_sub((self.count_held)(key, value));
                old = Some(check);
            }
            let new = new.as_ref().map(|new| (value::check(key, new), new));
            if let Some(reading) = &mut found.reading {
                reading.changed(key, old, new.map(|(check, _)| check));
            }
            if let Some((check, new)) = new {
                found.parts.insert(key.clone(), value::wrap(next.batch, check, new));
                next.parts += 1;
                next.sum = next.sum.wrapping_add(check);
                next.held += (self.count_held)(key, new);
            }
        }
        found.checkpoint = next;
        found.clean = None;
        Ok(next)
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let inside = self.lock();
        let Some(found) = inside.partitions.get(&partition) else { return Ok(None) };
        let mut last = None;
        let rest = found.parts.iter().skip_while(|(key, _)| after.is_some_and(|after| key.as_ref() <= after));
        for (read, (key, stored)) in rest.enumerate() {
            if read == limit {
                return Ok(last);
            }
            let (value, _) =
                value::unwrap(key, stored).map_err(|what| StoreError::Damaged { partition, what })?;
            visit(key, value);
            last = Some(key.to_vec());
        }
        Ok(None)
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        let inside = self.lock();
        let Some(found) = inside.partitions.get(&partition) else { return Ok(Checkpoint::default()) };
        let (mut parts, mut sum) = (0, 0u64);
        for (key, stored) in &found.parts {
            let (_, check) =
                value::unwrap(key, stored).map_err(|what| StoreError::Damaged { partition, what })?;
            parts += 1;
            sum = sum.wrapping_add(check);
            visit(key);
        }
        value::compare(partition, parts, sum, found.checkpoint)
    }

    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError> {
        let mut inside = self.lock();
        let Some(found) = inside.partitions.get_mut(&partition) else { return Ok(true) };
        let mut reading = found.reading.take().unwrap_or_default();
        let after = reading.after().map(<[u8]>::to_vec);
        let rest = found
            .parts
            .iter()
            .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key.as_ref() <= after.as_slice()));
        let mut read = 0;
        for (key, stored) in rest.take(limit) {
            let (_, check) =
                value::unwrap(key, stored).map_err(|what| StoreError::Damaged { partition, what })?;
            reading.read(key, check);
            read += 1;
        }
        if read < limit {
            return reading.end(partition, found.checkpoint).map(|_| true);
        }
        found.reading = Some(reading);
        Ok(false)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.lock().sync();
        Ok(())
    }

    fn close(&self, partition: i32, filter: &[u8]) -> Result<(), StoreError> {
        let mut inside = self.lock();
        if let Some(found) = inside.partitions.get_mut(&partition) {
            found.clean = Some(filter.to_vec());
        }
        inside.sync();
        Ok(())
    }

    fn drop_partition(&self, partition: i32) -> Result<(), StoreError> {
        self.lock().partitions.remove(&partition);
        Ok(())
    }

    fn size(&self) -> u64 {
        let inside = self.lock();
        let parts = inside.partitions.values().flat_map(|found| &found.parts);
        let bytes: usize = parts.map(|(key, value)| key.len() + value.len()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
