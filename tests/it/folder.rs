//! A folder of a test's own, and `ward` run in it.

use std::path::PathBuf;
use std::process::{Command, Output};

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ward"));
        command.args(args).current_dir(&self.0);
        command
    }

    /// Runs a command of `ward` that must end so.
    #[track_caller]
    pub(crate) fn ward(&self, args: &[&str], code: i32) -> Output {
        ended(&mut self.command(args), args, code)
    }
}

/// Runs a command that must end so.
#[track_caller]
pub(crate) fn ended(command: &mut Command, args: &[&str], code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
