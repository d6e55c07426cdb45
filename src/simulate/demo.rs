//! The demo's script: a cast with four weeks of history, then two attacks that a viewer can follow.
//!
//! History and live part are one run. The live part goes on at [`PACE`] times the pace of life, so
//! that a minute of watching holds three hours; into it the scenes are put: a password used from
//! abroad, and a session that is stolen.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;

use super::agents::LAPTOPS;
use super::attacks::Attack;
use super::calendar::{self, Stay};
use super::campaign::far_town;
use super::day::{Device, User, device};
use super::dice::{Dice, Purpose};
use super::person::{Habit, Tunnel, Via, agent};
use super::world::{DAY_SECONDS, TownId, address};
use super::{Plan, Simulated, Stream, World, start_of};
use crate::model::event::{About, Body, Event};
use crate::model::time::Timestamp;
use crate::model::{
    ChallengeOutcome, Factor, Factors, FailureReason, FeedbackBy, Outcome, Privilege, SessionChange,
    SubjectKind, Verdict,
};

/// An event of the live part: when it is shown, and what a narrator says.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// Milliseconds after the live part began.
    pub after_ms: u64,
    pub simulated: Simulated,
    /// Said before this event.
    pub caption: Option<String>,
}

/// The history first, as an iterator; then [`Script::live`].
#[derive(Debug)]
pub struct Script {
    stream: Stream,
    begins: Timestamp,
    seed: u64,
    /// The scenes end within so many milliseconds.
    length_ms: u64,
}

/// The script of a seed, with its scenes inside of `seconds`, and of the first minute.
#[must_use]
pub fn script(seed: u64, world: World, seconds: u64) -> Script {
    let start = start_of(seed);
    let plan = Plan { users: CAST, seed, attacks: Vec::new(), start, days: HISTORY_DAYS };
    let stream = Stream::new(&plan, world);
    // A working day, at half past nine where most of the cast are.
    let head = stream.setting.society.head();
    let first_day = stream.setting.season.first_day;
    let day = first_day + i32::try_from(HISTORY_DAYS).unwrap_or(0) + 1;
    let midnight = stream.setting.world.town(head).midnight(day);
    let begins = Timestamp::from_micros(midnight + 570 * 60_000_000).unwrap_or(start);
    Script { stream, begins, seed, length_ms: seconds.clamp(5, 60) * 1000 }
}

impl Script {
    /// Event time at which the live part begins.
    #[must_use]
    pub const fn begins(&self) -> Timestamp {
        self.begins
    }

    /// The live part, without an end: in step with the viewer's time by [`Cue::after_ms`].
    #[must_use]
    pub fn live(mut self) -> Live {
        while self.stream.peek().is_some_and(|at| at < self.begins) {
            self.stream.pass();
        }
        let scenes = self.scenes();
        Live { stream: self.stream, begins: self.begins, scenes, muted: None }
    }

    fn scenes(&self) -> VecDeque<Cue> {
        let mut dice = Dice::new(self.seed, 0, Purpose::Campaign, u64::MAX);
        let mut scenes = Scenes { script: self, cues: VecDeque::new() };
        if let Some((first, second)) = self.victims() {
            scenes.stolen_password(first, &mut dice);
            scenes.stolen_session(second, &mut dice);
        }
        scenes.cues
    }

    /// Two with regular days, at work now.
    fn victims(&self) -> Option<(&User, &User)> {
        let setting = &self.stream.setting;
        let day = i32::try_from(self.begins.seconds().div_euclid(DAY_SECONDS)).unwrap_or(0);
        let steady = |user: &&User| {
            let person = &user.person;
            let midnight = setting.world.town(person.home).midnight(day);
            let minute = (self.begins.micros() - midnight) / 60_000_000;
            let at_home = |day| calendar::stay(person, day, setting) == Stay::Home;
            matches!(person.habit, Habit::Desk { .. })
                && person.tunnel == Tunnel::None
                && (i64::from(person.begins) - 60..i64::from(person.begins) + 240).contains(&minute)
                && (day - 1..=day + 1).all(at_home)
        };
        let mut steady = self.stream.lives.iter().map(|life| &life.user).filter(steady);
        Some((steady.next()?, steady.next()?))
    }
}

impl Iterator for Script {
    type Item = Simulated;

    /// The next event of the history.
    fn next(&mut self) -> Option<Simulated> {
        if self.stream.peek()? < self.begins { self.stream.next() } else { None }
    }
}

/// The live part.
#[derive(Debug)]
pub struct Live {
    stream: Stream,
    begins: Timestamp,
    scenes: VecDeque<Cue>,
    /// A user whose own life is not shown: the script plays it.
    muted: Option<Cow<'static, str>>,
}

impl Iterator for Live {
    type Item = Cue;

    fn next(&mut self) -> Option<Cue> {
        loop {
            let at = self.stream.peek()?;
            let after_ms = at.micros().saturating_sub(self.begins.micros()) / 1000 / PACE;
            let after_ms = u64::try_from(after_ms).unwrap_or(0);
            if self.scenes.front().is_some_and(|cue| cue.after_ms <= after_ms) {
                let cue = self.scenes.pop_front()?;
                if cue.simulated.attack == Some(Attack::SessionTheft) {
                    self.muted = Some(cue.simulated.event.user.clone());
                }
                if self.scenes.is_empty() {
                    self.muted = None;
                }
                return Some(cue);
            }
            let simulated = self.stream.next()?;
            if self.muted.as_ref() != Some(&simulated.event.user) {
                return Some(Cue { after_ms, simulated, caption: None });
            }
        }
    }
}

struct Scenes<'s> {
    script: &'s Script,
    cues: VecDeque<Cue>,
}

/// Who acts: on which device, from where, as whom.
#[derive(Clone, Copy)]
struct Actor<'s> {
    user: &'s User,
    ip: IpAddr,
    device: Device,
    attack: Option<Attack>,
}

impl<'s> Scenes<'s> {
    fn stolen_password(&mut self, user: &'s User, dice: &mut Dice) {
        let (name, thief, town) = self.thief(user, Attack::StolenPasswordAbroad, dice);
        let password = Factors::of(Factor::Password);
        let wrong = |reason| Body::Login {
            outcome: Outcome::Failure,
            failure_reason: Some(reason),
            factors: password,
        };
        let caption = format!("In {town} somebody tries passwords of {name}");
        self.put(8_000, thief, None, wrong(FailureReason::BadCredentials), Some(caption));
        self.put(9_500, thief, None, wrong(FailureReason::BadCredentials), None);
        let session = "s-demo-stolen-password";
        let right = Body::Login { outcome: Outcome::Success, failure_reason: None, factors: password };
        let caption = format!("One is right: a login of {name}, far from home, on a device never seen");
        self.put(11_500, thief, Some(session), right, Some(caption));
        let refused = Body::Challenge {
            challenge_id: Some(Cow::Borrowed("c-demo")),
            factor: Some(Factor::Push),
            outcome: ChallengeOutcome::Denied,
        };
        let caption = format!("Asked to prove more, and {name} says no on the phone");
        self.put(14_500, thief, Some(session), refused, Some(caption));
        let owner = self.owner(user);
        let not_me = Body::Feedback {
            verdict: Verdict::Compromised,
            about: About { session_id: Some(Cow::Borrowed(session)), ..About::default() },
            by: FeedbackBy::User,
            assurance: None,
        };
        self.put(18_000, owner, None, not_me, Some(format!("{name} reports: that was not me")));
    }

    fn stolen_session(&mut self, user: &'s User, dice: &mut Dice) {
        let (name, thief, town) = self.thief(user, Attack::SessionTheft, dice);
        let owner = self.owner(user);
        let session = "s-demo-stolen-session";
        let login = Body::Login {
            outcome: Outcome::Success,
            failure_reason: None,
            factors: user.person.factors(true),
        };
        let change = |change| Body::Session { change, token_id: None, previous_token_id: None };
        let access = Body::Access { outcome: Outcome::Success };
        let caption = format!("{name} signs in, as every morning");
        self.put(25_000, owner, Some(session), login.clone(), Some(caption));
        self.put(25_300, owner, Some(session), change(SessionChange::Start), None);
        self.put(28_000, owner, Some(session), access.clone(), None);
        let caption = format!("The same session turns up in {town}, on another device");
        self.put(33_000, thief, Some(session), change(SessionChange::Refresh), Some(caption));
        self.put(34_200, thief, Some(session), access, None);
        self.put(37_000, owner, Some(session), change(SessionChange::End), None);
        let caption = format!("{name} signs in again, in a session of their own");
        self.put(41_000, owner, Some("s-demo-again"), login, Some(caption));
        self.put(41_300, owner, Some("s-demo-again"), change(SessionChange::Start), None);
    }

    fn put(
        &mut self,
        after_ms: u64,
        who: Actor<'_>,
        session: Option<&'static str>,
        body: Body<'static>,
        caption: Option<String>,
    ) {
        let script = self.script;
        let after_ms = after_ms * script.length_ms / SCENES_MS;
        let later = i64::try_from(after_ms).unwrap_or(0) * 1000 * PACE;
        let at = Timestamp::from_micros(script.begins.micros() + later).unwrap_or(script.begins);
        let person = &who.user.person;
        let day = i32::try_from(at.seconds().div_euclid(DAY_SECONDS)).unwrap_or(0);
        let is_access = matches!(body, Body::Access { .. });
        let event = Event {
            id: Cow::Owned(format!("demo-{:08x}-{}", script.seed, self.cues.len())),
            has_own_id: true,
            tenant: Cow::Borrowed(person.tenant),
            user: Cow::Owned(person.user.clone()),
            occurred_at: at,
            source: Some(Cow::Borrowed("okta")),
            source_user_id: None,
            source_session_id: None,
            subject_kind: SubjectKind::Person,
            groups: Vec::new(),
            actor_id: None,
            app: is_access.then_some(Cow::Borrowed("payroll")),
            resource: None,
            privilege: if is_access { Privilege::User } else { Privilege::None },
            session_id: session.map(Cow::Borrowed),
            ip_address: Some(who.ip),
            ip_chain: Vec::new(),
            user_agent: Some(Cow::Owned(who.device.agent.text(day))),
            device_fingerprint: Some(Cow::Owned(who.device.name())),
            device_managed: None,
            tls_fingerprint: None,
            rtt_ms: None,
            place_hint: None,
            network_hint: None,
            interactive: true,
            evaluation_id: None,
            backfill: false,
            body,
        };
        self.cues.push_back(Cue { after_ms, simulated: Simulated { event, attack: who.attack }, caption });
    }

    /// The user on the usual device at home.
    fn owner(&self, user: &'s User) -> Actor<'s> {
        let world = &self.script.stream.setting.world;
        let day = i32::try_from(self.script.begins.seconds().div_euclid(DAY_SECONDS)).unwrap_or(0);
        let ip = user.person.address(world, Via::Home, user.person.home, user.lease(day), 0);
        Actor { user, ip, device: user.laptop.device, attack: None }
    }

    fn thief(&self, user: &'s User, attack: Attack, dice: &mut Dice) -> (String, Actor<'s>, String) {
        let world = &self.script.stream.setting.world;
        let from: TownId = far_town(world, user.person.home, dice);
        let town = world.town(from);
        let ip = address(town.network(dice.word()), dice.word());
        let device = device(&user.person, agent(LAPTOPS, dice), dice.word() | 1 << 63);
        let place = if town.name.is_empty() { town.country.as_str().to_owned() } else { town.name.clone() };
        (user.person.user.clone(), Actor { user, ip, device, attack: Some(attack) }, place)
    }
}

/// Users of the demo.
pub const CAST: u32 = 120;
const HISTORY_DAYS: u32 = 28;
/// Seconds of event time in one second of watching.
pub const PACE: i64 = 180;
/// The scenes are written for one minute.
const SCENES_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::super::world::tests::world;
    use super::*;
    use crate::model::EventType;

    #[track_caller]
    fn check(seed: u64, seconds: u64) {
        let mut script = script(seed, world(), seconds);
        let history: Vec<_> = script.by_ref().collect();
        assert!(history.len() > 20_000, "{}", history.len());
        let cues: Vec<_> = script.live().take_while(|cue| cue.after_ms < seconds * 1000).collect();
        assert!(cues.is_sorted_by_key(|cue| (cue.after_ms, cue.simulated.event.occurred_at)));
        let shown = |attack| cues.iter().filter(|cue| cue.simulated.attack == Some(attack)).count();
        assert_eq!((shown(Attack::StolenPasswordAbroad), shown(Attack::SessionTheft)), (4, 2), "seed {seed}");
        let said = cues.iter().filter(|cue| cue.caption.is_some()).count();
        assert_eq!(said, 7);
        let ordinary = cues.iter().filter(|cue| cue.simulated.attack.is_none()).count();
        assert!(ordinary > 20, "{ordinary}");
        let last = history.last().map(|made| made.event.occurred_at);
        assert!(last < cues.first().map(|cue| cue.simulated.event.occurred_at));
    }

    #[test]
    fn a_minute_holds_both_scenes() {
        check(7, 60);
        check(8, 60);
        check(9, 20);
    }

    #[test]
    fn a_stolen_session_is_one_that_was_opened() {
        let cues: Vec<_> = script(7, world(), 60).live().take_while(|cue| cue.after_ms < 60_000).collect();
        let stolen = cues.iter().find(|cue| cue.simulated.attack == Some(Attack::SessionTheft)).unwrap();
        let opened = cues.iter().find(|cue| {
            cue.simulated.event.session_id == stolen.simulated.event.session_id
                && cue.simulated.event.kind() == EventType::Login
        });
        assert!(opened.is_some_and(|cue| cue.after_ms < stolen.after_ms));
    }
}
