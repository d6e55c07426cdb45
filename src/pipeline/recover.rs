//! Recovery: what to do with a partition that was just assigned. A pure function of the two marks
//! and of one record read back.
//!
//! | store against broker | plan |
//! |---|---|
//! | same offset, same chain | [`Way::Continue`] |
//! | behind, and the decision at the store's position in `risk.decisions` still carries the store's chain | [`Way::Replay`] from the store's position in `risk.profiles` |
//! | the same without such a position, as a copy is: the last decision before its mark carries its chain | the same |
//! | behind by more than half the time that the changelog keeps the ends of keys | [`Way::Restore`]: who was erased meanwhile would stay |
//! | behind otherwise; ahead; same offset but another chain; no store | [`Way::Restore`] from the start of `risk.profiles` |
//! | no committed offset, and never a decision or a profile | [`Way::Fresh`]: first start, at `earliest` or `latest` |
//! | no committed offset, and decisions (or profiles) exist | the last one carries offset and chain: take that as the mark, restore, warn |
//! | no committed offset, and retention has taken every trace | stop: the mark cannot be known |
//! | committed offset below the input's first | retention gap: stop; with `accept_gap` go on at the first, and publish it |
//! | committed offset above the input's next | the input was cut or made anew: stop |
//! | committed offset without a chain | somebody else moved it: stop |
//!
//! Restoring when the store could have been used costs minutes; using a store that does not belong
//! costs the truth. So everything that is not proven equal is restored.

use std::fmt;
use std::time::Duration;

use crate::model::id::Digest;
use crate::ports::ledger::{ENDS_KEPT, Ground, Mark, Positions, ReadBack, Witness};
use crate::ports::store::Spot;

/// Where a lane begins when nothing was ever committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Earliest,
    Latest,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub start: Start,
    /// Go on after a retention gap.
    pub accept_gap: bool,
}

/// What to do, complete: the carrier has no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the lane's state belongs, and (unless there is a gap) where it reads on.
    pub mark: Mark,
    /// As far as they are known; a replay or a restore adds the end of the changelog.
    pub positions: Positions,
    pub way: Way,
    /// Input that retention has taken before we read it.
    pub gap: Option<Gap>,
}

impl Plan {
    /// The input offset to read from.
    #[must_use]
    pub fn read_from(&self) -> i64 {
        self.gap.map_or(self.mark.offset, |gap| gap.to)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The store is the state at the mark.
    Continue,
    /// The store is an earlier state: bring it up with the changelog from here.
    Replay { from: i64 },
    /// Drop the store and fill it from the changelog's start.
    Restore(Because),
    /// Drop what may be there and begin with nothing.
    Fresh,
}

/// Why a store is not used: for the log line and the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    NoStore,
    Ahead,
    OtherChain,
    NotReadBack,
    Old,
    ChangelogCut,
    OffsetsLost,
}

impl Because {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoStore => "no_store",
            Self::Ahead => "store_ahead",
            Self::OtherChain => "other_chain",
            Self::NotReadBack => "not_read_back",
            Self::Old => "store_old",
            Self::ChangelogCut => "changelog_cut",
            Self::OffsetsLost => "offsets_lost",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: i64,
    pub to: i64,
}

/// Why a lane must not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Gap(Gap),
    BeyondEnd {
        committed: i64,
        next: i64,
    },
    NoChain {
        offset: i64,
        metadata: String,
    },
    NoTrace,
    /// After a restore: the changelog ends at another mark than the broker's.
    OtherEnd {
        expected: Mark,
        found: Option<Mark>,
    },
    /// A changelog record that this version cannot place.
    BadChange {
        offset: i64,
        what: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(Gap { from, to }) => write!(
                f,
                "input from offset {from} to {to} was deleted by retention before it was read; lengthen the retention, \
                 and start with --accept-gap to go on without those events"
            ),
            Self::BeyondEnd { committed, next } => write!(
                f,
                "the committed offset {committed} lies beyond the end of the input ({next}): the topic was cut or made \
                 anew; give the group another name, or delete its offsets and the risk topics together"
            ),
            Self::NoChain { offset, metadata } => write!(
                f,
                "the committed offset {offset} carries `{}` where a chain of 64 hex digits is expected: another tool \
                 moved it; put back an offset that ward committed, or delete the group's offset to take the mark from \
                 the last decision",
                metadata.chars().take(80).collect::<String>()
            ),
            Self::NoTrace => f.write_str(
                "no offset is committed, and retention has taken every decision and profile that could say how far this \
                 partition was read; delete and recreate the risk topics to start anew",
            ),
            Self::OtherEnd { expected, found: Some(found) } => write!(
                f,
                "the changelog ends at mark {found}, the committed offset says {expected}: the profiles do not belong \
                 to this offset; check that no other group writes `risk.profiles`, and restore the topics together"
            ),
            Self::OtherEnd { expected, found: None } => write!(
                f,
                "the changelog holds no record with a mark, the committed offset says {expected}: `risk.profiles` was \
                 emptied or is not ours; restore it, or start a new group with new topics"
            ),
            Self::BadChange { offset, what } => {
                write!(f, "the changelog record at offset {offset} cannot be placed: {what}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// A decision that is to be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// At this offset of the decisions.
    At(i64),
    /// The last one about input before this offset.
    Before(i64),
}

impl Sought {
    /// The last decision that a store knows of.
    #[must_use]
    pub fn of(spot: &Spot) -> Self {
        // A copy followed the changelog, which does not say where decisions stand.
        spot.positions.decision.map_or(Self::Before(spot.mark.offset), Self::At)
    }
}

/// Which decision must be read back before [`plan`] can be asked; `None` when none is needed.
#[must_use]
pub fn question(store: Option<&Spot>, ground: &Ground) -> Option<Sought> {
    let committed = ground.committed.as_ref()?;
    let spot = store?;
    (spot.mark.offset < committed.offset).then(|| Sought::of(spot))
}

/// How the copy of a partition that somebody else serves goes on: as a store that is behind, or from the
/// start of a changelog that begins at `start`. `read_back` is the last decision before its mark.
#[must_use]
pub fn copied(store: Option<&Spot>, start: i64, read_back: Option<ReadBack>) -> Way {
    store.map_or(Way::Restore(Because::NoStore), |spot| behind(spot, start, read_back))
}

/// What to do. `store` is what the store's checkpoint says (`None`: nothing, or a broken-off
/// restore); `read_back` is the decision that [`question`] asked for.
///
/// # Errors
/// When the lane must not start; the message teaches.
pub fn plan(
    store: Option<&Spot>,
    ground: &Ground,
    read_back: Option<ReadBack>,
    wishes: Wishes,
) -> Result<Plan, Refusal> {
    let Some(committed) = &ground.committed else { return without_offset(ground, wishes) };
    let Some(mark) = Mark::parse(committed.offset, &committed.metadata) else {
        return Err(Refusal::NoChain { offset: committed.offset, metadata: committed.metadata.clone() });
    };
    let known = match ground.witness {
        Witness::Last(_, positions) => positions,
        Witness::Never | Witness::Expired => Positions::default(),
    };
    let way = way(store, ground, mark, read_back);
    let positions = match (way, store) {
        (Way::Continue | Way::Replay { .. }, Some(spot)) => spot.positions.then(known),
        _ => known,
    };
    with_gap(Plan { mark, positions, way, gap: None }, ground, wishes)
}

fn way(store: Option<&Spot>, ground: &Ground, mark: Mark, read_back: Option<ReadBack>) -> Way {
    let Some(spot) = store else { return Way::Restore(Because::NoStore) };
    if spot.mark.offset > mark.offset {
        return Way::Restore(Because::Ahead);
    }
    if spot.mark.offset == mark.offset {
        let same = spot.mark.chain == mark.chain;
        return if same { Way::Continue } else { Way::Restore(Because::OtherChain) };
    }
    behind(spot, ground.profiles.start, read_back)
}

fn behind(spot: &Spot, start: i64, read_back: Option<ReadBack>) -> Way {
    let Some(read_back) = read_back.filter(|decision| decision.chain == spot.mark.chain) else {
        return Way::Restore(Because::NotReadBack);
    };
    if read_back.age > REPLAY_AGE_MAX {
        return Way::Restore(Because::Old);
    }
    match spot.positions.profiles {
        // Compaction only takes what a later record repeats, and the end of a key only when it has
        // been there for long; a moved start is retention, which takes what nothing repeats.
        Some(from) if from >= start => Way::Replay { from },
        _ => Way::Restore(Because::ChangelogCut),
    }
}

/// Offsets expire after seven idle days, and groups get deleted: no offset is no proof of a start.
fn without_offset(ground: &Ground, wishes: Wishes) -> Result<Plan, Refusal> {
    match ground.witness {
        Witness::Never => {
            let offset = match wishes.start {
                Start::Earliest => ground.input.start,
                Start::Latest => ground.input.end,
            };
            let mark = Mark { offset, chain: Digest::ZERO };
            Ok(Plan { mark, positions: Positions::default(), way: Way::Fresh, gap: None })
        }
        Witness::Expired => Err(Refusal::NoTrace),
        Witness::Last(mark, positions) => {
            let way = Way::Restore(Because::OffsetsLost);
            with_gap(Plan { mark, positions, way, gap: None }, ground, wishes)
        }
    }
}

fn with_gap(plan: Plan, ground: &Ground, wishes: Wishes) -> Result<Plan, Refusal> {
    let (from, to) = (plan.mark.offset, ground.input.start);
    if from > ground.input.end {
        return Err(Refusal::BeyondEnd { committed: from, next: ground.input.end });
    }
    if from >= to {
        return Ok(plan);
    }
    let gap = Gap { from, to };
    if wishes.accept_gap { Ok(Plan { gap: Some(gap), ..plan }) } else { Err(Refusal::Gap(gap)) }
}

/// A store that is further behind could miss the end of a key that compaction has taken. The other half
/// is for the clocks, and for reading.
const REPLAY_AGE_MAX: Duration = Duration::from_secs(ENDS_KEPT.as_secs() / 2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ledger::Committed;

    const A: Digest = Digest([0xaa; 32]);
    const B: Digest = Digest([0xbb; 32]);

    /// `store` and `broker` as `offset chain`, `-` for nothing; the world as in the table.
    struct Case {
        store: &'static str,
        broker: &'static str,
        read_back: Option<Digest>,
        age: Duration,
        witness: Witness,
        input: std::ops::Range<i64>,
        profiles: std::ops::Range<i64>,
        wishes: Wishes,
    }

    fn case(store: &'static str, broker: &'static str) -> Case {
        Case {
            store,
            broker,
            read_back: None,
            age: Duration::ZERO,
            witness: Witness::Last(Mark { offset: 10, chain: A }, Positions::default()),
            input: 0..100,
            profiles: 0..40,
            wishes: Wishes::default(),
        }
    }

    fn mark(text: &str) -> Option<Mark> {
        let (offset, chain) = text.split_once(' ')?;
        let chain = match chain {
            "a" => A,
            "b" => B,
            _ => Digest::ZERO,
        };
        Some(Mark { offset: offset.parse().unwrap(), chain })
    }

    #[track_caller]
    fn check(case: Case, expected: &str) {
        let positions = Positions { decision: Some(4), profiles: Some(20) };
        let store = mark(case.store).map(|mark| Spot { mark, positions });
        let committed = mark(case.broker).map(|mark| Committed {
            offset: mark.offset,
            metadata: if case.broker.ends_with('?') { "moved".into() } else { mark.metadata() },
        });
        let ground = Ground {
            committed,
            input: case.input,
            profiles: case.profiles,
            witness: case.witness,
            hanging: None,
        };
        let read_back = case.read_back.map(|chain| ReadBack { chain, age: case.age });
        let told = match plan(store.as_ref(), &ground, read_back, case.wishes) {
            Ok(plan) => format!(
                "{:?} at {}{}",
                plan.way,
                plan.mark.offset,
                match plan.gap {
                    Some(gap) => format!(" gap {}..{}", gap.from, gap.to),
                    None => String::new(),
                }
            ),
            Err(refusal) => format!("{refusal:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn every_row_of_the_table() {
        check(case("10 a", "10 a"), "Continue at 10");
        check(Case { read_back: Some(A), ..case("5 a", "10 b") }, "Replay { from: 20 } at 10");
        check(Case { read_back: Some(B), ..case("5 a", "10 b") }, "Restore(NotReadBack) at 10");
        check(Case { read_back: None, ..case("5 a", "10 b") }, "Restore(NotReadBack) at 10");
        check(case("11 a", "10 a"), "Restore(Ahead) at 10");
        check(case("10 b", "10 a"), "Restore(OtherChain) at 10");
        check(case("-", "10 a"), "Restore(NoStore) at 10");
        check(Case { witness: Witness::Never, ..case("-", "-") }, "Fresh at 0");
        let latest = Wishes { start: Start::Latest, ..Wishes::default() };
        check(Case { witness: Witness::Never, wishes: latest, ..case("-", "-") }, "Fresh at 100");
        check(case("10 a", "-"), "Restore(OffsetsLost) at 10");
        check(case("-", "-"), "Restore(OffsetsLost) at 10");
        check(Case { witness: Witness::Expired, ..case("10 a", "-") }, "NoTrace");
        check(Case { input: 12..100, ..case("10 a", "10 a") }, "Gap");
        check(case("10 a", "101 a"), "BeyondEnd");
        check(case("10 a", "10 ?"), "NoChain");
    }

    #[test]
    fn a_store_left_over_from_other_topics_is_not_used() {
        check(Case { witness: Witness::Never, ..case("10 a", "-") }, "Fresh at 0");
    }

    #[test]
    fn a_changelog_that_retention_has_cut_is_restored() {
        check(
            Case { read_back: Some(A), profiles: 21..40, ..case("5 a", "10 b") },
            "Restore(ChangelogCut) at 10",
        );
        check(
            Case { read_back: Some(A), profiles: 20..40, ..case("5 a", "10 b") },
            "Replay { from: 20 } at 10",
        );
    }

    #[test]
    fn a_store_that_may_have_missed_the_end_of_a_key_is_restored() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let behind = |age| Case { read_back: Some(A), age, ..case("5 a", "10 b") };
        check(behind(hours(12)), "Replay { from: 20 } at 10");
        check(behind(hours(13)), "Restore(Old) at 10");
        check(Case { age: hours(1000), ..case("10 a", "10 a") }, "Continue at 10");
    }

    #[test]
    fn a_copy_goes_on_where_a_store_that_is_behind_would_be_replayed() {
        let spot = Spot {
            mark: Mark { offset: 5, chain: A },
            positions: Positions { decision: None, profiles: Some(20) },
        };
        let read = |chain, hours: u64| Some(ReadBack { chain, age: Duration::from_secs(hours * 3600) });
        assert_eq!(copied(Some(&spot), 20, read(A, 0)), Way::Replay { from: 20 });
        assert_eq!(copied(Some(&spot), 21, read(A, 0)), Way::Restore(Because::ChangelogCut));
        assert_eq!(copied(Some(&spot), 20, read(A, 13)), Way::Restore(Because::Old));
        assert_eq!(copied(Some(&spot), 20, read(B, 0)), Way::Restore(Because::NotReadBack));
        assert_eq!(copied(Some(&spot), 20, None), Way::Restore(Because::NotReadBack));
        assert_eq!(copied(None, 20, None), Way::Restore(Because::NoStore));
    }

    #[test]
    fn a_gap_that_is_accepted_keeps_the_plan() {
        let accept_gap = Wishes { accept_gap: true, ..Wishes::default() };
        check(
            Case { input: 12..100, wishes: accept_gap, ..case("10 a", "10 a") },
            "Continue at 10 gap 10..12",
        );
        check(
            Case { input: 12..100, wishes: accept_gap, ..case("-", "-") },
            "Restore(OffsetsLost) at 10 gap 10..12",
        );
    }

    #[test]
    fn asks_only_when_the_answer_matters() {
        let spot = |offset| Spot {
            mark: Mark { offset, chain: A },
            positions: Positions { decision: Some(4), profiles: Some(20) },
        };
        let committed = Some(Committed { offset: 10, metadata: A.to_string() });
        let ground =
            Ground { committed, input: 0..100, profiles: 0..40, witness: Witness::Never, hanging: None };
        assert_eq!(question(Some(&spot(5)), &ground), Some(Sought::At(4)));
        let copy = Spot { positions: Positions { decision: None, profiles: Some(20) }, ..spot(5) };
        assert_eq!(question(Some(&copy), &ground), Some(Sought::Before(5)));
        assert_eq!(question(Some(&spot(10)), &ground), None);
        assert_eq!(question(None, &ground), None);
        assert_eq!(question(Some(&spot(5)), &Ground { committed: None, ..ground }), None);
    }
}
