//! Commands that are not played: what they name has to be there.

use std::path::Path;

use super::page::{Page, Step};

/// What unplayed blocks name that is not there: options of `ward`, targets of the Makefile, files.
pub(crate) fn unplayed(page: &Page, root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for step in &page.steps {
        let Step::Commands(block) = step else { continue };
        if block.unplayed.is_none() {
            continue;
        }
        for command in commands(&block.script) {
            found.extend(
                wrong(&command, root).into_iter().map(|what| format!("{}:{}: {what}", page.path, block.line)),
            );
        }
    }
    found
}

/// What sentences name as a command, in backticks, that `ward` does not know.
pub(crate) fn in_sentences(page: &Page) -> Vec<String> {
    let (mut found, mut in_block) = (Vec::new(), false);
    for (at, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        }
        if in_block {
            continue;
        }
        for code in line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("ward ")) {
            found.extend(unknown(code).map(|what| format!("{}:{}: `{code}`: {what}", page.path, at + 1)));
        }
    }
    found
}

/// The commands of a script: broken lines are one, comments and what a pipe or `&&` joins are apart.
fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in script.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        for command in line.split(" | ").flat_map(|part| part.split(" && ")) {
            found.push(
                command
                    .split_whitespace()
                    .take_while(|word| !word.starts_with(['>', '<']))
                    .map(|word| word.trim_matches(['"', '\'']).to_owned())
                    .collect(),
            );
        }
    }
    found
}

fn wrong(command: &[String], root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // What runs it as somebody else, or on one core.
    let command = command.strip_prefix(&["sudo".to_owned()]).unwrap_or(command);
    let command = if command.first().is_some_and(|word| word == "taskset") { &command[3..] } else { command };
    match command.split_first() {
        Some((program, _)) if program == "ward" => {
            if let Err(error) = wardstream::cli::command().try_get_matches_from(command)
                && error.use_stderr()
            {
                found.push(error.to_string());
            }
        }
        Some((program, targets)) if program == "make" => {
            let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap();
            let is_there =
                |target: &str| makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
            let missing = targets.iter().filter(|target| !is_there(target));
            found.extend(missing.map(|target| format!("the Makefile has no `{target}`")));
        }
        _ => {}
    }
    let paths = command.iter().filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    found.extend(paths.filter(|path| !root.join(path).exists()).map(|path| format!("`{path}` is not there")));
    found
}

/// What `ward` does not know of a command that a sentence names: `ward score --state`, `ward replay
/// topic:NAME`, `ward config reference|schema`.
fn unknown(code: &str) -> Option<String> {
    let ward = wardstream::cli::command();
    let mut at = &ward;
    for word in code.split_whitespace().skip(1) {
        let word = word.trim_matches(['[', ']', ',', '…']);
        if let Some(option) = word.strip_prefix("--") {
            let option = option.split('=').next().unwrap_or_default();
            let is_known = option == "help"
                || option == "version"
                || at.get_arguments().any(|known| known.get_long() == Some(option));
            if !is_known {
                return Some(format!("`{}` has no option `--{option}`", at.get_name()));
            }
        } else if at.has_subcommands() {
            let Some(below) = at.find_subcommand(word) else {
                return Some(format!("`{}` has no command `{word}`", at.get_name()));
            };
            at = below;
        }
    }
    None
}

const FOLDERS: [&str; 5] = ["config/", "docs/", "tests/", "schemas/", ".ci/"];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{in_sentences, unplayed};
    use crate::pages::page::Page;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let page = Page::parse("p", text.to_owned());
        let mut found = unplayed(&page, Path::new(env!("CARGO_MANIFEST_DIR")));
        found.extend(in_sentences(&page));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_is_not_there_is_found() {
        check(
            "```sh unplayed=installs\nsudo ward run --bootstrap $BOOTSTRAP --verbose # a\n```\n",
            &["--verbose"],
        );
        check("```sh unplayed=builds\nmake test\nmake it-so\n```\n", &["`it-so`"]);
        check(
            "```sh unplayed=cluster\nkubectl apply -f config/nowhere.yaml\n```\n",
            &["`config/nowhere.yaml`"],
        );
        check("`ward run --verbose`, `ward fly`, `ward topics --json`", &["--verbose", "`fly`", "`--json`"]);
    }

    #[test]
    fn what_is_there_is_silent() {
        check(
            "```sh unplayed=measures\ntaskset -c 1 ward bench pass --events 1000 \\\n  --json > docs/out\n```\n",
            &[],
        );
        check("`ward run --metrics-listen 9464`, `ward replay DIR`, `ward config show`", &[]);
    }
}
