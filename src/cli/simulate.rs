//! `ward simulate`: synthetic people with habits, and labelled attacks.

use std::path::PathBuf;

use super::Failure;

/// Make events of synthetic users with habits, and of labelled attacks, from a seed.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("length").required(true).args(["events", "days"])))]
pub(super) struct Args {
    #[arg(long)]
    users: u32,
    #[arg(long)]
    events: Option<u64>,
    #[arg(long)]
    days: Option<u32>,
    #[arg(long)]
    seed: u64,
    /// `all`, `none`, or names separated by commas.
    #[arg(long, default_value = "all", value_name = "all|none|NAME,…")]
    attacks: String,
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// `-` writes to standard output.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    out: PathBuf,
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
    /// Which event belongs to which attack, one JSON line an event.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Writes to Kafka; the last event is now.
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Events a second, to Kafka.
    #[arg(long, requires = "bootstrap")]
    rate: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    Jsonl,
    Avro,
}

pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::Internal("not built yet".into()))
}
