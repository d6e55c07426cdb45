//! What goes wrong, and when.

use wardstream::pipeline::dispatch::Command;

/// What becomes of one step of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Succeeds,
    /// Nothing of it happened, and the worker is told so.
    Fails,
    /// It happened, and nobody says so.
    UnknownDone,
    /// It did not happen, and nobody says so.
    UnknownNot,
    DiesBefore,
    DiesAfter,
    /// Dies in a transaction, which stays open, and is committed late.
    LeavesCommit,
    /// Dies in a transaction, which stays open, and comes to nothing late.
    LeavesOpen,
    /// Dies after it, and the store is back at its last flush.
    PowerLost,
    /// The other worker comes (or goes, in good order): partitions move.
    Moves,
    /// The worker is thrown out, the other takes over and writes; only then this step happens.
    Zombie,
    /// The worker is thrown out, the other takes over, writes and goes again; only then this step
    /// happens, under the assignment that came back.
    Visited,
    /// The worker is thrown out, and gets its partitions back later.
    Lost,
    /// The next call to this worker's store is refused.
    StoreFails,
    /// A value of this worker's store rots.
    Rots,
    /// A value of this worker's store disappears without a sign.
    Vanishes,
    /// Nobody is there any more, and the group's offsets are gone.
    OffsetsGone,
}

pub const FAULTS: [Fate; 16] = [
    Fate::Fails,
    Fate::UnknownDone,
    Fate::UnknownNot,
    Fate::DiesBefore,
    Fate::DiesAfter,
    Fate::LeavesCommit,
    Fate::LeavesOpen,
    Fate::PowerLost,
    Fate::Moves,
    Fate::Zombie,
    Fate::Visited,
    Fate::Lost,
    Fate::StoreFails,
    Fate::Rots,
    Fate::Vanishes,
    Fate::OffsetsGone,
];

/// A mistake that somebody could make in the lane, its store or the order of things. The checks
/// must see each; a check that sees none proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// The offset is committed, what was decided is not.
    OffsetAlone,
    /// What was decided is committed, the offset is not.
    DecisionAlone,
    /// Parts reach the store before they are committed.
    StoreFirst,
    /// A store that lost a key says that it is whole.
    LyingStore,
    /// An abort is taken for a commit.
    AbortIsCommit,
    /// A transaction is committed under the assignment of its end, not of its beginning.
    LateAssignment,
    /// Unknown is taken for an abort, without asking.
    UnknownIsAbort,
    /// A partition is taken over although a transaction is open in it.
    OpenIsOver,
    /// A commit whose outcome is unknown is tried again.
    CommitTriedAgain,
    /// What was revoked is committed all the same.
    RevokedCommits,
    /// After an abort, reading goes on where it was: the batch is passed over.
    NoRewind,
    /// The offset of a record that gives nothing is not committed with it.
    DuplicateSkipped,
    /// A restore ends at the last stable offset, before a transaction whose offsets are told already.
    RestoresShort,
    /// A restore takes what came to nothing.
    RestoresAborted,
    /// What the store does not have is taken for new, whoever was there before.
    MissIsNew,
    /// A checkpoint says that it is at the end of what was decided, not of what was committed.
    CheckpointAtTip,
    /// A copy is kept of a partition that a lane of the same process has.
    CopyBesideLane,
    /// Whoever takes a copy over is told the users that it began with.
    CopyKnowsTheFirst,
    /// A record that waits for its schema is passed over.
    AwaitedIsPassedOver,
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0..sides.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.next() % sides
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.roll(from.len() as u64)).unwrap()]
    }
}

/// What befalls the steps of a run, one after the other; after a while nothing does.
pub fn fates(mut dice: Dice, faults: &[Fate]) -> impl FnMut(usize) -> Fate {
    let (odds, until) = (2 + dice.roll(12), 20 + dice.roll(150));
    // Few kinds at a time come into combinations that all of them together hardly ever do.
    let kinds = if dice.roll(2) == 0 { faults.to_vec() } else { (0..3).map(|_| dice.pick(faults)).collect() };
    move |step| {
        let quiet = step as u64 > until || dice.roll(odds) != 0;
        if quiet { Fate::Succeeds } else { dice.pick(&kinds) }
    }
}

/// A command in a line, for the replay of a seed.
pub fn brief(command: &Command) -> String {
    match command {
        Command::Publish(units) => {
            let units = units.iter().map(|unit| format!("{}: {}..{}", unit.partition, unit.from, unit.to));
            format!("publish {}", units.collect::<Vec<_>>().join(", "))
        }
        Command::Checkpoint { partition, batch } => {
            let mark = batch.place.map_or_else(String::new, |spot| spot.mark.to_string());
            format!("checkpoint {partition} at {mark}, {} parts", batch.parts.len())
        }
        Command::Close { partition, .. } => format!("close {partition}"),
        other => format!("{other:?}"),
    }
}
