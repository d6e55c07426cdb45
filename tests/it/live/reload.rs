//! A policy and a table change while events come: nothing is lost, the chain holds, and the basis
//! changes between two transactions.

use std::path::Path;

use serde_json::Value;
use wardstream::engine::policy::Policy;

use super::broker::Broker;
use super::foreign;
use super::observe::{address, metrics, sum, wait};
use super::ward::{World, login};

/// Writes beside and renames, as an editor does.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

fn digest(path: &Path) -> String {
    let policy = Policy::load(path.to_str().unwrap(), &|path| std::fs::read_to_string(path)).unwrap();
    format!("sha256:{}", policy.digest)
}

fn basis(record: &Value, key: &str) -> String {
    record["value"]["basis"][key].as_str().unwrap().to_owned()
}

fn policy(points: u8) -> String {
    format!("version = 1\nextends = 'default'\n[signals.new_device]\npoints = {points}\n")
}

#[test]
#[ignore = "needs a broker: make test"]
fn policy_and_tables_change_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let (file, list) = (folder.path().join("own.toml"), folder.path().join("networks.csv"));
    std::fs::write(&file, policy(25)).unwrap();
    std::fs::write(&list, "198.51.100.0/24 vpn\n").unwrap();
    let extra = format!(
        "[policy]\nfile = '{}'\nshadow = 'seed'\nlook_interval = '100ms'\n[tables]\nnetworks = ['{}']\n",
        file.display(),
        list.display()
    );
    let world = World::new(Broker::shared(), 3, &extra);
    let mut ward = world.run_without_geo("one", &["--workers", "2", "--metrics-listen", "127.0.0.1:0"]);
    let at = address(&mut ward);
    ward.says(" ready ");

    let mut digests = vec![digest(&file)];
    let mut round = 0;
    let mut load = || {
        round += 1;
        let events: Vec<_> = (0..20)
            .flat_map(|time| (0..10).map(move |user| (time, user)))
            .map(|(time, user)| login(&format!("user{user}"), &format!("{round}-{time}-{user}"), 0))
            .collect();
        world.produce(&events);
        events.len()
    };
    let decided = |count| foreign::read(&world.broker, &world.topic("decisions"), count);
    let mut count = load();
    // Another policy, a broken one, a mended one; each while events come, and each after the one
    // before it has decided something.
    decided(1);
    replace(&file, &policy(30));
    digests.push(digest(&file));
    count += load();
    ward.says("read again and in force");
    count += load();
    replace(&file, "version = 1\nextends = 'default'\nmod = 'enforce'\n");
    count += load();
    ward.says("cannot be used; what was read before stays in force");
    assert!(ward.log().contains("own.toml:3:1: unknown field `mod`; did you mean `mode`?"), "{}", ward.log());
    decided(count);
    count += load();
    // The table first: what the third policy decides rests on it.
    replace(&list, "198.51.100.0/24 vpn\n81.2.69.0/24 hosting\n");
    ward.signal("HUP");
    ward.says("what=\"tables\"");
    replace(&file, &policy(35));
    digests.push(digest(&file));
    ward.says(digests.last().unwrap());
    // A worker that waits for records looks again when that poll ends.
    let decisions = loop {
        count += load();
        let decisions = decided(count);
        if decisions.iter().any(|record| basis(record, "policy") == digests[2]) {
            break decisions;
        }
        assert!(count < 4_000, "the third policy never decides");
    };
    // Two policies and a table, by whichever workers had something before and after.
    let pauses = || sum(&metrics(at), "ward_reload_pause_seconds_count");
    wait("counted", || pauses() > 1.5);
    assert!(pauses() < 6.5, "{} for 2 workers and 3 changes", pauses());
    let (status, _, log) = ward.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");

    // Everything once, in order, each chain unbroken.
    assert_eq!(foreign::read_all(&world.broker, &world.topic("decisions")).len(), count);
    assert_eq!(foreign::read_all(&world.broker, &world.topic("rejected")).len(), 0);
    let mut seen = std::collections::BTreeSet::new();
    for partition in 0..3 {
        let own: Vec<_> = decisions.iter().filter(|record| record["partition"] == partition).collect();
        for pair in own.windows(2) {
            let offset = |record: &Value| record["value"]["position"]["offset"].as_i64().unwrap();
            assert_eq!(offset(pair[0]) + 1, offset(pair[1]), "partition {partition}");
        }
        let mut policies: Vec<_> = own.iter().map(|record| basis(record, "policy")).collect();
        policies.dedup();
        assert!(policies.len() <= digests.len(), "a policy came back: {policies:?}");
        assert!(policies.iter().all(|policy| digests.contains(policy)), "{policies:?}");
        let mut tables: Vec<_> = own.iter().map(|record| basis(record, "tables")).collect();
        tables.dedup();
        assert!(tables.len() <= 2, "{tables:?}");
        seen.extend(policies);
    }
    assert_eq!(seen.len(), digests.len(), "each of the three policies decided something");
    let last = decisions.iter().filter(|record| basis(record, "policy") == digests[2]);
    assert!(last.clone().all(|record| record["value"]["facts"]["network_class"] == "hosting"));
    assert!(decisions.iter().all(|record| record["value"]["shadow"][0]["by"] == "seed"));

    // Each policy is there once, with its text, whatever the number of workers; and a restart knows.
    let mut ward = world.run_without_geo("one", &["--workers", "2"]);
    ward.says(" ready ");
    world.produce(&[login("user1", "after", 0)]);
    foreign::read(&world.broker, &world.topic("decisions"), count + 1);
    assert_eq!(ward.end("TERM").0.code(), Some(0));
    let published = foreign::read_all(&world.broker, &world.topic("policies"));
    let mut keys: Vec<_> = published.iter().map(|record| record["key"].as_str().unwrap()).collect();
    keys.sort_unstable();
    digests.sort_unstable();
    assert_eq!(keys, digests);
    for record in &published {
        let texts: Vec<_> = record["value"]["texts"].as_array().unwrap().iter().collect();
        assert_eq!(texts.len(), 3, "the seed, the default, the file");
        assert_eq!(record["schema"], "policy");
    }
}
