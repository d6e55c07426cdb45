//! What the pipeline is given: simulated events, at once or at a rate.

use super::ground::Ground;
use super::latency::Sent;
use super::{Failure, Interrupt, Options};
use crate::adapters::kafka::{Publisher, Withheld};
use crate::cli::now;
use crate::cli::simulate::sink::{Pace, keyed};
use crate::cli::simulate::{Asked, Run, up_to_now, world};
use crate::model::trace::TraceParent;
use crate::pipeline::intake::partition_of;
use crate::pipeline::lane::Rendering;
use crate::simulate::Attack;

/// Key and value.
type Keyed = (Vec<u8>, Vec<u8>);

pub(super) struct Load {
    events: Run,
    written: Rendering,
    publisher: Publisher,
    warm: u32,
    bulk: u32,
    /// What is measured, until the pipeline is warm.
    withheld: Option<Withheld>,
    /// How many of a partition warm, and how many there are with those that are measured.
    placed: Vec<(i64, i64)>,
    rate: u32,
    /// One in so many of the bulk has a trace.
    traced: u32,
    /// What was sent at the rate, to be sent again.
    rated: Vec<Keyed>,
}

impl Load {
    pub(super) fn new(options: &Options, ground: &Ground) -> Result<Self, Failure> {
        let warm = options.warm();
        let bulk = warm.saturating_add(options.events);
        let asked = Asked {
            users: options.users,
            events: u64::from(bulk) + u64::from(options.rated()),
            seed: options.seed,
            attacks: Attack::ALL,
        };
        let max_age_days = ground.settings.identity.max_age.map(|age| age.as_secs() / 86_400);
        let events = up_to_now(&asked, &world(&options.geo)?, now(), max_age_days)?;
        let publisher = Publisher::prompt(&ground.connection)?;
        Ok(Self {
            events,
            written: ground.written(),
            publisher,
            warm,
            bulk,
            withheld: None,
            placed: vec![(0, 0); usize::try_from(ground.partitions).unwrap_or(0)],
            rate: options.rate,
            traced: options.traced,
            rated: Vec::new(),
        })
    }

    /// Events before those that are sent at the rate.
    pub(super) fn bulk_size(&self) -> i64 {
        self.bulk.into()
    }

    /// Sends what is read as fast as it can be: what warms now, the rest when it is to be shown.
    pub(super) fn bulk(&mut self, ground: &Ground, interrupt: &Interrupt) -> Result<(), Failure> {
        let topic = &ground.names.events;
        let withheld = withheld(ground, topic)?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        for number in 0..self.bulk {
            // What is withheld stands behind all that warms.
            if number == self.warm {
                self.publisher.finish(topic)?;
            }
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            if !self.next(&mut key, &mut value) {
                break;
            }
            let warms = number < self.warm;
            let placed = usize::try_from(partition_of(&key, ground.partitions)).unwrap_or(usize::MAX);
            if let Some((warm, all)) = self.placed.get_mut(placed) {
                *warm += i64::from(warms);
                *all += 1;
            }
            let publisher = if warms { &self.publisher } else { withheld.publisher() };
            if self.traced > 0 && number.is_multiple_of(self.traced) {
                publisher.send_traced(topic, &key, &value, trace(number))?;
            } else {
                publisher.send(topic, &key, &value)?;
            }
        }
        withheld.publisher().finish(topic)?;
        self.withheld = Some(withheld);
        Ok(())
    }

    /// Has the pipeline see what is measured.
    pub(super) fn show(&mut self, ground: &Ground) -> Result<(), Failure> {
        match self.withheld.take() {
            Some(withheld) => Ok(withheld.show(&ground.names.events)?),
            None => Ok(()),
        }
    }

    /// Sends so many a second, for as long as asked.
    pub(super) fn at_rate(
        &mut self,
        ground: &Ground,
        count: u32,
        ends: &[i64],
        interrupt: &Interrupt,
    ) -> Result<Sent, Failure> {
        let mut rated = Vec::new();
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while rated.len() < usize::try_from(count).unwrap_or(usize::MAX) && self.next(&mut key, &mut value) {
            rated.push((key.clone(), value.clone()));
        }
        self.rated = rated;
        self.again(&ground.names.events, ground.partitions, ends, interrupt)
    }

    /// Sends to `topic` what was sent at the rate before, in the same order and at the same rate.
    pub(super) fn again(
        &self,
        topic: &str,
        partitions: i32,
        ends: &[i64],
        interrupt: &Interrupt,
    ) -> Result<Sent, Failure> {
        let mut sent = Sent::after(ends);
        let mut pace = Pace::new(self.rate);
        for (key, value) in &self.rated {
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            self.publisher.idle(pace.next());
            sent.note(partition_of(key, partitions));
            self.publisher.send(topic, key, value)?;
        }
        self.publisher.finish(topic)?;
        Ok(sent)
    }

    pub(super) fn rated(&self) -> usize {
        self.rated.len()
    }

    /// Of each partition, how many records warm, and how many there are with those that are measured.
    pub(super) fn placed(&self) -> &[(i64, i64)] {
        &self.placed
    }

    pub(super) const fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    fn next(&mut self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> bool {
        let Some(made) = self.events.next() else { return false };
        keyed(&made.event, self.written, key, value);
        true
    }
}

/// Records of `topic` that nobody sees until they are shown.
pub(super) fn withheld(ground: &Ground, topic: &str) -> Result<Withheld, Failure> {
    Ok(Withheld::begin(&ground.connection, &format!("{topic}-withheld"))?)
}

/// Sampled, and each another.
fn trace(number: u32) -> TraceParent {
    TraceParent { trace: (u128::MAX - u128::from(number)).to_be_bytes(), span: [1; 8], flags: 1 }
}
