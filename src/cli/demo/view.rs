//! The live view: decisions as they come, the one to look at with its reasons, what was ended.
//!
//! Drawn for 80 columns by 24 lines; more lines show more decisions. NO_COLOR leaves the colours out.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::board::{ACTIONS, Board, Row, strictness};

/// What the view shows beside the board.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frills<'a> {
    pub(super) coloured: bool,
    /// Decisions a second.
    pub(super) rate: f64,
    /// Where places come from.
    pub(super) places: &'a str,
    pub(super) people: u32,
    pub(super) seconds_left: u64,
}

pub(super) fn draw(frame: &mut Frame<'_>, board: &Board, frills: &Frills<'_>) {
    let [head, rows, case, ended, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(5),
        Constraint::Length(7),
        Constraint::Length(3),
        Constraint::Length(2),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(heading(board, frills)), head);
    frame.render_widget(decisions(board, frills, rows), rows);
    frame.render_widget(the_case(board, frills), case);
    frame.render_widget(revoked(board, frills), ended);
    frame.render_widget(Paragraph::new(footer(board, frills)), foot);
}

fn heading<'b>(board: &'b Board, frills: &Frills<'b>) -> Vec<Line<'b>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let latency = format!(
        "decided and committed in {:.1} ms (half), {:.1} ms (99 %)",
        board.latencies.quantile_ms(500),
        board.latencies.quantile_ms(990)
    );
    vec![
        Line::from(vec![
            Span::styled("ward demo", bold),
            Span::raw(" · one process, embedded log, no cluster · "),
            Span::raw(frills.places),
        ]),
        Line::from(format!(
            "{} people · their clock {} · {} decisions · {:.0}/s",
            frills.people,
            minute(&board.events_at),
            board.decisions,
            frills.rate
        )),
        Line::from(latency),
    ]
}

fn decisions<'b>(board: &'b Board, frills: &Frills<'_>, area: Rect) -> Paragraph<'b> {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(" time  user               what      from  score action    why ");
    if !board.live {
        let text = "learning how these people live: weeks of their logins, as fast as it goes …";
        return Paragraph::new(text).block(block);
    }
    let room = usize::from(area.height.saturating_sub(1));
    let skipped = board.rows.len().saturating_sub(room);
    let lines: Vec<_> = board.rows.iter().skip(skipped).map(|row| decision(row, frills)).collect();
    Paragraph::new(lines).block(block)
}

fn decision<'b>(row: &'b Row, frills: &Frills<'_>) -> Line<'b> {
    let why = row.reasons.iter().map(|reason| reason.signal.as_str()).collect::<Vec<_>>().join(", ");
    Line::from(vec![
        Span::raw(format!(
            " {:5} {:18.18} {:9.9} {:4}  {:>5} ",
            clock(&row.occurred_at),
            row.user_id,
            row.kind,
            row.facts.country.as_deref().unwrap_or("–"),
            row.risk_score
        )),
        Span::styled(format!("{:9}", row.action.replace('_', " ")), style_of(row, frills)),
        Span::raw(" "),
        Span::raw(cut(&why, 22)),
    ])
}

fn the_case<'b>(board: &'b Board, frills: &Frills<'_>) -> Paragraph<'b> {
    let Some(row) = &board.case else {
        let block = Block::new().borders(Borders::TOP).title(" why ");
        return Paragraph::new(" nothing out of the ordinary so far").block(block);
    };
    let title = format!(" why: {} at {} ", row.user_id, clock(&row.occurred_at));
    let block = Block::new().borders(Borders::TOP).title(cut(&title, 78));
    let from = [row.facts.browser.as_deref(), row.facts.os.as_deref(), row.facts.country.as_deref()];
    let from = from.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let mut lines = vec![Line::from(vec![
        Span::styled(format!(" {} ", row.action.replace('_', " ")), style_of(row, frills)),
        Span::raw(format!("at {} points for a {} from {from}", row.risk_score, row.kind)),
    ])];
    for reason in row.reasons.iter().take(REASONS_SHOWN) {
        lines
            .push(Line::from(cut(&format!(" +{:<3} {}: {}", reason.points, reason.signal, reason.text), 79)));
    }
    if !row.missing_auth_factors.is_empty() {
        lines.push(Line::from(cut(&format!(" still wanted: {}", row.missing_auth_factors.join(", ")), 79)));
    }
    Paragraph::new(lines).block(block)
}

fn revoked<'b>(board: &'b Board, frills: &Frills<'_>) -> Paragraph<'b> {
    let block = Block::new()
        .borders(Borders::TOP)
        .title(format!(" {} alerts · {} revocations ", board.alerts, board.revocations));
    let lines = board.ended.iter().rev().take(2).map(|ended| {
        let at = clock(&ended.issued_at);
        let text = format!(" {at} ended: {} ({}), by {}", ended.user_id, ended.what(), ended.reason);
        Line::styled(cut(&text, 79), colour(frills, Color::Magenta))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        Paragraph::new(" no session had to be ended").block(block)
    } else {
        Paragraph::new(lines).block(block)
    }
}

fn footer<'b>(board: &'b Board, frills: &Frills<'_>) -> Vec<Line<'b>> {
    let scene = board.scene.as_deref().map(|scene| cut(&format!(" ▶ {scene}"), 79)).unwrap_or_default();
    let counts = ACTIONS.iter().zip(board.actions).filter(|(_, count)| *count > 0);
    let counts = counts.map(|(action, count)| format!("{action} {count}")).collect::<Vec<_>>().join(" · ");
    let leave = format!("{} s left, q leaves", frills.seconds_left);
    vec![
        Line::from(scene).style(colour(frills, Color::Cyan).add_modifier(Modifier::BOLD)),
        Line::from(format!(" {:<56.56} {leave:>20} ", counts))
            .style(Style::new().add_modifier(Modifier::REVERSED)),
    ]
}

fn style_of(row: &Row, frills: &Frills<'_>) -> Style {
    match strictness(row) {
        Some(0) => colour(frills, Color::Green),
        Some(1) => colour(frills, Color::Yellow),
        Some(2) => colour(frills, Color::LightRed).add_modifier(Modifier::BOLD),
        _ => colour(frills, Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED),
    }
}

fn colour(frills: &Frills<'_>, colour: Color) -> Style {
    if frills.coloured { Style::new().fg(colour) } else { Style::new() }
}

/// `14:32` of an RFC 3339 time.
fn clock(time: &str) -> &str {
    time.get(11..16).unwrap_or(time)
}

/// `2026-01-05 14:32`, without the letter between.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// As many as fit between the heading and the factors.
const REASONS_SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::cli::demo::board::Told;

    const STRANGE: &str = r#"{"user_id":"ada.lovelace7","occurred_at":"2026-01-05T14:32:10Z","type":"login",
        "risk_score":75,"action":"revoke","missing_auth_factors":["biometric","hardware_key"],
        "reasons":[{"signal":"unusual_location","points":30,"text":"8852 km from the nearest of 3 usual places"},
                   {"signal":"new_device","points":25,"text":"device not seen among 2"}],
        "facts":{"country":"AU","browser":"Chrome","os":"macOS"}}"#;
    const ENDED: &str = r#"{"user_id":"ada.lovelace7","session_id":"s-9","scope":"session","reason":"session-stolen",
        "issued_at":"2026-01-05T14:32:10Z"}"#;

    fn screen(board: &Board) -> String {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let frills =
            Frills { coloured: true, rate: 12.0, places: "built-in places", people: 60, seconds_left: 42 };
        terminal.draw(|frame| draw(frame, board, &frills)).unwrap();
        terminal.backend().to_string()
    }

    fn board(told: &[(&str, &str)]) -> Board {
        let mut board = Board::default();
        board.hear(Told::Clock { events_at: "2026-01-05T14:32:10Z".into(), live: true }, Duration::ZERO);
        for (kind, json) in told {
            let json = (*json).to_owned();
            let told = match *kind {
                "decision" => Told::Decision { json, took: Some(Duration::from_millis(3)) },
                "revocation" => Told::Revocation { json },
                _ => Told::Alert,
            };
            board.hear(told, Duration::from_secs(1));
        }
        board
    }

    #[track_caller]
    fn check(told: &[(&str, &str)], shown: &[&str]) {
        let screen = screen(&board(told));
        for expected in shown {
            assert!(screen.contains(expected), "`{expected}` is not on the screen:\n{screen}");
        }
    }

    #[test]
    fn a_strict_decision_is_shown_with_its_reasons() {
        check(
            &[("decision", STRANGE), ("alert", ""), ("revocation", ENDED)],
            &[
                "one process, embedded log, no cluster",
                "14:32 ada.lovelace7      login     AU       75 revoke    unusual_location, new…",
                "why: ada.lovelace7 at 14:32",
                "+30  unusual_location: 8852 km from the nearest of 3 usual places",
                "still wanted: biometric, hardware_key",
                "1 alerts · 1 revocations",
                "14:32 ended: ada.lovelace7 (session s-9), by session-stolen",
                "42 s left, q leaves",
            ],
        );
    }

    #[test]
    fn a_quiet_board_says_that_it_is_quiet() {
        check(&[], &["nothing out of the ordinary so far", "no session had to be ended"]);
    }

    #[test]
    fn a_small_terminal_is_no_crash() {
        for (width, height) in [(1, 1), (20, 5), (79, 23), (200, 60)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            let frills = Frills { coloured: false, rate: 0.0, places: "", people: 1, seconds_left: 0 };
            let drawn = terminal.draw(|frame| draw(frame, &board(&[("decision", STRANGE)]), &frills));
            assert!(drawn.is_ok(), "{width} by {height}");
        }
    }

    #[test]
    fn a_milder_decision_waits_until_the_last_is_read() {
        let mild = STRANGE.replace("\"revoke\"", "\"challenge\"").replace("ada.lovelace7", "bob");
        let mut board = board(&[("decision", STRANGE)]);
        let later = |board: &mut Board, seconds| {
            let told = Told::Decision { json: mild.clone(), took: None };
            board.hear(told, Duration::from_secs(seconds));
            board.case.as_ref().unwrap().user_id.clone()
        };
        assert_eq!(later(&mut board, 2), "ada.lovelace7");
        assert_eq!(later(&mut board, 20), "bob");
    }
}
