//! What becomes of a step of a relay that is fated to something.

use wardstream::pipeline::relay::Command;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::Ledger as _;

use super::course::Course;
use super::world::{Step, World};
use crate::sim::script::Fate;

impl<C: Course> World<'_, C> {
    pub(super) fn meet(&mut self, at: usize, step: &Step, fate: Fate) -> Result<(), String> {
        let name = self.nodes[at].name;
        if matches!(step, Step::Land) && matches!(fate, Fate::Fails | Fate::UnknownNot | Fate::DiesBefore) {
            let units = self.flight(at);
            self.log.abort(&units);
            self.nothing.borrow_mut().extend(units);
        }
        match fate {
            Fate::Fails | Fate::UnknownNot => {
                let failure = match fate {
                    Fate::Fails => Failure::Aborted("refused".into()),
                    _ => Failure::Unknown("no answer".into()),
                };
                match step {
                    Step::Land => self.published(at, Err(failure)),
                    Step::Command(Command::Begin(_)) => {
                        if let Some(running) = &mut self.nodes[at].running {
                            running.ledger.is_away = true;
                            self.reached.insert("away");
                        }
                        self.take(at, step);
                    }
                    // What the client refuses here ends the thread.
                    Step::Command(_) => self.die(at),
                }
            }
            Fate::UnknownDone if matches!(step, Step::Land) => {
                let units = self.flight(at);
                let Some(running) = &mut self.nodes[at].running else { return Ok(()) };
                // A fenced writer learns that it is, whatever else it does not learn.
                let told = running.ledger.publish(&units);
                self.published(at, told.and_then(|_| Err(Failure::Unknown("no answer".into()))));
            }
            Fate::DiesBefore => self.die(at),
            Fate::DiesAfter => {
                self.take(at, step);
                self.die(at);
            }
            Fate::LeavesCommit | Fate::LeavesOpen => {
                let units = self.flight(at);
                match (step, self.nodes[at].running.take()) {
                    (Step::Land, Some(running)) => {
                        running.ledger.inside.leave_open(units, fate == Fate::LeavesCommit);
                        self.nodes[at].back_at = Some(self.now + OPEN_FOR);
                    }
                    (_, running) => {
                        self.nodes[at].running = running;
                        self.take(at, step);
                    }
                }
                self.die(at);
            }
            Fate::Moves => {
                self.take(at, step);
                // Somebody has to stay.
                let other = 1 - at;
                self.nodes[other].wanted = !(self.nodes[other].wanted && self.nodes[at].wanted);
                if !self.nodes[other].wanted {
                    self.die(other);
                }
            }
            Fate::Zombie | Fate::Visited => {
                self.log.evict(name);
                self.nodes[1 - at].wanted = true;
                self.let_be(1 - at)?;
                if fate == Fate::Visited {
                    self.nodes[1 - at].wanted = false;
                    self.die(1 - at);
                    self.nodes[at].wanted = true;
                    if let Some(running) = &mut self.nodes[at].running {
                        running.poll();
                    }
                }
                self.take(at, step);
            }
            Fate::Lost => {
                self.log.evict(name);
                self.take(at, step);
            }
            _ => self.take(at, step),
        }
        Ok(())
    }

    /// Long enough to take over and to write.
    fn let_be(&mut self, at: usize) -> Result<(), String> {
        (0..24).try_for_each(|_| self.step(at, &mut |_| Fate::Succeeds))
    }
}

/// Steps for which a transaction stays open whose writer has died.
const OPEN_FOR: u64 = 40;
