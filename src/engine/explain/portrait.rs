//! What is known of a user, as text: the sections of an explanation, and the whole of a profile.

use super::known::{Device, Hours, Known, Place};
use super::paper::{Ink, Paper, Tone, WIDTH, clean, fit, right};
use crate::model::{History, Level};

/// A profile for a terminal. `whose` is `tenant/user`, `from` says where it was read.
#[must_use]
pub fn portrait(whose: &str, from: &str, known: &Known, ink: Ink) -> String {
    let mut paper = Paper::new(ink);
    let level = known.standing.level;
    paper.ends((Tone::Strong, &clean(whose)), (tone_of(level), &format!("user risk {level}")));
    paper.wrapped(Tone::Faint, "", 0, &clean(from));
    if let (Some(first), Some(last)) = (&known.first_seen, &known.last_seen) {
        paper.wrapped(Tone::Plain, "", 0, &format!("first seen {}, last {}", time(first), time(last)));
    }
    paper.wrapped(Tone::Plain, "", 0, &history(known));
    standing(&mut paper, known);
    habits(&mut paper, known);
    sessions(&mut paper, known);
    if let Some(apps) = &known.apps {
        paper.title("APPS");
        let last = apps.last.as_deref().unwrap_or("never");
        let text = format!(
            "{} known, {} accesses learned, highest privilege {}, last {last}",
            apps.apps, apps.accesses, apps.highest_privilege
        );
        paper.wrapped(Tone::Plain, "  ", 2, &text);
    }
    paper.done()
}

/// Places, devices, networks, hours, behaviour, and the rate of a program.
pub(super) fn habits(paper: &mut Paper, known: &Known) {
    paper.title(if known.places.iter().any(|place| place.distance_km.is_some()) {
        "USUAL PLACES                                from here  share  days  last"
    } else {
        "USUAL PLACES                                           share  days  last"
    });
    for place in &known.places {
        row_of_place(paper, place);
    }
    none(paper, known.places.is_empty(), "none is learned");

    paper.title("USUAL DEVICES                                          share  days  last");
    for device in &known.devices {
        row_of_device(paper, device);
    }
    none(paper, known.devices.is_empty(), "none is learned");

    paper.title("USUAL NETWORKS                                         share  days  last");
    let networks = &known.networks;
    for system in &networks.systems {
        let this = if system.is_this { "this one" } else { "" };
        learned(paper, &format!("AS{}", system.asn), this, system.share_permille, system.days, &system.last);
    }
    let countries: Vec<String> = networks
        .countries
        .iter()
        .map(|country| format!("{} {}", clean(&country.country), percent(country.share_permille)))
        .collect();
    if networks.addresses + networks.prefixes > 0 || !countries.is_empty() {
        let text = format!(
            "{} and {} are known; countries: {}",
            count(networks.addresses, "address", "es"),
            count(networks.prefixes, "prefix", "es"),
            if countries.is_empty() { "none".into() } else { countries.join(", ") }
        );
        paper.wrapped(Tone::Plain, "  ", 2, &text);
    }
    none(paper, networks.systems.is_empty() && networks.prefixes + countries.len() == 0, "none is learned");

    hours(paper, &known.hours, known.home_utc_offset_minutes);

    let behavior = &known.behavior;
    if behavior.batches > 0 {
        paper.title("USUAL BEHAVIOUR");
        let text = format!(
            "{} learned: {} of typing, {} of the mouse, {} of touch",
            count_u32(behavior.batches, "batch", "es"),
            behavior.keystroke,
            behavior.mouse,
            behavior.touch
        );
        paper.wrapped(Tone::Plain, "  ", 2, &text);
    }
    if let Some(workload) = &known.workload {
        paper.title("USUAL RATE");
        let mut text = format!(
            "at most {} an hour, in {} learned",
            workload.peak_per_hour,
            count(usize::from(workload.hours), "hour", "s")
        );
        if let Some(now) = workload.this_hour {
            text.push_str(&format!("; {now} in this one"));
        }
        paper.wrapped(Tone::Plain, "  ", 2, &text);
    }
}

fn row_of_place(paper: &mut Paper, place: &Place) {
    let country = place.country.as_deref().map(clean);
    let name = match (place.near, country) {
        (Some(near), Some(country)) => format!("{near}, {country}"),
        (Some(near), None) => near.to_owned(),
        (None, Some(country)) => country,
        (None, None) => String::new(),
    };
    let at = coordinates(place.latitude, place.longitude);
    let blur = format!("±{} km", u32::from(place.radius_km) + u32::from(place.spread_km));
    let name = format!("{}{at} {blur}", fit(&name, 20));
    let from_here = place.distance_km.map(|distance| format!("{distance} km")).unwrap_or_default();
    learned(paper, &name, &from_here, place.share_permille, place.days, &place.last);
}

fn row_of_device(paper: &mut Paper, device: &Device) {
    let name = format!("{}{}", fit(&client(device), 32), device.key);
    let this = if device.is_this { "this one" } else { "" };
    learned(paper, &name, this, device.share_permille, device.days, &device.last);
}

fn client(device: &Device) -> String {
    let on = match (device.browser, device.os) {
        (Some(browser), Some(os)) => format!("{browser} on {os}"),
        (Some(browser), None) => browser.to_string(),
        (None, Some(os)) => os.to_string(),
        (None, None) => "unknown client".into(),
    };
    device.kind.map_or_else(|| on.clone(), |kind| format!("{on}, {kind}"))
}

/// Name, remark, share, days, last day, in columns.
fn learned(paper: &mut Paper, name: &str, remark: &str, share: u32, days: u8, last: &str) {
    let rest = format!("{}{}  {last}", right(&percent(share), 8), right(&days.to_string(), 6));
    let name_wide = 54 - 11;
    paper.row(&[
        (Tone::Plain, "  "),
        (Tone::Plain, &fit(name, name_wide - 2)),
        (Tone::Strong, &right(remark, 10)),
        (Tone::Plain, &rest),
    ]);
}

/// A histogram of the half hours of two kinds of day.
fn hours(paper: &mut Paper, hours: &Hours, utc_offset_minutes: i16) {
    let most = hours.workday.iter().chain(&hours.weekend).copied().max().unwrap_or(0);
    let sign = if utc_offset_minutes < 0 { '-' } else { '+' };
    let offset = utc_offset_minutes.unsigned_abs();
    let home = format!("UTC{sign}{:02}:{:02}", offset / 60, offset % 60);
    paper.title(&format!("USUAL HOURS, by the clock at home ({home})"));
    if most == 0 {
        return none(paper, true, "none is learned");
    }
    paper.row(&[(Tone::Faint, "           0     3     6     9     12    15    18    21    24")]);
    let rows = [("Mon–Fri", &hours.workday, false), ("Sat–Sun", &hours.weekend, true)];
    for (name, bins, is_weekend) in rows {
        let bar: String = bins.iter().map(|weight| level(*weight, most)).collect();
        paper.row(&[(Tone::Plain, "  "), (Tone::Plain, &fit(name, 9)), (Tone::Plain, &bar)]);
        if let Some(now) = hours.now.filter(|now| now.is_weekend == is_weekend) {
            let clock = format!("{:02}:{:02}", now.minute_of_day / 60, now.minute_of_day % 60);
            let at = 11 + usize::from(now.minute_of_day / 30);
            paper.row(&[(Tone::Plain, &" ".repeat(at)), (Tone::Strong, &format!("▲ {clock} now"))]);
        }
    }
}

fn level(weight: u16, most: u16) -> char {
    const LEVELS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let step = (u32::from(weight) * 8).div_ceil(u32::from(most.max(1)));
    usize::try_from(step).ok().and_then(|step| LEVELS.get(step)).copied().unwrap_or('█')
}

fn standing(paper: &mut Paper, known: &Known) {
    let standing = &known.standing;
    if standing.level > Level::Low {
        let since = standing.since.as_deref().map_or_else(|| "?".into(), time);
        let text = format!("user risk is {} since {since}: {}", standing.level, standing.cause);
        paper.wrapped(Tone::Warning, "", 0, &text);
    }
    if let Some(not_before) = &standing.not_before {
        paper.wrapped(
            Tone::Warning,
            "",
            0,
            &format!("sessions that began before {} are void", time(not_before)),
        );
    }
    if let Some(since) = &known.reported_since {
        paper.wrapped(Tone::Warning, "", 0, &format!("said to be compromised since {}", time(since)));
    }
    if let Some(since) = &known.open_alert_since {
        paper.wrapped(Tone::Warning, "", 0, &format!("an alert is open since {}", time(since)));
    }
    let waits = [
        (known.held, "observation", "s", "held until somebody answers"),
        (known.refused_prompts, "prompt", "s", "refused or ignored lately"),
        (known.revocations, "revocation", "s", "remembered"),
    ];
    for (number, noun, plural, what) in waits.into_iter().filter(|(number, ..)| *number > 0) {
        paper.wrapped(Tone::Plain, "", 0, &format!("{} {what}", count(number, noun, plural)));
    }
}

fn sessions(paper: &mut Paper, known: &Known) {
    paper.title(&format!("LIVE SESSIONS, at most 4 are remembered: {}", known.sessions.len()));
    for session in &known.sessions {
        let on = match (session.browser, session.os) {
            (Some(browser), Some(os)) => format!("{browser} on {os}"),
            _ => "unknown client".into(),
        };
        let factors: Vec<_> = session.presented.iter().map(|factor| factor.name()).collect();
        let factors = if factors.is_empty() { "no factor".into() } else { factors.join(", ") };
        let mut text = format!("{} to {}  {on}, {factors}", time(&session.started), time(&session.last));
        if session.is_risky {
            text.push_str(", not answered");
        }
        if session.is_revoked {
            text.push_str(", revoked");
        }
        paper.wrapped(Tone::Plain, "  ", 4, &text);
    }
}

/// What the history of a user is.
pub(super) fn history(known: &Known) -> String {
    if known.is_erased {
        return "This event had the user erased: whatever was known is gone.".into();
    }
    if !known.is_known {
        return "Nothing is known of the user.".into();
    }
    let what = match known.history {
        History::None => "nothing is learned yet",
        History::New => "new: 10 logins on 5 days are needed to know somebody",
        History::Mature => "mature",
    };
    format!(
        "{} and {} on {} learned: {what}.",
        count_u32(known.logins, "login", "s"),
        count_u32(known.learned.saturating_sub(known.logins), "other event", "s"),
        count(usize::from(known.days), "day", "s")
    )
}

pub(super) fn coordinates(latitude: f64, longitude: f64) -> String {
    let (south, west) = (if latitude < 0.0 { 'S' } else { 'N' }, if longitude < 0.0 { 'W' } else { 'E' });
    format!("{:.2}{south} {:.2}{west}", latitude.abs(), longitude.abs())
}

/// To the minute, without the letters between.
pub(super) fn time(rfc3339: &str) -> String {
    rfc3339.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

pub(super) const fn tone_of(level: Level) -> Tone {
    match level {
        Level::Low => Tone::Good,
        Level::Medium => Tone::Warning,
        Level::High => Tone::Bad,
    }
}

fn none(paper: &mut Paper, is_empty: bool, text: &str) {
    if is_empty {
        paper.row(&[(Tone::Faint, "  "), (Tone::Faint, text)]);
    }
}

pub(super) fn percent(permille: u32) -> String {
    match permille {
        0..10 => format!("0.{permille} %"),
        _ => format!("{} %", (permille + 5) / 10),
    }
}

fn count(number: usize, noun: &str, plural: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { plural })
}

fn count_u32(number: u32, noun: &str, plural: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { plural })
}

const _: () = assert!(WIDTH >= 11 + 48 + 12, "a histogram and its mark fit");
