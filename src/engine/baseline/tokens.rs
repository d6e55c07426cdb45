//! Tokens: refresh tokens that were rotated away, so that one that comes again is known.
//!
//! Kept by session, as hashes of the handles that events name, each with the time at which it was
//! spent. What falls out is the session whose last rotation is longest ago, and of a session the
//! oldest token: whoever stole one has to use it soon or to hope.

use super::codec::{Error, Reader, Writer};
use super::few::Few;
use super::networks::key40;
use super::session::SESSIONS_MAX;
use crate::model::time::Timestamp;

pub const SPENT_MAX: usize = 12;

/// One spent token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// 40 bits of [`crate::engine::enrich::token_key`].
    pub key: u64,
    pub at: Timestamp,
}

/// The spent tokens of one session, the one spent last at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Family {
    pub session: u64,
    pub spent: Few<Spent, SPENT_MAX>,
}

impl Family {
    fn newest(&self) -> Timestamp {
        self.spent.iter().map(|spent| spent.at).max().unwrap_or(Timestamp::EPOCH)
    }
}

/// The spent tokens of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(Few<Family, SESSIONS_MAX>);

impl Tokens {
    /// Whatever session it names: a token belongs to one.
    #[must_use]
    pub fn find(&self, key: u64) -> Option<(&Family, &Spent)> {
        let in_family = |family: &'_ Family| family.spent.iter().position(|spent| spent.key == key40(key));
        let family = self.0.iter().find(|family| in_family(family).is_some())?;
        let spent = family.spent.get(in_family(family)?)?;
        Some((family, spent))
    }

    /// Notes a token as spent, and says whether it was not before.
    pub(crate) fn spend(&mut self, session: u64, key: u64, at: Timestamp) -> bool {
        if self.find(key).is_some() {
            return false;
        }
        if !self.0.iter().any(|family| family.session == session) {
            self.0.push_over(Family { session, spent: Few::default() }, Family::newest);
        }
        if let Some(family) = self.0.iter_mut().find(|family| family.session == session) {
            family.spent.push(Spent { key: key40(key), at });
        }
        true
    }

    pub(crate) fn end(&mut self, session: u64) -> bool {
        let before = self.0.len();
        self.0.retain(|family| family.session != session);
        self.0.len() < before
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        let base = self.base();
        to.int(base.seconds());
        to.base(base);
        to.size(self.0.len());
        for family in &self.0 {
            to.key64(family.session);
            to.size(family.spent.len());
            for spent in &family.spent {
                to.key40(spent.key);
                to.time(spent.at);
            }
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let base = Timestamp::from_seconds(from.int()?).ok_or(Error::Range("time"))?;
        from.base(base);
        let mut families = Few::default();
        for _ in 0..from.size(SESSIONS_MAX, "sessions")? {
            let session = from.key64()?;
            let mut spent = Few::default();
            for _ in 0..from.size(SPENT_MAX, "tokens")? {
                spent.push(Spent { key: from.key40()?, at: from.time()? });
            }
            families.push(Family { session, spent });
        }
        from.end()?;
        let tokens = Self(families);
        if tokens.base() == base { Ok(tokens) } else { Err(Error::Range("time")) }
    }

    fn base(&self) -> Timestamp {
        self.0.iter().map(Family::newest).max().unwrap_or(Timestamp::EPOCH)
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::part::PART_BYTES_MAX;
    use super::*;

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds).unwrap()
    }

    #[track_caller]
    fn comes_back(tokens: &Tokens) -> usize {
        let mut bytes = Vec::new();
        tokens.encode(&mut bytes);
        assert_eq!(Tokens::decode(&bytes).as_ref(), Ok(tokens));
        bytes.len()
    }

    #[test]
    fn the_oldest_of_a_session_and_the_stalest_session_fall_out() {
        let mut tokens = Tokens::default();
        for at in 0..20 {
            tokens.spend(1, at, second(i64::try_from(at).unwrap()));
        }
        assert!(tokens.find(7).is_none() && tokens.find(8).is_some() && tokens.find(19).is_some());
        for session in 2..=5 {
            tokens.spend(session, 100 + session, second(1_000));
        }
        assert!(tokens.find(19).is_none() && tokens.find(105).is_some());
        assert!(tokens.end(5) && !tokens.end(5));
        assert!(tokens.find(105).is_none());
        comes_back(&tokens);
    }

    #[test]
    fn spent_twice_keeps_the_first_time() {
        let mut tokens = Tokens::default();
        tokens.spend(1, 7, second(100));
        tokens.spend(2, 7, second(900));
        let (family, spent) = tokens.find(7).unwrap();
        assert_eq!((family.session, spent.at), (1, second(100)));
    }

    #[test]
    fn the_longest_fits() {
        let mut tokens = Tokens::default();
        let (far, newest) = (second(-62_135_596_800), second(253_402_207_199));
        for session in 0..4 {
            for key in 0..12 {
                tokens.spend(session, session * 100 + key, if key == 11 { newest } else { far });
            }
        }
        let bytes = comes_back(&tokens);
        assert!((500..PART_BYTES_MAX).contains(&bytes), "{bytes} bytes");
    }
}
