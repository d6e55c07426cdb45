//! The terminal: takes it over, draws ten times a second, gives it back however the demo ends.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::board::{Board, Told};
use super::view::{Frills, draw};
use crate::cli::interrupt::Interrupt;

/// How the view ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The demo is over, or the viewer pressed `q`.
    Done,
    /// Ctrl-C.
    Interrupted,
}

/// What does not change while it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) coloured: bool,
    pub(super) places: &'a str,
    pub(super) people: u32,
    pub(super) length: Duration,
    pub(super) interrupt: &'a Interrupt,
}

/// Shows what is told until that ends or the viewer leaves.
pub(super) fn show(
    told: &Receiver<Told>,
    board: &mut Board,
    stage: &Stage<'_>,
    began: Instant,
) -> std::io::Result<Left> {
    // A panic hook that restores the terminal comes with it.
    let mut terminal = ratatui::try_init()?;
    let left = watch(&mut terminal, told, board, stage, began);
    ratatui::restore();
    left
}

fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    told: &Receiver<Told>,
    board: &mut Board,
    stage: &Stage<'_>,
    began: Instant,
) -> std::io::Result<Left> {
    loop {
        let now = began.elapsed();
        let over = loop {
            match told.try_recv() {
                Ok(what) => {
                    board.hear(what, now);
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        board.tick(now);
        let frills = Frills {
            coloured: stage.coloured,
            rate: board.rate(now),
            places: stage.places,
            people: stage.people,
            seconds_left: stage.length.saturating_sub(now).as_secs(),
        };
        terminal.draw(|frame| draw(frame, board, &frills))?;
        if over {
            return Ok(Left::Done);
        }
        if stage.interrupt.is_set() {
            return Ok(Left::Interrupted);
        }
        if let Some(left) = pressed()? {
            return Ok(left);
        }
    }
}

/// Waits for the time of one picture for a key that leaves.
fn pressed() -> std::io::Result<Option<Left>> {
    if !event::poll(FRAME)? {
        return Ok(None);
    }
    let Event::Key(key) = event::read()? else { return Ok(None) };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Ok(match key.code {
        _ if key.kind == KeyEventKind::Release => None,
        KeyCode::Char('c') if control => Some(Left::Interrupted),
        KeyCode::Char('q') | KeyCode::Esc => Some(Left::Done),
        _ => None,
    })
}

const FRAME: Duration = Duration::from_millis(100);
