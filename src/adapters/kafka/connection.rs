//! Checked settings: the only maker of clients.
//!
//! So a client never runs in plaintext to a distant host by oversight, and never without the
//! properties that exactly-once needs.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use secrecy::{ExposeSecret as _, SecretString};

use super::events::TokenFile;
use super::properties::{COMMON, CONSUMER, PRODUCER};
use super::settings::Assignment;

/// Checked settings with their secrets: what makes clients.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) bootstrap: String,
    pub(super) group: String,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) assignment: Assignment,
    pub(super) session_timeout: Duration,
    pub(super) properties: BTreeMap<String, String>,
    pub(super) secrets: BTreeMap<&'static str, SecretString>,
    pub(super) token: Option<TokenFile>,
}

impl Connection {
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    #[must_use]
    pub const fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// After how long without a sign a member is missed. A transaction of a dead member is gone before
    /// its partitions move: its time-out is shorter.
    #[must_use]
    pub fn with_session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    #[must_use]
    pub const fn session_timeout(&self) -> Duration {
        self.session_timeout
    }

    #[must_use]
    pub const fn assignment(&self) -> Assignment {
        self.assignment
    }

    pub(super) fn token(&self) -> Option<TokenFile> {
        self.token.clone()
    }

    /// A client that asks and makes, and reads no records.
    pub(super) fn admin(&self) -> ClientConfig {
        self.client(&[])
    }

    /// A member of the group. `member` is stable over restarts: `instance-worker`.
    pub(super) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.consumer();
        config.set("group.id", group);
        config.set("group.instance.id", member);

        config.set("client.id", format!("ward-{member}"));
        config
    }

    /// A client without a group that reads given partitions up to what was committed.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer();
        // librdkafka wants a group's name even from a client that joins none.
        config.set("group.id", &self.group);
        config.set("enable.partition.eof", "true");
        config
    }

    /// Like [`Self::reader`], but told the end of the log and not the last stable offset.
    pub(super) fn uncommitted_reader(&self) -> ClientConfig {
        let mut config = self.reader();
        config.set("isolation.level", "read_uncommitted");
        config
    }

    pub(super) fn producer(&self, transactional_id: &str) -> ClientConfig {
        let mut config = self.client(PRODUCER);
        config.set("transactional.id", transactional_id);
        let timeout = (self.session_timeout * 4 / 5).as_millis();
        config.set("transaction.timeout.ms", timeout.to_string());
        config.set("message.timeout.ms", timeout.min(MESSAGE_TIMEOUT_MS).to_string());
        config.set("client.id", format!("ward-{transactional_id}"));
        config
    }

    fn consumer(&self) -> ClientConfig {
        let mut config = self.client(CONSUMER);
        config.set("partition.assignment.strategy", self.assignment.name());
        config.set("session.timeout.ms", self.session_timeout.as_millis().to_string());
        config.set("heartbeat.interval.ms", (self.session_timeout / 5).as_millis().to_string());
        config
    }

    /// A producer without transactions, for who only writes events.
    pub(super) fn publisher(&self) -> ClientConfig {
        let mut config = self.client(PRODUCER);
        config.remove("transaction.timeout.ms");
        config.set("message.timeout.ms", "20000");
        config.set("linger.ms", "5");
        config
    }

    fn client(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Who asks librdkafka for its own log gets it; `[log] filter` says whether it is shown.
        let debugged = self.properties.contains_key("debug");
        config.set_log_level(if debugged { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Warning });
        for (name, value) in COMMON.iter().chain(ours) {
            config.set(*name, *value);
        }
        // After ours: what is left of `extra` may tune, not weaken.
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        for (name, value) in &self.secrets {
            config.set(*name, value.expose_secret());
        }
        config
    }

    /// librdkafka says which property or value it does not know only when a client is made.
    pub(super) fn try_properties(&self, mistakes: &mut Vec<String>) {
        for config in [self.admin(), self.producer("check"), self.reader()] {
            if let Err(error) = config.create_native_config() {
                let mistake = format!(
                    "kafka has what librdkafka does not take together ({error}), expected settings that agree; correct them"
                );
                if !mistakes.contains(&mistake) {
                    mistakes.push(mistake);
                }
            }
        }
    }
}

const MESSAGE_TIMEOUT_MS: u128 = 5_000;
