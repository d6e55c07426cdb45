//! The consumer group: who owns which partition, and the stream that tells a member.
//!
//! A partition moves in two steps: its owner is told, finishes and releases it; then the next owner
//! is told. An owner that is thrown out is told that it has lost everything, when it asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::log::{Log, at};
use crate::ports::failure::Failure;
use crate::ports::source::{Arrival, Record, Source};

#[derive(Debug)]
pub(super) struct Group {
    partitions: i32,
    members: BTreeMap<String, Member>,
    owners: BTreeMap<i32, String>,
    /// Counts how often a partition was given to somebody: what was decided under an earlier
    /// assignment must not count, although the owner may be the same.
    assignments: BTreeMap<i32, u64>,
}

#[derive(Debug, Default)]
struct Member {
    /// Told to release, and not done yet.
    releasing: BTreeSet<i32>,
    /// Taken away without asking.
    lost: BTreeSet<i32>,
}

impl Group {
    pub(super) const fn new(partitions: i32) -> Self {
        Self { partitions, members: BTreeMap::new(), owners: BTreeMap::new(), assignments: BTreeMap::new() }
    }

    /// Which assignment a partition is under.
    pub(super) fn assignment(&self, partition: i32) -> u64 {
        self.assignments.get(&partition).copied().unwrap_or(0)
    }

    pub(super) fn owns(&self, member: &str, partition: i32) -> bool {
        self.owners.get(&partition).is_some_and(|owner| owner == member)
    }

    /// Whose partition it is to become: ranges, in the order of the members' names.
    fn target(&self, partition: i32) -> Option<&String> {
        let members = i32::try_from(self.members.len()).ok().filter(|members| *members > 0)?;
        let share = self.partitions.div_euclid(members) + i32::from(self.partitions % members != 0);
        self.members.keys().nth(usize::try_from(partition / share).ok()?)
    }
}

impl Log {
    /// Joins the group; partitions move as their owners release them.
    #[must_use]
    pub fn join(&self, member: &str) -> EmbeddedSource {
        self.lock().group.members.entry(member.to_owned()).or_default();
        EmbeddedSource {
            log: self.clone(),
            member: member.to_owned(),
            reading: BTreeMap::new(),
            paused: false,
        }
    }

    /// Leaves the group without a word, as a process that dies: what it owned is free at once.
    pub fn leave(&self, member: &str) {
        let group = &mut self.lock().group;
        group.members.remove(member);
        group.owners.retain(|_, owner| owner != member);
    }

    /// Throws a member out, as a broker does with one that was silent for too long. It may join
    /// again, and learns of it when it polls.
    pub fn evict(&self, member: &str) {
        let group = &mut self.lock().group;
        let owned =
            group.owners.iter().filter(|(_, owner)| *owner == member).map(|(partition, _)| *partition);
        let owned: BTreeSet<_> = owned.collect();
        group.owners.retain(|_, owner| owner != member);
        if let Some(member) = group.members.get_mut(member) {
            member.releasing.clear();
            member.lost.extend(owned);
        }
    }
}

/// One member's stream.
#[derive(Debug)]
pub struct EmbeddedSource {
    log: Log,
    member: String,
    /// Where each started partition reads on.
    reading: BTreeMap<i32, i64>,
    paused: bool,
}

impl EmbeddedSource {
    /// What the group has to say to this member.
    fn news(&mut self) -> Option<Arrival<'static>> {
        let mut inside = self.log.lock();
        let group = &mut inside.group;
        let partitions = 0..group.partitions;
        let lost = std::mem::take(&mut group.members.get_mut(&self.member)?.lost);
        if !lost.is_empty() {
            self.reading.retain(|partition, _| !lost.contains(partition));
            return Some(Arrival::Lost(lost.into_iter().collect()));
        }
        let mine = |partition: &i32| group.target(*partition) == Some(&self.member);
        let leaving =
            partitions.clone().filter(|partition| group.owns(&self.member, *partition) && !mine(partition));
        let leaving: BTreeSet<_> = leaving.collect();
        let coming = partitions.filter(|partition| mine(partition) && !group.owners.contains_key(partition));
        let coming: Vec<_> = coming.collect();
        let member = group.members.get_mut(&self.member)?;
        let told: Vec<_> = leaving.difference(&member.releasing).copied().collect();
        if !told.is_empty() {
            member.releasing.extend(&told);
            self.reading.retain(|partition, _| !told.contains(partition));
            return Some(Arrival::Revoked(told));
        }
        for partition in &coming {
            group.owners.insert(*partition, self.member.clone());
            *group.assignments.entry(*partition).or_default() += 1;
        }
        (!coming.is_empty()).then_some(Arrival::Assigned(coming))
    }
}

impl Source for EmbeddedSource {
    /// Waits for nothing: there is nobody to wait for in one process.
    fn poll(&mut self, _wait: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure> {
        while let Some(news) = self.news() {
            if !visit(news) {
                return Ok(());
            }
        }
        if self.paused {
            return Ok(());
        }
        for (partition, next) in &mut self.reading {
            let records: Vec<_> = match at(&self.log.lock().input, *partition) {
                Some(found) => found.from(*next).take(FETCH_RECORDS).cloned().collect(),
                None => continue,
            };
            for stored in records {
                let record = Record {
                    partition: *partition,
                    offset: stored.offset,
                    recorded_at: stored.recorded_at,
                    key: stored.key.as_deref(),
                    value: stored.value.as_deref(),
                    headers: &[],
                };
                *next = stored.offset + 1;
                if !visit(Arrival::Record(record)) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Failure> {
        if !self.log.lock().group.owns(&self.member, partition) {
            // It was lost meanwhile, which the next poll says.
            return Ok(());
        }
        let range = self.log.input_range(partition);
        if !(range.start..=range.end).contains(&offset) {
            return Err(Failure::Fatal(format!(
                "offset {offset} of input partition {partition} is not there, only {} to {}",
                range.start, range.end
            )));
        }
        self.reading.insert(partition, offset);
        Ok(())
    }

    fn hold(&mut self, partition: i32) -> Result<(), Failure> {
        self.reading.remove(&partition);
        Ok(())
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        let group = &mut self.log.lock().group;
        for partition in partitions {
            self.reading.remove(partition);
            if group.owns(&self.member, *partition) {
                group.owners.remove(partition);
            }
            if let Some(member) = group.members.get_mut(&self.member) {
                member.releasing.remove(partition);
            }
        }
        Ok(())
    }

    fn pause(&mut self, paused: bool) -> Result<(), Failure> {
        self.paused = paused;
        Ok(())
    }
}

/// Records of a partition handed over before the next one's turn.
const FETCH_RECORDS: usize = 500;
