//! CPU time of a process, thread by thread, as Linux counts it.

use std::collections::BTreeMap;
use std::path::Path;

/// Nanoseconds on a CPU by thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Cpu(BTreeMap<u32, (String, u64)>);

impl Cpu {
    /// Of the process; nothing where there is no `/proc`.
    pub(super) fn of(process: u32) -> Self {
        let mut threads = BTreeMap::new();
        for entry in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).ok();
            let (Some(name), Some(times)) = (read("comm"), read("schedstat")) else { continue };
            let id = entry.file_name().to_str().and_then(|id| id.parse().ok());
            let spent = times.split_whitespace().next().and_then(|spent| spent.parse().ok());
            if let (Some(id), Some(spent)) = (id, spent) {
                threads.insert(id, (name.trim().to_owned(), spent));
            }
        }
        Self(threads)
    }

    /// What was spent since `before`, by kind of thread.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<&'static str, u64> {
        let mut threads = BTreeMap::new();
        for (id, (name, spent)) in &self.0 {
            let before = before.0.get(id).map_or(0, |(_, before)| *before);
            *threads.entry(kind(name)).or_default() += spent.saturating_sub(before);
        }
        threads
    }
}

/// Which part of the way a thread walks, by its name.
fn kind(thread: &str) -> &'static str {
    const KINDS: [(&str, &str); 6] = [
        ("worker-", "lanes"),
        ("publisher", "publish"),
        ("keeper", "checkpoint"),
        // Delivery reports, and the client's own threads: protocol, checksums, compression.
        ("producer polling", "client"),
        ("rdk:", "client"),
        ("feedback", "feedback"),
    ];
    // The kernel keeps 15 bytes of a name.
    let starts = |start: &str| thread.starts_with(start.get(..15).unwrap_or(start));
    KINDS.iter().find(|(start, _)| starts(start)).map_or("other", |(_, kind)| kind)
}

/// The process that listens on a port of this machine, when there is one and we may see it.
pub(super) fn listener(port: u16) -> Option<u32> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| table.lines().find_map(|line| listening(line, port).map(str::to_owned)))?;
    let socket = format!("socket:[{inode}]");
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let open = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        if open.map(|file| file.path()).any(|file| is_link_to(&file, &socket)) {
            return Some(process);
        }
    }
    None
}

fn is_link_to(file: &Path, socket: &str) -> bool {
    std::fs::read_link(file).is_ok_and(|target| target.as_os_str() == socket)
}

/// The inode of a line of the kernel's table of sockets, when it listens on `port`.
fn listening(line: &str, port: u16) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?;
    let (_, found) = local.rsplit_once(':')?;
    (state == LISTEN && u16::from_str_radix(found, 16) == Ok(port)).then_some(inode)
}

const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_told_by_their_names() {
        for (thread, expected) in [
            ("worker-0", "lanes"),
            ("publisher", "publish"),
            ("producer pollin", "client"),
            ("rdk:broker1", "client"),
            ("keeper", "checkpoint"),
            ("ward", "other"),
        ] {
            assert_eq!(kind(thread), expected, "{thread}");
        }
    }

    #[test]
    fn a_listener_is_found_in_the_table_of_sockets() {
        let line = "   1: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 48213 1 0000 100 0 0 10 0";
        assert_eq!(listening(line, 9092), Some("48213"));
        assert_eq!(listening(line, 9093), None);
        assert_eq!(listening(&line.replace(" 0A ", " 01 "), 9092), None);
        assert_eq!(listening("  sl  local_address rem_address   st", 9092), None);
    }

    #[test]
    fn what_was_spent_is_the_difference() {
        let cpu = |spent| {
            Cpu(BTreeMap::from([(1, ("worker-0".to_owned(), spent)), (2, ("rdk:main".to_owned(), 5))]))
        };
        let spent = cpu(70).since(&cpu(50));
        assert_eq!(spent, BTreeMap::from([("lanes", 20), ("client", 0)]));
        assert_eq!(cpu(70).since(&Cpu::default())["lanes"], 70);
    }
}
