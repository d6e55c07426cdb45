//! What the schedules went through: schedules that never get into trouble prove nothing.

use std::collections::BTreeSet;

use wardstream::pipeline::lane::Offered;
use wardstream::pipeline::recover::Way;
use wardstream::pipeline::restore::Trouble;
use wardstream::ports::failure::Failure;
use wardstream::ports::store::StoreError;

use super::worker::Told;

/// What the schedules reached.
#[derive(Debug, Default)]
pub struct Seen {
    pub refused: Vec<String>,
    pub reached: BTreeSet<&'static str>,
}

impl Seen {
    pub fn note(&mut self, told: &Told<'_>) {
        let what = match told {
            Told::Offered(Offered::Decided { revocations: 1.., .. }) => "revoked",
            Told::Offered(Offered::Decided { alert: true, .. }) => "alert",
            Told::Offered(Offered::Decided { .. }) => "decided",
            Told::Offered(Offered::Duplicate) => "duplicate",
            Told::Offered(Offered::Rejected(reason)) => reason.name(),
            Told::Offered(Offered::Old) => "old",
            Told::NotPublished(Failure::Aborted(_)) => "aborted",
            Told::NotPublished(Failure::Unknown(_)) => "unknown",
            Told::NotPublished(Failure::Fenced(_)) => "fenced",
            Told::NotPublished(_) => "not published otherwise",
            Told::StoreFailed(StoreError::Damaged { .. }) => "store damaged",
            Told::StoreFailed(StoreError::Unusable(_)) => "store unusable",
            Told::TakenOver(taken) => match taken.plan.way {
                Way::Continue => "continue",
                Way::Replay { .. } => "replay",
                Way::Restore(because) => because.name(),
                Way::Fresh => "fresh",
            },
            Told::Verified(Ok(())) => "verified",
            Told::Verified(Err(_)) => "damage found beside the work",
            Told::Trouble(Trouble::Hangs(_)) => "hangs",
            Told::Trouble(Trouble::Refused { refusal, .. }) => {
                self.refused.push(refusal.to_string());
                "refused"
            }
            Told::Trouble(_) => "trouble",
        };
        self.reached.insert(what);
    }
}
