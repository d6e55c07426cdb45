//! `ward score`: decisions for a file of events.

use std::path::PathBuf;

use super::Failure;

/// Score a file of events: one decision a line, in input order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The events; `-` reads standard input.
    file: PathBuf,
    /// A policy file, or the name of a shipped one (`seed`, `default`).
    #[arg(long, value_name = "FILE|NAME", default_value = "default")]
    policy: String,
    /// City database (GeoIP2 or flat layout); repeat for IPv4 and IPv6 in two files.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// ASN database.
    #[arg(long, value_name = "MMDB")]
    asn: Vec<PathBuf>,
    /// Network classes: an Anonymous-IP database, or a CIDR list.
    #[arg(long, value_name = "FILE")]
    networks: Vec<PathBuf>,
    /// Keeps profiles here between runs.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// How the events are written; guessed from the file's name when absent.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Writes the same lines into a file.
    #[arg(long, value_name = "FILE")]
    decisions_out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FileFormat {
    Jsonl,
    Csv,
    Avro,
}

pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::Internal("not built yet".into()))
}
