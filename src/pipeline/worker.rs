//! A worker on one thread: polls, offers, and carries out what dispatch hands out, over the ports.
//!
//! The demo and the simulator run this. The Kafka runtime commits on a thread of its own beside it,
//! so that lanes go on deciding meanwhile; the order of things is dispatch's in both.

use std::sync::Arc;
use std::time::Duration;

use super::dispatch::{Command, Dispatch, Pace};
use super::lane::{Offered, Settings, With};
use super::recover::Wishes;
use super::restore::{Progress, Taken, Trouble, take_over};
use crate::engine::step::Setting;
use crate::ports::clock::Tick;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ledger, Unit};
use crate::ports::source::{Arrival, Record, Source};
use crate::ports::store::{StateStore, StoreError};
use crate::ports::tables::Tables;

/// What the runtime logs, counts and shows.
#[derive(Debug)]
pub enum Told<'t> {
    Offered(&'t Record<'t>, Offered),
    /// Committed: everybody may see it.
    Published(&'t [Arc<Unit>]),
    NotPublished(&'t Failure),
    Restoring(Progress),
    TakenOver(i32, &'t Taken),
    Trouble(i32, &'t Trouble),
    StoreFailed(i32, &'t StoreError),
}

#[derive(Debug)]
pub struct Worker<S, L> {
    pub dispatch: Dispatch,
    pub source: S,
    pub ledger: L,
    store: Arc<dyn StateStore>,
    wishes: Wishes,
}

impl<S: Source, L: Ledger> Worker<S, L> {
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        pace: Pace,
        wishes: Wishes,
        source: S,
        ledger: L,
        store: Arc<dyn StateStore>,
        now: Tick,
    ) -> Self {
        Self { dispatch: Dispatch::new(settings, pace, now), source, ledger, store, wishes }
    }

    /// Does what is due, takes what has come (waiting at most `wait` for it), does what is due then.
    /// `setting` and `tables` may be others at each turn.
    ///
    /// # Errors
    /// When the worker cannot go on.
    pub fn turn(
        &mut self,
        setting: &Setting<'_>,
        tables: &dyn Tables,
        now: Tick,
        wait: Duration,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(), Failure> {
        self.carry_out_all(now, told)?;
        self.poll(setting, tables, now, wait, told)?;
        self.carry_out_all(now, told)
    }

    /// Takes what has come, and carries nothing out.
    ///
    /// # Errors
    /// When the source cannot go on.
    pub fn poll(
        &mut self,
        setting: &Setting<'_>,
        tables: &dyn Tables,
        now: Tick,
        wait: Duration,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(), Failure> {
        let Self { dispatch, source, store, .. } = self;
        let with = With { setting: *setting, tables, store: store.as_ref() };
        // A full worker still listens: to what the group says, and to nothing else.
        source.pause(dispatch.is_full())?;
        source.poll(wait, &mut |arrival| {
            match arrival {
                Arrival::Record(record) => {
                    match dispatch.offer(&record, &with, now) {
                        Ok(offered) => told(Told::Offered(&record, offered)),
                        Err(error) => {
                            told(Told::StoreFailed(record.partition, &error));
                            return false;
                        }
                    }
                    return !dispatch.is_full();
                }
                Arrival::Assigned(partitions) => dispatch.assigned(&partitions),
                Arrival::Revoked(partitions) => dispatch.revoked(&partitions),
                Arrival::Lost(partitions) => dispatch.lost(&partitions),
            }
            false
        })
    }

    fn carry_out_all(&mut self, now: Tick, told: &mut dyn FnMut(Told<'_>)) -> Result<(), Failure> {
        while let Some(command) = self.dispatch.next(now) {
            self.carry_out(command, now, told)?;
        }
        self.dispatch.fatal().map_or(Ok(()), |why| Err(Failure::Fatal(why.into())))
    }

    /// Carries out one command and tells dispatch how it ended.
    ///
    /// # Errors
    /// When the source cannot go on.
    pub fn carry_out(
        &mut self,
        command: Command,
        now: Tick,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(), Failure> {
        let Self { dispatch, source, ledger, store, wishes } = self;
        match command {
            Command::TakeOver(partition) => {
                let mut progress = |progress| {
                    told(Told::Restoring(progress));
                    true
                };
                match take_over(partition, ledger, store.as_ref(), *wishes, &mut progress) {
                    Ok(taken) => {
                        told(Told::TakenOver(partition, &taken));
                        dispatch.ready(partition, taken);
                    }
                    Err(trouble) => {
                        told(Told::Trouble(partition, &trouble));
                        dispatch.troubled(partition, &trouble, now);
                    }
                }
            }
            Command::Start { partition, offset } => {
                source.start(partition, offset)?;
                dispatch.started(partition);
            }
            Command::Publish(units) => {
                let outcome = ledger.publish(&units);
                match &outcome {
                    Ok(_) => told(Told::Published(&units)),
                    Err(failure) => told(Told::NotPublished(failure)),
                }
                // The lane takes the buffers back when nobody else holds the unit.
                drop(units);
                dispatch.published(outcome, now);
            }
            Command::Ask(partitions) => {
                let ask = |partition| Ok((partition, ledger.ground(partition)?));
                dispatch.answered(partitions.into_iter().map(ask).collect(), now);
            }
            Command::Checkpoint { partition, batch } => {
                let outcome = store.apply_batch(partition, &batch).and_then(|_| store.flush());
                if let Err(error) = &outcome {
                    told(Told::StoreFailed(partition, error));
                }
                dispatch.checkpointed(partition, &batch, outcome.as_ref().map(drop));
            }
            Command::Close { partition, filter } => {
                if let Err(error) = store.close(partition, &filter) {
                    told(Told::StoreFailed(partition, &error));
                }
            }
            Command::Release(partitions) => source.release(&partitions)?,
        }
        Ok(())
    }
}
