//! What a real Prometheus makes of `ward run`: it scrapes, the rules load, the dashboard's
//! questions can be asked, and the numbers are those of the topics.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::{Broker, said};
use super::foreign;
use super::ward::{Ward, World, login};
use crate::metrics::{ask, expressions};

#[test]
#[ignore = "needs a broker: make test"]
fn prometheus_scrapes_what_was_decided() {
    let world = World::new(Broker::shared(), 3, "");
    let mut ward = world.run("one", &["--workers", "2", "--metrics-listen", "127.0.0.1:0"]);
    let at = address(&mut ward);
    wait("ready", || get(at, "/ready").0.contains(" 200 "));
    let mut events: Vec<_> =
        (0..20).map(|n| login(&format!("user{}", n % 4), &format!("e{n}"), 30 - n)).collect();
    events.push(events[0].clone());
    world.produce(&events);
    foreign::produce_raw(
        &world.broker,
        &world.topic("events"),
        &[serde_json::json!({"key": "acme/ada", "base64": "AAAA", "partition": 0})],
    );
    world.decisions_are_the_fold();
    wait("counted", || {
        let text = metrics(at);
        let lags = text.lines().filter(|line| line.starts_with("ward_lag_records{")).count();
        sum(&text, "ward_decisions_total") > 19.5 && lags == 3 && sum(&text, "ward_lag_records") < 0.5
    });
    let text = metrics(at);
    for (name, expected) in [
        ("ward_duplicates_total", 1.0),
        ("ward_rejected_total", 1.0),
        ("ward_rejected_total{reason=\"malformed\"}", 1.0),
        ("ward_events_total{type=\"login\"}", 20.0),
        ("ward_end_to_end_seconds_count", 22.0),
        ("ward_partitions{state=\"served\"}", 3.0),
        ("ward_lag_seconds", 0.0),
        ("ward_last_stable_offset_age_seconds", 0.0),
        ("ward_broker_up", 1.0),
        ("ward_ready", 1.0),
    ] {
        assert!((sum(&text, name) - expected).abs() < 0.01, "{name} is not {expected}:\n{text}");
    }
    assert_eq!(checked(&text), "", "promtool says");

    let prometheus = Prometheus::start(world.home.path(), at);
    wait("scraped", || prometheus.value("sum(ward_decisions_total)") == Some(20.0));
    let rules = prometheus.ask("/api/v1/rules");
    let rules: Vec<_> = rules["data"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|g| g["rules"].as_array().unwrap())
        .collect();
    assert!(
        rules.len() >= 15
            && rules.iter().all(|rule| rule["lastError"].as_str().unwrap_or_default().is_empty())
    );
    for expression in expressions() {
        let answer = prometheus.query(&expression);
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }

    // What is given up is gone from the answer.
    ward.signal("TERM");
    assert_eq!(ward.wait().code(), Some(0));
}

/// Standbys are ready too; a broker that goes away is noticed, and that it is back.
#[test]
#[ignore = "needs a broker: make test"]
fn ready_says_what_is_missing() {
    let mut world = World::bare(Broker::own(&[]), "");
    let mut ward = world.run("one", &["--workers", "2", "--metrics-listen", "127.0.0.1:0"]);
    address(&mut ward);
    assert_eq!(ward.wait().code(), Some(2), "without topics it refuses to run");

    said(Ok(world.ward(&["topics", "create", "--partitions", "1"])));
    let mut ward = world.run("one", &["--workers", "2", "--metrics-listen", "127.0.0.1:0"]);
    let at = address(&mut ward);
    wait("ready with a standby", || get(at, "/ready").0.contains(" 200 "));
    world.broker.kill();
    wait("not ready without a broker", || {
        let (head, body) = get(at, "/ready");
        head.contains(" 503 ") && body.contains("the broker was not heard of for")
    });
    assert!(get(at, "/health").0.contains(" 200 "));
    world.broker.start();
    wait("ready again", || get(at, "/ready").0.contains(" 200 "));
}

/// A real handshake, real events and bad ones, with everybody as talkative as they can be.
#[test]
#[ignore = "needs a broker: make test"]
fn no_line_shows_a_password_or_a_session() {
    let broker = Broker::own(&["--tls-scram"]);
    let settings = broker.settings().clone();
    let extra = format!(
        "[kafka.tls]\nca_file = '{}'\n[kafka.sasl]\nmechanism = '{}'\nusername = '{}'\npassword_file = '{}'\n[kafka.extra]\ndebug = 'all'\n[log]\nfilter = 'trace'\nformat = 'json'\n",
        settings["WARD_KAFKA_CA"],
        settings["WARD_KAFKA_MECHANISM"],
        settings["WARD_KAFKA_USER"],
        settings["WARD_KAFKA_PASSWORD_FILE"]
    );
    let password = std::fs::read_to_string(&settings["WARD_KAFKA_PASSWORD_FILE"]).unwrap();
    let world = World::new(broker, 1, &extra);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.says(r#""message":"ready""#);
    let mut event = login("ada", "e1", 5);
    event["session_id"] = "session-9vKq".into();
    event["device_fingerprint"] = "device-9vKq".into();
    let mut stolen = event.clone();
    (stolen["event_id"], stolen["device_fingerprint"]) = ("e2".into(), "thief-9vKq".into());
    (stolen["type"], stolen["occurred_at"]) = ("access".into(), super::ward::ago(1).into());
    let mut broken = event.clone();
    (broken["event_id"], broken["outcome"]) = ("e3".into(), serde_json::json!({"token": "bearer-9vKq"}));
    world.produce(&[event, stolen, broken]);
    foreign::read(&world.broker, &world.topic("decisions"), 2);
    foreign::read(&world.broker, &world.topic("rejected"), 1);
    let (status, _, log) = ward.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("record rejected") && log.lines().count() > 50, "{log}");
    for secret in [password.trim(), "9vKq", "81.2.69.142"] {
        let shown = log.lines().find(|line| line.contains(secret));
        assert_eq!(shown, None, "`{secret}` is shown");
    }
}

pub(super) fn address(ward: &mut Ward) -> SocketAddr {
    ward.says("metrics address=");
    let log = ward.log();
    let at = log.split("metrics address=").nth(1).unwrap().split_whitespace().next().unwrap();
    at.parse().unwrap()
}

fn get(at: SocketAddr, path: &str) -> (String, String) {
    ask(at, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
}

pub(super) fn metrics(at: SocketAddr) -> String {
    get(at, "/metrics").1
}

/// Over every series whose name and labels begin so.
pub(super) fn sum(text: &str, series: &str) -> f64 {
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    let of = |name: &str| name == series || name.split('{').next() == Some(series);
    samples.filter(|(name, _)| of(name)).map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

/// What `promtool check metrics` has against it.
fn checked(text: &str) -> String {
    use std::io::Write as _;
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool (Debian: prometheus)");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
pub(super) fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not {what} in time");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A real Prometheus with our rules that scrapes one address; ended when dropped.
struct Prometheus {
    child: Child,
    at: SocketAddr,
}

impl Prometheus {
    fn start(home: &Path, target: SocketAddr) -> Self {
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n  - job_name: ward\n    static_configs: [{{targets: ['{target}']}}]\n",
            rules.display()
        );
        std::fs::write(home.join("prometheus.yml"), config).unwrap();
        // Free a moment ago; nobody else on this machine asks for ports by number.
        let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", home.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", home.join("prometheus").display()))
            .arg(format!("--web.listen-address={at}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus (Debian: prometheus)");
        Self { child, at }
    }

    fn ask(&self, path: &str) -> Value {
        let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n");
        serde_json::from_str(&ask(self.at, &request).1).unwrap_or_default()
    }

    fn query(&self, expression: &str) -> Value {
        let escaped: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        self.ask(&format!("/api/v1/query?query={escaped}"))
    }

    fn value(&self, expression: &str) -> Option<f64> {
        self.query(expression)["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Longer than a broker's start and the time after which it is missed, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
