//! Lines to standard output, and the same ones into a file.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, StdoutLock, Write as _};
use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::events::Ended;
use crate::engine::emit::alert_json;
use crate::model::decision::Alert;

#[derive(Debug)]
pub(super) struct Output {
    stdout: StdoutLock<'static>,
    file: Option<(PathBuf, File)>,
    pub(super) alerts: Option<Alerts>,
    /// Lines are appended here.
    pub(super) lines: Vec<u8>,
    /// Explanations of what stands in them, for people.
    pub(super) explanations: Explanations,
    /// Somebody watches: what was decided comes before what explains it.
    is_watched: bool,
}

/// The alerts of a file that goes on, one JSON line each.
#[derive(Debug)]
pub(super) struct Alerts {
    path: PathBuf,
    file: File,
    lines: Vec<u8>,
}

impl Alerts {
    pub(super) fn add(&mut self, alert: &Alert<'_>) {
        alert_json(alert, &mut self.lines);
        self.lines.push(b'\n');
    }
}

#[derive(Debug, Default)]
pub(super) struct Explanations(String);

impl Explanations {
    /// One of many lines stands apart from the others.
    pub(super) fn add(&mut self, text: &str, stands_apart: bool) {
        let gap = if stands_apart { "\n" } else { "" };
        self.0.extend([gap, text, gap]);
    }
}

impl Output {
    pub(super) fn open(copy: Option<&Path>, alerts: Option<&Path>) -> Result<Self, String> {
        let create = |path: &Path| match File::create(path) {
            Ok(file) => Ok((path.to_owned(), file)),
            Err(error) => Err(format!("{}: {error}; name a file that this user may write", path.display())),
        };
        let file = copy.map(create).transpose()?;
        let alerts = alerts.map(create).transpose()?;
        let alerts = alerts.map(|(path, file)| Alerts { path, file, lines: Vec::new() });
        Ok(Self {
            stdout: std::io::stdout().lock(),
            file,
            alerts,
            lines: Vec::with_capacity(2 * FULL_BYTES),
            explanations: Explanations::default(),
            is_watched: std::io::stderr().is_terminal(),
        })
    }

    /// Writes when enough has come together.
    pub(super) fn flush_when_full(&mut self) -> Result<(), Ended> {
        let is_explained = self.is_watched && !self.explanations.0.is_empty();
        if is_explained || self.lines.len() + self.explanations.0.len() >= FULL_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Ended> {
        let failed = |what: &str, error| Ended::Failed(Failure::unwritten(what, &error));
        if let Some((path, file)) = &mut self.file {
            file.write_all(&self.lines).map_err(|error| failed(&path.display().to_string(), error))?;
        }
        if let Some(Alerts { path, file, lines }) = &mut self.alerts {
            file.write_all(lines).map_err(|error| failed(&path.display().to_string(), error))?;
            lines.clear();
        }
        let written = self.stdout.write_all(&self.lines).and_then(|()| self.stdout.flush());
        self.lines.clear();
        // Whoever reads them may leave: the decisions go on.
        drop(std::io::stderr().lock().write_all(self.explanations.0.as_bytes()));
        self.explanations.0.clear();
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Ended::Unread),
            Err(error) => Err(failed("standard output", error)),
        }
    }
}

const FULL_BYTES: usize = 128 * 1024;
