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
        let moment = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        i16::try_from(self.zone(name)?.to_offset(moment).seconds() / 60).ok()
    }

    /// The next moment after `at` at which the zone's offset may be another one; the end of time for
    /// no zone, and for one that does not change any more.
    pub(super) fn same_until(&self, name: Option<&str>, at: Timestamp) -> Timestamp {
        let next = || {
            let moment = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
            let change = self.zone(name?)?.following(moment).next()?;
            Timestamp::from_micros(change.timestamp().as_microsecond())
        };
        next().unwrap_or(Timestamp::MAX)
    }

    fn zone(&self, name: &str) -> Option<&TimeZone> {
        self.zones.get(name)?.get_or_init(|| self.database.get(name).ok()).as_ref()
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

    /// Whatever is promised to last lasts, to the last microsecond.
    #[test]
    fn an_offset_lasts_as_long_as_promised() {
        let zones = Zones::new();
        for name in
            ["Europe/London", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "America/New_York"]
        {
            let mut at = Timestamp::parse("1990-01-01T00:00:00Z").unwrap();
            let end = Timestamp::parse("2050-01-01T00:00:00Z").unwrap();
            while at < end {
                let until = zones.same_until(Some(name), at);
                assert!(at < until, "{name} {at}");
                let before = until.minus(std::time::Duration::from_micros(1));
                for moment in
                    [at, before, Timestamp::from_micros(at.micros() / 2 + before.micros() / 2).unwrap()]
                {
                    assert_eq!(
                        zones.offset_minutes(name, moment),
                        zones.offset_minutes(name, at),
                        "{name} {moment}"
                    );
                }
                at = until;
            }
        }
        assert_eq!(zones.same_until(None, Timestamp::EPOCH), Timestamp::MAX);
        assert_eq!(zones.same_until(Some("Mars/Olympus"), Timestamp::EPOCH), Timestamp::MAX);
    }

    #[test]
    fn unknown_zones_are_unknown() {
        check("Mars/Olympus", "2026-01-05T09:00:00Z", None);
        check("", "2026-01-05T09:00:00Z", None);
        check("../../etc/passwd", "2026-01-05T09:00:00Z", None);
    }
}
