//! `ward run` over TLS, known to the broker by a password or by a token.
#![expect(clippy::disallowed_methods, reason = "a test waits until a token has run out")]

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::broker::Broker;
use super::run::events;
use super::ward::{World, login};

#[test]
#[ignore = "needs a broker: make test"]
fn over_tls_with_scram() {
    let broker = Broker::own(&["--tls-scram"]);
    let settings = broker.settings();
    let extra = format!(
        "[kafka.tls]\nca_file = '{}'\n[kafka.sasl]\nmechanism = '{}'\nusername = '{}'\npassword_file = '{}'\n",
        settings["WARD_KAFKA_CA"],
        settings["WARD_KAFKA_MECHANISM"],
        settings["WARD_KAFKA_USER"],
        settings["WARD_KAFKA_PASSWORD_FILE"]
    );
    let world = World::new(broker, 2, &extra);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.produce(&events(5, 2, "a"));
    world.decisions_are_the_fold();

    // Nobody is left to guess why there is no answer.
    let output = world.ward_as("nobody", &["topics", "check"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("SASL authentication error") && told.contains("check [kafka.sasl]"), "{told}");
    let other = world.home.path().join("other-ca.pem");
    let stranger = rcgen::generate_simple_self_signed(["stranger.example".to_owned()]).unwrap();
    std::fs::write(&other, stranger.cert.pem()).unwrap();
    let output =
        world.ward_with(&["topics", "check"], "WARD__KAFKA__TLS__CA_FILE", &other.display().to_string());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("certificate verify failed") && told.contains("check [kafka.tls]"), "{told}");

    // While it runs, then before it starts: what it may not do is named, and how to allow it.
    world.broker.deny("ward", "Write", &world.topic("alerts"));
    let mut thief = login("user3", "stolen", 0);
    thief["type"] = json!("access");
    thief["device_fingerprint"] = json!("d-thief");
    world.produce(&[thief]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert!(ward.log().contains("allow Write on the risk topics"), "{}", ward.log());
    world.broker.deny("ward", "Describe", &world.topic("alerts"));
    let mut ward = world.run("one", &["--workers", "1"]);
    assert_eq!(ward.wait().code(), Some(2), "{}", ward.log());
    assert!(ward.log().contains("the broker refuses"), "{}", ward.log());
}

/// A token that lives for seconds, kept fresh as a projected one is, and the connections that end with
/// it; then nobody keeps it fresh any more, and the log says what to see to.
#[test]
#[ignore = "needs a broker: make test"]
fn over_tls_with_a_token_that_is_renewed() {
    let broker = Broker::own(&["--tls-oauth"]);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    let write = |life_s| {
        // Renamed into place: whoever reads must never find half a token.
        let next = file.with_extension("next");
        std::fs::write(&next, unsigned_token("ward", life_s)).unwrap();
        std::fs::rename(next, &file).unwrap();
    };
    write(20);
    let extra = format!(
        "[kafka.tls]\nca_file = '{}'\n[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken_file = '{}'\n",
        broker.settings()["WARD_KAFKA_CA"],
        file.display()
    );
    let world = World::bare(broker, &extra);
    let output = world.ward(&["topics", "create", "--partitions", "2"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot be done with mechanism OAUTHBEARER"), "{said}");
    let ours =
        ["events", "feedback", "decisions", "alerts", "revocations", "profiles", "rejected", "policies"];
    for name in ours.into_iter().chain(["sightings", "networks", "network_state"]) {
        world.broker.named_topic(&world.topic(name), if name == "policies" { 1 } else { 2 });
    }
    write(20);
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    for round in 0..5 {
        // Longer in all than any one token lives.
        world.produce(&events(5, 1, &round.to_string()));
        world.decisions_are_the_fold();
        write(20);
        std::thread::sleep(Duration::from_secs(6));
    }
    world.produce(&events(5, 1, "z"));
    world.decisions_are_the_fold();
    assert!(!ward.log().contains("no token for the broker"), "{}", ward.log());

    ward.says("no token for the broker");
    assert!(ward.log().contains("see to whatever keeps it fresh"), "{}", ward.log());
    write(60);
    world.produce(&events(5, 1, "zz"));
    world.decisions_are_the_fold();
    assert_eq!(ward.end("TERM").0.code(), Some(0));
}

/// An unsecured JWS: header, claims and no signature.
fn unsigned_token(sub: &str, life_s: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "sub": sub, "iat": now, "exp": now + life_s });
    format!("{}.{}.\n", part(json!({ "alg": "none" })), part(claims))
}
