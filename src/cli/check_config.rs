//! `emberwatch check-config [FILE]`: every problem of a config file, or what it amounts to.

use crate::{
    calibrate::{AlarmRate, Budget, Severity},
    config::{self, Config, Detector, format_duration, format_rate, format_size},
    features::{CheckedReading, Direction, FeatureSchema, SeriesReading},
    pipeline::{
        FeatureRules, OnGap, OnZero, SeriesSettings, TrainingSchedule, TrainingTriggers, VectorJudge,
    },
    promql::{Annotations, Query},
};
use clap::Args;
use std::{
    fmt::Write as _,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// What a single series takes beside what its detector remembers of it, as measured (`docs/performance.md`): labels, scales,
/// its scores on their way, and, more than half of it, the rows to learn from.
const BYTES_BESIDE_MEMORY: u64 = 22 << 10;

/// Check a config file: print every problem at once, or what it amounts to
#[derive(Args, Clone, Debug, PartialEq)]
pub struct CheckConfigArgs {
    /// The file to check
    #[arg(value_name = "FILE", conflicts_with = "config_file")]
    file: Option<PathBuf>,

    /// The same, as the flag of `run`
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
}

/// Runs the subcommand; the exit code is 1 when the file is not a valid config.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &CheckConfigArgs) -> anyhow::Result<ExitCode> {
    let path = args.file.as_deref().or(args.config_file.as_deref()).unwrap_or(Path::new("config.yaml"));
    let valid = check(path, &mut io::stdout().lock())?;
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks the config file at `path` and writes the outcome to `out`. Returns whether it is valid.
///
/// # Errors
/// When `out` cannot be written; a file that cannot be read is an outcome, not an error.
pub fn check(path: &Path, out: &mut impl Write) -> io::Result<bool> {
    let file = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            writeln!(out, "{file}: cannot be read: {error}")?;
            return Ok(false);
        }
    };
    match config::parse(&text) {
        Ok(config) => {
            writeln!(out, "{file}: valid")?;
            write_summary(&config, out)?;
            Ok(true)
        }
        Err(problems) => {
            for problem in &problems.0 {
                writeln!(out, "{file}:{problem}")?;
            }
            let count = problems.0.len();
            writeln!(out, "{file}: {count} {}", if count == 1 { "problem" } else { "problems" })?;
            Ok(false)
        }
    }
}

fn write_summary(config: &Config, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "a step every {}", format_duration(config.step))?;
    for detector in &config.detectors {
        write_detector(detector, config, out)?;
    }
    for window in &config.maintenance {
        let matchers: Vec<String> = window.matchers().iter().map(ToString::to_string).collect();
        writeln!(out, "maintenance {:?}: {{{}}}, {}", window.name(), matchers.join(","), window.times())?;
    }
    if config.detectors.iter().any(|detector| detector.model.is_none()) {
        write_training(&config.training.triggers, out)?;
    }
    let storage = &config.storage;
    let bytes = format_size(storage.max_bytes as u64);
    let kept = match storage.retention {
        Duration::ZERO => "as far back as the expressions look".to_owned(),
        retention => format!("{} or as far back as the expressions look", format_duration(retention)),
    };
    writeln!(
        out,
        "raw samples: {kept}, at most {} series and {bytes} in {} shards",
        storage.max_series, storage.shards
    )?;
    match &config.remote_write {
        Some(target) => writeln!(out, "scores go to {}", target.url())?,
        None => writeln!(out, "scores are not written back: there is no remote_write")?,
    }
    write_history(config, out)?;
    write_store(config, out)
}

/// What is read of the past.
fn write_history(config: &Config, out: &mut impl Write) -> io::Result<()> {
    let Some(history) = &config.history else {
        return writeln!(out, "windows are filled by the stream alone: there is no history");
    };
    let (url, back) = (history.store.url(), format_duration(history.backfill));
    if history.backfill.is_zero() {
        writeln!(out, "gaps of the stream are filled from {url}")?;
    } else {
        writeln!(out, "windows are filled at start from {url}, {back} back")?;
    }
    if history.training.is_zero() {
        return Ok(());
    }
    let back = format_duration(history.training);
    writeln!(out, "detectors without a model of as much are trained on {back} of it, beside the stream")
}

/// What is kept to train on, and where it is too little.
fn write_store(config: &Config, out: &mut impl Write) -> io::Result<()> {
    let Some(store) = &config.training.store else {
        return writeln!(out, "rows to train on are lost at a restart: training.store is false");
    };
    let bytes = format_size(store.max_bytes as u64);
    let interval = format_duration(store.write_interval);
    let path = store.path.display();
    writeln!(
        out,
        "rows to train on are kept in {path}, at most {bytes} a detector, written every {interval}"
    )?;
    for detector in config.detectors.iter().filter(|detector| detector.model.is_none()) {
        let most_rows = store.most_rows(&detector.schema);
        if most_rows < config.training.max_rows {
            let (name, max_rows) = (detector.schema.detector(), config.training.max_rows);
            writeln!(
                out,
                "  hint: detector {name}: {bytes} have room for {most_rows} rows, training.max_rows asks for {max_rows}; raise \
                 training.max_bytes or lower training.max_rows"
            )?;
        }
    }
    Ok(())
}

/// When detectors without a fixed model train again.
fn write_training(triggers: &TrainingTriggers, out: &mut impl Write) -> io::Result<()> {
    let schedule = match &triggers.schedule {
        TrainingSchedule::Every(distance_ms) => {
            format!("every {}", format_duration(Duration::from_millis(distance_ms.unsigned_abs())))
        }
        TrainingSchedule::At(times) => format!("at {}", times.text()),
        TrainingSchedule::Never => return writeln!(out, "after its first model no detector trains again"),
    };
    write!(out, "detectors train again {schedule}")?;
    if triggers.drift_threshold > 0.0 {
        write!(out, ", when inputs drift (PSI {})", triggers.drift_threshold)?;
    }
    if triggers.min_f1 > 0.0 {
        write!(out, ", when F1 against alerts is under {}", triggers.min_f1)?;
    }
    writeln!(out)
}

fn write_detector(detector: &Detector, config: &Config, out: &mut impl Write) -> io::Result<()> {
    let (schema, steps) = (&detector.schema, detector.schema.window_steps());
    let features = schema.features().len();
    let bytes = VectorJudge::bytes_an_entity(&config.detector_settings(detector)) as u64;
    let window = Duration::from_millis(schema.window_ms().unsigned_abs());
    let windows = format!("windows of {} ({steps} steps)", format_duration(window));
    let name = schema.detector();
    match &detector.series {
        Some(series) => write_series(name, series, schema, &windows, bytes, out)?,
        None => writeln!(
            out,
            "detector {name}: {features} features by {}, {windows}, about {} an entity with all that it remembers",
            schema.by().join(", "),
            format_size(bytes),
        )?,
    }
    write_budget(detector, out)?;
    let rules = detector.rules.features();
    write_rules(schema, rules, &vec![FeatureRules::default(); rules.len()], "", out)?;
    for one in detector.rules.overrides() {
        let matchers: Vec<String> = one.matchers.iter().map(ToString::to_string).collect();
        write_rules(schema, &one.features, rules, &format!(" for {{{}}}", matchers.join(",")), out)?;
    }
    for feature in schema.features() {
        // It has parsed as a plan already.
        let remarks = Query::parse(&feature.expression).map(|query| query.remarks_on_text());
        let Annotations { warnings, infos } = remarks.unwrap_or_default();
        for remark in warnings.iter().chain(&infos) {
            writeln!(out, "  hint: feature {}: {remark}", feature.name)?;
        }
    }
    Ok(())
}

fn write_series(
    name: &str,
    series: &SeriesSettings,
    schema: &FeatureSchema,
    windows: &str,
    remembered: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let each = BYTES_BESIDE_MEMORY + remembered;
    let (max, all) = (series.max_series, each.saturating_mul(series.max_series as u64));
    writeln!(
        out,
        "detector {name}: each series by itself, at most {max}, {windows}, about {} a series and {} for all",
        format_size(each),
        format_size(all),
    )?;
    for selector in &series.selectors {
        let matchers: Vec<String> = selector.iter().map(ToString::to_string).collect();
        writeln!(out, "  series {{{}}}", matchers.join(","))?;
    }
    let Some(SeriesReading { counters, gauges, rate_range_ms }) = schema.series().map(CheckedReading::get)
    else {
        return Ok(());
    };
    write!(
        out,
        "  counters are rates over {}",
        format_duration(Duration::from_millis(rate_range_ms.unsigned_abs()))
    )?;
    for (what, patterns) in [("counters are also", counters), ("gauges are", gauges)] {
        if !patterns.is_empty() {
            write!(out, "; {what} {}", patterns.join(", "))?;
        }
    }
    writeln!(out)
}

/// What the budget makes of the thresholds.
fn write_budget(detector: &Detector, out: &mut impl Write) -> io::Result<()> {
    let Budget { medium, high } = detector.budget;
    let promise = |severity: &str, rate: Option<AlarmRate>| {
        rate.map(|rate| format!("{} of severity {severity}", format_rate(rate)))
    };
    let above = promise("medium or high", medium).into_iter().chain(promise("high", high));
    let promises: Vec<String> = above.collect();
    if promises.is_empty() {
        return Ok(());
    }
    let [low, medium, high] = Severity::LEVELS.map(|severity| detector.thresholds.of(severity));
    writeln!(
        out,
        "  budget: at most {} of an entity's normal operation; thresholds low {low:.3}, medium {medium:.3}, high {high:.3}",
        promises.join(" and ")
    )
}

/// A line for each feature of which something else holds than `otherwise`.
fn write_rules(
    schema: &FeatureSchema,
    rules: &[FeatureRules],
    otherwise: &[FeatureRules],
    whose: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    for ((feature, rules), otherwise) in schema.features().iter().zip(rules).zip(otherwise) {
        if rules != otherwise {
            writeln!(out, "  {}{whose}: {}", feature.name, rules_text(rules))?;
        }
    }
    Ok(())
}

fn rules_text(rules: &FeatureRules) -> String {
    let gate = rules.gate;
    let mut change = match gate.direction() {
        Direction::Both => "changes".to_owned(),
        Direction::Above => "rises".to_owned(),
        Direction::Below => "drops".to_owned(),
    };
    // Writing to a String cannot fail.
    if gate.min_change() > 0.0 {
        _ = write!(change, " of at least {}", gate.min_change());
    }
    if gate.min_relative_change() > 0.0 {
        let and = if gate.min_change() > 0.0 { " and" } else { " of at least" };
        _ = write!(change, "{and} {} % of the usual value", gate.min_relative_change() * 100.0);
    }
    let mut parts = Vec::new();
    if !gate.is_open() {
        parts.push(format!("only {change} count"));
    }
    if let Some(range) = rules.valid_range {
        parts.push(format!("values outside {} to {} are missing", range.low(), range.high()));
    }
    if let Some(limits) = rules.limits {
        let bound = |word: &str, bound: Option<f64>| bound.map(|bound| format!("{word} {bound}"));
        let beyond: Vec<String> =
            bound("above", limits.above()).into_iter().chain(bound("below", limits.below())).collect();
        let unless = if limits.is_unless_usual() { ", where that is not usual" } else { "" };
        parts.push(format!(
            "{} is an anomaly of severity {}{unless}",
            beyond.join(" or "),
            limits.severity()
        ));
    }
    if rules.on_zero == OnZero::Ignore {
        parts.push("a drop to zero is no anomaly by itself".to_owned());
    }
    match rules.on_gap {
        OnGap::Ignore => {}
        OnGap::Hold => parts.push("the last value stands for a missing one, for a window".to_owned()),
        OnGap::Zero => parts.push("0 stands for a missing value".to_owned()),
    }
    if let Some(kind) = rules.anomaly_type {
        parts.push(format!("its anomalies are of type {kind}"));
    }
    parts.join("; ")
}
