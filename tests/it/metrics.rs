//! What Prometheus, orchestrators and people read: the reference, the listener, the counters.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wardstream::model::tally::Tally;
use wardstream::model::time::Timestamp;
use wardstream::model::{Action, Reject};
use wardstream::runtime::probes::{self, Probes};
use wardstream::runtime::status::{Phase, Status};
use wardstream::telemetry::{Exporter, METRICS, Meters, reference};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");

#[test]
fn the_reference_is_the_table() {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PAGE, reference()).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(page == reference(), "docs/metrics.md is not the table's (BLESS=1 writes it)");
}

/// Every question of the dashboard, with its variables filled in as it would.
pub(crate) fn expressions() -> Vec<String> {
    let dashboard: serde_json::Value = serde_json::from_str(&read("config/grafana/wardstream.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let fill = |text: &str| text.replace("$__rate_interval", "5m").replace("$instance", ".*");
    targets.map(|target| fill(target["expr"].as_str().unwrap())).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The metrics that a text names, without what a histogram adds.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let plain = |word: &str| {
        let ending = ["_bucket", "_sum", "_count"].into_iter().find_map(|ending| word.strip_suffix(ending));
        ending.unwrap_or(word).to_owned()
    };
    words.filter(|word| word.starts_with("ward_")).map(plain).collect()
}

#[test]
fn rules_and_dashboard_name_what_there_is() {
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    let (rules, tests) = (read("config/prometheus/alerts.yml"), read("config/prometheus/alerts.test.yml"));
    let dashboard = expressions().join(" ");
    for (file, text) in [("alerts.yml", &rules), ("alerts.test.yml", &tests), ("wardstream.json", &dashboard)]
    {
        let unknown: Vec<_> = named(text).difference(&known).cloned().collect();
        assert!(!named(text).is_empty() && unknown.is_empty(), "{file} names {unknown:?}");
    }
    let unseen: Vec<_> = known.difference(&named(&(rules.clone() + &dashboard))).cloned().collect();
    assert!(unseen.is_empty(), "neither a rule nor the dashboard shows {unseen:?}");
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "no test of {alert}");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("config/grafana/wardstream.json")).unwrap();
    assert!(dashboard["uid"].is_string() && dashboard["schemaVersion"].as_u64().is_some());
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "id twice: {panel}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{panel}");
        for cell in
            (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(cells.insert(cell), "panels overlap at {cell:?}: {panel}");
        }
        if panel["type"] != "row" {
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        }
    }
}

/// A process counts in one place, so one test goes through all of it.
#[test]
fn the_listener_answers_and_the_counters_count() {
    let exporter = Exporter::install().expect("nobody else counts in this process");
    assert!(Exporter::install().is_none());
    let status = Status::default();
    let at = probes::listen(
        "127.0.0.1:0".parse().unwrap(),
        Probes { exporter, status: status.clone(), wall: || Timestamp::from_seconds(1_000).unwrap() },
    )
    .unwrap();

    // Not ready, and it says why; alive all the same.
    let (head, body) = ask(at, "GET /ready HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["ready"], false);
    assert_eq!(said["missing"][0], "the broker was not heard of yet");
    assert!(ask(at, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").0.starts_with("HTTP/1.1 200 "));

    status.heard();
    status.assigned(0, &[7]);
    status.phase(0, 7, Phase::Served);
    let (head, body) = ask(at, "GET /ready HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}{body}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let (head, body) = ask(at, "HEAD /ready HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}{body}");

    // What is no question of ours.
    for (request, expected) in [
        ("POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", "405"),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        ("no http at all\r\n\r\n", "400"),
    ] {
        let (head, _) = ask(at, request);
        assert!(head.starts_with(&format!("HTTP/1.1 {expected} ")), "{request}: {head}");
    }
    let long = format!("GET /metrics HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    assert!(!ask(at, &long).0.starts_with("HTTP/1.1 200 "));
    let many: String = (0..200).map(|number| format!("x{number}: y\r\n")).collect();
    assert!(
        ask(at, &format!("GET /metrics HTTP/1.1\r\nhost: x\r\n{many}\r\n")).0.starts_with("HTTP/1.1 431 ")
    );

    // Whoever holds every place keeps nobody out for longer than the time-out.
    let idle: Vec<_> = (0..40).map(|_| TcpStream::connect(at).unwrap()).collect();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !try_ask(at, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .is_some_and(|(head, _)| head.contains(" 200 "))
    {
        assert!(std::time::Instant::now() < deadline, "idle connections keep the listener");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(idle);

    // Counters.
    let meters = Meters::default();
    let mut tally = Tally::default();
    tally.actions[usize::from(Action::Deny.code())] = 3;
    tally.rejected(Reject::TooLarge);
    tally.duplicate();
    tally.erased();
    for _ in 0..4 {
        tally.arrived(Timestamp::from_seconds(1_000));
    }
    meters.committed(&tally, Timestamp::from_micros(1_000_040_000).unwrap());
    let text = scrape(at);
    for line in [
        "ward_decisions_total{action=\"deny\"} 3",
        // Other tests of this process decide, too; none of them revokes.
        "ward_decisions_total{action=\"revoke\"} 0",
        "ward_rejected_total{reason=\"too_large\"} 1",
        "ward_duplicates_total 1",
        "ward_erasures_total 1",
        "ward_end_to_end_seconds_bucket{le=\"0.03\"} 0",
        "ward_end_to_end_seconds_bucket{le=\"0.05\"} 4",
        "ward_end_to_end_seconds_count 4",
        "ward_partitions{state=\"served\"} 1",
        "ward_ready 1",
        "# TYPE ward_end_to_end_seconds histogram",
    ] {
        assert!(text.lines().any(|found| found == line), "no `{line}` in:\n{text}");
    }
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap();
        assert!(known.contains(name), "{name} is not in the table");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }

    // A gauge of what is gone goes with it.
    assert!(!text.contains("ward_degraded"));
    status.concern(wardstream::runtime::status::Concern::Policy, Some("broken".into()));
    assert!(scrape(at).contains("ward_degraded{what=\"policy\"} 1"));
    status.concern(wardstream::runtime::status::Concern::Policy, None);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while scrape(at).contains("ward_degraded{") {
        assert!(std::time::Instant::now() < deadline, "a gauge stays");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn scrape(at: SocketAddr) -> String {
    let (head, body) = ask(at, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    body
}

/// Sends a request and gives head and body of the answer; empty when there was none.
#[track_caller]
pub(crate) fn ask(at: SocketAddr, request: &str) -> (String, String) {
    try_ask(at, request).unwrap_or_default()
}

fn try_ask(at: SocketAddr, request: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    // A listener that has seen enough may hang up before all is sent.
    drop(stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}
