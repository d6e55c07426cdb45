//! Evidence in one line, for people. The numbers are those of `before` and `now`.

use std::fmt::{self, Write};

use super::line::Line;
use crate::engine::signals::counts_from;
use crate::model::evidence::Evidence;
use crate::model::{Browser, CredentialChange, Factor, Os};

/// What was compared and what came of it, e.g. `8852 km from the nearest of 3 usual places`.
#[must_use]
pub fn sentence(evidence: &Evidence) -> Line {
    let mut line = Line::default();
    let written = write_sentence(&mut line, evidence);
    debug_assert!(written.is_ok(), "a sentence is longer than a line: {line}");
    line
}

fn write_sentence(line: &mut Line, evidence: &Evidence) -> fmt::Result {
    match evidence {
        Evidence::Location { places, nearest_km, .. } => match places {
            0 | 1 => write!(line, "{nearest_km} km from the only usual place"),
            places => write!(line, "{nearest_km} km from the nearest of {places} usual places"),
        },
        Evidence::Travel { distance_km, elapsed_s, least_kmh, .. } => {
            write!(line, "{distance_km} km in {} needs {least_kmh} km/h", Lasting(*elapsed_s))
        }
        Evidence::Network { networks, asn, asn_seen, country_seen } => {
            write!(line, "none of {} usual {}", networks, plural(*networks, "network"))?;
            match (asn, asn_seen, country_seen) {
                (Some(asn), true, _) => write!(line, "; AS{asn} is usual"),
                (Some(asn), false, true) => write!(line, "; AS{asn} is new, its country is usual"),
                (Some(asn), false, false) => write!(line, "; AS{asn} and its country are new"),
                (None, _, true) => line.write_str("; its country is usual"),
                (None, _, false) => line.write_str("; its country is new"),
            }
        }
        Evidence::Anonymous { class, asn } => {
            write!(line, "the address is of a {class} network")?;
            asn.map_or(Ok(()), |asn| write!(line, ", AS{asn}"))
        }
        Evidence::Device { devices, browser, os, browser_seen, os_seen, network_seen } => {
            write!(line, "none of {} usual {}", devices, plural(*devices, "device"))?;
            write!(line, "; {}", Agent(*browser, *os))?;
            let new = [(!browser_seen, "browser"), (!os_seen, "OS"), (!network_seen, "network")];
            let mut lead = ", new: ";
            for (_, what) in new.iter().filter(|(new, _)| *new) {
                write!(line, "{lead}{what}")?;
                lead = ", ";
            }
            Ok(())
        }
        Evidence::Session { device, browser, os, age_s } => {
            write!(line, "{} into the session", Lasting(*age_s))?;
            if *device {
                line.write_str(", another device fingerprint")?;
            }
            if let Some((was, is)) = browser {
                write!(line, ", browser {was} became {is}")?;
            }
            if let Some((was, is)) = os {
                write!(line, ", OS {was} became {is}")?;
            }
            Ok(())
        }
        Evidence::Hour { share_permille, minute_of_day, weekend, logins, usual_minute } => {
            let day = if *weekend { "a weekend" } else { "a workday" };
            let (now, usual) = (Minute(*minute_of_day), Minute(*usual_minute));
            let (percent, tenth) = (share_permille / 10, share_permille % 10);
            write!(
                line,
                "{now} on {day}, where {percent}.{tenth} % of {logins} logins are near; usual is {usual}"
            )
        }
        Evidence::Behavior { batches, learned, deviation_centi, features } => write!(
            line,
            "{} times the usual spread in {features} {} of {batches} {} ({learned} learned)",
            Hundredths(*deviation_centi),
            plural(*features, "feature"),
            if *batches == 1 { "batch" } else { "batches" },
        ),
        Evidence::FailedBurst { failures_centi, threshold_centi, .. } => write!(
            line,
            "{} failures left of those before, counts from {}",
            Hundredths(*failures_centi),
            Hundredths(counts_from(*threshold_centi)),
        ),
        Evidence::Fatigue { refused, within_s, .. } => {
            let prompts = plural(*refused, "prompt");
            write!(
                line,
                "approved after {refused} {prompts} refused or ignored within {}",
                Lasting((*within_s).into())
            )
        }
        Evidence::Crowd { origin, stranded, threshold, unknown, tries_centi, at_home, .. } => {
            write!(line, "{stranded} other users failed from this {}, tried ", origin.name())?;
            match *tries_centi / 10 {
                10 => line.write_str("once each")?,
                _ => write!(line, "{} times each", Hundredths(*tries_centi))?,
            }
            if *unknown > 0 {
                write!(line, ", {unknown} do not exist")?;
            }
            if *at_home {
                return line.write_str("; this one is at home there");
            }
            write!(line, "; counts from {threshold}")
        }
        Evidence::Shared { users, threshold } => {
            write!(line, "{users} users new to this device within a day, counts from {threshold}")
        }
        Evidence::Reported { since_s, by_device, by_session, event_known: Some(known) } => {
            debug_assert_eq!(*since_s, 0, "an event is named by the feedback itself");
            line.write_str("said to be compromised: ")?;
            line.write_str(match (known, by_device, by_session) {
                (false, ..) => "the event is no longer known, nor its device and session",
                (true, true, true) => "device and session of the event are known",
                (true, true, false) => "the event's device is known",
                (true, false, true) => "the event's session is known",
                (true, false, false) => "the event is known, its device and session are not",
            })
        }
        Evidence::Reported { since_s, by_device, by_session, event_known: None } => {
            line.write_str("said to be compromised")?;
            if *since_s > 0 {
                write!(line, " {} ago", Lasting(*since_s))?;
            }
            match (by_device, by_session) {
                (true, true) => line.write_str(", same device and session"),
                (true, false) => line.write_str(", same device"),
                (false, true) => line.write_str(", same session"),
                (false, false) => Ok(()),
            }
        }
        Evidence::TokenReuse { spent_s, grace_s, device_same, .. } => {
            let device = if *device_same { "the same" } else { "another" };
            write!(
                line,
                "a token presented again {} after it was spent ({} are a retry), by {device} device",
                Lasting(*spent_s),
                Lasting((*grace_s).into())
            )
        }
        Evidence::TwoPlaces { distance_km, elapsed_s, least_kmh, .. } => {
            let elapsed = Lasting(*elapsed_s);
            write!(line, "one session {distance_km} km apart in {elapsed} needs {least_kmh} km/h")
        }
        Evidence::Dormant { silent_days, after_days, .. } => {
            write!(line, "first activity after {silent_days} days, {after_days} are long")
        }
        Evidence::Credential { factor, change, by_other, user_risk, risky_s, .. } => {
            write!(line, "{} {}", factor.map_or("credential", Factor::name), Past(*change))?;
            line.write_str(if *by_other { " by another" } else { "" })?;
            write!(line, " {} after a risky login; user risk {user_risk}", Lasting(*risky_s))
        }
        Evidence::Rare { apps, accesses, app_seen, privilege, privilege_seen } => {
            match (app_seen, privilege_seen) {
                (false, _) => write!(line, "none of {apps} usual {}", plural(*apps, "app"))?,
                (true, _) => line.write_str("a usual app")?,
            }
            if !privilege_seen {
                write!(line, ", privilege {privilege} is new")?;
            }
            write!(line, " ({accesses} accesses learned)")
        }
        Evidence::Workload {
            networks,
            asn,
            network_seen,
            asn_seen,
            per_hour,
            peak_per_hour,
            hours,
            hour_seen,
            ..
        } => {
            write!(line, "{per_hour} this hour, {peak_per_hour} the most of {hours}")?;
            line.write_str(if *hour_seen { "" } else { ", at an hour of no habit" })?;
            match (network_seen, asn, asn_seen) {
                (true, ..) => Ok(()),
                (false, Some(asn), true) => write!(line, "; a new network of the usual AS{asn}"),
                (false, Some(asn), false) => {
                    write!(line, "; none of {networks} usual {}, AS{asn}", plural(*networks, "network"))
                }
                (false, None, _) => {
                    write!(line, "; none of {networks} usual {}", plural(*networks, "network"))
                }
            }
        }
    }
}

/// What was done, as it stands after the factor.
struct Past(CredentialChange);

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            CredentialChange::Create => "created",
            CredentialChange::Update | CredentialChange::Other => "changed",
            CredentialChange::Reset => "reset",
            CredentialChange::Revoke => "removed",
        })
    }
}

fn plural(count: u16, noun: &'static str) -> impl fmt::Display {
    struct Noun(&'static str, bool);
    impl fmt::Display for Noun {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}{}", self.0, if self.1 { "s" } else { "" })
        }
    }
    Noun(noun, count != 1)
}

/// Seconds in the largest unit that keeps two of it: `90 s`, `120 min`, `30 h`, `12 days`.
struct Lasting(u64);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        match self.0 {
            seconds if seconds < 2 * MINUTE => write!(f, "{seconds} s"),
            seconds if seconds <= 2 * HOUR => write!(f, "{} min", seconds / MINUTE),
            seconds if seconds <= 2 * DAY => write!(f, "{} h", seconds / HOUR),
            seconds => write!(f, "{} days", seconds / DAY),
        }
    }
}

/// Hundredths as a decimal with one digit, where it has one.
struct Hundredths(u32);

impl fmt::Display for Hundredths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 100 / 10 {
            0 => write!(f, "{}", self.0 / 100),
            tenth => write!(f, "{}.{tenth}", self.0 / 100),
        }
    }
}

/// A minute of the day, as a clock shows it.
struct Minute(u16);

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

struct Agent(Option<Browser>, Option<Os>);

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(browser), Some(os)) => write!(f, "{browser} on {os}"),
            (Some(browser), None) => write!(f, "{browser}"),
            (None, Some(os)) => write!(f, "{os}"),
            (None, None) => f.write_str("nothing known of it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::evidence::OriginKind;
    use crate::model::{Level, NetworkClass, Privilege};

    #[track_caller]
    fn check(evidence: &Evidence, expected: &str) {
        assert_eq!(sentence(evidence).as_str(), expected);
    }

    #[test]
    fn where_it_was() {
        let location = |places| Evidence::Location {
            places,
            nearest_km: 8852,
            spread_km: 50,
            country: None,
            country_seen: true,
            radius_km: 50,
        };
        check(&location(3), "8852 km from the nearest of 3 usual places");
        check(&location(1), "8852 km from the only usual place");
        let travel =
            |elapsed_s| Evidence::Travel { distance_km: 16_954, elapsed_s, least_kmh: 8477, radii_km: 100 };
        check(&travel(7200), "16954 km in 120 min needs 8477 km/h");
        check(&travel(60), "16954 km in 60 s needs 8477 km/h");
        check(&travel(50 * 3600), "16954 km in 2 days needs 8477 km/h");
        let network =
            |asn, asn_seen, country_seen| Evidence::Network { networks: 4, asn, asn_seen, country_seen };
        check(&network(Some(1221), true, true), "none of 4 usual networks; AS1221 is usual");
        check(
            &network(Some(1221), false, true),
            "none of 4 usual networks; AS1221 is new, its country is usual",
        );
        check(&network(Some(1221), false, false), "none of 4 usual networks; AS1221 and its country are new");
        check(&network(None, false, false), "none of 4 usual networks; its country is new");
        check(
            &Evidence::Anonymous { class: NetworkClass::Tor, asn: Some(7) },
            "the address is of a tor network, AS7",
        );
    }

    #[test]
    fn what_it_was() {
        let device = |browser_seen, network_seen| Evidence::Device {
            devices: 1,
            browser: Some(Browser::Chrome),
            os: Some(Os::MacOs),
            browser_seen,
            os_seen: true,
            network_seen,
        };
        check(&device(true, true), "none of 1 usual device; Chrome on macOS");
        check(&device(false, false), "none of 1 usual device; Chrome on macOS, new: browser, network");
        let session = Evidence::Session {
            device: true,
            browser: Some((Browser::Chrome, Browser::Samsung)),
            os: Some((Os::MacOs, Os::Android)),
            age_s: 300,
        };
        check(
            &session,
            "5 min into the session, another device fingerprint, browser Chrome became Samsung Internet, OS macOS became Android",
        );
    }

    #[test]
    fn when_and_how() {
        let hour = Evidence::Hour {
            share_permille: 4,
            minute_of_day: 190,
            weekend: true,
            logins: 120,
            usual_minute: 552,
        };
        check(&hour, "03:10 on a weekend, where 0.4 % of 120 logins are near; usual is 09:12");
        let batch = Evidence::Behavior { batches: 3, learned: 40, deviation_centi: 261, features: 8 };
        check(&batch, "2.6 times the usual spread in 8 features of 3 batches (40 learned)");
    }

    #[test]
    fn tokens_changes_and_workloads() {
        check(
            &Evidence::TokenReuse { spent_s: 3600, grace_s: 60, rotations: 3, device_same: false },
            "a token presented again 60 min after it was spent (60 s are a retry), by another device",
        );
        let apart = Evidence::TwoPlaces {
            distance_km: 16_994,
            elapsed_s: 3600,
            least_kmh: 16_894,
            radii_km: 100,
            device_same: true,
        };
        check(&apart, "one session 16994 km apart in 60 min needs 16894 km/h");
        check(
            &Evidence::Dormant { silent_days: 203, after_days: 180, logins: 40 },
            "first activity after 203 days, 180 are long",
        );
        let credential = |factor, change, by_other| Evidence::Credential {
            factor,
            change,
            by_other,
            user_risk: Level::High,
            risky_s: 600,
            within_s: 86_400,
        };
        check(
            &credential(Some(Factor::Totp), CredentialChange::Create, false),
            "totp created 10 min after a risky login; user risk high",
        );
        check(
            &credential(None, CredentialChange::Reset, true),
            "credential reset by another 10 min after a risky login; user risk high",
        );
        let rare = |app_seen, privilege_seen| Evidence::Rare {
            apps: 5,
            accesses: 120,
            app_seen,
            privilege: Privilege::Admin,
            privilege_seen,
        };
        check(&rare(false, true), "none of 5 usual apps (120 accesses learned)");
        check(&rare(true, false), "a usual app, privilege admin is new (120 accesses learned)");
        let workload = |network_seen, asn_seen| Evidence::Workload {
            networks: 2,
            asn: Some(7),
            network_seen,
            asn_seen,
            per_hour: 90,
            peak_per_hour: 12,
            hours: 200,
            rate_seen: false,
            hour_seen: network_seen,
        };
        check(&workload(true, true), "90 this hour, 12 the most of 200");
        check(
            &workload(false, true),
            "90 this hour, 12 the most of 200, at an hour of no habit; a new network of the usual AS7",
        );
        check(
            &workload(false, false),
            "90 this hour, 12 the most of 200, at an hour of no habit; none of 2 usual networks, AS7",
        );
    }

    #[test]
    fn attacks_and_reports() {
        let burst = Evidence::FailedBurst { failures_centi: 640, threshold_centi: 500, half_life_s: 1800 };
        check(&burst, "6.4 failures left of those before, counts from 4.5");
        let decayed = Evidence::FailedBurst { failures_centi: 780, threshold_centi: 800, half_life_s: 1800 };
        check(&decayed, "7.8 failures left of those before, counts from 7.2");
        check(
            &Evidence::Fatigue { refused: 7, within_s: 1800, threshold: 5 },
            "approved after 7 prompts refused or ignored within 30 min",
        );
        let crowd = |unknown, tries_centi, at_home| Evidence::Crowd {
            origin: OriginKind::Network,
            stranded: 37,
            threshold: 20,
            failed: 40,
            unknown,
            succeeded: 2,
            tries_centi,
            at_home,
        };
        check(
            &crowd(0, 109, false),
            "37 other users failed from this network, tried once each; counts from 20",
        );
        check(
            &crowd(12, 250, false),
            "37 other users failed from this network, tried 2.5 times each, 12 do not exist; counts from 20",
        );
        check(
            &crowd(0, 300, true),
            "37 other users failed from this network, tried 3 times each; this one is at home there",
        );
        check(
            &Evidence::Shared { users: 12, threshold: 10 },
            "12 users new to this device within a day, counts from 10",
        );
        let said = |since_s, by_device, by_session| Evidence::Reported {
            since_s,
            by_device,
            by_session,
            event_known: None,
        };
        check(&said(0, false, false), "said to be compromised");
        let named = |event_known, by_device, by_session| Evidence::Reported {
            since_s: 0,
            by_device,
            by_session,
            event_known: Some(event_known),
        };
        check(&named(true, true, false), "said to be compromised: the event's device is known");
        check(
            &named(false, false, false),
            "said to be compromised: the event is no longer known, nor its device and session",
        );
        check(&said(7200, true, true), "said to be compromised 120 min ago, same device and session");
    }
}
