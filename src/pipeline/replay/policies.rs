//! Which policy decided, and which one is asked about.

use std::collections::BTreeMap;

use crate::engine::policy::Policy;
use crate::model::id::Digest;

/// The policies of a replay.
#[derive(Debug)]
pub struct Policies {
    known: BTreeMap<Digest, Policy>,
    /// Decides everything, whoever decided before.
    first: Option<Digest>,
    second: Option<Digest>,
    /// What stands in for a policy that decided where nothing was published.
    fallback: Digest,
}

/// The policies for one event.
#[derive(Clone, Copy, Debug)]
pub struct Deciding<'p> {
    pub first: &'p Policy,
    pub second: Option<&'p Policy>,
}

/// A decision rests on a policy that nobody gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the policy sha256:{0} decided here, and it is none of those at hand (shipped and given); name its file with --policy"
)]
pub struct Unknown(pub Digest);

impl Policies {
    /// `given` in the order of the command line, beside the `shipped` ones; `decided` is the policy of
    /// the first published decision.
    ///
    /// One given policy that did not decide is compared with the one that did; of two, the first
    /// stands for what is and the second for what would be.
    ///
    /// # Errors
    /// When the policy that decided is not at hand.
    pub fn choose(
        given: Vec<Policy>,
        shipped: Vec<Policy>,
        decided: Option<Digest>,
    ) -> Result<Self, Unknown> {
        let order: Vec<Digest> = given.iter().map(|policy| policy.digest).collect();
        let default = shipped.last().map(|policy| policy.digest);
        let known: BTreeMap<_, _> =
            shipped.into_iter().chain(given).map(|policy| (policy.digest, policy)).collect();
        let (first, second) = match (order.as_slice(), decided) {
            ([], _) => (None, None),
            ([only], Some(decided)) if *only == decided => (None, None),
            ([only], Some(_)) => (None, Some(*only)),
            ([only], None) => (Some(*only), None),
            ([first, second, ..], Some(decided)) if *first == decided => (None, Some(*second)),
            ([first, second, ..], _) => (Some(*first), Some(*second)),
        };
        let fallback = first.or(decided).or(default).unwrap_or(Digest::ZERO);
        if !known.contains_key(&fallback) {
            return Err(Unknown(fallback));
        }
        Ok(Self { known, first, second, fallback })
    }

    /// Those of an event that `decided` has decided.
    ///
    /// # Errors
    /// When it is not at hand.
    pub fn deciding(&self, decided: Option<Digest>) -> Result<Deciding<'_>, Unknown> {
        let first = self.first.or(decided).unwrap_or(self.fallback);
        Ok(Deciding { first: self.known.get(&first).ok_or(Unknown(first))?, second: self.second() })
    }

    /// What is compared with: with none, decisions are only made again.
    #[must_use]
    pub fn second(&self) -> Option<&Policy> {
        self.known.get(&self.second?)
    }

    /// What stands first: the one that decided, at the beginning.
    #[must_use]
    pub fn first(&self) -> Option<&Policy> {
        self.known.get(&self.fallback)
    }

    /// Both sides are recomputed: what was published is of neither.
    #[must_use]
    pub const fn is_hypothetical(&self) -> bool {
        self.first.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(name: &str) -> Policy {
        Policy::shipped(name).unwrap()
    }

    fn named(text: &str) -> Policy {
        crate::engine::policy::parse("p.toml", text, &mut |_| {
            Ok(crate::engine::policy::Extended {
                file: "seed".into(),
                text: crate::engine::policy::shipped("seed").unwrap().into(),
            })
        })
        .unwrap()
    }

    /// What stands first and second for a decision of `seed`.
    #[track_caller]
    fn check(
        given: &[&Policy],
        decided: Option<&Policy>,
        expected: Result<(&Policy, Option<&Policy>), Digest>,
    ) {
        let shipped = vec![policy("seed"), policy("default")];
        let given = given.iter().map(|policy| (*policy).clone()).collect();
        let chosen = Policies::choose(given, shipped, decided.map(|policy| policy.digest));
        let digests =
            |(first, second): (&Policy, Option<&Policy>)| (first.digest, second.map(|it| it.digest));
        let found = chosen
            .as_ref()
            .map_err(|Unknown(digest)| *digest)
            .map(|chosen| chosen.deciding(decided.map(|policy| policy.digest)).unwrap())
            .map(|deciding| digests((deciding.first, deciding.second)));
        assert_eq!(found, expected.map(digests));
    }

    #[test]
    fn the_policy_that_decided_stands_first() {
        let (seed, default) = (policy("seed"), policy("default"));
        let mine = named("version = 1\nextends = 'seed'\n[levels]\nmedium = 15");
        check(&[], Some(&seed), Ok((&seed, None)));
        check(&[&seed], Some(&seed), Ok((&seed, None)));
        check(&[&default], Some(&seed), Ok((&seed, Some(&default))));
        check(&[&seed, &mine], Some(&seed), Ok((&seed, Some(&mine))));
        check(&[&mine, &default], Some(&seed), Ok((&mine, Some(&default))));
        check(&[&mine], Some(&mine), Ok((&mine, None)));
        check(&[], Some(&mine), Err(mine.digest));
        check(&[&default], Some(&mine), Err(mine.digest));
        check(&[], None, Ok((&default, None)));
        check(&[&mine, &seed], None, Ok((&mine, Some(&seed))));
    }
}
