//! The report as one HTML page: no script, nothing from outside, readable on paper and in the dark.
//!
//! Texts come from events, that is from anybody: every one of them is escaped, and the page forbids
//! itself everything but its own style.

use std::fmt::{self, Display, Write as _};

use crate::model::{Action, Level};
use crate::pipeline::replay::{Diff, Example, Field, Group, Report, Reproduction, Side, grouped};

pub(super) fn render(report: &Report) -> String {
    let mut page = Page(String::with_capacity(32 * 1024));
    let title = if report.diff.is_some() { "Policy change, replayed" } else { "Decisions, replayed" };
    page.put(format_args!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<p class=\"eyebrow\">{title}</p>\n"
    ));
    let headline = report.diff.as_ref().map_or_else(|| report.summary(), Diff::summary);
    page.put(format_args!("<h1>{}</h1>\n", Escaped(&headline)));
    page.policies(report);
    page.reproduction(&report.reproduction);
    page.cards(report);
    if let Some(diff) = report.diff.as_ref().filter(|diff| diff.changed > 0) {
        page.changes(diff);
    }
    page.put(format_args!(
        "<footer>ward replay, engine {}; facts {}. {} records: {} decided, {} duplicate, {} rejected{}.</footer>\n\
         </main>\n</body>\n</html>\n",
        Escaped(&report.engine),
        if report.facts == "recorded" { "as recorded with each decision" } else { "looked up in today's tables" },
        grouped(report.records),
        grouped(report.decisions),
        grouped(report.duplicates),
        grouped(report.rejected),
        Undecided(report.undecided),
    ));
    page.0
}

struct Page(String);

impl Page {
    fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _written = self.0.write_fmt(text);
    }

    fn policies(&mut self, report: &Report) {
        let Some(policies) = &report.policies else { return };
        self.put(format_args!("<p class=\"policies\">"));
        let lead = if policies.second.is_some() { "from" } else { "policy" };
        for (lead, policy) in [(lead, Some(&policies.first)), ("to", policies.second.as_ref())] {
            let Some(policy) = policy else { continue };
            let digest = policy.digest.get(..19).unwrap_or(&policy.digest);
            self.put(format_args!(
                "<span>{lead} <b>{}</b> <code title=\"{}\">{}…</code></span>",
                Escaped(&policy.name),
                Escaped(&policy.digest),
                Escaped(digest)
            ));
        }
        self.put(format_args!("</p>\n"));
    }

    fn reproduction(&mut self, found: &Reproduction) {
        if found.published == 0 {
            return;
        }
        let bad = if found.different > 0 { " bad" } else { "" };
        self.put(format_args!("<section class=\"verdict{bad}\"><p>{}</p>", Escaped(&found.summary())));
        if let Some(first) = &found.first_difference {
            self.put(format_args!(
                "<p>First at {}: event <code>{}</code> of <b>{}/{}</b>. {}</p>",
                first.place,
                Escaped(&first.event_id),
                Escaped(&first.tenant),
                Escaped(&first.user_id),
                Escaped(first.what.as_deref().unwrap_or_default())
            ));
            self.fields(&first.fields);
        }
        self.put(format_args!("</section>\n"));
    }

    fn fields(&mut self, fields: &[Field]) {
        if fields.is_empty() {
            return;
        }
        self.put(format_args!(
            "<table class=\"fields\"><tr><th>field</th><th>published</th><th>recomputed</th></tr>"
        ));
        for Field { name, published, recomputed } in fields {
            self.put(format_args!(
                "<tr><td class=\"mono\">{}</td><td class=\"mono\">{}</td><td class=\"mono\">{}</td></tr>",
                Escaped(name),
                Escaped(published),
                Escaped(recomputed)
            ));
        }
        self.put(format_args!("</table>"));
    }

    fn cards(&mut self, report: &Report) {
        self.put(format_args!("<section class=\"cards\">"));
        self.card("", report.compared, "decisions compared");
        if let Some(diff) = &report.diff {
            self.card("", diff.changed, "changed");
            self.card("stricter", diff.stricter, "answered more strictly");
            self.card("milder", diff.milder, "answered less strictly");
            let cases = &diff.confirmed;
            if cases.confirmed > 0 {
                self.card(
                    "",
                    cases.confirmed,
                    if cases.by == "labels" { "labelled attacks" } else { "confirmed attacks" },
                );
                self.card(if cases.missed_more > 0 { "warn" } else { "" }, cases.missed_more, "more missed");
                self.card(
                    if cases.caught_more > 0 { "milder" } else { "" },
                    cases.caught_more,
                    "more caught",
                );
            }
        } else {
            self.card("", report.reproduction.equal, "bit for bit the same");
            let class = if report.reproduction.different > 0 { "warn" } else { "" };
            self.card(class, report.reproduction.different, "different");
        }
        self.put(format_args!("</section>\n"));
    }

    fn card(&mut self, class: &str, number: u64, name: &str) {
        self.put(format_args!(
            "<div class=\"card {class}\"><span class=\"number\">{}</span><span class=\"name\">{name}</span></div>",
            grouped(number)
        ));
    }

    fn changes(&mut self, diff: &Diff) {
        self.put(format_args!("<h2>What becomes of what</h2>\n<section class=\"pair\">"));
        let actions: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
        self.matrix(
            "Actions, from the row to the column",
            &actions,
            diff.actions.iter().map(|row| row.as_slice()),
        );
        let levels: Vec<_> = Level::ALL.iter().map(|level| level.name()).collect();
        self.matrix("Risk levels", &levels, diff.levels.iter().map(|row| row.as_slice()));
        self.put(format_args!("</section>\n"));

        self.put(format_args!(
            "<h2>Why</h2>\n<p class=\"key\"><span><i class=\"stricter\"></i>more strictly</span>\
             <span><i class=\"milder\"></i>less strictly</span>\
             <span><i class=\"same\"></i>the same action, another level or score</span></p>\n"
        ));
        let most = diff.by_signal.values().chain(diff.by_rule.values()).chain([&diff.by_threshold]);
        let most = most.map(|group| group.changed).max().unwrap_or(0);
        let signals = diff.by_signal.iter().map(|(name, group)| ("signal", name.as_str(), group));
        let rules = diff.by_rule.iter().map(|(name, group)| ("rule", name.as_str(), group));
        let rest = (diff.by_threshold.changed > 0).then_some(("", "levels and factors", &diff.by_threshold));
        let mut groups: Vec<_> = signals.chain(rules).chain(rest).collect();
        groups.sort_by_key(|(kind, name, group)| (std::cmp::Reverse(group.changed), *kind, *name));
        for (number, (kind, name, group)) in groups.into_iter().enumerate() {
            self.group(kind, name, group, most, number == 0);
        }
    }

    fn matrix<'m>(&mut self, title: &str, words: &[&str], rows: impl Iterator<Item = &'m [u64]>) {
        self.put(format_args!("<div class=\"sheet\"><h3>{title}</h3><table><tr><th></th>"));
        for word in words {
            self.put(format_args!("<th scope=\"col\">{word}</th>"));
        }
        self.put(format_args!("</tr>"));
        for (from, (word, row)) in words.iter().zip(rows).enumerate() {
            self.put(format_args!("<tr><th scope=\"row\">{word}</th>"));
            let all: u64 = row.iter().sum();
            for (to, count) in row.iter().enumerate() {
                let shown = grouped(*count);
                if *count == 0 {
                    self.put(format_args!("<td class=\"none\">·</td>"));
                } else if from == to {
                    self.put(format_args!("<td class=\"kept\">{shown}</td>"));
                } else {
                    // Few of many are seen as well: a tenth at least.
                    let part = 10 + count.saturating_mul(60) / all.max(1);
                    self.put(format_args!(
                        "<td style=\"background:rgba(var(--heat),.{part:02})\">{shown}</td>"
                    ));
                }
            }
            self.put(format_args!("</tr>"));
        }
        self.put(format_args!("</table></div>"));
    }

    fn group(&mut self, kind: &str, name: &str, group: &Group, most: u64, open: bool) {
        let part = |count: u64| count.saturating_mul(1000) / most.max(1);
        let same = group.changed.saturating_sub(group.stricter).saturating_sub(group.milder);
        self.put(format_args!(
            "<details class=\"group\"{}><summary><span class=\"what\">{}</span><span class=\"bar\">",
            if open { " open" } else { "" },
            Escaped(&[kind, if kind.is_empty() { "" } else { " " }, name].concat())
        ));
        for (class, count) in [("stricter", group.stricter), ("milder", group.milder), ("same", same)] {
            if count > 0 {
                let width = part(count);
                self.put(format_args!(
                    "<span class=\"{class}\" style=\"width:{}.{}%\" title=\"{}\"></span>",
                    width / 10,
                    width % 10,
                    grouped(count)
                ));
            }
        }
        self.put(format_args!("</span><span class=\"count\">{}</span></summary>", grouped(group.changed)));
        group.examples.iter().for_each(|one| self.example(one));
        self.put(format_args!("</details>\n"));
    }

    fn example(&mut self, example: &Example) {
        self.put(format_args!(
            "<div class=\"example\"><p class=\"who\"><b>{}/{}</b> · {} · {} · event <code>{}</code></p><div class=\"sides\">",
            Escaped(&example.tenant),
            Escaped(&example.user_id),
            example.kind,
            Escaped(&example.occurred_at),
            Escaped(&example.event_id)
        ));
        let code = |side: &Side| Action::parse(side.action).map_or(0, Action::code);
        let class = match code(&example.after).cmp(&code(&example.before)) {
            std::cmp::Ordering::Greater => "stricter",
            std::cmp::Ordering::Less => "milder",
            std::cmp::Ordering::Equal => "",
        };
        self.side("was", "", &example.before);
        self.side("would be", class, &example.after);
        self.put(format_args!("</div></div>"));
    }

    fn side(&mut self, lead: &str, class: &str, side: &Side) {
        self.put(format_args!(
            "<div class=\"side {class}\"><p class=\"head\"><span class=\"lead\">{lead}</span>\
             <span class=\"action\">{}</span><span>{}, {} points</span></p>",
            side.action, side.risk_level, side.risk_score
        ));
        if side.reasons.is_empty() && side.rules.is_empty() {
            self.put(format_args!("<p class=\"empty\">no reasons</p></div>"));
            return;
        }
        self.put(format_args!("<ul>"));
        for reason in &side.reasons {
            self.put(format_args!(
                "<li><span class=\"points\">+{}</span><span><b>{}</b> {}</span></li>",
                reason.points,
                reason.signal,
                Escaped(&reason.text)
            ));
        }
        for rule in &side.rules {
            self.put(format_args!(
                "<li><span class=\"points\">rule</span><span><b>{}</b> {}</span></li>",
                Escaped(&rule.id),
                rule.action
            ));
        }
        self.put(format_args!("</ul></div>"));
    }
}

/// Text as it may stand between tags and inside of quotes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // What turns the direction of a line, or is not seen.
                char if char.is_control() || ('\u{202a}'..='\u{202e}').contains(&char) => {
                    f.write_char('\u{fffd}')?
                }
                char => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

struct Undecided(u64);

impl Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ", {} not decided yet", grouped(self.0)) }
    }
}

const STYLE: &str = include_str!("html.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(Escaped(text).to_string(), expected);
    }

    #[test]
    fn texts_are_escaped() {
        check("ada", "ada");
        check("<script>alert('1')</script>", "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
        check("a\" onload=\"b&", "a&quot; onload=&quot;b&amp;");
        check("a\u{202e}b\u{0}c", "a\u{fffd}b\u{fffd}c");
    }

    #[test]
    fn the_style_names_nothing_outside() {
        for word in ["url(", "@import", "http", "</"] {
            assert!(!STYLE.contains(word), "{word}");
        }
    }
}
