//! Networks: address, its /24 or /56, ASN, country: four levels to back off over.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::few::Few;
use super::habits::{count_day, grow, read_day, read_weight, write_day};
use crate::model::observation::{Facts, Keys};
use crate::model::place::Country;

pub const ADDRESSES_MAX: usize = 6;
pub const PREFIXES_MAX: usize = 6;
pub const ASNS_MAX: usize = 8;
pub const COUNTRIES_MAX: usize = 6;

/// One learned address, prefix, ASN or country.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known<K> {
    pub key: K,
    pub weight: u32,
    /// Distinct days on which it was learned, at most 255.
    pub days: u8,
    pub last_day: i32,
}

/// The networks of one user. Keys of addresses and prefixes are their low 48 bits: whoever wants
/// to collide with one has 2^24 prefixes to choose from, not 2^48.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    addresses: Few<Known<u64>, ADDRESSES_MAX>,
    prefixes: Few<Known<u64>, PREFIXES_MAX>,
    asns: Few<Known<u32>, ASNS_MAX>,
    countries: Few<Known<[u8; 2]>, COUNTRIES_MAX>,
}

impl Networks {
    #[must_use]
    pub fn address(&self, key: u64) -> Option<&Known<u64>> {
        find(&self.addresses, key48(key))
    }

    #[must_use]
    pub fn prefix(&self, key: u64) -> Option<&Known<u64>> {
        find(&self.prefixes, key48(key))
    }

    #[must_use]
    pub fn asn(&self, asn: u32) -> Option<&Known<u32>> {
        find(&self.asns, asn)
    }

    #[must_use]
    pub fn country(&self, country: Country) -> Option<&Known<[u8; 2]>> {
        find(&self.countries, country.bytes())
    }

    /// Whether the address, its prefix or its ASN was learned: what makes a network usual.
    #[must_use]
    pub fn is_known(&self, keys: &Keys, facts: &Facts) -> bool {
        keys.address.is_some_and(|key| self.address(key).is_some())
            || keys.prefix.is_some_and(|key| self.prefix(key).is_some())
            || facts.asn.is_some_and(|asn| self.asn(asn).is_some())
    }

    #[must_use]
    pub const fn addresses(&self) -> usize {
        self.addresses.len()
    }

    #[must_use]
    pub const fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    pub fn asns(&self) -> std::slice::Iter<'_, Known<u32>> {
        self.asns.iter()
    }

    pub fn countries(&self) -> impl Iterator<Item = (Option<Country>, &Known<[u8; 2]>)> {
        self.countries
            .iter()
            .map(|known| (std::str::from_utf8(&known.key).ok().and_then(Country::parse), known))
    }

    pub(super) fn learn_address(&mut self, key: u64, weight: u32, day: i32) {
        learn(&mut self.addresses, key48(key), weight, day);
    }

    pub(super) fn learn_prefix(&mut self, key: u64, weight: u32, day: i32) {
        learn(&mut self.prefixes, key48(key), weight, day);
    }

    pub(super) fn learn_asn(&mut self, asn: u32, weight: u32, day: i32) {
        learn(&mut self.asns, asn, weight, day);
    }

    pub(super) fn learn_country(&mut self, country: Country, weight: u32, day: i32) {
        learn(&mut self.countries, country.bytes(), weight, day);
    }

    pub(super) fn decay(&mut self, remains: Remains) {
        decay(&mut self.addresses, remains);
        decay(&mut self.prefixes, remains);
        decay(&mut self.asns, remains);
        decay(&mut self.countries, remains);
    }

    pub(super) fn write(&self, to: &mut Writer<'_>, day: i32) {
        write(&self.addresses, to, day, |to, key| to.key48(key));
        write(&self.prefixes, to, day, |to, key| to.key48(key));
        write(&self.asns, to, day, |to, asn| to.uint(asn.into()));
        write(&self.countries, to, day, |to, country| to.bytes(&country));
    }

    pub(super) fn read(from: &mut Reader<'_>, day: i32) -> Result<Self, Error> {
        Ok(Self {
            addresses: read(from, day, Reader::key48)?,
            prefixes: read(from, day, Reader::key48)?,
            asns: read(from, day, |from| from.number("asn"))?,
            countries: read(from, day, |from| {
                let country = from.country()?.ok_or(Error::Range("country"))?;
                Ok(country.bytes())
            })?,
        })
    }
}

/// The part of a key that profiles keep.
#[must_use]
pub const fn key48(key: u64) -> u64 {
    key & 0xffff_ffff_ffff
}

fn find<K: Copy + Default + PartialEq, const N: usize>(
    known: &Few<Known<K>, N>,
    key: K,
) -> Option<&Known<K>> {
    known.iter().find(|known| known.key == key)
}

fn learn<K: Copy + Default + PartialEq, const N: usize>(
    all: &mut Few<Known<K>, N>,
    key: K,
    weight: u32,
    day: i32,
) {
    if let Some(known) = all.iter_mut().find(|known| known.key == key) {
        grow(&mut known.weight, weight);
        count_day(&mut known.days, &mut known.last_day, day);
    } else {
        let known = Known { key, weight, days: 1, last_day: day };
        all.push_over(known, |known| (known.weight, known.last_day));
    }
}

fn decay<K: Copy + Default, const N: usize>(all: &mut Few<Known<K>, N>, remains: Remains) {
    for known in all.iter_mut() {
        known.weight = remains.of(known.weight);
    }
    all.retain(|known| known.weight > 0);
}

fn write<K: Copy + Default, const N: usize>(
    all: &Few<Known<K>, N>,
    to: &mut Writer<'_>,
    day: i32,
    key: impl Fn(&mut Writer<'_>, K),
) {
    to.size(all.len());
    for known in all {
        key(to, known.key);
        to.uint(known.weight.into());
        to.byte(known.days);
        write_day(to, day, known.last_day);
    }
}

fn read<'b, K: Copy + Default, const N: usize>(
    from: &mut Reader<'b>,
    day: i32,
    key: impl Fn(&mut Reader<'b>) -> Result<K, Error>,
) -> Result<Few<Known<K>, N>, Error> {
    let mut all = Few::default();
    for _ in 0..from.size(N, "networks")? {
        all.push(Known {
            key: key(from)?,
            weight: read_weight(from)?,
            days: from.byte()?,
            last_day: read_day(from, day)?,
        });
    }
    Ok(all)
}
