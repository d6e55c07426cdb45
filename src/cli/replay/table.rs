//! The report for a terminal of 80 columns.

use std::fmt::Write as _;

use crate::model::{Action, Level};
use crate::pipeline::replay::{Diff, Example, Group, Report, Reproduction, Side, grouped};

pub(super) fn render(report: &Report) -> String {
    let mut text = Text(format!("{}\n", wrapped(&report.summary(), WIDTH)));
    text.gap();
    if let Some(policies) = &report.policies {
        let first = if policies.second.is_some() { "from policy" } else { "policy" };
        text.row(first, &named(&policies.first.name, &policies.first.digest));
        if let Some(second) = &policies.second {
            text.row("to policy", &named(&second.name, &second.digest));
        }
    }
    text.row("engine", &format!("{}, facts {}", report.engine, said(report.facts)));
    text.row("records", &counts(report));
    if report.reproduction.published > 0 {
        reproduction(&mut text, &report.reproduction);
    }
    if let Some(diff) = &report.diff {
        changes(&mut text, diff);
    }
    text.0
}

fn named(name: &str, digest: &str) -> String {
    format!("{name}  {}…", digest.get(..19).unwrap_or(digest))
}

fn said(facts: &str) -> &str {
    if facts == "recorded" { "as recorded" } else { "looked up now" }
}

fn counts(report: &Report) -> String {
    let mut text = format!("{}: {} decided", grouped(report.records), grouped(report.decisions));
    let rest = [
        (report.duplicates, "duplicate"),
        (report.rejected, "rejected"),
        (report.undecided, "not decided yet"),
    ];
    for (count, what) in rest.iter().filter(|(count, _)| *count > 0) {
        let _written = write!(text, ", {} {what}", grouped(*count));
    }
    if report.compared != report.decisions {
        let _written = write!(text, "; {} in the time asked for", grouped(report.compared));
    }
    text
}

fn reproduction(text: &mut Text, found: &Reproduction) {
    text.row("equal", &format!("{} of {}", grouped(found.equal), grouped(found.published)));
    for engine in &found.other_engines {
        text.row("decided by", &format!("engine {engine}, which is not this one"));
    }
    let Some(first) = &found.first_difference else { return };
    text.gap();
    text.line(&format!(
        "First difference, at {}: event {} of {}/{}",
        first.place, first.event_id, first.tenant, first.user_id
    ));
    if let Some(what) = &first.what {
        text.line(&format!("  {what}"));
    }
    for field in &first.fields {
        text.line(&format!("  {}", field.name));
        text.line(&format!("    published   {}", field.published));
        text.line(&format!("    recomputed  {}", field.recomputed));
    }
}

fn changes(text: &mut Text, diff: &Diff) {
    text.row(
        "changed",
        &format!(
            "{} of {}: {} stricter, {} milder, {} with another level or score only",
            grouped(diff.changed),
            grouped(diff.decisions),
            grouped(diff.stricter),
            grouped(diff.milder),
            grouped(diff.changed.saturating_sub(diff.changed_action))
        ),
    );
    let cases = &diff.confirmed;
    if cases.confirmed > 0 {
        let seen = format!(
            "{} by {}: seen {} before, {} after; {} missed, {} caught besides",
            grouped(cases.confirmed),
            cases.by,
            grouped(cases.seen_before),
            grouped(cases.seen_after),
            grouped(cases.missed_more),
            grouped(cases.caught_more)
        );
        text.row("attacks", &seen);
    }
    if diff.changed == 0 {
        return;
    }
    let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    matrix(
        text,
        "Actions, from the row to the column",
        &actions,
        diff.actions.iter().map(|row| row.as_slice()),
    );
    let levels: Vec<_> = Level::ALL.iter().map(|level| level.name()).collect();
    matrix(text, "Levels, from the row to the column", &levels, diff.levels.iter().map(|row| row.as_slice()));

    groups(text, "By signal", diff.by_signal.iter().map(|(name, group)| (name.as_str(), group)));
    groups(text, "By rule", diff.by_rule.iter().map(|(name, group)| (name.as_str(), group)));
    let rest = (diff.by_threshold.changed > 0).then_some(("levels and factors", &diff.by_threshold));
    groups(text, "By neither", rest.into_iter());
}

fn matrix<'m>(text: &mut Text, title: &str, words: &[&str], rows: impl Iterator<Item = &'m [u64]>) {
    text.gap();
    text.line(title);
    let mut head = format!("  {:<11}", "");
    for word in words {
        let _written = write!(head, "{word:>12}");
    }
    text.line(&head);
    for (word, row) in words.iter().zip(rows) {
        if row.iter().all(|count| *count == 0) {
            continue;
        }
        let mut line = format!("  {word:<11}");
        for count in row {
            let shown = if *count == 0 { "·".into() } else { grouped(*count) };
            let _written = write!(line, "{shown:>12}");
        }
        text.line(&line);
    }
}

fn groups<'g>(text: &mut Text, title: &str, groups: impl Iterator<Item = (&'g str, &'g Group)>) {
    let mut groups: Vec<_> = groups.collect();
    if groups.is_empty() {
        return;
    }
    groups.sort_by_key(|(name, group)| (std::cmp::Reverse(group.changed), *name));
    text.gap();
    text.line(&format!("{title:<28}{:>12}{:>12}{:>12}", "changed", "stricter", "milder"));
    for (name, group) in groups {
        text.line(&format!(
            "  {name:<26}{:>12}{:>12}{:>12}",
            grouped(group.changed),
            grouped(group.stricter),
            grouped(group.milder)
        ));
        group.examples.iter().for_each(|one| example(text, one));
    }
}

fn example(text: &mut Text, example: &Example) {
    let Example { event_id, tenant, user_id, kind, occurred_at, before, after, .. } = example;
    text.line(&format!("    {occurred_at} {kind} of {tenant}/{user_id}, event {event_id}"));
    side(text, "from", before);
    side(text, "to", after);
}

fn side(text: &mut Text, lead: &str, side: &Side) {
    let Side { action, risk_level, risk_score, reasons, rules } = side;
    text.line(&format!("      {lead:<5}{action}, {risk_level} {risk_score}"));
    for reason in reasons.iter().filter(|reason| reason.points > 0) {
        text.line(&format!("           +{:<3} {}: {}", reason.points, reason.signal, reason.text));
    }
    for rule in rules {
        text.line(&format!("           rule {}: {}", rule.id, rule.action));
    }
}

struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }

    fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("{name:<12} {value}"));
    }
}

/// Broken between words.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let chars = word.chars().count();
        if length > 0 && length + 1 + chars > width {
            lines.push('\n');
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += chars;
    }
    lines
}

const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), "one two\nthree");
        assert_eq!(wrapped("one", 2), "one");
    }
}
