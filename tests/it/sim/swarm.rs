//! Seeds: each is a schedule, and plays alone. Thousands of them on all cores; one that goes wrong is played
//! again, and tells its schedule.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// What schedules went through: those that never get into trouble prove nothing.
pub type Reached = BTreeSet<&'static str>;

/// What one seed came to. It says every step if `tells`.
pub trait Play: Fn(u64, bool) -> Result<Reached, String> + Sync {}

impl<F: Fn(u64, bool) -> Result<Reached, String> + Sync> Play for F {}

/// Plays the seed that is named, or so many; together they must have gone through all of `must`.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a seed to be replayed is named by hand")]
pub fn swarm(must: &[&str], play: impl Play) {
    if let Ok(seed) = std::env::var("SEED") {
        return again(seed.parse().unwrap(), &play);
    }
    let seeds = std::env::var("SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let next = AtomicU64::new(0);
    let (reached, wrong) = (Mutex::new(Reached::new()), AtomicU64::new(u64::MAX));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut all = Reached::new();
                // Those before one that went wrong may go wrong as well, and the first is the one to name.
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.min(wrong.load(Ordering::Relaxed)) {
                        break;
                    }
                    match outcome(seed, &play) {
                        Ok(reached) => all.extend(reached),
                        Err(_) => drop(wrong.fetch_min(seed, Ordering::Relaxed)),
                    }
                }
                reached.lock().unwrap().extend(all);
            });
        }
    });
    if wrong.load(Ordering::Relaxed) < u64::MAX {
        again(wrong.into_inner(), &play);
    }
    let reached = reached.into_inner().unwrap();
    let missing: Vec<_> = must.iter().filter(|what| !reached.contains(*what)).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "never happened");
}

#[track_caller]
fn again(seed: u64, play: &impl Play) {
    if let Err(wrong) = play(seed, true) {
        panic!("{wrong}: replay with SEED={seed}");
    }
}

fn outcome(seed: u64, play: &impl Play) -> Result<Reached, String> {
    let played = catch_unwind(AssertUnwindSafe(|| play(seed, false)));
    played.unwrap_or_else(|_| Err("an invariant stopped it".into()))
}

/// Some seed goes wrong, and says so in these words; how many it takes says how sharp the checks are.
#[track_caller]
pub fn caught(what: &str, words: &str, play: impl Play) {
    let seen = (0..CAUGHT_WITHIN).find_map(|seed| {
        let wrong = outcome(seed, &play).err().filter(|wrong| wrong.contains(words))?;
        Some((seed, wrong))
    });
    let Some((seed, wrong)) = seen else { panic!("{what} is not seen") };
    told(&format!("{what}: {wrong}, with SEED={seed}"));
}

/// Shown for a test that fails, or with `--nocapture`.
#[expect(clippy::print_stdout, reason = "a schedule is to be read")]
pub fn told(line: &str) {
    println!("{line}");
}

/// Of each kind; some seconds on two cores.
const SEEDS: u64 = 10_000;
const CAUGHT_WITHIN: u64 = 5_000;
