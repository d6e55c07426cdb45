//! What is kept of a stretch that went wrong: the processes' logs, and of each partition where something
//! is wrong the broker's log, batch by batch with its markers. It tells a broker's fault from ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::field::Field;
use super::judge::Judged;
use super::report;
use crate::live::broker::script;

pub(super) fn keep(field: &Field, judged: &Judged, seed: u64) -> PathBuf {
    let folder = report::folder().join(format!("{seed:016x}"));
    std::fs::create_dir_all(&folder).unwrap();
    for entry in std::fs::read_dir(field.world.home.path()).unwrap().flatten() {
        let name = entry.file_name();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.join(name)).unwrap();
        }
    }
    let places = judged.places.iter().map(|(name, partition)| (*name, *partition));
    // The input beside the output: whether it came twice is seen there.
    let inputs = judged.places.iter().map(|(_, partition)| ("events", *partition));
    for (name, partition) in places.chain(inputs) {
        dump(field, &field.world.topic(name), partition, &folder);
    }
    folder
}

/// One partition as the broker's disk has it, of each node.
pub(super) fn dump(field: &Field, topic: &str, partition: i64, folder: &Path) {
    let log = format!("{topic}-{partition}");
    dump_where(field, "--print-data-log", folder, |name| name == log);
}

/// What the broker keeps for itself: how each transaction ended by the word of its coordinator, and where the
/// offsets in it were ended.
pub(super) fn dump_own(field: &Field, folder: &Path) {
    for (topic, decoder) in
        [("__transaction_state-", "--transaction-log-decoder"), ("__consumer_offsets-", "--offsets-decoder")]
    {
        dump_where(field, decoder, folder, |name| name.starts_with(topic));
    }
}

fn dump_where(field: &Field, decoder: &str, folder: &Path, wanted: impl Fn(&str) -> bool) {
    for node in 1..=field.nodes {
        let Ok(logs) = std::fs::read_dir(field.world.broker.data(node)) else { continue };
        for log in logs.flatten() {
            let name = log.file_name().to_string_lossy().into_owned();
            if !wanted(&name) {
                continue;
            }
            let Ok(files) = std::fs::read_dir(log.path()) else { continue };
            let files: Vec<_> = files
                .flatten()
                .map(|file| file.path().display().to_string())
                .filter(|path| path.ends_with(".log"))
                .collect();
            let dump = Command::new(script("broker"))
                .args(["tool", "org.apache.kafka.tools.DumpLogSegments", decoder, "--files"])
                .arg(files.join(","))
                .output()
                .unwrap();
            std::fs::write(
                folder.join(format!("dump-{name}-node-{node}.txt")),
                [dump.stdout, dump.stderr].concat(),
            )
            .unwrap();
        }
    }
}
