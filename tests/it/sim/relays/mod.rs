//! Relays under the same faults: copies of an input, and the fold over sightings.
//!
//! Whatever fails, each record is copied once, in order, and the sketches and what is told of them are the
//! fold of the sightings that are committed. `SEED=… cargo test --test it sim::relays` replays one.

mod awaiting;
mod course;
mod input;
mod meet;
mod moved;
mod world;

use course::{Copying, Course, Sighted};
use world::World;

use super::script::{Dice, Fate, Plant, fates};
use super::swarm::{self, Reached};

#[test]
fn swarm_of_copies() {
    let must: Vec<_> = MUST.into_iter().chain(["rejected"]).collect();
    swarm::swarm(&must, |seed, tells| run_seed(Copying::new, seed, None, tells));
}

#[test]
fn swarm_of_sightings() {
    let must: Vec<_> = MUST.into_iter().chain(["facts", "ended"]).collect();
    swarm::swarm(&must, |seed, tells| run_seed(Sighted::new, seed, None, tells));
}

/// What each swarm must have gone through.
const MUST: [&str; 8] = ["committed", "aborted", "unknown", "fenced", "hangs", "away", "released", "held"];

fn run_seed<C: Course>(
    course: impl Fn(&mut Dice, i32) -> C,
    seed: u64,
    plant: Option<Plant>,
    tells: bool,
) -> Result<Reached, String> {
    let mut dice = Dice(seed);
    let partitions = i32::try_from(1 + dice.roll(3)).unwrap();
    let course = course(&mut dice, partitions);
    let mut world = World::new(&course, partitions);
    (world.plant, world.tells) = (plant, tells);
    let mut world = if dice.roll(2) == 0 { world.with_both() } else { world };
    world.awaits = if dice.roll(2) == 0 { 2 + dice.roll(8) } else { 0 };
    world.run(fates(dice, &FAULTS))?;
    Ok(world.reached)
}

/// Those of [`super::script`] that befall somebody without a store.
const FAULTS: [Fate; 11] = [
    Fate::Fails,
    Fate::UnknownDone,
    Fate::UnknownNot,
    Fate::DiesBefore,
    Fate::DiesAfter,
    Fate::LeavesCommit,
    Fate::LeavesOpen,
    Fate::Moves,
    Fate::Zombie,
    Fate::Visited,
    Fate::Lost,
];

/// In copies and in sightings.
#[track_caller]
fn caught(plant: Plant) {
    caught_as(plant, "");
}

#[track_caller]
fn caught_as(plant: Plant, words: &str) {
    swarm::caught(&format!("{plant:?} of copies"), words, |seed, tells| {
        run_seed(Copying::new, seed, Some(plant), tells)
    });
    caught_in_sightings(plant, words);
}

#[track_caller]
fn caught_in_sightings(plant: Plant, words: &str) {
    swarm::caught(&format!("{plant:?} of sightings"), words, |seed, tells| {
        run_seed(Sighted::new, seed, Some(plant), tells)
    });
}

/// As copies of inputs once were. Where nothing comes after it, it is only never copied.
#[test]
fn a_batch_that_is_passed_over_is_missed() {
    caught_as(Plant::NoRewind, "is not the fold's");
}

#[test]
fn a_commit_that_is_tried_again_is_seen() {
    caught(Plant::CommitTriedAgain);
}

#[test]
fn an_unknown_outcome_taken_for_an_abort_is_seen() {
    caught(Plant::UnknownIsAbort);
}

#[test]
fn an_abort_taken_for_a_commit_is_seen() {
    caught(Plant::AbortIsCommit);
}

#[test]
fn an_open_transaction_that_is_not_waited_for_is_seen() {
    caught(Plant::OpenIsOver);
}

#[test]
fn a_unit_of_an_earlier_assignment_is_seen() {
    caught(Plant::LateAssignment);
}

#[test]
fn an_offset_alone_and_a_record_alone_are_seen() {
    for plant in [Plant::OffsetAlone, Plant::DecisionAlone] {
        caught(plant);
    }
}

#[test]
fn a_record_that_is_not_waited_for_is_missed() {
    caught(Plant::AwaitedIsPassedOver);
}

#[test]
fn a_restore_of_too_little_or_too_much_is_seen() {
    caught_in_sightings(Plant::RestoresShort, "");
    caught_in_sightings(Plant::RestoresAborted, "");
}
