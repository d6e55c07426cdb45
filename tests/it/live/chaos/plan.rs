//! Which faults, in which order: from a seed, without a clock, so that a run can be had again.

use std::fmt;

use wardstream::halts::Point;

use crate::sim::script::Dice;

/// What is done to the running system. Each ends with everything up again that was up before, unless it
/// says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL wherever it stands.
    Kill,
    /// SIGKILL at a point that it comes to by itself.
    KillAt(Point),
    /// Stopped at a point, or anywhere, until its session is over and the others have gone on; then woken.
    Sleep(Option<Point>),
    /// Stopped for less than its session.
    Nap,
    /// SIGTERM, and back under its name.
    Restart,
    /// One process more, or one for good less.
    Join,
    Leave,
    /// Of a process that is down; `clean` says how it went.
    Store(Harm, Clean),
    /// Its store on a small disk of its own, which fills up while it runs.
    DiskFull,
    OffsetsDeleted,
    /// Another policy for every process, one after the other.
    Policy,
    /// Of the connections of one process: all closed at once.
    Cut,
    /// Nothing gets through, and nobody is let in, for so many seconds.
    Dark(u64),
    /// What it asks for waits, and reaches the broker late: perhaps when nobody waits for it any more.
    Late(u64),
    /// What it asks for is done; the answers wait, and its connections are cut before they come.
    Deaf(u64),
    /// Every piece takes so many milliseconds more, for some seconds.
    Slow(u64),
    /// SIGKILL, SIGTERM, and SIGSTOP for some seconds; of one of them, where there are several.
    BrokerKilled,
    BrokerStopped,
    BrokerFrozen(u64),
}

/// What a disk does to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    Deleted,
    Truncated,
    Flipped,
    /// Some keys are not there any more, by the store's own means.
    KeysRemoved,
    /// It is what it was some time ago.
    Old,
}

/// How a process ended whose store is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clean {
    Clean,
    Killed,
}

/// One step of a run: a fault, to whom, and whether the next waits until all is decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) fault: Fault,
    /// A number that the one it is done to is picked by.
    pub(super) whom: u64,
    pub(super) waits: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => write!(f, "kill -9"),
            Self::KillAt(point) => write!(f, "kill -9 {}", point.name()),
            Self::Sleep(None) => write!(f, "asleep past its session"),
            Self::Sleep(Some(point)) => write!(f, "asleep past its session {}", point.name()),
            Self::Nap => write!(f, "asleep within its session"),
            Self::Restart => write!(f, "restart"),
            Self::Join => write!(f, "a process joins"),
            Self::Leave => write!(f, "a process leaves for good"),
            Self::Store(harm, clean) => {
                let harm = match harm {
                    Harm::Deleted => "deleted",
                    Harm::Truncated => "truncated",
                    Harm::Flipped => "bits flipped",
                    Harm::KeysRemoved => "keys removed",
                    Harm::Old => "an old copy",
                };
                write!(f, "store {harm} after {}", if *clean == Clean::Clean { "a stop" } else { "a kill" })
            }
            Self::DiskFull => write!(f, "disk full"),
            Self::OffsetsDeleted => write!(f, "group offsets deleted"),
            Self::Policy => write!(f, "rolling change of policy"),
            Self::Cut => write!(f, "connections cut"),
            Self::Dark(_) => write!(f, "network gone"),
            Self::Late(_) => write!(f, "requests late"),
            Self::Deaf(_) => write!(f, "answers lost"),
            Self::Slow(_) => write!(f, "network slow"),
            Self::BrokerKilled => write!(f, "broker killed"),
            Self::BrokerStopped => write!(f, "broker stopped"),
            Self::BrokerFrozen(_) => write!(f, "broker frozen"),
        }
    }
}

/// Every kind of fault once.
fn deck(dice: &mut Dice) -> Vec<Fault> {
    use Fault::*;
    let mut deck = vec![Kill, Nap, Restart, Join, Leave, DiskFull, OffsetsDeleted, Policy, Policy, Cut];
    deck.extend(Point::ALL.map(KillAt));
    // The two points between which a sleeper's transaction may come true or not, and anywhere.
    deck.extend([Sleep(None), Sleep(Some(Point::AfterProduce)), Sleep(Some(Point::AfterOffsets))]);
    for harm in [Harm::Deleted, Harm::Truncated, Harm::Flipped, Harm::KeysRemoved, Harm::Old] {
        deck.push(Store(harm, if dice.roll(2) == 0 { Clean::Clean } else { Clean::Killed }));
    }
    deck.extend([Dark(2 + dice.roll(10)), Late(2 + dice.roll(10)), Deaf(2 + dice.roll(10))]);
    deck.extend([Slow(20 + dice.roll(400)), BrokerKilled, BrokerStopped, BrokerFrozen(1 + dice.roll(8))]);
    deck
}

/// What is short, and yet has one of each family: for every day.
fn short_deck() -> Vec<Fault> {
    use Fault::*;
    vec![
        KillAt(Point::AfterOffsets),
        Cut,
        KillAt(Point::AfterCommit),
        Store(Harm::Flipped, Clean::Killed),
        Deaf(3),
        KillAt(Point::AmidCheckpoint),
        Sleep(Some(Point::AfterOffsets)),
        BrokerKilled,
        Policy,
        Store(Harm::KeysRemoved, Clean::Clean),
    ]
}

/// `count` steps: each kind comes before any comes again.
pub(super) fn plan(seed: u64, count: usize, short: bool) -> Vec<Step> {
    let mut dice = Dice(seed);
    let mut left = Vec::new();
    let mut steps = Vec::new();
    while steps.len() < count {
        if left.is_empty() {
            left = if short { short_deck() } else { deck(&mut dice) };
        }
        let at = usize::try_from(dice.roll(left.len() as u64)).unwrap();
        let fault = left.swap_remove(at);
        steps.push(Step { fault, whom: dice.next(), waits: dice.roll(3) > 0 });
    }
    steps
}

#[test]
fn a_seed_is_a_plan() {
    let told = |seed| plan(seed, 80, false).iter().map(|step| step.fault.to_string()).collect::<Vec<_>>();
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
    let size = deck(&mut Dice(0)).len();
    let kinds = |told: &[String]| told.iter().cloned().collect::<std::collections::BTreeSet<_>>().len();
    assert!(kinds(&told(1)[..size]) >= size - 1, "two changes of policy, and every other kind once");
    assert_eq!(plan(3, 10, true).len(), short_deck().len(), "the short run has all of its deck");
}
