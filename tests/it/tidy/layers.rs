//! Which layer may use which, and what a pure one may name of the world.
//!
//! `crate::…` paths are the architecture. Sub-modules of one layer use each other freely; tests may
//! use everything.

use super::Finding;
use super::source::{Source, crate_paths, dependencies, has_word};

/// A layer, what it may use of the others, and, where it is pure, the crates that it may name.
struct Layer {
    name: &'static str,
    may_use: &'static str,
    crates: Option<&'static str>,
}

/// The table of ARCHITECTURE.md. `cli`, `app` and `main` may use everything.
const LAYERS: &[Layer] = &[
    pure("model", "", "serde thiserror jiff blake3 sha2 secrecy"),
    pure("ports", "model", "serde thiserror ipnet"),
    pure(
        "engine",
        "model ports",
        "serde serde_json apache_avro miniz_oxide base64 toml csv thiserror jiff blake3 sha2 libm memchr statrs ipnet woothee",
    ),
    pure("access", "model engine", "serde thiserror jiff blake3"),
    pure("evaluate", "model engine", "serde libm statrs"),
    pure(
        "simulate",
        "model ports engine",
        "serde toml thiserror jiff blake3 libm ipnet rand_core rand_chacha",
    ),
    pure("pipeline", "model ports engine", "serde serde_json thiserror blake3 sha2 hashbrown foldhash"),
    world("halts", ""),
    world("adapters", "model ports telemetry halts"),
    world("connectors", "model ports telemetry"),
    world("serve", "model ports engine access pipeline telemetry"),
    world("runtime", "model ports engine access pipeline telemetry halts"),
    world("telemetry", "model ports"),
    world("config", "model ports engine access pipeline adapters connectors serve runtime telemetry"),
];

/// What stands above the layers and may use everything.
const TOP: [&str; 4] = ["lib", "main", "app", "cli"];

/// Of `ports`, these know the tables and nothing else.
const TABLES_ONLY: [&str; 2] = ["engine", "simulate"];

const fn pure(name: &'static str, may_use: &'static str, crates: &'static str) -> Layer {
    Layer { name, may_use, crates: Some(crates) }
}

const fn world(name: &'static str, may_use: &'static str) -> Layer {
    Layer { name, may_use, crates: None }
}

/// Uses of a layer that this one may not use.
pub(super) fn breaches(file: &Source) -> Vec<Finding> {
    let name = layer_name(&file.path);
    if TOP.contains(&name) {
        return Vec::new();
    }
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else {
        return vec![
            file.finding(1, &format!("`{name}` is no layer of tests/it/tidy/layers.rs: give it a row")),
        ];
    };
    let mut found = Vec::new();
    for (line, path) in uses(&file.code, "crate::") {
        let used = path.first().map_or("", String::as_str);
        if used != layer.name && !lists(layer.may_use, used) {
            found.push(file.finding(line, &format!("`{name}` may not use `{used}`")));
        } else if TABLES_ONLY.contains(&name)
            && used == "ports"
            && path.get(1).is_none_or(|port| port != "tables")
        {
            found.push(file.finding(line, &format!("`{name}` may use `ports::tables` only")));
        }
    }
    found
}

/// Sockets, disks, clocks, threads, random sources, unordered collections and crates that a pure
/// layer names.
pub(super) fn impurities(file: &Source) -> Vec<Finding> {
    let Some(allowed) =
        LAYERS.iter().find(|layer| layer.name == layer_name(&file.path)).and_then(|layer| layer.crates)
    else {
        return Vec::new();
    };
    let known = dependencies(include_str!("../../../Cargo.toml"));
    let mut found = Vec::new();
    for (line, path) in uses(&file.code, "std::") {
        if let Some((module, why)) =
            path.first().and_then(|first| MODULES.iter().find(|(module, _)| module == first))
        {
            found.push(file.finding(line, &format!("`std::{module}` in a pure layer: {why}")));
        }
    }
    for (number, line) in file.code.lines().enumerate() {
        let excused =
            |word: &str| UNORDERED.iter().any(|(path, _)| *path == file.path) && word.starts_with("Hash");
        for (word, why) in WORLD.iter().filter(|(word, _)| has_word(line, word) && !excused(word)) {
            found.push(file.finding(number + 1, &format!("`{word}` in a pure layer: {why}")));
        }
        for name in crate_paths(line) {
            if known.iter().any(|known| known == name) && !lists(allowed, name) {
                found.push(
                    file.finding(number + 1, &format!("crate `{name}` is not on the list of this layer")),
                );
            }
        }
    }
    found
}

/// Files whose hot look-ups go through a hash map that is never walked in its own order, and why.
const UNORDERED: &[(&str, &str)] =
    &[("src/pipeline/overlay.rs", "one look-up an event; a checkpoint sorts what it writes")];

/// Modules of the standard library.
const MODULES: &[(&str, &str)] = &[
    ("fs", "what is on a disk is an argument"),
    ("thread", "threads belong to the runtime"),
    ("env", "the environment is read once, by config"),
    ("process", "processes belong to the edge"),
    ("os", "systems differ"),
];

const WORLD: &[(&str, &str)] = &[
    ("File", "what is on a disk is an argument"),
    ("stdin", "what is read is an argument"),
    ("stdout", "what is to be said is returned"),
    ("stderr", "what is to be said is returned"),
    ("println!", "what is to be said is returned"),
    ("eprintln!", "what is to be said is returned"),
    ("TcpStream", "no sockets"),
    ("TcpListener", "no sockets"),
    ("UdpSocket", "no sockets"),
    ("ToSocketAddrs", "names are resolved at the edge"),
    ("SystemTime", "time is an argument"),
    ("Instant", "time is an argument"),
    ("async", "a decision never awaits"),
    ("await", "a decision never awaits"),
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
    ("RandomState", "its order differs from run to run"),
    ("thread_rng", "random bytes are an argument"),
    ("getrandom", "random bytes are an argument"),
];

fn lists(names: &str, name: &str) -> bool {
    names.split(' ').any(|listed| listed == name)
}

/// `engine` of `src/engine/step.rs`, `app` of `src/app.rs`.
fn layer_name(path: &str) -> &str {
    let below = path.strip_prefix("src/").unwrap_or(path);
    below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
}

/// The paths after `crate::` or `std::`, grouped ones taken apart, each with its line.
fn uses(code: &str, root: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(root) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        expand(&code[at + root.len()..], &[], &mut |path| found.push((line, path)));
    }
    found
}

/// Walks `a::{b, c::d}` and tells each path.
fn expand(text: &str, above: &[String], tell: &mut dyn FnMut(Vec<String>)) {
    if let Some(inside) = text.strip_prefix('{') {
        for item in items(inside) {
            expand(item.trim_start(), above, tell);
        }
        return;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut path = above.to_vec();
    path.push(text[..end].to_owned());
    match text[end..].strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => expand(rest, &path, tell),
        _ => tell(path),
    }
}

/// The items of a group up to its closing brace.
fn items(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&text[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.into_iter().filter(|item| !item.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::{breaches, impurities};
    use crate::tidy::source::Source;

    #[track_caller]
    fn check(path: &str, code: &str, expected: &[&str]) {
        let file = Source::new(path, code);
        let found: Vec<_> =
            breaches(&file).into_iter().chain(impurities(&file)).map(|found| found.rule).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn planted_breaches_are_found() {
        check("src/model/a.rs", "use crate::engine::step;", &["`model` may not use `engine`"]);
        check(
            "src/engine/a.rs",
            "fn a() { crate::adapters::kafka::b() }",
            &["`engine` may not use `adapters`"],
        );
        check(
            "src/pipeline/a.rs",
            "use crate::{model::id, runtime::x};",
            &["`pipeline` may not use `runtime`"],
        );
        check(
            "src/ports/a.rs",
            "use crate::{\n    model::{id, time},\n    engine,\n};",
            &["`ports` may not use `engine`"],
        );
        check(
            "src/engine/a.rs",
            "use crate::ports::{tables::Tables, clock};",
            &["`engine` may use `ports::tables` only"],
        );
        check("src/elsewhere.rs", "", &["`elsewhere` is no layer of tests/it/tidy/layers.rs: give it a row"]);
    }

    #[test]
    fn what_is_allowed_is_silent() {
        check("src/engine/a.rs", "use crate::engine::b;\nuse crate::model::{id::A, time::B};", &[]);
        check("src/engine/a.rs", "use crate::ports::tables::Tables;", &[]);
        check("src/cli/run.rs", "use crate::app;\nuse std::fs;", &[]);
        check(
            "src/engine/a.rs",
            "// crate::adapters, HashMap\nfn a() {}\n#[cfg(test)]\nmod tests {\n use std::fs;\n}",
            &[],
        );
        check("src/adapters/a.rs", "use std::collections::HashMap;", &[]);
    }

    #[test]
    fn planted_impurities_are_found() {
        let order = "its order differs from run to run: BTreeMap";
        check(
            "src/engine/a.rs",
            "use std::collections::HashMap;",
            &[&format!("`HashMap` in a pure layer: {order}")],
        );
        check(
            "src/model/a.rs",
            "let a = std::fs::read(b);",
            &["`std::fs` in a pure layer: what is on a disk is an argument"],
        );
        check(
            "src/pipeline/a.rs",
            "let now = Instant::now();",
            &["`Instant` in a pure layer: time is an argument"],
        );
        check("src/simulate/a.rs", "use rdkafka::x;", &["crate `rdkafka` is not on the list of this layer"]);
        check(
            "src/model/a.rs",
            "let x = tokio::time::y();",
            &["crate `tokio` is not on the list of this layer"],
        );
    }
}
