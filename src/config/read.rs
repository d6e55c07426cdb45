//! From a document to settings, row by row. What a document does not say stays as it is.

use super::Settings;
use super::field::Kind;
use super::fields::{Row, rows};
use crate::engine::document::{Place, Table, Value};

/// Reads what `root` says into `settings`, and tells `said` of every setting that it took.
pub(super) fn settings(
    settings: &mut Settings,
    root: Table<'_>,
    said: &mut dyn FnMut(&'static str, Option<Place>),
) {
    let all: Vec<&Row> = rows().collect();
    section(settings, root, 0, &all, said);
}

/// Reads a table: `rows` are those below it, whose paths agree in their first `depth` parts.
fn section(
    settings: &mut Settings,
    mut table: Table<'_>,
    depth: usize,
    rows: &[&Row],
    said: &mut dyn FnMut(&'static str, Option<Place>),
) {
    for below in rows.chunk_by(|one, next| part(one, depth) == part(next, depth)) {
        let Some(key) = below.first().and_then(|row| part(row, depth)) else { continue };
        // The row of this very key; of a section it comes first.
        let own = below.first().filter(|row| part(row, depth + 1).is_none());
        let Some(value) = table.take(key) else {
            if own.is_some_and(|row| row.is_needed) && !table.is_variable() {
                let words = own.map(|row| row.words().join(", ")).unwrap_or_default();
                table.need(key, &format!("one of {words}"));
            }
            continue;
        };
        if let Some(row) = own
            && leaf(settings, row, &value).is_some()
        {
            said(row.path, value.place());
        }
        if own.is_none_or(|row| matches!(row.kind, Kind::Section))
            && let Some(inner) = value.table()
        {
            let below: Vec<&Row> =
                below.iter().copied().filter(|row| part(row, depth + 1).is_some()).collect();
            section(settings, inner, depth + 1, &below, said);
        }
    }
    table.finish();
}

fn leaf(settings: &mut Settings, row: &Row, value: &Value<'_>) -> Option<()> {
    match row.kind {
        Kind::Section if !value.is_table() => None,
        Kind::Secret { file, variable } if !value.is_from_environment() => {
            // Said without being shown.
            value.mistake(format!(
                "`{}` is a secret in clear, expected none here; name a file by `{file}`, or set the variable {variable}",
                value.path()
            ));
            None
        }
        _ => (row.slot)(settings).read(value, &row.kind),
    }
}

fn part(row: &Row, depth: usize) -> Option<&'static str> {
    row.path.split('.').nth(depth)
}
