//! A model for a detector of a config.

use super::{
    Fitted, TrainArgs,
    gathered::{Gathered, gather},
    labels::Labels,
    rows::{Past, Rows},
    validation::{Final, Outcome, ValidateArgs, validate},
};
use crate::{
    cli::{created_at, past::chosen, progress, read_config, write_file},
    config::{Config, Detector},
    lifecycle::ModelDirectory,
    model::Model,
    series::TimestampMs,
    table::{self, Columns, Table},
    train::{ReservoirSettings, TrainSettings, fit},
};
use anyhow::Context as _;
use std::{
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Trains, validates where that is asked for, writes the model or puts it in use, and says what was done.
pub(super) fn run(args: &TrainArgs, file: &Path) -> anyhow::Result<ExitCode> {
    let share = args.validate.share()?;
    let config = read_config(Some(file))?;
    let detector = chosen(file, args.detector.as_deref(), &config)?;
    let created_at = created_at(args.created_at)?;
    let version = args.model_version.clone().unwrap_or_else(|| version(created_at));
    let settings = settings(&config, detector, version, created_at);
    let rows = if args.csv.is_empty() {
        let source = args.past.open(file, &config, detector)?;
        Rows::Past(Past { source, file, config: &config, detector })
    } else {
        Rows::Table(detector, read(detector, &args.csv)?)
    };
    let labels = labels(&args.validate, &rows)?;
    let gathered = gather(&rows, &config, detector, &labels)?;
    let mut out = stdout().lock();
    gathered.said.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let fitted = match share {
        Some(share) => {
            let (fitted, outcome) = validated(&args.validate, share, gathered, &rows, &labels, &settings)?;
            args.validate.write(&outcome, &mut out)?;
            writeln!(out)?;
            fitted
        }
        None => {
            let model = fit(detector.schema.clone(), &gathered.kept.rows(), &settings)?;
            let sampled = gathered.kept.len();
            gathered.fitted(model, sampled)
        }
    };
    let put = put(args, &config, &fitted.model)?;
    fitted.report(config.training.max_rows, &put, &mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn labels(args: &ValidateArgs, rows: &Rows<'_>) -> anyhow::Result<Labels> {
    match args.labels() {
        Some(file) => Labels::of_file(file),
        None if args.labels_from_alerts() => Labels::of_alerts(rows),
        None => Ok(Labels::default()),
    }
}

/// The model that is kept, with what the one of the earlier rows was found to be worth on the later ones.
fn validated(
    args: &ValidateArgs,
    share: f64,
    mut gathered: Gathered<'_>,
    rows: &Rows<'_>,
    labels: &Labels,
    settings: &TrainSettings,
) -> anyhow::Result<(Fitted, Outcome)> {
    let split = gathered.split(share)?;
    let schema = gathered.judged.schema.clone();
    let all = (args.kept() == Final::All).then(|| gathered.kept.rows());
    let sampled = gathered.kept.len();
    gathered.kept.forget_from(split.trained_before);
    let earlier = gathered.kept.rows();
    let earlier = fit(schema.clone(), &earlier, settings)
        .with_context(|| format!("on the rows before {}", crate::cli::instant(split.trained_before)))?;
    let outcome = validate(rows, &gathered, &earlier, split, labels)?;
    let model = match &all {
        Some(rows) => fit(schema, rows, settings)?,
        None => earlier,
    };
    let model = match outcome.validation() {
        Some(validation) => model.with_validation(validation),
        None => model,
    };
    Ok((gathered.fitted(model, sampled), outcome))
}

/// Writes the model, and says where it is.
fn put(args: &TrainArgs, config: &Config, model: &Model) -> anyhow::Result<String> {
    let bytes = model.encode()?;
    if let Some(out) = &args.out {
        write_file(out, &bytes)?;
        return Ok(format!("written to {} ({} bytes)", out.display(), bytes.len()));
    }
    let directory = ModelDirectory::new(&config.models.path, config.models.keep_versions);
    let (detector, version) = (model.schema().detector(), model.version());
    let (written, done, then) = if args.candidate {
        (
            directory.nominate(detector, version, &bytes),
            "is to be tried",
            "tries it beside the one in use after SIGHUP",
        )
    } else {
        (directory.publish(detector, version, &bytes), "put in use", "takes it with SIGHUP")
    };
    let file = written.with_context(|| format!("cannot write to {}", config.models.path.display()))?;
    Ok(format!("{done} as {} ({} bytes); a running sidecar {then}", file.display(), bytes.len()))
}

/// How the sidecar would train it.
pub(in crate::cli) fn settings(
    config: &Config,
    detector: &Detector,
    version: String,
    created_at: TimestampMs,
) -> TrainSettings {
    TrainSettings {
        hyperparams: config.training.hyperparams.get(),
        contamination: config.training.contamination,
        thresholds: detector.thresholds,
        forget_after: detector.forget_after,
        drifted: None,
        version,
        created_at,
    }
}

/// What the sidecar would keep to train on.
pub(in crate::cli) fn reservoir(config: &Config) -> ReservoirSettings {
    let seed = config.training.hyperparams.get().seed;
    ReservoirSettings { max_rows: config.training.max_rows, seed, ..ReservoirSettings::default() }
}

/// The rows of a detector of features.
pub(in crate::cli) fn read(detector: &Detector, files: &[PathBuf]) -> anyhow::Result<Table> {
    let schema = &detector.schema;
    let names: Vec<String> = schema.features().iter().map(|feature| feature.name.clone()).collect();
    let label = schema.by().first().map_or("instance", String::as_str);
    let wanted =
        || format!("detector {:?} wants a column for each feature: {}", schema.detector(), names.join(", "));
    table::read(files, Columns::Only(&names), label, &progress(files)).with_context(wanted)
}

/// A version that sorts by time.
fn version(at: TimestampMs) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("trained-{}", instant.strftime("%Y%m%dT%H%M%SZ"))
}
