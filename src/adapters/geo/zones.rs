//! Time zones by IANA name, from the data compiled in: the machine's own differ from host to host.
//!
//! Silent for a name that nobody knows.

use std::sync::OnceLock;

use hashbrown::HashMap;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::model::time::Timestamp;

/// Every zone, parsed when it is first asked for. The names are a closed set, so this cannot grow.
#[derive(Debug)]
pub(super) struct Zones {
    database: TimeZoneDatabase,
    zones: HashMap<String, OnceLock<Option<TimeZone>>, foldhash::fast::FixedState>,
}

impl Zones {
    pub(super) fn new() -> Self {
        let database = TimeZoneDatabase::bundled();
        let zones = database.available().map(|name| (name.as_str().to_owned(), OnceLock::new())).collect();
        Self { database, zones }
    }

    /// Minutes that the zone is ahead of UTC at that moment, daylight saving included.
    pub(super) fn offset_minutes(&self, name: &str, at: Timestamp) -> Option<i16> {
        let zone = self.zones.get(name)?.get_or_init(|| self.database.get(name).ok()).as_ref()?;
        let moment = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        i16::try_from(zone.to_offset(moment).seconds() / 60).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, at: &str, expected: Option<i16>) {
        assert_eq!(Zones::new().offset_minutes(zone, Timestamp::parse(at).unwrap()), expected);
    }

    #[test]
    fn daylight_saving_is_of_the_moment() {
        check("Europe/London", "2026-01-05T09:00:00Z", Some(0));
        check("Europe/London", "2026-07-05T09:00:00Z", Some(60));
        check("Europe/London", "2026-03-29T00:59:59Z", Some(0));
        check("Europe/London", "2026-03-29T01:00:00Z", Some(60));
        check("Asia/Kolkata", "2026-07-05T09:00:00Z", Some(330));
        check("Australia/Sydney", "2026-01-05T09:00:00Z", Some(660));
    }

    #[test]
    fn unknown_zones_are_unknown() {
        check("Mars/Olympus", "2026-01-05T09:00:00Z", None);
        check("", "2026-01-05T09:00:00Z", None);
        check("../../etc/passwd", "2026-01-05T09:00:00Z", None);
    }
}
