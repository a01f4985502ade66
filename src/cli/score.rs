//! `emberwatch score`: scores for the rows of a CSV file.

use super::{progress, read_model};
use crate::{
    calibrate::{CheckedPersistence, Memory, Severity, SeverityTracker},
    features::Inputs,
    model::{Model, Past, Scored},
    series::{LabelSet, TimestampMs},
    table::{self, Columns, ScoreRow, ScoreWriter, Table},
};
use anyhow::bail;
use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

/// Steps reported as missing after a gap; more change nothing, all levels have ended by then.
const MAX_MISSING_STEPS: i64 = 16;

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
    /// timestamp, entity, anomaly_score, anomaly_severity, tail_probability, explanation and raw_score. A row in warm-up (less than half of its window filled) has score
    /// 0 and says so in its explanation
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Reads model and files, writes the scores, and says what was found.
///
/// # Errors
/// When a file cannot be read or written, or the files do not belong to the model.
pub fn run(args: &ScoreArgs) -> anyhow::Result<ExitCode> {
    let (model, _) = read_model(&args.model)?;
    let names: Vec<String> = model.schema().features().iter().map(|feature| feature.name.clone()).collect();
    let entity_label = model.schema().by().first().map_or("instance", String::as_str);
    let table = table::read(&args.csv, Columns::Only(&names), entity_label, &progress(&args.csv))?;
    check_step(&model, &table)?;

    let mut scoring = Scoring::new(&model, table.rows().len());
    table::replay(&table, model.schema(), |inputs, rows| scoring.step(inputs, rows))?;
    let mut writer = ScoreWriter::create(&args.out)?;
    for (row, scores) in table.rows().iter().zip(&scoring.rows) {
        writer.write(&row.timestamp, &table.entities()[row.entity].0, scores)?;
    }
    writer.finish()?;

    let count = |severity: Severity| {
        scoring.rows.iter().filter(|row| row.anomaly_severity == severity.number()).count()
    };
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
        scoring.warming_up,
        count(Severity::High),
        count(Severity::Medium),
        count(Severity::Low),
        args.out.display(),
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Rows at another distance than the model's would fill its windows with other statistics.
fn check_step(model: &Model, table: &Table) -> anyhow::Result<()> {
    let step_ms = model.schema().step_ms();
    match table::median_step_ms(table) {
        Some(spacing) if (spacing - step_ms).abs() > step_ms / 10 => bail!(
            "the rows are {} s apart, the model was trained on rows {} s apart",
            spacing as f64 / 1000.0,
            step_ms as f64 / 1000.0
        ),
        _ => Ok(()),
    }
}

/// The scores under way.
struct Scoring<'a> {
    model: &'a Model,
    trackers: BTreeMap<LabelSet, (SeverityTracker, TimestampMs)>,
    past: Past,
    rows: Vec<ScoreRow>,
    warming_up: usize,
}

// === impl Scoring ===

impl<'a> Scoring<'a> {
    fn new(model: &'a Model, n_rows: usize) -> Self {
        let nothing = ScoreRow {
            anomaly_score: 0.0,
            anomaly_severity: Severity::Normal.number(),
            tail_probability: 1.0,
            explanation: String::new(),
            raw_score: None,
        };
        let past = Past::new(Memory::new(Memory::DEFAULT_FADE, model.schema().step_ms()));
        Self { model, trackers: BTreeMap::new(), past, rows: vec![nothing; n_rows], warming_up: 0 }
    }

    /// Scores one step; `rows` are the places of its results.
    fn step(&mut self, inputs: &Inputs, rows: &[usize]) {
        for scored in self.model.score(inputs, &mut self.past) {
            self.rows[rows[scored.row]] = self.verdict(inputs, &scored);
        }
        let window = self.model.schema().window_steps();
        for (row, place) in rows.iter().enumerate().filter(|(row, _)| !inputs.warm[*row]) {
            let filled = inputs.filled_steps[row];
            self.rows[*place].explanation = format!("warming up: {filled} of {} steps", window.div_ceil(2));
            self.warming_up += 1;
        }
    }

    fn verdict(&mut self, inputs: &Inputs, scored: &Scored) -> ScoreRow {
        let (thresholds, step_ms) = (self.model.thresholds(), self.model.schema().step_ms());
        let (tracker, last) = self.trackers.entry(scored.entity.clone()).or_insert_with(|| {
            (SeverityTracker::new(thresholds, CheckedPersistence::default()), inputs.at.plus_ms(-step_ms))
        });
        let missed = (inputs.at.since_ms(*last) / step_ms - 1).clamp(0, MAX_MISSING_STEPS);
        for back in (1..=missed).rev() {
            tracker.update(None, inputs.at.plus_ms(-back * step_ms));
        }
        *last = inputs.at;
        let severity = tracker.update(Some(scored.anomaly_score), inputs.at);
        let alone = thresholds.severity(scored.anomaly_score);
        let explained = severity.max(alone) > Severity::Normal;
        ScoreRow {
            anomaly_score: scored.anomaly_score.value(),
            anomaly_severity: severity.number(),
            tail_probability: scored.tail_probability,
            explanation: if explained {
                self.model.explain(inputs, scored, tracker.since())
            } else {
                String::new()
            },
            raw_score: Some(scored.raw_score),
        }
    }
}
