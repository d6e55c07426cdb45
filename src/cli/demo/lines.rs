//! The demo without a terminal: JSON lines for machines, plain lines for a pipe; and what is said at
//! the end of all three.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Failure;
use super::board::{Because, Board, Row, Told};
use super::screen::Left;
use crate::cli::interrupt::Interrupt;

/// Every decision as it was committed, the history's too.
pub(super) fn json(
    told: &Receiver<Told>,
    board: &mut Board,
    began: Instant,
    interrupt: &Interrupt,
) -> io::Result<Left> {
    listen(told, board, began, interrupt, |told, _, out| match told {
        Told::Decision { json, .. } | Told::Rejected { json } => writeln!(out, "{json}"),
        _ => Ok(()),
    })
}

/// The live part, a line each.
pub(super) fn plain(
    told: &Receiver<Told>,
    board: &mut Board,
    began: Instant,
    interrupt: &Interrupt,
    places: &str,
) -> io::Result<Left> {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "ward demo: one process, embedded log, no cluster; {places}") {
        return gone(error);
    }
    drop(out);
    let mut was_live = false;
    listen(told, board, began, interrupt, move |told, board, out| match told {
        Told::Clock { .. } if board.live && !was_live => {
            was_live = true;
            writeln!(out, "learned {} events of history; now live", board.decisions)
        }
        Told::Scene(words) => writeln!(out, "# {words}"),
        Told::Decision { json, .. } if board.live => match serde_json::from_str::<Row>(json) {
            Ok(row) => line(&row, out),
            Err(_) => Ok(()),
        },
        Told::Revocation { .. } if board.live => match board.ended.back() {
            Some(ended) => {
                writeln!(out, "!       {} loses {}: {}", ended.user_id, ended.what(), ended.reason)
            }
            None => Ok(()),
        },
        _ => Ok(()),
    })
}

fn line(row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let from = row.facts.country.as_deref().unwrap_or("-");
    let time = row.occurred_at.get(11..19).unwrap_or(&row.occurred_at);
    writeln!(
        out,
        "{time} {:<18} {:<10} {from:<2} {:>3} {}",
        row.user_id, row.kind, row.risk_score, row.action
    )?;
    for Because { signal, points, text } in &row.reasons {
        writeln!(out, "         +{points} {signal}: {text}")?;
    }
    Ok(())
}

/// Hears what is told until it ends, writing what `write` makes of it.
fn listen(
    told: &Receiver<Told>,
    board: &mut Board,
    began: Instant,
    interrupt: &Interrupt,
    mut write: impl FnMut(&Told, &Board, &mut dyn Write) -> io::Result<()>,
) -> io::Result<Left> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    loop {
        if interrupt.is_set() {
            return Ok(Left::Interrupted);
        }
        let what = match told.recv_timeout(QUIET) {
            Ok(what) => what,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = out.flush() {
                    return gone(error);
                }
                continue;
            }
        };
        let shown = board.hear(what, began.elapsed());
        if let Err(error) = write(&shown, board, &mut out) {
            return gone(error);
        }
    }
    out.flush().map_or_else(gone, |()| Ok(Left::Done))
}

/// Whoever read has had enough, which is no failure.
fn gone(error: io::Error) -> io::Result<Left> {
    if error.kind() == ErrorKind::BrokenPipe { Ok(Left::Done) } else { Err(error) }
}

/// What it came to.
pub(super) fn summary(board: &Board, events: u64, took: Duration, json: bool) -> Result<(), Failure> {
    let (half, most) = (board.latencies.quantile_ms(500), board.latencies.quantile_ms(990));
    let seconds = took.as_secs_f64();
    let a_second = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds.max(0.001);
    let text = if json {
        json!({"summary": {
            "events": events,
            "decisions": board.decisions,
            "alerts": board.alerts,
            "revocations": board.revocations,
            "events_per_second": rounded(a_second(events), 1.0),
            "latency_ms": {"p50": rounded(half, 1000.0), "p99": rounded(most, 1000.0)},
        }})
        .to_string()
    } else {
        format!(
            "{events} events in {seconds:.0} s: {} decisions, {} alerts, {} revocations; half of the live ones \
             decided and committed within {half:.1} ms, 99 % within {most:.1} ms",
            board.decisions, board.alerts, board.revocations
        )
    };
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Internal(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn rounded(number: f64, to: f64) -> f64 {
    (number * to).round() / to
}

/// How long a line may wait in the buffer.
const QUIET: Duration = Duration::from_millis(50);
