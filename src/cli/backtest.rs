//! `emberwatch backtest`: what a detector of a config would have said of recorded features.

use super::{
    evaluate::{RulesArgs, ScoreColumns, against_labels},
    past::chosen,
    read_config, read_model,
    scoring::{self, Scoring},
    train::{fit_table, of_config},
    write_scores,
};
use crate::{
    calibrate::Severity,
    config::{Config, Detector},
    model::Model,
    pipeline::{Backtest, DetectorSettings},
    table::Table,
    train::fit,
};
use anyhow::bail;
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

/// Judge recorded features as a detector of the config would have, step by step and without a look ahead.
///
/// From the feature vectors on it is the running sidecar: the same windows, model, calibration, thresholds and
/// persistence, all from the config. The model is that of --model, of --train-csv, of the detector's `model:`; without
/// any of them the detector trains itself on the way, as it would from the stream, and scores nobody before.
#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// The config file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Which detector of the config; not needed where there is only one
    #[arg(long, value_name = "NAME")]
    detector: Option<String>,

    /// CSV files (.csv or .csv.gz) with a column "timestamp", an optional column "entity", and a column for each
    /// feature of the detector, one row a step; other columns are left out
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    csv: Vec<PathBuf>,

    /// The model to judge by [default: the detector's `model:` in the config; without one, and without --train-csv, it
    /// trains itself on the way, as from the stream]
    #[arg(long, value_name = "FILE", conflicts_with = "train_csv")]
    model: Option<PathBuf>,

    /// Train a model on these files first, by the config's training settings
    #[arg(long, num_args = 1.., value_name = "FILE")]
    train_csv: Vec<PathBuf>,

    /// Where the scores are written: one row for each input row, in input order, with the columns of `score`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// From which severity on a row is an alarm
    #[arg(long, default_value = "medium", value_name = "SEVERITY", value_parser = parse_severity)]
    alarm_from: Severity,

    /// Labels of the rows of one entity, as for evaluate: its table is printed right away
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,

    #[command(flatten)]
    rules: RulesArgs,
}

/// Reads config and files, writes the scores, and says what was found.
///
/// # Errors
/// When a file cannot be read or written, or the files do not belong to the detector.
pub fn run(args: &BacktestArgs) -> anyhow::Result<ExitCode> {
    let config = read_config(Some(&args.config))?;
    let detector = chosen(&args.config, args.detector.as_deref(), &config)?;
    if detector.series.is_some() {
        bail!(
            "detector {:?} judges single series of the stream; a table has columns for features: backtest a detector with \
             features, or send the samples to a running sidecar",
            detector.schema.detector()
        );
    }
    let (settings, model) = prepared(args, &config, detector)?;
    let table = of_config::read(detector, &args.csv)?;
    if args.labels.is_some() && table.entities().len() > 1 {
        bail!("--labels are those of one entity; the rows have {} entities", table.entities().len());
    }
    let mut backtest = Backtest::new(settings, model).with_maintenance(config.maintenance.clone());
    let scoring = scoring::score(&table, &mut backtest, args.alarm_from)?;
    write_scores(&args.out, &table, &scoring.rows)?;

    let mut out = stdout().lock();
    report(args, &table, &backtest, &scoring, &mut out)?;
    if let Some(labels) = &args.labels {
        writeln!(out)?;
        against_labels(columns(args, &table, scoring), labels, &args.rules, step_ms(detector), &mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The detector as the sidecar has it, and the model it begins with.
fn prepared(
    args: &BacktestArgs,
    config: &Config,
    detector: &Detector,
) -> anyhow::Result<(DetectorSettings, Option<Arc<Model>>)> {
    let settings = config.detector_settings(detector);
    let model = if args.train_csv.is_empty() {
        let Some(file) = args.model.as_ref().or(detector.model.as_ref()) else { return Ok((settings, None)) };
        let (model, _) = read_model(file)?;
        if let Some(difference) = model.difference(&detector.schema) {
            bail!("{}: the model is for another schema: {difference}", file.display());
        }
        model
    } else {
        trained(args, config, detector)?
    };
    Ok((DetectorSettings { training: None, ..settings }, Some(Arc::new(model))))
}

fn trained(args: &BacktestArgs, config: &Config, detector: &Detector) -> anyhow::Result<Model> {
    let table = of_config::read(detector, &args.train_csv)?;
    // Nothing depends on when it was made, and the model is not kept.
    let created_at = table.rows().last().map(|row| row.at).unwrap_or_default();
    let settings = of_config::settings(config, detector, "train-csv".to_owned(), created_at);
    let reservoir = of_config::reservoir(config);
    Ok(fit_table(&table, detector.schema.clone(), reservoir, &settings, fit)?.model.as_from_its_file())
}

fn report(
    args: &BacktestArgs,
    table: &Table,
    backtest: &Backtest,
    scoring: &Scoring,
    out: &mut impl std::io::Write,
) -> std::io::Result<()> {
    writeln!(
        out,
        "judged {} rows of {} entities ({} without a verdict)",
        table.rows().len(),
        table.entities().len(),
        scoring.without_verdict
    )?;
    for training in backtest.trainings() {
        match training {
            Ok(model) => {
                writeln!(out, "trained model {} on {} rows", model.version(), model.training().rows)?
            }
            Err(error) => writeln!(out, "a training failed, the model before it stayed in use: {error}")?,
        }
    }
    if backtest.model().is_none() {
        writeln!(out, "there was never a model: the rows span less than the training's warm-up")?;
    }
    writeln!(
        out,
        "severity: {} high, {} medium, {} low; {} rows are alarms\nscores written to {}",
        scoring.count(Severity::High),
        scoring.count(Severity::Medium),
        scoring.count(Severity::Low),
        scoring.rows.iter().filter(|row| row.alarm).count(),
        args.out.display(),
    )
}

/// The scores as `evaluate` reads them from the file that was written.
fn columns(args: &BacktestArgs, table: &Table, scoring: Scoring) -> ScoreColumns {
    ScoreColumns {
        name: args.out.display().to_string(),
        times: Some(table.rows().iter().map(|row| row.at).collect()),
        alarms: Some(scoring.rows.iter().map(|row| row.alarm).collect()),
        scores: scoring.rows.into_iter().map(|row| row.anomaly_score).collect(),
    }
}

fn step_ms(detector: &Detector) -> i64 {
    detector.schema.step_ms()
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    let known = |level: &Severity| level.to_string() == text;
    Severity::LEVELS.into_iter().find(known).ok_or_else(|| "write low, medium or high".to_owned())
}
