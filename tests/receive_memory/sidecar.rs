//! The real binary as a process whose memory is watched.

use crate::support::{
    http,
    process::{Process, free_address},
};
use std::{net::SocketAddr, process::Command};

/// A running sidecar with the default settings.
pub(crate) struct Sidecar {
    address: SocketAddr,
    process: Process,
}

impl Sidecar {
    pub(crate) fn start() -> Self {
        let address = free_address();
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
        command.arg("run").arg(format!("--web.listen-address={address}")).current_dir(directory.path());
        let mut process = Process::spawn("emberwatch", command, directory);
        process.wait_until_ready(address, "/-/ready");
        Self { address, process }
    }

    /// The most bytes of memory that were resident at any time.
    pub(crate) fn peak_bytes(&self) -> usize {
        self.process.memory_bytes("VmHWM")
    }

    pub(crate) fn write(&self, content_type: &str, message: &[u8]) -> http::Response {
        let body = snap::raw::Encoder::new().compress_vec(message).unwrap();
        let headers = [("Content-Type", content_type), ("Content-Encoding", "snappy")];
        http::post(self.address, "/api/v1/write", &headers, &body).unwrap()
    }
}
