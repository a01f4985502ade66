//! The rows of a table, judged: what `score` and `backtest` share.

use super::progress_of_rows;
use crate::{
    calibrate::Severity,
    explain::AnomalyType,
    features::Inputs,
    pipeline::{Backtest, Judged},
    table::{self, ScoreRow, Table},
};

/// What became of the rows of a table.
#[derive(Clone, Debug)]
pub(super) struct Scoring {
    /// One for each row of the table, in its order.
    pub(super) rows: Vec<ScoreRow>,
    /// Rows without a verdict.
    pub(super) without_verdict: usize,
}

/// Judges the rows step by step; those of one step share its verdict. From the severity `alarm_from` on a row is an
/// alarm. Where rows lie at another distance than the steps of the detector, its windows would fill with other
/// statistics.
///
/// # Errors
/// When the rows lie at another distance.
pub(super) fn score(table: &Table, detector: &mut Backtest, alarm_from: Severity) -> anyhow::Result<Scoring> {
    let schema = detector.settings().schema.clone();
    check_step(schema.step_ms(), table)?;
    let unknown = ScoreRow {
        anomaly_score: 0.0,
        anomaly_severity: Severity::Normal.number(),
        tail_probability: 1.0,
        explanation: "no value of any feature".to_owned(),
        raw_score: None,
        alarm: false,
        incident: String::new(),
        criterion: String::new(),
        kind: "",
    };
    let mut scoring = Scoring { rows: vec![unknown.clone(); table.rows().len()], without_verdict: 0 };
    let progress = progress_of_rows(table.rows().len(), "scoring");
    for step in table::steps(table, schema.step_ms()) {
        let trained = detector.model().is_some();
        let judged = detector.step(&step.matrix)?;
        progress.inc(step.rows.len() as u64);
        for (row, place) in step.rows {
            let Some(place) = place else {
                scoring.without_verdict += 1;
                continue;
            };
            scoring.rows[row] = verdict(&judged, place, alarm_from).unwrap_or_else(|| {
                scoring.without_verdict += 1;
                let explanation = reason(&judged.inputs, place, schema.window_steps(), trained);
                ScoreRow { explanation, ..unknown.clone() }
            });
        }
    }
    progress.finish_and_clear();
    Ok(scoring)
}

fn verdict(judged: &Judged, place: usize, alarm_from: Severity) -> Option<ScoreRow> {
    let verdict = judged.verdict(&judged.inputs.entities[place])?;
    Some(ScoreRow {
        anomaly_score: verdict.anomaly_score.value(),
        anomaly_severity: verdict.severity.number(),
        tail_probability: verdict.tail_probability,
        explanation: verdict.explanation.clone(),
        raw_score: Some(verdict.raw_score),
        alarm: verdict.severity >= alarm_from,
        incident: verdict.incident.map(|id| id.to_string()).unwrap_or_default(),
        criterion: verdict.criteria.iter().map(|criterion| criterion.name()).collect::<Vec<_>>().join("+"),
        kind: verdict.anomaly_type.map_or("", AnomalyType::name),
    })
}

/// Why there is no verdict.
fn reason(inputs: &Inputs, place: usize, window_steps: usize, trained: bool) -> String {
    if !inputs.warm[place] {
        format!("warming up: {} of {} steps", inputs.filled_steps[place], window_steps.div_ceil(2))
    } else if trained {
        "the model does not know this entity yet".to_owned()
    } else {
        "there is no model yet".to_owned()
    }
}

fn check_step(step_ms: i64, table: &Table) -> anyhow::Result<()> {
    let spacing = table::median_step_ms(table).unwrap_or(step_ms);
    anyhow::ensure!(
        (spacing - step_ms).abs() <= step_ms / 10,
        "the rows are {} s apart, the detector wants rows {} s apart",
        spacing as f64 / 1000.0,
        step_ms as f64 / 1000.0
    );
    Ok(())
}

// === impl Scoring ===

impl Scoring {
    /// Rows of a severity.
    pub(super) fn count(&self, severity: Severity) -> usize {
        self.rows.iter().filter(|row| row.anomaly_severity == severity.number()).count()
    }
}
