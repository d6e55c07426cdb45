//! The facts of network lanes as user lanes see them: a table, by tenant and origin.
//!
//! It advances no mark, and what was read from it stands in the decision: a replay needs no table.

use std::collections::{BTreeMap, BTreeSet};

use super::Told;
use crate::model::across::{Across, Origin, OriginFacts};
use crate::model::observation::Observation;
use crate::model::time::Timestamp;

/// Of all lanes. Facts of a tenant are never seen by another.
#[derive(Clone, Debug, Default)]
pub struct Table {
    tenants: BTreeMap<Box<str>, BTreeMap<Origin, Told>>,
    /// What ends first, first.
    by_end: BTreeSet<(Timestamp, Box<str>, Origin)>,
}

impl Table {
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_end.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_end.is_empty()
    }

    /// Takes what is told of an origin: facts, or their end. `false` when `key` names none.
    pub fn put(&mut self, key: &[u8], told: Option<Told>) -> bool {
        let Some((tenant, origin)) = Origin::parse_key(key) else { return false };
        self.remove(tenant, origin);
        if let Some(told) = told {
            self.by_end.insert((told.until, tenant.into(), origin));
            self.tenants.entry(tenant.into()).or_default().insert(origin, told);
            while self.by_end.len() > FACTS_MAX
                && let Some((_, tenant, origin)) = self.by_end.pop_first()
            {
                self.remove(&tenant, origin);
            }
        }
        true
    }

    fn remove(&mut self, tenant: &str, origin: Origin) {
        let Some(origins) = self.tenants.get_mut(tenant) else { return };
        if let Some(told) = origins.remove(&origin) {
            self.by_end.remove(&(told.until, tenant.into(), origin));
        }
        if origins.is_empty() {
            self.tenants.remove(tenant);
        }
    }

    /// What is known of the origins of an event at its own time; `None` when nothing is.
    #[must_use]
    pub fn look_up(&self, seen: &Observation<'_>) -> Option<Across> {
        // Nearly always: nothing is notable anywhere.
        if self.by_end.is_empty() {
            return None;
        }
        let origins = self.tenants.get(&*seen.event.tenant)?;
        let of = |origin: Option<Origin>| -> Option<OriginFacts> {
            let told = origins.get(&origin?)?;
            (seen.event.occurred_at < told.until).then_some(told.facts)
        };
        let across =
            Across { network: of(seen.keys.network_origin()), device: of(seen.keys.device_origin()) };
        (across != Across::default()).then_some(across)
    }
}

/// Some ten MiB. Beyond it what ends first is forgotten.
const FACTS_MAX: usize = 65_536;
