//! Attacks on many users at once: one attacker, one company, a few rented machines, some hours.
//!
//! A raid is decided by the seed and the season alone; whether a user is among its victims, when it is their
//! turn, and whether the password is theirs, by the seed and the user's number. So a user's life still
//! depends on nothing else. Names that are nobody's are users of their own who do nothing but be tried.

use std::net::{IpAddr, Ipv4Addr};

use super::attacks::{Attack, FIRST_DAY, SEASON_DAYS, spray, stuffing};
use super::campaign::Scene;
use super::day::{Act, DAY_MICROS, MINUTE, Planned, Setting, User, seconds};
use super::dice::{Dice, Purpose};
use super::world::{address, pool};
use crate::model::{Factor, Factors, FailureReason, NetworkClass, Outcome};

/// One raid of a season.
struct Raid {
    season: u32,
    /// Microseconds since the epoch.
    begins: i64,
    exits: Vec<IpAddr>,
}

/// How many names are tried that are nobody's.
pub(super) fn nobodies(raids: &[Attack], users: u32) -> u32 {
    if !raids.contains(&Attack::CredentialStuffing) {
        return 0;
    }
    users.saturating_mul(stuffing::NOBODIES_PERMILLE) / 1000
}

/// Their numbers, which no user has.
pub(super) const fn nobody(number: u32) -> u32 {
    FIRST_NOBODY + number
}

pub(super) const fn is_nobody(number: u32) -> bool {
    number >= FIRST_NOBODY
}

/// Adds what is tried on `user` by the raids of local day `day` to `plan`.
pub(super) fn strike(user: &mut User, day: i32, setting: &Setting, plan: &mut Vec<Planned>) {
    let of_run = u32::try_from(day - setting.season.first_day).unwrap_or(u32::MAX);
    let is_aim = user.person.tenant == TENANT && !user.person.is_service();
    if !is_aim || of_run == u32::MAX {
        return;
    }
    for attack in &setting.season.raids {
        let Some(raid) = Raid::on(*attack, of_run, setting) else { continue };
        let index = u64::from(raid.season) << 32 | *attack as u64;
        let mut dice = Dice::new(setting.seed, user.person.number, Purpose::Raid, index);
        let mut scene = Scene { begin: plan.len(), user, day, setting, plan, attack: *attack };
        match attack {
            Attack::CredentialStuffing => raid.stuff(&mut scene, &mut dice),
            _ => raid.spray(&mut scene, &mut dice),
        }
    }
}

impl Raid {
    /// The raid of the season of `day` (of the run), if it begins on that day.
    fn on(attack: Attack, day: u32, setting: &Setting) -> Option<Self> {
        let days = setting.season.days;
        let (season, first) = (day / SEASON_DAYS, day / SEASON_DAYS * SEASON_DAYS);
        let earliest = if season == 0 { FIRST_DAY.min(days / 2) } else { first };
        let latest = (first + SEASON_DAYS).min(days.max(1)).saturating_sub(1).max(earliest);
        let index = u64::from(season) << 32 | attack as u64;
        let mut dice = Dice::new(setting.seed, ATTACKER, Purpose::Raid, index);
        if dice.within(earliest..=latest) != day {
            return None;
        }
        let midnight = (i64::from(setting.season.first_day) + i64::from(day)) * DAY_MICROS;
        let begins = midnight + i64::from(dice.below(1440)) * MINUTE;
        let most = if attack == Attack::CredentialStuffing { stuffing::EXITS } else { spray::EXITS };
        let exits = dice.within(most);
        let exits = (0..exits).map(|_| rented(setting, &mut dice)).collect();
        Some(Self { season, begins, exits })
    }

    /// A password a round, until it is the right one.
    fn spray(&self, scene: &mut Scene<'_>, dice: &mut Dice) {
        if is_nobody(scene.user.person.number) || !dice.chance(spray::TRIED_PERMILLE) {
            return;
        }
        // Of the attack, so the same for all victims.
        let index = u64::from(self.season) << 32 | ROUNDS;
        let mut plan = Dice::new(scene.setting.seed, ATTACKER, Purpose::Raid, index);
        let rounds = plan.within(spray::ROUNDS);
        let right = dice.chance(spray::WEAK_PERMILLE).then(|| dice.below(rounds));
        let mut begins = self.begins;
        for round in 0..rounds {
            let lasts = plan.within(spray::MINUTES_A_ROUND);
            let at = begins + i64::from(dice.below(lasts * 60)) * 1_000_000;
            if right == Some(round) {
                return self.enter(at, scene, dice);
            }
            self.fail(at, FailureReason::BadCredentials, scene, dice);
            begins += i64::from(lasts + plan.within(spray::MINUTES_BETWEEN_ROUNDS)) * MINUTE;
        }
    }

    /// Each name once, with the password that came with it.
    fn stuff(&self, scene: &mut Scene<'_>, dice: &mut Dice) {
        let is_nobody = is_nobody(scene.user.person.number);
        if !is_nobody && !dice.chance(stuffing::TRIED_PERMILLE) {
            return;
        }
        let at = self.begins + i64::from(dice.below(stuffing::MINUTES * 60)) * 1_000_000;
        if is_nobody {
            self.fail(at, FailureReason::UnknownUser, scene, dice);
        } else if dice.chance(stuffing::REUSED_PERMILLE) {
            self.enter(at, scene, dice);
        } else {
            self.fail(at, FailureReason::BadCredentials, scene, dice);
        }
    }

    fn fail(&self, at: i64, reason: FailureReason, scene: &mut Scene<'_>, dice: &mut Dice) {
        let thief = scene.thief(self.exit(dice), false, dice);
        let (factors, app) = (Factors::of(Factor::Password), scene.user.person.app);
        let act = Act::Login { outcome: Outcome::Failure, reason: Some(reason), factors, app };
        scene.put(at + seconds(dice, 0, 1), 0, thief, act);
    }

    fn enter(&self, at: i64, scene: &mut Scene<'_>, dice: &mut Dice) {
        let thief = scene.thief(self.exit(dice), false, dice);
        scene.enter(at, thief, Factors::of(Factor::Password), dice);
    }

    fn exit(&self, dice: &mut Dice) -> IpAddr {
        dice.pick(&self.exits).copied().unwrap_or(NOWHERE)
    }
}

/// A machine in a data centre; where the tables know none, behind a home connection.
fn rented(setting: &Setting, dice: &mut Dice) -> IpAddr {
    let world = &setting.world;
    let town = u16::try_from(dice.below(world.len())).unwrap_or(0);
    let network = world.special(NetworkClass::Hosting, None, dice.word());
    let network = network.unwrap_or_else(|| world.town(town).network(dice.word()));
    address(pool(network, dice.word()), dice.word())
}

/// The larger company.
const TENANT: &str = "acme";
/// Nobody's number: the dice of what the attacker decides.
const ATTACKER: u32 = u32::MAX;
/// No kind of attack: the stream of what all rounds of a raid share.
const ROUNDS: u64 = 0xff;
/// Of a raid without exits, of which there is none.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// More than there can be users.
const FIRST_NOBODY: u32 = 1 << 24;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::event::Body;
    use crate::simulate::{Plan, Stream, start_of, world};

    /// What a raid on 400 people is made of.
    #[derive(Debug, Default)]
    struct Made {
        exits: BTreeSet<IpAddr>,
        /// Failures of each name.
        failed: BTreeMap<String, u32>,
        unknown: u32,
        came_in: u32,
        hours: i64,
    }

    fn made(attack: Attack) -> Made {
        let plan = Plan { users: 400, seed: 5, attacks: vec![attack], start: start_of(5), days: 40 };
        let end = plan.start.micros() + 40 * DAY_MICROS;
        let mut made = Made::default();
        let mut span: Option<(i64, i64)> = None;
        for one in Stream::new(&plan, world::tests::world())
            .take_while(|one| one.event.occurred_at.micros() < end)
            .filter(|one| one.attack.is_some())
        {
            assert_eq!((one.attack, &*one.event.tenant), (Some(attack), TENANT));
            let Body::Login { outcome, failure_reason, .. } = &one.event.body else { continue };
            made.exits.extend(one.event.ip_address);
            made.unknown += u32::from(*failure_reason == Some(FailureReason::UnknownUser));
            match outcome {
                Outcome::Success => made.came_in += 1,
                _ => *made.failed.entry(one.event.user.to_string()).or_default() += 1,
            }
            let at = one.event.occurred_at.micros();
            span = Some((span.map_or(at, |(first, _)| first), at));
        }
        made.hours = span.map_or(0, |(first, last)| (last - first) / (60 * MINUTE));
        made
    }

    #[test]
    fn a_spray_tries_many_a_few_times_each() {
        let made = made(Attack::PasswordSpray);
        assert!(made.failed.len() > 100 && made.came_in > 0, "{made:?}");
        assert!(made.failed.values().all(|tries| tries <= spray::ROUNDS.end()), "{made:?}");
        assert!(made.exits.len() <= *spray::EXITS.end() as usize && made.unknown == 0, "{made:?}");
        assert!((1..12).contains(&made.hours), "{made:?}");
    }

    #[test]
    fn a_stuffing_tries_each_once_and_many_are_nobody() {
        let made = made(Attack::CredentialStuffing);
        let failed = u32::try_from(made.failed.len()).unwrap();
        assert!(made.failed.values().all(|tries| *tries == 1) && made.came_in > 0, "{made:?}");
        assert!((failed / 4..failed * 3 / 4).contains(&made.unknown), "{made:?}");
        assert!(made.exits.len() <= *stuffing::EXITS.end() as usize && made.hours < 2, "{made:?}");
    }
}
