//! The examples of `config/deploy` against `ward` and against each other: every option is one of
//! `ward run`, a stop is over before the group misses the process, nobody is root, and what one part
//! names another part has. `tests/deploy/check` holds their form; `live::deploy` runs them.

pub(crate) mod example;

use std::time::Duration;

use example::{Example, compose, container, kubernetes, read, unit};
use serde_json::Value;

/// How long a stop may take before it is no stop in order: five times what it does.
const STOP_MIN: Duration = Duration::from_secs(5);

#[test]
fn every_command_is_one_of_ward() {
    let ward = wardstream::cli::command();
    let image = read("Containerfile");
    let command: Vec<String> = serde_json::from_str(instruction(&image, "CMD")).unwrap();
    for arguments in [
        Example::statefulset().arguments,
        Example::unit().arguments,
        command,
        words(&compose("ward")["command"]),
        words(&compose("topics")["command"]),
    ] {
        let line = ["ward".to_owned()].into_iter().chain(arguments);
        ward.clone().try_get_matches_from(line).unwrap();
    }
}

#[test]
fn a_stop_is_over_before_the_group_misses_the_process() {
    let ward: toml::Table = read("ward.toml").parse().unwrap();
    let session = seconds(ward["run"]["session_timeout"].as_str().unwrap());
    let all: toml::Table = include_str!("../../config/ward.toml").parse().unwrap();
    assert_eq!(ward["run"]["session_timeout"], all["run"]["session_timeout"], "the default");
    let compose = compose("ward");
    for grace in [
        Example::statefulset().grace,
        Example::unit().grace,
        seconds(compose["stop_grace_period"].as_str().unwrap()),
    ] {
        assert!(grace > STOP_MIN && grace < session, "{grace:?} is not between {STOP_MIN:?} and {session:?}");
    }
    assert_eq!(unit("KillSignal"), ["SIGTERM"]);
    assert_eq!(instruction(&read("Containerfile"), "STOPSIGNAL"), "SIGTERM");
}

#[test]
fn the_config_map_is_the_file() {
    assert_eq!(kubernetes("ConfigMap")["data"]["ward.toml"], read("ward.toml"));
}

#[test]
fn nobody_is_root_and_no_root_is_written() {
    let pod = &kubernetes("StatefulSet")["spec"]["template"]["spec"];
    let of_pod = &pod["securityContext"];
    assert_eq!(of_pod["runAsNonRoot"], true);
    assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["automountServiceAccountToken"], false);
    let of_container = &container()["securityContext"];
    assert_eq!(of_container["readOnlyRootFilesystem"], true);
    assert_eq!(of_container["allowPrivilegeEscalation"], false);
    assert_eq!(words(&of_container["capabilities"]["drop"]), ["ALL"]);

    let user = of_pod["runAsUser"].as_u64().unwrap();
    assert!(user > 0);
    assert_eq!(of_pod["fsGroup"], user, "the volume is the user's");
    let image = read("Containerfile");
    assert_eq!(instruction(&image, "USER"), format!("{user}:{user}"));
    assert!(image.contains(&format!("install -d -o {user} -g {user} -m 0700 /var/lib/ward")));
    assert!(instruction(&image, "ENTRYPOINT").starts_with('['), "a shell would be needed");

    let compose = compose("ward");
    assert_eq!(compose["user"], format!("{user}:{user}"));
    assert_eq!(compose["read_only"], true);
    assert_eq!(words(&compose["cap_drop"]), ["ALL"]);
    assert_eq!(words(&compose["security_opt"]), ["no-new-privileges:true"]);

    assert_eq!(unit("DynamicUser"), ["yes"]);
    assert_eq!(unit("ProtectSystem"), ["strict"]);
    assert_eq!(unit("NoNewPrivileges"), ["yes"]);
    assert_eq!(unit("CapabilityBoundingSet"), [""]);
}

#[test]
fn what_one_part_names_another_has() {
    let set = &kubernetes("StatefulSet")["spec"];
    let (service, budget) = (kubernetes("Service"), kubernetes("PodDisruptionBudget"));
    let labels = &set["template"]["metadata"]["labels"];
    assert_eq!(&set["selector"]["matchLabels"], labels);
    assert_eq!(&service["spec"]["selector"], labels);
    assert_eq!(&budget["spec"]["selector"]["matchLabels"], labels);
    assert_eq!(set["serviceName"], service["metadata"]["name"]);
    assert_eq!(service["spec"]["clusterIP"], "None");

    let container = container();
    let arguments = Example::statefulset().arguments;
    let listen = option(&arguments, "--metrics-listen");
    let port = &container["ports"][0];
    assert!(listen.ends_with(&format!(":{}", port["containerPort"])), "{listen} is not {port}");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], port["name"]);
    for (probe, path) in
        [("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/ready")]
    {
        assert_eq!(container[probe]["httpGet"]["path"], path);
        assert_eq!(container[probe]["httpGet"]["port"], port["name"]);
    }

    assert_eq!(option(&arguments, "--instance"), "$(POD_NAME)");
    let name = list(&container["env"]).iter().find(|entry| entry["name"] == "POD_NAME").unwrap();
    assert_eq!(name["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");

    let pod = &set["template"]["spec"];
    let volumes = list(&pod["volumes"]).iter().map(|volume| &volume["name"]);
    let claims = list(&set["volumeClaimTemplates"]).iter().map(|claim| &claim["metadata"]["name"]);
    let there: Vec<_> = volumes.chain(claims).collect();
    let mounts = list(&container["volumeMounts"]);
    assert!(mounts.iter().all(|mount| there.contains(&&mount["name"])), "{mounts:?} of {there:?}");
    let writable: Vec<_> = mounts.iter().filter(|mount| mount["readOnly"] != true).collect();
    let [state] = writable.as_slice() else { panic!("{writable:?}") };
    assert!(option(&arguments, "--state").starts_with(state["mountPath"].as_str().unwrap()));

    let folder = unit("StateDirectory");
    assert!(option(&Example::unit().arguments, "--state").starts_with(&format!("/var/lib/{}", folder[0])));
}

#[test]
fn images_have_a_version_and_no_host() {
    let (image, kafka) = (read("Containerfile"), compose("kafka"));
    let bases = image.lines().filter_map(|line| line.strip_prefix("ARG ")).map(|line| {
        let (_, base) = line.split_once('=').unwrap();
        base
    });
    for name in bases.chain([kafka["image"].as_str().unwrap()]) {
        let (name, version) = name.split_once(':').unwrap();
        assert!(!version.is_empty() && version != "latest", "{name}");
        assert!(!name.contains('.'), "{name} names a host");
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pom = std::fs::read_to_string(root.join("tests/kafka/pom.xml")).unwrap();
    let tested = pom.split("<kafka.version>").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(kafka["image"], format!("apache/kafka:{tested}"), "the Kafka that is tested");
    let rust =
        include_str!("../../Cargo.toml").lines().find(|line| line.starts_with("rust-version")).unwrap();
    let rust = rust.split('"').nth(1).unwrap();
    assert!(image.contains(&format!("ARG RUST=rust:{rust}-")));
}

#[test]
fn the_compose_file_speaks_in_the_clear_to_loopback_only() {
    for service in ["ward", "topics"] {
        assert_eq!(compose(service)["network_mode"], "service:kafka");
        assert!(option(&words(&compose(service)["command"]), "--bootstrap").starts_with("localhost:"));
    }
    for port in words(&compose("kafka")["ports"]) {
        assert!(port.starts_with("127.0.0.1:"), "{port} is open to others");
    }
}

fn option(arguments: &[String], name: &str) -> String {
    let at = arguments.iter().position(|argument| argument == name).unwrap();
    arguments[at + 1].clone()
}

fn instruction<'a>(image: &'a str, name: &str) -> &'a str {
    let mut lines = image.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.next_back().unwrap_or_else(|| panic!("the Containerfile has no {name}"))
}

fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap())
}
