//! `ward run`: the stream processor.

use std::path::PathBuf;

use super::Failure;
use crate::app;

/// Score events from Kafka; publish decisions, alerts and revocations, each exactly once.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file (else WARD_CONFIG, else config/ward.toml).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Kafka bootstrap server.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Name of this instance, stable over restarts; unique in the group.
    #[arg(long, value_parser = name)]
    instance: Option<String>,
    /// Workers in this process (default: one a core).
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// The local copy of the profiles.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    #[arg(long, value_name = "MMDB")]
    asn: Vec<PathBuf>,
    #[arg(long, value_name = "FILE|NAME")]
    policy: Option<String>,
    /// Goes on where retention deleted events before they were read, and says so in `risk.rejected`.
    #[arg(long)]
    accept_gap: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut settings =
        app::settings(args.config.as_deref(), args.bootstrap.as_deref()).map_err(Failure::Input)?;
    if let Some(instance) = args.instance {
        settings.run.instance = Some(instance);
    }
    if let Some(workers) = args.workers {
        settings.run.workers = Some(workers);
    }
    if let Some(state) = args.state {
        settings.run.state_dir = state;
    }
    if let Some(policy) = args.policy {
        settings.policy.file = policy;
    }
    if !args.geo.is_empty() {
        settings.tables.geo = args.geo;
    }
    if !args.asn.is_empty() {
        settings.tables.asn = args.asn;
    }
    settings.run.accept_gap |= args.accept_gap;
    app::log(&settings);
    app::run(&settings)
}

/// It stands in group and transactional ids, in logs and in file names of other tools.
fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=100).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("expected 1 to 100 letters, digits, `.`, `_` or `-`".into())
    }
}
