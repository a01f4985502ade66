//! A real Prometheus.

use super::{
    http::{get_json, percent_encoded},
    process::{Process, free_address},
};
use emberwatch::series::TimestampMs;
use serde_json::Value;
use std::{fs, net::SocketAddr, path::Path, process::Command};

/// Starts `binary` with `flags` and an empty configuration, and waits until it is ready.
pub(crate) fn start(binary: &Path, flags: &[&str]) -> (SocketAddr, Process) {
    start_with(binary, "global: {}\n", flags)
}

/// The same with a configuration.
pub(crate) fn start_with(binary: &Path, configuration: &str, flags: &[&str]) -> (SocketAddr, Process) {
    start_on(tempfile::tempdir().unwrap(), binary, configuration, flags)
}

/// The same in a directory; what is in its `data` is the storage.
pub(crate) fn start_on(
    directory: tempfile::TempDir,
    binary: &Path,
    configuration: &str,
    flags: &[&str],
) -> (SocketAddr, Process) {
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

/// What it answers to an instant query: the elements of the result.
pub(crate) fn query(address: SocketAddr, expression: &str) -> Vec<Value> {
    result(address, &format!("query={}", percent_encoded(expression)))
}

/// The same for a time that is not the present.
pub(crate) fn query_at(address: SocketAddr, expression: &str, at: TimestampMs) -> Vec<Value> {
    result(address, &format!("query={}&time={}", percent_encoded(expression), at.seconds()))
}

fn result(address: SocketAddr, parameters: &str) -> Vec<Value> {
    let answer = get_json(address, &format!("/api/v1/query?{parameters}"));
    answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{parameters}: {answer}")).clone()
}
