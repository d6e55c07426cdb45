//! What the documents point at, and what no file of the project may name.

use std::path::Path;

use super::Finding;
use super::source::{Source, has_word};

/// Links to files and headings that are not there.
pub(super) fn broken_links(file: &Source, root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, target) in links(&file.text) {
        if target.starts_with("http://") || target.starts_with("https://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) =
            target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
        let here = root.join(&file.path);
        let there = if path.is_empty() { here } else { here.parent().unwrap_or(root).join(path) };
        if !there.exists() {
            found.push(file.finding(line, &format!("link to `{target}`: no such file")));
        } else if let Some(heading) =
            heading.filter(|_| there.extension().is_some_and(|ending| ending == "md"))
        {
            let text = std::fs::read_to_string(&there).unwrap_or_default();
            if !text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == heading) {
                found.push(file.finding(line, &format!("link to `{target}`: no such heading")));
            }
        }
    }
    found
}

/// Paths in backticks that begin with a folder of ours and lead nowhere.
pub(super) fn missing_paths(file: &Source, root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for word in line.split('`').skip(1).step_by(2) {
            let ours = FOLDERS.iter().any(|folder| word.starts_with(folder));
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            if ours && plain && !root.join(word.trim_end_matches('/')).exists() {
                found.push(file.finding(number + 1, &format!("names `{word}`, which is not there")));
            }
        }
    }
    found
}

/// Paths of one machine and hosts of registries: which ones are used is for whoever builds to say.
pub(super) fn places(file: &Source) -> Vec<Finding> {
    // Put together here, so that this file does not find itself.
    let hosts = [
        ["crates", ".io"],
        ["repo1.", "maven"],
        ["repo.", "maven"],
        ["maven", ".org"],
        ["npmjs", ".org"],
        ["npmjs", ".com"],
        ["pypi", ".org"],
        ["pythonhosted", ".org"],
        ["proxy.go", "lang.org"],
    ]
    .map(|halves| halves.concat());
    let folders =
        [["/ro", "ot/"], ["/ho", "me/"], ["/wo", "rk/"], ["/Us", "ers/"]].map(|halves| halves.concat());
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for host in hosts.iter().filter(|host| line.contains(host.as_str())) {
            found.push(file.finding(number + 1, &format!("names the registry host `{host}`")));
        }
        for folder in folders.iter().filter(|folder| has_word(line, folder)) {
            found.push(file.finding(number + 1, &format!("names a path of one machine, `{folder}…`")));
        }
    }
    found
}

/// The targets of `[text](target)` outside code blocks, each with its line.
fn links(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut in_code) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let targets =
            line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        found.extend(targets.map(|target| (number + 1, target)));
    }
    found
}

/// A heading as its link names it: lower case, spaces to dashes, the rest dropped.
fn slug(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

const FOLDERS: [&str; 8] =
    ["src/", "tests/", "docs/", "schemas/", "config/", "benches/", ".ci/", "ARCHITECTURE.md"];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{broken_links, missing_paths, places, slug};
    use crate::tidy::source::Source;

    const ROOT: &str = env!("CARGO_MANIFEST_DIR");

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let file = Source::new("README.md", text);
        let found =
            [broken_links(&file, Path::new(ROOT)), missing_paths(&file, Path::new(ROOT)), places(&file)]
                .concat();
        assert_eq!(found.into_iter().map(|found| found.rule).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn planted_dead_ends_are_found() {
        check("[a](nowhere.md)", &["link to `nowhere.md`: no such file"]);
        check("[a](Cargo.toml) [b](#gone)", &["link to `#gone`: no such heading"]);
        check("see `src/nowhere.rs`", &["names `src/nowhere.rs`, which is not there"]);
        check(&["at cra", "tes.io"].concat(), &[&["names the registry host `cra", "tes.io`"].concat()]);
        check(&["in /ho", "me/ada"].concat(), &[&["names a path of one machine, `/ho", "me/…`"].concat()]);
    }

    #[test]
    fn what_is_there_is_silent() {
        check("[a](Cargo.toml), `src/lib.rs`, `src/`, [w](https://example.org), `src/<layer>/x.rs`", &[]);
        check("```text\n[a](nowhere.md)\n```", &[]);
    }

    #[test]
    fn headings_are_named_as_their_links_name_them() {
        assert_eq!(slug("## What `ward` is, in 5 lines"), "what-ward-is-in-5-lines");
    }
}
