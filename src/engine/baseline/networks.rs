//! Networks: address, its /24 or /56, ASN, country: four levels to back off over.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::few::Few;
use super::habits::{count_day, grow, read_day, read_weight, write_day};
use crate::model::observation::{Facts, Keys};
use crate::model::place::Country;

/// Few: whoever knows an address knows its prefix, which says nearly as much.
pub const ADDRESSES_MAX: usize = 3;
pub const PREFIXES_MAX: usize = 6;
pub const ASNS_MAX: usize = 8;
pub const COUNTRIES_MAX: usize = 6;

/// One learned prefix or ASN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known<K> {
    pub key: K,
    pub weight: u32,
    /// Distinct days on which it was learned, at most 255.
    pub days: u8,
    pub last_day: i32,
}

/// One learned address or country: the one learned last stands last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Met<K> {
    pub key: K,
    pub weight: u32,
}

/// The networks of one user. Keys of addresses and prefixes are 40 bits of their hash: whoever holds
/// a /32 of IPv6 has 2^24 prefixes to find one that collides, which is one chance in 10,000.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    addresses: Few<Met<u64>, ADDRESSES_MAX>,
    prefixes: Few<Known<u64>, PREFIXES_MAX>,
    asns: Few<Known<u32>, ASNS_MAX>,
    countries: Few<Met<[u8; 2]>, COUNTRIES_MAX>,
}

impl Networks {
    /// Its prefix must be known too: of addresses an attacker may have 2^64 to choose from.
    #[must_use]
    pub fn address(&self, key: u64, prefix: Option<u64>) -> Option<&Met<u64>> {
        prefix.and_then(|prefix| self.prefix(prefix))?;
        self.addresses.iter().find(|met| met.key == key40(key))
    }

    #[must_use]
    pub fn prefix(&self, key: u64) -> Option<&Known<u64>> {
        self.prefixes.iter().find(|known| known.key == key40(key))
    }

    #[must_use]
    pub fn asn(&self, asn: u32) -> Option<&Known<u32>> {
        self.asns.iter().find(|known| known.key == asn)
    }

    #[must_use]
    pub fn country(&self, country: Country) -> Option<&Met<[u8; 2]>> {
        self.countries.iter().find(|met| met.key == country.bytes())
    }

    /// Whether the prefix of the address or its ASN was learned: what makes a network usual.
    #[must_use]
    pub fn is_known(&self, keys: &Keys, facts: &Facts) -> bool {
        keys.prefix.is_some_and(|key| self.prefix(key).is_some())
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

    pub fn countries(&self) -> impl Iterator<Item = (Option<Country>, &Met<[u8; 2]>)> {
        self.countries.iter().map(|met| (std::str::from_utf8(&met.key).ok().and_then(Country::parse), met))
    }

    pub(super) fn learn_address(&mut self, key: u64, weight: u32) {
        meet(&mut self.addresses, key40(key), weight);
    }

    pub(super) fn learn_prefix(&mut self, key: u64, weight: u32, day: i32) {
        know(&mut self.prefixes, key40(key), weight, day);
    }

    pub(super) fn learn_asn(&mut self, asn: u32, weight: u32, day: i32) {
        know(&mut self.asns, asn, weight, day);
    }

    pub(super) fn learn_country(&mut self, country: Country, weight: u32) {
        meet(&mut self.countries, country.bytes(), weight);
    }

    pub(super) fn decay(&mut self, remains: Remains) {
        let fades = |weight: &mut u32| {
            *weight = remains.of(*weight);
            *weight > 0
        };
        self.addresses.retain_mut(|met| fades(&mut met.weight));
        self.prefixes.retain_mut(|known| fades(&mut known.weight));
        self.asns.retain_mut(|known| fades(&mut known.weight));
        self.countries.retain_mut(|met| fades(&mut met.weight));
    }

    pub(super) fn write(&self, to: &mut Writer<'_>, day: i32) {
        write_met(&self.addresses, to, |to, key| to.key40(key));
        write_known(&self.prefixes, to, day, |to, key| to.key40(key));
        write_known(&self.asns, to, day, |to, asn| to.uint(asn.into()));
        write_met(&self.countries, to, |to, country| to.bytes(&country));
    }

    pub(super) fn read(from: &mut Reader<'_>, day: i32) -> Result<Self, Error> {
        Ok(Self {
            addresses: read_met(from, Reader::key40)?,
            prefixes: read_known(from, day, Reader::key40)?,
            asns: read_known(from, day, |from| from.number("asn"))?,
            countries: read_met(from, |from| {
                let country = from.country()?.ok_or(Error::Range("country"))?;
                Ok(country.bytes())
            })?,
        })
    }
}

/// The part of a key that journals keep.
#[must_use]
pub const fn key48(key: u64) -> u64 {
    key & 0xffff_ffff_ffff
}

/// The part of a key that `core` keeps where many are kept.
#[must_use]
pub const fn key40(key: u64) -> u64 {
    key & 0xff_ffff_ffff
}

fn know<K: Copy + Default + PartialEq, const N: usize>(
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

fn meet<K: Copy + Default + PartialEq, const N: usize>(all: &mut Few<Met<K>, N>, key: K, weight: u32) {
    let mut met = Met { key, weight };
    if let Some(index) = all.iter().position(|met| met.key == key) {
        grow(&mut met.weight, all.get(index).map_or(0, |met| met.weight));
        all.remove(index);
    }
    all.push_over(met, |met| met.weight);
}

fn write_met<K: Copy + Default, const N: usize>(
    all: &Few<Met<K>, N>,
    to: &mut Writer<'_>,
    key: impl Fn(&mut Writer<'_>, K),
) {
    to.size(all.len());
    for met in all {
        key(to, met.key);
        to.uint(met.weight.into());
    }
}

fn read_met<'b, K: Copy + Default, const N: usize>(
    from: &mut Reader<'b>,
    key: impl Fn(&mut Reader<'b>) -> Result<K, Error>,
) -> Result<Few<Met<K>, N>, Error> {
    let mut all = Few::default();
    for _ in 0..from.size(N, "networks")? {
        all.push(Met { key: key(from)?, weight: read_weight(from)? });
    }
    Ok(all)
}

fn write_known<K: Copy + Default, const N: usize>(
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

fn read_known<'b, K: Copy + Default, const N: usize>(
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
