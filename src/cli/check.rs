//! `ward check`: what is wrong, before anything runs.

use super::flags::Flags;
use super::{Failure, print};
use crate::app::{self, Finding, Report};

/// Find every mistake in configuration, policy, tables, schemas, topics and permissions.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Leaves the broker out, and with it topics and permissions.
    #[arg(long)]
    offline: bool,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let loaded = app::load(args.flags.source.config.as_deref(), &args.flags.said());
    let report = app::check(&loaded, args.offline);
    print(&if args.json { as_json(&report) } else { as_text(&report) });
    match report.mistakes.len() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 mistake".into())),
        many => Err(Failure::Found(format!("{many} mistakes"))),
    }
}

fn as_json(report: &Report) -> String {
    serde_json::json!({
        "ok": report.mistakes.is_empty(),
        "mistakes": report.mistakes,
        "looked_at": report.looked_at,
        "left_out": report.left_out,
    })
    .to_string()
}

fn as_text(report: &Report) -> String {
    let mut lines = Vec::new();
    for Finding { place, found, expected, remedy, .. } in &report.mistakes {
        lines.push(place.clone());
        lines.push(format!("  found     {found}"));
        lines.push(format!("  expected  {expected}"));
        lines.push(format!("  to do     {remedy}"));
        lines.push(String::new());
    }
    for area in &report.looked_at {
        let state = match report.mistakes.iter().filter(|one| one.area == *area).count() {
            0 => "ok".to_owned(),
            1 => "1 mistake".to_owned(),
            many => format!("{many} mistakes"),
        };
        lines.push(format!("{:14}{state}", area.name()));
    }
    lines.extend(report.left_out.iter().map(|what| format!("not looked at: {what}")));
    lines.join("\n")
}
