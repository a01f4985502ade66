//! `emberwatch model`: what can be done with model files, one file a subcommand.

pub mod export;

pub mod import;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// What can be done with model files.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Write a plain model for other programs
    Export(export::ExportArgs),
    /// Make a model file of an Isolation Forest of scikit-learn
    Import(import::ImportArgs),
}

/// Runs the chosen subcommand.
///
/// # Errors
/// With what went wrong, to be shown to the user.
pub fn run(args: &ModelArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        ModelCommand::Export(args) => export::run(args),
        ModelCommand::Import(args) => import::run(args),
    }
}
