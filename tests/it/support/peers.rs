//! Where the binaries of real peers are.

use std::{env, path::PathBuf};

/// The binary called `name`: in the directory that `EMBERWATCH_PEERS` names, else on `PATH`.
///
/// `None` means that the test has to skip; it says so on standard error. With
/// `EMBERWATCH_REQUIRE_PEERS` set, a missing peer is a failure: a CI that installs its peers must
/// not pass because it forgot one.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let named = env::var_os("EMBERWATCH_PEERS").map(PathBuf::from);
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let found = named
        .into_iter()
        .chain(on_path.into_iter().flatten())
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        assert!(
            env::var_os("EMBERWATCH_REQUIRE_PEERS").is_none(),
            "{name} is neither in $EMBERWATCH_PEERS nor on $PATH, and EMBERWATCH_REQUIRE_PEERS is set"
        );
        eprintln!("SKIPPED: {name} is neither in $EMBERWATCH_PEERS nor on $PATH");
    }
    found
}
