//! Stores to read from: VictoriaMetrics, and a Prometheus that lets nobody in without certificate and password.

use crate::support::{
    http,
    process::{Process, free_address, wait_for},
};
use emberwatch::client::TlsSettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The password of user `ember`.
pub(super) const PASSWORD: &str = "open sesame";

/// Its bcrypt hash, as `htpasswd -nbB -C 4` makes it.
const PASSWORD_HASH: &str = "$2b$04$nwuewKyyU4Gw2vCM4aj4gejZMg7H9Htfy9zpzdpat2qWdSWZasEUa";

/// An authority, and what it signed for a server and for us.
pub(super) struct Keys {
    directory: tempfile::TempDir,
}

impl Keys {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(directory.path().join(name), text).unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        write("authority.pem", authority.pem());
        for (who, name) in [("server", "127.0.0.1"), ("ours", "emberwatch")] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            write(&format!("{who}.pem"), params.signed_by(&key, &authority).unwrap().pem());
            write(&format!("{who}.key"), key.serialize_pem());
        }
        Self { directory }
    }

    /// How we are to connect.
    pub(super) fn settings(&self) -> TlsSettings {
        TlsSettings {
            ca_file: Some(self.file("authority.pem")),
            cert_file: Some(self.file("ours.pem")),
            key_file: Some(self.file("ours.key")),
            server_name: None,
            insecure_skip_verify: false,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A Prometheus with a web configuration; it is up when its port is open.
pub(super) fn start_secured_prometheus(binary: &Path, keys: &Keys) -> (SocketAddr, Process) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let config = file("prometheus.yml", "global: {}\n");
    let key = |name: &str| keys.file(name).display().to_string();
    let web = file(
        "web.yml",
        &format!(
            "tls_server_config: {{cert_file: '{}', key_file: '{}', client_auth_type: RequireAndVerifyClientCert, client_ca_file: '{}'}}\n\
             basic_auth_users: {{ember: '{PASSWORD_HASH}'}}\n",
            key("server.pem"),
            key("server.key"),
            key("authority.pem")
        ),
    );
    let address = free_address();
    let mut command = Command::new(binary);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--web.config.file={}", web.display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address={address}"));
    let process = Process::spawn("prometheus", command, directory);
    wait_for("Prometheus listens", Duration::from_secs(30), || TcpStream::connect(address).ok());
    wait_for("Prometheus is ready", Duration::from_secs(30), || {
        process.log().contains("Server is ready to receive web requests").then_some(())
    });
    (address, process)
}

/// A VictoriaMetrics of its own.
pub(super) fn start_victoria_metrics(binary: &Path) -> (SocketAddr, Process) {
    let directory = tempfile::tempdir().unwrap();
    let address = free_address();
    let mut command = Command::new(binary);
    command
        .arg(format!("-storageDataPath={}", directory.path().join("data").display()))
        .arg(format!("-httpListenAddr={address}"));
    let mut process = Process::spawn("victoria-metrics", command, directory);
    process.wait_until_ready(address, "/health");
    (address, process)
}

/// Makes what VictoriaMetrics took visible to queries.
pub(super) fn flush(address: SocketAddr) {
    let answer = http::get(address, "/internal/force_flush").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}
