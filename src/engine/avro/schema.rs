//! A schema as its JSON states it, and its canonical form.
//!
//! Named types may be used before the end of their own definition; a record that holds itself with
//! nothing between is found by the depth of its datum, which never ends.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::fingerprint::fingerprint;

/// A place in [`Schema`].
pub(super) type At = usize;

#[derive(Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(Vec<Box<str>>),
    Array(At),
    Map(At),
    Record(Vec<Field>),
    Union(Vec<At>),
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) at: At,
    /// What a datum has where this is null, if it may be and one byte says so.
    pub(super) null: Option<u8>,
}

/// What a datum was written with.
#[derive(Debug)]
pub(crate) struct Schema {
    nodes: Vec<Node>,
    root: At,
    json: Box<str>,
    fingerprint: [u8; 8],
}

impl Schema {
    /// As it was given.
    pub(crate) fn json(&self) -> &str {
        &self.json
    }

    /// CRC-64-AVRO, in the order of a record's bytes.
    pub(crate) const fn fingerprint(&self) -> [u8; 8] {
        self.fingerprint
    }

    pub(super) const fn root(&self) -> At {
        self.root
    }

    #[inline]
    pub(super) fn node(&self, at: At) -> &Node {
        // Every place was made together with its node.
        self.nodes.get(at).unwrap_or(&Node::Null)
    }
}

/// Why a text is not taken as a schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is none.
    #[error("{0}")]
    Broken(String),
    /// It may well be one, and goes beyond a limit of ours.
    #[error("{0}")]
    Beyond(String),
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self::Broken(why)
    }
}

impl std::str::FromStr for Schema {
    type Err = Unfit;

    fn from_str(text: &str) -> Result<Self, Unfit> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(Unfit::Beyond(format!("{} bytes, at most {SCHEMA_BYTES_MAX} are taken", text.len())));
        }
        if nesting(text) > NESTING_MAX {
            return Err(Unfit::Beyond(format!(
                "lists and objects more than {NESTING_MAX} deep, which is as deep as is taken"
            )));
        }
        let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut reading = Reading::default();
        let root = reading.read(&json, "")?;
        let Reading { nodes, canonical, .. } = reading;
        Ok(Self { nodes, root, json: text.into(), fingerprint: fingerprint(&canonical) })
    }
}

#[derive(Default)]
struct Reading {
    nodes: Vec<Node>,
    names: BTreeMap<String, At>,
    canonical: String,
}

impl Reading {
    /// Reads a type that stands within a namespace, and appends its canonical form.
    fn read(&mut self, json: &Value, space: &str) -> Result<At, Unfit> {
        match json {
            Value::String(name) => self.named(name, space),
            Value::Array(branches) => self.union(branches, space),
            Value::Object(_) => match json.get("type") {
                Some(Value::String(kind)) => self.complex(kind, json, space),
                // `{"type": {"type": "int"}}` and `{"type": ["null", "int"]}` are what they hold.
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.read(inner, space),
                _ => Err(format!("{}: no `type`", shown(json)).into()),
            },
            _ => Err(format!("{}: expected the name of a type, an object or a list", shown(json)).into()),
        }
    }

    fn add(&mut self, node: Node) -> Result<At, Unfit> {
        if self.nodes.len() >= NODES_MAX {
            return Err(Unfit::Beyond(format!(
                "more than {NODES_MAX} types, which are as many as are taken"
            )));
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    fn named(&mut self, name: &str, space: &str) -> Result<At, Unfit> {
        if let Some(node) = primitive(name) {
            self.quote(name);
            return self.add(node);
        }
        let name = full(name, space);
        let known = self.names.get(&name).copied();
        let known = known.ok_or_else(|| format!("{}: no such type", shown(&name.as_str().into())))?;
        self.quote(&name);
        Ok(known)
    }

    fn union(&mut self, branches: &[Value], space: &str) -> Result<At, Unfit> {
        let at = self.add(Node::Null)?;
        let mut inner = Vec::with_capacity(branches.len());
        self.canonical.push('[');
        for (number, branch) in branches.iter().enumerate() {
            self.comma(number);
            let branch = self.read(branch, space)?;
            if matches!(self.nodes.get(branch), Some(Node::Union(_))) {
                return Err(Unfit::Broken("a union directly within a union".into()));
            }
            inner.push(branch);
        }
        self.canonical.push(']');
        self.set(at, Node::Union(inner));
        Ok(at)
    }

    fn complex(&mut self, kind: &str, json: &Value, space: &str) -> Result<At, Unfit> {
        match kind {
            "array" | "map" => {
                let key = if kind == "array" { "items" } else { "values" };
                let inner = json.get(key).ok_or_else(|| format!("{}: no `{key}`", shown(json)))?;
                let _written = write!(self.canonical, r#"{{"type":"{kind}","{key}":"#);
                let inner = self.read(inner, space)?;
                self.canonical.push('}');
                self.add(if kind == "array" { Node::Array(inner) } else { Node::Map(inner) })
            }
            "record" | "error" | "enum" | "fixed" => {
                let name = json.get("name").and_then(Value::as_str);
                let name = name.ok_or_else(|| format!("{}: no `name`", shown(json)))?;
                let own = json.get("namespace").and_then(Value::as_str).unwrap_or(space);
                let name = full(name, own);
                // Its own fields may name it before it is whole, and ask whether it is null.
                let at = self.add(Node::Record(Vec::new()))?;
                if primitive(&name).is_some() || self.names.insert(name.clone(), at).is_some() {
                    return Err(format!("{}: defined twice", shown(&name.as_str().into())).into());
                }
                self.canonical.push_str(r#"{"name":"#);
                self.quote(&name);
                let _written = write!(self.canonical, r#","type":"{kind}","#);
                let space = name.rsplit_once('.').map_or("", |(space, _)| space);
                let node = match kind {
                    "enum" => self.symbols(json)?,
                    "fixed" => self.fixed(json)?,
                    _ => self.fields(json, space)?,
                };
                self.canonical.push('}');
                self.set(at, node);
                Ok(at)
            }
            // A logical type, or a name in braces.
            name => self.named(name, space),
        }
    }

    fn symbols(&mut self, json: &Value) -> Result<Node, Unfit> {
        let mut symbols = Vec::new();
        self.canonical.push_str(r#""symbols":["#);
        for (number, symbol) in list(json, "symbols")?.iter().enumerate() {
            let symbol = symbol.as_str().ok_or_else(|| format!("{}: no symbol", shown(symbol)))?;
            self.comma(number);
            self.quote(symbol);
            symbols.push(symbol.into());
        }
        self.canonical.push(']');
        Ok(Node::Enum(symbols))
    }

    fn fixed(&mut self, json: &Value) -> Result<Node, Unfit> {
        let size = json.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| format!("{}: no `size`", shown(json)))?;
        let _written = write!(self.canonical, r#""size":{size}"#);
        Ok(Node::Fixed(size))
    }

    fn fields(&mut self, json: &Value, space: &str) -> Result<Node, Unfit> {
        let mut fields: Vec<Field> = Vec::new();
        self.canonical.push_str(r#""fields":["#);
        for (number, field) in list(json, "fields")?.iter().enumerate() {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("{}: no `name`", shown(field)))?;
            if fields.iter().any(|known| *known.name == *name) {
                return Err(format!("{}: a field twice", shown(&name.into())).into());
            }
            let kind = field.get("type").ok_or_else(|| format!("{}: no `type`", shown(field)))?;
            self.comma(number);
            self.canonical.push_str(r#"{"name":"#);
            self.quote(name);
            self.canonical.push_str(r#","type":"#);
            let at = self.read(kind, space)?;
            self.canonical.push('}');
            fields.push(Field { name: name.into(), at, null: self.null_of(at) });
        }
        self.canonical.push(']');
        Ok(Node::Record(fields))
    }

    fn null_of(&self, at: At) -> Option<u8> {
        let Some(Node::Union(branches)) = self.nodes.get(at) else { return None };
        let null = branches.iter().position(|branch| matches!(self.nodes.get(*branch), Some(Node::Null)))?;
        // Zigzag: a branch is never negative.
        u8::try_from(null << 1).ok().filter(|byte| *byte < 0x80)
    }

    fn set(&mut self, at: At, node: Node) {
        if let Some(place) = self.nodes.get_mut(at) {
            *place = node;
        }
    }

    fn comma(&mut self, number: usize) {
        if number > 0 {
            self.canonical.push(',');
        }
    }

    fn quote(&mut self, text: &str) {
        let _written = write!(self.canonical, "{}", Value::from(text));
    }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::String,
        _ => return None,
    })
}

/// A name with its namespace.
fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.into() } else { format!("{space}.{name}") }
}

fn list<'j>(json: &'j Value, key: &str) -> Result<&'j [Value], String> {
    let list = json.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).ok_or_else(|| format!("{}: no list `{key}`", shown(json)))
}

/// How deep lists and objects of a JSON text go, well-formed or not.
fn nesting(text: &str) -> usize {
    let (mut deep, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                deep += 1;
                deepest = deepest.max(deep);
            }
            b']' | b'}' if !quoted => deep = deep.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The start of what was found.
fn shown(json: &Value) -> String {
    crate::engine::decode::shown(&json.to_string())
}

/// Of one record; ours have a hundredth of it.
const SCHEMA_BYTES_MAX: usize = 1 << 20;
const NODES_MAX: usize = 10_000;
/// As deep as the JSON reader goes, which would not say that it is a limit.
const NESTING_MAX: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    /// The canonical form as apache-avro has it gives the same fingerprint.
    #[track_caller]
    fn check(text: &str) {
        let theirs = apache_avro::Schema::parse_str(text).unwrap();
        let theirs = fingerprint(&theirs.canonical_form());
        assert_eq!(text.parse::<Schema>().unwrap().fingerprint(), theirs, "{text}");
    }

    #[test]
    fn named_as_apache_avro_names_them() {
        check(r#""string""#);
        check(r#"["null", "long", {"type": "array", "items": "bytes"}]"#);
        check(r#"{"type": "map", "values": {"type": "fixed", "name": "Key", "size": 16}}"#);
    }

    /// By the rules of the specification: apache-avro leaves short names in namespaces as they are.
    #[test]
    fn names_are_full() {
        let text = r#"{"type": "record", "name": "a.b.Tree", "doc": "x", "aliases": ["Wood"], "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["oak", "elm"], "default": "oak"}},
            {"name": "left", "type": ["null", "Tree"], "default": null},
            {"name": "right", "type": ["null", "a.b.Tree"], "order": "ignore"},
            {"name": "again", "type": "Kind"},
            {"name": "there", "type": {"type": "record", "name": "There", "namespace": "c", "fields": []}},
            {"name": "back", "type": "c.There"}]}"#;
        let canonical = concat!(
            r#"{"name":"a.b.Tree","type":"record","fields":[{"name":"kind","type":{"name":"a.b.Kind","type":"enum","symbols":["oak","elm"]}},"#,
            r#"{"name":"left","type":["null","a.b.Tree"]},{"name":"right","type":["null","a.b.Tree"]},{"name":"again","type":"a.b.Kind"},"#,
            r#"{"name":"there","type":{"name":"c.There","type":"record","fields":[]}},{"name":"back","type":"c.There"}]}"#,
        );
        assert_eq!(text.parse::<Schema>().unwrap().fingerprint(), fingerprint(canonical));
        assert_eq!(fingerprint(canonical), 0xe2ab_3a86_d879_0c5f_u64.to_be_bytes());
    }

    #[test]
    fn what_is_no_schema() {
        for (text, expected) in [
            ("{", "EOF"),
            ("7", "`7`: expected the name of a type"),
            ("{}", "`{}`: no `type`"),
            (r#""strong""#, "no such type"),
            (r#"{"type": "array"}"#, "no `items`"),
            (r#"{"type": "record", "fields": []}"#, "no `name`"),
            (r#"{"type": "record", "name": "A"}"#, "no list `fields`"),
            (r#"{"type": "record", "name": "A", "fields": [{"name": "b"}]}"#, "no `type`"),
            (
                r#"{"type": "record", "name": "A", "fields": [{"name": "b", "type": "int"}, {"name": "b", "type": "int"}]}"#,
                "a field twice",
            ),
            (
                r#"[{"type": "fixed", "name": "A", "size": 1}, {"type": "fixed", "name": "A", "size": 1}]"#,
                "defined twice",
            ),
            (r#"{"type": "enum", "name": "A", "symbols": [1]}"#, "no symbol"),
            (r#"{"type": "fixed", "name": "A", "size": -1}"#, "no `size`"),
            (r#"["null", ["null", "int"]]"#, "a union directly within a union"),
        ] {
            let error = text.parse::<Schema>().unwrap_err();
            assert!(matches!(&error, Unfit::Broken(why) if why.contains(expected)), "{text}: {error:?}");
        }
    }

    #[test]
    fn limits_are_told_from_mistakes() {
        let beyond = |text: &str, expected: &str| {
            let error = text.parse::<Schema>().unwrap_err();
            assert!(matches!(&error, Unfit::Beyond(why) if why.contains(expected)), "{error:?}");
        };
        let list = |deep: usize| {
            let (open, close) = (r#"{"type":"array","items":"#.repeat(deep), "}".repeat(deep));
            format!(r#"{open}"int"{close}"#)
        };
        beyond(&" ".repeat(SCHEMA_BYTES_MAX + 1), "at most 1048576 are taken");
        beyond(&format!("[{}]", vec![r#""int""#; NODES_MAX].join(",")), "more than 10000 types");
        beyond(&list(NESTING_MAX + 1), "more than 127 deep");
        list(NESTING_MAX).parse::<Schema>().unwrap();
        beyond(&"[".repeat(100_000), "more than 127 deep");
        let quoted = r#"{"type": "record", "name": "A", "doc": "\"[[[[", "fields": []}"#;
        assert_eq!(nesting(quoted), 2);
    }
}
