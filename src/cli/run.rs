//! `ward run`: the stream processor.

use std::path::PathBuf;

use super::Failure;

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
    #[arg(long)]
    instance: Option<String>,
    /// Workers in this process (default: one a core).
    #[arg(long)]
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
}

pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::Internal("not built yet".into()))
}
