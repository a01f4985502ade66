//! How good a model is on rows that lie behind those that it was trained on.
//!
//! The later rows go through [`Backtest`], as those of a running sidecar that was started with the model a window before them.

mod arguments;

mod page;

mod report;

pub(super) use arguments::{Final, ValidateArgs};

use super::{
    gathered::{Gathered, Split},
    labels::{Labels, Margins, Met, Times},
    rows::Rows,
};
use crate::{
    calibrate::{AnomalyScore, Severity, Thresholds},
    evaluate::{FleetEvaluation, FleetSeries, LabelledScores, Rules, fleet},
    model::{Model, TrainingSummary, Validation, ValidationCounts},
    pipeline::{Backtest, Judged},
    series::{LabelSet, TimestampMs},
};
use anyhow::bail;
use std::{collections::BTreeMap, num::NonZeroU64, sync::Arc};

/// From here on a row is an alarm.
const ALARM_FROM: Severity = Severity::Medium;

/// Distance of two thresholds of the curve.
const CURVE_STEPS: u32 = 20;

/// What the validation found.
pub(super) struct Outcome {
    detector: String,
    split: Split,
    step_ms: i64,
    window_ms: i64,
    /// Of the model that was judged.
    training: TrainingSummary,
    /// Where the labels come from, where there are any.
    labels: Option<String>,
    /// Alerts that are on nobody.
    named_nobody: usize,
    /// Entities that have labels and no rows.
    unknown: Vec<String>,
    /// By name.
    entities: BTreeMap<String, EntityRows>,
    evaluation: FleetEvaluation,
    levels: [Level; 3],
    /// Rows outside incidents and their margins that have a verdict: those of which the levels are shares.
    calm_rows: usize,
}

/// What was said of one entity, row by row.
#[derive(Default)]
struct EntityRows {
    times: Vec<TimestampMs>,
    /// NaN where there was no verdict.
    scores: Vec<f64>,
    severities: Vec<Severity>,
    labels: Vec<bool>,
    incidents: Times,
}

/// What a severity promises, and what it kept.
struct Level {
    severity: Severity,
    threshold: f64,
    /// Calm rows that score at least so much.
    rows: usize,
}

/// Judges the rows behind the split, and measures what was said of them.
pub(super) fn validate(
    rows: &Rows<'_>,
    gathered: &Gathered<'_>,
    model: &Model,
    split: Split,
    labels: &Labels,
) -> anyhow::Result<Outcome> {
    let schema = &gathered.judged.schema;
    let mut backtest =
        Backtest::new(gathered.judged.clone(), Some(Arc::new(model.clone().as_from_its_file())));
    let mut met = Met::new(rows, labels);
    let mut judged_rows: BTreeMap<LabelSet, EntityRows> = BTreeMap::new();
    rows.each(Some(split.trained_before), |matrix| {
        let judged = backtest.step(&matrix)?;
        if matrix.at >= split.first {
            note(&mut judged_rows, &judged, &mut met);
        }
        Ok(())
    })?;
    if judged_rows.is_empty() {
        bail!("there is no row to validate from {} on", crate::cli::instant(split.first));
    }
    let named = judged_rows.into_iter().map(|(entity, rows_of)| (rows.name(&entity), rows_of));
    let entities: BTreeMap<String, EntityRows> = named.collect();
    let (levels, calm_rows) = levels(&entities, gathered.judged.thresholds, gathered.margins);
    let step_ms = schema.step_ms();
    Ok(Outcome {
        detector: schema.detector().to_owned(),
        split,
        step_ms,
        window_ms: schema.window_ms(),
        training: *model.training(),
        labels: labels.source.clone(),
        named_nobody: labels.named_nobody,
        unknown: gathered.unknown.clone(),
        evaluation: measured(&entities, gathered.judged.thresholds, &rules(step_ms))?,
        entities,
        levels,
        calm_rows,
    })
}

/// Notes the rows of a step.
fn note(rows: &mut BTreeMap<LabelSet, EntityRows>, judged: &Judged, met: &mut Met<'_>) {
    let at = judged.inputs.at;
    for entity in &judged.inputs.entities {
        if !rows.contains_key(entity) {
            let incidents = met.times_of(entity).clone();
            rows.insert(entity.clone(), EntityRows { incidents, ..EntityRows::default() });
        }
        let Some(own) = rows.get_mut(entity) else { continue };
        let verdict = judged.verdict(entity);
        own.times.push(at);
        own.scores.push(verdict.map_or(f64::NAN, |verdict| verdict.anomaly_score.value()));
        own.severities.push(verdict.map_or(Severity::Normal, |verdict| verdict.severity));
        own.labels.push(own.incidents.hold(at));
    }
}

/// As `evaluate` measures where nothing else is said.
fn rules(step_ms: i64) -> Rules {
    let step_ms = NonZeroU64::new(step_ms.unsigned_abs()).unwrap_or(NonZeroU64::MIN);
    Rules { step_ms, vus: None, ..Rules::default() }
}

fn measured(
    entities: &BTreeMap<String, EntityRows>,
    thresholds: Thresholds,
    rules: &Rules,
) -> anyhow::Result<FleetEvaluation> {
    let series: Result<Vec<FleetSeries>, _> = entities.values().map(EntityRows::series).collect();
    let evenly = (1..=CURVE_STEPS).map(|step| f64::from(step) / f64::from(CURVE_STEPS));
    let mut curve: Vec<f64> = evenly.chain(Severity::LEVELS.map(|level| thresholds.of(level))).collect();
    curve.sort_unstable_by(f64::total_cmp);
    curve.dedup();
    Ok(fleet(&series?, &curve, rules)?)
}

/// What each severity promises, held against the rows in which nothing was wrong, and how many these are.
fn levels(
    entities: &BTreeMap<String, EntityRows>,
    thresholds: Thresholds,
    margins: Margins,
) -> ([Level; 3], usize) {
    let level = |severity| Level { severity, threshold: thresholds.of(severity), rows: 0 };
    let (mut levels, mut calm_rows) = (Severity::LEVELS.map(level), 0);
    for own in entities.values() {
        for (at, score) in own.times.iter().zip(&own.scores) {
            if score.is_nan() || own.incidents.hold_near(*at, margins) {
                continue;
            }
            calm_rows += 1;
            levels.iter_mut().for_each(|level| level.rows += usize::from(*score >= level.threshold));
        }
    }
    (levels, calm_rows)
}

// === impl EntityRows ===

impl EntityRows {
    fn alarms(&self) -> Vec<bool> {
        self.severities.iter().map(|severity| *severity >= ALARM_FROM).collect()
    }

    /// The scores, 0 where there was no verdict: what is not scored raises no alarm.
    fn known_scores(&self) -> Vec<f64> {
        self.scores.iter().map(|score| if score.is_nan() { 0.0 } else { *score }).collect()
    }

    fn series(&self) -> Result<FleetSeries, crate::evaluate::Unmeasurable> {
        let rows = LabelledScores::new(self.known_scores(), self.labels.clone())?;
        Ok(FleetSeries { rows, own_alarms: self.alarms() })
    }
}

// === impl Level ===

impl Level {
    /// The share of rows of normal operation that it promises.
    fn promised(&self) -> f64 {
        AnomalyScore::default().at_least(self.threshold).tail_probability()
    }

    /// The share that it was.
    fn share(&self, calm_rows: usize) -> f64 {
        self.rows as f64 / calm_rows.max(1) as f64
    }
}

// === impl Outcome ===

impl Outcome {
    /// Whether there is something to be found.
    fn has_incidents(&self) -> bool {
        self.labels.is_some() && self.evaluation.segments > 0
    }

    /// What a model is to say of it; nothing where there was no incident to be found.
    pub(super) fn validation(&self) -> Option<Validation> {
        if !self.has_incidents() {
            return None;
        }
        let counts = self.evaluation.own.counts;
        let counts = ValidationCounts {
            rows: counts.n as u64,
            true_positives: counts.true_positives as u64,
            false_positives: counts.false_positives as u64,
            false_negatives: counts.false_negatives as u64,
            incidents: counts.segments as u64,
            detected: counts.detected as u64,
            false_alarms: counts.event_false_positives as u64,
        };
        Some(Validation { first: self.split.first, last: self.split.last, counts })
    }

    /// Share of the rows that have a verdict.
    fn coverage(&self) -> f64 {
        let scores = || self.entities.values().flat_map(|own| &own.scores);
        scores().filter(|score| !score.is_nan()).count() as f64 / self.evaluation.n.max(1) as f64
    }

    fn delay_seconds(&self, delay_rows: f64) -> f64 {
        delay_rows * self.step_ms as f64 / 1000.0
    }
}
