//! A memory of what the tables said of addresses: people come back from where they were, and a
//! look-up walks a tree that is larger than any processor's cache.
//!
//! An answer is kept for as long as the tables say that it holds. Each address has a place for two;
//! a newcomer takes that of the one that was not asked for last, so nothing grows. Nothing is kept
//! of tables that promise nothing.

use std::net::IpAddr;

use crate::model::id::Digest;
use crate::model::time::Timestamp;
use crate::ports::tables::{Found, Tables};

#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Of the tables that gave them.
    tables: Digest,
    /// Empty until there is something to keep.
    places: Box<[[Option<Kept>; 2]]>,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    address: IpAddr,
    found: Found,
    /// The moments for which it holds: from the one that was asked for to before the other.
    from: Timestamp,
    until: Timestamp,
}

impl Answers {
    pub(super) fn look_up(&mut self, tables: &dyn Tables, address: IpAddr, at: Timestamp) -> Found {
        let digest = tables.digest();
        if self.tables != digest {
            *self = Self { tables: digest, places: Box::default() };
        }
        let place = place_of(address);
        if let Some([last, other]) = self.places.get_mut(place) {
            let find = |one: &Option<Kept>| {
                one.filter(|kept| kept.address == address && kept.from <= at && at < kept.until)
                    .map(|kept| kept.found)
            };
            if let Some(found) = find(last) {
                return found;
            }
            std::mem::swap(last, other);
            if let Some(found) = find(last) {
                return found;
            }
        }
        let (found, until) = tables.look_up_until(address, at);
        if at < until {
            if self.places.is_empty() {
                self.places = vec![[None, None]; PLACES].into_boxed_slice();
            }
            if let Some([last, _]) = self.places.get_mut(place) {
                *last = Some(Kept { address, found, from: at, until });
            }
        }
        found
    }
}

/// Spreads addresses over places. Whoever picks addresses that clash makes them cost a look-up.
fn place_of(address: IpAddr) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bits = match address {
        IpAddr::V4(address) => u64::from(u32::from(address)),
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.segments().map(u64::from);
            (a << 48 | b << 32 | c << 16 | d) ^ (e << 48 | f << 32 | g << 16 | h).rotate_left(7)
        }
    };
    usize::try_from(bits.wrapping_mul(ODD) >> (64 - PLACES.trailing_zeros())).unwrap_or(0)
}

/// Twice 8,192 answers: not much more than a MiB.
const PLACES: usize = 8192;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Knows the hour, which changes each hour, and counts what it is asked.
    #[derive(Debug)]
    struct Hours {
        digest: Digest,
        lasting: bool,
        asked: AtomicU32,
    }

    impl Hours {
        fn new(digest: u8, lasting: bool) -> Self {
            Self { digest: Digest([digest; 32]), lasting, asked: AtomicU32::new(0) }
        }
    }

    impl Tables for Hours {
        fn look_up(&self, address: IpAddr, at: Timestamp) -> Found {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let asn = match address {
                IpAddr::V4(address) => address.into(),
                IpAddr::V6(address) => address.segments().map(u32::from).iter().sum(),
            };
            let hour = i16::try_from(at.seconds() / 3600).unwrap();
            Found { asn: Some(asn), utc_offset_minutes: Some(hour), ..Found::default() }
        }

        fn look_up_until(&self, address: IpAddr, at: Timestamp) -> (Found, Timestamp) {
            let next = Timestamp::from_seconds((at.seconds() / 3600 + 1) * 3600).unwrap();
            (self.look_up(address, at), if self.lasting { next } else { at })
        }

        fn digest(&self) -> Digest {
            self.digest
        }
    }

    /// Asks one after the other, compares with the tables, and counts how often they were asked.
    #[track_caller]
    fn check(tables: &Hours, answers: &mut Answers, asked: &[(&str, i64)], expected: u32) {
        let before = tables.asked.load(Ordering::Relaxed);
        let mut own = 0;
        for (address, second) in asked {
            let (address, at) = (address.parse().unwrap(), Timestamp::from_seconds(*second).unwrap());
            let found = answers.look_up(tables, address, at);
            assert_eq!(found, tables.look_up(address, at), "{address} at {second}");
            own += 1;
        }
        assert_eq!(tables.asked.load(Ordering::Relaxed) - before - own, expected);
    }

    #[test]
    fn an_answer_holds_until_the_tables_say() {
        let (tables, mut answers) = (Hours::new(1, true), Answers::default());
        check(&tables, &mut answers, &[("1.2.3.4", 10), ("1.2.3.4", 10), ("1.2.3.4", 3599)], 1);
        check(&tables, &mut answers, &[("1.2.3.4", 3600), ("1.2.3.4", 7199)], 1);
        // The hour before has the second place.
        check(&tables, &mut answers, &[("1.2.3.4", 3599), ("1.2.3.4", 3600), ("1.2.3.4", 10)], 0);
        // Before it was asked for, nothing is known to hold.
        check(&tables, &mut answers, &[("1.2.3.4", 9), ("1.2.3.4", 8), ("1.2.3.4", 9)], 2);
        check(&tables, &mut answers, &[("2a00::1", 5), ("2a00::2", 5), ("2a00::1", 6), ("2a00::2", 7)], 2);
    }

    #[test]
    fn nothing_is_kept_of_other_tables_or_without_a_promise() {
        let mut answers = Answers::default();
        check(&Hours::new(1, true), &mut answers, &[("1.2.3.4", 10)], 1);
        check(&Hours::new(2, true), &mut answers, &[("1.2.3.4", 10)], 1);
        check(&Hours::new(3, false), &mut answers, &[("1.2.3.4", 10), ("1.2.3.4", 10)], 2);
        assert!(answers.places.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_order_gives_the_same(asked in proptest::collection::vec((0..40_u32, 0..20_000_i64), 0..200)) {
            let (tables, mut answers) = (Hours::new(1, true), Answers::default());
            for (address, second) in asked {
                // Many in one place.
                let address = IpAddr::from(std::net::Ipv4Addr::from(address << 28 | address));
                let at = Timestamp::from_seconds(second).unwrap();
                proptest::prop_assert_eq!(answers.look_up(&tables, address, at), tables.look_up(address, at));
            }
        }
    }
}
