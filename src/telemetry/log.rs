//! Where log lines go: stderr, for people as text, for machines as JSON.

use std::io::{IsTerminal as _, Write};
use std::sync::OnceLock;

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Begins to log. `filter` is a list like `info,librdkafka=debug`; one that cannot be read counts as
/// the default. A second call does nothing.
pub fn start(format: Format, filter: Option<&str>, colours: bool) {
    let filter =
        filter.and_then(|filter| EnvFilter::try_new(filter).ok()).unwrap_or_else(|| EnvFilter::new(FILTER));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line);
    if format == Format::Text && std::io::stderr().is_terminal() {
        BARS.get_or_init(MultiProgress::new);
    }
    let started = match format {
        Format::Text => lines
            .with_ansi(colours && std::io::stderr().is_terminal())
            .with_target(false)
            .compact()
            .try_init(),
        Format::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
    };
    // Only a second call fails, and it changes nothing.
    drop(started);
}

/// Why `filter` cannot be read, if it cannot.
#[must_use]
pub fn filter_mistake(filter: &str) -> Option<String> {
    EnvFilter::try_new(filter).err().map(|error| error.to_string())
}

/// Where bars are drawn: only where lines are text and a person looks on.
pub(super) fn bars() -> Option<&'static MultiProgress> {
    BARS.get()
}

/// Standard error, with the bars out of the way while a line is written.
struct Line;

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match bars() {
            Some(bars) => bars.suspend(|| std::io::stderr().write(bytes)),
            None => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

static BARS: OnceLock<MultiProgress> = OnceLock::new();
const FILTER: &str = "info";
