//! Tables from files: city, ASN and Anonymous-IP databases (MaxMind DB) and lists of networks.
//!
//! Read into memory once and shared: a file that is cut off or swapped under us is an error at
//! opening, not a signal later. A look-up never fails: a record that cannot be decoded is unknown,
//! and counted.
//!
//! *Order*: among city databases, and among ASN databases, the first that knows the address speaks;
//! of network classes, over all files, the strongest one is stated.
//! *Failure*: [`open`] reports every mistake of every file at once.

mod atlas;
mod database;
mod list;
mod record;
mod zones;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use database::Database;
use list::List;
use record::Record;
use zones::Zones;

use crate::model::NetworkClass;
use crate::model::id::{self, Digest};
use crate::model::place::Coordinates;
use crate::model::time::Timestamp;
use crate::ports::tables::{Found, Tables, digest_of};

/// Which files to read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// City databases.
    pub geo: Vec<PathBuf>,
    /// ASN databases.
    pub asn: Vec<PathBuf>,
    /// Anonymous-IP databases and lists of networks.
    pub networks: Vec<PathBuf>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: PathBuf,
    /// Line and column, from 1; a database has none.
    pub place: Option<(usize, usize)>,
    pub found: String,
    pub expected: &'static str,
    pub remedy: &'static str,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": found {}; expected {}; {}", self.found, self.expected, self.remedy)
    }
}

impl std::error::Error for Mistake {}

/// Every table in use.
#[derive(Debug)]
pub struct Geo {
    places: Vec<Database>,
    systems: Vec<Database>,
    classes: Vec<Classes>,
    zones: Zones,
    digest: Digest,
    broken: AtomicU64,
}

#[derive(Debug)]
enum Classes {
    Database(Database),
    List(List),
}

/// Reads every file; all mistakes at once.
pub fn open(sources: &Sources) -> Result<Geo, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut files = Vec::new();
    let mut databases = |paths: &[PathBuf], role: Role, mistakes: &mut Vec<Mistake>| {
        let mut opened = Vec::new();
        for path in paths {
            match read(path).and_then(|bytes| Database::open(path, bytes, role)) {
                Ok(database) => {
                    files.push((role.name(), database.digest));
                    opened.push(database);
                }
                Err(mistake) => mistakes.push(mistake),
            }
        }
        opened
    };
    let places = databases(&sources.geo, Role::Places, &mut mistakes);
    let systems = databases(&sources.asn, Role::Systems, &mut mistakes);

    let mut classes = Vec::new();
    for path in &sources.networks {
        match open_classes(path) {
            Ok((table, digest)) => {
                files.push((Role::Classes.name(), digest));
                classes.push(table);
            }
            Err(mut found) => mistakes.append(&mut found),
        }
    }

    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let digest = digest_of(files.into_iter());
    Ok(Geo { places, systems, classes, zones: Zones::new(), digest, broken: AtomicU64::new(0) })
}

fn open_classes(path: &Path) -> Result<(Classes, Digest), Vec<Mistake>> {
    let bytes = read(path).map_err(|mistake| vec![mistake])?;
    // A database carries its marker near its end; nobody writes that into a list.
    if database::has_marker(&bytes) {
        let database = Database::open(path, bytes, Role::Classes).map_err(|mistake| vec![mistake])?;
        let digest = database.digest;
        return Ok((Classes::Database(database), digest));
    }
    let digest = id::sha256(&[&bytes]);
    Ok((Classes::List(List::parse(path, &bytes)?), digest))
}

/// What a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Places,
    Systems,
    Classes,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Places => "geo",
            Self::Systems => "asn",
            Self::Classes => "networks",
        }
    }
}

/// A whole file, no longer than any table has reason to be; a pipe or a device ends there too.
fn read(path: &Path) -> Result<Vec<u8>, Mistake> {
    use std::io::Read as _;
    let mistake = |found: String| Mistake {
        file: path.into(),
        place: None,
        found,
        expected: "a readable file",
        remedy: "name an existing database or list that this user may read",
    };
    let file = std::fs::File::open(path).map_err(|error| mistake(plain(&error)))?;
    let length = file.metadata().map_err(|error| mistake(plain(&error)))?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(FILE_BYTES_MAX) + 1).unwrap_or(0));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| mistake(plain(&error)))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Mistake {
            expected: "at most 1 GiB",
            remedy: "name a database or a list, not a device or an archive",
            ..mistake("more than 1 GiB".into())
        });
    }
    Ok(bytes)
}

/// An error of the system in its own words, without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

impl Geo {
    fn record<'d>(&self, database: &'d Database, address: IpAddr) -> Option<Record<'d>> {
        match database.look_up(address) {
            Ok(record) => record,
            Err(_) => {
                self.broken.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Tables for Geo {
    fn look_up(&self, address: IpAddr, at: Timestamp) -> Found {
        self.find(address, at).0
    }

    /// Only the offset changes with time. Nothing is promised of what a damaged record is part of:
    /// each look-up that meets one is counted.
    fn look_up_until(&self, address: IpAddr, at: Timestamp) -> (Found, Timestamp) {
        let before = self.broken();
        let (found, zone) = self.find(address, at);
        let until = if self.broken() == before { self.zones.same_until(zone, at) } else { at };
        (found, until)
    }

    fn digest(&self) -> Digest {
        self.digest
    }

    fn broken(&self) -> u64 {
        self.broken.load(Ordering::Relaxed)
    }
}

impl Geo {
    /// What is known of an address, and the zone that its offset is of.
    fn find(&self, address: IpAddr, at: Timestamp) -> (Found, Option<&str>) {
        let (mut found, mut zone) = (Found::default(), None);
        for database in &self.places {
            let Some(record) = self.record(database, address) else { continue };
            found.country = record.country;
            found.coordinates = coordinates(&record);
            found.asn = record.asn;
            found.class = record.class;
            if found.country.is_some() || found.coordinates.is_some() {
                zone = record.zone;
                found.utc_offset_minutes = zone.and_then(|zone| self.zones.offset_minutes(zone, at));
                break;
            }
        }
        let asn = |database| self.record(database, address)?.asn;
        if let Some(asn) = self.systems.iter().find_map(asn) {
            found.asn = Some(asn);
        }
        for classes in &self.classes {
            let class = match classes {
                Classes::Database(database) => self.record(database, address).and_then(|record| record.class),
                Classes::List(list) => list.look_up(address),
            };
            found.class = stronger(found.class, class);
        }
        (found, zone)
    }
}

/// What a source names tells how well it knows, whatever radius it states: without a city or region
/// it gives the middle of a country, and some give that a radius of 100 km.
fn coordinates(record: &Record<'_>) -> Option<Coordinates> {
    let least_km = match (record.has_city, record.has_region) {
        (true, _) => 0,
        (false, true) => REGION_RADIUS_KM,
        (false, false) => COUNTRY_RADIUS_KM,
    };
    let radius_km = record.radius_km.unwrap_or(CITY_RADIUS_KM).max(least_km);
    Coordinates::new(record.latitude?, record.longitude?, radius_km)
}

/// [`NetworkClass`] is ordered by strength.
fn stronger(a: Option<NetworkClass>, b: Option<NetworkClass>) -> Option<NetworkClass> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

const CITY_RADIUS_KM: u16 = 50;
const REGION_RADIUS_KM: u16 = 200;
const COUNTRY_RADIUS_KM: u16 = 1000;

/// Commercial city databases stay below 400 MiB.
const FILE_BYTES_MAX: u64 = 1 << 30;
