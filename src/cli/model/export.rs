//! `emberwatch model export`: a plain model for other programs.

use crate::cli::{read_model, write_file};
use anyhow::Context as _;
use clap::ValueEnum;
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Write a plain model, one forest over the features' values, for other programs.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The model file
    #[arg(value_name = "MODEL")]
    model: PathBuf,

    /// What is written
    #[arg(long, value_enum)]
    format: Format,

    /// Where it is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// ONNX: from a float matrix, one column a feature, to the raw score of each row; without the calibration
    Onnx,
    /// The JSON that `model import` reads; without the calibration
    SklearnJson,
}

/// Reads the model, writes it in the other format, and says so.
///
/// # Errors
/// When a file cannot be read or written, or the model cannot be said in the format.
pub fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let (model, _) = read_model(&args.model)?;
    let written = match args.format {
        Format::Onnx => model.to_onnx(),
        Format::SklearnJson => model.to_scikit_learn_json(),
    };
    let written = written.with_context(|| format!("cannot export {}", args.model.display()))?;
    write_file(&args.out, &written)?;
    writeln!(
        stdout(),
        "model {} written to {} ({} bytes)",
        model.version(),
        args.out.display(),
        written.len()
    )?;
    Ok(ExitCode::SUCCESS)
}
