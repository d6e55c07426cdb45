//! A page as steps: blocks of commands, each with what it is shown to print, and where somebody
//! presses Ctrl-C.

use std::path::Path;

/// One Markdown file.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) steps: Vec<Step>,
    /// What is wrong with its marks.
    pub(crate) findings: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Step {
    Commands(Block),
    /// Whatever runs in the background is interrupted, as a person would do it.
    Interrupt {
        line: usize,
    },
}

/// A block of commands.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// Of its first fence, from 1.
    pub(crate) line: usize,
    pub(crate) script: String,
    pub(crate) needs_broker: bool,
    pub(crate) background: Option<String>,
    pub(crate) retry: bool,
    pub(crate) exit: i32,
    pub(crate) unplayed: Option<Reason>,
    pub(crate) shown: Option<Shown>,
}

/// What a page shows of an output.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) line: usize,
    pub(crate) is_json: bool,
    pub(crate) text: String,
}

/// Why a block is not played. Its commands are read all the same: options of `ward`, targets of the
/// Makefile and paths have to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Compiles for minutes what the test has compiled already, or runs all tests.
    Builds,
    /// Waits for a person.
    Interactive,
    /// Changes the machine: packages, users, units of systemd. `tests/it/deploy.rs` reads what it installs.
    Installs,
    /// Needs a container runtime or a Kubernetes cluster. `tests/it/deploy.rs` reads what it applies.
    Cluster,
    /// Measures for minutes, on an idle machine; the live tests run the same command with less.
    Measures,
    /// Needs what no test has: a city database, a server of somebody else's.
    Foreign,
}

impl Reason {
    const ALL: [(&str, Self); 6] = [
        ("builds", Self::Builds),
        ("interactive", Self::Interactive),
        ("installs", Self::Installs),
        ("cluster", Self::Cluster),
        ("measures", Self::Measures),
        ("foreign", Self::Foreign),
    ];
}

impl Step {
    pub(crate) fn needs_broker(&self) -> bool {
        match self {
            Self::Commands(block) => block.needs_broker,
            Self::Interrupt { .. } => true,
        }
    }
}

impl Page {
    pub(crate) fn read(root: &Path, path: &str) -> Self {
        Self::parse(path, std::fs::read_to_string(root.join(path)).unwrap())
    }

    pub(crate) fn parse(path: &str, text: String) -> Self {
        let (mut steps, mut findings) = (Vec::new(), Vec::new());
        // Whether the next block of output belongs to the last block of commands.
        let mut may_show = false;
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let line_number = at + 1;
            if line.starts_with('#') {
                may_show = false;
            }
            if line.trim() == "<!-- Ctrl-C -->" {
                steps.push(Step::Interrupt { line: line_number });
            }
            let Some(info) = line.trim_start().strip_prefix("```") else { continue };
            let indent = line.len() - line.trim_start().len();
            let body: Vec<_> = lines
                .by_ref()
                .map(|(_, line)| line.get(indent..).unwrap_or_default())
                .take_while(|line| *line != "```")
                .collect();
            let body = body.join("\n");
            let (language, marks) = info.split_once(' ').unwrap_or((info, ""));
            match language {
                "sh" => {
                    let block = block(line_number, body, marks, |finding| {
                        findings.push(format!("{path}:{line_number}: {finding}"));
                    });
                    may_show = true;
                    steps.push(Step::Commands(block));
                }
                "text" | "json" if may_show => {
                    may_show = false;
                    if let Some(Step::Commands(block)) = steps.last_mut() {
                        if block.unplayed.is_some() || block.background.is_some() {
                            findings.push(format!("{path}:{line_number}: nobody plays what prints this"));
                        }
                        block.shown =
                            Some(Shown { line: line_number, is_json: language == "json", text: body });
                    }
                }
                "text" | "json" | "toml" | "yaml" | "ini" | "csv" => {
                    may_show = false;
                    let commands = body.lines().filter(|line| is_command(line));
                    findings.extend(commands.map(|line| {
                        format!(
                            "{path}:{line_number}: `{line}` is a command: it belongs into a block of `sh`"
                        )
                    }));
                }
                other => findings.push(format!("{path}:{line_number}: no block may be `{other}`")),
            }
        }
        Self { path: path.to_owned(), text, steps, findings }
    }
}

fn block(line: usize, script: String, marks: &str, mut finding: impl FnMut(String)) -> Block {
    let mut block = Block { line, script, ..Block::default() };
    for mark in marks.split_whitespace() {
        match mark.split_once('=') {
            None if mark == "broker" => block.needs_broker = true,
            None if mark == "retry" => block.retry = true,
            Some(("background", word)) => block.background = Some(word.to_owned()),
            Some(("exit", code)) => match code.parse() {
                Ok(code) => block.exit = code,
                Err(_) => finding(format!("`{code}` is no exit code")),
            },
            Some(("unplayed", reason)) => match Reason::ALL.iter().find(|(name, _)| *name == reason) {
                Some((_, reason)) => block.unplayed = Some(*reason),
                None => finding(format!("`{reason}` is no reason: {:?}", Reason::ALL.map(|(name, _)| name))),
            },
            _ => finding(format!("`{mark}` says nothing about a block: the head of tests/it/pages.rs does")),
        }
    }
    if block.unplayed.is_some() && marks.split_whitespace().count() > 1 {
        finding("what is not played needs no other mark".to_owned());
    }
    block
}

/// Whether a line of another block is something to type.
fn is_command(line: &str) -> bool {
    let programs =
        ["ward ", "$ ", "make ", "kubectl ", "docker ", "systemctl ", "openssl ", "sudo ", "kafka-"];
    programs.iter().any(|program| line.starts_with(program))
}

#[cfg(test)]
mod tests {
    use super::{Page, Reason, Step};

    #[track_caller]
    fn findings(text: &str, expected: &[&str]) {
        assert_eq!(Page::parse("p", text.to_owned()).findings, expected);
    }

    #[test]
    fn marks_are_read_and_outputs_belong_to_the_block_before() {
        let page = Page::parse(
            "p",
            "```sh broker exit=1\na\n```\nsays\n```text\nb\n```\n<!-- Ctrl-C -->\n".to_owned(),
        );
        assert_eq!(page.findings, Vec::<String>::new());
        let [Step::Commands(block), Step::Interrupt { line: 8 }] = page.steps.as_slice() else {
            panic!("{:?}", page.steps);
        };
        assert_eq!((block.script.as_str(), block.needs_broker, block.exit), ("a", true, 1));
        assert_eq!(block.shown.as_ref().unwrap().text, "b");
    }

    #[test]
    fn a_heading_parts_an_output_from_the_commands_before() {
        let page = Page::parse("p", "```sh\na\n```\n## b\n```text\nc\n```\n".to_owned());
        let [Step::Commands(block)] = page.steps.as_slice() else { panic!("{:?}", page.steps) };
        assert!(block.shown.is_none());
    }

    #[test]
    fn what_no_test_would_hold_is_found() {
        findings(
            "```sh later\na\n```\n",
            &["p:1: `later` says nothing about a block: the head of tests/it/pages.rs does"],
        );
        findings("```bash\na\n```\n", &["p:1: no block may be `bash`"]);
        findings("```\nward score\n```\n", &["p:1: no block may be ``"]);
        findings(
            "```text\nward score x\n```\n",
            &["p:1: `ward score x` is a command: it belongs into a block of `sh`"],
        );
        findings(
            "```sh unplayed=builds\nmake\n```\n```text\nbuilt\n```\n",
            &["p:4: nobody plays what prints this"],
        );
        let lazy = Page::parse("p", "```sh unplayed=tedious\na\n```\n".to_owned());
        assert!(lazy.findings[0].contains("`tedious` is no reason"), "{:?}", lazy.findings);
        assert_eq!(Reason::ALL.len(), 6);
    }
}
