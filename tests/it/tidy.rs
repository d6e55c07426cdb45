//! Reads the source and holds what the compiler does not: the layers, what pure code may name, how
//! long a file gets, that what the documents point at is there.
//!
//! A finding names file, line and rule. Text is read as text: strings and comments are blanked
//! first, test modules (which stand last in a file) are left out of the layer rules.

mod docs;
mod layers;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};

use source::Source;

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

#[test]
fn layers_hold() {
    none(rust_files("src").iter().flat_map(layers::breaches));
}

#[test]
fn pure_layers_name_nothing_of_the_world() {
    none(rust_files("src").iter().flat_map(layers::impurities));
}

#[test]
fn files_say_what_they_are_for() {
    let silent = |file: &Source| !file.text.starts_with("//!");
    none(
        all_rust()
            .iter()
            .filter(|file| silent(file))
            .map(|file| file.finding(1, "begins without a `//!` doc")),
    );
}

#[test]
fn files_are_short_enough_to_read() {
    let long = |file: &Source| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| {
            file.finding(LINES_MAX, &format!("{lines} lines; past {LINES_MAX}, look for the second noun"))
        })
    };
    none(all_rust().iter().filter_map(long));
}

#[test]
fn nothing_is_left_for_later_or_silenced() {
    none(all_rust().iter().flat_map(source::unfinished));
}

#[test]
fn metrics_are_named_in_one_place() {
    let outside = |file: &&Source| !file.path.starts_with("src/telemetry");
    none(rust_files("src").iter().filter(outside).flat_map(source::raw_metrics));
}

#[test]
fn no_dependency_is_idle() {
    let files = rust_files("src");
    let manifest = read("Cargo.toml");
    let idle: Vec<_> = source::dependencies(&manifest)
        .into_iter()
        .filter(|name| !files.iter().any(|file| source::names_crate(&file.code, name)))
        .collect();
    assert_eq!(idle, Vec::<String>::new(), "dependencies that no file of src uses");
}

#[test]
fn crates_that_the_client_named_have_their_use_told() {
    let told = read("ARCHITECTURE.md");
    let missing: Vec<_> =
        CLIENTS_CRATES.iter().filter(|name| !told.contains(&format!("| `{name}` |"))).collect();
    assert_eq!(missing, Vec::<&&str>::new(), "crates without a row in ARCHITECTURE.md");
}

#[test]
fn links_of_the_documents_resolve() {
    none(documents().iter().flat_map(|file| docs::broken_links(file, root())));
}

#[test]
fn paths_that_the_documents_name_are_there() {
    none(documents().iter().flat_map(|file| docs::missing_paths(file, root())));
}

#[test]
fn every_record_of_a_decision_is_listed() {
    let index = read("docs/adr/README.md");
    let unlisted: Vec<_> = names_in("docs/adr", "md")
        .into_iter()
        .filter(|name| name != "README.md" && !index.contains(name.as_str()))
        .collect();
    assert_eq!(unlisted, Vec::<String>::new(), "not in docs/adr/README.md");
}

#[test]
fn every_schema_is_listed_and_compiled_in() {
    let told = read("ARCHITECTURE.md");
    let code: String = rust_files("src").into_iter().map(|file| file.text).collect();
    let names = names_in("schemas", "avsc");
    assert!(names.iter().any(|name| name == "event.avsc"), "found no schemas: {names:?}");
    for name in names {
        assert!(told.contains(&name), "schemas/{name} is not listed in ARCHITECTURE.md");
        assert!(code.contains(&format!("schemas/{name}")), "schemas/{name} is compiled into nothing");
    }
}

#[test]
fn no_machine_and_no_registry_is_named() {
    none(every_text().iter().flat_map(docs::places));
}

#[track_caller]
fn none(findings: impl Iterator<Item = Finding>) {
    let findings: Vec<_> = findings.collect();
    let text: String = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    assert!(findings.is_empty(), "{} finding(s):{text}", findings.len());
}

fn all_rust() -> Vec<Source> {
    ["src", "tests", "benches"].into_iter().flat_map(rust_files).collect()
}

fn rust_files(folder: &str) -> Vec<Source> {
    let files = sources(&root().join(folder), &|path| path.extension().is_some_and(|ending| ending == "rs"));
    assert!(!files.is_empty(), "no Rust file under {folder}");
    files
}

fn documents() -> Vec<Source> {
    sources(root(), &|path| path.extension().is_some_and(|ending| ending == "md"))
}

/// Every text file of the project but the lock file, whose form is cargo's.
fn every_text() -> Vec<Source> {
    sources(root(), &|path| path.file_name().is_some_and(|name| name != "Cargo.lock"))
}

fn sources(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<Source> {
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    paths.sort();
    let read = |path: &PathBuf| {
        // What is not UTF-8 is data, and names nothing.
        let text = std::fs::read_to_string(path).ok()?;
        let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned();
        Some(Source::new(name, text))
    };
    paths.iter().filter(|path| wanted(path)).filter_map(read).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in
        std::fs::read_dir(folder).expect("a folder that can be listed").map(|entry| entry.expect("an entry"))
    {
        let (path, name) = (entry.path(), entry.file_name());
        let left_out = [".git", "target", ".cache", "__pycache__", "proptest-regressions"];
        if path.is_dir() {
            if !left_out.iter().any(|out| name == *out) {
                walk(&path, found);
            }
        } else if name != ".git" && entry.metadata().is_ok_and(|about| about.len() < BYTES_MAX) {
            found.push(path);
        }
    }
}

fn names_in(folder: &str, ending: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("a folder that can be listed");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(&format!(".{ending}")))
        .collect();
    names.sort();
    names
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const LINES_MAX: usize = 500;

/// Larger files are data.
const BYTES_MAX: u64 = 1 << 20;

const CLIENTS_CRATES: [&str; 10] =
    ["rdkafka", "tokio", "serde", "apache-avro", "maxminddb", "statrs", "sled", "tracing", "clap", "metrics"];
