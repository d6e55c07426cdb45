//! `ward topics`: makes and checks the topics.

use std::path::PathBuf;

use super::Failure;

/// Make or check the topics.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Make what is missing; never changes what is there.
    Create(Options),
    /// Compare settings, partition counts and permissions; exits 1 when something is wrong.
    Check(Options),
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Partitions of every co-partitioned topic.
    #[arg(long)]
    partitions: Option<i32>,
    #[arg(long)]
    replication: Option<i32>,
}

pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::Internal("not built yet".into()))
}
