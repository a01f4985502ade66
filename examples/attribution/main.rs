//! How often the features that people blamed for an incident are the ones that a model blames.
//!
//! `cargo run --release --example attribution -- FOLDER` trains a model on each `NAME.train.csv.gz`, scores
//! `NAME.test.csv.gz` as `emberwatch score` does, and compares with `NAME.causes.csv` (lines of `start_row,end_row,metrics`,
//! the metrics apart by blanks, rows of the test file from 0, the end not included). It prints a Markdown
//! table. The measure is HitRate@P% of Su et al., "Robust Anomaly Detection for Multivariate Time Series through
//! Stochastic Recurrent Neural Network" (OmniAnomaly), KDD 2019: of the k features that people blamed, the share that is
//! among the first floor(P k / 100) of the ranking.

#![allow(missing_docs, reason = "a program, not a library")]

mod deviations;

mod incidents;

mod rates;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use deviations::Deviations;
use emberwatch::{
    calibrate::{Memory, Thresholds},
    features::{FeatureColumn, FeatureSchema, Inputs, SchemaSettings, Statistic},
    model::{Model, Past},
    score::iforest::Hyperparams,
    series::TimestampMs,
    table::{self, Columns, Table},
    train::{Reservoir, ReservoirSettings, TrainSettings, fit},
};
use incidents::Incident;
use indicatif::ProgressBar;
use rates::Rates;
use std::{
    fs,
    io::{Write as _, stderr, stdout},
    path::{Path, PathBuf},
};

/// Compares whom models blame with whom people blamed.
#[derive(Debug, Parser)]
struct Args {
    /// Folder with NAME.train.csv.gz, NAME.test.csv.gz and NAME.causes.csv for each machine.
    folder: PathBuf,
}

/// What orders the features of an incident.
const RANKINGS: [&str; 6] = [
    "contributions, mean over the incident",
    "robust z-score of the value, mean over the incident",
    "robust z-score of the value, largest in the incident",
    "robust z-score of the deviation, mean over the incident",
    "robust z-score of the deviation, largest in the incident",
    "random order (expected)",
];

/// What a machine's incidents came to: for each of [`RANKINGS`].
type Machine = Vec<Rates>;

fn main() -> Result<()> {
    let args = Args::parse();
    let names = names(&args.folder)?;
    let mut machines = Vec::with_capacity(names.len());
    let (mut incidents, mut explained) = (0, 0);
    for name in &names {
        writeln!(stderr(), "{name}")?;
        let ranked = judge(&args.folder, name).with_context(|| name.clone())?;
        incidents += ranked.len();
        explained += ranked.iter().filter(|incident| incident.is_explained()).count();
        machines.push(rates_of(&ranked));
    }
    let mut out = stdout();
    writeln!(
        out,
        "{} machines, {incidents} incidents, {explained} of them with a step that is explained\n",
        names.len()
    )?;
    writeln!(out, "| ranking | HitRate@100% | HitRate@150% | first is to blame | the same over incidents |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    for (ranking, name) in RANKINGS.iter().enumerate() {
        let by_machine = Rates::sum(machines.iter().map(|machine| machine[ranking].mean())).mean();
        let by_incident = Rates::sum(machines.iter().map(|machine| machine[ranking])).mean();
        writeln!(
            out,
            "| {name} | {:.3} | {:.3} | {:.3} | {:.3} / {:.3} / {:.3} |",
            by_machine.hit_100,
            by_machine.hit_150,
            by_machine.first,
            by_incident.hit_100,
            by_incident.hit_150,
            by_incident.first
        )?;
    }
    Ok(())
}

/// The machines of the folder, ascending.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = entry?.file_name();
        names.extend(file.to_str().and_then(|file| file.strip_suffix(".causes.csv")).map(str::to_owned));
    }
    if names.is_empty() {
        bail!("no file NAME.causes.csv in {}", folder.display());
    }
    names.sort();
    Ok(names)
}

/// Trains on one machine, scores its test rows, and gives its incidents with what each ranking says.
fn judge(folder: &Path, name: &str) -> Result<Vec<Incident>> {
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    let train = read(&path("train.csv.gz"), Columns::All)?;
    let (model, deviations) = learn(&train)?;
    let test = read(&path("test.csv.gz"), Columns::Only(train.features()))?;
    let mut incidents = incidents::read(&path("causes.csv"), train.features())?;
    table::replay(&test, model.schema(), |inputs, rows| {
        let scored = model.score(inputs, &mut Past::none());
        for (place, row) in rows.iter().enumerate() {
            let blamed = scored.iter().find(|scored| scored.row == place);
            for incident in incidents.iter_mut().filter(|incident| incident.rows.contains(row)) {
                incident.add_contributions(blamed.map_or(&[], |scored| &scored.contributions));
                incident.add_deviations(&deviations.of(inputs, place));
            }
        }
    })?;
    Ok(incidents)
}

fn read(path: &Path, columns: Columns<'_>) -> Result<Table> {
    Ok(table::read(&[path.to_owned()], columns, "instance", &ProgressBar::hidden())?)
}

/// What `emberwatch train` makes of the table with its defaults; and what is ordinary for z-scores.
fn learn(table: &Table) -> Result<(Model, Deviations)> {
    let column = |name: &String| FeatureColumn { name: name.clone(), expression: String::new() };
    let features = table.features().iter().map(column).collect();
    let schema = FeatureSchema::new(SchemaSettings { features, ..SchemaSettings::default() })?;
    let mut reservoir = Reservoir::new(ReservoirSettings::default());
    let mut seen = [Statistic::Value, Statistic::Deviation].map(|_| vec![Vec::new(); table.features().len()]);
    table::replay(table, &schema, |inputs: &Inputs, _| {
        reservoir.offer(inputs, |_| true);
        deviations::collect(inputs, &mut seen);
    })?;
    let settings = TrainSettings {
        hyperparams: Hyperparams::default(),
        contamination: 0.0,
        thresholds: Thresholds::default(),
        forget_after: Some(Memory::DEFAULT_FADE),
        drifted: None,
        version: "attribution".to_owned(),
        created_at: TimestampMs(0),
    };
    Ok((fit(schema, &reservoir.rows(), &settings)?, Deviations::new(seen)))
}

fn rates_of(incidents: &[Incident]) -> Machine {
    let mut rates = vec![Rates::default(); RANKINGS.len()];
    for incident in incidents {
        let rankings = incident.rankings();
        for (rate, ranking) in rates.iter_mut().zip(&rankings) {
            rate.add(&incident.blamed, ranking);
        }
        rates[rankings.len()].add_random(&incident.blamed, incident.n_features());
    }
    rates
}
