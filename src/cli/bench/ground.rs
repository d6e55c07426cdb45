//! Topics, a group and a folder that only this run has, gone when it ends.

#![expect(clippy::disallowed_methods, reason = "waits for the broker, with a deadline")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Failure, Source};
use crate::adapters::kafka::acls::{input_group, networks_group};
use crate::adapters::kafka::topics::{self, Names, Numbers};
use crate::adapters::kafka::{Admin, Connection};
use crate::app;
use crate::cli::now;
use crate::config::{Flag, Settings};
use crate::engine::decode::Format;
use crate::pipeline::lane::Rendering;

pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) connection: Connection,
    pub(super) names: Names,
    /// Where `pass` writes what the pipeline wrote.
    pub(super) copies: Names,
    pub(super) partitions: i32,
    pub(super) workers: u16,
    pub(super) state: PathBuf,
    admin: Admin,
    removed: bool,
}

/// What is asked of the ground.
pub(super) struct Wanted<'w> {
    pub(super) source: &'w Source,
    pub(super) commit_interval: Option<&'w str>,
    pub(super) workers: Option<u16>,
    pub(super) partitions: i32,
}

impl Ground {
    pub(super) fn prepare(wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let mut said = wanted.source.said();
        if let Some(interval) = wanted.commit_interval {
            let value = toml::Value::from(interval).to_string();
            said.push(Flag { name: "--commit-interval", path: "run.commit_interval", value });
        }
        let loaded = app::load(wanted.source.config.as_deref(), &said);
        let mut settings = loaded.sound().map_err(Failure::mistakes)?;
        refuse_foreign(&settings)?;
        if !settings.inputs.is_empty() {
            return Err(Failure::input(
                "found [inputs] in the configuration, whose topics a measurement would copy; name a \
                 configuration without them",
            ));
        }
        let run = format!("ward-bench-{}-{}", std::process::id(), now().micros() / 1_000_000);
        settings.kafka.group.clone_from(&run);
        // What is left of the group is waited for at the end.
        settings.run.session_timeout = SESSION_TIMEOUT;
        let connection = app::connection(&settings).map_err(Failure::Input)?;
        let admin = Admin::new(&connection)?;
        // Where nobody answers there is nothing to make, and nothing to clear away after.
        admin.brokers(connection.connect_timeout().unwrap_or(app::PATIENCE))?;
        let state = PathBuf::from(format!("{}-{run}", settings.run.state_dir.display()));
        let workers = wanted.workers.or(settings.run.workers).unwrap_or_else(cores);
        let ground = Self {
            settings,
            connection,
            names: names(&run),
            copies: names(&format!("{run}-pass")),
            partitions: wanted.partitions,
            workers,
            state,
            admin,
            removed: false,
        };
        ground.make()?;
        Ok(ground)
    }

    /// How events are written for the pipeline to read.
    pub(super) const fn written(&self) -> Rendering {
        match self.settings.topics.events.format {
            Format::Json | Format::CloudEvents => Rendering::Json,
            // The other two were refused.
            Format::Avro | Format::AvroBare | Format::Confluent => Rendering::Avro,
        }
    }

    fn make(&self) -> Result<(), Failure> {
        let mut made = Vec::new();
        for names in [&self.names, &self.copies] {
            let wanted = topics::wanted(names, self.settings.remembering.profile_ttl);
            let numbers = Numbers::of(&wanted, &BTreeMap::new(), Some(self.partitions));
            made.extend(wanted.iter().map(|topic| topic.made(numbers, 1)));
        }
        Ok(self.admin.create(&made, self.patience())?)
    }

    fn patience(&self) -> Duration {
        self.connection.connect_timeout().unwrap_or(app::PATIENCE)
    }

    /// Says so when something could not be removed.
    pub(super) fn remove(mut self) -> Result<(), Failure> {
        self.clear()
    }

    fn clear(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        if let Err(error) = std::fs::remove_dir_all(&self.state)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(Failure::input(format!("`{}` cannot be removed: {error}", self.state.display())));
        }
        let topics: Vec<_> =
            [&self.names, &self.copies].into_iter().flat_map(Names::all).map(|(_, topic)| topic).collect();
        let groups = groups(&self.settings.kafka.group);
        let groups: Vec<_> = groups.iter().map(String::as_str).collect();
        let deadline = Instant::now() + SESSION_TIMEOUT * 3;
        loop {
            match self.admin.remove(&topics, &groups, self.patience()) {
                // Members that were ended are missed only after a while.
                Err(_) if Instant::now() < deadline => std::thread::sleep(REMOVE_PAUSE),
                done => return Ok(done?),
            }
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // On the way out of a failure: that one is told.
        drop(self.clear());
    }
}

/// Of the workers, of what runs beside them, and of `pass`.
fn groups(group: &str) -> [String; 4] {
    [group.to_owned(), input_group(group, "feedback"), networks_group(group), pass_group(group)]
}

pub(super) fn pass_group(group: &str) -> String {
    format!("{group}-pass")
}

/// What the bench writes must be what the pipeline is told to read.
fn refuse_foreign(settings: &Settings) -> Result<(), Failure> {
    let topics = &settings.topics;
    let inputs = [("events", topics.events.format), ("feedback", topics.feedback.format)];
    let mistakes: Vec<_> = inputs
        .into_iter()
        .filter_map(|(topic, format)| {
            let form = match format {
                Format::Confluent => "confluent",
                Format::AvroBare => "avro_bare",
                Format::Json | Format::CloudEvents | Format::Avro => return None,
            };
            Some(format!(
                "[topics.{topic}] format is `{form}`, and the bench writes single-object Avro to topics of its own, which no \
                 registry knows: measure with `avro`, such as WARD__TOPICS__{}__FORMAT=avro",
                topic.to_uppercase()
            ))
        })
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Input(mistakes)) }
}

fn names(run: &str) -> Names {
    let name = |name: &str| format!("{run}.{name}");
    Names {
        events: name("events"),
        feedback: name("feedback"),
        decisions: name("decisions"),
        alerts: name("alerts"),
        revocations: name("revocations"),
        profiles: name("profiles"),
        policies: name("policies"),
        rejected: name("rejected"),
        inputs: BTreeMap::new(),
        sightings: name("sightings"),
        networks: name("networks"),
        network_state: name("network-state"),
    }
}

fn cores() -> u16 {
    std::thread::available_parallelism().map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX))
}

const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const REMOVE_PAUSE: Duration = Duration::from_millis(500);
