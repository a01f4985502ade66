//! A model for a detector of a config.

use super::{Fitted, TrainArgs, fit_table};
use crate::{
    cli::{
        created_at, instant,
        past::{chosen, left_out},
        progress, read_config, write_file,
    },
    config::{Config, Detector},
    lifecycle::ModelDirectory,
    pipeline::{DetectorSettings, VectorJudge},
    series::TimestampMs,
    table::{self, Columns, Table},
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use anyhow::{Context as _, bail};
use std::{
    io::{Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Trains, writes the model or puts it in use, and says what was done.
pub(super) fn run(args: &TrainArgs, file: &Path) -> anyhow::Result<ExitCode> {
    let config = read_config(Some(file))?;
    let detector = chosen(file, args.detector.as_deref(), &config)?;
    let created_at = created_at(args.created_at)?;
    let version = args.model_version.clone().unwrap_or_else(|| version(created_at));
    let settings = settings(&config, detector, version, created_at);
    let fitted = if args.csv.is_empty() {
        of_past(args, file, &config, detector, &settings)?
    } else {
        fit_table(&read(detector, &args.csv)?, detector.schema.clone(), reservoir(&config), &settings, fit)?
    };
    let bytes = fitted.model.encode()?;
    let put = match &args.out {
        Some(out) => {
            write_file(out, &bytes)?;
            format!("written to {} ({} bytes)", out.display(), bytes.len())
        }
        None => {
            let directory = ModelDirectory::new(&config.models.path, config.models.keep_versions);
            let name = detector.schema.detector();
            let file = directory
                .publish(name, fitted.model.version(), &bytes)
                .with_context(|| format!("cannot write to {}", config.models.path.display()))?;
            format!(
                "put in use as {} ({} bytes); a running sidecar takes it with SIGHUP",
                file.display(),
                bytes.len()
            )
        }
    };
    fitted.report(config.training.max_rows, &put)?;
    Ok(ExitCode::SUCCESS)
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

fn of_past(
    args: &TrainArgs,
    file: &Path,
    config: &Config,
    detector: &Detector,
    settings: &TrainSettings,
) -> anyhow::Result<Fitted> {
    let range = args.past.range()?;
    let schema = &detector.schema;
    // Its rules hold for what is trained on as for what is judged: values that cannot be, gaps that are filled.
    let judged = DetectorSettings { training: None, ..config.detector_settings(detector) };
    let (mut judge, mut rows) = (VectorJudge::new(judged), Reservoir::new(reservoir(config)));
    let (mut all_rows, mut warm_rows) = (0, 0);
    let (counts, appended) = args.past.vectors(file, config, detector, range.clone(), |steps, _| {
        for vectors in steps {
            let inputs = judge.take(vectors.matrix)?;
            all_rows += inputs.entities.len();
            warm_rows += rows.offer(&inputs, |_| true);
        }
        Ok(())
    })?;
    let mut out = stdout().lock();
    writeln!(out, "read {} samples", counts.samples)?;
    for line in left_out(&counts, &appended) {
        writeln!(out, "{line}")?;
    }
    if all_rows == 0 {
        let (from, until) = (instant(*range.start()), instant(*range.end()));
        bail!("the store has nothing of detector {:?} from {from} to {until}", schema.detector());
    }
    let model = fit(schema.clone(), &rows.rows(), settings)?;
    Ok(Fitted { model, all_rows, warm_rows, kept_rows: rows.len() })
}

/// A version that sorts by time.
fn version(at: TimestampMs) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("trained-{}", instant.strftime("%Y%m%dT%H%M%SZ"))
}
