//! ECS: every leaf outside of `wardstream` is a field of `tests/data/ecs/fields.json`, of its type and
//! with its words.

use serde_json::Value;

use super::Rules;

pub(super) struct Fields(Value);

impl Fields {
    pub(super) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../data/ecs/fields.json")).unwrap())
    }

    fn walk(&self, at: &str, value: &Value, found: &mut Vec<String>) {
        if at == "wardstream" {
            return;
        }
        let Some(rule) = self.0.get(at) else {
            match value {
                Value::Object(fields) => {
                    let below =
                        |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
                    fields.iter().for_each(|(name, value)| self.walk(&below(name), value, found));
                }
                _ => found.push(format!("{at} is no field")),
            }
            return;
        };
        let items = match (rule["array"] == true, value) {
            (true, Value::Array(items)) => items.as_slice(),
            (true, _) => return found.push(format!("{at} is no list")),
            (false, value) => std::slice::from_ref(value),
        };
        for item in items {
            let fits = match rule["type"].as_str().unwrap() {
                "keyword" | "wildcard" | "match_only_text" | "constant_keyword" => item.is_string(),
                "ip" => item.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
                "date" => item
                    .as_str()
                    .is_some_and(|text| wardstream::model::time::Timestamp::parse(text).is_some()),
                "long" => item.is_i64(),
                "float" => item.is_number(),
                "boolean" => item.is_boolean(),
                "geo_point" => item["lat"].is_number() && item["lon"].is_number(),
                other => panic!("{at}: no rule for {other}"),
            };
            if !fits {
                found.push(format!("{at} is {item}, expected {}", rule["type"]));
            }
            if let Some(words) = rule["allowed"].as_object()
                && item.as_str().is_none_or(|word| !words.contains_key(word))
            {
                found.push(format!("{at} is {item}, expected one of {:?}", words.keys()));
            }
        }
    }
}

impl Rules for Fields {
    fn mistakes(&self, record: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.walk("", record, &mut found);
        for (name, rule) in self.0.as_object().unwrap() {
            let pointer = format!("/{}", name.replace('.', "/"));
            if rule["required"] == true && record.pointer(&pointer).is_none() {
                found.push(format!("{name} is required"));
            }
        }
        for category in record["event"]["category"].as_array().unwrap() {
            let types = &self.0["event.category"]["allowed"][category.as_str().unwrap()];
            for kind in record["event"]["type"].as_array().unwrap() {
                if !types.as_array().is_some_and(|types| types.contains(kind)) {
                    found.push(format!("event.type {kind} does not go with {category}"));
                }
            }
        }
        found
    }
}
