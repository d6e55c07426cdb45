//! The options that say what the configuration says: of `ward run`, and of what looks at its settings.

use std::path::PathBuf;

use crate::config::Flag;

/// Where the configuration comes from.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// Configuration file (else WARD_CONFIG, else config/ward.toml).
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Kafka bootstrap server.
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) bootstrap: Option<String>,
}

/// Everything that `ward run` can be told beside its configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) source: Source,
    /// Name of this instance, stable over restarts; unique in the group.
    #[arg(long)]
    instance: Option<String>,
    /// Workers in this process (default: one a core).
    #[arg(long)]
    workers: Option<String>,
    /// The local copy of the profiles.
    #[arg(long, value_name = "DIR")]
    state: Option<String>,
    /// City database; repeat for IPv4 and IPv6 in two files. `builtin` is a small synthetic table.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<String>,
    /// ASN database.
    #[arg(long, value_name = "MMDB")]
    asn: Vec<String>,
    /// Network classes: an Anonymous-IP database, or a list of networks.
    #[arg(long, value_name = "FILE")]
    networks: Vec<String>,
    /// A policy file, or the name of a shipped one (`seed`, `default`).
    #[arg(long, value_name = "FILE|NAME")]
    policy: Option<String>,
    /// Goes on where retention deleted events before they were read, and says so in `risk.rejected`.
    #[arg(long)]
    accept_gap: bool,
    /// Answers /metrics, /health and /ready there; a port alone is one of loopback.
    #[arg(long, value_name = "ADDR:PORT")]
    metrics_listen: Option<String>,
}

impl Source {
    pub(super) fn said(&self) -> Vec<Flag> {
        one("--bootstrap", "kafka.bootstrap", self.bootstrap.as_deref()).into_iter().collect()
    }
}

impl Flags {
    pub(super) fn said(&self) -> Vec<Flag> {
        let mut said = self.source.said();
        said.extend(one("--instance", "run.instance", self.instance.as_deref()));
        // A number that is none is left as it is: the setting says what it expects.
        let workers = self.workers.clone();
        said.extend(workers.map(|value| Flag { name: "--workers", path: "run.workers", value }));
        said.extend(one("--state", "run.state_dir", self.state.as_deref()));
        said.extend(list("--geo", "tables.geo", &self.geo));
        said.extend(list("--asn", "tables.asn", &self.asn));
        said.extend(list("--networks", "tables.networks", &self.networks));
        said.extend(one("--policy", "policy.file", self.policy.as_deref()));
        said.extend(one("--metrics-listen", "metrics.listen", self.metrics_listen.as_deref()));
        if self.accept_gap {
            said.push(Flag { name: "--accept-gap", path: "run.accept_gap", value: "true".into() });
        }
        said
    }
}

/// Quoted, so that a text that looks like a number or a list stays what it is.
pub(super) fn one(name: &'static str, path: &'static str, value: Option<&str>) -> Option<Flag> {
    let quoted = |value: &str| toml::Value::from(value).to_string();
    value.map(|value| Flag { name, path, value: quoted(value) })
}

fn list(name: &'static str, path: &'static str, values: &[String]) -> Option<Flag> {
    let list = || toml::Value::from(values.to_vec()).to_string();
    (!values.is_empty()).then(|| Flag { name, path, value: list() })
}
