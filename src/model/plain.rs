//! The plain judge: one Isolation Forest over the features' values, as users of other libraries have it.

use super::{
    ColumnScale, ExportError, Model, Past,
    attribution::attributions,
    evidence_of,
    judge::{Judge, Judgement, Row},
    scaling::{ordinary_range, quantile},
    self_test::N_ROWS,
};
use crate::{
    calibrate::Tail,
    explain::{Expected, FeatureScales, Scale, contributions},
    features::{InputLayout, Statistic},
    score::iforest::{Attribution, Forest, SplitScales},
    series::TimestampMs,
};
use ndarray::{Array2, ArrayView1};
use std::f64::consts::SQRT_2;

/// The window of a plain model, which looks at the step alone: the shortest that a schema allows, so that an
/// entity is warm at once.
pub const PLAIN_WINDOW_STEPS: usize = 2;

/// Of a normal distribution all but 5 % lies within so many standard deviations of its middle.
const RANGE_SIGMAS: f64 = 1.96;

/// A forest with what stands before and behind it.
#[derive(Clone, Debug)]
pub(crate) struct Plain {
    /// Invariant: one a feature.
    pub(crate) columns: Vec<PlainColumn>,
    /// Invariant: as many features as there are columns.
    pub(crate) forest: Forest,
    /// What its splits say of far and near, for explanations.
    split_scales: SplitScales,
    /// From the forest's raw score to the tail probability.
    pub(crate) tail: Tail,
}

/// One feature on its way into the forest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlainColumn {
    /// Standardisation; center 0 and unit 1 change no bit of a value.
    pub(crate) scale: ColumnScale,
    /// What a missing value is taken for; where that is not known, a missing value goes to the left of every split.
    pub(crate) ordinary: Option<f64>,
    /// The range of all but 5 % of the values; for explanations only.
    pub(crate) expected: Option<Expected>,
}

// === impl Plain ===

impl Plain {
    pub(crate) fn new(columns: Vec<PlainColumn>, forest: Forest, tail: Tail) -> Self {
        Self { columns, split_scales: SplitScales::of(&forest), forest, tail }
    }

    /// Judges all rows in one batch.
    pub(super) fn judge(
        &self,
        layout: InputLayout,
        rows: &[Row<'_>],
        at: TimestampMs,
        past: &mut Past,
    ) -> Vec<Judgement> {
        let value = |row: usize, feature| rows[row].columns[layout.column(feature, Statistic::Value)];
        let (x, raw) = raw_scores(&self.columns, &self.forest, rows.len(), value);
        let feature_of: Vec<Option<usize>> = (0..self.columns.len()).map(Some).collect();
        let mut credit = vec![0.0; self.columns.len()];
        let tail_probability = |(row, raw_score): (&Row<'_>, &f64)| {
            let calibrated = self.tail.probability(*raw_score);
            let trained = evidence_of(calibrated);
            let mut evidence = [trained];
            past.judge(row.entity, at, &mut evidence);
            // Untouched evidence stands for the very probability, to the last bit.
            if evidence[0] < trained { 10.0_f64.powf(-evidence[0]) } else { calibrated }
        };
        let tail_probabilities: Vec<f64> = rows.iter().zip(&raw).map(tail_probability).collect();
        let judge = |(row, attribution): (usize, Option<Attribution>)| {
            let contributions = |attribution| {
                let x = x.row(row).to_vec();
                self.forest.attribute(attribution, &x, &mut credit);
                // A forest alone hardly tells far from very far.
                self.split_scales.weigh(&x, &mut credit);
                contributions(&credit, &feature_of)
            };
            Judgement {
                tail_probability: tail_probabilities[row],
                raw_score: raw[row],
                evidence: evidence_of(self.tail.probability(raw[row])),
                contributions: attribution.map(contributions).unwrap_or_default(),
            }
        };
        attributions(&tail_probabilities).into_iter().enumerate().map(judge).collect()
    }
}

// === impl Model ===

impl Model {
    /// What can be written in a format of others: one forest over the features' values, whose trees split by one
    /// feature each and are scored by depth.
    pub(super) fn exportable(&self) -> Result<&Plain, ExportError> {
        match &self.judge {
            Judge::Members(_) => Err(ExportError::NotPlain),
            Judge::Plain(plain) if plain.forest.is_plain() => Ok(plain),
            Judge::Plain(plain) => Err(ExportError::NotPlainForest {
                splits: self.training.hyperparams.splits.kind(),
                scoring: plain.forest.scoring(),
            }),
        }
    }
}

/// What `forest` sees of `n` rows with these values (row, feature), and the raw score of each.
pub(crate) fn raw_scores(
    columns: &[PlainColumn],
    forest: &Forest,
    n: usize,
    value: impl Fn(usize, usize) -> f64,
) -> (Array2<f32>, Vec<f64>) {
    let x = Array2::from_shape_fn((n, columns.len()), |(row, feature)| {
        columns[feature].input(value(row, feature))
    });
    let mut raw = vec![0.0; n];
    forest.raw_scores(x.view(), &mut raw);
    (x, raw)
}

// === impl PlainColumn ===

impl PlainColumn {
    /// What the forest sees of a value: standardised in double precision, as scikit-learn does, then rounded.
    /// Beyond single precision is as far as it goes.
    pub(crate) fn input(&self, value: f64) -> f32 {
        let value = if value.is_nan() { self.ordinary.unwrap_or(value) } else { value };
        (self.scale.scaled(value) as f32).clamp(f32::MIN, f32::MAX)
    }

    /// Takes what is ordinary from `values`: their median and the range of all but 5 %.
    pub(crate) fn learn(&mut self, values: ArrayView1<'_, f64>) {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        if !sorted.is_empty() {
            self.ordinary = Some(quantile(&sorted, 0.5));
            self.expected = Some(ordinary_range(&sorted));
        }
    }

    /// What is ordinary for the feature, as far as its values tell; none where their range is not known or has no width:
    /// whether it ever varied cannot be told then.
    ///
    /// The range gives the unit, its farther end that of both sides. Windows were not learned from. But no mean of values
    /// varies more than they do, no difference of two more than both together, and a spread is at the most of their
    /// size: with these bounds a change is seen later than by a model that knows its windows, and a window within the range
    /// shows none.
    pub(crate) fn usual(&self) -> Option<FeatureScales> {
        let (center, range) = (self.ordinary?, self.expected?);
        let unit = (range.high - center).max(center - range.low) / RANGE_SIGMAS;
        let value = Scale { center, unit };
        let spread = Scale { center: 0.0, unit };
        let deviation = Scale { center: 0.0, unit: SQRT_2 * unit };
        let usual = FeatureScales { value, level: value, spread, deviation, range, constant: false };
        (unit.is_finite() && unit > 0.0).then_some(usual)
    }
}

/// Inputs from all over the thresholds of the forest, for the self-test: value by value the quantiles of the
/// feature's thresholds, each feature beginning at another one.
pub(crate) fn self_test_columns(plain: &Plain, layout: InputLayout) -> Vec<Vec<f64>> {
    let mut thresholds = plain.forest.thresholds();
    thresholds.iter_mut().for_each(|thresholds| thresholds.sort_unstable_by(f32::total_cmp));
    let row = |place: usize| {
        let mut columns = vec![f64::NAN; layout.n_columns()];
        for (feature, (column, thresholds)) in plain.columns.iter().zip(&thresholds).enumerate() {
            let part = (place + feature) % N_ROWS;
            let z = thresholds.get(part * thresholds.len().saturating_sub(1) / (N_ROWS - 1)).unwrap_or(&0.0);
            columns[layout.column(feature, Statistic::Value)] =
                f64::from(*z) * column.scale.unit + column.scale.center;
        }
        columns
    };
    (0..N_ROWS).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Criterion, Reason, Recent};
    use proptest::prelude::*;

    const UNKNOWN: PlainColumn =
        PlainColumn { scale: ColumnScale { center: 0.0, unit: 1.0 }, ordinary: None, expected: None };

    fn learned(values: Vec<f64>) -> PlainColumn {
        let mut column = UNKNOWN;
        column.learn(ArrayView1::from(&values));
        column
    }

    fn criteria(usual: &FeatureScales, values: &[f64]) -> Vec<Criterion> {
        let recent = Recent { values, at: TimestampMs(0), step_ms: 60_000 };
        Reason::find(&recent, usual).iter().map(Reason::criterion).collect()
    }

    /// Of 0, 1, ..., 100 the median is 50 and all but 5 % lie within 2.5 to 97.5: a unit is 47.5 / 1.96 = 24.23, three
    /// of them above 50 are 122.7.
    #[test]
    fn the_range_of_the_values_says_what_is_far() {
        let usual = learned((0..=100).map(f64::from).collect()).usual().unwrap();
        let window = |last: f64, others: f64| [vec![others; 20], vec![last]].concat();
        assert_eq!(criteria(&usual, &window(122.0, 50.0)), []);
        assert_eq!(criteria(&usual, &window(123.0, 50.0)), [Criterion::StatisticalOutlier]);
        assert_eq!(criteria(&usual, &window(-23.0, 50.0)), [Criterion::StatisticalOutlier]);
        let both = [Criterion::StatisticalOutlier, Criterion::BehaviourChange];
        assert_eq!(criteria(&usual, &window(123.0, 123.0)), both);
    }

    #[test]
    fn without_a_range_that_has_a_width_nothing_is_usual() {
        assert_eq!(UNKNOWN.usual(), None);
        assert_eq!(learned(vec![7.0; 50]).usual(), None);
        assert_eq!(learned(vec![f64::NAN]).usual(), None);
    }

    proptest! {
        /// For all training values, a window that keeps to their ordinary range meets no criterion.
        #[test]
        fn what_keeps_to_the_range_is_no_reason(
            values in prop::collection::vec(-1e3..1e3, 20..200),
            window in prop::collection::vec(0.0..=1.0, 1..60),
        ) {
            let usual = learned(values).usual();
            prop_assume!(usual.is_some());
            let usual = usual.unwrap();
            let Expected { low, high } = usual.range;
            let window: Vec<f64> = window.into_iter().map(|share: f64| low + share * (high - low)).collect();
            prop_assert_eq!(criteria(&usual, &window), []);
        }
    }
}
