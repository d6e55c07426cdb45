//! A fold that cannot read some records before it has asked a few times for what they were written by, as
//! where a registry is away: whoever begins anew has to ask again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use wardstream::pipeline::relay::{Fold, Pace, Told};
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Ground, Ledger, Unit};
use wardstream::ports::source::Record;

use crate::sim::script::{Dice, Plant};

#[derive(Debug)]
pub struct Awaiting<F> {
    inside: F,
    /// One record in so many is awaited; 0: none.
    odds: u64,
    plant: Option<Plant>,
    /// How often each schema was asked for.
    asked: RefCell<BTreeMap<u32, u32>>,
}

impl<F> Awaiting<F> {
    pub const fn new(inside: F, odds: u64, plant: Option<Plant>) -> Self {
        Self { inside, odds, plant, asked: RefCell::new(BTreeMap::new()) }
    }

    /// The schema of a record, if it is one that has to be asked for.
    fn schema(&self, record: &Record<'_>) -> Option<u32> {
        let place = u32::try_from(record.offset).ok()? * 8 + u32::try_from(record.partition).ok()?;
        (self.odds > 0 && Dice(place.into()).roll(self.odds) == 0).then_some(place)
    }

    fn is_known(&self, schema: u32) -> bool {
        self.asked.borrow().get(&schema).is_some_and(|asked| *asked >= ASKED)
    }
}

impl<F: Fold> Fold for Awaiting<F> {
    type State = F::State;

    const PACE: Pace = F::PACE;

    fn begin(
        &mut self,
        partition: i32,
        ground: &Ground,
        ledger: &mut dyn Ledger,
    ) -> Result<(Self::State, i64), Failure> {
        self.inside.begin(partition, ground, ledger)
    }

    fn take(&mut self, state: &mut Self::State, record: &Record<'_>, unit: &mut Unit) -> Result<(), u32> {
        match self.schema(record).filter(|schema| !self.is_known(*schema)) {
            None => self.inside.take(state, record, unit),
            Some(_) if self.plant == Some(Plant::AwaitedIsPassedOver) => Ok(()),
            Some(schema) => Err(schema),
        }
    }

    fn knows(&self, schema: u32) -> bool {
        *self.asked.borrow_mut().entry(schema).or_default() += 1;
        self.is_known(schema)
    }

    fn seal(&self, state: &mut Self::State, unit: &mut Unit) {
        self.inside.seal(state, unit);
    }

    fn settled(&mut self, units: &[Arc<Unit>], taken: usize, outcome: Result<(), &Failure>) {
        self.inside.settled(units, taken, outcome);
    }

    fn tell(&self, told: &Told<'_, Self::State>) {
        self.inside.tell(told);
    }
}

/// Until it is known.
const ASKED: u32 = 4;
