//! The settings for people: the reference page, and what is in force.

use serde_json::{Value as Json, json};

use super::field::{HIDDEN, Kind, written};
use super::{Origins, Row, Settings, rows};

/// The page `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    let all: Vec<&Row> = rows().collect();
    for section in all.chunk_by(|one, next| group(one) == group(next)) {
        let Some(first) = section.first() else { continue };
        page.push_str(&format!("\n## {}\n\n{COLUMNS}", group(first)));
        page.extend(section.iter().map(|row| line(row)));
    }
    page
}

fn line(row: &Row) -> String {
    let range = range(row).replace('|', "\\|");
    format!("| `{}` | {range} | {} | {} |\n", row.path, default_of(row), row.doc)
}

/// The first part of the path: what the page shows in one table.
fn group(row: &Row) -> &'static str {
    row.path.split('.').next().unwrap_or(row.path)
}

/// What it may be, in words.
pub(super) fn range(row: &Row) -> String {
    match row.kind {
        Kind::Section => "section".to_owned(),
        Kind::Text(form) => form.what.to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Word => row.words().iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "),
        Kind::Whole { least, most, unit } => format!("whole number of {unit}, {least} to {most}"),
        Kind::Time { least } => format!("time, at least {}", written(least)),
        Kind::TimeOrNone { least } => format!("time, at least {}, or `\"none\"`", written(least)),
        Kind::Days { least, most } => format!("time, {least}d to {most}d"),
        Kind::File => "path".to_owned(),
        Kind::Files => "list of paths".to_owned(),
        Kind::Texts => "list of texts".to_owned(),
        Kind::Secret { file, variable } => {
            format!(
                "secret: the variable `{variable}`, or a file named by `{file}`; never in the file itself"
            )
        }
        Kind::Sources => "table of sources, each with `creates`".to_owned(),
        Kind::Inputs => "table of inputs, each with `topic` and perhaps `format`, `mapping`".to_owned(),
        Kind::Properties => "table of texts, numbers and flags".to_owned(),
    }
}

fn default_of(row: &Row) -> String {
    match default_value(row) {
        Some(value) => format!("`{value}`"),
        None if row.is_needed => "needed".to_owned(),
        None => "none".to_owned(),
    }
}

/// What holds when nobody says anything.
pub(super) fn default_value(row: &Row) -> Option<Json> {
    let all = values(&Settings::default());
    all.into_iter().find(|(path, _)| *path == row.path).map(|(_, value)| value)
}

/// What is in force, in the order of the reference; what is not set is not there.
fn values(settings: &Settings) -> Vec<(&'static str, Json)> {
    // A slot makes the section that it lies in: look first whether it is there.
    let mut asked = settings.clone();
    let mut absent: Option<&'static str> = None;
    let mut found = Vec::new();
    for row in rows() {
        if absent.is_some_and(|section| row.path.starts_with(section)) {
            continue;
        }
        absent = None;
        if matches!(row.kind, Kind::Secret { .. }) {
            continue;
        }
        match (row.slot)(&mut asked).shown() {
            Some(value) => found.push((row.path, value)),
            None if matches!(row.kind, Kind::Section) => absent = Some(row.path),
            None => {}
        }
    }
    found
}

/// One setting in force, and who said so.
fn shown_rows(settings: &Settings, origins: &Origins) -> Vec<(&'static str, Json, Json)> {
    let mut rows: Vec<_> =
        values(settings).into_iter().map(|(path, value)| (path, value, origin(path, origins))).collect();
    for row in super::rows() {
        if matches!(row.kind, Kind::Secret { .. }) && origins.contains_key(row.path) {
            rows.push((row.path, json!(HIDDEN), origin(row.path, origins)));
        }
    }
    rows
}

fn origin(path: &str, origins: &Origins) -> Json {
    origins.get(path).map_or_else(|| json!({"from": "default"}), |origin| json!(origin))
}

/// What is in force and who said so: aligned lines, or one JSON document. Secrets are `***`.
#[must_use]
pub fn shown(settings: &Settings, origins: &Origins, as_json: bool) -> String {
    let rows = shown_rows(settings, origins);
    if as_json {
        let list: Vec<Json> = rows
            .into_iter()
            .map(|(path, value, origin)| json!({"path": path, "value": value, "origin": origin}))
            .collect();
        return json!({ "settings": list }).to_string();
    }
    let mut lines = Vec::new();
    for (path, value, origin) in rows {
        let said = |key: &str| origin.get(key).and_then(Json::as_str).unwrap_or_default();
        let by = match (said("from"), origin.get("line").and_then(Json::as_u64)) {
            ("default", _) => "default".to_owned(),
            (_, Some(line)) => format!("{}:{line}", said("name")),
            _ => said("name").to_owned(),
        };
        lines.push(format!("{path} = {value}  # {by}"));
    }
    lines.join("\n")
}

const COLUMNS: &str = "| Setting | Type and range | Default | What it does |\n|---|---|---|---|\n";

const HEAD: &str = "\
# Configuration

<!-- Made by `ward config reference`; a test holds it. -->

One TOML file, and the environment over it. The file is the one given by `--config`, else the one that
`WARD_CONFIG` names, else `config/ward.toml`, which may be missing; [config/ward.toml](../config/ward.toml) states every default.
A setting `key` under `[section]` is also the variable `WARD__SECTION__KEY`: `WARD__TOPICS__EVENTS__FORMAT=json`.
Options of the command line come on top of both. Lists in a variable are separated by commas.

Unknown settings and values out of range are errors, all of them at once, each with its place. `ward check` also looks at
what they point to; `ward config show` says what is in force and who said so; `ward config schema` is a JSON Schema for editors.

Times are written `20ms`, `10s`, `30m`, `24h` or `7d`. Secrets come from a file or from the environment, never from this file.
";
