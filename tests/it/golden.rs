//! Golden transcripts: what an analyst would write down of a user's days, and what the engine says.
//!
//! `#` why · `>` an event in · `<` what comes out. A transcript is the whole engine: the line becomes
//! JSON, is decoded, enriched with the built-in table, and folded under the named policy. `BLESS=1
//! cargo test golden` writes what came out; read the difference before you keep it.
//!
//! ```text
//! policy default
//! > 2026-01-05 09:00 ada login at=london device=laptop ua=chrome-mac factors=password
//! > 2026-01-06..2026-01-20 09:00 ada login …       every day; `weekdays` before the dates skips weekends
//! > 2026-01-05 09:00 x6 ada login failure …        six times, a minute apart
//! ```

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use wardstream::engine::decode::Format;
use wardstream::engine::policy::Policy;
use wardstream::model::id::Digest;

use crate::fold::Fold;

#[test]
fn transcripts_come_out_as_written() {
    let mut wrong = String::new();
    let mut count = 0;
    for path in transcripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        let actual = play(&text, &path);
        count += 1;
        if actual == text {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &actual).unwrap();
        } else {
            let at = text.lines().zip(actual.lines()).position(|(a, b)| a != b).unwrap_or(0);
            let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
            writeln!(
                wrong,
                "{}:{}\n  written  {}\n  came out {}",
                path.display(),
                at + 1,
                line(&text),
                line(&actual)
            )
            .unwrap();
        }
    }
    assert!(count >= 20, "only {count} transcripts found");
    assert!(wrong.is_empty(), "transcripts differ (BLESS=1 writes what came out):\n{wrong}");
}

/// Decisions name the revision that made them: other decisions need another name.
#[test]
fn a_changed_transcript_needs_a_new_revision() {
    let mut hasher = blake3::Hasher::new();
    for path in transcripts() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.starts_with(['<', '>']) || line.starts_with("policy")) {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
        }
    }
    let line = format!("{} {}", wardstream::engine::REVISION, Digest(*hasher.finalize().as_bytes()));
    let path = folder().join("REVISION");
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let has_revision = written.lines().any(|old| old.split(' ').next() == line.split(' ').next());
    if !has_revision && std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{written}{line}\n")).unwrap();
        return;
    }
    assert!(
        written.lines().any(|old| old == line),
        "transcripts changed under revision {}: raise engine::REVISION, then BLESS=1",
        wardstream::engine::REVISION
    );
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn transcripts() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    all.sort();
    all
}

/// The transcript with its `<` lines as they come out now.
fn play(text: &str, path: &Path) -> String {
    let mut fold = None;
    let mut out = String::new();
    let mut count = 0;
    for line in text.lines() {
        if line.starts_with('<') {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if let Some(name) = line.strip_prefix("policy ") {
            fold = Some(Fold::new(named(name)));
        } else if let Some(event) = line.strip_prefix("> ") {
            let fold = fold.get_or_insert_with(|| Fold::new(named("default")));
            let events = expand(event).unwrap_or_else(|why| panic!("{}: {why}: {line}", path.display()));
            let mut last = String::new();
            for event in events {
                count += 1;
                last = say(fold, &event, count);
            }
            out.push_str(&last);
        }
    }
    out
}

fn named(name: &str) -> Policy {
    Policy::shipped(name.trim()).unwrap_or_else(|| panic!("no shipped policy `{name}`"))
}

/// Folds one event and renders what came out.
fn say(fold: &mut Fold, event: &Value, count: usize) -> String {
    let bytes = serde_json::to_vec(event).unwrap();
    let mut out = String::new();
    let ruling = match fold.next(&bytes, Format::Json, &format!("line:{count}")) {
        Ok(Some(ruling)) => ruling,
        Ok(None) => return "< duplicate\n".into(),
        Err(rejected) => return format!("< rejected {}: {}\n", rejected.reason, rejected.detail),
    };
    let decision = &ruling.decision;
    let word = |key: &str| decision[key].as_str().unwrap_or("-").to_owned();
    write!(out, "< {} {} {}", decision["risk_score"], word("risk_level"), word("action")).unwrap();
    if !decision["would"].is_null() {
        write!(out, " would={}", word("would")).unwrap();
    }
    let missing = list(&decision["missing_auth_factors"]);
    if !missing.is_empty() {
        write!(out, " missing={missing}").unwrap();
    }
    write!(out, " learned={} history={}", word("learned"), word("history")).unwrap();
    if decision["confidence"] != json!(1.0) {
        write!(out, " confidence={}", decision["confidence"]).unwrap();
    }
    let (now, before) = (&decision["user_risk"]["level"], &decision["user_risk"]["previous"]);
    if now != "low" || before != "low" {
        write!(out, " user_risk={}", now.as_str().unwrap()).unwrap();
    }
    out.push('\n');
    for reason in decision["reasons"].as_array().unwrap() {
        let text = |key: &str| reason[key].as_str().unwrap();
        writeln!(
            out,
            "<   {} +{} ({}): {}",
            text("signal"),
            reason["points"],
            reason["severity"],
            text("text")
        )
        .unwrap();
    }
    for rule in decision["rules"].as_array().unwrap() {
        let trial = if rule["report_only"] == json!(true) { " (report only)" } else { "" };
        writeln!(
            out,
            "<   rule {} → {}{trial}",
            rule["id"].as_str().unwrap(),
            rule["action"].as_str().unwrap()
        )
        .unwrap();
    }
    let unknown = list(&decision["unknown"]);
    if !unknown.is_empty() {
        writeln!(out, "<   unknown {unknown}").unwrap();
    }
    if let Some(behavior) = decision["behavior"].as_object() {
        writeln!(
            out,
            "<   behavior {} {}",
            behavior["risk_score"],
            behavior["recommended_action"].as_str().unwrap()
        )
        .unwrap();
    }
    if let Some(alert) = &ruling.alert {
        let cause = alert["cause"].as_str().map(|cause| format!(" {cause}")).unwrap_or_default();
        writeln!(out, "<   alert {} {}{cause}", alert["kind"].as_str().unwrap(), alert["update"]).unwrap();
    }
    for revocation in &ruling.revocations {
        writeln!(
            out,
            "<   revoke {} {} because {}",
            revocation["scope"].as_str().unwrap(),
            revocation["session_id"].as_str().unwrap_or("-"),
            revocation["reason"].as_str().unwrap()
        )
        .unwrap();
    }
    out
}

fn list(values: &Value) -> String {
    values.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>().join(",")
}

/// `weekdays 2026-01-05..2026-01-09 09:00 x2 ada login failure at=london …`
fn expand(line: &str) -> Result<Vec<Value>, String> {
    let mut words = line.split_whitespace().peekable();
    let weekdays = words.next_if_eq(&"weekdays").is_some();
    let dates = words.next().ok_or("a date is missing")?;
    let time = words.next().ok_or("a time is missing")?;
    let repeat = words
        .next_if(|word| word.starts_with('x') && word[1..].parse::<u32>().is_ok())
        .map_or(1, |word| word[1..].parse().unwrap_or(1));
    let user = words.next().ok_or("a user is missing")?;
    let kind = words.next().ok_or("a type is missing")?;
    let mut event = Map::new();
    event.insert("user_id".into(), json!(user));
    event.insert("type".into(), json!(kind));
    for word in words {
        set(&mut event, kind, word)?;
    }
    if kind == "login" && !event.contains_key("outcome") {
        event.insert("outcome".into(), json!("success"));
    }
    let date = |text: &str| text.parse::<jiff::civil::Date>().map_err(|error| error.to_string());
    let (first, last) = match dates.split_once("..") {
        Some((first, last)) => (date(first)?, date(last)?),
        None => (date(dates)?, date(dates)?),
    };
    let clock: jiff::civil::Time = time.parse().map_err(|error: jiff::Error| error.to_string())?;
    let mut events = Vec::new();
    let mut day = first;
    while day <= last {
        let weekend = matches!(day.weekday(), jiff::civil::Weekday::Saturday | jiff::civil::Weekday::Sunday);
        if !(weekdays && weekend) {
            for minute in 0..repeat {
                let at = day.to_datetime(clock).checked_add(jiff::Span::new().minutes(minute)).unwrap();
                let mut event = event.clone();
                event.insert("occurred_at".into(), json!(format!("{at}Z")));
                events.push(Value::Object(event));
            }
        }
        day = day.tomorrow().map_err(|error| error.to_string())?;
    }
    Ok(events)
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
    let (field, value) = match key {
        "at" => ("ip_address", json!(address(value)?)),
        "ip" => ("ip_address", json!(value)),
        "device" => ("device_fingerprint", json!(value)),
        "session" => ("session_id", json!(value)),
        "ua" => ("user_agent", json!(agent(value)?)),
        "id" => ("event_id", json!(value)),
        "factors" => ("factors", json!(value.split(',').collect::<Vec<_>>())),
        "about" => ("about", json!({ "session_id": value })),
        "about_event" => ("about", json!({ "event_id": value })),
        "since" => ("about", json!({ "since": value })),
        "interactive" => ("interactive", json!(value == "true")),
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
    let host: u8 = words.next().map_or(Ok(9), str::parse).map_err(|_| format!("no host in `{text}`"))?;
    let city = wardstream::engine::enrich::builtin::cities()
        .iter()
        .position(|city| city.name.to_lowercase().replace(' ', "-") == name)
        .ok_or_else(|| format!("no city `{name}`"))?;
    let (first, step, third) = match access {
        "fibre" => (5, 0, 1),
        "cable" => (5, 1, 1),
        "business" => (5, 2, 1),
        "carrier" => (5, 3, 1),
        "hosting" => (45, 0, 1),
        "vpn" => (45, 1, 1),
        "tor" => (45, 2, 1),
        "proxy" => (45, 2, 129),
        "relay" => (45, 3, 1),
        "satellite" => (45, 3, 129),
        other => return Err(format!("no access `{other}`")),
    };
    // The host picks the /24, so that another host is another prefix.
    Ok(format!("{first}.{}.{}.{host}", 4 * city + step, third + usize::from(host)))
}

fn agent(name: &str) -> Result<&'static str, String> {
    Ok(match name {
        "chrome-mac" => {
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
        }
        "chrome-win" => {
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
        }
        "firefox-linux" => "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "safari-iphone" => {
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
        }
        "curl" => "curl/8.11.0",
        other => return Err(format!("no user agent `{other}`")),
    })
}

/// `95/140`: keys held for 95 ms, 140 ms from key to key, with a rhythm that is always the same.
fn typing(text: &str) -> Result<Value, String> {
    let (dwell, flight) = text.split_once('/').ok_or("typing=DWELL/FLIGHT")?;
    let number = |text: &str| text.parse::<f64>().map_err(|error| error.to_string());
    let (dwell, flight) = (number(dwell)?, number(flight)?);
    let keys = (0..24_u32).map(|key| {
        let swing = f64::from((key * 7 + 3) % 5) - 2.0;
        let down = f64::from(key) * flight + swing * flight / 40.0;
        json!({ "key": format!("k{}", key % 6), "down_ms": down, "up_ms": down + dwell + swing * dwell / 40.0 })
    });
    Ok(Value::Array(keys.collect()))
}

/// `600`: a pointer that moves at 600 px/s.
fn mouse(text: &str) -> Result<Value, String> {
    let speed: f64 = text.parse().map_err(|_| "mouse=PIXELS_PER_SECOND")?;
    let points = (0..30_u32).map(|point| {
        let at = f64::from(point) * 16.0;
        json!({ "t_ms": at, "x": 100.0 + at * speed / 1000.0, "y": 200.0, "kind": "move" })
    });
    Ok(Value::Array(points.collect()))
}
