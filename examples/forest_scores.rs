//! Scores of forests with several settings, one for each of several seeds: the part of `scripts/quality-forest` that is
//! ours.
//!
//! `forest_scores plain|members TRAIN.csv TEST.csv OUT.csv SEEDS SETTING...`: trains on TRAIN with each of the settings
//! and each of the seeds 0 to SEEDS - 1, and writes for each row of TEST the score with the first setting and each seed,
//! then those with the second setting, and so on. `plain` is one forest over the values as they are and its raw
//! score; `members` is the product's own model over windows and -log10 of its tail probability, 0 in
//! warm-up. Tables are as for `emberwatch train`, of one entity; for `plain` without missing values.
//!
//! A setting is a kind of split with its number of features and of candidates, and a scoring, as far as they are not the
//! default: `plain`, `extended:2`, `guided:1:10`, `plain/density`, `extended:2/penalized-depth`.

use anyhow::Context as _;
use emberwatch::{
    calibrate::{Memory, Thresholds},
    features::{FeatureColumn, FeatureSchema, Inputs, SchemaSettings},
    model::Past,
    score::iforest::{Hyperparams, Scoring, SplitKind, Splits},
    series::TimestampMs,
    table::{self, Columns, Table},
    train::{Reservoir, ReservoirSettings, TrainSettings, TrainingRows, fit},
};
use indicatif::ProgressBar;
use ndarray::Array2;
use std::{
    env,
    fs::File,
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// The window of the product: half an hour, at least six steps.
const WINDOW_MS: i64 = 30 * 60_000;
const MIN_WINDOW_STEPS: usize = 6;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, train, test, out, seeds, settings @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: forest_scores plain|members TRAIN.csv TEST.csv OUT.csv SEEDS SETTING...");
    };
    let train = read(train, Columns::All)?;
    let test = read(test, Columns::Only(train.features()))?;
    let score: Box<dyn Fn(Hyperparams) -> anyhow::Result<Vec<f64>>> = match model.as_str() {
        "plain" => Box::new(plain(&train, &test)),
        "members" => Box::new(members(&train, &test)?),
        other => anyhow::bail!("{other:?} is neither plain nor members"),
    };
    let seeds: u64 = seeds.parse().context("SEEDS is not a number")?;
    let mut columns = Vec::new();
    for setting in settings {
        let (splits, scoring) = parse(setting).with_context(|| format!("setting {setting:?}"))?;
        for seed in 0..seeds {
            columns.push(score(Hyperparams { seed, splits, scoring, ..Hyperparams::default() })?);
        }
    }
    let mut file = BufWriter::new(File::create(Path::new(out))?);
    for row in 0..test.rows().len() {
        let cells: Vec<String> = columns.iter().map(|scores| scores[row].to_string()).collect();
        writeln!(file, "{}", cells.join(","))?;
    }
    Ok(file.flush()?)
}

fn read(path: &str, columns: Columns<'_>) -> anyhow::Result<Table> {
    Ok(table::read(&[PathBuf::from(path)], columns, "entity", &ProgressBar::hidden())?)
}

fn parse(setting: &str) -> anyhow::Result<(Splits, Scoring)> {
    let (split, scoring) = setting.split_once('/').unwrap_or((setting, Scoring::default().name()));
    let mut parts = split.split(':');
    let name = parts.next().unwrap_or_default();
    let kind = SplitKind::ALL.into_iter().find(|kind| kind.name() == name).context("no such split")?;
    let mut number = || parts.next().map(str::parse).transpose();
    let splits = Splits::new(kind, number()?, number()?)?;
    let scoring =
        Scoring::ALL.into_iter().find(|known| known.name() == scoring).context("no such scoring")?;
    Ok((splits, scoring))
}

/// Raw scores of one forest over the values.
fn plain(train: &Table, test: &Table) -> impl Fn(Hyperparams) -> anyhow::Result<Vec<f64>> {
    let single = |table: &Table| table.values().mapv(|value| value as f32);
    let (train, test): (Array2<f32>, Array2<f32>) = (single(train), single(test));
    move |params| {
        let mut scores = vec![0.0; test.nrows()];
        params.check()?.fit(train.view())?.raw_scores(test.view(), &mut scores);
        Ok(scores)
    }
}

/// Evidence of the product's own model.
fn members(train: &Table, test: &Table) -> anyhow::Result<impl Fn(Hyperparams) -> anyhow::Result<Vec<f64>>> {
    let schema = schema(train)?;
    let mut reservoir = Reservoir::new(ReservoirSettings::default());
    table::replay(train, &schema, |inputs, _| {
        reservoir.offer(inputs, |_| true);
    })?;
    let rows: TrainingRows = reservoir.rows();
    let mut steps: Vec<(Inputs, Vec<usize>)> = Vec::new();
    table::replay(test, &schema, |inputs, rows| steps.push((inputs.clone(), rows.to_vec())))?;
    let n_rows = test.rows().len();
    Ok(move |hyperparams| {
        let settings = TrainSettings {
            hyperparams,
            contamination: 0.0,
            thresholds: Thresholds::default(),
            forget_after: Some(Memory::DEFAULT_FADE),
            drifted: None,
            version: "quality".to_owned(),
            created_at: TimestampMs(0),
        };
        let model = fit(schema.clone(), &rows, &settings)?;
        let mut scores = vec![0.0; n_rows];
        for (inputs, rows) in &steps {
            for scored in model.score(inputs, &mut Past::none()) {
                scores[rows[scored.row]] = -scored.tail_probability.log10();
            }
        }
        Ok(scores)
    })
}

fn schema(table: &Table) -> anyhow::Result<FeatureSchema> {
    let step_ms = table::median_step_ms(table).context("one row has no step")?;
    let column = |name: &String| FeatureColumn { name: name.clone(), expression: String::new() };
    Ok(FeatureSchema::new(SchemaSettings {
        detector: "quality".to_owned(),
        by: vec!["entity".to_owned()],
        step_ms,
        window_steps: usize::try_from(WINDOW_MS / step_ms)?.max(MIN_WINDOW_STEPS),
        utc_offset_minutes: 0,
        time_zone: None,
        features: table.features().iter().map(column).collect(),
        series: None,
    })?)
}
