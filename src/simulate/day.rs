//! A day in somebody's life: where they are, when they log in, and what the identity system sees of it.
//!
//! Open loop: nobody here knows what the engine decides. The identity system asks for a second factor
//! on its own terms, at an unfamiliar device or place, as they do.

use std::net::IpAddr;

use super::agents::{Agent, LAPTOPS, PHONES};
use super::attacks::Attack;
use super::calendar::{self, Slot, Stay};
use super::campaign::Season;
use super::dice::{Dice, Purpose};
use super::person::{APPS, Person, Society, Tunnel, Via, agent};
use super::raid;
use super::world::{DAY_SECONDS, TownId, World, spread};
use crate::model::{
    ChallengeOutcome, CredentialChange, Factor, Factors, FailureReason, Outcome, Privilege, SessionChange,
};

/// What everybody shares.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) world: World,
    pub(super) society: Society,
    pub(super) season: Season,
}

/// A device: its fingerprint and what it sends as a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) print: u64,
    pub(super) agent: Agent,
}

impl Device {
    /// Its fingerprint in words.
    pub(super) fn name(self) -> String {
        format!("d-{:012x}", self.print >> 16)
    }
}

/// One event to come, in a form small enough to wait in millions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Planned {
    /// Microseconds since the epoch.
    pub(super) at: i64,
    pub(super) ip: IpAddr,
    pub(super) device: Device,
    /// 0 for none.
    pub(super) session: u64,
    pub(super) label: Option<Attack>,
    pub(super) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    Login {
        outcome: Outcome,
        reason: Option<FailureReason>,
        factors: Factors,
        app: u8,
    },
    Challenge {
        number: u32,
        factor: Factor,
        outcome: ChallengeOutcome,
    },
    Session(SessionChange),
    Credential {
        factor: Factor,
        change: CredentialChange,
    },
    Access {
        app: u8,
        privilege: Privilege,
    },
    /// `hand` is whose rhythm it is.
    Behavior {
        hand: u64,
        gesture: Gesture,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gesture {
    TypePassword,
    Mouse,
    Touch,
}

/// A device in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) device: Device,
    /// Day of the last second factor on it; `None`: nothing happened on it yet.
    asked: Option<i32>,
}

/// One user through time.
#[derive(Debug)]
pub(super) struct User {
    pub(super) person: Person,
    pub(super) laptop: Own,
    pub(super) phone: Own,
    /// Where the identity system has seen this user before.
    familiar: Vec<TownId>,
    /// Nothing happens before: somebody in an aeroplane logs in nowhere.
    on_the_ground: i64,
    made: u32,
    /// Seasons whose attack is over.
    pub(super) struck: u32,
}

impl User {
    pub(super) fn new(number: u32, setting: &Setting) -> Self {
        let person = Person::new(setting.seed, number, &setting.society);
        let own = |agent, tag: u64| Own { device: device(&person, agent, tag), asked: None };
        let (laptop, phone) = (own(person.laptop, 1), own(person.phone, 2));
        Self { laptop, phone, familiar: Vec::new(), on_the_ground: i64::MIN, made: 0, struck: 0, person }
    }

    /// Plans local day `day` into `plan`. No event of it lies before [`wake`] of that day.
    pub(super) fn live(&mut self, day: i32, setting: &Setting, plan: &mut Vec<Planned>) {
        if raid::is_nobody(self.person.number) {
            return raid::strike(self, day, setting, plan);
        }
        let mut dice = Dice::new(setting.seed, self.person.number, Purpose::Day, day_index(day));
        if self.person.is_service() {
            return self.run_service(day, setting, &mut dice, plan);
        }
        let begin = plan.len();
        self.renew_devices(day, &mut dice);
        let stay = calendar::stay(&self.person, day, setting);
        let town = match stay {
            Stay::Home => self.person.home,
            Stay::Trip { town, .. } | Stay::Vacation { town, .. } => town,
        };
        let mut slots = calendar::slots(&self.person, day, stay, setting, &mut dice);
        slots.sort_by_key(|slot| slot.minute);
        let midnight = setting.world.town(town).midnight(day);
        if let Stay::Trip { town, day: 0, .. } = stay {
            self.arrive(town, day, setting);
        }
        for slot in slots {
            let at = midnight + i64::from(slot.minute) * MINUTE + i64::from(dice.below(60_000_000));
            if at >= self.on_the_ground {
                self.session(day, at, town, slot, setting, &mut dice, plan);
            }
        }
        if let Stay::Trip { town, last: true, .. } = stay {
            self.on_the_ground = midnight + 15 * 60 * MINUTE + self.flight(town, setting);
        }
        super::campaign::strike(self, day, setting, plan, begin);
        raid::strike(self, day, setting, plan);
    }

    /// A new phone or laptop once or twice a year; cookies cleared about as often.
    fn renew_devices(&mut self, day: i32, dice: &mut Dice) {
        let tag = |kind: u64| kind + 16 * (1 + day_index(day));
        if dice.below(1000) < DEVICE_REPLACED_PERMILLE {
            let agent = if dice.chance(800) { self.laptop.device.agent } else { agent(LAPTOPS, dice) };
            self.laptop = Own { device: device(&self.person, agent, tag(1)), asked: None };
        }
        if dice.below(1000) < DEVICE_REPLACED_PERMILLE {
            let agent = if dice.chance(850) { self.phone.device.agent } else { agent(PHONES, dice) };
            self.phone = Own { device: device(&self.person, agent, tag(2)), asked: None };
        }
        if dice.below(1000) < COOKIES_CLEARED_PERMILLE {
            self.laptop = Own { device: device(&self.person, self.laptop.device.agent, tag(3)), asked: None };
        }
    }

    /// Leaves home at six in the morning and is nowhere until the aeroplane has landed.
    fn arrive(&mut self, town: TownId, day: i32, setting: &Setting) {
        let leaves = setting.world.town(self.person.home).midnight(day) + 6 * 60 * MINUTE;
        self.on_the_ground = leaves + self.flight(town, setting);
    }

    /// At the speed of an airliner, and through two airports.
    fn flight(&self, town: TownId, setting: &Setting) -> i64 {
        let km = i64::from(setting.world.distance_km(self.person.home, town));
        AIRPORTS + km * 60 * MINUTE / AIRLINER_KMH
    }

    /// One login, and the session that it opens.
    #[expect(clippy::too_many_arguments, reason = "when, where, how, and what everybody shares")]
    fn session(
        &mut self,
        day: i32,
        at: i64,
        here: TownId,
        slot: Slot,
        setting: &Setting,
        dice: &mut Dice,
        plan: &mut Vec<Planned>,
    ) {
        let own = if slot.phone { self.phone } else { self.laptop };
        let (via, here) = self.tunnelled(slot, here, own, dice);
        let lease = self.lease(day);
        let turn = dice.word();
        let ip = self.person.address(&setting.world, via, here, lease, turn);

        let seen_from = match via {
            Via::Employer => self.person.egress,
            Via::Office => self.person.office,
            Via::Bought => BOUGHT,
            Via::Mobile | Via::Home | Via::Guest | Via::Relay => here,
        };
        let unfamiliar = own.asked.is_none() || !self.familiar.contains(&seen_from);
        let asked = unfamiliar || own.asked.is_some_and(|last| day - last >= REMEMBERED_DAYS);
        self.remember(slot.phone, seen_from, asked.then_some(day));
        let factors = self.person.factors(asked);

        let session = self.name();
        let hand = self.person.salt;
        let app = self.app(dice);
        let mut put = |at, session, act| {
            plan.push(Planned { at, ip, device: own.device, session, label: None, act });
        };
        let mut at = at;
        if dice.chance(self.person.clumsy_permille) {
            for _ in 0..1 + dice.weighted(&[80, 15, 5]) {
                let factor = factors.has(Factor::Totp) && dice.chance(250);
                let reason = if factor { FailureReason::FactorFailed } else { FailureReason::BadCredentials };
                let factors = Factors::of(Factor::Password);
                put(at, 0, Act::Login { outcome: Outcome::Failure, reason: Some(reason), factors, app });
                at += seconds(dice, 5, 25);
            }
        }
        let types = factors.has(Factor::Password);
        if slot.phone {
            if dice.chance(TOUCHES_PERMILLE) {
                put(at, 0, Act::Behavior { hand, gesture: Gesture::Touch });
            }
        } else if types && dice.chance(TYPES_PERMILLE) {
            put(at, 0, Act::Behavior { hand, gesture: Gesture::TypePassword });
        }
        at += seconds(dice, 1, 3);
        let login = at;
        put(login, session, Act::Login { outcome: Outcome::Success, reason: None, factors, app });
        put(login + seconds(dice, 1, 2), session, Act::Session(SessionChange::Start));

        let mut after = login + 5_000_000;
        let second = factors.iter().any(|factor| factor != Factor::Password);
        let ask = if !unfamiliar {
            ASKED_AT_RANDOM_PERMILLE
        } else if second {
            ASKED_AGAIN_PERMILLE
        } else {
            ASKED_UNFAMILIAR_PERMILLE
        };
        if dice.chance(ask) {
            let factor = self.person.mfa.factor.unwrap_or(Factor::Email);
            let number = u32::try_from(session & 0xffff_ffff).unwrap_or(0);
            after += seconds(dice, 8, 50);
            if dice.chance(40) {
                let outcome =
                    if dice.chance(500) { ChallengeOutcome::Expired } else { ChallengeOutcome::Failed };
                put(after, session, Act::Challenge { number, factor, outcome });
                after += seconds(dice, 20, 60);
            }
            let outcome = ChallengeOutcome::Approved;
            put(after, session, Act::Challenge { number: number ^ 1, factor, outcome });
        }
        if own.asked.is_none()
            && slot.phone
            && let Some(factor) = self.person.mfa.factor
        {
            after += seconds(dice, 30, 200);
            put(after, session, Act::Credential { factor, change: CredentialChange::Create });
        }

        let length = i64::from(dice.within(15..=480)) * MINUTE;
        for _ in 0..dice.within(1..=4) {
            let privilege =
                if self.person.is_admin && dice.chance(200) { Privilege::Admin } else { Privilege::User };
            let at = after + i64::from(dice.below(1000)) * (length.min(90 * MINUTE) / 1000);
            let app = self.app(dice);
            put(at, session, Act::Access { app, privilege });
        }
        if dice.chance(MOVES_PERMILLE) {
            let gesture = if slot.phone { Gesture::Touch } else { Gesture::Mouse };
            put(after + seconds(dice, 20, 120), session, Act::Behavior { hand, gesture });
        }
        // Out of the Wi-Fi into the street: the session goes on over the carrier.
        let leaves = slot.phone && matches!(via, Via::Home | Via::Office) && dice.chance(300);
        let street = self.person.address(&setting.world, Via::Mobile, here, lease, dice.word());
        let mut refresh = login + 60 * MINUTE;
        let mut refreshes = 0;
        while refresh < login + length && refreshes < REFRESHES_MAX {
            let ip = if leaves { street } else { ip };
            let act = Act::Session(SessionChange::Refresh);
            plan.push(Planned { at: refresh, ip, device: own.device, session, label: None, act });
            refresh += 60 * MINUTE + seconds(dice, 0, 30);
            refreshes += 1;
        }
        if dice.chance(450) {
            let act = Act::Session(SessionChange::End);
            let at = login + length.max(91 * MINUTE);
            plan.push(Planned { at, ip, device: own.device, session, label: None, act });
        }
    }

    /// The way out after tunnels, and the town that is meant (customers' towns on the road).
    fn tunnelled(&self, slot: Slot, here: TownId, own: Own, dice: &mut Dice) -> (Via, TownId) {
        let person = &self.person;
        let here = if slot.via == Via::Guest && here == person.home {
            dice.pick(&person.customers).copied().unwrap_or(here)
        } else {
            here
        };
        if matches!(slot.via, Via::Office | Via::Mobile) {
            return (slot.via, here);
        }
        let via = match person.tunnel {
            Tunnel::Employer { permille } if !slot.phone && dice.chance(permille) => Via::Employer,
            Tunnel::Bought { permille } if dice.chance(permille) => Via::Bought,
            Tunnel::Relay if own.device.agent.browser == crate::model::Browser::Safari => Via::Relay,
            _ => slot.via,
        };
        (via, here)
    }

    fn remember(&mut self, phone: bool, place: TownId, asked: Option<i32>) {
        if asked.is_some() {
            let own = if phone { &mut self.phone } else { &mut self.laptop };
            own.asked = asked;
        }
        if !self.familiar.contains(&place) {
            if self.familiar.len() >= FAMILIAR_MAX {
                self.familiar.remove(0);
            }
            self.familiar.push(place);
        }
    }

    /// Which address of the pool the home has now: another one every one to nine weeks.
    pub(super) fn lease(&self, day: i32) -> u64 {
        let days = 7 + self.person.salt % 56;
        (day_index(day) + self.person.salt % 61) / days
    }

    fn app(&self, dice: &mut Dice) -> u8 {
        let app = u32::from(self.person.app) + dice.below(u32::from(self.person.apps));
        u8::try_from(app as usize % APPS.len()).unwrap_or(0)
    }

    /// A name for a session, this user's alone.
    pub(super) fn name(&mut self) -> u64 {
        self.made += 1;
        spread(self.person.salt ^ u64::from(self.made) << 1 | 1).max(1)
    }

    /// What identity systems see of a program: a login every hour, from one place, at night too.
    fn run_service(&mut self, day: i32, setting: &Setting, dice: &mut Dice, plan: &mut Vec<Planned>) {
        let world = &setting.world;
        let ip = self.person.address(world, Via::Employer, self.person.egress, 0, self.person.salt);
        let midnight = i64::from(day) * DAY_MICROS;
        for hour in 0..24 / SERVICE_HOURS {
            let minute = i64::from(hour * SERVICE_HOURS * 60 + self.person.begins % 60);
            let at = midnight + minute * MINUTE + i64::from(dice.below(3_000_000));
            let session = self.name();
            let app = self.person.app;
            let mut put = |at, act| {
                plan.push(Planned { at, ip, device: self.laptop.device, session, label: None, act });
            };
            let factors = Factors::of(Factor::Password);
            put(at, Act::Login { outcome: Outcome::Success, reason: None, factors, app });
            put(at + 2_000_000, Act::Access { app, privilege: Privilege::User });
        }
    }
}

/// The earliest moment of local day `day` anywhere on earth: when a user's day is planned.
pub(super) const fn wake(day: i32) -> i64 {
    (day as i64) * DAY_MICROS - 14 * 60 * MINUTE
}

pub(super) fn device(person: &Person, agent: Agent, tag: u64) -> Device {
    Device { print: spread(spread(person.salt) ^ tag), agent }
}

pub(super) fn seconds(dice: &mut Dice, least: u32, most: u32) -> i64 {
    let millis = dice.within(least * 1000..=most * 1000);
    i64::from(millis) * 1000 + i64::from(dice.below(1000))
}

/// A day as an index of a stream: days before 1970 are nobody's.
pub(super) fn day_index(day: i32) -> u64 {
    u64::from(day.unsigned_abs())
}

pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const DAY_MICROS: i64 = DAY_SECONDS * 1_000_000;
/// Laptop and phone together 1.5 times a year.
const DEVICE_REPLACED_PERMILLE: u32 = 2;
const COOKIES_CLEARED_PERMILLE: u32 = 2;
/// "Do not ask again on this device for 30 days."
const REMEMBERED_DAYS: i32 = 30;
const ASKED_UNFAMILIAR_PERMILLE: u32 = 900;
const ASKED_AGAIN_PERMILLE: u32 = 400;
const ASKED_AT_RANDOM_PERMILLE: u32 = 25;
const TYPES_PERMILLE: u32 = 350;
const TOUCHES_PERMILLE: u32 = 150;
const MOVES_PERMILLE: u32 = 100;
const REFRESHES_MAX: u32 = 3;
const SERVICE_HOURS: u32 = 2;
const FAMILIAR_MAX: usize = 12;
/// Stands for "an exit of the bought service" among the familiar places.
const BOUGHT: TownId = TownId::MAX;
const AIRLINER_KMH: i64 = 750;
/// To the airport, through it, and out of the other one.
const AIRPORTS: i64 = 4 * 60 * MINUTE;
