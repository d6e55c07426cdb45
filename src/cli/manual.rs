//! What the command line says about itself: completions for shells, pages for `man`, `docs/cli.md`.
//! All of it is made from the commands themselves.

use std::path::PathBuf;

use clap::{Command, CommandFactory as _};

use super::{Failure, Ward, print};

/// Print what a shell needs to complete the commands of ward.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// Where it goes is the shell's to say, e.g. /etc/bash_completion.d/ward.
    shell: clap_complete::Shell,
}

/// Print the manual page, or write one page a command into a folder.
#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Made if it is not there; without it the page of ward itself is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn completions(args: Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Ward::command(), NAME, &mut script);
    print(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}

pub(super) fn man(args: Man) -> Result<(), Failure> {
    let Some(folder) = args.folder else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Ward::command()).render(&mut page);
        rendered.map_err(|error| Failure::Internal(error.to_string()))?;
        print(String::from_utf8_lossy(&page).trim_end());
        return Ok(());
    };
    std::fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(Ward::command(), &folder))
        .map_err(|error| {
            Failure::input(format!("{}: {error}, expected a folder; name another one", folder.display()))
        })
}

/// The command line as it is parsed, for whoever holds what is written about it against it.
#[must_use]
pub fn command() -> Command {
    let mut ward = Ward::command();
    ward.build();
    ward
}

/// The page `docs/cli.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    // A page has no terminal whose width would count.
    let mut ward = Ward::command().term_width(COLUMNS).bin_name(NAME);
    ward.build();
    section(&mut page, &mut ward, NAME);
    page
}

fn section(page: &mut String, command: &mut Command, name: &str) {
    let help = command.clone().bin_name(name).render_long_help().to_string();
    let help: Vec<_> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end()));
    let below = command.get_subcommands_mut().filter(|one| one.get_name() != "help" && !one.is_hide_set());
    for one in below {
        let name = format!("{name} {}", one.get_name());
        section(page, one, &name);
    }
}

const NAME: &str = "ward";
const COLUMNS: usize = 100;
const HEAD: &str = "\
# Commands

<!-- Made from the command line itself; a test holds it. -->

`ward completions bash` (or `zsh`, `fish`) prints what a shell needs to complete these; `ward man DIR` writes manual pages.
";
