//! The settings for editors and machines: a JSON Schema of the file.

use serde_json::{Map, Value as Json, json};

use super::describe::default_value;
use super::field::{Kind, Word as _};
use super::forms::{INPUT, TOPIC};
use super::{Row, rows};
use crate::engine::decode::Format;

/// JSON Schema 2020-12 of the configuration file, read as JSON.
#[must_use]
pub fn schema() -> Json {
    let all: Vec<&Row> = rows().collect();
    let mut schema = table(&all, 0);
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!("The configuration of ward"));
    }
    schema
}

fn table(rows: &[&Row], depth: usize) -> Json {
    let part = |row: &Row, depth: usize| row.path.split('.').nth(depth);
    let (mut properties, mut needed) = (Map::new(), Vec::new());
    for below in rows.chunk_by(|one, next| part(one, depth) == part(next, depth)) {
        let Some((first, inner)) = below.split_first() else { continue };
        let Some(key) = part(first, depth) else { continue };
        let is_own = part(first, depth + 1).is_none();
        let described = match first.kind {
            // Refused in the file, so that an editor should say so, too.
            Kind::Secret { .. } => continue,
            Kind::Section if is_own => described(first, table(inner, depth + 1)),
            _ if is_own => described(first, value(first)),
            _ => table(below, depth + 1),
        };
        if is_own && first.is_needed {
            needed.push(key);
        }
        properties.insert(key.to_owned(), described);
    }
    let mut table = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let Some(table) = table.as_object_mut().filter(|_| !needed.is_empty()) {
        table.insert("required".into(), json!(needed));
    }
    table
}

fn described(row: &Row, mut schema: Json) -> Json {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".into(), json!(row.doc));
        if let Some(default) = default_value(row)
            .filter(|_| !matches!(row.kind, Kind::Properties | Kind::Sources | Kind::Inputs))
        {
            schema.insert("default".into(), default);
        }
    }
    schema
}

fn value(row: &Row) -> Json {
    let text = || json!({"type": "string", "minLength": 1});
    let time = json!({"type": "string", "pattern": "^[0-9]+ *(ms|s|m|min|h|d)$"});
    match row.kind {
        Kind::Section | Kind::Secret { .. } => json!({}),
        Kind::Text(form) => json!({"type": "string", "pattern": form.pattern}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Word => json!({"enum": row.words()}),
        Kind::Whole { least, most, .. } => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Time { .. } | Kind::Days { .. } => time,
        Kind::TimeOrNone { .. } => json!({"anyOf": [time, {"const": "none"}]}),
        Kind::File => text(),
        Kind::Files => json!({"anyOf": [{"type": "array", "items": text()}, text()]}),
        Kind::Texts => json!({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}),
        Kind::Sources => {
            let source = json!({"type": "object", "properties": {"creates": {"type": "boolean"}}, "additionalProperties": false});
            json!({"type": "object", "additionalProperties": source})
        }
        Kind::Inputs => {
            let input = json!({
                "type": "object",
                "properties": {
                    "topic": {"type": "string", "pattern": TOPIC.pattern},
                    "keyed": {"const": false},
                    "format": {"enum": Format::WORDS.iter().map(|(_, word)| *word).collect::<Vec<_>>()},
                    "mapping": text(),
                },
                "required": ["topic"],
                "additionalProperties": false,
            });
            json!({"type": "object", "propertyNames": {"pattern": INPUT.pattern}, "additionalProperties": input})
        }
        Kind::Properties => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
        }
    }
}
