//! OCSF: required attributes, types, enums with their captions, constraints and profiles, as
//! `tests/data/ocsf/schema.json` has them.

use serde_json::{Map, Value};

use super::Rules;

pub(super) struct Schema(Value);

impl Schema {
    pub(super) fn read() -> Self {
        Self(serde_json::from_str(include_str!("../../data/ocsf/schema.json")).unwrap())
    }

    fn object(
        &self,
        at: &str,
        fields: &Map<String, Value>,
        rules: &Value,
        profiles: &Value,
        found: &mut Vec<String>,
    ) {
        let attributes = rules["attributes"].as_object().unwrap();
        let in_force = |rule: &Value| match &rule["profile"] {
            Value::Null => true,
            profile => profiles.as_array().is_some_and(|all| all.contains(profile)),
        };
        for (name, rule) in attributes {
            if rule["requirement"] == "required" && in_force(rule) && !fields.contains_key(name) {
                found.push(format!("{at}.{name} is required"));
            }
        }
        if let Some(needed) = rules["constraints"]["at_least_one"].as_array()
            && !needed.iter().any(|name| fields.contains_key(name.as_str().unwrap()))
        {
            found.push(format!("{at} needs one of {needed:?}"));
        }
        for (name, value) in fields {
            let at = format!("{at}.{name}");
            let Some(rule) = attributes.get(name) else {
                found.push(format!("{at} is no attribute"));
                continue;
            };
            if !in_force(rule) {
                found.push(format!("{at} needs the profile {}", rule["profile"]));
            }
            if rule["deprecated"] == true {
                found.push(format!("{at} is deprecated"));
            }
            match (rule["array"] == true, value) {
                (true, Value::Array(items)) => {
                    assert!(!items.is_empty(), "{at} is empty");
                    items.iter().for_each(|item| self.value(&at, item, rule, fields, profiles, found));
                }
                (true, _) => found.push(format!("{at} is no list")),
                (false, value) => self.value(&at, value, rule, fields, profiles, found),
            }
        }
    }

    fn value(
        &self,
        at: &str,
        value: &Value,
        rule: &Value,
        beside: &Map<String, Value>,
        profiles: &Value,
        found: &mut Vec<String>,
    ) {
        if let Some(name) = rule["object"].as_str() {
            let Some(fields) = value.as_object() else { return found.push(format!("{at} is no object")) };
            // `object` is any object.
            if name != "object" {
                let rules = &self.0["objects"][name];
                assert!(!rules.is_null(), "{at}: `{name}` is not in the data: take it over");
                self.object(at, fields, rules, profiles, found);
            }
            return;
        }
        let own = rule["type"].as_str().unwrap();
        let fits = match (own, self.0["types"][own].as_str().unwrap()) {
            ("ip_t", _) => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            // Milliseconds: of this century.
            ("timestamp_t", _) => {
                value.as_i64().is_some_and(|at| (946_684_800_000..4_102_444_800_000).contains(&at))
            }
            ("json_t", _) => true,
            (_, "integer_t" | "long_t") => value.is_i64() || value.is_u64(),
            (_, "float_t") => value.is_number(),
            (_, "boolean_t") => value.is_boolean(),
            (_, "string_t") => value.is_string(),
            other => panic!("{at}: no rule for {other:?}"),
        };
        if !fits {
            found.push(format!("{at} is {value}, expected {own}"));
        }
        let Some(words) = rule["enum"].as_object() else { return };
        let Some(caption) = words.get(&value.to_string()) else {
            return found.push(format!("{at} is {value}, expected one of {:?}", words.keys()));
        };
        // The text beside a number is its caption, but for what is other.
        let name = at.rsplit('.').next().unwrap();
        let sibling = match name {
            "activity_id" => "activity_name".to_owned(),
            "category_uid" => "category_name".to_owned(),
            "class_uid" => "class_name".to_owned(),
            "type_uid" => "type_name".to_owned(),
            name => name.trim_end_matches("_id").to_owned(),
        };
        if value != 99 && beside.get(&sibling).is_some_and(|text| text != caption) {
            found.push(format!("{at} is {value}, which is {caption}, not {}", beside[&sibling]));
        }
        if value == 99 && !beside.contains_key(&sibling) {
            found.push(format!("{at} is other, and does not say what"));
        }
    }
}

impl Rules for Schema {
    fn mistakes(&self, record: &Value) -> Vec<String> {
        let mut found = Vec::new();
        let classes = self.0["classes"].as_object().unwrap();
        let class = classes.values().find(|class| class["uid"] == record["class_uid"]).expect("a class");
        let number = |name: &str| record[name].as_u64().unwrap();
        if number("type_uid") != number("class_uid") * 100 + number("activity_id") {
            found.push("type_uid is not class_uid × 100 + activity_id".into());
        }
        if record["metadata"]["version"] != self.0["version"] {
            found.push("metadata.version is not the schema's".into());
        }
        self.object("", record.as_object().unwrap(), class, &record["metadata"]["profiles"], &mut found);
        found
    }
}
