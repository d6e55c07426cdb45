//! Compares what came out with the yardstick, and counts: lost, duplicated, reordered, diverged, broken.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use serde_json::Value;
use wardstream::engine::policy::Policy;

use super::yardstick::{Expected, fold};
use crate::live::foreign;
use crate::live::ward::World;

/// What was found, in numbers. The last five are what must be nought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) input: usize,
    pub(super) repeats: usize,
    pub(super) decisions: usize,
    pub(super) alerts: usize,
    pub(super) revocations: usize,
    pub(super) rejected: usize,
    pub(super) parts: usize,
    pub(super) lost: usize,
    pub(super) duplicated: usize,
    pub(super) reordered: usize,
    /// Not what the fold says, or called for by no input.
    pub(super) diverged: usize,
    pub(super) broken: usize,
}

/// The verdict, with the first of each kind of mistake in words, and the outputs that they lie in.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) words: Vec<String>,
    /// Topic (as the world names it) and partition.
    pub(super) places: BTreeSet<(&'static str, i64)>,
    told: BTreeMap<(&'static str, Wrong), usize>,
}

impl Verdict {
    pub(super) const fn mistakes(&self) -> usize {
        self.lost + self.duplicated + self.reordered + self.diverged + self.broken
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.input += other.input;
        self.repeats += other.repeats;
        self.decisions += other.decisions;
        self.alerts += other.alerts;
        self.revocations += other.revocations;
        self.rejected += other.rejected;
        self.parts += other.parts;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.diverged += other.diverged;
        self.broken += other.broken;
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  in     {} records, {} of them repeats and {} no events",
            self.input, self.repeats, self.rejected
        )?;
        writeln!(
            f,
            "  out    {} decisions, {} alerts, {} revocations, {} profile parts",
            self.decisions, self.alerts, self.revocations, self.parts
        )?;
        writeln!(
            f,
            "  wrong  lost {}, duplicated {}, reordered {}, diverged {}, chain broken {}",
            self.lost, self.duplicated, self.reordered, self.diverged, self.broken
        )
    }
}

/// Reads everything with somebody else's client, read_committed, and judges it.
#[track_caller]
pub(super) fn judge(world: &World, policies: &[Policy]) -> Judged {
    let read = |name: &str| foreign::read_all(&world.broker, &world.topic(name));
    let (input, decisions) = (read("events"), read("decisions"));
    let mut decided_by = BTreeMap::new();
    for record in &decisions {
        let value = &record["value"];
        let at = (number(&value["position"]["partition"]), number(&value["position"]["offset"]));
        decided_by.entry(at).or_insert_with(|| text(&value["basis"]["policy"]));
    }
    let expected = fold(&world.topic("events"), &input, policies, &decided_by);

    let mut judged = Judged::default();
    judged.verdict.input = input.len();
    judged.verdict.repeats = expected.repeats;
    judged.decisions(&expected, &decisions);
    judged.verified(world);
    let by_id = |name: &'static str, ids: &'static [&'static str], expected: &BTreeMap<i64, Vec<Value>>| {
        let tell = |value: &Value| ids.iter().map(|id| text(&value[*id])).collect::<Vec<_>>().join(" ");
        let expected = grouped(expected.iter().flat_map(|(p, all)| all.iter().map(|one| (*p, tell(one)))));
        let found = read(name);
        let found = grouped(found.iter().map(|one| (number(&one["partition"]), tell(&one["value"]))));
        (name, expected, found)
    };
    let (name, wanted, found) =
        by_id("alerts", &["alert_id", "update", "kind", "decision_id"], &expected.alerts);
    judged.verdict.alerts = judged.compare(name, &wanted, &found);
    let (name, wanted, found) =
        by_id("revocations", &["revocation_id", "decision_id"], &expected.revocations);
    judged.verdict.revocations = judged.compare(name, &wanted, &found);
    let wanted =
        grouped(expected.rejected.iter().flat_map(|(p, all)| all.iter().map(|at| (*p, at.to_string()))));
    let found = read("rejected");
    let found = grouped(
        found.iter().map(|one| (number(&one["partition"]), text(&one["value"]["position"]["offset"]))),
    );
    judged.verdict.rejected = judged.compare("rejected", &wanted, &found);
    judged.profiles(&expected, &read("profiles"));
    judged
}

impl Judged {
    fn decisions(&mut self, expected: &Expected, found: &[Value]) {
        let offset = |value: &Value| text(&value["position"]["offset"]);
        let wanted =
            grouped(expected.decisions.iter().flat_map(|(p, all)| all.iter().map(|one| (*p, offset(one)))));
        let by_partition = grouped(found.iter().map(|one| (number(&one["partition"]), &one["value"])));
        let offsets = by_partition.iter().map(|(p, all)| (*p, all.iter().map(|one| offset(one)).collect()));
        self.verdict.decisions = self.compare("decisions", &wanted, &offsets.collect());

        for (partition, found) in &by_partition {
            let expected: BTreeMap<_, _> = expected
                .decisions
                .get(partition)
                .into_iter()
                .flatten()
                .map(|one| (offset(one), one))
                .collect();
            let mut linked = true;
            for value in found {
                let Some(wanted) = expected.get(&offset(value)) else { continue };
                let plain = |value: &Value| {
                    let mut value = value.clone();
                    value["chain"] = Value::Null;
                    value
                };
                let same = plain(wanted) == plain(value);
                self.note(!same, "decisions", *partition, Wrong::Diverged, || {
                    format!("{value} is not {wanted}")
                });
                // Once it has parted from the fold's, it never meets it again.
                let links = wanted["chain"] == value["chain"];
                self.note(linked && !links, "decisions", *partition, Wrong::Broken, || {
                    format!("the chain is another one from {} on", offset(value))
                });
                linked = links;
            }
        }
    }

    /// The product's own opinion of the chains, from the bytes as they lie in the topic.
    fn verified(&mut self, world: &World) {
        let output = world.ward(&["verify", "--json"]);
        let fine = output.status.code() == Some(0);
        self.note(!fine, "decisions", 0, Wrong::Broken, || {
            let told = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
            format!("ward verify: {}", String::from_utf8_lossy(&told))
        });
    }

    /// The state that a restore would find: of each key the last value.
    fn profiles(&mut self, expected: &Expected, found: &[Value]) {
        let mut last = BTreeMap::new();
        for record in found {
            let key = text(&record["key"]);
            // The mark of a unit of which nobody learned.
            if let Some((user, part)) = key.split_once('\0').filter(|(user, _)| !user.is_empty()) {
                let state = text(&record["value"]["state"]);
                last.insert((user.to_owned(), part.to_owned()), (number(&record["partition"]), state));
            }
        }
        last.retain(|_, (_, state)| state != "null");
        self.verdict.parts = last.len();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for (key, state) in &expected.profiles {
            let (partition, found) = last.remove(key).unwrap_or_else(|| (0, "nothing".into()));
            let wanted = hex(state);
            self.note(found != wanted, "profiles", partition, Wrong::Diverged, || {
                format!("{key:?} is {found}, not {wanted}")
            });
        }
        for (key, (partition, _)) in last {
            self.note(true, "profiles", partition, Wrong::Diverged, || {
                format!("{key:?} is there, and no input calls for it")
            });
        }
    }

    /// What must be there once and in order, by partition. Gives how much was found.
    fn compare(
        &mut self,
        name: &'static str,
        wanted: &BTreeMap<i64, Vec<String>>,
        found: &BTreeMap<i64, Vec<String>>,
    ) -> usize {
        let none = Vec::new();
        for partition in wanted.keys().chain(found.keys()).copied().collect::<BTreeSet<_>>() {
            let (wanted, found) =
                (wanted.get(&partition).unwrap_or(&none), found.get(&partition).unwrap_or(&none));
            // The same may be called for twice: of an event that was forgotten there are two decisions.
            let mut places = BTreeMap::<_, VecDeque<_>>::new();
            wanted.iter().enumerate().for_each(|(at, one)| places.entry(one).or_default().push_back(at));
            let mut last = 0;
            for one in found {
                let place = places.get_mut(one).map(VecDeque::pop_front);
                self.note(place.is_none(), name, partition, Wrong::Diverged, || {
                    format!("`{one}` is there, and no input calls for it")
                });
                self.note(place == Some(None), name, partition, Wrong::Duplicated, || {
                    format!("`{one}` comes again")
                });
                let at = place.flatten().unwrap_or(last);
                self.note(at < last, name, partition, Wrong::Reordered, || {
                    format!("`{one}` comes after what follows it")
                });
                last = last.max(at);
            }
            for (one, left) in places {
                for _ in left {
                    self.note(true, name, partition, Wrong::Lost, || format!("`{one}` is not there"));
                }
            }
        }
        found.values().map(Vec::len).sum()
    }

    fn note(
        &mut self,
        wrong: bool,
        name: &'static str,
        partition: i64,
        kind: Wrong,
        words: impl FnOnce() -> String,
    ) {
        if !wrong {
            return;
        }
        let count = match kind {
            Wrong::Lost => &mut self.verdict.lost,
            Wrong::Duplicated => &mut self.verdict.duplicated,
            Wrong::Reordered => &mut self.verdict.reordered,
            Wrong::Diverged => &mut self.verdict.diverged,
            Wrong::Broken => &mut self.verdict.broken,
        };
        *count += 1;
        self.places.insert((name, partition));
        let told = self.told.entry((name, kind)).or_default();
        *told += 1;
        if *told <= WORDS_MAX {
            self.words.push(format!("{name}, partition {partition}: {}", words()));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Lost,
    Duplicated,
    Reordered,
    Diverged,
    Broken,
}

fn grouped<T>(all: impl Iterator<Item = (i64, T)>) -> BTreeMap<i64, Vec<T>> {
    let mut groups = BTreeMap::<i64, Vec<T>>::new();
    all.for_each(|(partition, one)| groups.entry(partition).or_default().push(one));
    groups
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
}

/// A word as it is, anything else as JSON has it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Of each kind in each topic: enough to begin with.
const WORDS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, found: &str, expected: [usize; 4]) {
        let list = |text: &str| {
            BTreeMap::from([(0, text.split(' ').map(str::to_owned).filter(|one| !one.is_empty()).collect())])
        };
        let mut judged = Judged::default();
        judged.compare("decisions", &list(wanted), &list(found));
        let Verdict { lost, duplicated, reordered, diverged, .. } = judged.verdict;
        assert_eq!([lost, duplicated, reordered, diverged], expected);
        assert_eq!(judged.words.is_empty(), expected == [0; 4]);
    }

    #[test]
    fn mistakes_are_counted_by_their_kind() {
        check("a b c", "a b c", [0, 0, 0, 0]);
        check("a b c", "a c", [1, 0, 0, 0]);
        check("a b c", "a b b c a", [0, 2, 0, 0]);
        check("a b c", "b a c", [0, 0, 1, 0]);
        check("a b c", "a x b c", [0, 0, 0, 1]);
        check("", "x", [0, 0, 0, 1]);
        check("a", "", [1, 0, 0, 0]);
        check("a b a", "a b a", [0, 0, 0, 0]);
        check("a b a", "a b a a", [0, 1, 0, 0]);
    }
}
