//! The Python that holds the second implementations which tests compare with.

use std::{
    env,
    process::{Command, Stdio},
};

/// A command of the interpreter, which can import `modules` (separated by commas).
///
/// Where it cannot, this says that the test is skipped and returns `None`; with `EMBERWATCH_REQUIRE_PEERS`
/// set, as in CI, it panics instead.
pub(crate) fn find(modules: &str) -> Option<Command> {
    let import = format!("import {modules}");
    let tried = command().args(["-c", &import]).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return Some(command());
    }
    let message = format!("Python cannot import {modules}; scripts/install-oracle brings it");
    assert!(env::var_os("EMBERWATCH_REQUIRE_PEERS").is_none(), "{message}");
    println!("skipped: {message}");
    None
}

/// A command of the interpreter in `EMBERWATCH_PYTHON`, else of `python3`.
pub(crate) fn command() -> Command {
    Command::new(env::var("EMBERWATCH_PYTHON").unwrap_or_else(|_| "python3".to_owned()))
}
