//! Synthetic people with habits, and labelled attacks on them, from a seed.
//!
//! Pure: the same plan and world give the same events on every machine. A user's life depends on the
//! seed and the user's number alone, not on how many others there are. Events come in the order of
//! their time over all users; what waits is at most two days of each, so memory grows with the users
//! and not with the length of the run.
//!
//! Open loop: nobody in here sees a decision. What the identity system asks for, it asks on its own
//! terms, and a stolen session ends because somebody ended it.

mod agents;
pub mod attacks;
mod calendar;
mod campaign;
pub mod canary;
mod day;
pub mod demo;
mod dice;
mod person;
mod raid;
mod render;
mod rhythm;
mod world;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use attacks::Attack;
use campaign::Season;
use day::{DAY_MICROS, Planned, Setting, User, wake};
use person::Society;
pub use world::{Special, Town, World};

use crate::model::event::Event;
use crate::model::time::Timestamp;

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct Plan {
    pub users: u32,
    pub seed: u64,
    /// Which attacks there are; none when empty.
    pub attacks: Vec<Attack>,
    /// No event lies before.
    pub start: Timestamp,
    /// How long the run is meant to be: attacks are spread over these days.
    pub days: u32,
}

/// One event, and the attack that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    pub event: Event<'static>,
    pub attack: Option<Attack>,
}

/// Events without an end, in order of time; take as many, or as long, as is wanted.
#[derive(Debug)]
pub struct Stream {
    setting: Setting,
    /// Users, and after them names that are nobody's.
    lives: Vec<Life>,
    /// When something is next due for whom.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    start: i64,
}

#[derive(Debug)]
struct Life {
    user: User,
    /// The local day that is planned next.
    day: i32,
    /// Planned events, latest first.
    plan: Vec<Planned>,
    /// Events so far.
    count: u32,
}

impl Stream {
    #[must_use]
    pub fn new(plan: &Plan, world: World) -> Self {
        let start = plan.start.micros();
        let first_day = i32::try_from(start.div_euclid(DAY_MICROS)).unwrap_or(0);
        let (raids, attacks): (Vec<_>, Vec<_>) = plan.attacks.iter().partition(|attack| attack.is_raid());
        let nobodies = raid::nobodies(&raids, plan.users);
        let season = Season { seed: plan.seed, attacks, raids, first_day, days: plan.days };
        let society = Society::new(plan.seed, &world);
        let setting = Setting { seed: plan.seed, world, society, season };
        let life = |number| {
            let user = User::new(number, &setting);
            // East of Greenwich the first day began before the run.
            Life { user, day: first_day - 1, plan: Vec::new(), count: 0 }
        };
        let nobodies = (0..nobodies).map(raid::nobody);
        let lives: Vec<_> = (0..plan.users).chain(nobodies).map(life).collect();
        let due = (0..).take(lives.len()).map(|place| Reverse((wake(first_day - 1), place))).collect();
        Self { setting, lives, due, start }
    }

    /// Time of the next event, without making it; `None` when there is nobody.
    pub fn peek(&mut self) -> Option<Timestamp> {
        self.advance()?;
        let Reverse((at, _)) = *self.due.peek()?;
        Timestamp::from_micros(at)
    }

    /// Lets an event pass by unmade: as [`Iterator::next`], and cheaper.
    pub fn pass(&mut self) -> Option<Timestamp> {
        let (at, ..) = self.take()?;
        Timestamp::from_micros(at)
    }

    /// Plans days until an event is due before any further day, and drops what lies before the start.
    fn advance(&mut self) -> Option<()> {
        loop {
            let mut head = self.due.peek_mut()?;
            let Reverse((at, number)) = *head;
            let life = self.lives.get_mut(number as usize)?;
            let planned = life.plan.last().map_or(i64::MAX, |event| event.at);
            let wakes = wake(life.day);
            if wakes <= planned {
                life.user.live(life.day, &self.setting, &mut life.plan);
                life.plan.sort_by_key(|event| Reverse(event.at));
                life.day += 1;
            } else if at < self.start {
                life.plan.pop();
            } else {
                return Some(());
            }
            *head = Reverse((life.next(), number));
        }
    }

    fn take(&mut self) -> Option<(i64, u32, Planned, u32)> {
        self.advance()?;
        let mut head = self.due.peek_mut()?;
        let Reverse((at, number)) = *head;
        let life = self.lives.get_mut(number as usize)?;
        let event = life.plan.pop()?;
        life.count = life.count.wrapping_add(1);
        *head = Reverse((life.next(), number));
        Some((at, number, event, life.count))
    }
}

impl Life {
    fn next(&self) -> i64 {
        self.plan.last().map_or(i64::MAX, |event| event.at).min(wake(self.day))
    }
}

impl Iterator for Stream {
    type Item = Simulated;

    fn next(&mut self) -> Option<Simulated> {
        let (_, number, planned, count) = self.take()?;
        let life = self.lives.get(number as usize)?;
        let event = render::event(&life.user.person, &planned, self.setting.seed, count);
        Some(Simulated { event, attack: planned.label })
    }
}

/// The date at which a run begins that nobody gave one: a Monday of 2025 or 2026 that the seed decides.
#[must_use]
pub fn start_of(seed: u64) -> Timestamp {
    let week = i64::try_from(seed % WEEKS).unwrap_or(0);
    Timestamp::from_seconds(FIRST_MONDAY + week * 7 * world::DAY_SECONDS).unwrap_or_default()
}

/// Events of one user on an average day: what turns a number of events into a number of days.
pub const EVENTS_A_USER_DAY: f64 = 12.0;

/// 2025-01-06.
const FIRST_MONDAY: i64 = 1_736_121_600;
const WEEKS: u64 = 100;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::EventType;

    fn stream(users: u32, days: u32) -> impl Iterator<Item = Simulated> {
        let plan = Plan { users, seed: 7, attacks: Attack::ALL.to_vec(), start: start_of(7), days };
        let end = plan.start.micros() + i64::from(days) * DAY_MICROS;
        Stream::new(&plan, world::tests::world())
            .take_while(move |made| made.event.occurred_at.micros() < end)
    }

    #[test]
    fn events_come_in_order_and_have_names_of_their_own() {
        let events: Vec<_> = stream(40, 12).collect();
        assert!(events.is_sorted_by_key(|made| made.event.occurred_at));
        let names: BTreeSet<_> = events.iter().map(|made| made.event.id.clone()).collect();
        assert_eq!(names.len(), events.len());
        assert!(events.iter().all(|made| made.event.occurred_at >= start_of(7)));
    }

    #[test]
    fn a_life_does_not_depend_on_how_many_there_are() {
        let of = |users, name: &str| {
            stream(users, 10).filter(|made| made.event.user.ends_with(name)).collect::<Vec<_>>()
        };
        assert!(!of(6, "5").is_empty());
        assert_eq!(of(6, "a5"), of(14, "a5"));
        assert_eq!(stream(8, 9).collect::<Vec<_>>(), stream(8, 9).collect::<Vec<_>>());
    }

    #[test]
    fn passing_by_is_the_same_as_making() {
        let plan = Plan { users: 9, seed: 3, attacks: Vec::new(), start: start_of(3), days: 9 };
        let mut passed = Stream::new(&plan, world::tests::world());
        let mut made = Stream::new(&plan, world::tests::world());
        for _ in 0..100 {
            let at = passed.peek();
            assert_eq!(passed.pass(), at);
            assert_eq!(made.next().map(|made| made.event.occurred_at), at);
        }
        assert_eq!(passed.next(), made.next());
    }

    #[test]
    fn every_attack_takes_place_and_none_before_its_time() {
        let mut first = BTreeMap::new();
        for made in stream(200, 60) {
            if let Some(attack) = made.attack {
                first.entry(attack).or_insert(made.event.occurred_at);
            }
        }
        assert_eq!(first.keys().copied().collect::<Vec<_>>(), Attack::ALL);
        let earliest = start_of(7).micros() + i64::from(attacks::FIRST_DAY - 1) * DAY_MICROS;
        assert!(first.values().all(|at| at.micros() > earliest));
    }

    #[test]
    fn a_working_day_has_a_few_logins() {
        let (mut logins, mut events) = (0_u32, 0_u32);
        for made in stream(300, 28) {
            events += 1;
            logins += u32::from(made.event.kind() == EventType::Login);
        }
        let a_user_day = |count: u32| f64::from(count) / 300.0 / 28.0;
        assert!((1.0..2.5).contains(&a_user_day(logins)), "{} logins", a_user_day(logins));
        assert!((9.0..15.0).contains(&a_user_day(events)), "{} events", a_user_day(events));
    }

    #[test]
    fn nobody_makes_no_events() {
        assert_eq!(stream(0, 3).count(), 0);
    }
}
