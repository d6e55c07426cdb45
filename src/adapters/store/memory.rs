//! The store in memory: for the demo, the simulator and tests. It can lose its power.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::reading::Reading;
use super::record::{self, Rewriter};
use super::value;
use crate::ports::store::{Batch, Checkpoint, CountHeld, Found, Parts, StateStore, StoreError};

/// Loses everything with its process; until then as durable as [`StateStore::flush`] says.
#[derive(Debug)]
pub struct MemoryStore {
    inside: Mutex<Inside>,
    count_held: CountHeld,
    /// As many go in at once, where somebody asks for pieces.
    piece_users: usize,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { inside: Mutex::default(), count_held: |_, _| None, piece_users: usize::MAX }
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
    users: BTreeMap<Box<[u8]>, Vec<u8>>,
    checkpoint: Checkpoint,
    clean: Option<Vec<u8>>,
    reading: Option<Reading>,
}

impl MemoryStore {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that remembers what was flushed, for [`MemoryStore::lose_power`], and whose pieces are as small as
    /// they get.
    #[must_use]
    pub fn with_power_to_lose() -> Self {
        let inside = Inside { durable: Some(BTreeMap::new()), ..Inside::default() };
        Self { inside: Mutex::new(inside), piece_users: 1, ..Self::default() }
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

    /// Damages what is kept of `user`, or takes it away.
    pub fn damage(&self, partition: i32, user: &[u8], take_away: bool) -> bool {
        let mut inside = self.lock();
        let Some(partition) = inside.partitions.get_mut(&partition) else { return false };
        if take_away {
            return partition.users.remove(user).is_some();
        }
        let Some(last) = partition.users.get_mut(user).and_then(|value| value.last_mut()) else {
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

    /// Writes so many users of the batch, from its part number `from` on; returns where the next begins.
    fn put(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
        users: usize,
    ) -> Result<(usize, Checkpoint), StoreError> {
        let mut inside = self.lock();
        let found = inside.partitions.entry(partition).or_default();
        let (mut next, mut to) = (found.checkpoint, from);
        let mut rewriter = Rewriter::default();
        for (user, changes) in batch.users_from(from).take(users) {
            let stored = found.users.get(user).map(Vec::as_slice);
            let made = rewriter.rewrite(user, stored, changes, self.count_held, &mut next);
            let made = made.map_err(|what| StoreError::Damaged { partition, what })?;
            if let Some(reading) = &mut found.reading {
                reading.changed(user, made.old, made.new);
            }
            match made.stored {
                Some(stored) => drop(found.users.insert(user.into(), stored.to_vec())),
                None => drop(found.users.remove(user)),
            }
            to += changes.len();
        }
        next.batch += 1;
        next.place = batch.place.filter(|_| to >= batch.parts.len()).or(next.place);
        found.checkpoint = next;
        found.clean = None;
        Ok((to, next))
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

    fn get(&self, partition: i32, user: &[u8], out: &mut Parts) -> Result<(), StoreError> {
        out.clear();
        let inside = self.lock();
        let Some(stored) = inside.partitions.get(&partition).and_then(|found| found.users.get(user)) else {
            return Ok(());
        };
        record::read(user, stored, out).map(drop).map_err(|what| StoreError::Damaged { partition, what })
    }

    fn apply_batch(&self, partition: i32, batch: &Batch) -> Result<Checkpoint, StoreError> {
        self.put(partition, batch, 0, usize::MAX).map(|(_, checkpoint)| checkpoint)
    }

    fn apply_some(
        &self,
        partition: i32,
        batch: &Batch,
        from: usize,
    ) -> Result<(usize, Checkpoint), StoreError> {
        self.put(partition, batch, from, self.piece_users)
    }

    fn scan(
        &self,
        partition: i32,
        after: Option<&[u8]>,
        limit: usize,
        visit: &mut dyn FnMut(&[u8], &Parts),
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let inside = self.lock();
        let Some(found) = inside.partitions.get(&partition) else { return Ok(None) };
        let (mut last, mut parts) = (None, Parts::default());
        let rest =
            found.users.iter().skip_while(|(user, _)| after.is_some_and(|after| user.as_ref() <= after));
        for (read, (user, stored)) in rest.enumerate() {
            if read == limit {
                return Ok(last);
            }
            record::read(user, stored, &mut parts).map_err(|what| StoreError::Damaged { partition, what })?;
            visit(user, &parts);
            last = Some(user.to_vec());
        }
        Ok(None)
    }

    fn verify(&self, partition: i32, visit: &mut dyn FnMut(&[u8])) -> Result<Checkpoint, StoreError> {
        let inside = self.lock();
        let Some(found) = inside.partitions.get(&partition) else { return Ok(Checkpoint::default()) };
        let (mut users, mut sum) = (0, 0u64);
        for (user, stored) in &found.users {
            let check =
                record::sound(user, stored).map_err(|what| StoreError::Damaged { partition, what })?;
            users += 1;
            sum = sum.wrapping_add(check);
            visit(user);
        }
        value::compare(partition, users, sum, found.checkpoint)
    }

    fn verify_some(&self, partition: i32, limit: usize) -> Result<bool, StoreError> {
        let mut inside = self.lock();
        let Some(found) = inside.partitions.get_mut(&partition) else { return Ok(true) };
        let mut reading = found.reading.take().unwrap_or_default();
        let after = reading.after().map(<[u8]>::to_vec);
        let rest = found
            .users
            .iter()
            .skip_while(|(user, _)| after.as_ref().is_some_and(|after| user.as_ref() <= after.as_slice()));
        let mut read = 0;
        for (user, stored) in rest.take(limit) {
            let check =
                record::sound(user, stored).map_err(|what| StoreError::Damaged { partition, what })?;
            reading.read(user, check);
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
        let users = inside.partitions.values().flat_map(|found| &found.users);
        let bytes: usize = users.map(|(user, stored)| user.len() + stored.len()).sum();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
