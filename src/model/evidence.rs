//! Evidence: what a detector compared, in numbers. Words are made of it at the edge (`engine/emit`).

use super::place::Country;
use super::words::{Browser, CredentialChange, Factor, Level, NetworkClass, Os, Privilege};

/// What was compared, both sides. One variant a detector; integers with a unit in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    Location {
        places: u16,
        nearest_km: u32,
        spread_km: u32,
        country: Option<Country>,
        country_seen: bool,
        radius_km: u16,
    },
    Travel {
        distance_km: u32,
        elapsed_s: u64,
        least_kmh: u32,
        radii_km: u32,
    },
    Network {
        networks: u16,
        asn: Option<u32>,
        asn_seen: bool,
        country_seen: bool,
    },
    Anonymous {
        class: NetworkClass,
        asn: Option<u32>,
    },
    Device {
        devices: u16,
        browser: Option<Browser>,
        os: Option<Os>,
        browser_seen: bool,
        os_seen: bool,
        network_seen: bool,
    },
    Session {
        device: bool,
        browser: Option<(Browser, Browser)>,
        os: Option<(Os, Os)>,
        age_s: u64,
    },
    Hour {
        share_permille: u16,
        minute_of_day: u16,
        weekend: bool,
        logins: u32,
        usual_minute: u16,
    },
    Behavior {
        batches: u32,
        learned: u32,
        deviation_centi: u32,
        features: u16,
    },
    FailedBurst {
        failures_centi: u32,
        threshold_centi: u32,
        half_life_s: u32,
    },
    Fatigue {
        refused: u16,
        within_s: u32,
        threshold: u16,
    },
    Reported {
        since_s: u64,
        by_device: bool,
        by_session: bool,
        /// Whether the event that a feedback names is known; `None` where none is named.
        event_known: Option<bool>,
    },
    /// A token that was spent is presented again.
    TokenReuse {
        spent_s: u64,
        grace_s: u32,
        rotations: u16,
        device_same: bool,
    },
    /// One session in two places.
    TwoPlaces {
        distance_km: u32,
        elapsed_s: u64,
        least_kmh: u32,
        radii_km: u32,
        device_same: bool,
    },
    /// Many users failed where this one came in.
    Crowd {
        origin: OriginKind,
        /// Users who failed and did not come in after it.
        stranded: u32,
        threshold: u32,
        failed: u32,
        unknown: u32,
        succeeded: u32,
        tries_centi: u32,
        /// The user is at home there.
        at_home: bool,
    },
    /// Many users were new to the device.
    Shared {
        users: u32,
        threshold: u32,
    },
    Dormant {
        silent_days: u32,
        after_days: u32,
        logins: u32,
    },
    Credential {
        factor: Option<Factor>,
        change: CredentialChange,
        /// Somebody else did it: a help desk.
        by_other: bool,
        user_risk: Level,
        risky_s: u64,
        within_s: u32,
    },
    Rare {
        apps: u16,
        accesses: u32,
        app_seen: bool,
        privilege: Privilege,
        privilege_seen: bool,
    },
    Workload {
        networks: u16,
        asn: Option<u32>,
        network_seen: bool,
        asn_seen: bool,
        per_hour: u32,
        /// The most in an hour that was learned, and of how many hours.
        peak_per_hour: u32,
        hours: u16,
        rate_seen: bool,
        hour_seen: bool,
    },
}

/// What a crowd has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginKind {
    Network,
    Device,
}

impl OriginKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Device => "device",
        }
    }
}

/// One value of an evidence in words: the maps `before` and `now` of a reason, and what a rule's
/// `evidence = { key = ["word"] }` looks into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'e> {
    Number(i64),
    Word(&'e str),
    List(&'e [&'static str]),
}

impl Evidence {
    /// Whether `before` or `now` has `key` with this word in it; numbers are compared in digits.
    #[must_use]
    pub fn says(&self, key: &str, word: &str) -> bool {
        let mut said = false;
        let mut look = |at: &'static str, value: Said<'_>| {
            said |= at == key
                && match value {
                    Said::Number(number) => word.parse() == Ok(number),
                    Said::Word(one) => one == word,
                    Said::List(all) => all.contains(&word),
                };
        };
        self.before(&mut look);
        self.now(&mut look);
        said
    }

    /// What the baseline holds, key by key.
    pub fn before(&self, tell: &mut dyn FnMut(&'static str, Said<'_>)) {
        match self {
            Self::Location { places, nearest_km, spread_km, .. } => {
                tell("places", number(*places));
                tell("nearest_km", number(*nearest_km));
                tell("spread_km", number(*spread_km));
            }
            Self::Travel { elapsed_s, .. } => tell("elapsed_s", long(*elapsed_s)),
            Self::Network { networks, .. } => tell("networks", number(*networks)),
            Self::Device { devices, .. } => tell("devices", number(*devices)),
            Self::Session { browser, os, age_s, .. } => {
                if let Some((was, _)) = browser {
                    tell("browser", Said::Word(was.name()));
                }
                if let Some((was, _)) = os {
                    tell("os", Said::Word(was.name()));
                }
                tell("age_s", long(*age_s));
            }
            Self::Hour { logins, usual_minute, share_permille, .. } => {
                tell("logins", number(*logins));
                tell("usual_minute", number(*usual_minute));
                tell("share_permille", number(*share_permille));
            }
            Self::Behavior { learned, .. } => tell("learned", number(*learned)),
            Self::FailedBurst { threshold_centi, half_life_s, .. } => {
                tell("threshold_centi", number(*threshold_centi));
                tell("half_life_s", number(*half_life_s));
            }
            Self::Fatigue { threshold, .. } => tell("threshold", number(*threshold)),
            Self::Reported { since_s, .. } => tell("since_s", long(*since_s)),
            Self::TokenReuse { spent_s, grace_s, rotations, .. } => {
                tell("spent_s", long(*spent_s));
                tell("grace_s", number(*grace_s));
                tell("rotations", number(*rotations));
            }
            Self::TwoPlaces { elapsed_s, .. } => tell("elapsed_s", long(*elapsed_s)),
            Self::Crowd { threshold, .. } | Self::Shared { threshold, .. } => {
                tell("threshold", number(*threshold));
            }
            Self::Dormant { after_days, logins, .. } => {
                tell("after_days", number(*after_days));
                tell("logins", number(*logins));
            }
            Self::Credential { user_risk, risky_s, within_s, .. } => {
                tell("user_risk", Said::Word(user_risk.name()));
                tell("risky_s", long(*risky_s));
                tell("within_s", number(*within_s));
            }
            Self::Rare { apps, accesses, .. } => {
                tell("apps", number(*apps));
                tell("accesses", number(*accesses));
            }
            Self::Workload { networks, peak_per_hour, hours, .. } => {
                tell("networks", number(*networks));
                tell("peak_per_hour", number(*peak_per_hour));
                tell("hours", number(*hours));
            }
            Self::Anonymous { .. } => {}
        }
    }

    /// What this event shows, key by key.
    pub fn now(&self, tell: &mut dyn FnMut(&'static str, Said<'_>)) {
        match self {
            Self::Location { country, country_seen, radius_km, .. } => {
                if let Some(country) = country {
                    tell("country", Said::Word(country.as_str()));
                }
                tell("radius_km", number(*radius_km));
                list(tell, "new", &[(!country_seen && country.is_some(), "country")]);
            }
            Self::Travel { distance_km, least_kmh, radii_km, .. } => {
                tell("distance_km", number(*distance_km));
                tell("least_kmh", number(*least_kmh));
                tell("radii_km", number(*radii_km));
            }
            Self::Network { asn, asn_seen, country_seen, .. } => {
                if let Some(asn) = asn {
                    tell("asn", number(*asn));
                }
                list(tell, "new", &[(true, "network"), (!asn_seen, "asn"), (!country_seen, "country")]);
            }
            Self::Anonymous { class, asn } => {
                tell("class", Said::Word(class.name()));
                if let Some(asn) = asn {
                    tell("asn", number(*asn));
                }
            }
            Self::Device { browser, os, browser_seen, os_seen, network_seen, .. } => {
                if let Some(browser) = browser {
                    tell("browser", Said::Word(browser.name()));
                }
                if let Some(os) = os {
                    tell("os", Said::Word(os.name()));
                }
                let new = [
                    (true, "device"),
                    (!browser_seen, "browser"),
                    (!os_seen, "os"),
                    (!network_seen, "network"),
                ];
                list(tell, "new", &new);
            }
            Self::Session { device, browser, os, .. } => {
                let changed =
                    [(*device, "device_fingerprint"), (browser.is_some(), "browser"), (os.is_some(), "os")];
                list(tell, "changed", &changed);
                if let Some((_, is)) = browser {
                    tell("browser", Said::Word(is.name()));
                }
                if let Some((_, is)) = os {
                    tell("os", Said::Word(is.name()));
                }
            }
            Self::Hour { minute_of_day, weekend, .. } => {
                tell("minute_of_day", number(*minute_of_day));
                tell("day", Said::Word(if *weekend { "weekend" } else { "workday" }));
            }
            Self::Behavior { batches, deviation_centi, features, .. } => {
                tell("batches", number(*batches));
                tell("deviation_centi", number(*deviation_centi));
                tell("features", number(*features));
            }
            Self::FailedBurst { failures_centi, .. } => tell("failures_centi", number(*failures_centi)),
            Self::Fatigue { refused, within_s, .. } => {
                tell("refused", number(*refused));
                tell("within_s", number(*within_s));
            }
            Self::Reported { by_device, by_session, event_known, .. } => {
                if let Some(known) = event_known {
                    tell("event", Said::Word(if *known { "known" } else { "forgotten" }));
                }
                list(tell, "same", &[(*by_device, "device"), (*by_session, "session")]);
            }
            Self::TokenReuse { device_same, .. } => {
                list(tell, "reused", &[(true, "token")]);
                list(tell, "same", &[(*device_same, "device")]);
            }
            Self::TwoPlaces { distance_km, least_kmh, radii_km, device_same, .. } => {
                list(tell, "reused", &[(true, "session")]);
                tell("distance_km", number(*distance_km));
                tell("least_kmh", number(*least_kmh));
                tell("radii_km", number(*radii_km));
                list(tell, "same", &[(*device_same, "device")]);
            }
            Self::Crowd { origin, stranded, failed, unknown, succeeded, tries_centi, at_home, .. } => {
                tell("origin", Said::Word(origin.name()));
                tell("stranded", number(*stranded));
                tell("failed", number(*failed));
                tell("unknown", number(*unknown));
                tell("succeeded", number(*succeeded));
                tell("tries_centi", number(*tries_centi));
                list(tell, "same", &[(*at_home, origin.name())]);
            }
            Self::Shared { users, .. } => tell("users", number(*users)),
            Self::Dormant { silent_days, .. } => tell("silent_days", number(*silent_days)),
            Self::Credential { factor, change, by_other, .. } => {
                if let Some(factor) = factor {
                    tell("factor", Said::Word(factor.name()));
                }
                tell("change", Said::Word(change.name()));
                list(tell, "by", &[(*by_other, "other"), (!by_other, "user")]);
            }
            Self::Rare { app_seen, privilege, privilege_seen, .. } => {
                tell("privilege", Said::Word(privilege.name()));
                list(tell, "new", &[(!app_seen, "app"), (!privilege_seen, "privilege")]);
            }
            Self::Workload { asn, network_seen, asn_seen, per_hour, rate_seen, hour_seen, .. } => {
                if let Some(asn) = asn {
                    tell("asn", number(*asn));
                }
                tell("per_hour", number(*per_hour));
                let new = [
                    (!network_seen, "network"),
                    (!asn_seen, "asn"),
                    (!rate_seen, "rate"),
                    (!hour_seen, "hour"),
                ];
                list(tell, "new", &new);
            }
        }
    }
}

fn number(number: impl Into<i64>) -> Said<'static> {
    Said::Number(number.into())
}

fn long(number: u64) -> Said<'static> {
    Said::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Tells the words that hold, in order; nothing when none does.
fn list(tell: &mut dyn FnMut(&'static str, Said<'_>), key: &'static str, words: &[(bool, &'static str)]) {
    let mut held = [""; 4];
    let mut count = 0;
    for ((_, word), slot) in words.iter().filter(|(holds, _)| *holds).zip(&mut held) {
        *slot = word;
        count += 1;
    }
    if let Some(held) = held.get(..count).filter(|held| !held.is_empty()) {
        tell(key, Said::List(held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(evidence: &Evidence, key: &str, word: &str, expected: bool) {
        assert_eq!(evidence.says(key, word), expected, "{key} = {word}");
    }

    #[test]
    fn a_session_says_what_changed() {
        let device = Evidence::Session { device: true, browser: None, os: None, age_s: 60 };
        check(&device, "changed", "device_fingerprint", true);
        check(&device, "changed", "browser", false);
        check(&device, "age_s", "60", true);
        check(&device, "age_s", "6", false);
        check(&device, "changes", "device_fingerprint", false);

        let browser = Some((Browser::Chrome, Browser::Firefox));
        let browser = Evidence::Session { device: false, browser, os: None, age_s: 60 };
        check(&browser, "changed", "browser", true);
        check(&browser, "changed", "device_fingerprint", false);
        check(&browser, "browser", "Chrome", true);
        check(&browser, "browser", "Firefox", true);
    }

    #[test]
    fn a_network_says_its_class() {
        check(&Evidence::Anonymous { class: NetworkClass::Tor, asn: None }, "class", "tor", true);
        check(&Evidence::Anonymous { class: NetworkClass::Tor, asn: None }, "asn", "0", false);
    }
}
