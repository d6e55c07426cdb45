//! Whatever fails, and wherever, what comes out is the fold of the events through the engine.
//!
//! First every pair of faults at every pair of steps over a short log; then thousands of seeds over
//! longer ones. `SEED=… cargo test --test it sim::swarm` replays one, `SEEDS=…` runs more of them.
//! [`relays`] does the same to what has no lanes. Mistakes are planted, and each has to be seen.

mod checks;
mod copies;
mod disk;
mod faulty;
mod input;
mod meet;
mod relays;
pub(crate) mod script;
mod seen;
mod swarm;
mod worker;
mod world;
mod yardstick;

use std::rc::Rc;

use input::Input;
use script::{Dice, FAULTS, Fate, Plant};
use swarm::Reached;
use world::{Fixed, World};
use yardstick::Folded;

const LOG: &str = "
    09:00 acme/ada laptop london login s1
    09:01 acme/bob tablet london
    09:02 acme/ada phone  london refresh s1
    11:01 acme/bob tablet london !unkeyed
";

#[test]
fn without_faults() {
    for log in [LOG, ERASURE] {
        assert_eq!(Short::new(log).run(|_| Fate::Succeeds), Ok(()));
    }
}

/// Ada is erased in one unit, and comes back in the next.
const ERASURE: &str = "
    09:00 acme/ada laptop london
    09:01 acme/ada laptop london erase
    09:02 acme/ada phone  london
";

#[test]
fn every_pair_of_faults() {
    pairs(&Short::new(LOG));
}

#[test]
fn every_pair_of_faults_around_an_erasure() {
    let short = Short::new(ERASURE);
    assert_eq!(short.folded.iter().map(|folded| folded.erased).sum::<usize>(), 1);
    pairs(&short);
}

fn pairs(short: &Short) {
    let steps = short.steps();
    for first in 0..steps {
        for second in first + 1..steps + steps / 2 {
            for a in FAULTS {
                for b in FAULTS {
                    short.check(&format!("{a:?} at {first}, {b:?} at {second}"), |step| match step {
                        step if step == first => a,
                        step if step == second => b,
                        _ => Fate::Succeeds,
                    });
                }
            }
        }
    }
}

/// The short log, and what must come of it.
struct Short {
    fixed: Fixed,
    inputs: Vec<Input>,
    folded: Rc<Vec<Folded>>,
}

impl Short {
    fn new(log: &str) -> Self {
        let (fixed, inputs) = (Fixed::new(), input::parse(log, 2));
        let folded = World::new(&fixed, &inputs, 2).fold();
        Self { fixed, inputs, folded }
    }

    fn world(&self) -> World<'_> {
        World::with_fold(&self.fixed, &self.inputs, 2, Rc::clone(&self.folded))
    }

    /// Steps of a run in which nothing fails.
    fn steps(&self) -> usize {
        let mut world = self.world();
        world.run(|_| Fate::Succeeds).unwrap();
        world.steps
    }

    fn run(&self, fate: impl FnMut(usize) -> Fate) -> Result<(), String> {
        self.world().run(fate)
    }

    #[track_caller]
    fn check(&self, what: &str, fate: impl FnMut(usize) -> Fate) {
        if let Err(wrong) = self.run(fate) {
            panic!("{wrong}, after {what}");
        }
    }
}

#[test]
fn swarm() {
    let fixed = Fixed::new();
    swarm::swarm(&REACHED, |seed, tells| run_seed(&fixed, seed, None, tells));
}

/// What the swarm must have gone through.
const REACHED: [&str; 30] = [
    "decided",
    "erased",
    "revoked",
    "alert",
    "duplicate",
    "unkeyed",
    "wrong_key",
    "wrong_partition",
    "malformed",
    "future",
    "ancient",
    "aborted",
    "unknown",
    "fenced",
    "store damaged",
    "store unusable",
    "continue",
    "replay",
    "fresh",
    "no_store",
    "not_read_back",
    "offsets_lost",
    "trouble",
    "hangs",
    "old",
    "verified",
    "damage found beside the work",
    "copied",
    "a copy goes on",
    "a copy taken over",
];

fn run_seed(fixed: &Fixed, seed: u64, plant: Option<Plant>, tells: bool) -> Result<Reached, String> {
    let mut dice = Dice(seed);
    let partitions = u16::try_from(1 + dice.roll(3)).unwrap();
    let inputs: Vec<Input> = input::random(&mut dice, i32::from(partitions));
    let mut world = World::new(fixed, &inputs, partitions);
    (world.plant, world.tells) = (plant, tells);
    let mut world = if dice.roll(2) == 0 { world.with_both() } else { world };
    world.keeps_copies = dice.roll(2) == 0;
    world.run(script::fates(dice, &FAULTS))?;
    let mut reached = std::mem::take(&mut world.seen.reached);
    if world.folded.iter().any(|folded| folded.erased > 0) {
        reached.insert("erased");
    }
    Ok(reached)
}

#[track_caller]
fn caught(plant: Plant) {
    caught_as(plant, "");
}

#[track_caller]
fn caught_as(plant: Plant, words: &str) {
    let fixed = Fixed::new();
    swarm::caught(&format!("{plant:?}"), words, |seed, tells| run_seed(&fixed, seed, Some(plant), tells));
}

#[test]
fn a_decision_that_was_not_published_is_missed() {
    caught(Plant::OffsetAlone);
}

#[test]
fn an_offset_that_was_not_committed_is_seen() {
    caught(Plant::DecisionAlone);
}

#[test]
fn a_store_that_is_ahead_is_seen() {
    caught(Plant::StoreFirst);
}

#[test]
fn a_lost_user_taken_for_a_new_one_is_seen() {
    caught(Plant::LyingStore);
}

#[test]
fn a_unit_of_an_earlier_assignment_is_seen() {
    caught(Plant::LateAssignment);
}

#[test]
fn an_abort_taken_for_a_commit_is_seen() {
    caught(Plant::AbortIsCommit);
}

#[test]
fn an_unknown_outcome_taken_for_an_abort_is_seen() {
    caught(Plant::UnknownIsAbort);
}

#[test]
fn an_open_transaction_that_is_not_waited_for_is_seen() {
    caught(Plant::OpenIsOver);
}

#[test]
fn a_commit_that_is_tried_again_is_seen() {
    caught(Plant::CommitTriedAgain);
}

#[test]
fn a_commit_of_what_was_revoked_is_seen() {
    caught(Plant::RevokedCommits);
}

#[test]
fn a_batch_that_is_passed_over_is_missed() {
    // Where nothing comes after it, it is only never decided.
    caught_as(Plant::NoRewind, "not a beginning of the fold");
}

#[test]
fn an_offset_of_a_duplicate_that_is_left_behind_is_seen() {
    caught(Plant::DuplicateSkipped);
}

#[test]
fn a_restore_that_ends_too_soon_is_seen() {
    caught(Plant::RestoresShort);
}

#[test]
fn a_restore_of_what_came_to_nothing_is_seen() {
    caught(Plant::RestoresAborted);
}

#[test]
fn a_miss_taken_for_a_new_user_is_seen() {
    caught(Plant::MissIsNew);
}

#[test]
fn a_checkpoint_that_runs_ahead_is_seen() {
    caught(Plant::CheckpointAtTip);
}

#[test]
fn a_copy_that_is_written_beside_a_lane_is_seen() {
    caught(Plant::CopyBesideLane);
}

#[test]
fn a_copy_that_knows_only_whom_it_began_with_is_seen() {
    caught(Plant::CopyKnowsTheFirst);
}
