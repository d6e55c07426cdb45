//! What the default policy makes of simulated traffic: every attack and every false alarm, in a table.
//!
//! **An attack is caught** when its main event is `step_up` or stricter: the first successful login,
//! session change or access that carries its label. **A false alarm** is a genuine successful login
//! of a mature user above `allow`. The table is printed, attack by attack and cause by cause; run
//! with `--nocapture` to see it, and compare it before and after whatever you change.

use std::collections::BTreeMap;

use wardstream::engine::REVISION;
use wardstream::engine::across::Local;
use wardstream::engine::baseline::Profile;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::engine::enrich::Enricher;
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::{Basis, Decision};
use wardstream::model::event::{Body, Event};
use wardstream::model::id::Position;
use wardstream::model::{Action, ChallengeOutcome, EventType, History, Outcome};
use wardstream::ports::tables::Tables as _;
use wardstream::simulate::{Attack, Plan, Simulated, Stream, World, start_of};

#[test]
fn attacks_are_caught_and_people_left_in_peace() {
    let mut table = Table::default();
    play(1_000, 60, Attack::ALL, |made, decision| table.note(made, decision));
    println!("{table}");

    for attack in [Attack::StolenPasswordAbroad, Attack::SessionTheft, Attack::MfaFatigue] {
        let campaigns = table.of(attack);
        assert!(campaigns.len() >= 10, "{} of {}", campaigns.len(), attack.name());
        let missed: Vec<_> =
            campaigns.iter().filter(|(_, campaign)| campaign.main.0 < Action::StepUp).collect();
        assert!(missed.is_empty(), "{} missed {} times: {missed:#?}", attack.name(), missed.len());
    }
    let alarms = table.alarms_permille();
    assert!(alarms <= 20.0, "{alarms:.1} ‰ of genuine logins of mature users are above allow");
}

/// A raid shows only across users: who comes in is met by what was seen of all the others before.
#[test]
fn raids_are_met_where_they_come_in() {
    let mut table = Table::default();
    let raids = [Attack::PasswordSpray, Attack::CredentialStuffing];
    play(1_000, 40, &raids, |made, decision| table.note(made, decision));
    println!("{table}");

    for raid in raids {
        let victims = table.of(raid);
        assert!(victims.len() >= 5, "{} of {}", victims.len(), raid.name());
        let main = || victims.iter().map(|(_, campaign)| &campaign.main);
        assert!(main().all(|(action, _)| *action >= Action::StepUp), "{}: {victims:#?}", raid.name());
        // Whoever comes in among the first twenty is met by what a single user shows.
        let named = main().filter(|(_, causes)| causes.contains(raid.name())).count();
        assert!(named * 10 >= victims.len() * 8, "{named} of {}: {victims:#?}", raid.name());
    }
    let wrong =
        table.alarms.keys().filter(|(_, causes)| raids.iter().any(|raid| causes.contains(raid.name())));
    assert_eq!(wrong.count(), 0, "nobody pays for where they are at home");
}

/// Folds the traffic of `users` over `days` and hands on every decision.
fn play(users: u32, days: u32, attacks: &[Attack], mut each: impl FnMut(&Simulated, &Decision<'_>)) {
    let tables = Builtin::new();
    let policy = Policy::shipped("default").unwrap();
    let basis = Basis { policy: policy.digest, engine: REVISION, tables: tables.digest(), model: None };
    let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
    let plan = Plan { users, seed: SEED, attacks: attacks.to_vec(), start: start_of(SEED), days };
    let end = plan.start.seconds() + i64::from(days) * 86_400;
    let limits = Limits::default();
    let (mut enricher, mut across) = (Enricher::default(), Local::default());
    let mut profiles = BTreeMap::<_, Profile>::new();
    let mut bytes = Vec::new();
    for (offset, made) in (0..).zip(Stream::new(&plan, World::of(&tables).unwrap())) {
        if made.event.occurred_at.seconds() >= end {
            break;
        }
        bytes.clear();
        emit::event_json(&made.event, &mut bytes);
        let decoded = decode(&bytes, Format::Json, "none", None, &limits).unwrap();
        let mut seen = enricher.enrich(decoded.event, &tables);
        seen.facts.across = across.look_up(&seen);
        let profile = profiles.entry(made.event.user.to_string()).or_default();
        let position = Position { topic: None, partition: 0, offset };
        match step(profile, &seen, position, &setting) {
            Stepped::Decided(ruling) => {
                each(&made, &ruling.decision);
                across.take(&seen, ruling.sightings, offset.unsigned_abs() + 1);
            }
            other => panic!("{} gave {other:?}", made.event.id),
        }
    }
}

/// An attack on one user: what was decided of its main event and of the worst, and why.
#[derive(Debug)]
struct Campaign {
    mature: bool,
    main: (Action, String),
    worst: Action,
}

#[derive(Default)]
struct Table {
    campaigns: BTreeMap<(Attack, String), Campaign>,
    /// Genuine successful logins of mature users: all, and those above `allow` by cause.
    logins: u32,
    alarms: BTreeMap<(Action, String), u32>,
    /// Of those without a second factor.
    plain: (u32, u32),
    young: (u32, u32),
}

impl Table {
    fn note(&mut self, made: &Simulated, decision: &Decision<'_>) {
        let causes = causes(decision);
        if let Some(attack) = made.attack {
            if is_main(&made.event) {
                let key = (attack, made.event.user.to_string());
                let campaign = self.campaigns.entry(key).or_insert_with(|| Campaign {
                    mature: decision.history == History::Mature,
                    main: (decision.action, causes.clone()),
                    worst: decision.action,
                });
                campaign.worst = campaign.worst.max(decision.action);
            }
            return;
        }
        let Body::Login { outcome: Outcome::Success, factors, .. } = &made.event.body else { return };
        let alarm = decision.action > Action::Allow;
        if decision.history != History::Mature {
            self.young.0 += 1;
            self.young.1 += u32::from(alarm);
            return;
        }
        self.logins += 1;
        if factors.iter().count() == 1 && factors.has(wardstream::model::Factor::Password) {
            self.plain.0 += 1;
            self.plain.1 += u32::from(alarm);
        }
        if alarm {
            *self.alarms.entry((decision.action, causes)).or_default() += 1;
        }
    }

    /// The attacks of a kind on mature users.
    fn of(&self, attack: Attack) -> Vec<(&str, &Campaign)> {
        let all = self.campaigns.iter().filter(|((kind, _), campaign)| *kind == attack && campaign.mature);
        all.map(|((_, user), campaign)| (user.as_str(), campaign)).collect()
    }

    fn alarms_permille(&self) -> f64 {
        1000.0 * f64::from(self.alarms.values().sum::<u32>()) / f64::from(self.logins.max(1))
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "\nattack                    users  main event: allow challenge step_up deny revoke   worst ≥ step_up"
        )?;
        for attack in Attack::KNOWN.iter().filter(|attack| !self.of(**attack).is_empty()) {
            let campaigns = self.of(*attack);
            let main = |action| campaigns.iter().filter(|(_, campaign)| campaign.main.0 == action).count();
            let counts: String = Action::ALL.iter().map(|action| format!(" {:>7}", main(*action))).collect();
            let worst = campaigns.iter().filter(|(_, campaign)| campaign.worst >= Action::StepUp).count();
            writeln!(f, "{:<24} {:>6}            {counts}  {worst:>10}", attack.name(), campaigns.len())?;
            let mut why = BTreeMap::<_, u32>::new();
            for (_, campaign) in &campaigns {
                *why.entry(&campaign.main).or_default() += 1;
            }
            for ((action, causes), count) in by_count(&why).into_iter().take(6) {
                writeln!(f, "    {count:>4}  {action:<10} {causes}")?;
            }
        }
        let alarms: u32 = self.alarms.values().sum();
        writeln!(
            f,
            "\ngenuine logins of mature users: {}, above allow: {alarms} ({:.1} ‰)",
            self.logins,
            self.alarms_permille()
        )?;
        writeln!(
            f,
            "  with a password alone: {} of {}; of users not yet mature: {} of {}",
            self.plain.1, self.plain.0, self.young.1, self.young.0
        )?;
        for ((action, causes), count) in by_count(&self.alarms).into_iter().take(20) {
            writeln!(f, "    {count:>4}  {action:<10} {causes}")?;
        }
        Ok(())
    }
}

fn by_count<K>(counts: &BTreeMap<K, u32>) -> Vec<(&K, u32)> {
    let mut counts: Vec<_> = counts.iter().map(|(key, count)| (key, *count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The signals that added points, and the rules that acted.
fn causes(decision: &Decision<'_>) -> String {
    let signals = decision.reasons.iter().filter(|reason| reason.points > 0);
    let mut causes: Vec<_> = signals.map(|reason| reason.signal.name()).collect();
    causes.extend(decision.rules.iter().filter(|rule| !rule.report_only).map(|rule| rule.id));
    causes.join(" + ")
}

fn is_main(event: &Event<'_>) -> bool {
    match &event.body {
        Body::Login { outcome, .. } | Body::Access { outcome } => *outcome == Outcome::Success,
        Body::Challenge { outcome, .. } => {
            *outcome == ChallengeOutcome::Approved && event.session_id.is_some()
        }
        _ => event.kind() == EventType::Session,
    }
}

const SEED: u64 = 20_261;
