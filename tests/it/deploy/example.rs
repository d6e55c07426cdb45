//! What the examples of `config/deploy` say.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// How an example runs `ward`.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    /// Where its secrets lie.
    pub(crate) secrets: String,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
}

impl Example {
    /// As the kubelet starts it.
    pub(crate) fn statefulset() -> Self {
        let (set, container) = (kubernetes("StatefulSet"), container());
        let env = container["env"].as_array().unwrap();
        let environment = env.iter().filter_map(|entry| {
            Some((entry["name"].as_str()?.to_owned(), entry["value"].as_str()?.to_owned()))
        });
        let mounts = container["volumeMounts"].as_array().unwrap();
        let secrets = mounts.iter().find(|mount| mount["name"] == "secrets").unwrap();
        Self {
            arguments: container["args"].as_array().unwrap().iter().map(text).collect(),
            environment: environment.collect(),
            secrets: text(&secrets["mountPath"]),
            grace: Duration::from_secs(
                set["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap(),
            ),
        }
    }

    /// As systemd starts it; `%d` is the folder of its credentials, `%H` the host's name.
    pub(crate) fn unit() -> Self {
        let secrets = "/run/credentials/ward.service";
        let start = unit("ExecStart").remove(0);
        let start = start.strip_prefix("/usr/local/bin/ward ").unwrap();
        let environment = unit("Environment");
        Self {
            arguments: start.split(' ').map(|word| word.replace("%H", "host-1")).collect(),
            environment: environment
                .iter()
                .map(|line| {
                    let (name, value) = line.split_once('=').unwrap();
                    (name.to_owned(), value.replace("%d", secrets))
                })
                .collect(),
            secrets: secrets.to_owned(),
            grace: Duration::from_secs(unit("TimeoutStopSec")[0].parse().unwrap()),
        }
    }
}

/// The one object of a kind.
pub(crate) fn kubernetes(kind: &str) -> Value {
    let all: Vec<Value> = serde_saphyr::from_multiple(&read("kubernetes.yaml")).unwrap();
    let mut found: Vec<_> = all.into_iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

pub(crate) fn container() -> Value {
    kubernetes("StatefulSet")["spec"]["template"]["spec"]["containers"][0].clone()
}

/// A service of the compose file.
pub(crate) fn compose(service: &str) -> Value {
    let file: Value = serde_saphyr::from_str(&read("compose.yaml")).unwrap();
    file["services"][service].clone()
}

/// All values of a setting of the unit.
pub(crate) fn unit(name: &str) -> Vec<String> {
    let unit = read("ward.service");
    let found: Vec<_> = unit
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(str::to_owned)
        .collect();
    assert!(!found.is_empty(), "the unit has no {name}");
    found
}

pub(crate) fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/deploy").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
