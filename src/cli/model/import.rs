//! `emberwatch model import`: a model file from a forest of scikit-learn.

use crate::{
    calibrate::Thresholds,
    cli::{DEFAULT_ENTITY_LABEL, created_at, instant, parse_step_ms, progress, write_file},
    model::{ImportSettings, ScikitLearnForest},
    table::{self, Columns},
};
use anyhow::Context as _;
use std::{
    fs::File,
    io::{Read as _, Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The step where nothing says another.
const DEFAULT_STEP_MS: i64 = 60_000;

/// More bytes of JSON than this are not read: 10,000 trees of 256 rows need about 150 MB.
const MAX_JSON_BYTES: u64 = 512 << 20;

/// Make a model file of an Isolation Forest that was fitted with scikit-learn.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The forest, as tools/export_sklearn.py writes it
    #[arg(value_name = "FOREST.json")]
    forest: PathBuf,

    /// Where the model is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// CSV files as for train, rows of normal operation that the forest was not fitted on: their scores say how rare
    /// a score is [default: the training scores in the JSON, else a convention, see docs/scikit-learn.md]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    calibrate: Vec<PathBuf>,

    /// Distance of two evaluations, e.g. 60s, 5m, 1h [default: the median spacing of the calibration rows, else 60s]
    #[arg(long, value_name = "DURATION", value_parser = parse_step_ms)]
    step: Option<i64>,

    /// Name of the detector in the model
    #[arg(long, default_value = "csv")]
    detector: String,

    /// Label that the values of the column "entity" belong to
    #[arg(long, default_value = DEFAULT_ENTITY_LABEL, value_name = "LABEL")]
    entity_label: String,

    /// Version the model calls itself [default: the time of the import]
    #[arg(long, value_name = "NAME")]
    model_version: Option<String>,

    /// Time of the import in Unix seconds [default: now]
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    created_at: Option<i64>,
}

/// Reads the forest, calibrates it, writes the model, and says what was done.
///
/// # Errors
/// When a file cannot be read or written, or the forest cannot be taken over.
pub fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let path = args.forest.display();
    let json = read(&args.forest).with_context(|| format!("cannot read the forest {path}"))?;
    let forest = ScikitLearnForest::parse(&json).with_context(|| format!("cannot import {path}"))?;
    let table = match args.calibrate.as_slice() {
        [] => None,
        files => {
            let wanted = Columns::Only(forest.features());
            Some(table::read(files, wanted, &args.entity_label, &progress(files))?)
        }
    };
    let spacing = table.as_ref().and_then(table::median_step_ms);
    let created_at = created_at(args.created_at)?;
    let settings = ImportSettings {
        detector: args.detector.clone(),
        entity_label: args.entity_label.clone(),
        step_ms: args.step.or(spacing).unwrap_or(DEFAULT_STEP_MS),
        thresholds: Thresholds::default(),
        version: args.model_version.clone().unwrap_or_else(|| instant(created_at)),
        created_at,
    };
    let (model, calibration) = forest
        .into_model(settings, table.as_ref().map(table::Table::values))
        .with_context(|| format!("cannot import {path}"))?;
    let bytes = model.encode()?;
    write_file(&args.out, &bytes)?;

    let (hyperparams, schema) = (model.training().hyperparams, model.schema());
    writeln!(
        stdout(),
        "imported {} trees of {} rows over {} features, step {} s\n\
         {calibration}\n\
         model {} written to {} ({} bytes)",
        hyperparams.n_trees,
        hyperparams.subsample_size,
        schema.features().len(),
        schema.step_ms() as f64 / 1000.0,
        model.version(),
        args.out.display(),
        bytes.len(),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut json = Vec::new();
    File::open(path)?.take(MAX_JSON_BYTES + 1).read_to_end(&mut json)?;
    anyhow::ensure!(json.len() as u64 <= MAX_JSON_BYTES, "it has more than {MAX_JSON_BYTES} bytes");
    Ok(json)
}
