//! Writes small MaxMind DB files, so that tests can have any layout and any damage.

use std::net::IpAddr;

use ipnet::IpNet;

/// A value of a record.
#[derive(Clone, Debug)]
pub enum Value {
    Text(&'static str),
    Double(f64),
    Float(f32),
    Short(u16),
    Uint(u32),
    Long(u64),
    Bool(bool),
    List(Vec<Self>),
    Map(Vec<(&'static str, Self)>),
}

/// A database of `version` 4 or 6 whose networks have these records. Longer networks come later.
pub fn write(version: u16, records: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut tree = vec![[Edge::Empty; 2]];
    for (net, value) in records {
        let offset = data.len();
        put(value, &mut data);
        insert(&mut tree, version, net.parse().unwrap(), offset);
    }
    let nodes = u32::try_from(tree.len()).unwrap();
    let mut file = Vec::new();
    for edge in tree.iter().flatten() {
        let target = match edge {
            Edge::Empty => nodes,
            Edge::Node(node) => u32::try_from(*node).unwrap(),
            Edge::Data(offset) => nodes + 16 + u32::try_from(*offset).unwrap(),
        };
        file.extend_from_slice(&target.to_be_bytes());
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("node_count", Value::Uint(nodes)),
        ("record_size", Value::Short(32)),
        ("ip_version", Value::Short(version)),
        ("database_type", Value::Text("Test")),
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("languages", Value::List(Vec::new())),
        ("description", Value::Map(vec![("en", Value::Text("test"))])),
    ]);
    put(&metadata, &mut file);
    file
}

/// The flat layout of a city.
pub fn flat(country: &'static str, city: &'static str, at: (f32, f32), zone: &'static str) -> Value {
    Value::Map(vec![
        ("country_code", Value::Text(country)),
        ("city", Value::Text(city)),
        ("latitude", Value::Float(at.0)),
        ("longitude", Value::Float(at.1)),
        ("timezone", Value::Text(zone)),
    ])
}

/// The nested layout of a city.
pub fn nested(country: &'static str, city: &'static str, at: (f64, f64), zone: &'static str) -> Value {
    let names = |name| Value::Map(vec![("names", Value::Map(vec![("en", Value::Text(name))]))]);
    Value::Map(vec![
        ("city", names(city)),
        ("continent", names("somewhere")),
        ("country", Value::Map(vec![("iso_code", Value::Text(country))])),
        (
            "location",
            Value::Map(vec![
                ("accuracy_radius", Value::Uint(20)),
                ("latitude", Value::Double(at.0)),
                ("longitude", Value::Double(at.1)),
                ("time_zone", Value::Text(zone)),
            ]),
        ),
    ])
}

#[derive(Clone, Copy)]
enum Edge {
    Empty,
    Node(usize),
    Data(usize),
}

fn insert(tree: &mut Vec<[Edge; 2]>, version: u16, net: IpNet, offset: usize) {
    let (bits, length) = match (net.network(), version) {
        (IpAddr::V4(address), 4) => (u128::from(u32::from(address)) << 96, net.prefix_len()),
        (IpAddr::V4(address), _) => (u128::from(u32::from(address)), net.prefix_len() + 96),
        (IpAddr::V6(address), _) => (u128::from(address), net.prefix_len()),
    };
    let mut node = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            tree[node][side] = Edge::Data(offset);
            return;
        }
        node = match tree[node][side] {
            Edge::Node(next) => next,
            leaf => {
                tree.push([leaf; 2]);
                let next = tree.len() - 1;
                tree[node][side] = Edge::Node(next);
                next
            }
        };
    }
}

fn put(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Double(number) => {
            control(3, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Float(number) => {
            control(15, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            control(9, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::List(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| put(value, out));
        }
        Value::Uint(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Bool(value) => control(14, usize::from(*value), out),
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries {
                put(&Value::Text(key), out);
                put(value, out);
            }
        }
    }
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let short = u8::try_from(size.min(29)).unwrap();
    if kind < 8 {
        out.push(kind << 5 | short);
    } else {
        out.extend_from_slice(&[short, kind - 7]);
    }
    if size >= 29 {
        out.push(u8::try_from(size - 29).expect("texts of tests are short"));
    }
}

/// A tree of 128 nodes whose two sides lead to the next one, and nowhere in the end: 2^128 empty
/// networks in half a KiB.
pub fn bottomless() -> Vec<u8> {
    let sound = write(6, &[("2001::/16", flat("GB", "London", (51.5, -0.1), "Europe/London"))]);
    let marker = sound.windows(3).rposition(|window| window == b"\xab\xcd\xef").unwrap();
    let metadata = sound[marker..].to_vec();
    let mut file = Vec::new();
    let nodes = 128_u32;
    for node in 1..=nodes {
        let target = if node == nodes { nodes } else { node };
        file.extend_from_slice(&target.to_be_bytes());
        file.extend_from_slice(&target.to_be_bytes());
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&[0xe0]);
    let mut metadata = metadata;
    let count = metadata.windows(10).position(|window| window == b"node_count").unwrap() + 11;
    metadata[count..count + 4].copy_from_slice(&nodes.to_be_bytes());
    file.extend_from_slice(&metadata);
    file
}
