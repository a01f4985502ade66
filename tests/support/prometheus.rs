//! A real Prometheus.

use super::process::{Process, free_address};
use std::{fs, net::SocketAddr, path::Path, process::Command};

/// Starts `binary` with `flags` and an empty configuration, and waits until it is ready.
pub(crate) fn start(binary: &Path, flags: &[&str]) -> (SocketAddr, Process) {
    start_with(binary, "global: {}\n", flags)
}

/// The same with a configuration.
pub(crate) fn start_with(binary: &Path, configuration: &str, flags: &[&str]) -> (SocketAddr, Process) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("prometheus.yml");
    fs::write(&config, configuration).unwrap();
    let address = free_address();
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .args(flags);
    let mut process = Process::spawn("prometheus", command, directory);
    process.wait_until_ready(address, "/-/ready");
    (address, process)
}
