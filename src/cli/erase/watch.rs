//! Waits for an erasure: for its decision, and for the end of every part of the profile.
//!
//! A unit carries both, so they become visible together. A part counts as ended when a record of its key
//! stands in a unit that reaches beyond the erasure: mostly an end, and a new beginning where the user came
//! back in the same unit.
#![expect(clippy::disallowed_methods, reason = "a wait has an end")]

use std::time::{Duration, Instant};

use super::super::Failure;
use super::super::interrupt::Interrupt;
use super::super::whom::Whom;
use crate::adapters::kafka::{Connection, Follower};
use crate::engine::baseline::{Part, PartSet};
use crate::engine::emit::Form;
use crate::engine::emit::Ids;
use crate::model::id::UserKey;
use crate::ports::ledger::HEADER_OFFSET;
use crate::ports::source::Record;

/// What was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Erased {
    pub(super) partition: i32,
    /// Of the erasure in the input.
    pub(super) offset: i64,
    pub(super) decision_id: String,
    pub(super) parts: usize,
}

/// Stands at the ends of the user's partition as they were before the erasure was asked for.
pub(super) struct Watch {
    decisions: Follower,
    profiles: Follower,
    partition: i32,
    whom: Whom,
    key: UserKey,
    ids: Ids,
}

impl Watch {
    pub(super) fn begin(
        connection: &Connection,
        (decisions, profiles): (&str, &str),
        partition: i32,
        whom: Whom,
        ids: Ids,
    ) -> Result<Self, Failure> {
        let follow = |topic| {
            let follower = Follower::of(connection, topic, partition..partition + 1)?;
            follower.begin()?;
            Ok::<_, Failure>(follower)
        };
        let (decisions, profiles) = (follow(decisions)?, follow(profiles)?);
        Ok(Self { decisions, profiles, partition, key: whom.key(), whom, ids })
    }

    /// `None` when the wait is over.
    pub(super) fn until_erased(
        &self,
        event: &str,
        wait: Duration,
        interrupt: &Interrupt,
    ) -> Result<Option<Erased>, Failure> {
        let began = Instant::now();
        let (mut decided, mut ended) = (None, PartSet::NONE);
        while began.elapsed() < wait {
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            let Some((offset, decision_id)) = &decided else {
                decided = self.decisions.next(POLL_WAIT, |record| self.decision(record, event)).flatten();
                continue;
            };
            let part = self.profiles.next(POLL_WAIT, |record| self.part(record, *offset)).flatten();
            ended = part.map_or(ended, |part| ended.with(part));
            if Part::ALL.into_iter().all(|part| ended.has(part)) {
                return Ok(Some(Erased {
                    partition: self.partition,
                    offset: *offset,
                    decision_id: decision_id.clone(),
                    parts: Part::ALL.len(),
                }));
            }
        }
        Ok(None)
    }

    /// Where the erasure stands in the input, and its decision's id.
    fn decision(&self, record: &Record<'_>, event: &str) -> Option<(i64, String)> {
        let value = &*self.ids.single(record.value?);
        let form = Form::of(value);
        let decision = form.stored(value).ok()?;
        if decision.event_id != event || !self.whom.is(&decision.tenant, &decision.user_id) {
            return None;
        }
        Some((form.recorded(value).ok()?.offset, decision.decision_id.to_string()))
    }

    /// The part of the user that a change of a unit beyond `offset` is of.
    fn part(&self, record: &Record<'_>, offset: i64) -> Option<Part> {
        let (user, part) = Part::split_key(record.key?)?;
        let reaches = record.headers.iter().find(|(name, _)| *name == HEADER_OFFSET)?.1;
        let reaches: i64 = std::str::from_utf8(reaches).ok()?.parse().ok()?;
        (user == self.key.as_bytes() && reaches > offset).then_some(part)
    }
}

const POLL_WAIT: Duration = Duration::from_millis(100);
