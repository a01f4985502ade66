//! From rows to a model.

use super::TrainingRows;
use crate::{
    calibrate::{Memory, Tail, TailError, Thresholds, tail_of_means},
    features::{FeatureSchema, InputLayout, Statistic, Zone},
    model::{
        Judge, MAX_VERSION_BYTES, Member, MemberKind, Members, Model, N_SELF_TEST_ROWS, Past, Reference,
        ScaledRow, Scaling, Scorer, SelfTestRow, TrainingSummary, evidence_of, weighted,
    },
    score::{
        iforest::{CheckedHyperparams, FitError, Hyperparams, InvalidHyperparams},
        nearest::{InvalidSample, Nearest},
    },
    series::TimestampMs,
};
use ndarray::{ArrayView2, Axis, Slice};
use std::time::Duration;

/// Fewer rows than this are not trained on: 64 in each block of the cross-fit.
pub const MIN_ROWS: usize = 256;

/// Blocks of time in the cross-fit.
const BLOCKS: usize = 4;

/// One made-up fault is added for this many rows.
const ROWS_PER_FAULT: usize = 20;

/// How far a made-up fault is from ordinary: from the edge of the ordinary to far beyond anything.
const FAULT_UNITS: (f64, f64) = (3.0, 100.0);

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainSettings {
    /// Settings of both forests.
    pub hyperparams: Hyperparams,
    /// Share of the rows, the strangest, that is left out of the calibration: 0 when the data is
    /// believed to be normal operation.
    pub contamination: f64,
    /// From which scores on a row is of low, medium and high severity.
    pub thresholds: Thresholds,
    /// After how long the recent past of the entities will fade that scores are judged against, as
    /// [`Past`]; `None` when they will be judged by the training alone.
    pub forget_after: Option<Duration>,
    /// Since when inputs are as they are now, where they had drifted: live rows will be held against these rows alone; `None`: all rows.
    pub drifted: Option<TimestampMs>,
    /// What the model calls itself; not empty.
    pub version: String,
    /// The present time.
    pub created_at: TimestampMs,
}

/// Why rows cannot be trained on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// Too few rows.
    #[error("{have} rows with at least half of their window filled, at least {need} are needed to train")]
    TooFewRows {
        /// Rows there are.
        have: usize,
        /// Rows needed.
        need: usize,
    },
    /// The rows do not belong to the schema.
    #[error("the rows have {have} columns, the schema needs {want}")]
    Columns {
        /// Columns of the rows.
        have: usize,
        /// Columns of the schema's inputs.
        want: usize,
    },
    /// The expected share of anomalies is not one.
    #[error("contamination is {0}, must be at least 0 and below 0.5")]
    Contamination(f64),
    /// The version has no or too many letters.
    #[error("the model version must have 1 to {MAX_VERSION_BYTES} bytes, not {0}")]
    Version(usize),
    /// The forests' settings are out of range.
    #[error(transparent)]
    Hyperparams(#[from] InvalidHyperparams),
    /// A forest cannot be grown.
    #[error("the forest cannot be fitted: {0}")]
    Forest(#[from] FitError),
    /// No sample of ordinary rows can be drawn.
    #[error("no sample of rows can be drawn: {0}")]
    Sample(#[from] InvalidSample),
    /// Scores cannot be calibrated.
    #[error("the scores cannot be calibrated: {0}")]
    Tail(#[from] TailError),
}

/// Trains a model on `rows`.
///
/// # Errors
/// When there are too few rows or a setting is out of its range.
pub fn fit(
    schema: FeatureSchema,
    rows: &TrainingRows,
    settings: &TrainSettings,
) -> Result<Model, TrainError> {
    fit_on_some(schema, rows, settings, usize::MAX)
}

/// As [`fit()`], but only `most` of the rows, drawn by the seed, are shown to forests and tails. What is ordinary for each
/// entity is learned from all of them: with thousands of entities that takes far more rows than a forest does.
///
/// # Errors
/// When there are too few rows or a setting is out of its range.
pub fn fit_on_some(
    schema: FeatureSchema,
    rows: &TrainingRows,
    settings: &TrainSettings,
    most: usize,
) -> Result<Model, TrainError> {
    let layout = InputLayout { n_features: schema.features().len() };
    let hyperparams = check(layout, rows, settings)?;
    let scaling = Scaling::fit(layout, rows.values.view(), &rows.entity_of, &rows.entities);
    let (span, rows) = (summary(rows, settings), &*rows.drawn(most.max(MIN_ROWS), settings.hyperparams.seed));
    let mut scaled: Vec<ScaledRow> = rows
        .entity_of
        .iter()
        .zip(rows.values.rows())
        .map(|(entity, columns)| {
            let scales = scaling.of(&rows.entities[*entity]);
            ScaledRow::new(layout, &scales.columns, &columns.to_vec())
        })
        .collect();
    let (n, origins) = (scaled.len(), with_faults(layout, &mut scaled, settings.hyperparams.seed));
    let member_rows = MemberKind::ALL.map(|kind| match kind {
        MemberKind::Deviation => kind.rows(layout, &scaled),
        _ => kind.rows(layout, &scaled[..n]),
    });
    let scorers =
        MemberKind::ALL.map(|kind| move |rows: ArrayView2<'_, f32>| scorer(kind, &hyperparams, rows));
    let raw = member_rows
        .iter()
        .zip(&scorers)
        .map(|(rows, fit)| cross_fitted_scores(rows.view(), n, &origins, fit))
        .collect::<Result<Vec<_>, _>>()?;
    let normal = normal_rows(&raw, settings.contamination)?;
    let tails = raw.iter().map(|raw| Tail::fit(&pick(raw, &normal))).collect::<Result<Vec<_>, _>>()?;
    let evidence = combined(&raw, &tails);
    // What will be judged beside a recent past is calibrated beside one.
    let mut past = past(rows, settings);
    let beside_past = beside_past(&raw, &tails, rows, &mut past);
    let tail = tail_of_means(&pick(&beside_past, &normal))?;
    let members = MemberKind::ALL
        .into_iter()
        .zip(member_rows.iter().zip(&scorers))
        .zip(tails)
        .map(|((kind, (rows, fit)), tail)| Ok(Member { kind, scorer: fit(rows.view())?, tail }))
        .collect::<Result<Vec<_>, TrainError>>()?;
    let rankers = rankers(layout, &scaled[..n], &normal)?;
    let of_training: Vec<f64> =
        evidence.iter().map(|evidence| evidence_of(tail.probability(*evidence))).collect();
    let reference = reference(layout, schema.zone(), rows, &scaling, &of_training, settings.drifted);
    let judge = Judge::Members(Members { scaling, members, rankers, tail });
    let model = model_of(schema, judge, rows, settings, &evidence);
    Ok(Model { past, training: span, reference: Some(reference), ..model })
}

/// How the rows since `since` are distributed; `evidence` is that of the whole for each row, of forests that had not seen it.
fn reference(
    layout: InputLayout,
    zone: &Zone,
    rows: &TrainingRows,
    scaling: &Scaling,
    evidence: &[f64],
    since: Option<TimestampMs>,
) -> Reference {
    let first = since.map_or(0, |since| rows.at.partition_point(|at| *at < since));
    let value = |feature: usize, row: usize| {
        let scale = scaling.of(&rows.entities[rows.entity_of[row]]).value(feature);
        scale.scaled(rows.values[[row, layout.column(feature, Statistic::Value)]])
    };
    let values = |feature: usize| (first..rows.at.len()).map(|row| value(feature, row)).collect();
    let evidence = evidence[first..].to_vec();
    let columns = (0..layout.n_features).map(values).chain(std::iter::once(evidence));
    Reference::fit(zone, &rows.at[first..], columns)
}

/// What ranks beside the members: nothing of it is fitted, so its scores need no cross-fit.
fn rankers(layout: InputLayout, rows: &[ScaledRow], normal: &[usize]) -> Result<Vec<Member>, TrainError> {
    let ranker = |kind: MemberKind| {
        let mut raw = vec![0.0; rows.len()];
        Scorer::Itself.raw_scores(kind.rows(layout, rows).view(), &mut raw);
        Ok(Member { kind, scorer: Scorer::Itself, tail: Tail::fit(&pick(&raw, normal))? })
    };
    MemberKind::RANKERS.into_iter().map(ranker).collect()
}

/// An empty past for the walk through the training rows. Where they are a sample, each stands for several steps.
fn past(rows: &TrainingRows, settings: &TrainSettings) -> Past {
    let Some(fade) = settings.forget_after else { return Past::none() };
    let mut lives: Vec<Option<(TimestampMs, TimestampMs)>> = vec![None; rows.entities.len()];
    for (entity, at) in rows.entity_of.iter().zip(&rows.at) {
        lives[*entity] = Some((lives[*entity].map_or(*at, |(first, _)| first), *at));
    }
    // Entities come and go: what counts is how long each was there.
    let watched_ms: i64 = lives.iter().flatten().map(|(first, last)| last.since_ms(*first)).sum();
    Past::new(Memory::new(fade, watched_ms / rows.at.len().max(1) as i64))
}

/// The weighted evidence of the members for each row, beside what its entity showed before it.
fn beside_past(raw: &[Vec<f64>], tails: &[Tail], rows: &TrainingRows, past: &mut Past) -> Vec<f64> {
    let judge = |(row, entity): (usize, &usize)| {
        let evidence = |(raw, tail): (&Vec<f64>, &Tail)| evidence_of(tail.probability(raw[row]));
        let mut evidence: Vec<f64> = raw.iter().zip(tails).map(evidence).collect();
        past.judge(&rows.entities[*entity], rows.at[row], &mut evidence);
        weighted(evidence.into_iter())
    };
    rows.entity_of.iter().enumerate().map(judge).collect()
}

/// What a member makes of `rows`, which are as [`MemberKind::rows`] made them.
fn scorer(
    kind: MemberKind,
    hyperparams: &CheckedHyperparams,
    rows: ArrayView2<'_, f32>,
) -> Result<Scorer, TrainError> {
    Ok(if kind.has_forest() {
        Scorer::Forest(hyperparams.fit(rows)?)
    } else if kind.has_rows() {
        Scorer::Nearest(Nearest::fit(rows, hyperparams.get().seed)?)
    } else {
        Scorer::Itself
    })
}

/// The model of a judge that was trained on `rows`; `evidence` says how strange it found each of them.
pub(super) fn model_of(
    schema: FeatureSchema,
    judge: Judge,
    rows: &TrainingRows,
    settings: &TrainSettings,
    evidence: &[f64],
) -> Model {
    let mut model = Model {
        version: settings.version.clone(),
        created_at: settings.created_at,
        schema,
        judge,
        thresholds: settings.thresholds,
        training: summary(rows, settings),
        self_test: Vec::new(),
        reference: None,
        past: Past::none(),
    };
    model.self_test = self_test(&model, rows, evidence);
    model
}

pub(super) fn check(
    layout: InputLayout,
    rows: &TrainingRows,
    settings: &TrainSettings,
) -> Result<CheckedHyperparams, TrainError> {
    let have = rows.values.nrows();
    if have < MIN_ROWS {
        return Err(TrainError::TooFewRows { have, need: MIN_ROWS });
    }
    if rows.values.ncols() != layout.n_columns() {
        return Err(TrainError::Columns { have: rows.values.ncols(), want: layout.n_columns() });
    }
    if !(0.0..0.5).contains(&settings.contamination) {
        return Err(TrainError::Contamination(settings.contamination));
    }
    if !(1..=MAX_VERSION_BYTES).contains(&settings.version.len()) {
        return Err(TrainError::Version(settings.version.len()));
    }
    Ok(settings.hyperparams.check()?)
}

/// Adds a faulty copy of every twentieth row behind the rows; gives for each row, then for each copy, the
/// row it came from.
///
/// A forest cannot tell far from very far beyond the rows it was grown from: one feature at 20 units
/// would score like the rows at the edge. The copies, each with one feature pushed out by a random number
/// of units, stretch the trees over the region where faults are.
fn with_faults(layout: InputLayout, rows: &mut Vec<ScaledRow>, seed: u64) -> Vec<usize> {
    let n = rows.len();
    let copied: Vec<usize> = (0..n).step_by(ROWS_PER_FAULT).collect();
    let (low, high) = (FAULT_UNITS.0.ln(), FAULT_UNITS.1.ln());
    for row in &copied {
        let draw = xxhash_rust::xxh3::xxh3_64_with_seed(&row.to_le_bytes(), seed);
        let feature = (draw >> 32) as usize % layout.n_features;
        let fraction = (draw & 0xffff) as f64 / 65_536.0;
        let units = (low + fraction * (high - low)).exp() as f32;
        let up = draw >> 16 & 1 == 0;
        rows.push(rows[*row].with_fault(feature, if up { units } else { -units }));
    }
    (0..n).chain(copied).collect()
}

/// Scores the first `n` rows, each by what `fit` made of the other blocks of time.
pub(super) fn cross_fitted_scores(
    rows: ArrayView2<'_, f32>,
    n: usize,
    origins: &[usize],
    fit: impl Fn(ArrayView2<'_, f32>) -> Result<Scorer, TrainError>,
) -> Result<Vec<f64>, TrainError> {
    let mut scores = vec![0.0; n];
    for block in 0..BLOCKS {
        let own = n * block / BLOCKS..n * (block + 1) / BLOCKS;
        let others: Vec<usize> = (0..rows.nrows()).filter(|row| !own.contains(&origins[*row])).collect();
        let scorer = fit(rows.select(Axis(0), &others).view())?;
        scorer.raw_scores(rows.slice_axis(Axis(0), Slice::from(own.clone())), &mut scores[own]);
    }
    Ok(scores)
}

/// The rows that stay when the strangest `contamination` of them is left out.
pub(super) fn normal_rows(raw: &[Vec<f64>], contamination: f64) -> Result<Vec<usize>, TailError> {
    let n = raw.first().map_or(0, Vec::len);
    let left_out = (contamination * n as f64).floor() as usize;
    let mut order: Vec<usize> = (0..n).collect();
    if left_out > 0 {
        let tails = raw.iter().map(|raw| Tail::fit(raw)).collect::<Result<Vec<_>, _>>()?;
        let evidence = combined(raw, &tails);
        order.sort_by(|a, b| evidence[*a].total_cmp(&evidence[*b]));
        order.truncate(n - left_out);
        order.sort_unstable();
    }
    Ok(order)
}

/// The weighted evidence of the members for each row.
fn combined(raw: &[Vec<f64>], tails: &[Tail]) -> Vec<f64> {
    let n = raw.first().map_or(0, Vec::len);
    (0..n)
        .map(|row| weighted(raw.iter().zip(tails).map(|(raw, tail)| evidence_of(tail.probability(raw[row])))))
        .collect()
}

pub(super) fn pick(values: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|row| values[*row]).collect()
}

fn summary(rows: &TrainingRows, settings: &TrainSettings) -> TrainingSummary {
    TrainingSummary {
        first: rows.at.first().copied().unwrap_or_default(),
        last: rows.at.last().copied().unwrap_or_default(),
        rows: rows.at.len() as u64,
        entities: rows.entities.len() as u64,
        hyperparams: settings.hyperparams,
        contamination: settings.contamination,
        validation: None,
        drifted: settings.drifted,
    }
}

/// Rows from the most ordinary to the strangest, with what the finished model says of them.
fn self_test(model: &Model, rows: &TrainingRows, evidence: &[f64]) -> Vec<SelfTestRow> {
    let mut order: Vec<usize> = (0..evidence.len()).collect();
    order.sort_by(|a, b| evidence[*a].total_cmp(&evidence[*b]));
    (0..N_SELF_TEST_ROWS)
        .map(|place| {
            let row = order[place * (order.len() - 1) / (N_SELF_TEST_ROWS - 1)];
            let entity = rows.entities[rows.entity_of[row]].clone();
            let inputs = rows.values.row(row).to_vec();
            let tail_probability = model.score_columns(&entity, &inputs);
            SelfTestRow { entity, inputs, tail_probability }
        })
        .collect()
}
