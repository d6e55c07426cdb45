//! An explanation as text, for a terminal of 80 columns.

use super::because::Because;
use super::paper::{Ink, Paper, Tone, clean, fit, right, width};
use super::portrait::{coordinates, habits, history, time, tone_of};
use super::{Distance, Explanation, Levels, Silent, State};
use crate::engine::emit::{Side, Value};
use crate::engine::signals::{Measure, Unit};
use crate::model::{Factor, Level};

/// Everything that an explanation holds.
#[must_use]
pub fn render(it: &Explanation<'_>, ink: Ink) -> String {
    let mut paper = Paper::new(ink);
    head(&mut paper, it);
    verdict(&mut paper, it);
    why(&mut paper, it);
    thresholds(&mut paper, it);
    less(&mut paper, it);
    rules(&mut paper, it);
    silent(&mut paper, it);
    if let Some(known) = &it.before {
        paper.title("BEFORE THIS EVENT");
        paper.wrapped(Tone::Plain, "  ", 2, &history(known));
        habits(&mut paper, known);
    }
    paper.title("BASIS");
    let policy = it.basis.policy_name.map_or_else(String::new, |name| format!("{} ", clean(name)));
    paper.wrapped(Tone::Faint, "  ", 2, &format!("policy {policy}{}", short(it.basis.policy)));
    paper.wrapped(Tone::Faint, "  ", 2, &format!("engine {}", clean(it.basis.engine)));
    for text in &it.not_shown {
        paper.wrapped(Tone::Warning, "  not shown: ", 4, &clean(text));
    }
    paper.done()
}

/// One line, for what has nothing to tell.
#[must_use]
pub fn brief(it: &Explanation<'_>, ink: Ink) -> String {
    let mut paper = Paper::new(ink);
    let looked = it.silent.iter().filter(|one| one.state == State::Quiet).count();
    let blind = it.silent.iter().filter(|one| one.state == State::Unknown).count();
    let left =
        format!("{} {}", time(&it.occurred_at), clean(&format!("{}/{} {}", it.tenant, it.user_id, it.kind)));
    let right =
        format!("{:>3} {} {}: {looked:>2} quiet, {blind} unknown", it.risk_score, it.risk_level, it.action);
    paper.ends((Tone::Faint, &left), (Tone::Faint, &clean(&right)));
    paper.done()
}

fn head(paper: &mut Paper, it: &Explanation<'_>) {
    let tone = Level::parse(it.risk_level).map_or(Tone::Strong, tone_of);
    let left = clean(&format!("{}/{}  {}", it.tenant, it.user_id, it.kind));
    paper.ends(
        (Tone::Strong, &left),
        (tone, &clean(&format!("{} {}  {}", it.risk_score, it.risk_level, it.action))),
    );
    let event = format!("{} UTC · event {}", time(&it.occurred_at), it.event_id);
    paper.wrapped(Tone::Faint, "", 0, &clean(&event));
    let session = it.session_id.map(|session| format!(" · session {session}")).unwrap_or_default();
    paper.wrapped(Tone::Faint, "", 0, &clean(&format!("decision {}{session}", it.decision_id)));
    let at = &it.at;
    let mut there = Vec::new();
    match (at.near, at.country) {
        (Some(near), Some(country)) => there.push(format!("{near}, {country}")),
        (None, Some(country)) => there.push(country.to_owned()),
        (Some(near), None) => there.push(near.to_owned()),
        (None, None) => {}
    }
    if let Some((latitude, longitude)) = at.latitude.zip(at.longitude) {
        let radius = at.radius_km.map(|radius| format!(" ±{radius} km")).unwrap_or_default();
        there.push(format!("{}{radius}", coordinates(latitude, longitude)));
    }
    there.extend(at.asn.map(|asn| format!("AS{asn}")));
    there.extend(at.network_class.map(|class| format!("{class} network")));
    there.extend(match (at.browser, at.os) {
        (Some(browser), Some(os)) => Some(format!("{browser} on {os}")),
        (browser, os) => browser.or(os).map(str::to_owned),
    });
    there.extend(at.device.map(str::to_owned));
    if !there.is_empty() {
        paper.wrapped(Tone::Faint, "", 0, &clean(&there.join(" · ")));
    }
}

fn verdict(paper: &mut Paper, it: &Explanation<'_>) {
    let mut text = Vec::new();
    let parts: Vec<String> = it
        .reasons
        .iter()
        .filter(|reason| reason.points > 0)
        .map(|reason| format!("{} {}", reason.points, reason.group))
        .collect();
    text.push(match (parts.len(), it.sum > it.risk_score) {
        (0, _) => "No reason adds to the score.".to_owned(),
        (_, false) => format!("{} = {}.", it.risk_score, parts.join(" + ")),
        (_, true) => format!("{} = {}, of which 100 count.", it.sum, parts.join(" + ")),
    });
    if !it.missing_auth_factors.is_empty() {
        text.push(format!(
            "{} risk asks for {}; missing: {}.",
            capital(it.risk_level),
            it.required_auth_factors.join(", "),
            it.missing_auth_factors.join(", ")
        ));
    } else if it.action == "allow" && !it.required_auth_factors.is_empty() {
        text.push(format!(
            "{} risk asks for {}: nothing is missing.",
            capital(it.risk_level),
            it.required_auth_factors.join(", ")
        ));
    }
    if let Some(presented) =
        it.presented_auth_factors.as_ref().filter(|_| !it.missing_auth_factors.is_empty())
    {
        let presented: Vec<_> = presented.iter().map(|factor| factor.name()).collect();
        let presented = if presented.is_empty() { "nothing".into() } else { presented.join(", ") };
        text.push(format!("Presented: {presented}."));
    }
    if let Some(would) = it.would {
        text.push(format!("The policy only reports: it allows, and would have said {would}."));
    }
    text.push(
        match it.learned {
            "now" => "It was learned at once.",
            "held" => "What it would teach waits for an answer.",
            "late" => "It came too late to teach anything.",
            _ => "It taught nothing.",
        }
        .to_owned(),
    );
    if it.user_risk.previous != it.user_risk.level {
        text.push(format!("The user's risk went from {} to {}.", it.user_risk.previous, it.user_risk.level));
    } else if it.user_risk.level != "low" {
        text.push(format!("The user's risk is {}.", it.user_risk.level));
    }
    if it.confidence < 1.0 {
        text.push(format!(
            "Confidence {:.0} %: the rest of the points belongs to signals that could not speak.",
            100.0 * it.confidence
        ));
    }
    paper.row(&[]);
    paper.wrapped(Tone::Plain, "", 0, &clean(&text.join(" ")));
}

fn why(paper: &mut Paper, it: &Explanation<'_>) {
    if it.reasons.is_empty() {
        return;
    }
    paper.title("WHY");
    for reason in &it.reasons {
        let added = format!("{}  ", right(&format!("{:+}", reason.points).replace("+0", "0"), 5));
        let remark = format!("{}, severity {}", reason.group, reason.severity);
        let name = clean(&format!("{added}{}", reason.signal));
        let tone = if reason.points > 0 { Tone::Strong } else { Tone::Plain };
        paper.ends((tone, &name), (Tone::Faint, &clean(&remark)));
        compared(paper, reason);
    }
    let sum = right(&it.sum.to_string(), 5);
    paper.row(&[(Tone::Faint, "  ───")]);
    paper.row(&[(Tone::Strong, &sum)]);
}

/// What was compared, both sides, and why it adds nothing.
fn compared(paper: &mut Paper, reason: &Because<'_>) {
    let row = |paper: &mut Paper, name: &str, text: &str| {
        if !text.is_empty() {
            paper.wrapped(Tone::Plain, &format!("       {}", fit(name, 8)), 15, &clean(text));
        }
    };
    paper.wrapped(Tone::Plain, "       ", 7, &clean(reason.text));
    row(paper, "before", &side(reason.before.0));
    row(paper, "now", &side(reason.now.0));
    if let Some(measure) = &reason.measure {
        row(paper, "counts", &from(measure));
    }
    if let Some(text) = &reason.adds_nothing {
        paper.wrapped(Tone::Faint, "       ", 7, &clean(text));
    }
}

fn thresholds(paper: &mut Paper, it: &Explanation<'_>) {
    let Some(levels) = &it.levels else { return };
    paper.title("HOW FAR THE LEVELS ARE");
    for line in scale(it.sum, levels) {
        paper.row(&[(Tone::Plain, "  "), (Tone::Plain, &line)]);
    }
    let mut text = Vec::new();
    if let Some(Distance { level, points }) = levels.down {
        text.push(format!("{} fewer would have been {level}.", points_of(points)));
    }
    if let Some(Distance { level, points }) = levels.up {
        text.push(format!("{} more would have been {level}.", points_of(points)));
    }
    paper.wrapped(Tone::Plain, "  ", 2, &text.join(" "));
}

/// A ruler from 0 to 100 with the levels on it, and where the sum stands.
fn scale(sum: i64, levels: &Levels) -> [String; 2] {
    let column = |value: i64| usize::try_from(value.clamp(0, 100) * 72 / 100).unwrap_or(0);
    let (medium, high, now) = (column(levels.medium.into()), column(levels.high.into()), column(sum));
    let ruler = (0..=72).map(|at| match at {
        at if at == now => '●',
        at if at == medium || at == high => '┼',
        _ => '─',
    });
    let mut names = String::new();
    let marks = [
        (0, "0 low".to_owned()),
        (medium, format!("{} medium", levels.medium)),
        (high, format!("{} high", levels.high)),
    ];
    for (at, name) in marks {
        if width(&names) < at || names.is_empty() {
            names = fit(&names, at) + &name;
        }
    }
    if width(&names) < 70 {
        names = fit(&names, 70) + "100";
    }
    [ruler.collect(), names]
}

fn points_of(points: i64) -> String {
    if points == 1 { "1 point".into() } else { format!("{points} points") }
}

fn less(paper: &mut Paper, it: &Explanation<'_>) {
    if it.without.is_empty() {
        return;
    }
    paper.title("WHAT WOULD HAVE LOWERED IT");
    for one in &it.without {
        let factors = |factors: &[Factor]| {
            let names: Vec<_> = factors.iter().map(|factor| factor.name()).collect();
            names.join(", ")
        };
        let mut text = if one.signals.is_empty() {
            format!("with {}", factors(&one.presented))
        } else {
            format!("without {}", one.signals.join(" and "))
        };
        if !one.missing_auth_factors.is_empty() {
            text.push_str(&format!("; missing: {}", factors(&one.missing_auth_factors)));
        }
        let first = format!(
            "{}  {}{}",
            right(&one.risk_score.to_string(), 5),
            fit(one.risk_level.name(), 8),
            fit(one.action.name(), 10)
        );
        paper.wrapped(Tone::Plain, &first, 27, &text);
    }
}

fn rules(paper: &mut Paper, it: &Explanation<'_>) {
    if it.rules.len() + it.exceptions.len() + it.shadow.len() == 0 {
        return;
    }
    paper.title("RULES");
    for rule in &it.rules {
        let trial = if rule.report_only { ", on trial: it does nothing" } else { "" };
        paper.wrapped(Tone::Plain, "  ", 4, &clean(&format!("{} matched: {}{trial}", rule.id, rule.action)));
    }
    for exception in &it.exceptions {
        let text = format!("exception {exception} silenced what would have been found");
        paper.wrapped(Tone::Plain, "  ", 4, &clean(&text));
    }
    for shadow in &it.shadow {
        let text = format!(
            "under the shadow {}: {} {}, {}",
            shadow.by, shadow.risk_score, shadow.risk_level, shadow.action
        );
        paper.wrapped(Tone::Plain, "  ", 4, &clean(&text));
    }
}

fn silent(paper: &mut Paper, it: &Explanation<'_>) {
    let of = |state: State| it.silent.iter().filter(move |one| one.state == state);
    if of(State::Unknown).next().is_some() {
        paper.title("COULD NOT SPEAK");
        of(State::Unknown).for_each(|one| row_of_silent(paper, one));
    }
    if of(State::Silenced).next().is_some() {
        paper.title("SILENCED BY AN EXCEPTION");
        of(State::Silenced).for_each(|one| row_of_silent(paper, one));
    }
    if of(State::Quiet).next().is_some() {
        paper.title("LOOKED, AND FOUND NOTHING");
        of(State::Quiet).for_each(|one| row_of_silent(paper, one));
    }
    let others: Vec<&str> = of(State::NotApplicable).map(|one| one.signal.as_str()).collect();
    if !others.is_empty() {
        paper.title(&format!("NOT ASKED OF THIS KIND OF EVENT ({})", clean(it.kind)));
        paper.wrapped(Tone::Faint, "  ", 2, &others.join(", "));
    }
}

fn row_of_silent(paper: &mut Paper, one: &Silent) {
    let points = one.points.map(|points| points.to_string()).unwrap_or_default();
    let first = format!("  {}{}  ", fit(&clean(&one.signal), 20), right(&points, 3));
    let text = match one.measure.as_ref().filter(|_| one.state == State::Quiet) {
        Some(measure) => format!("{}; counts {}", shows(measure), from(measure)),
        None => one.text.clone(),
    };
    paper.wrapped(Tone::Plain, &first, 27, &clean(&text));
}

/// `12 km is the distance to the nearest usual place`.
fn shows(measure: &Measure) -> String {
    format!("{}: {}", measure.what, amount(measure.value, measure.unit))
}

fn from(measure: &Measure) -> String {
    let bound = amount(measure.counts_from, measure.unit);
    if measure.downwards { format!("below {bound}") } else { format!("from {bound}") }
}

fn amount(value: u32, unit: Unit) -> String {
    match unit {
        Unit::Km => format!("{value} km"),
        Unit::Kmh => format!("{value} km/h"),
        Unit::Permille => format!("{}.{} %", value / 10, value % 10),
        Unit::Days => format!("{value} days"),
        Unit::Hundredths => format!("{}.{:02}", value / 100, value % 100),
        Unit::Count => value.to_string(),
    }
}

/// One side of an evidence in words: units come after their numbers.
fn side(side: &Side<'_>) -> String {
    let said: Vec<String> = side.0.iter().map(|(name, value)| said(name, value)).collect();
    said.join("; ")
}

fn said(name: &str, value: &Value<'_>) -> String {
    let words = |name: &str| name.replace('_', " ");
    match value {
        Value::Word(word) => format!("{} {word}", words(name)),
        Value::List(list) => format!("{}: {}", words(name), list.join(", ")),
        Value::Number(number) => {
            let unit = |suffix: &str| name.strip_suffix(suffix).map(words);
            if let Some(name) = unit("_km") {
                format!("{name} {number} km")
            } else if let Some(name) = unit("_kmh") {
                format!("{name} {number} km/h")
            } else if let Some(name) = unit("_s") {
                format!("{name} {}", lasting(*number))
            } else if let Some(name) = unit("_centi") {
                format!("{name} {}.{:02}", number / 100, (number % 100).abs())
            } else if let Some(name) = unit("_permille") {
                format!("{name} {}.{} %", number / 10, (number % 10).abs())
            } else if let Some(name) = unit("_days") {
                format!("{name} {number} days")
            } else if let Some(name) = name.strip_suffix("_minute").map(words).or_else(|| minute_of_day(name))
            {
                format!("{name} {:02}:{:02}", number / 60, (number % 60).abs())
            } else if name == "asn" {
                format!("AS{number}")
            } else {
                format!("{} {number}", words(name))
            }
        }
    }
}

fn minute_of_day(name: &str) -> Option<String> {
    (name == "minute_of_day").then(|| "at".to_owned())
}

fn lasting(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A digest by its first digits.
fn short(digest: &str) -> String {
    fit(&clean(digest), 26)
}
