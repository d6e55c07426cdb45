//! The chain of published decisions, walked: each holds the hash of all before it, so one that was
//! changed, taken out, put in or moved shows at the first decision after.
//!
//! What a chain cannot show is its own end: who cuts the last decisions off, or writes all of them
//! anew, leaves a chain that holds. Against that stand signed heads: how far each chain had come, kept
//! and signed elsewhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::engine::emit::next_chain;
use crate::model::id::Digest;

/// One published decision, as far as its chain goes.
#[derive(Clone, Copy, Debug)]
pub struct Link<'l> {
    /// The line of a file, or the offset in the topic of decisions.
    pub place: u64,
    /// Of the event.
    pub offset: i64,
    /// What the chain was taken over, or why that cannot be said.
    pub body: Result<&'l [u8], &'l str>,
    pub chain: Digest,
}

/// A decision that does not follow from what stands before it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Break {
    /// The line of a file, or the offset in the topic of decisions.
    pub place: u64,
    /// Of the event.
    pub offset: i64,
    /// The chain that the decision and those before it make.
    pub expected: String,
    /// The chain that it carries.
    pub found: String,
    /// Why nothing was expected.
    pub what: Option<String>,
}

/// How far the chain of a partition has come.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Head {
    pub topic: Option<String>,
    pub partition: i32,
    pub decisions: u64,
    /// Of the event of the last decision.
    pub offset: i64,
    /// After it.
    pub chain: Digest,
}

/// The walk along one chain.
#[derive(Clone, Debug)]
pub struct Walk {
    /// After the last decision; `None` while a walk that begins in the middle has seen none.
    chain: Option<Digest>,
    decisions: u64,
    offset: Option<i64>,
    breaks: u64,
    first_break: Option<Break>,
    /// What is looked for: offset, chain, and whether it was passed.
    expected: Option<(i64, Digest, Option<Digest>)>,
}

impl Walk {
    /// From the beginning of the chain; or from its middle, where the first decision is taken as it is.
    #[must_use]
    pub fn new(from_the_middle: bool) -> Self {
        Self {
            chain: (!from_the_middle).then_some(Digest::ZERO),
            decisions: 0,
            offset: None,
            breaks: 0,
            first_break: None,
            expected: None,
        }
    }

    /// Looks for a head of another time on the way.
    pub fn look_for(&mut self, head: &Head) {
        self.expected = Some((head.offset, head.chain, None));
    }

    /// Takes the next decision. After a break it goes on from the chain that stands there.
    pub fn take(&mut self, link: Link<'_>) {
        let Link { place, offset, body, chain } = link;
        if let Some(before) = self.chain {
            let (expected, what) = match body {
                Ok(body) => (Some(next_chain(before, body)), None),
                Err(what) => (None, Some(what.to_owned())),
            };
            if expected != Some(chain) {
                self.breaks += 1;
                self.first_break.get_or_insert_with(|| Break {
                    place,
                    offset,
                    expected: expected.map(|chain| chain.to_string()).unwrap_or_default(),
                    found: chain.to_string(),
                    what,
                });
            }
        }
        if let Some((wanted, _, passed)) = &mut self.expected
            && *wanted == offset
        {
            *passed = Some(chain);
        }
        self.chain = Some(chain);
        self.decisions += 1;
        self.offset = Some(offset);
    }

    #[must_use]
    pub const fn decisions(&self) -> u64 {
        self.decisions
    }

    #[must_use]
    pub const fn breaks(&self) -> u64 {
        self.breaks
    }

    #[must_use]
    pub const fn first_break(&self) -> Option<&Break> {
        self.first_break.as_ref()
    }

    /// How far it came; `None` without any decision.
    #[must_use]
    pub fn head(&self, topic: Option<&str>, partition: i32) -> Option<Head> {
        Some(Head {
            topic: topic.map(str::to_owned),
            partition,
            decisions: self.decisions,
            offset: self.offset?,
            chain: self.chain?,
        })
    }

    /// What is wrong with the head that was looked for; `None` when it was passed as it was.
    #[must_use]
    pub fn missed(&self) -> Option<String> {
        let (offset, chain, passed) = self.expected?;
        match passed {
            Some(passed) if passed == chain => None,
            Some(passed) => Some(format!(
                "the decision of event offset {offset} carries the chain {passed}, expected {chain}: \
                 decisions up to there were written anew"
            )),
            None => Some(format!(
                "the decision of event offset {offset} is not there, expected one with the chain {chain}: \
                 decisions were taken out, or the log was cut off"
            )),
        }
    }
}

/// Heads of chains as they are signed: one line each, in the order of topic and partition.
#[must_use]
pub fn signed_text(heads: &[Head]) -> String {
    let ordered: BTreeMap<_, _> =
        heads.iter().map(|head| ((head.topic.as_deref().unwrap_or("-"), head.partition), head)).collect();
    let mut text = String::from("ward heads 1\n");
    for ((topic, partition), Head { decisions, offset, chain, .. }) in ordered {
        // Writing into a string cannot fail. A topic's name holds no blank.
        let _written = writeln!(text, "{topic} {partition} {decisions} {offset} {chain}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of bodies, and what became of it: the words say what is done to it before the walk.
    #[track_caller]
    fn check(change: impl Fn(&mut Vec<(Vec<u8>, Digest)>), expected: Option<u64>) {
        let mut chain = Digest::ZERO;
        let mut log: Vec<_> = (0..5_u8)
            .map(|number| {
                let body = vec![number; 3];
                chain = next_chain(chain, &body);
                (body, chain)
            })
            .collect();
        change(&mut log);
        let mut walk = Walk::new(false);
        for (place, (body, chain)) in (0..).zip(&log) {
            let offset = i64::from(body[0]);
            walk.take(Link { place, offset, body: Ok(body), chain: *chain });
        }
        assert_eq!(walk.first_break().map(|found| found.place), expected);
        assert_eq!(walk.breaks() > 0, expected.is_some());
    }

    #[test]
    fn finds_what_was_changed_taken_out_put_in_or_moved() {
        check(|_| (), None);
        check(|log| log[2].0[1] = 9, Some(2));
        check(|log| log[2].1 = Digest([7; 32]), Some(2));
        check(|log| drop(log.remove(2)), Some(2));
        check(|log| drop(log.remove(0)), Some(0));
        check(|log| log.insert(3, (vec![8], Digest([1; 32]))), Some(3));
        check(|log| log.swap(1, 3), Some(1));
        // A chain does not know its own end.
        check(|log| log.truncate(3), None);
    }

    #[test]
    fn a_head_is_passed_as_it_was_or_missed() {
        let mut walk = Walk::new(true);
        let link =
            |offset: i64, chain: u8| Link { place: 0, offset, body: Ok(&[]), chain: Digest([chain; 32]) };
        let head = |offset, chain| Head {
            topic: None,
            partition: 0,
            decisions: 1,
            offset,
            chain: Digest([chain; 32]),
        };
        walk.take(link(4, 1));
        assert_eq!(walk.breaks(), 0, "in the middle the first is taken as it is");
        for (wanted, missed) in
            [(head(5, 2), None), (head(5, 3), Some("written anew")), (head(6, 2), Some("cut off"))]
        {
            let mut walk = walk.clone();
            walk.look_for(&wanted);
            walk.take(link(5, 2));
            assert_eq!(walk.missed().is_some(), missed.is_some());
            assert!(missed.is_none_or(|word| walk.missed().unwrap().contains(word)));
        }
    }

    #[test]
    fn what_is_signed_has_one_order() {
        let head = |topic: Option<&str>, partition| Head {
            topic: topic.map(Into::into),
            partition,
            decisions: 2,
            offset: 7,
            chain: Digest::ZERO,
        };
        let text = signed_text(&[head(Some("t"), 10), head(Some("t"), 9), head(None, 0)]);
        let zero = "0".repeat(64);
        assert_eq!(text, format!("ward heads 1\n- 0 2 7 {zero}\nt 9 2 7 {zero}\nt 10 2 7 {zero}\n"));
        assert_eq!(text, signed_text(&[head(None, 0), head(Some("t"), 9), head(Some("t"), 10)]));
    }
}
