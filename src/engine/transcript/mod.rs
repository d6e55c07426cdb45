//! Transcripts: what an analyst would write down of a user's days, and what the engine says.
//!
//! `#` why · `>` an event in · `<` what comes out. A transcript is the whole engine: the line becomes
//! JSON, is decoded, enriched with the built-in table, and folded under the policy that it names.
//! `docs/policies.md` explains the form to those who write one.
//!
//! ```text
//! profile_ttl 30d                                     as `[identity]` has it; before `policy`, as the next
//! creates hr                                          a source that `[sources]` lets begin profiles
//! backfills log                                       a source that `[identity]` lets backfill
//! policy default
//! > 2026-01-05 09:00 ada login at=london device=laptop ua=chrome-mac factors=password
//! > 2026-01-06..2026-01-20 09:00 ada login …       every day; `weekdays` before the dates skips weekends
//! > 2026-01-05 09:00 x6 ada login failure …        six times, a minute apart
//! > 2026-01-05 09:00 u{1..25} login device=d{i} …  of each of 25 users, `{i}` being their number
//! ```

mod event;
mod fold;
mod say;

use std::time::Duration;

use self::fold::Fold;
use super::document::{Mistake, Place, quoted};
use super::policy::Policy;
use super::step::{Lifetime, Remembering};

/// What the event in `line` (from 1) gave, and what was written down. Lines without their `<`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub line: usize,
    pub event: String,
    pub written: Vec<String>,
    pub came_out: Vec<String>,
}

/// Plays the transcript `text` of `file` and returns it with its `<` lines as they come out now.
/// `policy` reads a policy by the name in a `policy` or `shadow` line; no such line is `default`.
///
/// # Errors
/// Every line that is none of a transcript, and every mistake of its policies.
pub fn play(
    file: &str,
    text: &str,
    policy: &dyn Fn(&str) -> Result<Policy, Vec<Mistake>>,
) -> Result<String, Vec<Mistake>> {
    play_watched(file, text, policy, &mut |_| ())
}

/// As [`play`]; `watch` sees every event, and each decision and alert as it would be published.
///
/// # Errors
/// As [`play`].
pub fn play_watched(
    file: &str,
    text: &str,
    policy: &dyn Fn(&str) -> Result<Policy, Vec<Mistake>>,
    watch: &mut dyn FnMut(&serde_json::Value),
) -> Result<String, Vec<Mistake>> {
    let mut playing = Playing {
        file,
        policy,
        watch,
        fold: None,
        shadow: None,
        remembering: Remembering::default(),
        backfill: Vec::new(),
        count: 0,
        mistakes: Vec::new(),
    };
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('<') {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        playing.line(number + 1, line, &mut out);
        if playing.mistakes.len() >= MISTAKES_MAX {
            break;
        }
    }
    // One without events would come out as written whatever the policy says.
    if playing.count == 0 && playing.mistakes.is_empty() {
        playing.mistake(1, "holds no event, expected a line that begins with `> `".to_owned());
    }
    if playing.mistakes.is_empty() { Ok(out) } else { Err(playing.mistakes) }
}

/// Where `came_out` is not what was written.
#[must_use]
pub fn differences(written: &str, came_out: &str) -> Vec<Difference> {
    let (written, came_out) = (blocks(written), blocks(came_out));
    let pairs = written.into_iter().zip(came_out);
    pairs
        .filter(|(before, after)| before.2 != after.2)
        .map(|((line, event, before), (_, _, after))| Difference {
            line,
            event: event.to_owned(),
            written: before.iter().map(|line| (*line).to_owned()).collect(),
            came_out: after.iter().map(|line| (*line).to_owned()).collect(),
        })
        .collect()
}

/// Every line that is no `<`, with the `<` lines below it.
fn blocks(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut blocks: Vec<(usize, &str, Vec<&str>)> = vec![(0, "", Vec::new())];
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix('<'), blocks.last_mut()) {
            (Some(said), Some((_, _, block))) => block.push(said),
            _ => blocks.push((number + 1, line, Vec::new())),
        }
    }
    blocks
}

struct Playing<'p> {
    file: &'p str,
    policy: &'p dyn Fn(&str) -> Result<Policy, Vec<Mistake>>,
    watch: &'p mut dyn FnMut(&serde_json::Value),
    fold: Option<Fold>,
    shadow: Option<Policy>,
    remembering: Remembering,
    backfill: Vec<String>,
    count: usize,
    mistakes: Vec<Mistake>,
}

impl Playing<'_> {
    fn line(&mut self, number: usize, line: &str, out: &mut String) {
        if let Some(name) = line.strip_prefix("policy ") {
            // From here on with nobody known.
            let policy = self.read(name);
            self.fold = policy.map(|policy| {
                Fold::new(
                    policy,
                    self.shadow.clone(),
                    Lifetime::of(self.remembering.clone()),
                    self.backfill.clone(),
                )
            });
        } else if let Some(name) = line.strip_prefix("shadow ") {
            if self.fold.is_some() {
                return self.mistake(number, "`shadow` comes before `policy`; move it up".to_owned());
            }
            self.shadow = self.read(name);
        } else if let Some(days) = line.strip_prefix("profile_ttl ") {
            match days.trim().strip_suffix('d').and_then(|days| days.parse::<u16>().ok()) {
                Some(days) => self.remembering.profile_ttl = Duration::from_secs(u64::from(days) * 86_400),
                None => self.mistake(
                    number,
                    format!("{} is no number of days, expected such as `30d`", quoted(days)),
                ),
            }
        } else if let Some(source) = line.strip_prefix("creates ") {
            self.remembering.creators.insert(source.trim().to_owned());
        } else if let Some(source) = line.strip_prefix("backfills ") {
            self.backfill.push(source.trim().to_owned());
        } else if let Some(event) = line.strip_prefix("> ") {
            match event::expand(event, EVENTS_MAX.saturating_sub(self.count)) {
                Ok(events) => self.fold_all(&events, out),
                Err(why) => self.mistake(number, why),
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            self.mistake(
                number,
                format!("{} is no line of a transcript, expected one that begins with `policy `, `shadow `, `profile_ttl `, `creates `, `backfills `, `> `, `< ` or `#`", quoted(line)),
            );
        }
    }

    fn read(&mut self, name: &str) -> Option<Policy> {
        (self.policy)(name.trim()).map_err(|mut found| self.mistakes.append(&mut found)).ok()
    }

    fn fold_all(&mut self, events: &[serde_json::Value], out: &mut String) {
        if self.fold.is_none() {
            let Some(policy) = self.read("default") else { return };
            self.fold = Some(Fold::new(
                policy,
                self.shadow.clone(),
                Lifetime::of(self.remembering.clone()),
                self.backfill.clone(),
            ));
        }
        let Some(fold) = &mut self.fold else { return };
        let mut last = String::new();
        for event in events {
            self.count += 1;
            let told = fold.next(event.to_string().as_bytes(), &format!("line:{}", self.count));
            if let Ok(Some(told)) = &told {
                (self.watch)(event);
                (self.watch)(&told.decision);
                told.alert.iter().for_each(&mut *self.watch);
            }
            last = say::lines(told);
        }
        out.push_str(&last);
    }

    fn mistake(&mut self, line: usize, text: String) {
        let place = Some(Place { line, column: 1 });
        self.mistakes.push(Mistake { file: self.file.to_owned(), place, text });
    }
}

/// Some years of a user's days.
const EVENTS_MAX: usize = 100_000;
/// A file of another kind altogether would otherwise fill the terminal.
const MISTAKES_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Result<Policy, Vec<Mistake>> {
        Policy::shipped(name).ok_or_else(|| vec![Mistake::of_file(name, "no such policy")])
    }

    const FIRST: &str =
        "# A first login.\n> 2026-01-05 09:00 ada login at=london device=laptop factors=password\n";

    #[test]
    fn plays_and_says_where_it_differs() {
        let written = format!("{FIRST}< 99 high deny\n");
        let came_out = play("t.txt", &written, &shipped).unwrap();
        assert!(
            came_out.starts_with(&format!("{FIRST}< 0 low allow learned=now history=none")),
            "{came_out}"
        );
        assert_eq!(play("t.txt", &came_out, &shipped).as_ref(), Ok(&came_out));

        let [difference] = differences(&written, &came_out).try_into().unwrap();
        assert_eq!((difference.line, difference.written), (2, vec![" 99 high deny".to_owned()]));
        assert!(differences(&came_out, &came_out).is_empty());
        assert_eq!(differences(FIRST, &came_out).len(), 1, "nothing written is a difference");
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mistakes = play("t.txt", text, &shipped).err().unwrap_or_default();
        assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn says_every_mistake_with_its_line() {
        for nothing in ["", "# Why.\n", "policy seed\n"] {
            check(nothing, &["t.txt:1:1: holds no event, expected a line that begins with `> `"]);
        }
        check(
            "policy none\n> 2026-01-05 ada login\nand then\n",
            &[
                "none: no such policy",
                "t.txt:2:1: `ada` is no time, expected one such as 09:00",
                "t.txt:3:1: `and then` is no line of a transcript, expected one that begins with `policy `, `shadow `, `profile_ttl `, `creates `, `backfills `, `> `, `< ` or `#`",
            ],
        );
        check("policy seed\nshadow default\n", &["t.txt:2:1: `shadow` comes before `policy`; move it up"]);
    }

    #[test]
    fn what_the_engine_does_not_take_is_told() {
        let told = play("t.txt", "> 2026-01-05 09:00 ada dance\n", &shipped).unwrap();
        assert!(told.contains("< rejected unknown_type: "), "{told}");
    }
}
