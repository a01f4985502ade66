//! Finds the real peers (Prometheus, promtool, Alertmanager, node_exporter) that tests run against.

use std::{env, path::PathBuf};

/// The binary `name`, from the folder `EMBERWATCH_PEERS` or from `PATH`.
///
/// Where it is absent this says that the test is skipped and returns `None`; with
/// `EMBERWATCH_REQUIRE_PEERS=1`, as in CI, it panics instead.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("EMBERWATCH_PEERS").into_iter().chain(env::var_os("PATH"));
    let found = folders
        .flat_map(|list| env::split_paths(&list).collect::<Vec<_>>())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        let message = format!("{name} is in neither EMBERWATCH_PEERS nor PATH; `make peers` brings it");
        assert!(env::var_os("EMBERWATCH_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{message}");
        println!("skipped: {message}");
    }
    found
}
