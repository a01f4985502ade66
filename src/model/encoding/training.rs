//! What a model was trained on, and how.

use super::proto;
use crate::{
    model::{ModelError, TrainingSummary, Validation, ValidationCounts},
    score::iforest::{Hyperparams, InvalidHyperparams, Scoring, SplitKind, Splits},
    series::TimestampMs,
};

const PART: &str = "the training summary";

pub(super) fn write_training(training: &TrainingSummary) -> proto::Training {
    let params = training.hyperparams;
    let (features, candidates) = match params.splits {
        Splits::Plain => (0, 0),
        Splits::Extended { features } => (features, 0),
        Splits::Guided { features, candidates } => (features, candidates),
    };
    let kind = match params.splits.kind() {
        SplitKind::Plain => proto::SplitKind::Plain,
        SplitKind::Extended => proto::SplitKind::Extended,
        SplitKind::Guided => proto::SplitKind::Guided,
    };
    proto::Training {
        first_ms: training.first.0,
        last_ms: training.last.0,
        rows: training.rows,
        entities: training.entities,
        n_trees: params.n_trees as u32,
        subsample_size: params.subsample_size as u32,
        seed: params.seed,
        contamination: training.contamination,
        split_kind: kind.into(),
        split_features: features as u32,
        split_candidates: candidates as u32,
        scoring: write_scoring(params.scoring).into(),
        validation: training.validation.as_ref().map(write_validation),
        drifted_ms: training.drifted.map(|since| since.0),
    }
}

pub(super) fn read_training(training: proto::Training) -> Result<TrainingSummary, ModelError> {
    let hyperparams = Hyperparams {
        n_trees: training.n_trees as usize,
        subsample_size: training.subsample_size as usize,
        seed: training.seed,
        splits: read_splits(&training)?,
        scoring: read_scoring(PART, training.scoring)?,
    };
    hyperparams.check().map_err(|error| ModelError::invalid(PART, error))?;
    if !(0.0..0.5).contains(&training.contamination) {
        return Err(ModelError::invalid(PART, format!("contamination {}", training.contamination)));
    }
    Ok(TrainingSummary {
        first: TimestampMs(training.first_ms),
        last: TimestampMs(training.last_ms),
        rows: training.rows,
        entities: training.entities,
        hyperparams,
        contamination: training.contamination,
        validation: training.validation.map(read_validation).transpose()?,
        drifted: training.drifted_ms.map(TimestampMs),
    })
}

fn write_validation(validation: &Validation) -> proto::Validation {
    let counts = validation.counts;
    proto::Validation {
        first_ms: validation.first.0,
        last_ms: validation.last.0,
        rows: counts.rows,
        true_positives: counts.true_positives,
        false_positives: counts.false_positives,
        false_negatives: counts.false_negatives,
        incidents: counts.incidents,
        detected: counts.detected,
        false_alarms: counts.false_alarms,
    }
}

fn read_validation(read: proto::Validation) -> Result<Validation, ModelError> {
    let validation = Validation {
        first: TimestampMs(read.first_ms),
        last: TimestampMs(read.last_ms),
        counts: ValidationCounts {
            rows: read.rows,
            true_positives: read.true_positives,
            false_positives: read.false_positives,
            false_negatives: read.false_negatives,
            incidents: read.incidents,
            detected: read.detected,
            false_alarms: read.false_alarms,
        },
    };
    match validation.contradiction() {
        Some(problem) => Err(ModelError::invalid("the validation", problem)),
        None => Ok(validation),
    }
}

/// A number that is not written is one that the kind does not have.
fn read_splits(training: &proto::Training) -> Result<Splits, ModelError> {
    let kind = match proto::SplitKind::try_from(training.split_kind) {
        Ok(proto::SplitKind::Plain) => SplitKind::Plain,
        Ok(proto::SplitKind::Extended) => SplitKind::Extended,
        Ok(proto::SplitKind::Guided) => SplitKind::Guided,
        Err(_) => return Err(ModelError::invalid(PART, format!("splits of kind {}", training.split_kind))),
    };
    let number = |number: u32| (number > 0).then_some(number as usize);
    Splits::new(kind, number(training.split_features), number(training.split_candidates))
        .map_err(|error: InvalidHyperparams| ModelError::invalid(PART, error))
}

pub(super) fn write_scoring(scoring: Scoring) -> proto::Scoring {
    match scoring {
        Scoring::Depth => proto::Scoring::Depth,
        Scoring::PenalizedDepth => proto::Scoring::PenalizedDepth,
        Scoring::Density => proto::Scoring::Density,
    }
}

pub(super) fn read_scoring(part: &'static str, scoring: i32) -> Result<Scoring, ModelError> {
    match proto::Scoring::try_from(scoring) {
        Ok(proto::Scoring::Depth) => Ok(Scoring::Depth),
        Ok(proto::Scoring::PenalizedDepth) => Ok(Scoring::PenalizedDepth),
        Ok(proto::Scoring::Density) => Ok(Scoring::Density),
        Err(_) => Err(ModelError::invalid(part, format!("scoring of kind {scoring}"))),
    }
}
