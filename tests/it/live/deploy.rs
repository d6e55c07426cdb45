//! The examples of `config/deploy`, run as they say: their options, their configuration, as an ordinary
//! user without a right, on a root that cannot be written.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes, with a deadline")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::broker::{Broker, said};
use crate::deploy::example::{Example, read};

#[test]
#[ignore = "needs a broker: make test"]
fn as_the_unit_and_the_stateful_set_run_it() {
    let broker = Broker::own(&["--tls-scram"]);
    for (name, example) in [("unit", Example::unit()), ("set", Example::statefulset())] {
        let home = tempfile::tempdir().unwrap();
        let place = Place::new(home.path(), &broker, &example, name);
        if name == "unit" {
            said(
                place
                    .command(&["topics", "create", "--config", "/etc/ward/ward.toml", "--partitions", "2"])
                    .output(),
            );
        }
        place.checks_out(&example);

        let mut ward = place.start(&example);
        assert!(ward.is_ready(), "{name}: {}", ward.log());
        let status = std::fs::read_to_string(format!("/proc/{}/status", ward.child.id())).unwrap();
        assert!(!status.contains("\nUid:\t0\t") || !is_root(), "{name} runs as root: {status}");
        assert!(status.contains("\nNoNewPrivs:\t1"), "{status}");
        assert!(status.contains("\nCapBnd:\t0000000000000000"), "{status}");
        let mounts = std::fs::read_to_string(format!("/proc/{}/mountinfo", ward.child.id())).unwrap();
        let root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
        assert!(root.split(' ').nth(5).unwrap().starts_with("ro"), "{root}");

        ward.stop(&example);
        // Stopped in order, and back under its name with its disk: nothing has to be read again.
        let mut ward = place.start(&example);
        assert!(ward.is_ready(), "{name}: {}", ward.log());
        let log = ward.log();
        assert!(!log.contains("no_store"), "{name}: {log}");
        ward.stop(&example);
    }
}

/// A host, or a pod.
struct Place<'a> {
    home: &'a Path,
    secrets: String,
    environment: Vec<(String, String)>,
}

impl<'a> Place<'a> {
    fn new(home: &'a Path, broker: &Broker, example: &Example, name: &str) -> Self {
        for folder in ["etc", "secrets", "state"] {
            std::fs::create_dir(home.join(folder)).unwrap();
        }
        std::fs::write(home.join("etc/ward.toml"), read("ward.toml")).unwrap();
        let settings = broker.settings();
        std::fs::copy(&settings["WARD_KAFKA_CA"], home.join("secrets/ca.pem")).unwrap();
        std::fs::copy(&settings["WARD_KAFKA_PASSWORD_FILE"], home.join("secrets/kafka-password")).unwrap();
        let mut environment = example.environment.clone();
        // What differs from cluster to cluster.
        environment.insert("WARD__KAFKA__BOOTSTRAP".into(), broker.bootstrap().to_owned());
        environment.insert("WARD__KAFKA__SASL__USERNAME".into(), "ward".to_owned());
        environment.insert("WARD__KAFKA__GROUP".into(), format!("ward-{name}"));
        Self { home, secrets: example.secrets.clone(), environment: environment.into_iter().collect() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/box");
        let mut command = Command::new(script);
        command.arg(self.home).arg(env!("CARGO_BIN_EXE_ward")).arg(&self.secrets).args(arguments);
        command.env_clear().env("PATH", std::env::var("PATH").unwrap()).envs(self.environment.clone());
        command
    }

    /// `ward check` finds nothing with the same options.
    #[track_caller]
    fn checks_out(&self, example: &Example) {
        let arguments = arguments(example);
        let check: Vec<_> = ["check"].into_iter().chain(arguments[1..].iter().map(String::as_str)).collect();
        said(self.command(&check).output());
    }

    #[track_caller]
    fn start(&self, example: &Example) -> Running {
        let log = self.home.join("log");
        let arguments = arguments(example);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let at = arguments.iter().position(|word| *word == "--metrics-listen").unwrap();
        let port = arguments[at + 1].rsplit(':').next().unwrap().parse().unwrap();
        let child = self
            .command(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Running { child, log, port }
    }
}

/// On loopback and a port that is free: tests run beside each other.
fn arguments(example: &Example) -> Vec<String> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let word = |word: &String| match word.as_str() {
        "127.0.0.1:9464" | "0.0.0.0:9464" => format!("127.0.0.1:{port}"),
        "$(POD_NAME)" => "ward-0".to_owned(),
        word => word.to_owned(),
    };
    example.arguments.iter().map(word).collect()
}

struct Running {
    child: Child,
    log: std::path::PathBuf,
    port: u16,
}

impl Running {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// As the kubelet asks: whether `/ready` says so within the time that tests have.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(90);
        while Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            if self.answer("/ready").starts_with("HTTP/1.1 200") {
                return self.answer("/health").starts_with("HTTP/1.1 200");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn answer(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let ask = format!("GET {path} HTTP/1.1\r\nHost: ward\r\nConnection: close\r\n\r\n");
            drop(stream.write_all(ask.as_bytes()).and_then(|()| stream.read_to_string(&mut answer)));
        }
        answer
    }

    /// SIGTERM, and in order before SIGKILL would come.
    #[track_caller]
    fn stop(&mut self, example: &Example) {
        let began = Instant::now();
        said(Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).output());
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < example.grace, "still there after {:?}: {}", example.grace, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_root() -> bool {
    said(Command::new("id").arg("-u").output()).trim() == "0"
}
