//! A process that is told to end before it has begun to serve.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Its policy is a pipe: it reads for as long as we have not written.
#[test]
fn told_so_while_it_reads_its_files_it_ends_in_order() {
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let home = tempfile::tempdir().unwrap();
        let policy = home.path().join("policy.toml");
        assert!(Command::new("mkfifo").arg(&policy).status().unwrap().success());
        let mut ward = Command::new(env!("CARGO_BIN_EXE_ward"))
            .args(["run", "--bootstrap", "127.0.0.1:9", "--geo", "builtin", "--policy"])
            .arg(&policy)
            .arg("--state")
            .arg(home.path().join("state"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = once_read(&policy, &mut ward);
        let told = Command::new("kill").args([&format!("-{signal}"), &ward.id().to_string()]).status();
        assert!(told.unwrap().success());
        pipe.write_all(include_bytes!("../../config/policy/default.toml")).unwrap();
        drop(pipe);
        assert_eq!(ward.wait().unwrap().code(), Some(code), "{signal}");
    }
}

/// The pipe, once `reader` has opened it.
#[expect(clippy::disallowed_methods, reason = "a test waits for a process, with a deadline")]
fn once_read(pipe: &Path, reader: &mut Child) -> File {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Ok(open) = OpenOptions::new().write(true).custom_flags(DO_NOT_WAIT).open(pipe) {
            return open;
        }
        assert!(reader.try_wait().unwrap().is_none(), "it ended before it read");
        assert!(Instant::now() < deadline, "it reads no policy");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `O_NONBLOCK` of Linux: without a reader opening fails, and does not wait for one.
const DO_NOT_WAIT: i32 = 0o4000;
