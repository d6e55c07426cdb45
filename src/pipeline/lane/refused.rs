//! Why a record was not decided, in words.

use crate::engine::decode::Rejected;
use crate::engine::signals::{DetectorPanic, panic_message};
use crate::model::Reject;
use crate::pipeline::intake;
use crate::ports::source::Record;
use crate::ports::store::StoreError;

/// Why a record was not decided.
pub(super) enum Refused {
    Record(Rejected),
    Store(StoreError),
}

impl Refused {
    pub(super) fn damaged(partition: i32, what: &str) -> Self {
        Self::Store(StoreError::Damaged { partition, what: what.into() })
    }

    pub(super) fn lost_seat(partition: i32) -> Self {
        Self::damaged(partition, "a profile lost its seat")
    }
}

impl From<Rejected> for Refused {
    fn from(rejected: Rejected) -> Self {
        Self::Record(rejected)
    }
}

/// `topic/partition/offset`: the id of an event whose producer gave it none, and the key of a
/// rejected record.
pub(super) fn fallback_id(id: &mut String, topic: &str, record: &Record<'_>) {
    use std::fmt::Write as _;
    id.clear();
    // Writing into a string cannot fail.
    let _written = write!(id, "{topic}/{}/{}", record.partition, record.offset);
}

pub(in crate::pipeline) fn panicked(panic: &(dyn std::any::Any + Send)) -> Rejected {
    let (who, message) = match panic.downcast_ref::<DetectorPanic>() {
        Some(DetectorPanic { signal, message }) => {
            (format!("detector `{}`", signal.name()), message.as_str())
        }
        None => ("deciding this record".into(), panic_message(panic)),
    };
    let message: String = message.chars().take(300).collect();
    intake::reject(Reject::DetectorPanic, format!("{who} panicked: {message}; please report it"))
}

pub(super) const fn refused_detail(reason: Reject) -> &'static str {
    match reason {
        Reject::TooLarge => {
            "what this event gives is larger than the output topic takes; raise its `max.message.bytes`"
        }
        _ => "refused when it was decided before",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapters::store::MemoryStore;
    use crate::engine::across::Table;
    use crate::engine::decode::NO_WRITERS;
    use crate::engine::policy::Policy;
    use crate::engine::signals::planted;
    use crate::engine::step::{LIFETIME, Setting};
    use crate::model::decision::Basis;
    use crate::model::id::Digest;
    use crate::pipeline::filter::Filter;
    use crate::pipeline::lane::{Lane, Offered, Settings, With};
    use crate::pipeline::recover::{Plan, Way};
    use crate::ports::ledger::{Mark, Output, Positions};
    use crate::ports::tables::NoTables;

    fn settings() -> Settings {
        Settings::plain()
    }

    /// Offers an access to each of `apps`, one after the other.
    fn offered(lane: &mut Lane, apps: &[&str]) -> Vec<Offered> {
        let (policy, store) = (Policy::shipped("default").unwrap(), MemoryStore::new());
        let basis = Basis {
            policy: policy.digest,
            engine: crate::engine::REVISION,
            tables: Digest::ZERO,
            model: None,
        };
        let with = With {
            setting: Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME },
            tables: &NoTables,
            across: &Table::default(),
            store: &store,
            writers: &NO_WRITERS,
            tracer: None,
            stages: None,
        };
        let offer = |(offset, app): (i64, &&str)| {
            let value = format!(
                r#"{{"event_id":"{offset}","tenant":"acme","user_id":"ada","type":"access","outcome":"success",
                    "occurred_at":"2026-01-05T09:0{offset}:00Z","app":"{app}","ip_address":"81.2.69.142"}}"#
            );
            let (key, value) = (Some(b"acme/ada".as_slice()), Some(value.as_bytes()));
            lane.offer(&Record { partition: 0, offset, recorded_at: None, key, value, headers: &[] }, &with)
                .unwrap()
        };
        (0..).zip(apps).map(offer).collect()
    }

    #[test]
    fn a_record_that_panics_a_detector_is_rejected_under_its_name_and_the_lane_goes_on() {
        let mark = Mark { offset: 0, chain: Digest::ZERO };
        let plan = Plan { mark, positions: Positions::default(), way: Way::Fresh, gap: None };
        let mut lane = Lane::new(0, Arc::new(settings()), &plan, Filter::new(7), 0);
        lane.started();
        let told = offered(&mut lane, &["payroll", planted::APP, "payroll"]);
        assert!(matches!(told[0], Offered::Decided { .. }), "{told:?}");
        assert_eq!(told[1], Offered::Rejected(Reject::DetectorPanic));
        assert!(matches!(told[2], Offered::Decided { .. }), "{told:?}");

        let unit = lane.seal().unwrap();
        let rejected: Vec<_> = unit.records().filter(|record| record.output == Output::Rejected).collect();
        assert_eq!((rejected.len(), rejected[0].offset), (1, 1));
        let text = String::from_utf8_lossy(rejected[0].value.unwrap());
        assert!(
            text.contains("detector_panic")
                && text.contains("detector `impossible_travel` panicked: planted"),
            "{text}"
        );
        let decided = unit.records().filter(|record| record.output == Output::Decisions);
        assert_eq!(decided.map(|record| record.offset).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn any_other_panic_is_told_too() {
        assert!(panicked(&"no detector").detail.starts_with("deciding this record panicked: no detector;"));
    }
}
