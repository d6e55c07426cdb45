//! How to reach Kafka, and the client settings that our guarantees rest on.
//!
//! [`Settings`] is what a person writes under `[kafka]`; [`Connection`] is what [`Settings::open`]
//! makes of it: every mistake found, every secret read.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};

use super::connection::Connection;
use super::events::TokenFile;
use super::properties::is_reserved;
use crate::adapters::secret::{is_loopback, secret_file, secret_variable, unread};

/// The section `[kafka]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// Consumer group; also the first half of every transactional id.
    pub group: String,
    pub assignment: Assignment,
    pub tls: Option<Tls>,
    pub sasl: Option<Sasl>,
    /// Lets events, and a password if there is one, cross a network unencrypted.
    pub danger_plaintext: bool,
    /// After how long a broker that cannot be reached ends the command; `None` waits for ever.
    #[serde(skip)]
    pub connect_timeout: Option<Duration>,
    /// Any librdkafka property, but those that the guarantees rest on.
    pub extra: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bootstrap: "localhost:9092".into(),
            group: "ward".into(),
            assignment: Assignment::Range,
            tls: None,
            sasl: None,
            danger_plaintext: false,
            connect_timeout: None,
            extra: BTreeMap::new(),
        }
    }
}

/// How the group shares the partitions. Sound either way only because a lane has one input: no other
/// topic's partition has to come along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Assignment {
    /// Eager: at every change of the group each member gives all partitions up and gets its share anew.
    #[default]
    #[serde(rename = "range")]
    Range,
    /// Only what moves is given up; the others go on. A change takes two rounds instead of one.
    #[serde(rename = "cooperative-sticky")]
    CooperativeSticky,
}

impl Assignment {
    /// As librdkafka calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }
}

/// TLS; an empty section trusts the system's authorities and shows no certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password.
    pub key_password_env: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub username: String,
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password.
    pub password_env: Option<String>,
    /// OAUTHBEARER: a file that holds the current token and that somebody keeps fresh.
    pub token_file: Option<PathBuf>,
}

/// The commonest is the default; a section of a file has to state it all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

impl Mechanism {
    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

impl Settings {
    /// Reads the secrets and finds every mistake. `env` gives an environment variable's value.
    ///
    /// # Errors
    /// One message a mistake: `setting found, expected this; do that`.
    pub fn open(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Connection, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut properties = BTreeMap::new();
        let mut secrets = BTreeMap::new();
        let mut token = None;

        let hosts = hosts(&self.bootstrap, &mut mistakes);
        if self.group.is_empty() || self.group.len() > NAME_BYTES_MAX {
            mistakes.push(format!(
                "kafka.group is `{}`, expected 1 to {NAME_BYTES_MAX} bytes; choose another",
                self.group
            ));
        }
        if self.tls.is_none() && !self.danger_plaintext {
            for host in hosts.iter().filter(|host| !is_loopback(host)) {
                mistakes.push(format!(
                    "kafka.bootstrap names `{host}` without TLS, expected TLS to every host but this one; add a section \
                     [kafka.tls] (it may be empty), or, if the network may be read by others, danger_plaintext = true"
                ));
            }
        }
        if let Some(tls) = &self.tls {
            tls.apply(env, &mut properties, &mut secrets, &mut mistakes);
        }
        if let Some(sasl) = &self.sasl {
            token = sasl.apply(env, &mut properties, &mut secrets, &mut mistakes);
        }
        let protocol = match (self.tls.is_some(), self.sasl.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        properties.insert("security.protocol".into(), protocol.into());
        properties.insert("bootstrap.servers".into(), self.bootstrap.clone());
        for (name, value) in &self.extra {
            if is_reserved(name) {
                mistakes.push(format!(
                    "kafka.extra sets `{name}`, which the exactly-once guarantee or the connection's safety rests on, \
                     expected another property; remove it"
                ));
            } else if let Err(error) = ClientConfig::new().set(name, value).create_native_config() {
                mistakes.push(format!(
                    "kafka.extra has what librdkafka does not take ({error}), expected a property and a value of its \
                     documentation; correct it"
                ));
            } else {
                properties.insert(name.clone(), value.clone());
            }
        }
        let connection = Connection {
            bootstrap: self.bootstrap.clone(),
            group: self.group.clone(),
            connect_timeout: self.connect_timeout,
            assignment: self.assignment,
            session_timeout: SESSION_TIMEOUT,
            properties,
            secrets,
            token,
        };
        if mistakes.is_empty() {
            connection.try_properties(&mut mistakes);
        }
        if mistakes.is_empty() { Ok(connection) } else { Err(mistakes) }
    }
}

impl Tls {
    fn apply(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
        properties: &mut BTreeMap<String, String>,
        secrets: &mut BTreeMap<&'static str, SecretString>,
        mistakes: &mut Vec<String>,
    ) {
        properties.insert("ssl.endpoint.identification.algorithm".into(), "https".into());
        for (name, property, file) in [
            ("ca_file", "ssl.ca.location", &self.ca_file),
            ("certificate_file", "ssl.certificate.location", &self.certificate_file),
            ("key_file", "ssl.key.location", &self.key_file),
        ] {
            let Some(file) = file else { continue };
            match std::fs::metadata(file) {
                Ok(found) if found.is_file() => {
                    properties.insert(property.into(), file.display().to_string());
                }
                Ok(_) => mistakes.push(format!(
                    "kafka.tls.{name} names `{}`, which is no file, expected a PEM file; name another",
                    file.display()
                )),
                Err(error) => mistakes.push(unread(&format!("kafka.tls.{name}"), file, &error)),
            }
        }
        if self.certificate_file.is_some() != self.key_file.is_some() {
            mistakes.push(
                "kafka.tls has one of certificate_file and key_file, expected both or none; a client certificate needs \
                 both, PEM"
                    .into(),
            );
        }
        let password = match (&self.key_password_file, &self.key_password_env) {
            (Some(file), _) => secret_file("kafka.tls.key_password_file", file, mistakes),
            (None, Some(name)) => secret_variable("kafka.tls.key_password", name, env, mistakes),
            (None, None) => None,
        };
        if let Some(password) = password {
            secrets.insert("ssl.key.password", password);
        }
    }
}

impl Sasl {
    fn apply(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
        properties: &mut BTreeMap<String, String>,
        secrets: &mut BTreeMap<&'static str, SecretString>,
        mistakes: &mut Vec<String>,
    ) -> Option<TokenFile> {
        properties.insert("sasl.mechanism".into(), self.mechanism.name().into());
        if self.mechanism == Mechanism::OauthBearer {
            let Some(file) = &self.token_file else {
                mistakes.push("kafka.sasl has mechanism OAUTHBEARER and no token_file, expected one; name the file that holds the token".into());
                return None;
            };
            let token = secret_file("kafka.sasl.token_file", file, mistakes)?;
            if !TokenFile::is_token(token.expose_secret()) {
                mistakes.push(format!(
                    "kafka.sasl.token_file: `{}` holds no JSON web token with a claim `exp`, expected header.claims.signature; see to what writes it",
                    file.display()
                ));
            }
            return Some(TokenFile::new(file.clone()));
        }
        if self.username.is_empty() {
            mistakes.push(format!(
                "kafka.sasl has mechanism {} and no username, expected one; state it",
                self.mechanism.name()
            ));
        }
        properties.insert("sasl.username".into(), self.username.clone());
        let password = match (&self.password_file, &self.password_env) {
            (Some(file), None) => secret_file("kafka.sasl.password_file", file, mistakes),
            (None, Some(name)) => secret_variable("kafka.sasl.password_env", name, env, mistakes),
            _ => {
                mistakes.push(
                    "kafka.sasl has none or both of password_file and password_env, expected exactly one of them; state \
                     one, or set WARD__KAFKA__SASL__PASSWORD"
                        .into(),
                );
                None
            }
        };
        if let Some(password) = password {
            secrets.insert("sasl.password", password);
        }
        None
    }
}

fn hosts<'a>(bootstrap: &'a str, mistakes: &mut Vec<String>) -> Vec<&'a str> {
    let mut hosts = Vec::new();
    for address in bootstrap.split(',').map(str::trim) {
        match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                hosts.push(host)
            }
            _ => mistakes.push(format!(
                "kafka.bootstrap has `{address}`, expected host:port, several separated by commas; correct it"
            )),
        }
    }
    hosts
}

const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
const NAME_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(toml: &str, expected: &[&str]) {
        let settings: Settings = toml::from_str(toml).unwrap();
        let found = settings.open(&|_| None).err().unwrap_or_default();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "`{found}` does not say `{expected}`");
        }
    }

    #[test]
    fn plaintext_goes_to_loopback_only() {
        check("", &[]);
        check("bootstrap = '127.0.0.9:9092,[::1]:9092'", &[]);
        check("bootstrap = 'kafka:9092'", &["`kafka` without TLS"]);
        check("bootstrap = 'localhost:9092,10.0.0.1:9092'", &["`10.0.0.1` without TLS"]);
        check("bootstrap = 'kafka:9092'\ndanger_plaintext = true", &[]);
        check("bootstrap = 'kafka:9092'\n[tls]", &[]);
    }

    #[test]
    fn what_the_guarantees_rest_on_is_refused_by_name() {
        check("[extra]\n'linger.ms' = '1'\n'compression.type' = 'zstd'", &[]);
        check(
            "[extra]\n'acks' = '1'\n'isolation.level' = 'read_uncommitted'",
            &["`acks`", "`isolation.level`"],
        );
        check("[extra]\n'ssl.ca.location' = '/x'", &["`ssl.ca.location`"]);
        check("[extra]\n'lingering' = '1'", &["lingering"]);
    }

    #[test]
    fn names_every_mistake_at_once() {
        check(
            "bootstrap = 'nowhere'\ngroup = ''\n[tls]\nca_file = '/no/such/file'",
            &["host:port", "kafka.group", "ca_file"],
        );
        check("[sasl]\nmechanism = 'PLAIN'", &["no username", "exactly one of"]);
        check("[sasl]\nmechanism = 'OAUTHBEARER'", &["token_file"]);
        check("[sasl]\nmechanism = 'OAUTHBEARER'\ntoken_file = 'Cargo.toml'", &["no JSON web token"]);
        check(
            "[sasl]\nmechanism = 'SCRAM-SHA-512'\nusername = 'ward'\npassword_env = 'NONE'",
            &["no `NONE`"],
        );
    }

    #[test]
    fn a_secret_is_not_printed() {
        let settings: Settings =
            toml::from_str("[sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\npassword_env = 'P'").unwrap();
        let connection = settings.open(&|_| Some("hunter2".into())).unwrap();
        assert!(!format!("{connection:?}").contains("hunter2"));
        assert_eq!(connection.admin().get("sasl.password"), Some("hunter2"));
    }
}
