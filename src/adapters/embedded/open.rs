//! Transactions that outlive their writer.
//!
//! Every other transaction is written under one lock, so that nobody sees it open.

use std::sync::Arc;

use super::log::{Inside, Log};
use crate::ports::ledger::{Hanging, Output, Unit};

/// What a dead writer left.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) units: Vec<Arc<Unit>>,
    /// How it ends.
    pub(super) commits: bool,
}

impl Log {
    /// As the broker's time-out of `member`'s transaction, or its markers that come late: what it left
    /// open ends.
    pub fn end_open(&self, member: &str) {
        self.lock().end_open(member);
    }
}

impl Inside {
    pub(super) fn end_open(&mut self, member: &str) {
        let Some(Open { units, commits }) = self.open.remove(member) else { return };
        if commits {
            self.commit(&units);
        } else {
            self.abort(&units);
        }
    }

    pub(super) fn hanging(&self, partition: i32) -> Option<Hanging> {
        let unit =
            self.open.values().flat_map(|open| &open.units).find(|unit| unit.partition == partition)?;
        // One that carries nothing but its offset keeps that from being read all the same.
        let output = unit.records().next().map_or(Output::Decisions, |record| record.output);
        let offset = self.output(output, partition)?.range().end;
        Some(Hanging { topic: output.name().into(), partition, offset, counted: None })
    }
}
