//! `emberwatch train`: a model from CSV files, or from the past of a detector's series.

mod gathered;

mod labels;

pub(super) mod of_config;

mod rows;

mod validation;

use super::{
    DEFAULT_ENTITY_LABEL, created_at, forest_args::ForestArgs, instant, parse_step_ms, past::PastArgs,
    progress, write_file,
};
use crate::{
    calibrate::{Memory, Thresholds},
    features::{FeatureColumn, FeatureSchema, Inputs, SchemaSettings},
    model::{Model, PLAIN_WINDOW_STEPS},
    table::{self, Columns, Table},
    train::{Reservoir, ReservoirSettings, TrainError, TrainSettings, TrainingRows, fit, fit_plain},
};
use anyhow::Context as _;
use std::{
    io::{Write, stdout},
    path::PathBuf,
    process::ExitCode,
};
use validation::ValidateArgs;

/// Name of the detector where no config names one.
const DEFAULT_DETECTOR: &str = "csv";

/// Default length of the window where no number of steps is given.
const WINDOW_MS: i64 = 30 * 60_000;

/// However long a step is, a window has at least this many.
const MIN_WINDOW_STEPS: usize = 6;

/// Train a model on wide CSV files, or for a detector of a config on the past of its series.
///
/// With --config the model is that of a detector: its features, step, window and calendar, and the config's training settings. Its rows come from
/// the store under `history:`, as `extract` writes them, from the samples in --openmetrics, or from --csv where they were extracted already. Without --out it
/// is put in use: the sidecar takes it with the next reload (SIGHUP).
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// CSV files (.csv or .csv.gz) with a column "timestamp", an optional column "entity", and one column
    /// for each feature; an empty cell is a missing value
    #[arg(long, required_unless_present = "config", num_args = 1.., value_name = "FILE", conflicts_with = "openmetrics")]
    csv: Vec<PathBuf>,

    /// The config file, to train for one of its detectors
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["step", "window_steps", "plain", "entity_label", "utc_offset", "time_zone", "contamination", "max_rows"])]
    #[arg(conflicts_with_all = ["trees", "subsample", "seed", "split", "split_features", "split_candidates", "scoring"])]
    config: Option<PathBuf>,

    #[command(flatten)]
    past: PastArgs,

    #[command(flatten)]
    validate: ValidateArgs,

    /// Where the model is written [with --config: the folder under `models:`, as the version in use]
    #[arg(long, required_unless_present = "config", value_name = "FILE")]
    out: Option<PathBuf>,

    /// With --config: do not put the model in use, but let a running sidecar try it beside the one in use, after SIGHUP, and
    /// use or reject it
    #[arg(long, requires = "config", conflicts_with = "out")]
    candidate: bool,

    /// Distance of two rows, e.g. 60s, 5m, 1h [default: the median spacing of the rows]
    #[arg(long, value_name = "DURATION", value_parser = parse_step_ms)]
    step: Option<i64>,

    /// Length of the feature window in steps [default: 30 minutes, at least 6 steps]
    #[arg(long, value_name = "N")]
    window_steps: Option<usize>,

    /// Train a plain model: one Isolation Forest over the values of the features, without windows, as other libraries
    /// have it
    #[arg(long, conflicts_with = "window_steps")]
    plain: bool,

    /// Name of the detector in the model [default: csv]; with --config, which of its detectors [default: the only one]
    #[arg(long, value_name = "NAME")]
    detector: Option<String>,

    /// Label that the values of the column "entity" belong to
    #[arg(long, default_value = DEFAULT_ENTITY_LABEL, value_name = "LABEL")]
    entity_label: String,

    /// Minutes that local time is ahead of UTC, for the hour of the day
    #[arg(long, default_value_t = 0, value_name = "MINUTES", allow_negative_numbers = true)]
    utc_offset: i32,

    /// IANA name of the time zone of the hour of the day, with its summer time, e.g. Europe/Berlin
    #[arg(long, value_name = "NAME", conflicts_with = "utc_offset")]
    time_zone: Option<String>,

    #[command(flatten)]
    forest: ForestArgs,

    /// Share of the rows believed to be anomalous, which is left out of the calibration
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    contamination: f64,

    /// Most rows trained on; more are sampled evenly over entities and time, at least 128 of each entity
    #[arg(long, default_value_t = ReservoirSettings::default().max_rows, value_name = "N")]
    max_rows: usize,

    /// Version the model calls itself [default: the time of training]
    #[arg(long, value_name = "NAME")]
    model_version: Option<String>,

    /// Time of training in Unix seconds [default: now]
    #[arg(long, env = "SOURCE_DATE_EPOCH", value_name = "SECONDS")]
    created_at: Option<i64>,
}

/// Reads the files, trains, writes the model, and says what was done.
///
/// # Errors
/// When a file cannot be read or written, or there is too little to train on.
pub fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    let (fitted, max_rows) = match &args.config {
        Some(file) => return of_config::run(args, file),
        None => (of_files(args)?, args.max_rows),
    };
    let out = args.out.as_ref().context("--out is missing")?;
    let bytes = fitted.model.encode()?;
    write_file(out, &bytes)?;
    let put = format!("written to {} ({} bytes)", out.display(), bytes.len());
    fitted.report(max_rows, &put, &mut stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

fn of_files(args: &TrainArgs) -> anyhow::Result<Fitted> {
    let settings = settings(args)?;
    let table = table::read(&args.csv, Columns::All, &args.entity_label, &progress(&args.csv))?;
    let schema = schema(args, &table)?;
    let reservoir =
        ReservoirSettings { max_rows: args.max_rows, seed: args.forest.seed, ..ReservoirSettings::default() };
    let fit = if args.plain { fit_plain } else { fit };
    fit_table(&table, schema, reservoir, &settings, fit)
}

/// A model, and how many rows of the table it came from.
pub(super) struct Fitted {
    pub(super) model: Model,
    /// Rows that there were.
    all_rows: usize,
    /// Steps of entities with at least half of their window filled.
    warm_rows: usize,
    /// Such steps that were left out because of an incident.
    in_incidents: usize,
    /// How many of the warm ones were sampled.
    kept_rows: usize,
}

// === impl Fitted ===

impl Fitted {
    /// Says what was done; `put` says where the model is.
    fn report(&self, max_rows: usize, put: &str, out: &mut impl Write) -> std::io::Result<()> {
        let (training, schema) = (self.model.training(), self.model.schema());
        let in_incidents = match self.in_incidents {
            0 => String::new(),
            rows => format!("{rows} in and around incidents, "),
        };
        writeln!(
            out,
            "trained on {} rows of {} entities, {} to {}\n\
             features: {}, step {} s, window {} steps\n\
             dropped: {} rows in warm-up, {}{} rows not sampled (at most {max_rows} are, or {} of each entity)\n\
             model {} {put}",
            training.rows,
            training.entities,
            instant(training.first),
            instant(training.last),
            schema.features().len(),
            schema.step_ms() as f64 / 1000.0,
            schema.window_steps(),
            self.all_rows - self.warm_rows - self.in_incidents,
            in_incidents,
            self.warm_rows - self.kept_rows,
            ReservoirSettings::default().min_entity_rows,
            self.model.version(),
        )
    }
}

/// How a model is fitted: [`fit()`] or [`fit_plain()`].
type Fit = fn(FeatureSchema, &TrainingRows, &TrainSettings) -> Result<Model, TrainError>;

/// Samples the rows of a table and fits a model to them.
pub(super) fn fit_table(
    table: &Table,
    schema: FeatureSchema,
    reservoir: ReservoirSettings,
    settings: &TrainSettings,
    fit: Fit,
) -> anyhow::Result<Fitted> {
    let (mut reservoir, mut warm_rows) = (Reservoir::new(reservoir), 0);
    table::replay(table, &schema, |inputs: &Inputs, _| warm_rows += reservoir.offer(inputs, |_| true))?;
    let model = fit(schema, &reservoir.rows(), settings)?;
    Ok(Fitted { model, all_rows: table.rows().len(), warm_rows, in_incidents: 0, kept_rows: reservoir.len() })
}

fn schema(args: &TrainArgs, table: &Table) -> anyhow::Result<FeatureSchema> {
    let step_ms = match args.step {
        Some(step_ms) => step_ms,
        None => table::median_step_ms(table)
            .context("the step cannot be inferred, because no entity has two rows; give --step")?,
    };
    let default_steps = || match args.plain {
        true => PLAIN_WINDOW_STEPS,
        false => usize::try_from(WINDOW_MS / step_ms.max(1)).unwrap_or(0).max(MIN_WINDOW_STEPS),
    };
    let column = |name: &String| FeatureColumn { name: name.clone(), expression: String::new() };
    Ok(FeatureSchema::new(SchemaSettings {
        detector: args.detector.clone().unwrap_or_else(|| DEFAULT_DETECTOR.to_owned()),
        by: vec![args.entity_label.clone()],
        step_ms,
        window_steps: args.window_steps.unwrap_or_else(default_steps),
        utc_offset_minutes: args.utc_offset,
        time_zone: args.time_zone.clone(),
        features: table.features().iter().map(column).collect(),
        series: None,
    })?)
}

fn settings(args: &TrainArgs) -> anyhow::Result<TrainSettings> {
    let created_at = created_at(args.created_at)?;
    Ok(TrainSettings {
        hyperparams: args.forest.hyperparams()?,
        contamination: args.contamination,
        thresholds: Thresholds::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        drifted: None,
        version: args.model_version.clone().unwrap_or_else(|| instant(created_at)),
        created_at,
    })
}
