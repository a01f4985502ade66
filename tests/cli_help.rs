//! The help of every subcommand, to be read by a person before it changes.

use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberwatch"));
    // Both would show in the text.
    command.args(arguments).env_remove("COLUMNS").env_remove("SOURCE_DATE_EPOCH");
    let output = command.output().unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `demo` has its snapshot beside its arguments.
#[test]
fn every_subcommand_explains_itself() {
    insta::assert_snapshot!("emberwatch", help(&["--help"]));
    for subcommand in ["run", "extract", "inspect", "train", "score", "backtest", "evaluate", "check-config"]
    {
        insta::assert_snapshot!(subcommand, help(&[subcommand, "--help"]));
    }
    insta::assert_snapshot!("model", help(&["model", "--help"]));
    for subcommand in ["show", "diff", "list", "promote", "rollback", "export", "import"] {
        insta::assert_snapshot!(format!("model-{subcommand}"), help(&["model", subcommand, "--help"]));
    }
    insta::assert_snapshot!("features", help(&["features", "--help"]));
    for subcommand in ["show", "export"] {
        insta::assert_snapshot!(format!("features-{subcommand}"), help(&["features", subcommand, "--help"]));
    }
}
