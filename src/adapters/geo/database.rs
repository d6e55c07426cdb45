//! One MaxMind DB file in memory: opened, probed, asked.
//!
//! Opening does a bounded number of look-ups and decodes what they find, so that a damaged file, or
//! one that was meant for something else, is told at once. It does not read the whole tree: damage
//! beyond the probe shows as an unknown at look-up.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use maxminddb::{LookupResult, MaxMindDbError, Reader, WithinOptions};

use super::record::Record;
use super::{Mistake, Role};
use crate::model::id::{self, Digest};

#[derive(Debug)]
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    pub digest: Digest,
    is_v6: bool,
}

/// Whether these bytes carry the marker that leads a database's metadata.
pub(super) fn has_marker(bytes: &[u8]) -> bool {
    let tail = bytes.get(bytes.len().saturating_sub(METADATA_BYTES_MAX)..).unwrap_or_default();
    tail.windows(MARKER.len()).any(|window| window == MARKER)
}

impl Database {
    pub(super) fn open(path: &Path, bytes: Vec<u8>, role: Role) -> Result<Self, Mistake> {
        let mistake = |found: String| Mistake {
            file: path.into(),
            place: None,
            found,
            expected: match role {
                Role::Places => "a city database (MaxMind DB with `country` or `latitude`, nested or flat)",
                Role::Systems => "an ASN database (MaxMind DB with `autonomous_system_number` or `asn`)",
                Role::Classes => {
                    "an Anonymous-IP database (MaxMind DB with `is_tor_exit_node` and its like) \
                     or a list of networks"
                }
            },
            remedy: "fetch the file again, or name another one",
        };
        if bytes.is_empty() {
            return Err(mistake("an empty file".into()));
        }
        if !has_marker(&bytes) {
            return Err(mistake("no MaxMind DB (its metadata marker is missing)".into()));
        }
        let digest = id::sha256(&[&bytes]);
        let reader = Reader::from_source(bytes).map_err(|error| mistake(damage(&error)))?;
        let metadata = reader.metadata();
        if metadata.binary_format_major_version != 2 || !matches!(metadata.ip_version, 4 | 6) {
            let (version, ip) = (metadata.binary_format_major_version, metadata.ip_version);
            return Err(mistake(format!("format version {version} for IP version {ip}")));
        }
        let database = Self { is_v6: metadata.ip_version == 6, reader, digest };
        database.probe(role).map_err(mistake)?;
        Ok(database)
    }

    /// The record of an address; `None` where there is none, or where this file cannot have one.
    pub(super) fn look_up(&self, address: IpAddr) -> Result<Option<Record<'_>>, MaxMindDbError> {
        if address.is_ipv6() && !self.is_v6 {
            return Ok(None);
        }
        self.reader.lookup(address)?.decode()
    }

    /// Networks with their records: of the start of the tree, then of addresses spread evenly over
    /// the IPv4 space. Bounded, in an order that depends on nothing but the file.
    pub(super) fn sample(
        &self,
        scattered: u32,
    ) -> impl Iterator<Item = Result<(IpNet, Record<'_>), MaxMindDbError>> {
        // Empty networks are asked for, too: a crafted tree can hold 2^128 of them, and an iterator
        // that passes over them in silence would never come back.
        let options = WithinOptions::default().include_networks_without_data();
        let walk = self.reader.networks(options).into_iter().flatten().take(WALK_MAX);
        // Multiples of an odd constant visit every part of the space before they crowd anywhere.
        let address = |step: u32| IpAddr::V4(Ipv4Addr::from(step.wrapping_mul(0x9e37_79b1)));
        let scattered = (1..=scattered).map(move |step| self.reader.lookup(address(step)));
        walk.chain(scattered)
            .filter_map(|found| found.and_then(|found| network_and_record(&found)).transpose())
    }

    /// What is wrong with the file for its role, if a sample shows it.
    fn probe(&self, role: Role) -> Result<(), String> {
        let mut records = 0_u32;
        for found in self.sample(PROBE_SCATTERED) {
            let (_, record) = found.map_err(|error| damage(&error))?;
            records += 1;
            let useful = match role {
                Role::Places => record.country.is_some() || record.latitude.is_some(),
                Role::Systems => record.asn.is_some(),
                Role::Classes => record.class.is_some(),
            };
            if useful {
                // The rest of the sample is for damage alone.
                return self.sample(PROBE_SCATTERED).try_for_each(|found| match found {
                    Ok(_) => Ok(()),
                    Err(error) => Err(damage(&error)),
                });
            }
        }
        let kind = &self.reader.metadata().database_type;
        let kind: String = kind.chars().filter(|letter| !letter.is_control()).take(60).collect();
        Err(match records {
            0 => format!("a database of type `{kind}` without a single record"),
            records => {
                format!("a database of type `{kind}` whose first {records} records say nothing of that")
            }
        })
    }
}

type Found<'r> = LookupResult<'r, Vec<u8>>;

fn network_and_record<'r>(found: &Found<'r>) -> Result<Option<(IpNet, Record<'r>)>, MaxMindDbError> {
    let Some(record) = found.decode::<Record<'r>>()? else { return Ok(None) };
    let network = found.network()?;
    let network = match network.ip() {
        IpAddr::V4(address) => Ipv4Net::new(address, network.prefix()).map(IpNet::V4),
        IpAddr::V6(address) => Ipv6Net::new(address, network.prefix()).map(IpNet::V6),
    };
    Ok(network.ok().map(|network| (network.trunc(), record)))
}

/// What the reader found, bounded: it may quote the file.
fn damage(error: &MaxMindDbError) -> String {
    let text: String = error.to_string().chars().filter(|letter| !letter.is_control()).take(200).collect();
    format!("a damaged database ({text})")
}

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// As the format says.
const METADATA_BYTES_MAX: usize = 128 * 1024;
const WALK_MAX: usize = 20_000;
const PROBE_SCATTERED: u32 = 4_000;
