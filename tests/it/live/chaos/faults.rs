//! Doing each fault, on a field that is running.

use std::path::Path;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use wardstream::halts::Point;

use super::field::Field;
use super::plan::{Clean, Fault, Harm, Step};
use crate::sim::script::Dice;

impl Field {
    /// Does one fault, and says what was done to whom.
    pub(super) fn suffer(&mut self, step: Step) -> String {
        self.tend();
        let mut dice = Dice(step.whom);
        let running: Vec<_> = self.running.keys().copied().collect();
        let whom = if running.is_empty() { 0 } else { dice.pick(&running) };
        let done = match step.fault {
            Fault::Kill => self.killed(whom, &mut dice),
            Fault::KillAt(Point::AmidRestore) => self.killed_in_a_restore(whom),
            Fault::KillAt(Point::BeforeRelease) => self.killed_before_a_release(whom),
            Fault::KillAt(point) => self.killed_at(whom, point),
            Fault::Sleep(point) => self.sleeps(whom, point),
            Fault::Nap => self.naps(whom),
            Fault::Restart => {
                self.end(whom, "TERM");
                self.start(whom);
                String::new()
            }
            Fault::Join => self.joins(),
            Fault::Leave => self.leaves(whom, &mut dice),
            Fault::Store(harm, clean) => self.store(whom, harm, clean, &mut dice),
            Fault::DiskFull => self.disk_full(whom),
            Fault::OffsetsDeleted => self.offsets_deleted(),
            Fault::Policy => self.policy(&mut dice),
            Fault::Cut => {
                self.door(whom).cut(false);
                String::new()
            }
            Fault::Dark(seconds) => self.through_the_door(whom, seconds, |door| door.cut(true)),
            Fault::Late(seconds) => self.through_the_door(whom, seconds, |door| door.hold_requests()),
            Fault::Deaf(seconds) => {
                self.door(whom).hold_answers();
                pause(seconds * 1000);
                // The answers that are on their way go down with the connections.
                self.door(whom).cut(false);
                self.door(whom).calm();
                format!("{seconds} s")
            }
            Fault::Slow(millis) => {
                self.through_the_door(whom, 4, |door| door.slow(Duration::from_millis(millis)));
                format!("{millis} ms a piece for 4 s")
            }
            Fault::BrokerKilled | Fault::BrokerStopped | Fault::BrokerFrozen(_) => {
                self.broker(step.fault, &mut dice)
            }
        };
        let of_one = !matches!(
            step.fault,
            Fault::Policy
                | Fault::OffsetsDeleted
                | Fault::Join
                | Fault::BrokerKilled
                | Fault::BrokerStopped
                | Fault::BrokerFrozen(_)
        );
        let whom = if of_one { Self::name(whom) } else { String::new() };
        [whom, done].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    fn killed(&mut self, whom: usize, dice: &mut Dice) -> String {
        self.end(whom, "KILL");
        let away = dice.pick(&[0, 0, 2, 9]);
        pause(away * 1000);
        self.start(whom);
        format!("back after {away} s")
    }

    /// Lets a process come to a point, and stands it still there; `false` when it did not come.
    fn stands_at(&mut self, whom: usize, point: Point) -> bool {
        let file = self.halts(whom);
        let already = self.running.get(&whom).is_some_and(|ward| is_stopped(ward.id()));
        if !already {
            self.names(whom, point);
        }
        let deadline = Instant::now() + POINT_PATIENCE;
        while Instant::now() < deadline {
            let Some(ward) = self.running.get_mut(&whom) else { break };
            if ward.ended().is_some() {
                break;
            }
            if !file.exists() && is_stopped(ward.id()) {
                return true;
            }
            pause(5);
        }
        // Whoever comes there later must not stop.
        if std::fs::remove_file(&file).is_err()
            && let Some(ward) = self.running.get(&whom)
        {
            ward.signal("CONT");
        }
        false
    }

    /// Writes the point's name where the process looks for it.
    fn names(&self, whom: usize, point: Point) {
        let file = self.halts(whom);
        std::fs::write(file.with_extension("new"), point.name()).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
    }

    fn killed_at(&mut self, whom: usize, point: Point) -> String {
        let came = self.stands_at(whom, point);
        self.end(whom, "KILL");
        self.start(whom);
        if came { String::new() } else { "did not come there, killed anywhere".into() }
    }

    fn killed_in_a_restore(&mut self, whom: usize) -> String {
        self.end(whom, "KILL");
        drop(std::fs::remove_dir_all(self.state(whom)));
        self.start(whom);
        self.killed_at(whom, Point::AmidRestore)
    }

    /// Somebody comes, so that partitions move.
    fn killed_before_a_release(&mut self, whom: usize) -> String {
        let other = (0..self.places()).find(|number| *number != whom).unwrap();
        let absent = (0..self.places()).find(|number| !self.running.contains_key(number));
        if absent.is_none() {
            // Its partitions go to the others before it comes again.
            self.end(other, "KILL");
            pause(SLEEP_MILLIS);
        }
        self.names(whom, Point::BeforeRelease);
        self.start(absent.unwrap_or(other));
        self.killed_at(whom, Point::BeforeRelease)
    }

    fn sleeps(&mut self, whom: usize, point: Option<Point>) -> String {
        let came = point.is_none_or(|point| self.stands_at(whom, point));
        self.signal(whom, "STOP");
        pause(SLEEP_MILLIS);
        self.signal(whom, "CONT");
        if came { String::new() } else { "did not come there, stopped anywhere".into() }
    }

    fn naps(&mut self, whom: usize) -> String {
        self.signal(whom, "STOP");
        pause(2_500);
        self.signal(whom, "CONT");
        String::new()
    }

    fn signal(&mut self, whom: usize, signal: &str) {
        if let Some(ward) = self.running.get_mut(&whom)
            && ward.ended().is_none()
        {
            ward.signal(signal);
        }
    }

    fn joins(&mut self) -> String {
        match (0..self.places()).find(|number| !self.running.contains_key(number)) {
            Some(number) => {
                self.start(number);
                Self::name(number)
            }
            None => {
                self.end(0, "TERM");
                self.start(0);
                "all are there; ward-0 comes again".into()
            }
        }
    }

    fn leaves(&mut self, whom: usize, dice: &mut Dice) -> String {
        let signal = dice.pick(&["TERM", "KILL"]);
        self.end(whom, signal);
        if self.running.is_empty() {
            pause(1_000);
            self.start(whom);
            return format!("by SIG{signal}; the last, so back after 1 s");
        }
        format!("by SIG{signal}")
    }

    fn store(&mut self, whom: usize, harm: Harm, clean: Clean, dice: &mut Dice) -> String {
        let folder = self.state(whom);
        let kept = folder.with_extension("kept");
        if harm == Harm::Old {
            // What it is now; then it goes on for a while.
            self.end(whom, "TERM");
            drop(std::fs::remove_dir_all(&kept));
            copy(&folder, &kept);
            self.start(whom);
            pause(4_000);
        }
        self.end(whom, if clean == Clean::Clean { "TERM" } else { "KILL" });
        let done = match harm {
            Harm::Deleted => std::fs::remove_dir_all(&folder).map(|()| String::new()).unwrap_or_default(),
            Harm::Truncated => each_file(&folder, dice, |bytes, dice| {
                let left = dice.roll(bytes.len() as u64 + 1);
                bytes.truncate(usize::try_from(left).unwrap());
            }),
            Harm::Flipped => each_file(&folder, dice, |bytes, dice| {
                for _ in 0..1 + dice.roll(8) {
                    let at = usize::try_from(dice.roll(bytes.len().max(1) as u64)).unwrap();
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << dice.roll(8);
                    }
                }
            }),
            Harm::KeysRemoved => keys_removed(&folder, dice),
            Harm::Old => {
                drop(std::fs::remove_dir_all(&folder));
                copy(&kept, &folder);
                String::new()
            }
        };
        self.start(whom);
        done
    }

    /// Runs on a disk of its own, which is then filled.
    fn disk_full(&mut self, whom: usize) -> String {
        self.end(whom, "TERM");
        let folder = self.state(whom);
        std::fs::create_dir_all(&folder).unwrap();
        let mount = "mount -t tmpfs -o size=$0 tmpfs \"$1\" && shift && exec \"$@\"";
        let state = folder.to_str().unwrap().to_owned();
        self.start_inside(
            whom,
            &["unshare", "--mount", "--map-root-user", "sh", "-c", mount, DISK_BYTES, &state],
        );
        pause(4_000);
        let Some(ward) = self.running.get_mut(&whom) else { return "not started".into() };
        let inside = format!("/proc/{}/root{state}/ballast", ward.id());
        let took = fill(Path::new(&inside));
        pause(4_000);
        // Room again, for the process to go on in place; then it leaves that disk for good.
        drop(std::fs::remove_file(&inside));
        pause(2_000);
        self.end(whom, "TERM");
        self.start(whom);
        format!("{} KiB of ballast", took >> 10)
    }

    /// Nobody may be in the group, so everybody is killed first.
    pub(super) fn offsets_deleted(&mut self) -> String {
        let running: Vec<_> = self.running.keys().copied().collect();
        running.iter().for_each(|number| self.end(*number, "KILL"));
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", self.world.broker.bootstrap()).create().unwrap();
        let asks = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let group = self.world.group();
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut said = String::from("was not possible");
        while Instant::now() < deadline {
            let answer = asks.block_on(admin.delete_groups(&[&group], &AdminOptions::new()));
            match answer.ok().and_then(|mut groups| groups.pop()) {
                Some(Ok(_)) => {
                    said = format!("of {group}");
                    break;
                }
                // Members are missed only after their session.
                other => {
                    said = format!("was not possible: {other:?}");
                    pause(300);
                }
            }
        }
        running.iter().for_each(|number| self.start(*number));
        said
    }

    fn policy(&mut self, dice: &mut Dice) -> String {
        let variant = self.next_policy(1 + dice.roll(2));
        for number in 0..self.places() {
            self.set_policy(number);
            if self.running.contains_key(&number) {
                pause(700);
            }
        }
        format!("to variant {variant}")
    }

    fn through_the_door(
        &mut self,
        whom: usize,
        seconds: u64,
        change: impl FnOnce(&super::proxy::Door),
    ) -> String {
        change(self.door(whom));
        pause(seconds * 1000);
        self.door(whom).calm();
        format!("{seconds} s")
    }

    fn broker(&mut self, fault: Fault, dice: &mut Dice) -> String {
        let node = 1 + dice.roll(self.nodes);
        let broker = &self.world.broker;
        let away = dice.pick(&[0, 1, 5]);
        match fault {
            Fault::BrokerFrozen(seconds) => {
                broker.signal_node(node, "STOP");
                pause(seconds * 1000);
                broker.signal_node(node, "CONT");
                return format!("node {node}, {seconds} s");
            }
            Fault::BrokerStopped => broker.stop_node(node),
            _ => broker.kill_node(node),
        }
        pause(away * 1000);
        broker.start_node(node);
        format!("node {node}, started again after {away} s")
    }
}

/// Whether the kernel has stopped it.
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

fn pause(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

/// Changes some of the files of a folder, at least one; says which.
fn each_file(folder: &Path, dice: &mut Dice, mut change: impl FnMut(&mut Vec<u8>, &mut Dice)) -> String {
    let mut files = Vec::new();
    list(folder, &mut files);
    files.sort();
    let (chosen, mut told) = (dice.roll(files.len().max(1) as u64), Vec::new());
    for (number, file) in files.iter().enumerate() {
        if number as u64 != chosen && dice.roll(2) == 0 {
            continue;
        }
        let mut bytes = std::fs::read(file).unwrap();
        change(&mut bytes, dice);
        std::fs::write(file, bytes).unwrap();
        told.push(file.file_name().unwrap().to_string_lossy().into_owned());
    }
    told.join(" ")
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // What was put aside before is nobody's any more.
        let aside = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("quarantine"));
        if path.is_dir() && !aside {
            list(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}

/// Takes some keys out of every tree, behind the back of the checkpoint.
fn keys_removed(folder: &Path, dice: &mut Dice) -> String {
    let Ok(db) = sled::Config::new().path(folder.join("profiles")).open() else {
        return "it did not open".into();
    };
    let mut removed = 0;
    for name in db.tree_names().into_iter().filter(|name| name.starts_with(b"p")) {
        let tree = db.open_tree(name).unwrap();
        let keys: Vec<_> = tree.iter().keys().flatten().filter(|key| !key.starts_with(&[0])).collect();
        for key in keys.iter().filter(|_| dice.roll(4) == 0) {
            tree.remove(key).unwrap();
            removed += 1;
        }
    }
    db.flush().unwrap();
    format!("{removed} keys")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

/// Writes until there is no more room; how much that took.
fn fill(ballast: &Path) -> usize {
    use std::io::Write as _;
    let Ok(mut file) = std::fs::File::create(ballast) else { return 0 };
    let mut took = 0;
    // Ever smaller pieces, down to the last byte.
    for size in [1 << 20, 64 << 10, 4 << 10, 1] {
        while file.write_all(&vec![0; size]).is_ok() {
            took += size;
        }
    }
    took
}

const POINT_PATIENCE: Duration = Duration::from_secs(12);
/// The session, which is 6 s here, and the time in which the others go on.
const SLEEP_MILLIS: u64 = 9_000;
const DISK_BYTES: &str = "12m";
