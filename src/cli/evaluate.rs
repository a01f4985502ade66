//! `emberwatch evaluate`: how good scores are, measured against labels.

mod drawing;

mod input;

mod report;

pub(in crate::cli) use input::{ColumnNames, ScoreColumns};

use super::{parse_step_ms, progress};
use crate::evaluate::{Evaluation, Rules, evaluate, summary, vus};
use anyhow::Context as _;
use input::{Manifest, Series, Windows};
use report::Measured;
use std::{
    fs,
    io::{Write, stdout},
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Measure scores against labelled incidents: docs/evaluate.md says what each figure means.
///
/// Files are CSV (.csv or .csv.gz) with a header, rows in time order. Where scores and labels both have a column
/// "timestamp", rows are joined by it: a labelled row without score counts as no alarm, of a repeated timestamp the
/// highest score counts. Otherwise they are joined row by row.
#[derive(Debug, clap::Args)]
pub struct EvaluateArgs {
    /// The scores, higher is stranger: a column "score", "anomaly_score" or "value"
    #[arg(long, value_name = "FILE", required_unless_present = "manifest")]
    scores: Option<PathBuf>,

    /// The labels, 0 or 1: a column "label" or "is_anomaly"
    #[arg(long, value_name = "FILE", required_unless_present_any = ["manifest", "nab_windows"])]
    labels: Option<PathBuf>,

    /// Scores of normal operation, which thresholds are derived from without labels
    #[arg(long, value_name = "FILE", conflicts_with = "manifest")]
    train_scores: Option<PathBuf>,

    /// Several series at once: a CSV file with the columns name,scores,labels and, where wanted, train_scores; paths
    /// are taken from its folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scores", "labels", "nab_windows"])]
    manifest: Option<PathBuf>,

    /// Labels as the Numenta Anomaly Benchmark has them: a JSON file of windows [start, end] for each data file
    #[arg(long, value_name = "FILE", requires = "nab_key", conflicts_with = "labels")]
    nab_windows: Option<PathBuf>,

    /// Which data file's windows, e.g. realKnownCause/machine_temperature_system_failure.csv
    #[arg(long, value_name = "KEY", requires = "nab_windows")]
    nab_key: Option<String>,

    /// Name of the column of scores
    #[arg(long, value_name = "NAME")]
    score_col: Option<String>,

    /// Name of the column of labels
    #[arg(long, value_name = "NAME")]
    label_col: Option<String>,

    /// A 0/1 column of the scores' file with alarms that were really raised: operating point "own_alarm"
    #[arg(long, value_name = "NAME")]
    pred_col: Option<String>,

    /// A threshold to measure: operating point "fixed"
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    threshold: Option<f64>,

    /// Distance of two rows, e.g. 60s, 5m, 1h
    #[arg(long, visible_alias = "step-seconds", default_value = "60s", value_name = "DURATION")]
    #[arg(value_parser = parse_step_ms)]
    step: i64,

    #[command(flatten)]
    rules: RulesArgs,

    /// Leave out this many leading rows, in which a detector warms up
    #[arg(long, default_value_t = 0, value_name = "N")]
    skip_rows: usize,

    /// Write every figure to this file, as JSON
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,

    /// Draw precision and recall, event F1 against the threshold, and scores and alarms beside the incidents
    #[arg(long, value_name = "FILE.svg", conflicts_with = "manifest")]
    svg: Option<PathBuf>,
}

/// Units of the event figures, and how VUS-PR is taken.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct RulesArgs {
    /// Alarms at most this many rows apart are one episode
    #[arg(long, default_value_t = Rules::default().gap, value_name = "ROWS")]
    gap: usize,

    /// An alarm this many rows before or after an incident costs nothing
    #[arg(long, default_value_t = Rules::default().grace, value_name = "ROWS")]
    grace: usize,

    /// An alarm in this many first rows of an incident is early
    #[arg(long, default_value_t = Rules::default().early_rows, value_name = "ROWS")]
    early_rows: usize,

    /// Longest buffer of VUS-PR
    #[arg(long, default_value_t = vus::Buffers::default().longest, value_name = "ROWS")]
    vus_length: usize,

    /// Distance of two buffers of VUS-PR
    #[arg(long, default_value_t = vus::Buffers::default().step, value_name = "ROWS")]
    vus_step: NonZeroUsize,

    /// Leave VUS-PR out
    #[arg(long)]
    fast: bool,
}

/// Reads the files, measures, prints a table, and writes what was asked for.
///
/// # Errors
/// When a file cannot be read or written, or there is nothing to measure.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let (columns, rules) = (args.columns(), args.rules.rules(args.step));
    let mut out = stdout().lock();
    let json = if let Some(path) = &args.manifest {
        let manifest = Manifest::read(path)?;
        let progress = progress(&manifest.files());
        let mut all = Vec::new();
        for entry in &manifest.entries {
            let series = args.skipped(entry.read(&columns, &progress)?);
            all.push((entry.name.clone(), measured(&series, args.threshold, &rules)?));
        }
        progress.finish_and_clear();
        let summary = summary(all.iter().map(|(_, measured)| &measured.evaluation));
        write!(out, "{}", report::series_table(&all, &summary))?;
        report::manifest_json(&all, &summary)
    } else {
        let series = args.skipped(read_one(args, &columns)?);
        let measured = measured(&series, args.threshold, &rules)?;
        show(&mut out, &series, &measured, &rules, args.svg.as_deref())?;
        report::json(&measured)
    };
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&json)? + "\n";
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "\nfigures written to {}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures scores that stand beside the labels of a file, as `--scores` and `--labels` do, and prints the table.
pub(in crate::cli) fn against_labels(
    scores: ScoreColumns,
    labels: &Path,
    rules: &RulesArgs,
    step_ms: i64,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let progress = progress(&[labels.to_owned()]);
    let series = scores.with_labels(labels, &ColumnNames::default(), &progress)?;
    progress.finish_and_clear();
    let rules = rules.rules(step_ms);
    let measured = measured(&series, None, &rules)?;
    show(out, &series, &measured, &rules, None)
}

fn read_one(args: &EvaluateArgs, columns: &ColumnNames) -> anyhow::Result<Series> {
    let paths: Vec<PathBuf> =
        [&args.scores, &args.labels, &args.train_scores].into_iter().flatten().cloned().collect();
    let progress = progress(&paths);
    let scores = args.scores.as_deref().context("--scores is needed")?;
    let scores = ScoreColumns::read(scores, columns, &progress)?;
    let mut series = match (&args.labels, &args.nab_windows, &args.nab_key) {
        (Some(labels), _, _) => scores.with_labels(labels, columns, &progress)?,
        (None, Some(windows), Some(key)) => scores.with_windows(&Windows::read(windows, key)?)?,
        _ => anyhow::bail!("--labels is needed, or --nab-windows with --nab-key"),
    };
    if let Some(train) = &args.train_scores {
        series.train = Some(input::train_scores(train, columns, &progress)?);
    }
    progress.finish_and_clear();
    Ok(series)
}

fn measured(series: &Series, threshold: Option<f64>, rules: &Rules) -> anyhow::Result<Measured> {
    let rows = series.rows().with_context(|| format!("cannot measure {}", series.name))?;
    let evaluation: Evaluation = evaluate(&rows, series.extras(threshold), rules)?;
    Ok(Measured { evaluation, coverage: series.coverage })
}

/// Prints one series, and draws it.
fn show(
    out: &mut impl Write,
    series: &Series,
    measured: &Measured,
    rules: &Rules,
    svg: Option<&Path>,
) -> anyhow::Result<()> {
    write!(out, "{}\n{}", series.name, report::table(measured))?;
    if let Some(path) = svg {
        let drawing = drawing::draw(series, measured, rules)?;
        fs::write(path, drawing).with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "\ndrawn to {}", path.display())?;
    }
    Ok(())
}

// === impl EvaluateArgs ===

impl EvaluateArgs {
    fn columns(&self) -> ColumnNames {
        let Self { score_col, label_col, pred_col, .. } = self;
        ColumnNames { score: score_col.clone(), label: label_col.clone(), alarm: pred_col.clone() }
    }

    fn skipped(&self, series: Series) -> Series {
        series.without_first(self.skip_rows)
    }
}

// === impl RulesArgs ===

impl RulesArgs {
    /// The rules for rows that lie `step_ms` apart.
    fn rules(&self, step_ms: i64) -> Rules {
        let buffers = vus::Buffers { longest: self.vus_length, step: self.vus_step };
        Rules {
            // Commands and configs let only positive steps through.
            step_ms: NonZeroU64::new(step_ms.unsigned_abs()).unwrap_or(NonZeroU64::MIN),
            gap: self.gap,
            grace: self.grace,
            early_rows: self.early_rows,
            vus: (!self.fast).then_some(buffers),
        }
    }
}
