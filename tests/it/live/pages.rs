//! The pages whose commands need a broker, on the one that `make kafka` starts: see `crate::pages`.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::broker::said;
use crate::pages::page::Page;
use crate::pages::play::{Player, furnish};
use crate::pages::{none, pages};

#[test]
#[ignore = "needs a broker: make test"]
fn every_command_with_a_broker_prints_what_is_shown() {
    let kafka = Kafka { home: tempfile::tempdir().unwrap() };
    let mut findings = Vec::new();
    for page in pages().iter().filter(|page| needs_broker(page)) {
        furnish(kafka.home.path());
        let bootstrap = kafka.start();
        delete_topics(&bootstrap);
        // A group of its own: workers of the page before are missed only after a time.
        let group = format!("ward-{}", page.path.replace(['/', '.'], "-"));
        let environment = [("BOOTSTRAP", bootstrap.as_str()), ("WARD__KAFKA__GROUP", &group)];
        findings
            .extend(Player::new(kafka.home.path(), &environment).play(&page.path, page.steps.iter()).err());
    }
    none(&findings);
}

fn needs_broker(page: &Page) -> bool {
    page.steps.iter().any(|step| step.needs_broker())
}

/// A broker in the folder in which the pages are played, so that theirs is this one.
struct Kafka {
    home: tempfile::TempDir,
}

impl Kafka {
    /// Its address; a page may have stopped it.
    #[track_caller]
    fn start(&self) -> String {
        let printed = said(self.broker("start").output());
        let settings: BTreeMap<_, _> = printed.lines().filter_map(|line| line.split_once('=')).collect();
        settings["WARD_KAFKA"].to_owned()
    }

    fn broker(&self, command: &str) -> Command {
        let mut broker = Command::new(self.home.path().join("tests/kafka/broker"));
        broker.arg(command).current_dir(self.home.path()).env_remove("WARD_CACHE").stdin(Stdio::null());
        broker
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        drop(self.broker("stop").output());
    }
}

/// What the page before has left.
#[track_caller]
fn delete_topics(bootstrap: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
    let topics: Vec<_> =
        metadata.topics().iter().map(|topic| topic.name()).filter(|name| !name.starts_with("__")).collect();
    if topics.is_empty() {
        return;
    }
    let admin: AdminClient<_> = config.create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for deleted in runtime.block_on(admin.delete_topics(&topics, &AdminOptions::new())).unwrap() {
        deleted.unwrap();
    }
}
