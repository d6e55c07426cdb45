//! `ward config`: what can be set, and what is.

use super::flags::Flags;
use super::{Failure, print};
use crate::app;
use crate::config;

/// Say what can be configured, and what is in force.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Every setting with its type, range, default and meaning, in Markdown.
    Reference,
    /// A JSON Schema (2020-12) of the configuration file.
    Schema,
    /// Every setting in force, and who said so: default, file, environment or option.
    Show(Box<Show>),
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    flags: Flags,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args {
        Args::Reference => print(config::reference().trim_end()),
        Args::Schema => print(&format!("{:#}", config::schema())),
        Args::Show(show) => {
            let Show { flags, json } = *show;
            let loaded = app::load(flags.source.config.as_deref(), &flags.said());
            if !loaded.mistakes.is_empty() {
                return Err(Failure::mistakes(loaded.mistakes));
            }
            print(&config::shown(&loaded.settings, &loaded.origins, json));
        }
    }
    Ok(())
}
