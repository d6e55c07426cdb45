//! What is known of a user, for people: a profile's parts as places, devices, networks, hours.
//!
//! Weights become shares of their sum, days become dates, keys the first digits of a hash: a profile
//! keeps no fingerprint, no address and no app's name.

use serde::Serialize;

use super::town;
use crate::engine::baseline::Profile;
use crate::engine::baseline::hours::{BINS, DayKind, Local};
use crate::engine::baseline::networks::Known as Learned;
use crate::engine::enrich::app_key;
use crate::engine::number::distance_m;
use crate::model::observation::Observation;
use crate::model::time::{TEXT_BYTES, Timestamp};
use crate::model::{Browser, DeviceKind, Factor, History, Level, Os, Privilege};

/// A profile in words and numbers. In JSON a date is `YYYY-MM-DD`, a time RFC 3339.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Known {
    /// Nothing is known of the user: all the rest is empty.
    pub is_known: bool,
    /// The event is an erasure: what was known was forgotten before it was decided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_erased: bool,
    pub first_seen: Option<String>,
    /// The newest event.
    pub last_seen: Option<String>,
    pub history: History,
    /// Learned logins, all that was learned, and on how many days.
    pub logins: u32,
    pub learned: u32,
    pub days: u16,
    pub standing: Standing,
    /// What local time is counted in.
    pub home_utc_offset_minutes: i16,
    pub last_fix: Option<Fix>,
    pub places: Vec<Place>,
    pub devices: Vec<Device>,
    pub networks: Networks,
    pub hours: Hours,
    pub behavior: Behavior,
    pub sessions: Vec<Session>,
    /// Observations that wait for an answer.
    pub held: usize,
    /// Prompts that were refused or ignored, of those that are remembered.
    pub refused_prompts: usize,
    pub open_alert_since: Option<String>,
    pub revocations: usize,
    /// Since when somebody says that it was not the user.
    pub reported_since: Option<String>,
    pub apps: Option<Apps>,
    /// Of a program.
    pub workload: Option<Workload>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub level: Level,
    pub since: Option<String>,
    pub cause: &'static str,
    /// Sessions that began before this are not to be trusted.
    pub not_before: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fix {
    pub latitude: f64,
    pub longitude: f64,
    pub at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Place {
    /// A large town that it is near.
    pub near: Option<&'static str>,
    pub country: Option<String>,
    pub latitude: f64,
    pub longitude: f64,
    pub radius_km: u16,
    pub spread_km: u16,
    pub share_permille: u32,
    pub days: u8,
    pub last: String,
    /// From where the event is.
    pub distance_km: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Device {
    /// The first digits of its hash: two events with the same ones came from the same device.
    pub key: String,
    pub browser: Option<Browser>,
    pub os: Option<Os>,
    pub kind: Option<DeviceKind>,
    pub share_permille: u32,
    pub days: u8,
    pub last: String,
    pub is_this: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Networks {
    /// Known addresses, and prefixes (/24, /56).
    pub addresses: usize,
    pub prefixes: usize,
    pub systems: Vec<System>,
    pub countries: Vec<Country>,
    /// Whether the event's own prefix is one of them.
    pub is_this: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct System {
    pub asn: u32,
    pub share_permille: u32,
    pub days: u8,
    pub last: String,
    pub is_this: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Country {
    pub country: String,
    pub share_permille: u32,
    pub is_this: bool,
}

/// Weights by half hour of the home's day, from midnight on: 48 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hours {
    pub workday: Vec<u16>,
    pub weekend: Vec<u16>,
    pub now: Option<Now>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Now {
    pub minute_of_day: u16,
    pub is_weekend: bool,
}

/// Learned batches, of all and of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Behavior {
    pub batches: u32,
    pub keystroke: u32,
    pub mouse: u32,
    pub touch: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    pub started: String,
    pub last: String,
    pub browser: Option<Browser>,
    pub os: Option<Os>,
    pub presented: Vec<Factor>,
    /// Something was asked of it that was not answered yet.
    pub is_risky: bool,
    pub is_revoked: bool,
    pub is_this: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Apps {
    pub apps: usize,
    pub accesses: u16,
    pub highest_privilege: Privilege,
    pub last: Option<String>,
    /// Whether the event's own app is one of them.
    pub is_this: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// The most in an hour that was learned, and of how many hours.
    pub peak_per_hour: u32,
    pub hours: u16,
    /// In the hour of the event, with it.
    pub this_hour: Option<u32>,
}

impl Known {
    /// Of a whole profile. What `seen` is compared with carries how it compares.
    #[must_use]
    pub fn of(profile: &Profile, seen: Option<&Observation<'_>>) -> Self {
        let core = profile.core();
        let habits = core.baseline();
        let is_known = profile.exists();
        let at = seen.map_or_else(|| core.newest(), |seen| seen.event.occurred_at);
        let standing = core.standing().as_of(at);
        let session = seen.and_then(|seen| seen.keys.session);
        Self {
            is_known,
            is_erased: seen.is_some_and(|seen| seen.event.is_erasure()),
            first_seen: is_known.then(|| core.first_seen().to_string()),
            last_seen: is_known.then(|| core.newest().to_string()),
            history: core.history(),
            logins: habits.logins,
            learned: habits.steps,
            days: habits.days,
            standing: Standing {
                level: standing.level,
                since: (standing.level > Level::Low).then(|| standing.since.to_string()),
                cause: standing.cause.name(),
                not_before: standing.not_before.map(|at| at.to_string()),
            },
            home_utc_offset_minutes: core.home_offset_minutes(),
            last_fix: core.trusted_fix().map(|fix| Fix {
                latitude: fix.coordinates.latitude(),
                longitude: fix.coordinates.longitude(),
                at: fix.at.to_string(),
            }),
            places: places(profile, seen),
            devices: devices(profile, seen),
            networks: networks(profile, seen),
            hours: Hours {
                workday: bins(habits.hours.bins(DayKind::Workday)),
                weekend: bins(habits.hours.bins(DayKind::Weekend)),
                now: seen.map(|seen| now(seen, core.home_offset_minutes())),
            },
            behavior: Behavior {
                batches: core.batches(),
                keystroke: profile.keystroke.as_ref().map_or(0, |part| part.batches()),
                mouse: profile.mouse.as_ref().map_or(0, |part| part.batches()),
                touch: profile.touch.as_ref().map_or(0, |part| part.batches()),
            },
            sessions: core
                .sessions()
                .iter()
                .map(|one| Session {
                    started: one.started.to_string(),
                    last: one.last.to_string(),
                    browser: one.client.browser,
                    os: one.client.os,
                    presented: one.presented.iter().collect(),
                    is_risky: one.risky,
                    is_revoked: one.revoked,
                    is_this: session == Some(one.key),
                })
                .collect(),
            held: core.held().len(),
            refused_prompts: core.refused.len(),
            open_alert_since: core.case().map(|case| case.opened.to_string()),
            revocations: core.revoked().len(),
            reported_since: core.reported().map(|reported| reported.since.to_string()),
            apps: apps(profile, seen),
            workload: profile.workload.map(|known| Workload {
                peak_per_hour: known.peak(),
                hours: known.hours(),
                this_hour: seen.map(|seen| known.with_this(seen.event.occurred_at)),
            }),
        }
    }
}

/// The nearest first, or the one that is used most.
fn places(profile: &Profile, seen: Option<&Observation<'_>>) -> Vec<Place> {
    let learned = &profile.core().baseline().places;
    let all = sum(learned.iter().map(|place| place.weight));
    let here = seen.and_then(|seen| seen.facts.coordinates).filter(|at| at.is_point());
    let place = |place: &crate::engine::baseline::places::Place| {
        let centre = place.centre()?;
        Some(Place {
            near: town::near(centre),
            country: place.country.map(|country| country.as_str().to_owned()),
            latitude: centre.latitude(),
            longitude: centre.longitude(),
            radius_km: place.radius_km,
            spread_km: place.spread_hm / 10,
            share_permille: share(place.weight, all),
            days: place.days,
            last: date(place.last_day),
            distance_km: here.map(|here| distance_m(centre, here) / 1000),
        })
    };
    let mut places: Vec<Place> = learned.iter().filter_map(place).collect();
    places.sort_by_key(|place| (place.distance_km, std::cmp::Reverse(place.share_permille)));
    places
}

fn devices(profile: &Profile, seen: Option<&Observation<'_>>) -> Vec<Device> {
    let learned = &profile.core().baseline().devices;
    let all = sum(learned.iter().map(|device| device.weight));
    let this = seen.and_then(|seen| seen.keys.device);
    let mut devices: Vec<Device> = learned
        .iter()
        .map(|device| Device {
            key: short(device.key),
            browser: device.client.browser,
            os: device.client.os,
            kind: device.client.kind,
            share_permille: share(device.weight, all),
            days: device.days,
            last: date(device.last_day),
            is_this: this == Some(device.key),
        })
        .collect();
    devices.sort_by_key(|device| std::cmp::Reverse((device.is_this, device.share_permille)));
    devices
}

fn networks(profile: &Profile, seen: Option<&Observation<'_>>) -> Networks {
    let learned = &profile.core().baseline().networks;
    let all = sum(learned.asns().map(|known| known.weight));
    let facts = seen.map(|seen| &seen.facts);
    let asn = facts.and_then(|facts| facts.asn);
    let mut systems: Vec<System> = learned
        .asns()
        .map(|known: &Learned<u32>| System {
            asn: known.key,
            share_permille: share(known.weight, all),
            days: known.days,
            last: date(known.last_day),
            is_this: asn == Some(known.key),
        })
        .collect();
    systems.sort_by_key(|system| std::cmp::Reverse((system.is_this, system.share_permille)));
    let all = sum(learned.countries().map(|(_, met)| met.weight));
    let country = facts.and_then(|facts| facts.country);
    let mut countries: Vec<Country> = learned
        .countries()
        .filter_map(|(known, met)| {
            let known = known?;
            Some(Country {
                country: known.as_str().to_owned(),
                share_permille: share(met.weight, all),
                is_this: country == Some(known),
            })
        })
        .collect();
    countries.sort_by_key(|country| std::cmp::Reverse(country.share_permille));
    Networks {
        addresses: learned.addresses(),
        prefixes: learned.prefixes(),
        systems,
        countries,
        is_this: seen.and_then(|seen| seen.keys.prefix).map(|prefix| learned.prefix(prefix).is_some()),
    }
}

fn apps(profile: &Profile, seen: Option<&Observation<'_>>) -> Option<Apps> {
    let apps = profile.apps.as_deref()?;
    let highest_privilege = match apps.highest_rank() {
        0 => Privilege::None,
        1 => Privilege::User,
        _ => Privilege::Admin,
    };
    let app = seen.and_then(|seen| Some(app_key(&seen.event.tenant, seen.event.app.as_deref()?)));
    Some(Apps {
        apps: apps.len(),
        accesses: apps.accesses(),
        highest_privilege,
        last: apps.iter().map(|app| app.last_day).max().map(date),
        is_this: app.map(|key| apps.find(key).is_some()),
    })
}

/// On the wall clock of the user's home.
fn now(seen: &Observation<'_>, home_offset_minutes: i16) -> Now {
    let local = Local::of(seen.event.occurred_at, home_offset_minutes);
    Now { minute_of_day: local.minute_of_day, is_weekend: local.kind == DayKind::Weekend }
}

fn bins(bins: &[u16; BINS]) -> Vec<u16> {
    bins.to_vec()
}

fn sum(weights: impl Iterator<Item = u32>) -> u64 {
    weights.map(u64::from).sum()
}

fn share(weight: u32, all: u64) -> u32 {
    u32::try_from((u64::from(weight) * 1000 + all / 2).checked_div(all).unwrap_or(0)).unwrap_or(1000)
}

/// The first digits of a key, as a decision's reader may compare them.
pub(super) fn short(key: u64) -> String {
    format!("{:08x}", key >> 32)
}

/// A day that is counted from the epoch.
fn date(day: i32) -> String {
    let at = Timestamp::from_seconds(i64::from(day) * 86_400);
    at.map_or_else(|| "?".into(), |at| at.text(&mut [0; TEXT_BYTES]).chars().take(10).collect())
}
