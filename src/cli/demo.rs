//! `ward demo`: the whole engine on synthetic people, with no broker.

mod board;
mod latency;
mod view;

use super::Failure;

/// Watch the engine decide about synthetic people; needs no broker and no configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long it runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decisions as JSON lines, then a summary.
    #[arg(long)]
    json: bool,
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

pub(super) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::Internal("not built yet".into()))
}
