//! `emberwatch score`: scores for the rows of a CSV file.

use super::{progress, read_model, scoring, write_scores};
use crate::{
    calibrate::{CheckedPersistence, Memory, Severity},
    features::SeasonSettings,
    pipeline::{Backtest, DetectorSettings, Rules, carried_steps},
    table::{self, Columns},
};
use anyhow::bail;
use std::{
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

/// Score the rows of wide CSV files, in order.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    /// The model file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,

    /// CSV files as for train; columns that the model does not know are left out
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    csv: Vec<PathBuf>,

    /// Where the scores are written: one row for each input row, in input order, with the columns
    /// timestamp, entity, anomaly_score, anomaly_severity, tail_probability, explanation, raw_score, alarm (1 from
    /// severity medium up), incident, criterion and type. A row in warm-up (less than half of its window filled) has score 0 and says so in its
    /// explanation
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Reads model and files, writes the scores, and says what was found.
///
/// # Errors
/// When a file cannot be read or written, or the files do not belong to the model.
pub fn run(args: &ScoreArgs) -> anyhow::Result<ExitCode> {
    let (model, _) = read_model(&args.model)?;
    if model.schema().series().is_some() {
        bail!(
            "{}: the model is for single series of the stream; a table has columns for features",
            args.model.display()
        );
    }
    let names: Vec<String> = model.schema().features().iter().map(|feature| feature.name.clone()).collect();
    let entity_label = model.schema().by().first().map_or("instance", String::as_str);
    let table = table::read(&args.csv, Columns::Only(&names), entity_label, &progress(&args.csv))?;
    let settings = DetectorSettings {
        schema: model.schema().clone(),
        thresholds: model.thresholds(),
        persistence: CheckedPersistence::carrying(carried_steps(model.schema())),
        forget_after: Some(Memory::DEFAULT_FADE),
        rules: Rules::default(),
        silence: Duration::ZERO,
        grace: Duration::ZERO,
        season: Some(SeasonSettings::default()),
        training: None,
    };
    let model = Arc::new(model);
    let mut detector = Backtest::new(settings, Some(Arc::clone(&model)));
    let scoring = scoring::score(&table, &mut detector, Severity::Medium)?;
    write_scores(&args.out, &table, &scoring.rows)?;

    let ignored = match table.ignored() {
        [] => String::new(),
        names => format!("left out: column {}, unknown to the model\n", names.join(", ")),
    };
    writeln!(
        stdout(),
        "scored {} rows of {} entities with model {} ({} in warm-up)\n\
         severity: {} high, {} medium, {} low\n\
         {ignored}scores written to {}",
        table.rows().len(),
        table.entities().len(),
        model.version(),
        scoring.without_verdict,
        scoring.count(Severity::High),
        scoring.count(Severity::Medium),
        scoring.count(Severity::Low),
        args.out.display(),
    )?;
    Ok(ExitCode::SUCCESS)
}
