//! Tables from files: both layouts, every role, and every kind of damage.

use std::path::{Path, PathBuf};

use wardstream::adapters::geo::{self, Geo, Sources};
use wardstream::model::NetworkClass;
use wardstream::model::time::Timestamp;
use wardstream::ports::tables::{Atlas, NoTables, Tables};

use crate::mmdb::{self, Value};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geo").join(name)
}

/// Tables of files made on the spot: role, content.
fn tables(files: &[(&str, Vec<u8>)]) -> Result<Geo, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = Sources::default();
    for (number, (role, content)) in files.iter().enumerate() {
        let path = folder.path().join(format!("{role}-{number}"));
        std::fs::write(&path, content).unwrap();
        match *role {
            "geo" => sources.geo.push(path),
            "asn" => sources.asn.push(path),
            "networks" => sources.networks.push(path),
            other => panic!("no role {other}"),
        }
    }
    geo::open(&sources).map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

/// What is found, in a line: country, position in 1/10000 degrees and radius, offset, system, class.
#[track_caller]
fn check(tables: &dyn Tables, address: &str, at: &str, expected: &str) {
    let found = tables.look_up(address.parse().unwrap(), Timestamp::parse(at).unwrap());
    let word = |word: Option<String>| word.unwrap_or_else(|| "-".into());
    let told = [
        word(found.country.map(|country| country.as_str().into())),
        word(
            found
                .coordinates
                .map(|at| format!("{},{}±{}", at.latitude_e4(), at.longitude_e4(), at.radius_km)),
        ),
        word(found.utc_offset_minutes.map(|minutes| minutes.to_string())),
        word(found.asn.map(|asn| asn.to_string())),
        word(found.class.map(|class| class.to_string())),
    ];
    assert_eq!(told.join(" "), expected, "{address}");
}

const WINTER: &str = "2026-01-05T09:00:00Z";
const SUMMER: &str = "2026-07-05T09:00:00Z";

#[test]
fn reads_the_nested_layout() {
    let sources = Sources {
        geo: vec![data("GeoIP2-City-Test.mmdb")],
        asn: vec![data("GeoLite2-ASN-Test.mmdb")],
        networks: vec![data("GeoIP2-Anonymous-IP-Test.mmdb")],
    };
    let tables = geo::open(&sources).unwrap();
    check(&tables, "81.2.69.142", WINTER, "GB 515142,-931±10 0 - tor");
    check(&tables, "81.2.69.142", SUMMER, "GB 515142,-931±10 60 - tor");
    check(&tables, "1.128.0.1", WINTER, "- - - 1221 -");
    check(&tables, "71.160.223.9", WINTER, "- - - - hosting");
    check(&tables, "9.9.9.9", WINTER, "- - - - -");
    // A country without a city is known to a thousand kilometres, though the file says 100.
    check(&tables, "2a02:d280::1", WINTER, "CZ 497500,150000±1000 60 - -");
    assert_eq!(tables.broken(), 0);
}

#[test]
fn reads_the_flat_layout_in_one_file_or_in_two() {
    let london = mmdb::flat("GB", "London", (51.5, -0.12), "Europe/London");
    let tokyo = mmdb::flat("JP", "Tokyo", (35.6762, 139.6503), "Asia/Tokyo");
    let both = mmdb::write(6, &[("81.2.69.0/24", london.clone()), ("2a00::/16", tokyo.clone())]);
    let one = tables(&[("geo", both)]).unwrap();
    let v4 = mmdb::write(4, &[("81.2.69.0/24", london)]);
    let v6 = mmdb::write(6, &[("2a00::/16", tokyo)]);
    let two = tables(&[("geo", v4.clone()), ("geo", v6.clone())]).unwrap();
    let turned = tables(&[("geo", v6), ("geo", v4)]).unwrap();
    for tables in [&one, &two, &turned] {
        check(tables, "81.2.69.142", SUMMER, "GB 515000,-1200±50 60 - -");
        check(tables, "2a00::1", SUMMER, "JP 356762,1396503±50 540 - -");
        check(tables, "82.2.69.142", SUMMER, "- - - - -");
    }
    assert_ne!(two.digest(), turned.digest());
}

#[test]
fn reads_systems_and_classes_of_several_makes() {
    let map = Value::Map;
    let systems = mmdb::write(
        4,
        &[
            ("1.0.0.0/8", map(vec![("asn", Value::Text("AS1221"))])),
            ("2.0.0.0/8", map(vec![("autonomous_system_number", Value::Uint(7))])),
        ],
    );
    let classes = mmdb::write(
        4,
        &[
            (
                "1.0.0.0/8",
                map(vec![
                    ("is_anonymous", Value::Bool(true)),
                    ("is_anonymous_vpn", Value::Bool(true)),
                    ("is_tor_exit_node", Value::Bool(false)),
                ]),
            ),
            ("2.0.0.0/8", map(vec![("traits", map(vec![("is_satellite_provider", Value::Bool(true))]))])),
            ("3.0.0.0/8", map(vec![("connection_type", Value::Text("Cellular"))])),
        ],
    );
    let list = b"1.2.0.0/16 tor\n2.0.0.0/9 hosting\n".to_vec();
    let tables = tables(&[("asn", systems), ("networks", classes), ("networks", list)]).unwrap();
    check(&tables, "1.9.9.9", WINTER, "- - - 1221 vpn");
    check(&tables, "1.2.3.4", WINTER, "- - - 1221 tor");
    check(&tables, "2.0.0.1", WINTER, "- - - 7 hosting");
    check(&tables, "2.200.0.1", WINTER, "- - - 7 satellite");
    check(&tables, "3.0.0.1", WINTER, "- - - - carrier");
}

/// Damaged files end in an error that names the file, or in a file whose look-ups end.
#[test]
fn damaged_files_end_in_an_error_or_in_unknown() {
    let mut refused = 0;
    let mut seen = 0;
    for file in std::fs::read_dir(data("bad")).unwrap() {
        let path = file.unwrap().path();
        for role in ["geo", "asn", "networks"] {
            seen += 1;
            let mut sources = Sources::default();
            match role {
                "geo" => sources.geo.push(path.clone()),
                "asn" => sources.asn.push(path.clone()),
                _ => sources.networks.push(path.clone()),
            }
            match geo::open(&sources) {
                Ok(tables) => visit(&tables),
                Err(mistakes) => {
                    refused += 1;
                    for mistake in mistakes {
                        assert_eq!(mistake.file, path);
                        assert!(!mistake.found.is_empty() && mistake.found.len() < 400, "{mistake}");
                    }
                }
            }
        }
    }
    assert_eq!((seen, refused), (81, 81));
}

/// Asks for addresses all over, and for the places.
fn visit(tables: &Geo) {
    let at = Timestamp::parse(WINTER).unwrap();
    for step in 0..50_000_u32 {
        let address = std::net::Ipv4Addr::from(step.wrapping_mul(0x9e37_79b1));
        tables.look_up(address.into(), at);
        tables.look_up(address.to_ipv6_mapped().into(), at);
        tables.look_up(std::net::Ipv6Addr::from(u128::from(u32::from(address)) << 96).into(), at);
    }
    assert!(tables.places().len() <= 200);
    assert!(tables.classed().len() <= 8 * 64);
}

/// A database cut off, or with one byte changed, anywhere.
#[test]
fn no_damage_crashes() {
    let sound = std::fs::read(data("GeoIP2-City-Test.mmdb")).unwrap();
    let mut opened = 0;
    for step in 0..400_usize {
        let mut bytes = sound.clone();
        if step % 4 == 0 {
            bytes.truncate(step * sound.len() / 400);
        } else {
            let at = step.wrapping_mul(0x9e37_79b1) % bytes.len();
            bytes[at] ^= 1 << (step % 8);
        }
        if let Ok(tables) = tables(&[("geo", bytes)]) {
            opened += 1;
            let at = Timestamp::parse(WINTER).unwrap();
            for address in ["81.2.69.142", "2.125.160.216", "89.160.20.112", "2001:218::1", "2a02:d280::1"] {
                tables.look_up(address.parse().unwrap(), at);
            }
        }
    }
    assert!(opened > 20, "{opened}: most changes hit what is never read");
}

#[test]
fn a_tree_without_end_is_left() {
    let mistakes = tables(&[("geo", mmdb::bottomless())]).unwrap_err();
    assert!(mistakes[0].contains("without a single record"), "{mistakes:?}");
}

#[track_caller]
fn refuses(role: &str, content: &[u8], expected: &str) {
    let mistakes = tables(&[(role, content.to_vec())]).unwrap_err();
    assert!(mistakes[0].contains(expected), "{mistakes:?}");
}

#[test]
fn says_what_it_found_and_expected() {
    let systems = mmdb::write(4, &[("1.0.0.0/8", Value::Map(vec![("asn", Value::Uint(1221))]))]);
    let words = mmdb::write(4, &[("1.0.0.0/8", Value::Text("here"))]);
    refuses("geo", &systems, "`Test` whose first");
    refuses("geo", &systems, "expected a city database");
    refuses("geo", &words, "say nothing of that");
    refuses("asn", &words, "expected an ASN database");
    refuses("geo", b"", "found an empty file");
    refuses("geo", b"1.2.3.0/24 vpn", "its metadata marker is missing");
    refuses("networks", b"1.2.3.0/24 vpm", ":1:12: found `vpm`; expected a class: tor, vpn");
    refuses("networks", b"\xff\xfe\x00", ":1:1: found bytes that are no UTF-8");
}

#[test]
fn all_mistakes_of_all_files_at_once() {
    let sources = Sources {
        geo: vec![data("nowhere.mmdb"), data("README.md"), data("bad")],
        asn: vec![data("bad/metadata-is-an-uint128.mmdb")],
        networks: vec![data("README.md")],
    };
    let mistakes = geo::open(&sources).unwrap_err();
    let files: std::collections::BTreeSet<_> = mistakes.iter().map(|mistake| &mistake.file).collect();
    assert_eq!(files.len(), 4);
    assert!(mistakes[0].to_string().contains("no such file or directory"), "{}", mistakes[0]);
}

#[test]
fn the_digest_is_of_what_is_read() {
    let list = |text: &str| tables(&[("networks", text.into())]).unwrap().digest();
    assert_eq!(list("1.0.0.0/8 vpn"), list("1.0.0.0/8 vpn"));
    assert_ne!(list("1.0.0.0/8 vpn"), list("1.0.0.0/8 tor"));
    assert_eq!(geo::open(&Sources::default()).unwrap().digest(), NoTables.digest());
}

#[test]
fn places_resolve_to_themselves() {
    let london = mmdb::flat("GB", "London", (51.5, -0.12), "Europe/London");
    let nowhere = mmdb::flat("GB", "", (54.0, -2.0), "Europe/London");
    let tokyo = mmdb::nested("JP", "Tokyo", (35.6762, 139.6503), "Asia/Tokyo");
    let cities = mmdb::write(
        6,
        &[
            ("81.0.0.0/8", london),
            ("82.0.0.0/8", nowhere),
            ("126.0.0.0/8", tokyo.clone()),
            ("2a00::/16", tokyo),
        ],
    );
    let tables = tables(&[("geo", cities), ("networks", b"81.4.0.0/16 vpn".to_vec())]).unwrap();
    let places = tables.places();
    assert_eq!(places.iter().map(|place| &*place.name).collect::<Vec<_>>(), ["Tokyo", "London"]);
    for place in &places {
        assert!(!place.networks.is_empty());
        for network in &place.networks {
            let found = tables.look_up(network.net.network(), Timestamp::EPOCH);
            assert_eq!((found.country, found.coordinates), (Some(place.country), Some(place.coordinates)));
        }
    }
    assert_eq!(tables.classed(), [(NetworkClass::Vpn, "81.4.0.0/16".parse().unwrap())]);
}
