//! The journal: the last 56 to 64 learned observations, so that any of them can be un-learned.
//!
//! ```text
//! checkpoint ── journal/3 ── journal/4 ── … ── journal/2      the ring has 8 chunks of 8 steps;
//!  (baseline)    oldest                        current        when all are full, the oldest is folded
//!                                                             into the checkpoint and used again
//! ```
//!
//! The baseline in `core` is always [`fold`] of checkpoint and chunks; a law holds that.

use super::codec::{Error, Reader, Writer, whole_second};
use super::devices::Client;
use super::habits::Baseline;
use super::hours::Local;
use super::networks::key48;
use super::part::CHUNKS;
use crate::model::NetworkClass;
use crate::model::observation::Observation;
use crate::model::place::{Coordinates, Country};
use crate::model::time::Timestamp;

/// Steps in a full chunk.
pub const CHUNK_STEPS: usize = 8;
/// No step is longer.
pub const STEP_BYTES_MAX: usize = 48;
/// What a step keeps of a radius: eleven bits; wider ones say "this country" and no more.
pub const RADIUS_KM_MAX: u16 = 2047;

/// Everything that [`Baseline::learn`] needs of one observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LearnStep {
    /// A whole second.
    pub at: Timestamp,
    /// Assurance: 1, 2 or 4.
    pub weight: u8,
    /// Counts as a login.
    pub login: bool,
    /// Teaches hours.
    pub interactive: bool,
    /// Its place is a trusted fix.
    pub fix: bool,
    pub place: Option<Coordinates>,
    pub country: Option<Country>,
    pub asn: Option<u32>,
    /// 48 bits, as the next.
    pub address: Option<u64>,
    pub prefix: Option<u64>,
    pub device: Option<u64>,
    pub client: Client,
    /// In which its hour is counted; home offset from then on.
    pub utc_offset_minutes: i16,
    /// 48 bits of [`crate::model::observation::Keys::event`].
    pub event: u64,
}

impl LearnStep {
    /// What `seen` would teach, its hour counted at home unless its own place is a trusted fix.
    #[must_use]
    pub fn of(seen: &Observation<'_>, login: bool, weight: u8, home_offset_minutes: i16) -> Self {
        let (facts, keys) = (&seen.facts, &seen.keys);
        let class = facts.network_class;
        let place = facts.coordinates.filter(|at| is_place(class) && at.is_point()).and_then(|at| {
            Coordinates::from_e4(at.latitude_e4(), at.longitude_e4(), at.radius_km.min(RADIUS_KM_MAX))
        });
        let fix = place.is_some() && is_fix(class);
        // A carrier's gateway is elsewhere, and in the user's country as a rule.
        let is_near = fix || (place.is_some() && class == Some(NetworkClass::Carrier));
        let offset = facts.utc_offset_minutes.filter(|_| is_near).unwrap_or(home_offset_minutes);
        Self {
            at: whole_second(seen.event.occurred_at),
            weight: weight.clamp(1, WEIGHT_MAX),
            login,
            interactive: seen.event.interactive,
            fix,
            place,
            country: facts.country.filter(|_| is_place(class)),
            asn: facts.asn,
            address: keys.address.map(key48),
            prefix: keys.prefix.map(key48),
            device: keys.device,
            client: Client { browser: facts.browser, os: facts.os, kind: facts.device },
            utc_offset_minutes: offset.clamp(-OFFSET_MAX, OFFSET_MAX),
            event: key48(keys.event),
        }
    }

    #[must_use]
    pub fn local(&self) -> Local {
        Local::of(self.at, self.utc_offset_minutes)
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        let flag = |set: bool, bit: u8| u8::from(set) << bit;
        to.byte(
            flag(self.login, 0)
                | flag(self.interactive, 1)
                | flag(self.fix, 2)
                | flag(self.place.is_some(), 3)
                | flag(self.asn.is_some(), 4)
                | flag(self.address.is_some(), 5)
                | flag(self.prefix.is_some(), 6)
                | flag(self.device.is_some(), 7),
        );
        to.byte(self.weight | flag(self.country.is_some(), 7));
        let [a, b, c, d, e, _, _, _] = (self.at.seconds() + TIME_BIAS_S).to_le_bytes();
        to.bytes(&[a, b, c, d, e]);
        let offset = u32::from((self.utc_offset_minutes + OFFSET_MAX).cast_unsigned());
        let [a, b, c, _] = (offset << 12 | u32::from(self.client.code())).to_le_bytes();
        to.bytes(&[a, b, c]);
        match (self.place, self.country) {
            (Some(place), country) => to.key64(pack_place(place, country)),
            (None, Some(country)) => to.bytes(&country.bytes()),
            (None, None) => {}
        }
        if let Some(asn) = self.asn {
            to.bytes(&asn.to_le_bytes());
        }
        for key in [self.address, self.prefix].into_iter().flatten() {
            to.key48(key);
        }
        if let Some(device) = self.device {
            to.key64(device);
        }
        to.key48(self.event);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let (flags, weight) = (from.byte()?, from.byte()?);
        let flag = |bit: u8| flags >> bit & 1 == 1;
        let has_country = weight >> 7 == 1;
        let weight = weight & 0x7f;
        if weight == 0 || weight > WEIGHT_MAX {
            return Err(Error::Range("weight of a step"));
        }
        let [a, b, c, d, e] = from.bytes()?;
        let seconds = i64::from_le_bytes([a, b, c, d, e, 0, 0, 0]) - TIME_BIAS_S;
        let [a, b, c] = from.bytes()?;
        let packed = u32::from_le_bytes([a, b, c, 0]);
        let offset = i32::try_from(packed >> 12).unwrap_or(0) - i32::from(OFFSET_MAX);
        let (place, country) = match (flag(3), has_country) {
            (true, has_country) => unpack_place(from.key64()?, has_country)?,
            (false, true) => (None, Some(from.country()?.ok_or(Error::Range("country"))?)),
            (false, false) => (None, None),
        };
        if flag(2) && place.is_none() {
            return Err(Error::Range("fix without a place"));
        }
        Ok(Self {
            at: Timestamp::from_seconds(seconds).ok_or(Error::Range("time"))?,
            weight,
            login: flag(0),
            interactive: flag(1),
            fix: flag(2),
            place,
            country,
            asn: if flag(4) { Some(u32::from_le_bytes(from.bytes()?)) } else { None },
            address: if flag(5) { Some(from.key48()?) } else { None },
            prefix: if flag(6) { Some(from.key48()?) } else { None },
            device: if flag(7) { Some(from.key64()?) } else { None },
            client: Client::from_code(u16::try_from(packed & 0xfff).unwrap_or(0))?,
            utc_offset_minutes: i16::try_from(offset)
                .ok()
                .filter(|offset| *offset <= OFFSET_MAX)
                .ok_or(Error::Range("utc offset"))?,
            event: from.key48()?,
        })
    }
}

/// Whether an address of this class stands for a place at all: relays and satellites do not.
#[must_use]
pub const fn is_place(class: Option<NetworkClass>) -> bool {
    !matches!(class, Some(NetworkClass::Relay | NetworkClass::Satellite))
}

/// Whether the user is where an address of this class says.
#[must_use]
pub const fn is_fix(class: Option<NetworkClass>) -> bool {
    use NetworkClass::{Carrier, Hosting, Proxy, Relay, Satellite, Tor, Vpn};
    !matches!(class, Some(Relay | Vpn | Proxy | Tor | Hosting | Satellite | Carrier))
}

/// One chunk of the ring.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk(Vec<LearnStep>);

impl Chunk {
    #[must_use]
    pub fn steps(&self) -> &[LearnStep] {
        &self.0
    }

    pub(super) fn push(&mut self, step: LearnStep) {
        if self.0.capacity() == 0 {
            self.0.reserve_exact(CHUNK_STEPS);
        }
        self.0.push(step);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.size(self.0.len());
        for step in &self.0 {
            step.write(&mut to);
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let count = from.size(CHUNK_STEPS, "steps of a chunk")?;
        let mut steps = Vec::with_capacity(CHUNK_STEPS);
        for _ in 0..count {
            steps.push(LearnStep::read(&mut from)?);
        }
        from.end()?;
        Ok(Self(steps))
    }
}

/// The baseline before the oldest step of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint(pub Baseline);

impl Checkpoint {
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.base(self.0.newest);
        to.int(self.0.newest.seconds());
        self.0.write(&mut to);
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let newest = Timestamp::from_seconds(from.int()?).ok_or(Error::Range("time"))?;
        from.base(newest);
        let baseline = Baseline::read(&mut from)?;
        from.end()?;
        if baseline.newest != newest {
            return Err(Error::Range("time"));
        }
        Ok(Self(baseline))
    }
}

/// Where the journal stands. Kept in `core`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The chunk that steps go to.
    pub current: u8,
    /// Steps in it.
    pub count: u8,
    /// Chunks in use, 0..=8.
    pub chunks: u8,
}

impl Head {
    /// Where the next step goes, and whether the chunk there must be folded first.
    #[must_use]
    pub const fn next(self) -> (Self, Roll) {
        if self.chunks > 0 && (self.count as usize) < CHUNK_STEPS {
            return (Self { count: self.count + 1, ..self }, Roll::Stay);
        }
        let current = if self.chunks == 0 { 0 } else { (self.current + 1) % CHUNKS };
        if self.chunks < CHUNKS {
            (Self { current, count: 1, chunks: self.chunks + 1 }, Roll::Open)
        } else {
            (Self { current, count: 1, chunks: self.chunks }, Roll::Fold)
        }
    }

    /// Chunks in use, the oldest first.
    pub fn oldest_first(self) -> impl Iterator<Item = u8> {
        (0..self.chunks).map(move |age| (self.current + CHUNKS + 1 - self.chunks + age) % CHUNKS)
    }

    pub(super) fn write(self, to: &mut Writer<'_>) {
        to.byte(self.current);
        to.byte(self.count << 4 | self.chunks);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let (current, packed) = (from.byte()?, from.byte()?);
        let head = Self { current, count: packed >> 4, chunks: packed & 15 };
        let empty = head == Self::default();
        let in_use = head.current < CHUNKS
            && (1..=CHUNK_STEPS).contains(&usize::from(head.count))
            && (1..=CHUNKS).contains(&head.chunks)
            && (head.chunks == CHUNKS || head.current == head.chunks - 1);
        if empty || in_use { Ok(head) } else { Err(Error::Range("journal head")) }
    }
}

/// What taking the next step does to the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roll {
    Stay,
    /// A chunk that was never used.
    Open,
    /// The oldest chunk is folded into the checkpoint and used again.
    Fold,
}

/// The baseline that checkpoint and chunks, the oldest first, give.
#[must_use]
pub fn fold<'c>(checkpoint: Option<&Checkpoint>, chunks: impl IntoIterator<Item = &'c Chunk>) -> Baseline {
    let mut baseline = checkpoint.map(|checkpoint| checkpoint.0.clone()).unwrap_or_default();
    for step in chunks.into_iter().flat_map(Chunk::steps) {
        baseline.learn(step);
    }
    baseline
}

/// 21 bits of latitude, 22 of longitude, 10 of country, 11 of radius.
fn pack_place(place: Coordinates, country: Option<Country>) -> u64 {
    let latitude = u64::from((place.latitude_e4() + 900_000).cast_unsigned());
    let longitude = u64::from((place.longitude_e4() + 1_800_000).cast_unsigned());
    let letters = country.map_or(NO_COUNTRY, |country| {
        let [a, b] = country.bytes().map(|letter| u64::from(letter.saturating_sub(b'A')));
        a * 26 + b
    });
    latitude | longitude << 21 | letters << 43 | u64::from(place.radius_km.min(RADIUS_KM_MAX)) << 53
}

fn unpack_place(packed: u64, has_country: bool) -> Result<(Option<Coordinates>, Option<Country>), Error> {
    let bits = |from: u32, count: u32| u32::try_from(packed >> from & ((1 << count) - 1)).unwrap_or(0);
    let signed = |bits: u32, bias: i32| bits.cast_signed() - bias;
    let radius_km = u16::try_from(bits(53, 11)).unwrap_or(RADIUS_KM_MAX);
    let place =
        Coordinates::from_e4(signed(bits(0, 21), 900_000), signed(bits(21, 22), 1_800_000), radius_km)
            .ok_or(Error::Range("place of a step"))?;
    let letters = u64::from(bits(43, 10));
    let country = if has_country {
        let letter = |number: u64| u8::try_from(number).map_or(b'?', |number| b'A' + number);
        let code = [letter(letters / 26), letter(letters % 26)];
        let country = std::str::from_utf8(&code).ok().and_then(Country::parse);
        Some(country.filter(|country| country.bytes() == code).ok_or(Error::Range("country of a step"))?)
    } else if letters == NO_COUNTRY {
        None
    } else {
        return Err(Error::Range("country of a step"));
    };
    Ok((Some(place), country))
}

const VERSION: u8 = 1;
const WEIGHT_MAX: u8 = 4;
/// Real offsets are within 14 hours; twelve bits hold this.
const OFFSET_MAX: i16 = 2047;
/// Years 1 to 9999 become positive numbers of 40 bits.
const TIME_BIAS_S: i64 = 1 << 38;
const NO_COUNTRY: u64 = 1023;
