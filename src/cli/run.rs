//! `ward run`: the stream processor.

use super::Failure;
use super::flags::Flags;
use crate::app::{self, Measures};

/// Score events from Kafka; publish decisions, alerts and revocations, each exactly once.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Tell in the log, at `debug`, what each stage of an event's way costs; `ward bench` asks for it.
    #[arg(long, hide = true)]
    stages: bool,
    /// Where a test names the point at which this process is to stop; see `src/halts.rs`.
    #[cfg(debug_assertions)]
    #[arg(long, value_name = "FILE", hide = true)]
    halts: Option<std::path::PathBuf>,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let loaded = app::load(args.flags.source.config.as_deref(), &args.flags.said());
    let settings = loaded.sound().map_err(Failure::mistakes)?;
    app::log(&settings);
    #[cfg(debug_assertions)]
    if let Some(file) = &args.halts {
        crate::halts::arm(file.clone());
    }
    app::run(&settings, if args.stages { Measures::Stages } else { Measures::Nothing })
}
