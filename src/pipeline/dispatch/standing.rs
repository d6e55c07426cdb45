//! How a dispatch stands: its lanes, what is open, what is under way.

use super::{Dispatch, Seat};
use crate::pipeline::lane::{Lane, Stand};

impl Dispatch {
    pub(super) fn lanes(&self) -> impl Iterator<Item = &Lane> {
        self.seats.values().filter_map(|seat| match seat {
            Seat::Running(lane) => Some(lane.as_ref()),
            _ => None,
        })
    }

    pub(super) fn lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.seats.values_mut().filter_map(|seat| match seat {
            Seat::Running(lane) => Some(lane.as_mut()),
            _ => None,
        })
    }

    #[must_use]
    pub fn lane(&self, partition: i32) -> Option<&Lane> {
        match self.seats.get(&partition) {
            Some(Seat::Running(lane)) => Some(lane),
            _ => None,
        }
    }

    pub(super) fn lane_mut(&mut self, partition: i32) -> Option<&mut Lane> {
        match self.seats.get_mut(&partition) {
            Some(Seat::Running(lane)) => Some(lane),
            _ => None,
        }
    }

    /// Records and bytes of the open units together.
    pub(super) fn open(&self) -> (usize, usize) {
        self.lanes()
            .fold((0, 0), |(records, bytes), lane| (records + lane.open_len(), bytes + lane.open_bytes()))
    }

    /// Every partition that is held, and whether it is served.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, bool)> {
        self.seats.iter().map(|(partition, seat)| (*partition, matches!(seat, Seat::Running(_))))
    }

    /// How far every lane has come.
    pub fn stands(&self) -> impl Iterator<Item = Stand> {
        self.lanes().map(Lane::stand)
    }

    /// Whether a transaction is under way.
    #[must_use]
    pub const fn is_publishing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Units of the transaction under way.
    #[must_use]
    pub fn publishing(&self) -> usize {
        self.in_flight.as_ref().map_or(0, Vec::len)
    }

    /// Whether anything waits to be published.
    #[must_use]
    pub fn has_open(&self) -> bool {
        self.open().0 > 0
    }

    /// Nothing is held and nothing is under way: the worker may end.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.in_flight.is_none() && self.doubt.is_empty()
    }

    /// Whether a partition must not be served before a person has acted.
    #[must_use]
    pub fn refuses(&self, partition: i32) -> bool {
        matches!(self.seats.get(&partition), Some(Seat::Refused))
    }

    /// Why the worker cannot go on.
    #[must_use]
    pub fn fatal(&self) -> Option<&str> {
        self.fatal.as_deref()
    }

    /// Invariants that did not hold, over all lanes held now.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.broken.count() + self.lanes().map(|lane| lane.broken().count()).sum::<u64>()
    }
}
