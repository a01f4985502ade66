//! `emberwatch model`: what can be done with model files, one file a subcommand.

pub mod diff;

pub mod export;

mod facts;

pub mod import;

pub mod list;

pub mod promote;

pub mod rollback;

pub mod show;

use clap::{Args, Subcommand};
use std::process::ExitCode;

/// Where a sidecar keeps its models unless its config says otherwise.
const DEFAULT_FOLDER: &str = "models";

/// Show, compare, promote, roll back, import and export models.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Show what stands in a model file
    Show(show::ShowArgs),
    /// Show how two model files differ
    Diff(diff::DiffArgs),
    /// List the versions that a sidecar keeps
    List(list::ListArgs),
    /// Put an older version in use again
    Rollback(rollback::RollbackArgs),
    /// Put a version in use that the sidecar rejected
    Promote(promote::PromoteArgs),
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
        ModelCommand::Show(args) => show::run(args),
        ModelCommand::Diff(args) => diff::run(args),
        ModelCommand::List(args) => list::run(args),
        ModelCommand::Rollback(args) => rollback::run(args),
        ModelCommand::Promote(args) => promote::run(args),
        ModelCommand::Export(args) => export::run(args),
        ModelCommand::Import(args) => import::run(args),
    }
}
