//! A peer as a child process: started on a free port, waited for, always stopped.

use super::http;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a peer may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Pause between two looks at a peer that is starting.
const POLL: Duration = Duration::from_millis(20);

/// A running child process. It is killed by its handle when this is dropped, also when the test
/// panics; then the end of its log is shown.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Holds the log and whatever the test put there; removed last.
    directory: tempfile::TempDir,
}

impl Process {
    /// Starts `command` with its output going to a log file in `directory`.
    pub(crate) fn spawn(name: &str, mut command: Command, directory: tempfile::TempDir) -> Self {
        let log = directory.path().join(format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { name: name.to_owned(), child, log, directory }
    }

    /// Waits until `GET path` at `address` answers 200.
    ///
    /// # Panics
    /// When the process ends first, or does not answer in time.
    pub(crate) fn wait_until_ready(&mut self, address: SocketAddr, path: &str) {
        let started = Instant::now();
        while !http::get(address, path).is_ok_and(|response| response.status == 200) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended while starting: {status}", self.name);
            }
            assert!(started.elapsed() < START_LIMIT, "{} does not answer {path}", self.name);
            thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- end of the log of {} in {:?} ---\n{end}", self.name, self.directory.path());
        }
    }
}

/// An address on the loopback interface whose port was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap()
}
