//! Records to decide: from text that a person reads, and from a seed.

use wardstream::engine::enrich::builtin;
use wardstream::model::Reject;
use wardstream::model::time::Timestamp;
use wardstream::pipeline::intake::partition_of;

use super::script::Dice;

/// A record, where a producer puts it, and what is known of it beforehand.
#[derive(Clone, Debug)]
pub struct Input {
    pub partition: i32,
    pub recorded_at: Option<Timestamp>,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    /// Why it must be rejected, if it must.
    pub junk: Option<Reject>,
}

/// One line a record: `09:00 acme/ada laptop london`, and for a session's next sign of life
/// `09:05 acme/ada phone london refresh s1`, or `… erase`. `!unkeyed` and the like at the end make junk of it.
pub fn parse(text: &str, partitions: i32) -> Vec<Input> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.enumerate().map(|(number, line)| line_of(line, number, partitions)).collect()
}

fn line_of(line: &str, number: usize, partitions: i32) -> Input {
    let mut words: Vec<_> = line.split_whitespace().collect();
    let junk = words
        .last()
        .and_then(|word| word.strip_prefix('!'))
        .map(|name| Reject::parse(name).unwrap_or_else(|| panic!("`{name}` is no reason")));
    if junk.is_some() {
        words.pop();
    }
    let [time, user, device, city, rest @ ..] = words.as_slice() else { panic!("cannot read `{line}`") };
    let at = Timestamp::parse(&format!("2026-01-05T{time}:00Z")).unwrap();
    let (tenant, id) = user.split_once('/').unwrap();
    let what = match rest {
        [] => r#""type":"login","outcome":"success","factors":["password"]"#.to_owned(),
        ["failed"] => r#""type":"login","outcome":"failure""#.to_owned(),
        ["again", same] => {
            return line_of(&format!("{time} {user} {device} {city}"), same.parse().unwrap(), partitions);
        }
        ["login", session] => {
            format!(r#""type":"login","outcome":"success","factors":["password"],"session_id":"{session}""#)
        }
        ["erase"] => r#""type":"feedback","verdict":"erase","by":"analyst""#.to_owned(),
        ["refresh", session] => format!(r#""type":"session","change":"refresh","session_id":"{session}""#),
        other => panic!("`{other:?}` in `{line}`"),
    };
    let value = format!(
        r#"{{"event_id":"e{number}","tenant":"{tenant}","user_id":"{id}","occurred_at":"{at}","source":"sim",{what},"ip_address":"{}","device_fingerprint":"{device}"}}"#,
        address(city)
    );
    let key = user.as_bytes().to_vec();
    let home = partition_of(&key, partitions);
    let minute = std::time::Duration::from_secs(60);
    let recorded = at.plus(std::time::Duration::from_secs(1));
    let input = Input {
        partition: home,
        recorded_at: Some(recorded),
        key: Some(key),
        value: value.into_bytes(),
        junk,
    };
    match junk {
        Some(Reject::Unkeyed) => Input { key: None, ..input },
        Some(Reject::WrongKey) => Input { key: Some(b"acme/somebody-else".to_vec()), ..input },
        Some(Reject::WrongPartition) => Input { partition: (home + 1) % partitions, ..input },
        Some(Reject::Malformed) => Input { value: b"{nonsense".to_vec(), ..input },
        Some(Reject::Future) => Input { recorded_at: Some(at.minus(minute * 10)), ..input },
        Some(Reject::Ancient) => Input { recorded_at: Some(at.plus(minute * 60 * 24 * 31)), ..input },
        Some(other) => panic!("no way to make a record `{other}`"),
        None => input,
    }
}

fn address(city: &str) -> String {
    let cities = builtin::cities();
    let at = cities.iter().position(|known| known.name.eq_ignore_ascii_case(city));
    let at = at.unwrap_or_else(|| panic!("no city `{city}` in the built-in table"));
    format!("5.{}.1.7", 4 * at)
}

/// Some records of a few users, junk and repeats among them.
pub fn random(dice: &mut Dice, partitions: i32) -> Vec<Input> {
    let (records, users) = (6 + dice.roll(20), 1 + dice.roll(5));
    let mut minute = 0;
    let lines: Vec<_> = (0..records)
        .map(|number| {
            minute += dice.roll(9);
            let user = dice.roll(users);
            let device = dice.pick(&["laptop", "laptop", "phone"]);
            let city = dice.pick(&["london", "london", "paris", "sydney"]);
            let session = dice.roll(2);
            let what = match dice.roll(12) {
                0 => " failed".to_owned(),
                1 | 2 => format!(" login u{user}s{session}"),
                3 | 4 => format!(" refresh u{user}s{session}"),
                5 => format!(
                    " !{}",
                    dice.pick(&["unkeyed", "wrong_key", "wrong_partition", "malformed", "future", "ancient"])
                ),
                6 if number > 0 => format!(" again {}", dice.roll(number)),
                7 => " erase".to_owned(),
                _ => String::new(),
            };
            let what = if partitions == 1 { what.replace("wrong_partition", "wrong_key") } else { what };
            format!("{:02}:{:02} acme/u{user} {device} {city}{what}", 8 + minute / 60, minute % 60)
        })
        .collect();
    parse(&lines.join("\n"), partitions)
}
