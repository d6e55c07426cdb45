//! The users at work: few of them all the time, most of them hardly ever.

use std::borrow::Cow;
use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use super::super::ground::Ground;
use super::super::load::withheld;
use super::super::pipeline::{Course, broker};
use super::super::process::Worker;
use super::super::{Failure, Interrupt};
use super::drawn::Person;
use super::report::Traffic;
use super::{Bell, Options, load, memory, size};
use crate::adapters::kafka::Publisher;
use crate::cli::now;
use crate::cli::simulate::sink::keyed;

/// Loads what users do who have the profiles of `people`, and has a process decide it that starts after a
/// clean stop.
pub(super) fn measure(
    options: &Options,
    ground: &Ground,
    people: &[Person],
    bell: &Bell,
    interrupt: &Interrupt,
) -> Result<Traffic, Failure> {
    let before = bell.sent();
    let withheld = withheld(ground, &bell.topic)?;
    let sent = send(options, ground, people, (&bell.publisher, withheld.publisher()), interrupt)?;
    let geo: &[PathBuf] = &options.geo;
    let worker = Worker::start(options.source.config.as_deref(), geo, ground)?;
    let course = Course {
        connection: &ground.connection,
        topic: &ground.names.events,
        partitions: ground.partitions,
        warm: before + sent.warm,
        total: before + sent.warm + sent.measured,
        process: worker.id(),
        alive: &|| worker.alive(),
    };
    let covered = course.cover(broker(ground), || Ok(withheld.show(&bell.topic)?), interrupt)?;
    let (_, most) = memory(worker.id());
    worker.end()?;
    Ok(Traffic {
        events: covered.events(),
        events_per_second: covered.events_per_second(),
        events_per_cpu_second: covered.events_per_cpu_second(),
        resident_bytes_max: most,
        disk_bytes: size(&ground.state),
    })
}

/// How many records.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    warm: i64,
    measured: i64,
}

/// A third of them warms.
fn send(
    options: &Options,
    ground: &Ground,
    people: &[Person],
    (warming, measured): (&Publisher, &Publisher),
    interrupt: &Interrupt,
) -> Result<Sent, Failure> {
    let topic = &ground.names.events;
    let mut busy = Busy::new(options.users, options.seed);
    let mut turns = vec![0_u32; usize::try_from(options.users).unwrap_or(0)];
    let (mut key, mut value, mut sent) = (Vec::new(), Vec::new(), Sent::default());
    for number in 0..options.events {
        // What is withheld stands behind all that warms.
        if number == options.events / 3 {
            warming.finish(topic)?;
        }
        if interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        let user = busy.next();
        let person = people.get(user as usize % people.len().max(1));
        let turn = turns.get_mut(user as usize);
        let (Some(person), Some(turn)) = (person, turn) else { continue };
        let habit = person.habits.get(*turn as usize % person.habits.len().max(1));
        *turn += 1;
        let Some(habit) = habit else { continue };
        let mut event = habit.clone();
        event.id = Cow::Owned(format!("traffic-{number}"));
        event.tenant = Cow::Borrowed(load::TENANT);
        event.user = Cow::Owned(load::name(user));
        event.occurred_at = now();
        keyed(&event, ground.written(), &mut key, &mut value);
        if number < options.events / 3 {
            warming.send(topic, &key, &value)?;
            sent.warm += 1;
        } else {
            measured.send(topic, &key, &value)?;
            sent.measured += 1;
        }
    }
    measured.finish(topic)?;
    Ok(sent)
}

/// Draws users as often as Zipf says, with an exponent of 1.
struct Busy {
    random: ChaCha8Rng,
    users: u32,
}

impl Busy {
    fn new(users: u32, seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), users }
    }

    /// The rank of a density that falls as 1/x, whose sum is a logarithm: that many ranks lie between two
    /// powers as between the next two.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to the number of users")]
    fn next(&mut self) -> u32 {
        let share = f64::from(self.random.next_u32()) / 2_f64.powi(32);
        let rank = (f64::from(self.users) + 1.0).powf(share);
        (rank as u32).clamp(1, self.users) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each tenfold of ranks gets the same share.
    #[test]
    fn few_are_busy() {
        let mut busy = Busy::new(99_999, 1);
        let mut tenfolds = [0_u32; 5];
        for _ in 0..100_000 {
            let rank = busy.next() + 1;
            tenfolds[rank.ilog10() as usize] += 1;
        }
        assert!(tenfolds.iter().all(|share| share.abs_diff(20_000) < 600), "{tenfolds:?}");
    }
}
