//! Replay: events and recorded facts through the engine again.
//!
//! With the policy that decided, what comes out must be what was published, byte for byte and with
//! the same chain. With a second policy beside it, two folds go side by side, each with profiles of
//! its own, since what is learned follows the policy; what differs is a [`Report`].
//!
//! A [`Lane`] is one partition, or one file. Records come in the order of the log; with each comes
//! what was published for it, if anything was. Before each decision the chain is the one that was
//! published before it: so one difference is one difference, and not all that follow.
//!
//! It does nothing about alerts and revocations: they follow from the same step.

mod cases;
mod diff;
mod difference;
mod group;
mod policies;
mod report;
mod watch;

pub use cases::{Cases, Labels};
pub use diff::{Diff, Logins, Verdict};
pub use difference::{Difference, Field, differing_fields};
pub use group::{Example, Group, Rule, Said, Side};
pub use policies::{Deciding, Policies, Unknown};
pub use report::{Digests, PolicyName, Report, Reproduction, grouped};
pub use watch::{Seen, Watch};

use std::collections::BTreeMap;

use crate::engine::REVISION;
use crate::engine::across::Local;
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit::{self, Form, Recorded, RecordedBasis};
use crate::engine::enrich::Enricher;
use crate::engine::policy::Policy;
use crate::engine::step::{Lifetime, Setting};
use crate::model::across::Sightings;
use crate::model::decision::{Basis, Ruling};
use crate::model::id::{Digest, Position, UserKey};
use crate::model::observation::{Facts, Observation};
use crate::model::time::Timestamp;
use crate::pipeline::file;
use crate::pipeline::profiles::{Damaged, Folded, Profiles};
use crate::ports::tables::Tables;

/// What was published for a record.
#[derive(Clone, Copy, Debug)]
pub enum Published<'r> {
    /// There is nothing to compare with.
    Unknown,
    /// No decision: it was rejected, or a duplicate.
    Nothing,
    /// The line that `ward score` wrote for a record that it rejected or had seen before.
    Refused(&'r [u8]),
    Decision(&'r Recorded, &'r [u8], Form),
}

/// A record, and what was published for it.
#[derive(Debug)]
pub struct Given<'r> {
    pub partition: i32,
    pub offset: i64,
    /// In a file.
    pub line: Option<u64>,
    /// Of the record, where it has one.
    pub recorded_at: Option<Timestamp>,
    pub decoded: Result<Decoded<'r>, Rejected>,
    pub published: Published<'r>,
}

/// The same for a whole replay.
#[derive(Clone, Copy, Debug)]
pub struct Course<'p> {
    pub policies: &'p Policies,
    /// The one whose verdict was recorded beside the live one's.
    pub shadow: Option<&'p Policy>,
    /// When a profile begins and ends.
    pub lifetime: &'p Lifetime,
    /// Facts are looked up here; `None` takes those that were recorded.
    pub tables: Option<&'p dyn Tables>,
    /// What is compared: from here, to before there. What lies before is folded all the same.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Only this user is folded; of all others the chain goes on, and nothing else.
    pub only: Option<&'p UserKey>,
}

/// Why a replay cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// Who watches cannot go on.
    #[error("{0}")]
    Watch(String),
}

/// One partition, or one file. (An exported file may hold the decisions of several partitions: each
/// has its chain.)
#[derive(Debug)]
pub struct Lane {
    /// As published, by partition.
    chains: BTreeMap<i32, Digest>,
    first: Profiles,
    second: Option<Profiles>,
    enricher: Enricher,
    /// Only of what nothing was recorded for.
    across: Local,
    out: Vec<u8>,
    watch: Option<Box<dyn Watch>>,
}

impl Lane {
    /// A lane at its beginning. `hash_seed` is drawn by the shell.
    #[must_use]
    pub fn new(compares: bool, hash_seed: u64) -> Self {
        Self {
            chains: BTreeMap::new(),
            first: Profiles::new(hash_seed),
            second: compares.then(|| Profiles::new(hash_seed)),
            enricher: Enricher::default(),
            across: Local::default(),
            out: Vec::new(),
            watch: None,
        }
    }

    /// Has everything shown to `watch` that is folded.
    #[must_use]
    pub fn watched(self, watch: Option<Box<dyn Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// Nothing more comes: gives back who watched.
    ///
    /// # Errors
    /// When that one cannot go on.
    pub fn finish(&mut self) -> Result<Option<Box<dyn Watch>>, Stopped> {
        let Some(mut watch) = self.watch.take() else { return Ok(None) };
        watch.ended(&self.first).map_err(Stopped::Watch)?;
        Ok(Some(watch))
    }

    /// The next decision of `partition` follows this chain: those between are not here.
    pub fn stand_after(&mut self, partition: i32, chain: Digest) {
        self.chains.insert(partition, chain);
    }

    /// Users of whom something is known.
    #[must_use]
    pub fn users(&self) -> usize {
        self.first.users()
    }

    /// A decision whose event is gone: only its chain goes on.
    pub fn pass_over(&mut self, recorded: &Recorded) {
        self.chains.insert(recorded.partition, recorded.chain);
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// When a decision names a policy that nobody gave, or a profile is not what the engine wrote.
    pub fn take(
        &mut self,
        given: Given<'_>,
        course: &Course<'_>,
        report: &mut Report,
    ) -> Result<(), Stopped> {
        let Given { partition, offset, line, recorded_at, decoded, published } = given;
        report.records += 1;
        let place = Place { partition, offset, line };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(rejected) => {
                let within = recorded_at.is_none_or(|at| course.is_within(at));
                self.rejected(place, &rejected, published, within, report);
                return Ok(());
            }
        };
        if let Some(only) = course.only
            && !UserKey::matches(only.as_bytes(), &decoded.event.tenant, &decoded.event.user)
        {
            if let Published::Decision(recorded, ..) = published {
                self.chains.insert(recorded.partition, recorded.chain);
            }
            return Ok(());
        }
        let at = recorded_at.unwrap_or(decoded.event.occurred_at);
        let within = course.is_within(at);
        let seen = self.observe(decoded, published, course.tables);
        let recorded = match published {
            Published::Decision(recorded, ..) => Some(recorded),
            _ => None,
        };
        let deciding = course.policies.deciding(recorded.map(|recorded| recorded.basis.policy))?;
        let tables = course.tables.map(Tables::digest);
        let basis = |policy: Digest| basis(policy, recorded.map(|recorded| &*recorded.basis), tables);
        let setting = Setting {
            policy: deciding.first,
            shadow: course.shadow,
            basis: basis(deciding.first.digest),
            lifetime: course.lifetime,
        };
        let position = Position {
            topic: recorded.and_then(|recorded| recorded.topic.as_deref()).map(Into::into),
            partition: recorded.map_or(partition, |recorded| recorded.partition),
            offset: recorded.map_or(offset, |recorded| recorded.offset),
        };

        let chain = self.chains.get(&position.partition).copied().unwrap_or_default();
        let Self { first, second, out, watch, .. } = self;
        if let Some(watch) = watch {
            let seen = Seen { event: &seen.event, at, published, before: chain, profiles: &*first };
            watch.seen(&seen).map_err(Stopped::Watch)?;
        }
        let (mut beside, mut sightings) = (Ok(()), Sightings::default());
        let compares = within && !course.policies.is_hypothetical();
        let folded = first.fold(&seen, position.clone(), &setting, &mut |ruling| {
            sightings = ruling.sightings;
            if compares {
                note_published(place, ruling, published, chain, out, report);
            }
            let (Some(second), Some(policy)) = (second.as_mut(), deciding.second) else { return };
            let setting =
                Setting { policy, shadow: None, basis: basis(policy.digest), lifetime: course.lifetime };
            let diff = within.then_some(report.diff.as_mut()).flatten();
            beside = fold_beside(second, &seen, &position, &setting, ruling, diff);
        })?;
        beside?;
        if folded.is_ok() && matches!(published, Published::Unknown) {
            self.across.take(&seen, sightings, offset.saturating_add(1).unsigned_abs());
        }
        match folded {
            Ok(Folded::Decided) => {
                report.decisions += 1;
                report.compared += u64::from(within);
            }
            Ok(Folded::Duplicate) => {
                report.duplicates += 1;
                if within {
                    self.out.clear();
                    file::duplicate(line.unwrap_or(0), &seen, &mut self.out);
                    report.note_refusal(place, &self.out, published);
                }
                // A repeat under both: the second has to see it as well.
                if let (Some(second), Some(policy)) = (&mut self.second, deciding.second) {
                    let setting = Setting {
                        policy,
                        shadow: None,
                        basis: basis(policy.digest),
                        lifetime: course.lifetime,
                    };
                    let _same = second.fold(&seen, position, &setting, &mut |_| ())?;
                }
            }
            Err(rejected) => self.rejected(place, &rejected, published, within, report),
        }
        if let Some(recorded) = recorded {
            self.chains.insert(recorded.partition, recorded.chain);
        }
        Ok(())
    }

    fn rejected(
        &mut self,
        place: Place,
        rejected: &Rejected,
        published: Published<'_>,
        within: bool,
        report: &mut Report,
    ) {
        report.rejected += 1;
        if let Published::Decision(recorded, ..) = published {
            self.chains.insert(recorded.partition, recorded.chain);
        }
        if within {
            self.out.clear();
            file::reject(place.line.unwrap_or(0), rejected, &mut self.out);
            report.note_refusal(place, &self.out, published);
        }
    }

    fn observe<'e>(
        &mut self,
        decoded: Decoded<'e>,
        published: Published<'_>,
        tables: Option<&dyn Tables>,
    ) -> Observation<'e> {
        match (tables, published) {
            (Some(tables), published) => {
                let mut seen = self.enricher.enrich(decoded.event, tables);
                seen.facts.across = match published {
                    // Other tables tell nothing else of who was seen where.
                    Published::Decision(recorded, ..) => recorded.facts.across,
                    _ => self.across.look_up(&seen),
                };
                seen
            }
            (None, Published::Decision(recorded, ..)) => {
                self.enricher.with_facts(decoded.event, recorded.facts)
            }
            // It gave no decision, so nothing of it was looked up for one.
            (None, _) => self.enricher.with_facts(decoded.event, Facts::default()),
        }
    }
}

impl Course<'_> {
    fn is_within(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Place {
    pub partition: i32,
    pub offset: i64,
    /// In a file.
    pub line: Option<u64>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}"),
            None => write!(f, "partition {} offset {}", self.partition, self.offset),
        }
    }
}

/// The basis of the decision at hand, but for policy and tables where those are others.
fn basis(policy: Digest, recorded: Option<&RecordedBasis>, tables: Option<Digest>) -> Basis<'_> {
    Basis {
        policy,
        // Another revision that decides the same bytes is the same engine: its name is taken over.
        engine: recorded.map_or(REVISION, |basis| basis.engine.as_str()),
        tables: tables.or_else(|| recorded.map(|basis| basis.tables)).unwrap_or(Digest::ZERO),
        model: recorded.and_then(|basis| basis.model),
    }
}

fn note_published(
    place: Place,
    ruling: &Ruling<'_>,
    published: Published<'_>,
    before: Digest,
    out: &mut Vec<u8>,
    report: &mut Report,
) {
    out.clear();
    match published {
        Published::Unknown => {}
        Published::Nothing | Published::Refused(_) => {
            report.reproduction.note_unpublished(place, &ruling.decision, published);
        }
        Published::Decision(recorded, bytes, form) => {
            match form {
                Form::Json => emit::decision_json(&ruling.decision, before, out),
                Form::Avro => emit::decision_avro(&ruling.decision, before, out),
            };
            report.reproduction.note(place, recorded, bytes, out, form);
        }
    }
}

fn fold_beside(
    second: &mut Profiles,
    seen: &Observation<'_>,
    position: &Position<'_>,
    setting: &Setting<'_>,
    ruling: &Ruling<'_>,
    diff: Option<&mut Diff>,
) -> Result<(), Damaged> {
    let mut diff = diff;
    let folded = second.fold(seen, position.clone(), setting, &mut |other| {
        if let Some(diff) = &mut diff {
            diff.note(seen, &ruling.decision, &other.decision);
        }
    })?;
    if let (Err(_) | Ok(Folded::Duplicate), Some(diff)) = (folded, diff) {
        diff.undecided += 1;
    }
    Ok(())
}
