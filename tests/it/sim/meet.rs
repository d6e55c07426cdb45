//! What becomes of a step that is fated to something, and mistakes that are planted.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wardstream::ports::clock::Tick;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ledger as _, Output, Unit};
use wardstream::ports::store::{Batch, StateStore as _, split};

use super::script::{Fate, Plant};
use super::world::{Step, World};

impl World<'_> {
    pub(super) fn meet(&mut self, at: usize, step: Step, fate: Fate, now: Tick) -> Result<(), String> {
        let name = self.nodes[at].name;
        if matches!(step, Step::Land) && matches!(fate, Fate::Fails | Fate::UnknownNot | Fate::DiesBefore) {
            let units = self.nodes[at].flight();
            self.log.abort(&units);
            self.nothing.borrow_mut().extend(units);
        }
        match fate {
            Fate::Succeeds => self.take(at, step, now),
            Fate::Fails => self.fail(at, &step, now),
            Fate::UnknownDone => match step {
                Step::Land => {
                    let units = self.nodes[at].flight();
                    if let Some(worker) = &mut self.nodes[at].worker {
                        let outcome = worker.ledger.publish(&units);
                        // A fenced writer learns that it is, whatever else it does not learn.
                        let told = outcome.and_then(|_| Err(Failure::Unknown("no answer".into())));
                        self.published(at, told, now);
                    }
                    Ok(())
                }
                other => self.take(at, other, now),
            },
            Fate::UnknownNot => match step {
                Step::Land => {
                    self.published(at, Err(Failure::Unknown("no answer".into())), now);
                    Ok(())
                }
                other => self.fail(at, &other, now),
            },
            Fate::DiesBefore => {
                self.die(at);
                Ok(())
            }
            Fate::DiesAfter => {
                self.take(at, step, now)?;
                self.die(at);
                Ok(())
            }
            Fate::LeavesCommit | Fate::LeavesOpen => {
                let flight = self.nodes[at].worker.as_mut().and_then(|worker| worker.flight.take());
                match (step, flight) {
                    (Step::Land, Some((units, _))) => {
                        if let Some(worker) = self.nodes[at].worker.take() {
                            worker.ledger.inside.leave_open(units, fate == Fate::LeavesCommit);
                        }
                        self.nodes[at].back_at = Some(self.now + OPEN_FOR);
                    }
                    (step, _) => self.take(at, step, now)?,
                }
                self.die(at);
                Ok(())
            }
            Fate::PowerLost => {
                self.take(at, step, now)?;
                self.die(at);
                self.nodes[at].store.inside.lose_power();
                Ok(())
            }
            Fate::Moves => {
                self.take(at, step, now)?;
                // Somebody has to stay.
                let stays = self.nodes[at].wanted;
                let other = &mut self.nodes[1 - at];
                other.wanted = !(other.wanted && stays);
                if !other.wanted
                    && let Some(worker) = &mut other.worker
                {
                    worker.dispatch.stop();
                }
                Ok(())
            }
            Fate::Zombie => {
                self.log.evict(name);
                self.nodes[1 - at].wanted = true;
                // Long enough to take over and to write.
                for _ in 0..16 {
                    self.step(1 - at, &mut |_| Fate::Succeeds)?;
                }
                self.take(at, step, now)
            }
            Fate::Visited => {
                self.log.evict(name);
                self.visit(1 - at)?;
                // Somebody has to stay.
                self.nodes[at].wanted = true;
                self.look(at, now)?;
                self.take(at, step, now)
            }
            Fate::Lost => {
                self.log.evict(name);
                self.take(at, step, now)
            }
            Fate::OffsetsGone => {
                self.take(at, step, now)?;
                // A broker forgets those of a group that has no members.
                self.die(at);
                self.die(1 - at);
                // With nothing left to read nobody would commit again, and the run would have no end.
                let goes_on = |number| {
                    let committed = self.log.committed(number).map_or(0, |committed| committed.offset);
                    committed < self.log.input_range(number).end
                };
                if (0..self.partitions).all(goes_on) {
                    self.note_furthest();
                    self.log.forget_offsets();
                }
                Ok(())
            }
            Fate::StoreFails => {
                self.nodes[at].store.refuses.store(true, Ordering::Relaxed);
                let done = self.take(at, step, now);
                self.nodes[at].store.refuses.store(false, Ordering::Relaxed);
                done
            }
            Fate::Rots | Fate::Vanishes => {
                let store = Arc::clone(&self.nodes[at].store);
                for partition in 0..self.partitions {
                    let key = self.folded[usize::try_from(partition).unwrap()].profiles.keys().next();
                    if let Some(key) = key {
                        store.inside.damage(partition, split(key).0, fate == Fate::Vanishes);
                    }
                }
                self.take(at, step, now)
            }
        }
    }

    /// Comes, takes over, writes, and goes.
    fn visit(&mut self, at: usize) -> Result<(), String> {
        self.nodes[at].wanted = true;
        for _ in 0..16 {
            self.step(at, &mut |_| Fate::Succeeds)?;
        }
        self.nodes[at].wanted = false;
        if let Some(worker) = &mut self.nodes[at].worker {
            worker.dispatch.stop();
        }
        for _ in 0..16 {
            self.step(at, &mut |_| Fate::Succeeds)?;
        }
        Ok(())
    }

    /// Does a publication wrongly; `false` when this mistake does not show here.
    pub(super) fn planted(&mut self, at: usize, plant: Plant, now: Tick) -> bool {
        let (store, units) = (Arc::clone(&self.nodes[at].store), self.nodes[at].flight());
        let other = self.nodes[1 - at].name;
        let Some(worker) = &mut self.nodes[at].worker else { return false };
        if let Some(units) = mistaken(plant, &units) {
            let outcome = worker.ledger.publish(&units);
            worker.told_published(outcome, now, &mut |_| ());
            return true;
        }
        match plant {
            Plant::RevokedCommits => {
                let mut outcome = worker.ledger.publish(&units);
                if matches!(outcome, Err(Failure::Fenced(_))) {
                    // As a producer that does not say on behalf of which generation it commits.
                    outcome = self.log.ledger(other).publish(&units);
                }
                worker.told_published(outcome, now, &mut |_| ());
                true
            }
            Plant::StoreFirst => {
                for unit in units {
                    let parts = unit.records().filter(|record| record.output == Output::Profiles);
                    let parts = parts.filter(|record| record.key != b"\0mark");
                    let parts = parts.map(|record| (record.key.into(), record.value.map(Into::into)));
                    let mut parts: Vec<_> = parts.collect();
                    parts.sort();
                    let place =
                        store.inside.checkpoint(unit.partition).and_then(|checkpoint| checkpoint.place);
                    store.inside.apply_batch(unit.partition, &Batch { parts, place }).unwrap();
                }
                false
            }
            Plant::LateAssignment => {
                worker.ledger.prepare();
                false
            }
            // These show elsewhere.
            _ => false,
        }
    }
}

/// What is published instead of `units`, if that is the mistake.
pub fn mistaken(plant: Plant, units: &[Arc<Unit>]) -> Option<Vec<Arc<Unit>>> {
    let each = |unit: &Arc<Unit>| {
        let mut wrong = Unit::clone(unit);
        match plant {
            Plant::OffsetAlone => {
                wrong.reset(unit.partition, unit.number, unit.from);
                wrong.to = unit.to;
            }
            Plant::DecisionAlone => wrong.to = unit.from,
            Plant::DuplicateSkipped => {
                let gave = unit.records().filter(|record| record.output != Output::Profiles);
                wrong.to.offset = gave.map(|record| record.offset + 1).max().unwrap_or(unit.from.offset);
            }
            _ => return None,
        }
        Some(Arc::new(wrong))
    };
    units.iter().map(each).collect()
}

/// Steps for which a transaction stays open whose writer has died.
const OPEN_FOR: u64 = 60;
