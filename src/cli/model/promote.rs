//! `emberwatch model promote`: a version in use that was rejected.

use super::DEFAULT_FOLDER;
use crate::{cli::read_model, lifecycle::ModelDirectory};
use anyhow::{Context as _, bail};
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Put a version in use that the sidecar trained and rejected, or any other that it keeps.
///
/// `model list` shows them, and why. The gate is not asked again.
#[derive(Debug, clap::Args)]
pub struct PromoteArgs {
    /// The detector
    #[arg(value_name = "DETECTOR")]
    detector: String,

    /// The version
    #[arg(value_name = "VERSION")]
    version: String,

    /// Where the models are: models.path of the config
    #[arg(long, value_name = "FOLDER", default_value = DEFAULT_FOLDER)]
    path: PathBuf,
}

/// Checks that the version can be used, and makes it the current one.
///
/// # Errors
/// When there is no such version, or it is no usable model; then nothing has changed.
pub fn run(args: &PromoteArgs) -> anyhow::Result<ExitCode> {
    let PromoteArgs { detector, version, path } = args;
    let directory = ModelDirectory::new(path, usize::MAX);
    let unreadable = || format!("cannot read the versions of {detector} in {}", path.display());
    let kept = directory.versions(detector).with_context(unreadable)?.into_iter();
    let rejected = directory.rejected(detector).with_context(unreadable)?;
    let reason =
        rejected.iter().find(|known| known.version.name == *version).map(|known| known.reason.clone());
    let mut all = kept.chain(rejected.into_iter().map(|rejected| rejected.version));
    let Some(known) = all.find(|known| known.name == *version) else {
        bail!("{detector} has no version {version}; `emberwatch model list` shows those that there are")
    };
    read_model(&known.file)?;
    directory.promote(detector, version)?;
    let mut out = stdout().lock();
    if let Some(reason) = reason {
        writeln!(out, "it had been rejected: {reason}")?;
    }
    writeln!(
        out,
        "{detector}: {version} is in use\na running sidecar takes it over on SIGHUP or POST /-/reload"
    )?;
    Ok(ExitCode::SUCCESS)
}
