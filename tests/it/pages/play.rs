//! Plays the blocks of a page in a shell, one after the other: what one exports or where it goes
//! holds for the next.
//!
//! The folder looks like the project's: `docs` and `config` are copies, the rest are links, and
//! `target/quick/ward` and the `ward` on the path are the one that the tests were built with.
#![expect(clippy::disallowed_methods, reason = "a test waits for a process, with a deadline")]

use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::compare::difference;
use super::page::{Block, Step};

/// Plays one page.
#[derive(Debug)]
pub(crate) struct Player {
    home: PathBuf,
    environment: Vec<(String, String)>,
    background: Vec<Running>,
    played: usize,
}

#[derive(Debug)]
struct Running {
    child: Child,
    log: PathBuf,
}

/// What a block printed, and how it ended.
struct Printed {
    out: String,
    err: String,
    code: Option<i32>,
}

impl Player {
    /// In a folder that is furnished; each block sees `environment` besides.
    pub(crate) fn new(home: &Path, environment: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let environment = environment.iter().map(owned).collect();
        Self { home: home.to_owned(), environment, background: Vec::new(), played: 0 }
    }

    /// Plays steps; the first thing that is not as it is told ends it.
    pub(crate) fn play<'a>(
        &mut self,
        page: &str,
        steps: impl Iterator<Item = &'a Step>,
    ) -> Result<(), String> {
        for step in steps {
            let (line, done) = match step {
                Step::Commands(block) if block.unplayed.is_some() => continue,
                Step::Commands(block) => (block.line, self.commands(block)),
                Step::Interrupt { line } => (*line, self.interrupt("INT")),
            };
            done.map_err(|what| format!("{page}:{line}: {what}"))?;
        }
        self.interrupt("TERM").map_err(|what| format!("{page}: at its end {what}"))
    }

    fn commands(&mut self, block: &Block) -> Result<(), String> {
        if let Some(word) = &block.background {
            return self.leave_running(block, word);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let printed = self.run(block)?;
            let found = found(block, &printed);
            if found.is_none() || !block.retry || Instant::now() > deadline {
                return found.map_or(Ok(()), Err);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn run(&mut self, block: &Block) -> Result<Printed, String> {
        let mut running = self.start(block)?;
        let status = running.wait(PATIENCE).ok_or_else(|| {
            format!("does not end within {} s; it said\n{}", PATIENCE.as_secs(), running.said())
        })?;
        let read = |ending| std::fs::read_to_string(running.log.with_extension(ending)).unwrap();
        Ok(Printed { out: read("out"), err: read("err"), code: status.code() })
    }

    fn leave_running(&mut self, block: &Block, word: &str) -> Result<(), String> {
        let mut running = self.start(block)?;
        let deadline = Instant::now() + PATIENCE;
        while !running.said().contains(word) {
            if let Some(status) = running.child.try_wait().unwrap() {
                return Err(format!("ended with {status} before it said `{word}`:\n{}", running.said()));
            }
            if Instant::now() > deadline {
                return Err(format!("does not say `{word}`:\n{}", running.said()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.background.push(running);
        Ok(())
    }

    /// Ends what runs in the background; it has to end in order.
    fn interrupt(&mut self, signal: &str) -> Result<(), String> {
        for mut running in std::mem::take(&mut self.background) {
            running.signal(signal);
            let status = running
                .wait(PATIENCE)
                .ok_or_else(|| format!("{signal} does not end it:\n{}", running.said()))?;
            // A Ctrl-C is told by the code.
            let is_told = signal == "INT" && status.code() == Some(130);
            if !status.success() && !is_told {
                return Err(format!("after {signal} it ended with {status}:\n{}", running.said()));
            }
        }
        Ok(())
    }

    /// A shell that takes up where the last one ended.
    fn start(&mut self, block: &Block) -> Result<Running, String> {
        self.played += 1;
        let log = self.home.join(format!(".played/{}", self.played));
        let keeps = "trap 'declare -px > .played/env.$$; pwd > .played/pwd.$$; \
                     mv .played/env.$$ .played/env; mv .played/pwd.$$ .played/pwd' EXIT";
        let keeps = keeps.replace(".played", &self.home.join(".played").display().to_string());
        let before = format!(
            "set -euo pipefail; cd '{0}'; [ ! -e .played/env ] || {{ . .played/env; cd \"$(cat .played/pwd)\"; }}",
            self.home.display()
        );
        let keeps = if block.background.is_some() { String::new() } else { keeps };
        // Whoever runs the tests in the background has Ctrl-C ignored, and a shell cannot trap what was.
        let mut command = Command::new("env");
        command.args([
            "--default-signal=INT",
            "bash",
            "-c",
            &format!("{before}\n{keeps}\n{}\n", block.script),
        ]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARD")) {
            command.env_remove(name);
        }
        // What `make test` tells a `make` below it: that one would say which folder it enters.
        for name in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL"] {
            command.env_remove(name);
        }
        let file = |ending| std::fs::File::create(log.with_extension(ending)).unwrap();
        let child = command
            .env(
                "PATH",
                format!("{}:{}", self.home.join(".played").display(), std::env::var("PATH").unwrap()),
            )
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"))
            // A group of its own: what it has started ends with it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("bash does not start: {error}"))?;
        Ok(Running { child, log })
    }
}

/// What a block did that is not told of it.
fn found(block: &Block, printed: &Printed) -> Option<String> {
    if printed.code != Some(block.exit) {
        return Some(format!(
            "ended with {:?}, not {}:\n{}{}",
            printed.code, block.exit, printed.out, printed.err
        ));
    }
    // What a person sees of a command whose output goes elsewhere is what it says beside it.
    let seen = if printed.out.trim().is_empty() { &printed.err } else { &printed.out };
    let shown = block.shown.as_ref()?;
    difference(shown, seen).map(|difference| format!("line {}: {difference}", shown.line))
}

impl Running {
    fn said(&self) -> String {
        let read = |ending| std::fs::read_to_string(self.log.with_extension(ending)).unwrap_or_default();
        read("out") + &read("err")
    }

    fn wait(&mut self, patience: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// To the whole group, as a terminal does it.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-s", signal, "--", &group]).stderr(Stdio::null()).status());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal("KILL");
            drop(self.child.wait());
        }
    }
}

/// Makes a folder look like the project's, and empties it first, but for what a broker keeps in `.cache`.
pub(crate) fn furnish(home: &Path) {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in entries(home).into_iter().filter(|path| !path.ends_with(".cache")) {
        if entry.is_dir() && !entry.is_symlink() {
            std::fs::remove_dir_all(entry).unwrap();
        } else {
            std::fs::remove_file(entry).unwrap();
        }
    }
    for entry in entries(project) {
        let name = entry.file_name().unwrap();
        let there = home.join(name);
        match name.to_str().unwrap() {
            "target" | ".git" | ".cache" => {}
            "docs" | "config" => copy(&entry, &there),
            _ => symlink(&entry, &there).unwrap(),
        }
    }
    // What was fetched is shared; what a broker or a registry keeps is not.
    let cache = home.join(".cache");
    std::fs::create_dir_all(&cache).unwrap();
    for entry in entries(&project.join(".cache")) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        let is_fetched = name == "venv" || name.starts_with("kafka-4") || name.starts_with("registry-2");
        if is_fetched && !cache.join(name).exists() {
            symlink(&entry, cache.join(name)).unwrap();
        }
    }
    for folder in [".played", "target/quick", "target/release"] {
        std::fs::create_dir_all(home.join(folder)).unwrap();
        symlink(env!("CARGO_BIN_EXE_ward"), home.join(folder).join("ward")).unwrap();
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in entries(from) {
        let there = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &there);
        } else {
            std::fs::copy(&entry, &there).unwrap();
        }
    }
}

/// A debug build on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{Player, furnish};
    use crate::pages::page::Page;

    /// How often a page may lie: each of these must be found.
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let page = Page::parse("p", text.to_owned());
        let home = tempfile::tempdir().unwrap();
        furnish(home.path());
        let played = Player::new(home.path(), &[]).play("p", page.steps.iter());
        match (played, expected) {
            (Ok(()), None) => {}
            (Err(found), Some(expected)) => assert!(found.contains(expected), "{found}"),
            (played, expected) => panic!("{played:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn blocks_go_on_where_the_last_one_ended() {
        check(
            "```sh\nmkdir a && cd a\nexport B=\"c  d\"\n```\n```sh\necho \"${PWD##*/} $B\"\n```\n```text\na c  d\n```\n",
            None,
        );
        check(
            "```sh\nward --version > /dev/null && target/quick/ward --version | cut -c1-5\n```\n```text\nward\n```\n",
            None,
        );
    }

    #[test]
    fn what_is_not_as_it_is_told_is_found() {
        check("```sh\necho a\n```\n```text\nb\n```\n", Some("p:1: line 4: does not print\nb"));
        check("```sh\nfalse\ntrue\n```\n", Some("ended with Some(1), not 0"));
        check("```sh exit=1\ntrue\n```\n", Some("ended with Some(0), not 1"));
        check("```sh\necho $MISSING\n```\n", Some("unbound variable"));
        check("```sh background=ready\necho steady\n```\n", Some("before it said `ready`"));
        check(
            "```sh background=ready\ntrap 'exit 3' INT; echo ready; while :; do sleep 0.01; done\n```\n<!-- Ctrl-C -->\n",
            Some("after INT it ended with exit status: 3"),
        );
    }

    #[test]
    fn what_is_left_running_ends_with_the_page() {
        check(
            "```sh background=ready\ntrap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done\n```\n",
            None,
        );
    }

    #[test]
    fn an_output_that_goes_elsewhere_leaves_what_is_said_beside_it() {
        check("```sh\necho a > file; echo b >&2\n```\n```text\nb\n```\n", None);
    }
}
