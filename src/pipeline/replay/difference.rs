//! Two forms of one decision, field by field.

use serde_json::Value;

use super::Place;
use crate::engine::emit::Form;
use crate::engine::emit::to_value;

/// The first decision that did not come out as it was published.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    #[serde(flatten)]
    pub place: Place,
    pub event_id: String,
    pub tenant: String,
    pub user_id: String,
    /// What is the matter, where it is not a field.
    pub what: Option<String>,
    pub fields: Vec<Field>,
}

/// One field, by its path, as JSON on both sides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Field {
    pub name: String,
    pub published: String,
    pub recomputed: String,
}

impl Difference {
    /// Of two decisions that are not the same bytes; `None` when they say the same all the same.
    pub(super) fn between(place: Place, published: &[u8], recomputed: &[u8], form: Form) -> Option<Self> {
        let (Some(was), Some(is)) = (value(published, form), value(recomputed, form)) else {
            return Some(Self::of(place, &Value::Null, "one of them cannot be read"));
        };
        let fields = differing_fields(&was, &is);
        if fields.is_empty() && form == Form::Json {
            return None;
        }
        let what = fields.is_empty().then(|| "it is written with another version of the schema".into());
        Some(Self { fields, what, ..Self::of(place, &was, "") })
    }

    /// Of a decision, in JSON, that has no counterpart.
    pub(super) fn of(place: Place, decision: &Value, what: &str) -> Self {
        let text = |name: &str| decision.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            place,
            event_id: text("event_id"),
            tenant: text("tenant"),
            user_id: text("user_id"),
            what: (!what.is_empty()).then(|| what.to_owned()),
            fields: Vec::new(),
        }
    }
}

pub(super) fn value(decision: &[u8], form: Form) -> Option<Value> {
    match form {
        Form::Json => serde_json::from_slice(decision).ok(),
        Form::Avro => to_value(decision),
    }
}

/// The fields in which two records differ, by their paths: `reasons.0.points`. A bounded number.
#[must_use]
pub fn differing_fields(published: &Value, recomputed: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    walk("", published, recomputed, &mut found);
    found
}

fn walk(path: &str, was: &Value, is: &Value, found: &mut Vec<Field>) {
    if was == is || found.len() >= FIELDS_MAX {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (was, is) {
        (Value::Object(left), Value::Object(right)) => {
            let added = right.keys().filter(|name| !left.contains_key(*name));
            for name in left.keys().chain(added) {
                let (was, is) = (left.get(name), right.get(name));
                walk(&below(name), was.unwrap_or(&Value::Null), is.unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            for at in 0..left.len().max(right.len()) {
                let (was, is) = (left.get(at), right.get(at));
                walk(&below(&at.to_string()), was.unwrap_or(&Value::Null), is.unwrap_or(&Value::Null), found);
            }
        }
        _ => found.push(Field { name: path.to_owned(), published: short(was), recomputed: short(is) }),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    text.chars().take(CHARS_MAX).chain(['…']).collect()
}

/// More than a decision has fields; reasons may be many.
const FIELDS_MAX: usize = 60;
const CHARS_MAX: usize = 160;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(published: &Value, recomputed: &Value, expected: &[&str]) {
        let found = differing_fields(published, recomputed);
        let told: Vec<_> = found
            .iter()
            .map(|field| format!("{}: {} {}", field.name, field.published, field.recomputed))
            .collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn names_what_differs_by_its_path() {
        check(&json!({"a": 1}), &json!({"a": 1}), &[]);
        check(&json!({"a": 1, "b": "x"}), &json!({"a": 2, "b": "x"}), &["a: 1 2"]);
        check(&json!({"a": {"b": [1, {"c": 2}]}}), &json!({"a": {"b": [1, {"c": 3}]}}), &["a.b.1.c: 2 3"]);
        check(&json!({"a": [1]}), &json!({"a": [1, "x"]}), &["a.1: null \"x\""]);
        check(&json!({"a": 1}), &json!({"b": 1}), &["a: 1 null", "b: null 1"]);
        check(&json!({"a": null}), &json!({"a": {"b": 1}}), &["a: null {\"b\":1}"]);
    }

    #[test]
    fn is_bounded() {
        let long = "x".repeat(1000);
        let [field] = differing_fields(&json!(long), &json!(1)).try_into().unwrap();
        assert_eq!(field.published.chars().count(), CHARS_MAX + 1);
        let many: Vec<_> = (0..1000).collect();
        assert_eq!(differing_fields(&json!(many), &json!(vec![-1; 1000])).len(), FIELDS_MAX);
    }
}
