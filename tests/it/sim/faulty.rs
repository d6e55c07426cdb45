//! A ledger that is asked wrongly: mistakes of an adapter, to be caught.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use wardstream::adapters::embedded::EmbeddedLedger;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Change, Committed, Ground, Ledger, Output, Positions, ReadBack, Unit};

use super::script::Plant;

/// Units that came to nothing; they stay in the log, where only a committed reader does not see them.
pub type Nothing = Rc<RefCell<Vec<Arc<Unit>>>>;

#[derive(Debug)]
pub struct Faulty {
    pub inside: EmbeddedLedger,
    pub plant: Option<Plant>,
    /// The next question is not answered.
    pub is_away: bool,
    /// Offsets as they were before a commit that is not seen.
    pub stale: BTreeMap<i32, i64>,
    nothing: Nothing,
}

impl Faulty {
    pub fn new(inside: EmbeddedLedger, plant: Option<Plant>, nothing: &Nothing) -> Self {
        Self { inside, plant, is_away: false, stale: BTreeMap::new(), nothing: Rc::clone(nothing) }
    }
}

impl Ledger for Faulty {
    fn prepare(&mut self) {
        self.inside.prepare();
    }

    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        self.inside.publish(units)
    }

    fn ground(&mut self, partition: i32) -> Result<Ground, Failure> {
        if std::mem::take(&mut self.is_away) {
            return Err(Failure::Unreachable("no route".into()));
        }
        let mut ground = self.inside.ground(partition)?;
        if self.plant == Some(Plant::OpenIsOver) {
            ground.hanging = None;
        }
        if let Some(offset) = self.stale.remove(&partition) {
            ground.committed = Some(Committed { offset, metadata: String::new() });
        }
        Ok(ground)
    }

    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        self.inside.read_back(partition, offset)
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        self.inside.decided_before(partition, offset)
    }

    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure> {
        let is_short = self.plant == Some(Plant::RestoresShort);
        let mut last = None;
        if is_short {
            self.inside.changes(partition, from, &mut |change| {
                last = change.mark;
                true
            })?;
        }
        let end = self
            .inside
            .changes(partition, from, &mut |change| is_short && change.mark == last || visit(change))?;
        if self.plant == Some(Plant::RestoresAborted) {
            for unit in self.nothing.borrow().iter().filter(|unit| unit.partition == partition) {
                for record in unit.records().filter(|record| record.output == Output::Profiles) {
                    let mark = Some(unit.to);
                    visit(Change { key: record.key, value: record.value, mark, offset: end });
                }
            }
        }
        Ok(end)
    }
}
