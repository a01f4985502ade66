//! A peer as a child process: started on a free port, waited for, always stopped.

use super::http;
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a peer may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long a process may take to end after it was told to.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Pause between two looks at a peer that is starting or ending.
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

    /// Number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A size of the kernel's: `VmRSS` is the memory that is resident now, `VmHWM` the most it ever was.
    pub(crate) fn memory_bytes(&self, size: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let lines = status.lines().filter_map(|line| line.strip_prefix(size)?.strip_prefix(':'));
        let kilobytes = lines.filter_map(|line| line.trim().strip_suffix(" kB")).next();
        kilobytes.unwrap().parse::<usize>().unwrap() << 10
    }

    /// Sends a signal by its name, such as `TERM` or `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        // By the shell's command: the standard library has no call for it but to kill.
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send {name} to {}", self.name);
    }

    /// Waits until the process has ended by itself or by a signal.
    ///
    /// # Panics
    /// When it does not end in time.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < STOP_LIMIT, "{} does not end", self.name);
            thread::sleep(POLL);
        }
    }

    /// Everything it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within `limit`; `what` says what was waited for.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < limit, "within {limit:?} not: {what}");
        thread::sleep(POLL);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
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
