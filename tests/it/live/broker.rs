//! The broker that a test talks to: the one that `make test` started for all of them, or one of its
//! own, which it may stop, kill and bring back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

/// A running broker. One of the test's own is stopped and deleted when the value is dropped.
#[derive(Debug)]
pub(super) struct Broker {
    settings: BTreeMap<String, String>,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    home: tempfile::TempDir,
    options: Vec<String>,
}

impl Broker {
    /// The broker of the whole run. Tests share it, so each takes topics and a group of its own.
    #[track_caller]
    pub(super) fn shared() -> Self {
        let settings: BTreeMap<_, _> =
            std::env::vars().filter(|(key, _)| key.starts_with("WARD_KAFKA")).collect();
        assert!(
            settings.contains_key("WARD_KAFKA"),
            "no broker: run `make test`, or start one with tests/kafka/broker and set what it prints"
        );
        Self { settings, own: None }
    }

    /// A broker of this test's own; `options` as of `tests/kafka/broker start`.
    #[track_caller]
    pub(super) fn own(options: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut broker = Self { settings: BTreeMap::new(), own: Some(Own { home, options }) };
        broker.start();
        broker
    }

    /// Starts an own broker again, on its old port with its old data.
    #[track_caller]
    pub(super) fn start(&mut self) {
        let own = self.own.as_ref().expect("only an own broker is started by a test");
        let printed = own.run("start", &own.options);
        self.settings = printed
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
    }

    /// Ends an own broker as a power cut does; `start` brings it back.
    #[track_caller]
    pub(super) fn kill(&self) {
        self.own
            .as_ref()
            .expect("only an own broker is killed by a test")
            .run("stop", &["--kill".to_owned()]);
    }

    /// The same for one node of several, or of one.
    #[track_caller]
    pub(super) fn start_node(&self, node: u64) {
        self.of_node("start", node, &[]);
    }

    #[track_caller]
    pub(super) fn kill_node(&self, node: u64) {
        self.of_node("stop", node, &["--kill"]);
    }

    /// Ends one in order, and keeps its data.
    #[track_caller]
    pub(super) fn stop_node(&self, node: u64) {
        self.of_node("stop", node, &["--keep"]);
    }

    /// Sends a signal to one by its name.
    #[track_caller]
    pub(super) fn signal_node(&self, node: u64, signal: &str) {
        let own = self.own.as_ref().expect("only an own broker is stopped by a test");
        let pid = std::fs::read_to_string(own.node(node).join("broker.pid")).unwrap();
        said(Command::new("kill").args([format!("-{signal}"), pid.trim().to_owned()]).output());
    }

    /// Where a node keeps its logs.
    pub(super) fn data(&self, node: u64) -> std::path::PathBuf {
        self.own.as_ref().expect("only an own broker's data is known").node(node).join("data")
    }

    #[track_caller]
    fn of_node(&self, command: &str, node: u64, more: &[&str]) {
        let own = self.own.as_ref().expect("only an own broker is started and ended by a test");
        let node = node.to_string();
        let options = [&["--node", &node], more].concat();
        own.run(command, &options.iter().map(|&option| option.to_owned()).collect::<Vec<_>>());
    }

    pub(super) fn bootstrap(&self) -> &str {
        &self.settings["WARD_KAFKA"]
    }

    /// What `tests/kafka/broker` printed: address, security, CA, user, password file.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.settings
    }

    /// Makes a topic with a name that nobody else has.
    #[track_caller]
    pub(super) fn topic(&self, name: &str, partitions: u32) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{count}", std::process::id());
        self.named_topic(&name, partitions);
        name
    }

    /// Where it is, for whoever needs no more of it.
    pub(super) fn address(&self) -> Self {
        Self { settings: self.settings.clone(), own: None }
    }

    /// The same broker for another user, whose readers are of `group`.
    pub(super) fn as_user(&self, user: &str, group: &str) -> Self {
        let mut other = self.address();
        other.settings.insert("WARD_KAFKA_USER".into(), user.into());
        other.settings.insert("WARD_KAFKA_GROUP".into(), group.into());
        other
    }

    /// Makes a user, with the password that all of them have.
    #[track_caller]
    pub(super) fn user(&self, name: &str) {
        let password = std::fs::read_to_string(&self.settings["WARD_KAFKA_PASSWORD_FILE"]).unwrap();
        let secret = format!("SCRAM-SHA-512=[password={}]", password.trim());
        self.tool(
            "kafka.admin.ConfigCommand",
            &["--alter", "--add-config", &secret, "--entity-type", "users", "--entity-name", name],
        );
    }

    /// Carries out a line of `kafka-acls.sh`.
    #[track_caller]
    pub(super) fn grant(&self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        let ["kafka-acls.sh", "--bootstrap-server", _, rest @ ..] = words.as_slice() else {
            panic!("`{line}` is no line of kafka-acls.sh");
        };
        self.tool("org.apache.kafka.tools.AclCommand", rest);
    }

    /// Takes an operation away again, from resources as that tool names them.
    #[track_caller]
    pub(super) fn revoke(&self, user: &str, resources: &[&str], operation: &str) {
        let principal = format!("User:{user}");
        let rule = ["--remove", "--force", "--allow-principal", &principal, "--operation", operation];
        self.tool("org.apache.kafka.tools.AclCommand", &[&rule, resources].concat());
    }

    /// Where its super user needs no credentials.
    fn plain(&self) -> &str {
        self.settings.get("WARD_KAFKA_PLAIN").map_or_else(|| self.bootstrap(), String::as_str)
    }

    /// A tool of the broker's own, as its super user.
    #[track_caller]
    fn tool(&self, class: &str, arguments: &[&str]) {
        said(
            Command::new(script("broker"))
                .args(["tool", class])
                .args(arguments)
                .args(["--bootstrap-server", self.plain()])
                .output(),
        );
    }

    /// Takes back the offset of a group, in partition 0 of `topic`, by the command that `ward run` names.
    #[track_caller]
    pub(super) fn delete_offset(&self, group: &str, topic: &str) {
        let place = format!("{topic}:0");
        let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        self.tool(class, &["--group", group, "--topic", &place, "--delete-offsets"]);
    }

    /// Deletes what a partition holds before `offset`, as retention does.
    #[track_caller]
    pub(super) fn delete_records(&self, topic: &str, partition: u32, offset: u64) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wish = serde_json::json!({
            "version": 1, "partitions": [{"topic": topic, "partition": partition, "offset": offset}],
        });
        std::fs::write(file.path(), wish.to_string()).unwrap();
        said(
            Command::new(script("broker"))
                .args(["tool", "org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file"])
                .arg(file.path())
                .args(["--bootstrap-server", self.bootstrap()])
                .output(),
        );
    }

    /// Gives a topic more partitions.
    #[track_caller]
    pub(super) fn widen(&self, topic: &str, partitions: u32) {
        said(
            Command::new(script("broker"))
                .args(["tool", "org.apache.kafka.tools.TopicCommand", "--alter", "--topic", topic])
                .args(["--partitions", &partitions.to_string(), "--bootstrap-server", self.bootstrap()])
                .output(),
        );
        // A broker that is busy with the topics of others tells of the new number seconds later, and who has
        // asked before keeps to the old one for minutes.
        let told = format!("PartitionCount: {partitions}");
        let described = || {
            let mut describe = Command::new(script("broker"));
            describe.args(["tool", "org.apache.kafka.tools.TopicCommand", "--describe", "--topic", topic]);
            said(describe.args(["--bootstrap-server", self.bootstrap()]).output())
        };
        assert!((0..30).any(|_| described().contains(&told)), "{topic} is not known to have {partitions}");
    }

    /// Forbids a user one operation on a topic, and lets everybody do the rest.
    #[track_caller]
    pub(super) fn deny(&self, user: &str, operation: &str, topic: &str) {
        let rules: [&[&str]; 2] = [
            &["--allow-principal", "User:*", "--operation", "All"],
            &["--deny-principal", &format!("User:{user}"), "--operation", operation],
        ];
        for rule in rules {
            said(
                Command::new(script("broker"))
                    .args(["tool", "org.apache.kafka.tools.AclCommand", "--add", "--topic", topic])
                    .args(rule)
                    .args(["--bootstrap-server", &self.settings["WARD_KAFKA_PLAIN"]])
                    .output(),
            );
        }
    }

    /// Changes a setting of a topic with the broker's own tool.
    #[track_caller]
    pub(super) fn configure(&self, topic: &str, setting: &str) {
        said(
            Command::new(script("broker"))
                .args(["tool", "kafka.admin.ConfigCommand", "--alter", "--entity-type", "topics"])
                .args(["--entity-name", topic, "--add-config", setting])
                .args(["--bootstrap-server", self.bootstrap()])
                .output(),
        );
    }

    /// Ends a transaction that hangs, as `kafka-transactions.sh` does.
    pub(super) fn abort_transaction(&self, place: &[&str]) -> bool {
        let output = Command::new(script("broker"))
            .args(["tool", "org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server"])
            .arg(self.bootstrap())
            .arg("abort")
            .args(place)
            .output();
        output.is_ok_and(|output| output.status.success())
    }

    /// The names of all topics.
    pub(super) fn topics(&self) -> Vec<String> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", self.bootstrap()).create().unwrap();
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(10)).unwrap();
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
    }

    /// Makes a topic with the broker's own tool.
    #[track_caller]
    pub(super) fn named_topic(&self, name: &str, partitions: u32) {
        said(
            Command::new(script("broker"))
                .args(["tool", "org.apache.kafka.tools.TopicCommand", "--create", "--topic", name])
                .args(["--bootstrap-server", self.plain(), "--partitions", &partitions.to_string()])
                .output(),
        );
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            drop(own.command("stop", &[]).output());
        }
    }
}

impl Own {
    #[track_caller]
    fn run(&self, command: &str, options: &[String]) -> String {
        said(self.command(command, options).output())
    }

    fn node(&self, node: u64) -> std::path::PathBuf {
        let whole = self.home.path().join("broker");
        let own = whole.join(format!("node-{node}"));
        if own.is_dir() { own } else { whole }
    }

    fn command(&self, command: &str, options: &[String]) -> Command {
        let mut run = Command::new(script("broker"));
        run.arg(command).arg("--dir").arg(self.home.path().join("broker")).args(options);
        run
    }
}

/// A script of `tests/kafka`.
pub(super) fn script(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka").join(name)
}

/// The output of a command that must succeed.
#[track_caller]
pub(super) fn said(output: std::io::Result<Output>) -> String {
    let output = output.expect("the command starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    out.into_owned()
}
