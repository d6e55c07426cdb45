//! Where somebody is on a day, and when they mean to log in: work, shifts, weekends, holidays, trips.

use super::day::{Setting, day_index};
use super::dice::{Dice, Purpose};
use super::person::{Habit, Person, Via};
use super::world::{TownId, spread};

/// Where somebody is on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Home,
    /// Day 0 is the day of arrival; `last` the day of return.
    Trip {
        town: TownId,
        day: u32,
        last: bool,
    },
    /// On the days of travel nothing is heard of them.
    Vacation {
        town: TownId,
        travels: bool,
    },
}

/// A login to come: local minute of the day, on which device, over what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) minute: u32,
    pub(super) phone: bool,
    pub(super) via: Via,
}

pub(super) fn slots(person: &Person, day: i32, stay: Stay, setting: &Setting, dice: &mut Dice) -> Vec<Slot> {
    let mut slots = Vec::with_capacity(6);
    let mut add = |minute: u32, phone: bool, via: Via| slots.push(Slot { minute, phone, via });
    let weekday = weekday(day);
    match stay {
        Stay::Vacation { travels, .. } => {
            if !travels && dice.chance(150) {
                let via = if dice.chance(500) { Via::Guest } else { Via::Mobile };
                add(dice.within(600..=1320), true, via);
            }
        }
        Stay::Trip { day, last, .. } => {
            let works = |dice: &mut Dice| if dice.chance(300) { Via::Mobile } else { Via::Guest };
            if day > 0 || last {
                add(dice.about(510, 40), false, Via::Guest);
            }
            if !last {
                if dice.chance(600) {
                    add(dice.about(800, 60), dice.chance(500), works(dice));
                }
                add(dice.about(1200, 70).min(1430), dice.chance(400), works(dice));
            }
        }
        Stay::Home if dice.chance(ABSENT_PERMILLE) => {}
        Stay::Home => match person.habit {
            Habit::Shift { shift, rotates } => {
                let turn = person.salt % 7 + day_index(day);
                if turn % 7 < 5 {
                    let week = u32::try_from(day_index(day) / 7 % 3).unwrap_or(0);
                    let shift = u32::from(shift) + if rotates { week } else { 0 };
                    let begins = SHIFT_BEGINS + shift % 3 * 480;
                    add(begins + dice.about(person.begins, person.jitter / 2), false, Via::Office);
                    if dice.chance(500) {
                        add(begins + dice.about(250, 30), false, Via::Office);
                    }
                    if dice.chance(200) {
                        add(begins + dice.about(300, 60), true, Via::Mobile);
                    }
                } else if dice.chance(person.weekend_permille) {
                    add(dice.within(600..=1260), true, Via::Home);
                }
            }
            _ if weekday >= 5 || is_holiday(person, day, setting) => {
                if dice.chance(person.weekend_permille) {
                    let phone = dice.chance(600);
                    let out = phone && dice.chance(400);
                    add(dice.within(600..=1260), phone, if out { Via::Mobile } else { Via::Home });
                }
            }
            Habit::Field => {
                let visits = dice.chance(350);
                for _ in 0..dice.within(1..=3) {
                    add(dice.within(480..=1080), true, Via::Mobile);
                }
                let via = if visits { Via::Guest } else { Via::Home };
                add(dice.about(if visits { 700 } else { person.begins }, person.jitter), false, via);
                if dice.chance(person.evening_permille) {
                    add(dice.about(1200, 60).min(1430), false, Via::Home);
                }
            }
            habit => {
                let office_days = match habit {
                    Habit::Desk { office_days } => office_days,
                    _ => 0b0_1111,
                };
                let in_office = office_days >> weekday & 1 == 1;
                let at_work = if in_office { Via::Office } else { Via::Home };
                let begins = dice.about(person.begins, person.jitter);
                if in_office && dice.chance(person.commute_permille) {
                    add(begins.saturating_sub(dice.within(20..=50)), true, Via::Mobile);
                }
                add(begins, false, at_work);
                if dice.chance(550) {
                    add(begins + dice.about(270, 35), false, at_work);
                }
                if dice.chance(250) {
                    add(begins + dice.about(410, 50), false, at_work);
                }
                if dice.chance(200) {
                    let via = if dice.chance(500) { Via::Mobile } else { at_work };
                    add(begins + dice.within(30..=480), true, via);
                }
                if dice.chance(person.evening_permille) {
                    add(dice.about(1230, 60).min(1430), dice.chance(600), Via::Home);
                }
            }
        },
    }
    slots
}

pub(super) fn stay(person: &Person, day: i32, setting: &Setting) -> Stay {
    let (block, at) = (day.div_euclid(BLOCK_DAYS), day.rem_euclid(BLOCK_DAYS).unsigned_abs());
    let mut dice = Dice::new(setting.seed, person.number, Purpose::Year, day_index(block));
    let (trips_permille, vacations_permille) = match person.habit {
        Habit::Traveller => (1000, 150),
        Habit::Desk { .. } => (140, 170),
        Habit::Field => (300, 150),
        Habit::Shift { .. } | Habit::Service => (0, 170),
    };
    if dice.chance(trips_permille) {
        let (first, days) = (dice.within(1..=7), dice.within(1..=4));
        let town = destination(person, setting, 550, &mut dice);
        if town != person.home && (first..=first + days).contains(&at) {
            return Stay::Trip { town, day: at - first, last: at == first + days };
        }
        // Two a block for those who travel for a living.
        let (first, days) = (dice.within(15..=20), dice.within(1..=4));
        let town = destination(person, setting, 550, &mut dice);
        let again = person.habit == Habit::Traveller && town != person.home;
        if again && (first..=first + days).contains(&at) {
            return Stay::Trip { town, day: at - first, last: at == first + days };
        }
    } else if dice.chance(vacations_permille) {
        let (first, days) = (dice.within(1..=12), dice.within(5..=14));
        let away = dice.chance(500);
        let town = destination(person, setting, 400, &mut dice);
        if (first..=first + days).contains(&at) {
            let travels = at == first || at == first + days;
            return Stay::Vacation { town: if away { town } else { person.home }, travels };
        }
    }
    Stay::Home
}

/// Somewhere else: in the own country for so many of a thousand, else anywhere.
fn destination(person: &Person, setting: &Setting, inland_permille: u32, dice: &mut Dice) -> TownId {
    let world = &setting.world;
    let inland = dice.chance(inland_permille);
    let country = world.town(person.home).country;
    for _ in 0..DESTINATION_TRIES {
        let town = TownId::try_from(dice.below(world.len())).unwrap_or(0);
        let far = world.distance_km(person.home, town) >= 120;
        if far && (!inland || world.town(town).country == country) {
            return town;
        }
    }
    person.home
}

/// A tenth of a year's public holidays fall on any one month; who has them is a matter of country.
fn is_holiday(person: &Person, day: i32, setting: &Setting) -> bool {
    let [a, b] = setting.world.town(person.home).country.bytes();
    let country = u64::from(a) << 8 | u64::from(b);
    spread(country << 32 ^ day_index(day)) % 260 < 9
}

/// 0 is Monday.
fn weekday(day: i32) -> u32 {
    (day + 3).rem_euclid(7).unsigned_abs()
}

/// 06:00, 14:00, 22:00.
pub(super) const SHIFT_BEGINS: u32 = 360;
const ABSENT_PERMILLE: u32 = 35;
/// Trips and vacations are drawn for four weeks at a time.
const BLOCK_DAYS: i32 = 28;
const DESTINATION_TRIES: u32 = 24;
