//! Plays the attacks of [`super::attacks`] into the days of those who are attacked.

use std::net::IpAddr;

use super::agents::{LAPTOPS, PHONES};
use super::attacks::{
    Attack, FIRST_DAY, LOOT_ACCESSES, LOOT_MINUTES, ONE_USER_IN, SEASON_DAYS, THIEF_SENDS_BEHAVIOR_PERMILLE,
    abroad, fatigue, insider, same_city, slow, theft,
};
use super::calendar::SHIFT_BEGINS;
use super::day::{Act, Device, Gesture, MINUTE, Planned, Setting, User, day_index, device, seconds};
use super::dice::{Dice, Purpose};
use super::person::{APPS, Habit, Person, RARE_APPS, Via, agent};
use super::world::{TownId, World, address, pool, spread};
use crate::model::{
    ChallengeOutcome, Factor, Factors, FailureReason, NetworkClass, Outcome, Privilege, SessionChange,
};

/// Which attacks there are, and the days on which they may begin.
#[derive(Clone, Debug)]
pub(super) struct Season {
    pub(super) seed: u64,
    /// Those on one user.
    pub(super) attacks: Vec<Attack>,
    /// Those on many at once, of which [`super::raid`] knows.
    pub(super) raids: Vec<Attack>,
    /// Day of the first event.
    pub(super) first_day: i32,
    pub(super) days: u32,
}

/// One attack on one user: of a season, beginning on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Strike {
    attack: Attack,
    season: u32,
    /// Of the run.
    day: u32,
    /// The last day of the season on which something may still happen.
    end: u32,
}

impl Season {
    /// The attack on user `number` in the season of `day` (of the run), if there is one.
    fn strike(&self, number: u32, day: u32) -> Option<Strike> {
        let kinds = u32::try_from(self.attacks.len()).unwrap_or(0);
        let (season, begin) = (day / SEASON_DAYS, day / SEASON_DAYS * SEASON_DAYS);
        let shift = u32::try_from((self.seed ^ u64::from(season)) % u64::from(ONE_USER_IN)).unwrap_or(0);
        if kinds == 0 || !(number + shift).is_multiple_of(ONE_USER_IN) {
            return None;
        }
        let kind = (number / ONE_USER_IN + season) % kinds;
        let attack = *self.attacks.get(kind as usize)?;
        let end = (begin + SEASON_DAYS).min(self.days.max(1));
        let earliest = if season == 0 { FIRST_DAY.min(self.days / 2) } else { begin };
        let lasts = match attack {
            Attack::SlowTakeover => slow::DAYS,
            Attack::Insider => insider::DAYS,
            // Some room for those whose victim is not there on the day.
            _ => 4,
        };
        let latest = end.saturating_sub(lasts).max(earliest);
        let mut dice = Dice::new(self.seed, number, Purpose::Campaign, u64::from(season) << 32);
        Some(Strike { attack, season, day: dice.within(earliest..=latest), end })
    }
}

/// Adds what is done to `user` on local day `day` to `plan`, whose events from `begin` on are that day's.
pub(super) fn strike(user: &mut User, day: i32, setting: &Setting, plan: &mut Vec<Planned>, begin: usize) {
    let Ok(of_run) = u32::try_from(day - setting.season.first_day) else { return };
    let Some(strike) = setting.season.strike(user.person.number, of_run) else { return };
    if of_run < strike.day || of_run >= strike.end || user.struck > strike.season {
        return;
    }
    let index = u64::from(strike.season) << 32 | day_index(day);
    let mut dice = Dice::new(setting.seed, user.person.number, Purpose::Campaign, index);
    let age = of_run - strike.day;
    let mut scene = Scene { user, day, setting, plan, begin, attack: strike.attack };
    let over = match strike.attack {
        Attack::StolenPasswordAbroad => scene.stolen_password_abroad(&mut dice),
        Attack::SameCity => scene.same_city(&mut dice),
        Attack::SessionTheft => scene.session_theft(&mut dice),
        Attack::MfaFatigue => scene.mfa_fatigue(&mut dice),
        Attack::SlowTakeover => scene.slow_takeover(age, &mut dice),
        Attack::Insider => scene.insider(age, &mut dice),
        Attack::PasswordSpray | Attack::CredentialStuffing => return,
    };
    if over {
        user.struck = strike.season + 1;
    }
}

/// One day, one attack.
pub(super) struct Scene<'a> {
    pub(super) user: &'a mut User,
    pub(super) day: i32,
    pub(super) setting: &'a Setting,
    pub(super) plan: &'a mut Vec<Planned>,
    pub(super) begin: usize,
    pub(super) attack: Attack,
}

/// Who does it: from where, with what, in which rhythm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thief {
    ip: IpAddr,
    device: Device,
    hand: u64,
}

impl Scene<'_> {
    fn stolen_password_abroad(&mut self, dice: &mut Dice) -> bool {
        let hosted = dice.chance(abroad::FROM_HOSTING_PERMILLE);
        let ip = self.far_address(hosted, dice);
        let thief = self.thief(ip, dice.chance(abroad::COPIES_BROWSER_PERMILLE), dice);
        let at = self.midnight() + i64::from(dice.below(1440)) * MINUTE;
        let at = self.tries(at, dice.within(abroad::FAILED_TRIES), thief, dice);
        self.enter(at, thief, Factors::of(Factor::Password), dice);
        true
    }

    fn same_city(&mut self, dice: &mut Dice) -> bool {
        let ip = self.neighbour(dice);
        let thief = self.thief(ip, dice.chance(same_city::COPIES_BROWSER_PERMILLE), dice);
        let minute = if dice.chance(same_city::WAKING_HOURS_PERMILLE) {
            dice.within(480..=1320)
        } else {
            dice.below(1440)
        };
        let at = self.midnight() + i64::from(minute) * MINUTE;
        let at = self.tries(at, dice.within(same_city::FAILED_TRIES), thief, dice);
        self.enter(at, thief, Factors::of(Factor::Password), dice);
        true
    }

    /// Needs a login of the day; without one the thief waits for the next.
    fn session_theft(&mut self, dice: &mut Dice) -> bool {
        let Some(victim) = self.login_of_the_day(dice) else { return false };
        let ip = if dice.chance(theft::ABROAD_PERMILLE) {
            self.far_address(false, dice)
        } else {
            self.neighbour(dice)
        };
        let thief = self.thief(ip, dice.chance(theft::COPIES_BROWSER_PERMILLE), dice);
        let at = victim.at + i64::from(dice.within(theft::MINUTES_AFTER_LOGIN)) * MINUTE;
        let ends = at + i64::from(dice.within(theft::VICTIM_MINUTES_LEFT)) * MINUTE;

        // The session ends under both; the victim logs in again and wonders.
        let mut index = 0;
        let begin = self.begin;
        self.plan.retain(|event| {
            index += 1;
            index <= begin || event.session != victim.session || event.at < ends
        });
        let again = self.user.name();
        let act = Act::Login {
            outcome: Outcome::Success,
            reason: None,
            factors: self.user.person.factors(true),
            app: self.user.person.app,
        };
        let at_again = ends + seconds(dice, 20, 300);
        let back = Planned { at: at_again, session: again, act, label: None, ..victim };
        self.plan.push(back);
        self.plan.push(Planned { at: at_again + 1_500_000, act: Act::Session(SessionChange::Start), ..back });

        self.put(at, victim.session, thief, Act::Session(SessionChange::Refresh));
        self.loot(at + seconds(dice, 5, 60), victim.session, thief, false, dice);
        true
    }

    fn mfa_fatigue(&mut self, dice: &mut Dice) -> bool {
        let ip = if dice.chance(fatigue::ABROAD_PERMILLE) {
            self.far_address(false, dice)
        } else {
            self.neighbour(dice)
        };
        let thief = self.thief(ip, dice.chance(fatigue::COPIES_BROWSER_PERMILLE), dice);
        let minute =
            if dice.chance(fatigue::NIGHT_PERMILLE) { dice.below(360) } else { dice.within(540..=1380) };
        let at = self.midnight() + i64::from(minute) * MINUTE;
        let mut at = self.tries(at, dice.within(fatigue::FAILED_TRIES), thief, dice);
        let number = u32::try_from(dice.word() & 0xffff).unwrap_or(0) << 8;
        let factor = Factor::Push;
        for prompt in 0..dice.within(fatigue::PROMPTS_REFUSED) {
            let outcome = if dice.chance(fatigue::DENIED_PERMILLE) {
                ChallengeOutcome::Denied
            } else {
                ChallengeOutcome::Expired
            };
            self.put(at, 0, thief, Act::Challenge { number: number + prompt, factor, outcome });
            let between = fatigue::SECONDS_BETWEEN_PROMPTS.into_inner();
            at += seconds(dice, between.0, between.1);
        }
        let outcome = ChallengeOutcome::Approved;
        self.put(at, 0, thief, Act::Challenge { number: number + 0xff, factor, outcome });
        let factors = Factors::of(Factor::Password).with(Factor::Push);
        self.enter(at + seconds(dice, 1, 2), thief, factors, dice);
        true
    }

    fn slow_takeover(&mut self, age: u32, dice: &mut Dice) -> bool {
        // The same person on the same machine each day: from the stream of the whole attack.
        let mut fixed = Dice::new(self.setting.seed, self.user.person.number, Purpose::Secret, 0);
        let ip = self.neighbour(&mut fixed);
        let thief = self.thief(ip, true, &mut fixed);
        let third = (age * 3 / slow::DAYS.max(1)).min(2);
        let idle = third < 2 && dice.chance(slow::IDLE_PERMILLE);
        if age < slow::DAYS && !idle {
            let logins = slow::LOGINS_BY_THIRD.get(third as usize).copied().unwrap_or(1);
            for _ in 0..logins {
                let Some(model) = self.login_of_the_day(dice) else { break };
                let minutes = dice.within(1..=slow::HOURS_KEPT_MINUTES);
                let factors = self.user.person.factors(true);
                let session = self.user.name();
                let at = model.at + i64::from(minutes) * MINUTE;
                let app = self.user.person.app;
                self.put(
                    at,
                    session,
                    thief,
                    Act::Login { outcome: Outcome::Success, reason: None, factors, app },
                );
                self.put(at + 1_200_000, session, thief, Act::Session(SessionChange::Start));
                self.loot(at + seconds(dice, 20, 90), session, thief, third == 2, dice);
            }
        }
        age + 1 >= slow::DAYS
    }

    fn insider(&mut self, age: u32, dice: &mut Dice) -> bool {
        // Nights spread over the days allowed: so many of those that are left.
        let nights = |until: u32| until * insider::NIGHTS / insider::DAYS.max(1);
        if nights(age + 1) > nights(age) {
            let person = &self.user.person;
            let minute = mid_rest(person) + dice.within(0..=2 * insider::MINUTES_AROUND_MID_REST);
            let at = self.midnight()
                + i64::from(minute.saturating_sub(insider::MINUTES_AROUND_MID_REST)) * MINUTE
                + seconds(dice, 0, 59);
            let (lease, turn) = (self.user.lease(self.day), dice.word());
            let ip = person.address(&self.setting.world, Via::Home, person.home, lease, turn);
            let me = Thief { ip, device: self.user.laptop.device, hand: person.salt };
            let (factors, app) = (person.factors(false), rare_app(dice));
            let session = self.user.name();
            self.put(at, session, me, Act::Login { outcome: Outcome::Success, reason: None, factors, app });
            self.put(at + 1_400_000, session, me, Act::Session(SessionChange::Start));
            let mut at = at;
            for _ in 0..dice.within(insider::RARE_ACCESSES) {
                at += seconds(dice, 20, 400);
                let admin = dice.chance(insider::ADMIN_PERMILLE);
                let privilege = if admin { Privilege::Admin } else { Privilege::User };
                self.put(at, session, me, Act::Access { app: rare_app(dice), privilege });
            }
        }
        age + 1 >= insider::DAYS
    }

    /// Wrong passwords before the right one; the time after them.
    fn tries(&mut self, mut at: i64, count: u32, thief: Thief, dice: &mut Dice) -> i64 {
        let app = self.user.person.app;
        for _ in 0..count {
            let act = Act::Login {
                outcome: Outcome::Failure,
                reason: Some(FailureReason::BadCredentials),
                factors: Factors::of(Factor::Password),
                app,
            };
            self.put(at, 0, thief, act);
            at += seconds(dice, 4, 40);
        }
        at
    }

    pub(super) fn enter(&mut self, at: i64, thief: Thief, factors: Factors, dice: &mut Dice) {
        let session = self.user.name();
        if dice.chance(THIEF_SENDS_BEHAVIOR_PERMILLE) {
            let gesture = if thief.device.agent.is_phone() { Gesture::Touch } else { Gesture::TypePassword };
            self.put(at - 1_500_000, 0, thief, Act::Behavior { hand: thief.hand, gesture });
        }
        let app = self.user.person.app;
        self.put(at, session, thief, Act::Login { outcome: Outcome::Success, reason: None, factors, app });
        self.put(at + 1_300_000, session, thief, Act::Session(SessionChange::Start));
        self.loot(at + seconds(dice, 5, 60), session, thief, false, dice);
    }

    fn loot(&mut self, from: i64, session: u64, thief: Thief, rare: bool, dice: &mut Dice) {
        let span = dice.within(LOOT_MINUTES) * 60;
        for _ in 0..dice.within(LOOT_ACCESSES) {
            let at = from + i64::from(dice.below(span)) * 1_000_000;
            let app = if rare && dice.chance(slow::RARE_APP_PERMILLE) {
                rare_app(dice)
            } else {
                self.user.person.app + u8::try_from(dice.below(u32::from(self.user.person.apps))).unwrap_or(0)
            };
            let app = if usize::from(app) < APPS.len() || app >= RARE { app } else { 0 };
            self.put(at, session, thief, Act::Access { app, privilege: Privilege::User });
        }
    }

    pub(super) fn put(&mut self, at: i64, session: u64, thief: Thief, act: Act) {
        let label = Some(self.attack);
        self.plan.push(Planned { at, ip: thief.ip, device: thief.device, session, label, act });
    }

    /// A successful genuine login of this day.
    fn login_of_the_day(&self, dice: &mut Dice) -> Option<Planned> {
        let logins: Vec<_> = self
            .plan
            .iter()
            .skip(self.begin)
            .filter(|event| event.label.is_none())
            .filter(|event| matches!(event.act, Act::Login { outcome: Outcome::Success, .. }))
            .collect();
        dice.pick(&logins).map(|event| **event)
    }

    pub(super) fn thief(&self, ip: IpAddr, copies: bool, dice: &mut Dice) -> Thief {
        let person = &self.user.person;
        let agent = if copies {
            self.user.laptop.device.agent
        } else if dice.chance(850) {
            agent(LAPTOPS, dice)
        } else {
            agent(PHONES, dice)
        };
        Thief { ip, device: device(person, agent, dice.word() | 1 << 63), hand: dice.word() }
    }

    /// A home connection in the victim's town that is not the victim's.
    fn neighbour(&self, dice: &mut Dice) -> IpAddr {
        let person = &self.user.person;
        let world = &self.setting.world;
        let network = world.town(person.home).network(spread(person.salt).wrapping_add(1 + dice.word() % 3));
        address(pool(network, dice.word()), dice.word())
    }

    /// Abroad, and far from home.
    fn far_address(&self, hosted: bool, dice: &mut Dice) -> IpAddr {
        let world = &self.setting.world;
        let town = far_town(world, self.user.person.home, dice);
        let network = if hosted {
            let country = world.town(town).country;
            world.special_in(NetworkClass::Hosting, country, dice.word())
        } else {
            None
        };
        let network = network.unwrap_or_else(|| world.town(town).network(dice.word()));
        address(pool(network, dice.word()), dice.word())
    }

    fn midnight(&self) -> i64 {
        self.setting.world.town(self.user.person.home).midnight(self.day)
    }
}

pub(super) fn far_town(world: &World, home: TownId, dice: &mut Dice) -> TownId {
    let abroad = |town: TownId| world.town(town).country != world.town(home).country;
    let fits = |town: TownId| abroad(town) && world.distance_km(home, town) >= abroad::DISTANCE_KM_MIN;
    for _ in 0..TOWN_TRIES {
        let town = TownId::try_from(dice.below(world.len())).unwrap_or(0);
        if fits(town) {
            return town;
        }
    }
    // A world of one continent: as far as it goes.
    let any = world.towns(|id, _| abroad(id));
    any.into_iter().max_by_key(|town| world.distance_km(home, *town)).unwrap_or(home)
}

/// Local minute of the day in the middle of the user's free time; may lie past midnight.
fn mid_rest(person: &Person) -> u32 {
    let begins = match person.habit {
        Habit::Shift { shift, .. } => SHIFT_BEGINS + u32::from(shift) * 480,
        _ => person.begins,
    };
    (begins + 16 * 60 + 30) % 1440
}

fn rare_app(dice: &mut Dice) -> u8 {
    RARE + u8::try_from(dice.below(u32::try_from(RARE_APPS.len()).unwrap_or(1))).unwrap_or(0)
}

/// The name of an app by its code.
pub(super) fn app_name(code: u8) -> &'static str {
    let rare = code.checked_sub(RARE).and_then(|at| RARE_APPS.get(usize::from(at)));
    rare.or_else(|| APPS.get(usize::from(code))).copied().unwrap_or("mail")
}

/// Codes from here on are of [`RARE_APPS`].
const RARE: u8 = 100;
const TOWN_TRIES: u32 = 64;
const _: () = assert!(APPS.len() < RARE as usize);
