//! A worker's hands: polls, offers, and carries out what dispatch hands out, over the ports.
//!
//! As in the runtime, a transaction and a checkpoint are under way for a while: records are offered,
//! and partitions come and go, between their beginning and their end.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use wardstream::engine::across::Table;
use wardstream::engine::decode::NO_WRITERS;
use wardstream::engine::step::Setting;
use wardstream::pipeline::dispatch::{Command, Dispatch, Pace};
use wardstream::pipeline::filter::Filter;
use wardstream::pipeline::lane::{Offered, Settings, With};
use wardstream::pipeline::recover::Wishes;
use wardstream::pipeline::restore::{Taken, Trouble, take_over};
use wardstream::ports::clock::Tick;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ledger, Positions, Unit};
use wardstream::ports::source::{Arrival, Source};
use wardstream::ports::store::{Batch, StateStore, StoreError};
use wardstream::ports::tables::Tables;

/// What happened, for the checks and for what the schedules reach.
#[derive(Debug)]
pub enum Told<'t> {
    Offered(Offered),
    NotPublished(&'t Failure),
    TakenOver(&'t Taken),
    Trouble(&'t Trouble),
    StoreFailed(&'t StoreError),
    /// A store was read through beside the work.
    Verified(&'t Result<(), StoreError>),
}

#[derive(Debug)]
pub struct Worker<S, L> {
    pub dispatch: Dispatch,
    pub source: S,
    pub ledger: L,
    /// The transaction under way, and for how many steps.
    pub flight: Option<(Vec<Arc<Unit>>, u32)>,
    /// Somebody else writes: as the runtime, it begins anew, and joins the group anew.
    pub fenced: bool,
    /// Reads on where it is, although these begin elsewhere: a mistake to be caught.
    pub unmoved: BTreeSet<i32>,
    /// Knows nobody, so that no miss is suspicious: another.
    pub is_credulous: bool,
    /// The users of the copy that is taken over next.
    pub known: Option<Filter>,
    /// Checkpoints under way.
    kept: VecDeque<(i32, Arc<Batch>, usize)>,
    /// Stores that are being read through.
    unread: VecDeque<i32>,
    store: Arc<dyn StateStore>,
}

impl<S: Source, L: Ledger> Worker<S, L> {
    pub fn new(
        settings: Arc<Settings>,
        pace: Pace,
        source: S,
        ledger: L,
        store: Arc<dyn StateStore>,
        now: Tick,
    ) -> Self {
        let dispatch = Dispatch::new(settings, pace, now);
        Self {
            dispatch,
            source,
            ledger,
            flight: None,
            fenced: false,
            unmoved: BTreeSet::new(),
            is_credulous: false,
            known: None,
            kept: VecDeque::new(),
            unread: VecDeque::new(),
            store,
        }
    }

    /// Takes what has come, and carries nothing out.
    pub fn poll(
        &mut self,
        setting: &Setting<'_>,
        tables: &dyn Tables,
        now: Tick,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(), Failure> {
        let Self { dispatch, source, store, .. } = self;
        let with = With {
            setting: *setting,
            tables,
            across: &Table::default(),
            store: store.as_ref(),
            writers: &NO_WRITERS,
            tracer: None,
            stages: None,
        };
        // A full worker still listens: to what the group says, and to nothing else.
        source.pause(dispatch.is_full())?;
        source.poll(Duration::ZERO, &mut |arrival| {
            match arrival {
                Arrival::Record(record) => {
                    match dispatch.offer(&record, &with, now) {
                        Ok(offered) => told(Told::Offered(offered)),
                        Err(error) => {
                            told(Told::StoreFailed(&error));
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

    /// Whether nothing of this worker's can write the partition, now or later.
    pub fn has_nothing_of(&self, partition: i32) -> bool {
        !self.dispatch.partitions().any(|(at, _)| at == partition)
            && !self.kept.iter().any(|(at, ..)| *at == partition)
    }

    /// A store of which it had the partition is read through no further.
    pub fn reads_no_more(&mut self, partition: i32) {
        self.unread.retain(|at| *at != partition);
    }

    pub fn is_keeping(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Writes the next piece of a checkpoint that is under way; `false` when there is none.
    pub fn keep(&mut self, told: &mut dyn FnMut(Told<'_>)) -> bool {
        let Some((partition, batch, from)) = self.kept.pop_front() else { return false };
        let written = self.store.apply_some(partition, &batch, from);
        if let Ok((next, _)) = written
            && next < batch.parts.len()
        {
            self.kept.push_front((partition, batch, next));
            return true;
        }
        let outcome = written.and_then(|(_, checkpoint)| self.store.flush().map(|()| checkpoint));
        if let Err(error) = &outcome {
            told(Told::StoreFailed(error));
        }
        self.dispatch.checkpointed(partition, &batch, outcome.as_ref().copied());
        true
    }

    /// Reads one store on, by one part; `false` when there is none to be read.
    pub fn read_on(&mut self, told: &mut dyn FnMut(Told<'_>)) -> bool {
        let Some(partition) = self.unread.pop_front() else { return false };
        let outcome = match self.store.verify_some(partition, 1) {
            Ok(false) => {
                self.unread.push_back(partition);
                return true;
            }
            outcome => outcome.map(drop),
        };
        if let Err(StoreError::Damaged { what, .. }) = &outcome {
            assert!(self.store.verify(partition, &mut |_| ()).is_err(), "a false alarm: {what}");
        }
        told(Told::Verified(&outcome));
        self.dispatch.verified(partition, outcome.as_ref().copied());
        true
    }

    /// Ends the transaction that is under way.
    pub fn land(&mut self, now: Tick, told: &mut dyn FnMut(Told<'_>)) {
        let Some((units, _)) = self.flight.take() else { return };
        let outcome = self.ledger.publish(&units);
        drop(units);
        self.told_published(outcome, now, told);
    }

    pub fn told_published(
        &mut self,
        outcome: Result<Vec<Positions>, Failure>,
        now: Tick,
        told: &mut dyn FnMut(Told<'_>),
    ) {
        self.flight = None;
        self.fenced |= matches!(outcome, Err(Failure::Fenced(_)));
        if let Err(failure) = &outcome {
            told(Told::NotPublished(failure));
        }
        self.dispatch.published(outcome, now);
    }

    /// Carries out one command and tells dispatch how it ended; a transaction and a checkpoint only
    /// begin.
    pub fn carry_out(
        &mut self,
        command: Command,
        now: Tick,
        told: &mut dyn FnMut(Told<'_>),
    ) -> Result<(), Failure> {
        match command {
            Command::TakeOver(partition) => {
                // A checkpoint of an earlier life of this partition may still be on its way.
                while self.keep(told) {}
                self.unread.retain(|at| *at != partition);
                self.unmoved.remove(&partition);
                let (ledger, store) = (&mut self.ledger, self.store.as_ref());
                let known = self.known.take();
                let taken = take_over(partition, ledger, store, known, 7, Wishes::default(), &mut |_| true);
                match taken {
                    Ok(mut taken) => {
                        told(Told::TakenOver(&taken));
                        if self.is_credulous {
                            taken.filter = Filter::new(7);
                        }
                        self.dispatch.ready(partition, taken);
                    }
                    Err(trouble) => {
                        told(Told::Trouble(&trouble));
                        self.dispatch.troubled(partition, &trouble, now);
                    }
                }
            }
            Command::Start { partition, offset } => {
                if !self.unmoved.remove(&partition) {
                    self.source.start(partition, offset)?;
                }
                self.dispatch.started(partition);
            }
            Command::Publish(units) => {
                self.ledger.prepare();
                self.flight = Some((units, 0));
            }
            Command::Ask(partitions) => {
                let ledger = &mut self.ledger;
                let ask = |partition| Ok((partition, ledger.ground(partition)?));
                self.dispatch.answered(partitions.into_iter().map(ask).collect(), now);
            }
            Command::Verify(partition) => self.unread.push_back(partition),
            Command::Checkpoint { partition, batch } => self.kept.push_back((partition, batch, 0)),
            Command::Close { partition, filter } => {
                if let Err(error) = self.store.close(partition, &filter) {
                    told(Told::StoreFailed(&error));
                }
            }
            Command::Release(partitions) => self.source.release(&partitions)?,
        }
        Ok(())
    }
}
