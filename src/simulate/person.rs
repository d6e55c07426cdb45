//! People: who they are and what they are used to. Made once from the seed; days are lived in `day`.

use super::agents::{Agent, LAPTOPS, PHONES};
use super::dice::{Dice, Purpose};
use super::world::{TownId, World, address, pool, spread};
use crate::model::{Browser, Factor, Factors, NetworkClass, Os};
use std::net::IpAddr;

/// How somebody's days look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// In the office on the days of the mask (bit 0 is Monday), at home on the others.
    Desk { office_days: u8 },
    /// Three shifts; `rotates`: another one each week.
    Shift { shift: u8, rotates: bool },
    /// On the road: the phone, a carrier's gateways, customers' towns.
    Field,
    /// A desk, and two trips a month.
    Traveller,
    /// A program: every hour, from one address.
    Service,
}

/// Second factor enrolled, and whether every login asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mfa {
    pub(super) factor: Option<Factor>,
    pub(super) always: bool,
}

/// What hides the address: nothing, the employer's egress, a service bought, or the browser's relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tunnel {
    None,
    Employer { permille: u32 },
    Bought { permille: u32 },
    Relay,
}

/// The way an event reaches the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    Home,
    Office,
    /// A carrier's gateway, another address each time.
    Mobile,
    /// A hotel, a customer, a café in the town where one stays.
    Guest,
    Employer,
    Bought,
    Relay,
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) number: u32,
    pub(super) user: String,
    pub(super) tenant: &'static str,
    pub(super) habit: Habit,
    pub(super) home: TownId,
    pub(super) office: TownId,
    /// Where the employer's egress stands.
    pub(super) egress: TownId,
    /// Where the carrier lets this phone out when it does not do so at home.
    pub(super) gateway: TownId,
    /// Towns that somebody on the road keeps coming back to.
    pub(super) customers: [TownId; 3],
    pub(super) mfa: Mfa,
    pub(super) tunnel: Tunnel,
    /// Local minute of the day at which work begins, and its spread.
    pub(super) begins: u32,
    pub(super) jitter: u32,
    pub(super) clumsy_permille: u32,
    pub(super) weekend_permille: u32,
    pub(super) evening_permille: u32,
    pub(super) commute_permille: u32,
    /// First of the apps that the user opens, and how many follow it.
    pub(super) app: u8,
    pub(super) apps: u8,
    pub(super) is_admin: bool,
    pub(super) laptop: Agent,
    pub(super) phone: Agent,
    /// Salt of everything that is this person's alone.
    pub(super) salt: u64,
}

impl Person {
    pub(super) fn new(seed: u64, number: u32, society: &Society) -> Self {
        let mut dice = Dice::new(seed, number, Purpose::Persona, 0);
        let company = society.company(&mut dice);
        let fallback = Office::default();
        let office = dice.pick(&company.offices).unwrap_or(&fallback);
        let habit = habit(&mut dice);
        let salt = dice.word();
        let home = home(office, habit, &mut dice);
        let service = habit == Habit::Service;
        let customers = [0; 3].map(|_| dice.pick(&office.region).copied().unwrap_or(home));
        Self {
            number,
            user: name(number, service, salt),
            tenant: company.tenant,
            habit,
            home,
            office: office.town,
            egress: company.egress,
            gateway: gateway(office, home, salt),
            customers,
            mfa: mfa(&mut dice, service),
            tunnel: tunnel(&mut dice, habit),
            begins: begins(habit, &mut dice),
            jitter: dice.within(8..=35),
            clumsy_permille: dice.within(10..=70),
            weekend_permille: dice.within(0..=250),
            evening_permille: dice.within(0..=400),
            commute_permille: dice.within(0..=450),
            app: u8::try_from(dice.below(APPS_COUNT)).unwrap_or(0),
            apps: u8::try_from(dice.within(2..=5)).unwrap_or(2),
            is_admin: dice.chance(30),
            laptop: if service { PROGRAM } else { agent(LAPTOPS, &mut dice) },
            phone: agent(PHONES, &mut dice),
            salt,
        }
    }

    /// The address over `via` from the town where the person is. `lease` moves on when the provider
    /// hands out another address, `turn` with every connection.
    pub(super) fn address(&self, world: &World, via: Via, here: TownId, lease: u64, turn: u64) -> IpAddr {
        let own = spread(self.salt);
        let of = |town: TownId, salt| world.town(town).network(salt);
        match via {
            Via::Home => address(pool(of(self.home, own), own), spread(self.salt ^ lease)),
            Via::Office => {
                let building = spread(u64::from(self.office) ^ OFFICE_SALT);
                address(
                    pool(of(self.office, building), building),
                    building % OFFICE_EXITS + turn % OFFICE_EXITS,
                )
            }
            Via::Employer => {
                let building = spread(u64::from(self.egress) ^ EGRESS_SALT);
                address(
                    pool(of(self.egress, building), building),
                    building % EGRESS_EXITS + turn % EGRESS_EXITS,
                )
            }
            Via::Guest => {
                let hotel = spread(self.salt ^ u64::from(here) ^ lease << 32);
                address(pool(of(here, hotel), hotel), hotel)
            }
            Via::Mobile => self.gateway_address(world, here, turn),
            Via::Bought => {
                let exit = spread(own ^ (turn % EXITS_USED));
                world.special(NetworkClass::Vpn, None, exit).map_or_else(
                    || self.gateway_address(world, here, turn),
                    |network| address(network, spread(exit)),
                )
            }
            Via::Relay => {
                let country = world.town(here).country;
                world.special(NetworkClass::Relay, Some(country), spread(own ^ turn)).map_or_else(
                    || address(pool(of(self.home, own), own), spread(self.salt ^ lease)),
                    |network| address(network, spread(turn ^ own)),
                )
            }
        }
    }

    /// A carrier shares few addresses among many phones; abroad the home carrier still carries.
    fn gateway_address(&self, world: &World, here: TownId, turn: u64) -> IpAddr {
        let operator = self.salt % OPERATORS;
        let roll = spread(self.salt ^ turn);
        let abroad = world.town(here).country != world.town(self.home).country;
        let town = if abroad {
            here
        } else if roll % 1000 < GATEWAY_ELSEWHERE_PERMILLE {
            self.gateway
        } else {
            self.home
        };
        let network = world.town(town).carrier(spread(operator));
        address(pool(network, spread(operator ^ CARRIER_SALT)), spread(roll % GATEWAY_ADDRESSES))
    }

    pub(super) fn is_service(&self) -> bool {
        self.habit == Habit::Service
    }

    /// What a login of this person presents.
    pub(super) fn factors(&self, asked: bool) -> Factors {
        let password = Factors::of(Factor::Password);
        match self.mfa.factor {
            Some(key @ (Factor::WebauthnPlatform | Factor::WebauthnRoaming)) => Factors::of(key),
            Some(factor) if asked || self.mfa.always => password.with(factor),
            _ => password,
        }
    }
}

/// The tenants, with what their people choose from; made once.
#[derive(Clone, Debug)]
pub(super) struct Society(Vec<Company>);

/// A tenant: its offices (the head office thrice, so that more work there) and where its egress is.
#[derive(Clone, Debug)]
struct Company {
    tenant: &'static str,
    offices: Vec<Office>,
    egress: TownId,
}

#[derive(Clone, Debug, Default)]
struct Office {
    town: TownId,
    /// Towns of the same country: near enough to commute, to visit, and all of them.
    commute: Vec<TownId>,
    region: Vec<TownId>,
    country: Vec<TownId>,
}

impl Society {
    pub(super) fn new(seed: u64, world: &World) -> Self {
        Self((0..).zip(TENANTS).map(|(number, tenant)| Company::new(seed, number, tenant, world)).collect())
    }

    /// Town of the first tenant's head office.
    pub(super) fn head(&self) -> TownId {
        self.0.first().map_or(0, |company| company.egress)
    }

    fn company(&self, dice: &mut Dice) -> &Company {
        let second = dice.chance(SECOND_TENANT_PERMILLE);
        self.0.get(usize::from(second)).unwrap_or(&NO_COMPANY)
    }
}

impl Company {
    fn new(seed: u64, number: u32, tenant: &'static str, world: &World) -> Self {
        let mut dice = Dice::new(seed, number, Purpose::Tenant, 0);
        let town = |dice: &mut Dice| TownId::try_from(dice.below(world.len())).unwrap_or(0);
        let head = town(&mut dice);
        let country = world.towns(|id, town| town.country == world.town(head).country && id != head);
        let mut towns = vec![head, head, head];
        towns.extend(dice.pick(&country));
        towns.extend(dice.pick(&country));
        towns.push(town(&mut dice));
        towns.push(town(&mut dice));
        let offices = towns.into_iter().map(|town| Office::new(town, world)).collect();
        Self { tenant, offices, egress: head }
    }
}

impl Office {
    fn new(town: TownId, world: &World) -> Self {
        let country = world.towns(|_, other| other.country == world.town(town).country);
        let within = |km| country.iter().copied().filter(|id| world.distance_km(town, *id) <= km).collect();
        Self { town, commute: within(COMMUTE_KM_MAX), region: within(REGION_KM_MAX), country }
    }
}

fn habit(dice: &mut Dice) -> Habit {
    let office_days = |dice: &mut Dice, least: u32| {
        let mut days = (0..5_u8).collect::<Vec<_>>();
        while days.len() > dice.within(least..=5) as usize {
            let out = dice.below(5) as usize;
            if out < days.len() {
                days.remove(out);
            }
        }
        days.iter().fold(0_u8, |mask, day| mask | 1 << day)
    };
    match dice.weighted(&[36, 24, 13, 9, 5, 8, 4, 1]) {
        0 => Habit::Desk { office_days: 0b1_1111 },
        1 => Habit::Desk { office_days: office_days(dice, 2) },
        2 => Habit::Desk { office_days: 0 },
        3 => Habit::Shift { shift: u8::try_from(dice.below(3)).unwrap_or(0), rotates: false },
        4 => Habit::Shift { shift: u8::try_from(dice.below(3)).unwrap_or(0), rotates: true },
        5 => Habit::Field,
        6 => Habit::Traveller,
        _ => Habit::Service,
    }
}

/// The office's town, or one from which people still come, or anywhere in the country for those who
/// need not.
fn home(office: &Office, habit: Habit, dice: &mut Dice) -> TownId {
    let (towns, in_town_permille) = match habit {
        Habit::Desk { office_days: 0 } => (&office.country, 300),
        Habit::Field | Habit::Traveller => (&office.region, 650),
        _ => (&office.commute, 650),
    };
    if dice.chance(in_town_permille) {
        return office.town;
    }
    dice.pick(towns).copied().unwrap_or(office.town)
}

/// The carrier's own gateway for all its customers of one region; one carrier has a single one for
/// the whole country.
fn gateway(office: &Office, home: TownId, salt: u64) -> TownId {
    let operator = salt % OPERATORS;
    let towns = if operator == 0 { &office.country } else { &office.region };
    let count = u64::try_from(towns.len().max(1)).unwrap_or(1);
    let at = usize::try_from(spread(operator ^ CARRIER_SALT) % count).unwrap_or(0);
    towns.get(at).copied().unwrap_or(home)
}

fn mfa(dice: &mut Dice, service: bool) -> Mfa {
    if service {
        return Mfa { factor: None, always: false };
    }
    let factor = match dice.weighted(&[25, 30, 28, 13, 4]) {
        0 => None,
        1 => Some(Factor::Totp),
        2 => Some(Factor::Push),
        3 => Some(Factor::WebauthnPlatform),
        _ => Some(Factor::WebauthnRoaming),
    };
    Mfa { factor, always: dice.chance(650) }
}

fn tunnel(dice: &mut Dice, habit: Habit) -> Tunnel {
    match habit {
        Habit::Service => Tunnel::None,
        Habit::Desk { office_days: 0 } if dice.chance(350) => {
            Tunnel::Employer { permille: dice.within(600..=1000) }
        }
        _ => match dice.weighted(&[88, 6, 3, 3]) {
            1 => Tunnel::Employer { permille: dice.within(150..=600) },
            2 => Tunnel::Bought { permille: dice.within(100..=500) },
            3 => Tunnel::Relay,
            _ => Tunnel::None,
        },
    }
}

fn begins(habit: Habit, dice: &mut Dice) -> u32 {
    match habit {
        Habit::Shift { .. } => dice.about(15, 6),
        Habit::Service => dice.below(60),
        _ => dice.about(8 * 60 + 40, 40).clamp(6 * 60, 11 * 60),
    }
}

pub(super) fn agent(from: &[(u32, Os, Browser)], dice: &mut Dice) -> Agent {
    let weights: Vec<u32> = from.iter().map(|(weight, ..)| *weight).collect();
    let (os, browser) = from
        .get(dice.weighted(&weights))
        .map_or((Os::Windows, Browser::Chrome), |(_, os, browser)| (*os, *browser));
    Agent { os, browser, lag_days: u8::try_from(dice.below(12)).unwrap_or(0) }
}

fn name(number: u32, service: bool, salt: u64) -> String {
    if service {
        return format!("svc-{number}");
    }
    let word = |words: &[&'static str], salt: u64| {
        let count = u64::try_from(words.len().max(1)).unwrap_or(1);
        words.get(usize::try_from(salt % count).unwrap_or(0)).copied().unwrap_or("sam")
    };
    format!("{}.{}{number}", word(FIRST_NAMES, salt), word(LAST_NAMES, salt >> 20))
}

const PROGRAM: Agent = Agent { os: Os::Other, browser: Browser::Tool, lag_days: 0 };

/// What people open. Each keeps to a few in a row; the last [`RARE_APPS`] are for few.
pub(super) const APPS: &[&str] = &[
    "mail",
    "calendar",
    "wiki",
    "chat",
    "tickets",
    "crm",
    "payroll",
    "expenses",
    "code",
    "builds",
    "dashboards",
    "storage",
    "meetings",
    "learning",
    "helpdesk",
    "travel",
];
pub(super) const RARE_APPS: &[&str] =
    &["hr-records", "finance-ledger", "secrets", "directory-admin", "data-export", "backups"];
#[expect(clippy::cast_possible_truncation, reason = "a short list")]
const APPS_COUNT: u32 = APPS.len() as u32;

/// The second is a small one.
const TENANTS: [&str; 2] = ["acme", "globex"];
const SECOND_TENANT_PERMILLE: u32 = 100;
static NO_COMPANY: Company = Company { tenant: "acme", offices: Vec::new(), egress: 0 };

const COMMUTE_KM_MAX: u32 = 70;
const REGION_KM_MAX: u32 = 300;
const OPERATORS: u64 = 3;
const GATEWAY_ADDRESSES: u64 = 400;
/// Of connections whose gateway stands in another town than the phone.
const GATEWAY_ELSEWHERE_PERMILLE: u64 = 350;
const OFFICE_EXITS: u64 = 2;
const EGRESS_EXITS: u64 = 4;
const EXITS_USED: u64 = 3;
const OFFICE_SALT: u64 = 0x6f66_6669_6365;
const EGRESS_SALT: u64 = 0x6567_7265_7373;
const CARRIER_SALT: u64 = 0x6361_7272_6965;

const FIRST_NAMES: &[&str] = &[
    "ada", "amir", "ana", "ben", "bola", "carla", "chen", "dara", "elif", "emma", "femi", "grace", "hana",
    "hugo", "ines", "ivan", "jan", "jun", "kofi", "lara", "leo", "lin", "luca", "maya", "mina", "noah",
    "nora", "olga", "omar", "paul", "priya", "rosa", "ravi", "sara", "sofia", "tariq", "tom", "uma", "vera",
    "wei", "yara", "zoe",
];
const LAST_NAMES: &[&str] = &[
    "adeyemi", "ali", "alvarez", "bauer", "becker", "brown", "chen", "costa", "diaz", "dubois", "evans",
    "fischer", "garcia", "gupta", "hansen", "ito", "jansen", "jones", "kaya", "khan", "kim", "kovacs",
    "larsen", "li", "lopez", "martin", "mensah", "meyer", "mori", "nguyen", "novak", "okafor", "patel",
    "rossi", "sato", "schmidt", "silva", "singh", "smith", "tanaka", "weber", "wilson",
];

#[cfg(test)]
mod tests {
    use super::super::world::tests::world;
    use super::*;

    #[track_caller]
    fn person(seed: u64, number: u32) -> Person {
        Person::new(seed, number, &Society::new(seed, &world()))
    }

    #[test]
    fn a_person_is_the_same_whoever_else_is_there() {
        assert_eq!(format!("{:?}", person(7, 41)), format!("{:?}", person(7, 41)));
        assert_ne!(person(8, 41).salt, person(7, 41).salt);
    }

    #[test]
    fn people_live_within_reach_of_their_office() {
        let world = world();
        for number in 0..500 {
            let person = person(3, number);
            let km = world.distance_km(person.home, person.office);
            assert_eq!(world.town(person.home).country, world.town(person.office).country);
            if let Habit::Desk { office_days: 1.. } = person.habit {
                assert!(km <= COMMUTE_KM_MAX, "{} lives {km} km away", person.user);
            }
        }
    }

    #[test]
    fn addresses_are_of_the_town() {
        let world = world();
        for number in 0..200 {
            let person = person(3, number);
            let home = world.town(person.home).network(0);
            let gateway = world.town(person.gateway).network(0);
            for turn in 0..20 {
                assert!(home.contains(&person.address(&world, Via::Home, person.home, turn, 0)));
                let mobile = person.address(&world, Via::Mobile, person.home, 0, turn);
                assert!(home.contains(&mobile) || gateway.contains(&mobile));
            }
        }
    }
}
