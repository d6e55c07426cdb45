//! `ward run` as a process of its own, over the topics of this run.
#![expect(clippy::disallowed_methods, reason = "waits for a process, with a deadline")]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Failure;
use super::ground::Ground;
use super::stages::Told;

/// A process that works.
pub(super) struct Worker {
    process: Child,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    told: Told,
    /// How partitions were taken over, and how many that way.
    ways: BTreeMap<String, u32>,
    /// Records of the changelog that were read for it.
    changes: u64,
    /// What it said last that was not about a transaction.
    said: VecDeque<String>,
    ended: bool,
}

impl Worker {
    pub(super) fn start(config: Option<&Path>, geo: &[PathBuf], ground: &Ground) -> Result<Self, Failure> {
        let unstarted =
            |error: std::io::Error| Failure::Internal(format!("`ward run` did not start: {error}"));
        let mut command = Command::new(std::env::current_exe().map_err(unstarted)?);
        command.args(["run", "--stages"]).args(["--workers", &ground.workers.to_string()]);
        command.args(["--bootstrap", ground.connection.bootstrap()]).arg("--state").arg(&ground.state);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        if geo.is_empty() {
            command.args(["--geo", "builtin"]);
        }
        for geo in geo {
            command.arg("--geo").arg(geo);
        }
        for (topic, name) in ground.names.all() {
            command.env(format!("WARD__TOPICS__{}__NAME", topic.to_uppercase()), name);
        }
        let run = &ground.settings.run;
        command
            .env("WARD__TOPICS__DECISIONS__FORMAT", "avro")
            .env("WARD__KAFKA__GROUP", &ground.settings.kafka.group)
            .env("WARD__RUN__INSTANCE", INSTANCE)
            .env("WARD__RUN__START", "earliest")
            .env("WARD__RUN__COMMIT_INTERVAL", format!("{}ms", run.commit_interval.as_millis()))
            .env("WARD__RUN__SESSION_TIMEOUT", format!("{}s", run.session_timeout.as_secs()))
            .env("WARD__LOG__FORMAT", "json")
            .env("WARD__LOG__FILTER", "info,wardstream::telemetry=debug,wardstream::runtime::worker=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut process = command.spawn().map_err(unstarted)?;
        let heard = Arc::new(Mutex::new(Heard::default()));
        if let Some(said) = process.stderr.take() {
            let heard = Arc::clone(&heard);
            let listen = move || listen(said, &heard);
            std::thread::Builder::new().name("listener".into()).spawn(listen).map_err(unstarted)?;
        }
        Ok(Self { process, heard })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn alive(&self) -> Result<(), Failure> {
        let heard = lock(&self.heard);
        if !heard.ended {
            return Ok(());
        }
        let said = heard.said.iter().map(String::as_str).collect::<Vec<_>>().join("\n  ");
        Err(Failure::input(format!("`ward run` ended; it said last:\n  {said}")))
    }

    /// How its partitions were taken over, and how many records of the changelog that took.
    pub(super) fn taken_over(&self) -> (BTreeMap<String, u32>, u64) {
        let heard = lock(&self.heard);
        (heard.ways.clone(), heard.changes)
    }

    /// Ends it at once, as a power cut would; `self` kept nothing that need be kept.
    pub(super) fn kill(self) -> Told {
        let heard = Arc::clone(&self.heard);
        drop(self);
        std::mem::take(&mut lock(&heard).told)
    }

    /// Has it end in good order, and says how long that took.
    pub(super) fn end(mut self) -> Result<Duration, Failure> {
        let broken =
            |error: std::io::Error| Failure::Internal(format!("`ward run` cannot be ended: {error}"));
        let began = Instant::now();
        let id = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            kill_process(id, Signal::TERM).map_err(|error| broken(error.into()))?;
        }
        while self.process.try_wait().map_err(broken)?.is_none() {
            if began.elapsed() >= END_MAX {
                return Err(Failure::Internal(format!("`ward run` did not end within {END_MAX:?}")));
            }
            std::thread::sleep(LOOK_PAUSE);
        }
        Ok(began.elapsed())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended cannot be ended, and is only waited for.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(said: ChildStderr, heard: &Mutex<Heard>) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let mut heard = lock(heard);
        match serde_json::from_str::<Line>(&line) {
            Ok(Line { message, took_us: Some(took), .. }) if message == "published" => {
                heard.told.commits.push((Instant::now(), Duration::from_micros(took)));
            }
            Ok(Line { message, spent: Some(spent), .. }) if message == "stages" => heard.told.spent(&spent),
            Ok(Line { message, way: Some(way), changes, .. }) if message == "lane recovered" => {
                *heard.ways.entry(way).or_default() += 1;
                heard.changes += changes.unwrap_or(0);
            }
            _ => {
                heard.said.push_back(line);
                if heard.said.len() > SAID_MAX {
                    heard.said.pop_front();
                }
            }
        }
    }
    lock(heard).ended = true;
}

/// A line of the log, as far as it is about a transaction, the stages, or a partition that was taken over.
#[derive(serde::Deserialize)]
struct Line {
    message: String,
    took_us: Option<u64>,
    spent: Option<String>,
    way: Option<String>,
    changes: Option<u64>,
}

pub(super) const INSTANCE: &str = "bench";
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Far longer than a stop may take.
const END_MAX: Duration = Duration::from_secs(60);
const SAID_MAX: usize = 12;
