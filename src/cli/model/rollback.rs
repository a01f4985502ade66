//! `emberwatch model rollback`: an older version in use again.

use super::DEFAULT_FOLDER;
use crate::{
    cli::read_model,
    lifecycle::{ModelDirectory, StoredVersion},
};
use anyhow::{Context as _, bail};
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Put an older version of a detector's model in use again: the one before the current, or the one named. The newer
/// ones stay on disk.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// The detector
    #[arg(value_name = "DETECTOR")]
    detector: String,

    /// The version to go to; it may be a newer one too [default: the one before the current]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,

    /// Where the models are: models.path of the config
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_FOLDER)]
    path: PathBuf,
}

/// Checks that the version can be used, and makes it the current one.
///
/// # Errors
/// When there is no such version, or it is no usable model; then nothing has changed.
pub fn run(args: &RollbackArgs) -> anyhow::Result<ExitCode> {
    let RollbackArgs { detector, to, path } = args;
    let directory = ModelDirectory::new(path, usize::MAX);
    let versions = directory
        .versions(detector)
        .with_context(|| format!("cannot read the versions of {detector} in {}", path.display()))?;
    let current = versions.iter().position(|version| version.is_current);
    let target = match (to, current) {
        (Some(to), _) => versions.iter().find(|version| version.name == *to),
        (None, Some(current)) => versions.get(current + 1),
        (None, None) => {
            bail!("no version of {detector} is in use: name one with --to, one of {}", names(&versions))
        }
    };
    let Some(target) = target else {
        match to {
            Some(to) => bail!("{detector} has no version {to}, only {}", names(&versions)),
            None => bail!("there is nothing before the version in use; {detector} has {}", names(&versions)),
        }
    };
    read_model(&target.file)?;
    directory.make_current(detector, &target.name)?;
    let from = current.map_or("none", |current| versions[current].name.as_str());
    writeln!(
        stdout(),
        "{detector}: {from} -> {}\na running sidecar takes it over on SIGHUP or POST /-/reload",
        target.name
    )?;
    Ok(ExitCode::SUCCESS)
}

fn names(versions: &[StoredVersion]) -> String {
    match versions {
        [] => "none".to_owned(),
        versions => versions.iter().map(|version| version.name.as_str()).collect::<Vec<_>>().join(", "),
    }
}
