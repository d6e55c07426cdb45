//! The line of an event: when, who, what, and fields in short words.

use std::iter::Peekable;
use std::str::SplitWhitespace;

use jiff::civil::{Date, Time, Weekday};
use serde_json::{Map, Value, json};

use crate::engine::document::{one_of, quoted};
use crate::engine::enrich::builtin::cities;

/// The events of `weekdays 2026-01-05..2026-01-09 09:00 x2 ada login failure at=london …`, one JSON
/// object each, at most `most`.
pub(super) fn expand(line: &str, most: usize) -> Result<Vec<Value>, String> {
    let mut words = line.split_whitespace().peekable();
    let weekdays = words.next_if_eq(&"weekdays").is_some();
    let (first, last) = dates(words.next().ok_or("a date is missing, such as 2026-01-05")?)?;
    let clock = clock(words.next().ok_or("a time is missing, such as 09:00")?)?;
    let repeat = repeat(&mut words)?;
    let user = words.next().ok_or("a user is missing")?;
    let kind = words.next().ok_or("a type is missing, such as login")?;
    let words: Vec<_> = words.collect();
    let mut each = Vec::new();
    for (user, number) in users(user)? {
        let mut event = Map::new();
        event.insert("user_id".into(), json!(user));
        event.insert("type".into(), json!(kind));
        for word in &words {
            set(&mut event, kind, &word.replace(NUMBER, &number))?;
        }
        if kind == "login" && !event.contains_key("outcome") {
            event.insert("outcome".into(), json!("success"));
        }
        each.push(event);
    }

    let mut events = Vec::new();
    let mut day = first;
    while day <= last {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        for minute in 0..if weekdays && weekend { 0 } else { repeat } {
            let at = day.to_datetime(clock).checked_add(jiff::Span::new().minutes(minute));
            let at = at.map_err(|error| error.to_string())?;
            if events.len() + each.len() > most {
                return Err(format!("more than {most} events, expected fewer in one transcript; shorten it"));
            }
            events.extend(each.iter().cloned().map(|mut event| {
                event.insert("occurred_at".into(), json!(format!("{at}Z")));
                Value::Object(event)
            }));
        }
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    Ok(events)
}

fn dates(text: &str) -> Result<(Date, Date), String> {
    let date = |text: &str| {
        text.parse::<Date>().map_err(|_ignored| {
            format!("{} is no date, expected one such as 2026-01-05, or 2026-01-05..2026-01-09", quoted(text))
        })
    };
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    Ok((date(first)?, date(last)?))
}

fn clock(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_ignored| format!("{} is no time, expected one such as 09:00", quoted(text)))
}

/// `x6`, if the next word is one.
fn repeat(words: &mut Peekable<SplitWhitespace<'_>>) -> Result<i64, String> {
    let is_repeat = |word: &&str| {
        word.strip_prefix('x')
            .is_some_and(|count| !count.is_empty() && count.bytes().all(|c| c.is_ascii_digit()))
    };
    let Some(word) = words.next_if(is_repeat) else { return Ok(1) };
    let count = word.strip_prefix('x').unwrap_or_default().parse::<i64>().ok();
    count
        .filter(|count| (1..=REPEAT_MAX).contains(count))
        .ok_or_else(|| format!("{} repeats, expected x1 to x{REPEAT_MAX}", quoted(word)))
}

/// `ada`; or of `u{1..25}` each user, with the number that stands for `{i}` in the other words.
fn users(text: &str) -> Result<Vec<(String, String)>, String> {
    let Some((before, rest)) = text.split_once('{') else {
        return Ok(vec![(text.to_owned(), String::new())]);
    };
    let range = rest.split_once('}').and_then(|(range, after)| {
        let (first, last) = range.split_once("..")?;
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        (first <= last && last - first < USERS_MAX).then_some((first..=last, after))
    });
    let Some((numbers, after)) = range else {
        return Err(format!(
            "{} is no user, expected such as ada, or u{{1..25}} for up to {USERS_MAX}",
            quoted(text)
        ));
    };
    Ok(numbers.map(|number| (format!("{before}{number}{after}"), number.to_string())).collect())
}

fn set(event: &mut Map<String, Value>, kind: &str, word: &str) -> Result<(), String> {
    let Some((key, value)) = word.split_once('=') else {
        let field = match kind {
            "session" | "credential" => "change",
            "feedback" => "verdict",
            _ => "outcome",
        };
        event.insert(field.into(), json!(word));
        return Ok(());
    };
    let list = |value: &str| json!(value.split(',').collect::<Vec<_>>());
    let (field, value) = match key {
        "at" => ("ip_address", json!(address(value)?)),
        "ip" => ("ip_address", json!(value)),
        "device" => ("device_fingerprint", json!(value)),
        "managed" => ("device_managed", json!(value == "true")),
        "session" => ("session_id", json!(value)),
        "ua" => ("user_agent", json!(agent(value)?)),
        "hint" => ("place_hint", hint(value)),
        "id" => ("event_id", json!(value)),
        "factors" => ("factors", list(value)),
        "groups" => ("groups", list(value)),
        "about" => ("about", json!({ "session_id": value })),
        "about_event" => ("about", json!({ "event_id": value })),
        "since" => ("about", json!({ "since": value })),
        "interactive" => ("interactive", json!(value == "true")),
        "backfill" => ("backfill", json!(value == "true")),
        "typing" => ("keyboard_events", typing(value)?),
        "mouse" => ("mouse_events", mouse(value)?),
        other => (other, json!(value)),
    };
    event.insert(field.into(), value);
    Ok(())
}

/// `london`, `london.vpn`, `london.fibre.7`: an address of the built-in table.
fn address(text: &str) -> Result<String, String> {
    let mut words = text.split('.');
    let name = words.next().unwrap_or_default();
    let access = words.next().unwrap_or("fibre");
    let host = words.next().map_or(Ok(9), str::parse::<u8>);
    let host = host.map_err(|_ignored| format!("{} ends in no host from 0 to 255", quoted(text)))?;
    let names: Vec<_> = cities().iter().map(|city| city.name.to_lowercase().replace(' ', "-")).collect();
    let city = names.iter().position(|city| city == name).ok_or_else(|| {
        format!(
            "{} is no city of the built-in table; {}",
            quoted(name),
            one_of(name, names.iter().map(String::as_str))
        )
    })?;
    let (_, first, step, third) = ACCESSES.iter().find(|(known, ..)| *known == access).ok_or_else(|| {
        format!(
            "{} is no access; {}",
            quoted(access),
            one_of(access, ACCESSES.iter().map(|(name, ..)| *name))
        )
    })?;
    // The host picks the /24, so that another host is another prefix.
    Ok(format!("{first}.{}.{}.{host}", 4 * city + step, third + usize::from(host)))
}

fn agent(name: &str) -> Result<&'static str, String> {
    AGENTS.iter().find(|(known, _)| *known == name).map(|(_, agent)| *agent).ok_or_else(|| {
        format!("{} is no user agent; {}", quoted(name), one_of(name, AGENTS.iter().map(|(name, _)| *name)))
    })
}

/// `GB/51.5/-0.12/50`: country, latitude, longitude and radius as a vendor states them; `-` is none.
fn hint(text: &str) -> Value {
    let names = ["country", "latitude", "longitude", "radius_km"];
    let stated = names.iter().zip(text.split('/')).filter(|(_, value)| *value != "-");
    let value = |text: &str| text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number));
    Value::Object(stated.map(|(name, text)| ((*name).to_owned(), value(text))).collect())
}

/// `95/140`: keys held for 95 ms, 140 ms from key to key, with a rhythm that is always the same.
fn typing(text: &str) -> Result<Value, String> {
    let number = |text: &str| text.parse::<f64>().ok();
    let (dwell, flight) =
        text.split_once('/').and_then(|(dwell, flight)| number(dwell).zip(number(flight))).ok_or_else(
            || format!("{} is no typing, expected DWELL/FLIGHT in ms, such as 95/140", quoted(text)),
        )?;
    let keys = (0..24_u32).map(|key| {
        let swing = f64::from((key * 7 + 3) % 5) - 2.0;
        let down = f64::from(key) * flight + swing * flight / 40.0;
        json!({ "key": format!("k{}", key % 6), "down_ms": down, "up_ms": down + dwell + swing * dwell / 40.0 })
    });
    Ok(Value::Array(keys.collect()))
}

/// `600`: a pointer that moves at 600 px/s.
fn mouse(text: &str) -> Result<Value, String> {
    let speed: f64 = text
        .parse()
        .map_err(|_ignored| format!("{} is no speed, expected pixels a second, such as 600", quoted(text)))?;
    let points = (0..30_u32).map(|point| {
        let at = f64::from(point) * 16.0;
        json!({ "t_ms": at, "x": 100.0 + at * speed / 1000.0, "y": 200.0, "kind": "move" })
    });
    Ok(Value::Array(points.collect()))
}

/// First byte of the address, step within its city, third byte: see `engine/enrich/builtin.rs`.
const ACCESSES: [(&str, u8, usize, usize); 10] = [
    ("fibre", 5, 0, 1),
    ("cable", 5, 1, 1),
    ("business", 5, 2, 1),
    ("carrier", 5, 3, 1),
    ("hosting", 45, 0, 1),
    ("vpn", 45, 1, 1),
    ("tor", 45, 2, 1),
    ("proxy", 45, 2, 129),
    ("relay", 45, 3, 1),
    ("satellite", 45, 3, 129),
];

const AGENTS: [(&str, &str); 5] = [
    (
        "chrome-mac",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
    (
        "chrome-win",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
    ("firefox-linux", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    (
        "safari-iphone",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ),
    ("curl", "curl/8.11.0"),
];

/// In the words of an event of many users: the number of each.
const NUMBER: &str = "{i}";
const USERS_MAX: u32 = 1_000;
/// More in a row is a flood, which a transcript is not for.
const REPEAT_MAX: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, count: usize, first: &str) {
        let events = expand(line, 100).unwrap();
        assert_eq!(events.len(), count);
        assert_eq!(events[0]["occurred_at"], first);
    }

    #[track_caller]
    fn check_refused(line: &str, expected: &str) {
        assert_eq!(expand(line, 100).unwrap_err(), expected);
    }

    #[test]
    fn expands_days_and_repeats() {
        check("2026-01-05 09:00 ada login", 1, "2026-01-05T09:00:00Z");
        check("2026-01-03..2026-01-11 09:00 ada login", 9, "2026-01-03T09:00:00Z");
        check("weekdays 2026-01-03..2026-01-11 09:00 ada login", 5, "2026-01-05T09:00:00Z");
        check("2026-01-05 09:00 x3 ada login failure", 3, "2026-01-05T09:00:00Z");
        let events = expand("2026-01-05 09:59 x2 ada login failure", 2).unwrap();
        assert_eq!(events[1]["occurred_at"], "2026-01-05T10:00:00Z");
    }

    #[test]
    fn expands_users() {
        let events = expand("2026-01-05 09:00 x2 u{7..9} login device=d{i}", 6).unwrap();
        let named: Vec<_> = events.iter().map(|event| event["user_id"].as_str().unwrap()).collect();
        assert_eq!(named, ["u7", "u8", "u9", "u7", "u8", "u9"]);
        assert_eq!(events[1]["device_fingerprint"], "d8");
        assert_eq!(events[3]["occurred_at"], "2026-01-05T09:01:00Z");
        check_refused(
            "2026-01-05 09:00 u{9..7} login",
            "`u{9..7}` is no user, expected such as ada, or u{1..25} for up to 1000",
        );
        check_refused(
            "2026-01-05 09:00 u{0..4294967295} login",
            "`u{0..4294967295}` is no user, expected such as ada, or u{1..25} for up to 1000",
        );
        check_refused(
            "2026-01-05 09:00 u{1..101} login",
            "more than 100 events, expected fewer in one transcript; shorten it",
        );
    }

    #[test]
    fn says_what_is_wrong() {
        check_refused("", "a date is missing, such as 2026-01-05");
        check_refused(
            "monday 09:00 ada login",
            "`monday` is no date, expected one such as 2026-01-05, or 2026-01-05..2026-01-09",
        );
        check_refused("2026-01-05 9 ada login", "`9` is no time, expected one such as 09:00");
        check_refused("2026-01-05 09:00 ada", "a type is missing, such as login");
        check_refused(
            "2026-01-05 09:00 ada login at=londn",
            "`londn` is no city of the built-in table; did you mean `london`?",
        );
        check_refused("2026-01-05 09:00 ada login at=london.vpm", "`vpm` is no access; did you mean `vpn`?");
        check_refused(
            "2026-01-05 09:00 ada login at=london.vpn.256",
            "`london.vpn.256` ends in no host from 0 to 255",
        );
        check_refused("2026-01-05 09:00 x9999 ada login", "`x9999` repeats, expected x1 to x1000");
        check_refused(
            "0001-01-01..9999-12-31 09:00 ada login",
            "more than 100 events, expected fewer in one transcript; shorten it",
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(line in "(weekdays )?[-0-9.:]{0,24} [0-9:]{0,6} (x[0-9]{0,30} )?\\PC{0,40}") {
            if let Ok(events) = expand(&line, 50) {
                proptest::prop_assert!(events.len() <= 50);
            }
        }
    }
}
